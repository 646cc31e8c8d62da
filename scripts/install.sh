# ./dev install [kind...]: installs what is needed, for everything or for the kinds named.
[ $# -gt 0 ] || set -- build test demo bench compare clang check
install_needs "$@"
say "all there for: $*"

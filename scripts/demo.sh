# ./dev demo [argument of `commy demo`...]: builds the command line with optimization and shows a
# store at work in several processes. A warning of a compiler that we have not met does not stop it.
install_needs build demo
configure build-release --buildtype=release -Dwerror=false -Dtests=disabled -Dbench=disabled
build build-release tools/commy
exec build-release/tools/commy demo "$@"

# ./dev crash [argument of `meson test`...]: builds the engine with clang++ and a hook at every access
# to memory, and kills and stops each operation at each of them.
install_needs build test clang
setup_hooks
build build-hooks crash_programs
run_tests build-hooks crash --suite crash "$@"

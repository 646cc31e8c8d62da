# ./dev test [argument of `meson test`...]: builds and runs the tests, with g++. For instance
#   ./dev test --suite unit        ./dev test hash_test        ./dev test --list
# Of the programs only those are built that these tests need.
# Tests of random operations print COMMY_SEED=...; the environment gives it back to them.
install_needs build test
setup_build
build build layers.stamp $(python3 scripts/test_targets.py build "$@")
run_tests build testlog "$@"

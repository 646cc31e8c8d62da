# ./dev torture [ROUNDS]: the random suites again and again with fresh seeds (10 rounds if not said).
# Stops at the first failure; the log has its COMMY_SEED.
install_needs build test clang
setup_build
setup_hooks
build build
build build-hooks crash_programs
run_tests build torture --repeat "${1:-10}" --maxfail 1 --timeout-multiplier 3 \
  --suite race --suite multiprocess --suite model
run_tests build-hooks torture-crash --repeat "${1:-10}" --maxfail 1 --suite crash

# ./dev sanitize [address|thread]: tests under AddressSanitizer with UndefinedBehaviorSanitizer, and
# under ThreadSanitizer (the races of threads only: it cannot see two mappings or two processes).
install_needs build test clang
failed=''
for kind in ${1:-address thread}; do
  case $kind in
    address)
      CC=clang CXX=clang++ configure build-asan -Dtests=enabled -Dbench=disabled -Dtools=enabled \
        -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
      build build-asan
      ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 \
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        run_tests build-asan address --timeout-multiplier 3 --no-suite crash ||
        failed="$failed address"
      ;;
    thread)
      CC=clang CXX=clang++ configure build-tsan -Dtests=enabled -Dbench=disabled -Dtools=disabled \
        -Db_sanitize=thread -Db_lundef=false -Doptimization=1
      build build-tsan race_programs
      TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0 \
        run_tests build-tsan thread --timeout-multiplier 5 --suite race ||
        failed="$failed thread"
      ;;
    *) die "sanitize: 'address' or 'thread', not '$kind'" ;;
  esac
done
[ -z "$failed" ] || die "sanitize failed:$failed"

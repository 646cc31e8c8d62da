# ./dev help
cat <<'TEXT'
./dev COMMAND [ARGUMENTS]   (each installs what it needs and does not find)

  demo               a store at work in several processes, on real data
  test [ARGS]        build and run the tests; ARGS go to `meson test`: --suite unit, a test's name
  check [--fix]      format, build, floors, clang-tidy, quick tests; --fix reformats; --all is
                     clang-tidy also for tests and benchmarks that did not change (slow)
  crash [ARGS]       kill and stop every operation at every access to memory (clang)
  sanitize [KIND]    tests under the sanitizers: address (with undefined) and thread
  bench [--quick]    Commy beside its peers, 15 minutes; --quick: 2; --steady: a minute of overwriting
                     for each, 12; --space: giving space back, 5; --docs: all, into
                     docs/performance.md
  bench NAME...      only these benchmarks of ours; --own: all; --list: names; `-- ARGS` to each
  torture [ROUNDS]   the random suites again and again, with fresh seeds
  docs               check the links between the documents
  install [KIND...]  only install: build test demo bench compare clang check
  help               this text
TEXT

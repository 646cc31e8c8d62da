# ./dev bench [--quick] [--docs] [--only=NAME,NAME]
#                                 Commy beside its peers, all on the same work: tables on standard
#                                 output, build-release/compare.json; 15 minutes
#   --quick                       two minutes: fewer keys, two rounds, less time for each
#   --no-sync                     without the write to disk before each row
#   --before=PROGRAM              and beside another build's build-release/bench/compare/commy_compare
#   --steady                      instead: a minute of overwriting for each of five stores, by one
#                                 writer and by two; 12 minutes, build-release/steady.json
#   --space                       instead: what it takes on disk after most was deleted, and after
#                                 giving it back; 5 minutes, build-release/space.json
#   --docs                        all three; puts tables and pictures into docs/performance.md
#   --only=NAME,NAME              only these stores, by the names of --list
# ./dev bench NAME... [-- ARG...] benchmarks of our own, by name; ARGs go to each
# ./dev bench --own [-- ARG...]   all of them
# ./dev bench --list              the names of both
#
# Files are made under TMPDIR, which should be on a disk with 2 GB to spare.
names=''
compare=''
own=''
docs=''
steady=''
space=''
list=''
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    --own) own=1 ;;
    --docs) docs=1 ;;
    --steady) steady=1 ;;
    --space) space=1 ;;
    --list) list=1 ;;
    --quick | --no-sync | --only=* | --before=*) compare="$compare $1" ;;
    -*) die "bench: unknown argument '$1'" ;;
    *) names="$names $1" ;;
  esac
  shift
done

# enter KIND...: a build folder with the benchmarks.
enter() {
  install_needs build "$@"
  configure build-release --buildtype=release -Dwerror=false -Dtests=disabled -Dbench=disabled
  # Meson remembers what it once did not find.
  meson configure build-release -Dbench=enabled --clearcache
}

# own_benchmarks: those that are built, one path a line.
own_benchmarks() {
  for program in build-release/bench/*; do
    [ ! -f "$program" ] || [ ! -x "$program" ] || echo "$program"
  done
}

if [ -n "$list" ]; then
  enter bench
  build build-release
  build-release/bench/compare/commy_compare --list
  echo 'Own:'
  own_benchmarks | sed 's|.*/|  |'
elif [ -n "$own$names" ]; then
  [ -z "$compare$docs$steady$space" ] || die "bench: --quick, --only, --steady, --space and --docs are for the comparison"
  enter bench
  build build-release
  for program in $(own_benchmarks); do
    name=$(basename "$program")
    case " $names " in
      '  ' | *" $name "*) say "$name"; "$program" "$@" ;;
    esac
  done
else
  enter bench compare
  build build-release bench/compare/commy_compare
  say "comparing"
  results=''
  if [ -z "$steady$space" ]; then
    results=build-release/compare.json
    build-release/bench/compare/commy_compare $compare --json=build-release/compare.json
  fi
  if [ -n "$steady$docs" ]; then
    results="$results build-release/steady.json"
    build-release/bench/compare/commy_compare --steady $compare --json=build-release/steady.json
  fi
  if [ -n "$space$docs" ]; then
    results="$results build-release/space.json"
    build-release/bench/compare/commy_compare --space $compare --json=build-release/space.json
  fi
  python3 bench/compare/report.py $results
  [ -z "$docs" ] || python3 bench/compare/report.py $results --docs docs
fi

# ./dev bench [NAME...] [-- argument...]: builds the benchmarks with optimization and runs those
# named, or all; what follows `--` goes to each.
install_needs build bench
names=''
while [ $# -gt 0 ]; do
  if [ "$1" = -- ]; then shift; break; fi
  names="$names $1"
  shift
done
configure build-release --buildtype=release -Dtests=disabled -Dbench=disabled
meson configure build-release -Dbench=enabled
build build-release
for program in build-release/bench/*; do
  [ -f "$program" ] && [ -x "$program" ] || continue
  name=$(basename "$program")
  case " $names " in
    '  ' | *" $name "*) say "$name"; "$program" "$@" ;;
  esac
done

# Functions that the commands of ./dev share. Sourced, from the top folder; POSIX shell.

say() { printf '== %s\n' "$*"; }
die() { printf './dev: %s\n' "$*" >&2; exit 1; }

# present CHECK: is what the third column of needs() names there?
present() {
  case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
    pc:*) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "${1#pc:}" ;;
    file:*) [ -e "${1#file:}" ] ;;
    clang-runtime:)
      command -v clang++ >/dev/null 2>&1 &&
        [ -e "$(clang++ --print-file-name=libclang_rt.tsan-x86_64.a)" ] ||
        [ -e "$(clang++ --print-runtime-dir 2>/dev/null)/libclang_rt.tsan-$(uname -m).a" ]
      ;;
  esac
}

# missing KIND...: prints the lines of needs() of these kinds that are not there.
missing() {
  needs | while read -r kind package check; do
    case " $* " in
      *" $kind "*) present "$check" || echo "$package $check" ;;
    esac
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    die "these packages need root, and there is no sudo; as root: $*"
  fi
}

# install_needs KIND...: installs what is missing. Without the network if nothing is.
install_needs() {
  lines=$(missing "$@")
  [ -n "$lines" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo './dev: please install these (Debian package name, and what was looked for):' >&2
    echo "$lines" | sed 's/^/  /' >&2
    exit 1
  fi
  packages=$(echo "$lines" | cut -d' ' -f1)
  say "installing" $packages
  as_root apt-get update -q </dev/null >"${TMPDIR:-/tmp}/commy-apt.$$" 2>&1 &&
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends $packages \
      </dev/null >>"${TMPDIR:-/tmp}/commy-apt.$$" 2>&1 || {
    tail -n 20 "${TMPDIR:-/tmp}/commy-apt.$$" >&2
    die "the packages above could not be installed"
  }
  rm -f "${TMPDIR:-/tmp}/commy-apt.$$"
  lines=$(missing "$@")
  [ -z "$lines" ] || die "installed, but still not found: $lines"
}

# configure DIR [meson option...]: sets the build folder up; of an existing one sets the options.
configure() {
  dir=$1
  shift
  if [ ! -f "$dir/build.ninja" ]; then
    say "setting up $dir"
    meson setup "$dir" "$@" >"$dir.setup.log" 2>&1 || {
      cat "$dir.setup.log" >&2
      rm -rf "$dir" "$dir.setup.log"
      die "meson setup failed"
    }
    rm -f "$dir.setup.log"
  fi
}

# build DIR [target...]
build() {
  dir=$1
  say "building $*"
  shift
  ninja -C "$dir" --quiet "$@" || die "the build failed"
}

# run_tests DIR LOG [meson test argument...]: what ran is in DIR/meson-logs/LOG.json, and its path is
# added to the file $COMMY_TEST_LOGS, if that is set, for the sum at the end of .ci/run.
run_tests() {
  dir=$1
  log=$2
  shift 2
  rm -f "$dir/meson-logs/$log.json"
  status=0
  meson test -C "$dir" --no-rebuild --print-errorlogs --logbase "$log" "$@" || status=$?
  [ -z "${COMMY_TEST_LOGS:-}" ] || echo "$dir/meson-logs/$log.json" >>"$COMMY_TEST_LOGS"
  return "$status"
}

# The build folders: one for each way to build.
setup_build() { configure build -Dtests=enabled -Dtools=enabled -Dbench=auto; }
setup_hooks() {
  CC=clang CXX=clang++ configure build-hooks -Dtests=enabled -Dhooks=enabled -Dbench=disabled \
    -Dtools=disabled
}

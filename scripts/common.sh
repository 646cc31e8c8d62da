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

# find_root: sets $as_root to what runs a command as root: nothing, or sudo. Fails if there is no way.
# A password is asked for here, and only if somebody is there to type it.
find_root() {
  as_root=''
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo >/dev/null 2>&1 || return 1
  as_root=sudo
  sudo -n true 2>/dev/null || { (: </dev/tty) 2>/dev/null && sudo -v; }
}

# apt_install PACKAGE...: what apt-get prints is shown only if it fails. A subshell, for its traps.
apt_install() (
  log=$(mktemp) || exit 1
  trap 'rm -f "$log"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  $as_root apt-get update -q </dev/null >"$log" 2>&1 &&
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "$@" </dev/null >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    exit 1
  }
)

# install_needs KIND...: installs what is missing. Without the network if nothing is.
install_needs() {
  lines=$(missing "$@")
  [ -n "$lines" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo './dev: please install these (Debian package name, and what was looked for):' >&2
    echo "$lines" | sed 's/^/  /' >&2
    exit 1
  fi
  packages=$(echo "$lines" | cut -d' ' -f1 | sort -u | tr '\n' ' ')
  packages=${packages% }
  if ! find_root; then
    echo './dev: packages are missing that only root can install. As root, run:' >&2
    echo "apt-get update && apt-get install -y --no-install-recommends $packages" >&2
    exit 1
  fi
  say "installing $packages"
  apt_install $packages || die "could not be installed: $packages"
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

# show_progress FD: hands on what ninja prints. Of its steps, which begin with "[57/125] ", it shows the
# count alone on FD, a terminal, on one line that is gone at the end.
show_progress() {
  failed=0
  while IFS= read -r line; do
    case $line in
      '['[0-9]*/[0-9]*'] '*) printf '\r%s]' "${line%%]*}" >&"$1" ;;
      'ninja: failed') failed=1 ;;
      'ninja: Entering directory'* | 'ninja: no work to do.') ;;
      *)
        printf '\r\033[K' >&"$1"
        printf '%s\n' "$line"
        ;;
    esac
  done
  printf '\r\033[K' >&"$1"
  return "$failed"
}

# The compiler's cache keeps objects that use a precompiled header only if it need not look for
# macros that were defined before it, and for __TIME__ inside it. There are none.
export CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:+$CCACHE_SLOPPINESS,}pch_defines,time_macros"
# g++ takes a header for another one if its comments differ from those of the precompiled header.
export CCACHE_COMMENTS=1

# build DIR [target...]: shows how far it is if there is a terminal; else only what went wrong.
build() {
  dir=$1
  say "building $*"
  shift
  terminal=''
  case ${TERM:-dumb} in
    dumb) ;;
    *) if [ -t 2 ]; then terminal=2; elif [ -t 1 ]; then terminal=1; fi ;;
  esac
  if [ -n "$terminal" ]; then
    # Ninja takes the colours out of what compilers say if it does not print to a terminal itself.
    { CLICOLOR_FORCE=1 NINJA_STATUS='[%f/%t] ' ninja -C "$dir" "$@" || echo 'ninja: failed'; } |
      show_progress "$terminal"
  else
    ninja -C "$dir" --quiet "$@"
  fi || die "the build failed"
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

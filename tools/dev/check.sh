# ./dev check [--fix] [--changed]: format, build (which checks the floors), clang-tidy, quick tests.
#   --fix      reformats instead of complaining
#   --changed  clang-tidy only for files that differ from the last commit
install_needs build test check
fix=0
changed=0
for argument in "$@"; do
  case $argument in
    --fix) fix=1 ;;
    --changed) changed=1 ;;
    *) die "check: unknown argument '$argument'" ;;
  esac
done

# Every C++ file that git knows or would add, or those that differ from the last commit.
sources() {
  if [ "$1" -eq 1 ]; then
    { git diff --name-only --diff-filter=d HEAD; git ls-files --others --exclude-standard; }
  else
    git ls-files --cached --others --exclude-standard
  fi | grep -E "^(src|include|tools|tests|bench|examples)/.*\.($2)\$" |
    while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

failed=''
if [ "$fix" -eq 1 ]; then
  say "clang-format, in place"
  sources 0 'h|cc' | xargs -r clang-format -i
else
  say "clang-format"
  sources 0 'h|cc' | xargs -r clang-format --dry-run -Werror || failed="$failed format"
fi

setup_build
build build

# clang-tidy reads how each file is compiled; what is not compiled in this folder is left out.
say "clang-tidy"
compiled=$(ninja -C build -t compdb | sed -n 's/^ *"file": "\.\.\/\(.*\)",\{0,1\}$/\1/p' | sort -u)
sources "$changed" cc | while read -r file; do
  ! echo "$compiled" | grep -qxF "$file" || echo "$file"
done | xargs -r -P "$(nproc)" -n 1 tools/dev/tidy_one.sh build || failed="$failed tidy"

run_tests build quick --suite unit --suite model || failed="$failed tests"
[ -z "$failed" ] || die "check failed:$failed"
say "check passed"

# ./dev check [--fix] [--all]: format, build (which checks the floors), clang-tidy, quick tests.
#   --fix  reformats instead of complaining
#   --all  clang-tidy also for tests, benchmarks and examples that do not differ from the last
#          commit; without it those are left out, since all together take over ten minutes
install_needs build test check
fix=0
all=0
for argument in "$@"; do
  case $argument in
    --fix) fix=1 ;;
    --all) all=1 ;;
    *) die "check: unknown argument '$argument'" ;;
  esac
done

# files_of PATTERN: every C++ file that git knows or would add, by its path.
files_of() {
  git ls-files --cached --others --exclude-standard | grep -E "^($1)\$" |
    while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}
every_file='(src|include|tools|tests|bench|examples)/.*\.(h|cc)'

# changed_files: those of them that differ from the last commit.
changed_files() {
  { git diff --name-only --diff-filter=d HEAD; git ls-files --others --exclude-standard; } |
    grep -E '^(tests|bench|examples)/.*\.cc$' || true
}

failed=''
if [ "$fix" -eq 1 ]; then
  say "clang-format, in place"
  files_of "$every_file" | xargs -r clang-format -i
else
  say "clang-format"
  files_of "$every_file" | xargs -r clang-format --dry-run -Werror || failed="$failed format"
fi

setup_build
build build

say "clang-tidy"
if [ "$all" -eq 1 ]; then
  files_of '.*\.cc'
else
  files_of '(src|tools)/.*\.cc'
  changed_files
fi | xargs -r python3 scripts/tidy.py build || failed="$failed tidy"

run_tests build quick --suite unit --suite model --suite states || failed="$failed tests"
[ -z "$failed" ] || die "check failed:$failed"
say "check passed"

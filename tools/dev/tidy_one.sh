#!/bin/sh
# tidy_one.sh BUILD_DIR FILE: clang-tidy of one file, silent if there is nothing to say. g++'s own
# warning flags mean nothing to it.
output=$(clang-tidy -p "$1" --quiet --extra-arg=-Wno-unknown-warning-option "$2" 2>/dev/null) && exit 0
printf '%s\n' "$output"
exit 1

#!/usr/bin/env python3
"""Sums the test runs of .ci/run: sum_tests.py LIST [FAILED_PART...]

LIST has the path of one Meson test log a line (JSON, one test a line). The last line printed is
`N passed, N failed`. A part that failed counts as one failure more if none of its tests did, say
because it did not build. Exits with 1 if something failed or no test ran.
"""

import json
import pathlib
import sys

PASSED = ("OK", "EXPECTEDFAIL")


def read_log(path):
    """Returns the results in a log; none if the run did not get as far as writing it."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def main():
    paths = [pathlib.Path(line) for line in pathlib.Path(sys.argv[1]).read_text().split()]
    failed_parts = sys.argv[2:]
    passed, failed, skipped = 0, [], []
    for path in paths:
        for test in read_log(path):
            where = f"{path.parent.parent.name}: {test['name']}"
            if test["result"] in PASSED:
                passed += 1
            elif test["result"] == "SKIP":
                skipped.append(where)
            else:
                failed.append(f"{where}: {test['result']}")
    for line in skipped:
        print(f"skipped {line}")
    for line in failed:
        print(f"failed  {line}")
    for part in failed_parts:
        print(f"failed  part {part}")
    if not passed and not failed:
        print("no test ran")
    failures = max(len(failed), len(failed_parts))
    print(f"{passed} passed, {failures} failed")
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Prints what has to be built for tests: test_targets.py BUILD_DIR [argument of `meson test`...].

For instance, no benchmark for `--suite unit`. One path in the build folder a line.
"""

import json
import os
import pathlib
import subprocess
import sys


def introspect(build, what):
    return json.loads((build / "meson-info" / f"intro-{what}.json").read_text())


def chosen_tests(build, arguments):
    """The names of the tests that `meson test` would run, as it lists them: "suite / name". None if
    it does not understand the arguments, which it will say itself."""
    subprocess.run(["ninja", "-C", build, "--quiet", "build.ninja"], check=True, stdout=sys.stderr)
    command = ["meson", "test", "-C", build, "--no-rebuild", "--list", *arguments]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {line.rpartition(" / ")[2] for line in listed.splitlines()}


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    chosen = chosen_tests(build, sys.argv[2:])
    needed = {target for test in introspect(build, "tests") if test["name"] in chosen
              for target in test["depends"]}
    for target in introspect(build, "targets"):
        if target["id"] in needed:
            for path in target["filename"]:
                print(os.path.relpath(path, build))


if __name__ == "__main__":
    main()

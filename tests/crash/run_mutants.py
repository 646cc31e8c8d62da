#!/usr/bin/env python3
"""Checks that the tests notice when a protection is taken out.

  tests/crash/run_mutants.py [NAME...]     all, or these; some ten seconds each after the first

Copies the tree to a temporary directory, builds there once, and then, for each of
tests/crash/mutants/*.mutant: takes one protection out of the engine, builds, and runs the
operations of the kill and stop harness, or the test, that the file names. A mutant that
nothing catches is a failure of the tests. The tree itself stays unchanged. A mutant file:

  # why the protection is there
  file: src/...
  operations: text in the names of operations; or =name: one operation, at every point with every
    script
  test: a test, by its name for Meson; or NAME FILTER: only its cases of these names (in place of
    operations)
  --- text that the file has once
  +++ text that replaces it
  (and the next pair, if one is not enough)
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SECONDS = 600  # Without a protection a test may never end: a timeout counts as caught.
HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))


def parse(path):
    head, *pairs = open(path).read().split("\n---\n")
    fields = dict(re.findall(r"^(\w+): (.*)$", head, re.M))
    changes = [(pair + "\n").split("\n+++\n", 1) for pair in pairs]
    changes = [(old, new.rstrip("\n")) for old, new in changes]
    split = lambda name: [each.strip() for each in fields.get(name, "").split(";") if each.strip()]
    return fields["file"], split("operations"), split("test"), changes


def test_commands(tree):
    """The command of each test, by the test's name. Its program has a path in the build folder."""
    folder = os.path.realpath(os.path.join(tree, "build-mutants"))
    listed = subprocess.run(["meson", "introspect", "--tests", folder], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return {test["name"]: [os.path.relpath(test["cmd"][0], folder), *test["cmd"][1:]]
            for test in json.loads(listed)}


def left_out(folder, names):
    """Of the tree's own folder what is not its source; source files may be called build..., too."""
    return [n for n in names if folder == TREE and (n.startswith("build") or n == ".git")]


def build(tree, programs):
    """Whether it compiles; a static assertion may keep it from that. Any other error ends this."""
    ended = subprocess.run(["ninja", "-C", os.path.join(tree, "build-mutants"), *programs],
                           stdout=subprocess.PIPE, text=True)
    if ended.returncode == 0:
        return True
    if re.search(r"static[_ ]assert(ion)? failed", ended.stdout):
        return False
    sys.exit(ended.stdout)


def run(tree, command, **env):
    """The exit code and the output. A run that does not end has code 124."""
    try:
        program = os.path.join(tree, "build-mutants", command[0])
        ended = subprocess.run([program, *command[1:]],
                               env=dict(os.environ, **env), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return 124, ""
    return ended.returncode, ended.stdout


def run_operation(tree, operation):
    """The rows that caught the mutant, as texts."""
    full = {"COMMY_CRASH_FULL": "1"} if operation[0] == "=" else {}
    code, told = run(tree, ["tests/kill_stop_test"], COMMY_CRASH_OPERATIONS=operation, **full)
    if not re.search(r"^(\S.{27}) (?: *\d+){8} +\d+ +[\d.]+$", told, re.M) and code == 0:
        sys.exit(f"no operation has {operation!r} in its name")
    if code == 0:
        return []
    rows = re.findall(r"^(\S.{27}) (?: *\d+){8} +([1-9]\d*) +[\d.]+$", told, re.M)
    return ([f"{row.strip()} ({count})" for row, count in rows]
            or [f"{operation} (ended with {code})"])


def run_test(tree, command, test):
    name, *filters = test.split(None, 1)
    code, told = run(tree, [*command, *[f"--gtest_filter={each}" for each in filters]])
    if "Running 0 tests" in told:
        sys.exit(f"no test matches {test!r}")
    if code == 0:
        return []
    failed = sorted(set(re.findall(r"^\[  FAILED  \] (\w+\.[\w./]+)", told, re.M)))
    return failed or [f"{name} (ended with {code})"]


def main():
    wanted = sys.argv[1:]
    names = sorted(n[:-7] for n in os.listdir(os.path.join(HERE, "mutants"))
                   if n.endswith(".mutant"))
    escaped = []
    with tempfile.TemporaryDirectory(prefix="commy_mutants_") as temp:
        tree = os.path.join(temp, "tree")
        shutil.copytree(TREE, tree, ignore=left_out)
        env = dict(os.environ, CC="clang", CXX="clang++")
        subprocess.run(["meson", "setup", os.path.join(tree, "build-mutants"), tree,
                        "-Dhooks=enabled", "-Dwerror=false", "-Dtools=disabled",
                        "-Dbench=disabled"],
                       check=True, env=env, stdout=subprocess.DEVNULL)
        commands = test_commands(tree)
        build(tree, ["tests/kill_stop_test"])
        print(f"{'protection taken out':32} caught by", flush=True)
        for name in [n for n in names if not wanted or n in wanted]:
            file, operations, tests, changes = parse(
                os.path.join(HERE, "mutants", name + ".mutant"))
            path = os.path.join(tree, file)
            text = changed = open(path).read()
            counts = [text.count(old) for old, _ in changes]
            if counts != [1] * len(changes):
                print(f"{name:32} the texts to take out stand {counts} times in {file}")
                escaped.append(name)
                continue
            for old, new in changes:
                changed = changed.replace(old, new)
            open(path, "w").write(changed)
            caught = ["a static assertion"]
            if build(tree, (["tests/kill_stop_test"] if operations else [])
                     + sorted({commands[test.split()[0]][0] for test in tests})):
                caught = [by for operation in operations for by in run_operation(tree, operation)]
                caught += [by for test in tests
                           for by in run_test(tree, commands[test.split()[0]], test)]
            open(path, "w").write(text)
            print(f"{name:32} {', '.join(caught) or 'NOTHING'}", flush=True)
            if not caught:
                escaped.append(name)
    if escaped:
        sys.exit("not caught: " + ", ".join(escaped))


if __name__ == "__main__":
    main()

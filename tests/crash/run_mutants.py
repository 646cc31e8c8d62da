#!/usr/bin/env python3
"""Does the kill and stop harness notice when a protection is taken out?

  tests/crash/run_mutants.py [NAME...]     all, or these; some ten seconds each after the first

Copies the tree to a temporary directory, builds the harness there once, and then, for each of
tests/crash/mutants/*.mutant: takes one protection out of the engine, builds, and runs the operations
that the file names. A mutant that no operation catches is a failure of the harness. The tree itself
is not touched. A mutant file:

  # why the protection is there
  file: src/...
  operations: text in operations' names; or =name: that one, at every point with every script
  --- text to be found, once
  +++ text to stand there instead
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))


def parse(path):
    head, rest = open(path).read().split("\n---\n", 1)
    old, new = rest.split("\n+++\n", 1)
    fields = dict(re.findall(r"^(\w+): (.*)$", head, re.M))
    return fields["file"], [o.strip() for o in fields["operations"].split(";")], old, new.rstrip("\n")


def build(tree):
    subprocess.run(["ninja", "-C", os.path.join(tree, "build-mutants"), "tests/kill_stop_test"],
                   check=True, stdout=subprocess.DEVNULL)


def main():
    wanted = sys.argv[1:]
    names = sorted(n[:-7] for n in os.listdir(os.path.join(HERE, "mutants")) if n.endswith(".mutant"))
    escaped = []
    with tempfile.TemporaryDirectory(prefix="commy_mutants_") as temp:
        tree = os.path.join(temp, "tree")
        shutil.copytree(TREE, tree, ignore=shutil.ignore_patterns("build*", ".git"))
        env = dict(os.environ, CC="clang", CXX="clang++")
        subprocess.run(["meson", "setup", os.path.join(tree, "build-mutants"), tree, "-Dhooks=enabled",
                        "-Dwerror=false", "-Dtools=disabled", "-Dbench=disabled"],
                       check=True, env=env, stdout=subprocess.DEVNULL)
        build(tree)
        print(f"{'protection taken out':32} caught by", flush=True)
        for name in [n for n in names if not wanted or n in wanted]:
            file, operations, old, new = parse(os.path.join(HERE, "mutants", name + ".mutant"))
            path = os.path.join(tree, file)
            text = open(path).read()
            if text.count(old) != 1:
                print(f"{name:32} the text to take out stands {text.count(old)} times in {file}")
                escaped.append(name)
                continue
            open(path, "w").write(text.replace(old, new))
            build(tree)
            caught = []
            for operation in operations:
                run = subprocess.run([os.path.join(tree, "build-mutants/tests/kill_stop_test")],
                                     env=dict(os.environ, COMMY_CRASH_OPERATIONS=operation,
                                              **({"COMMY_CRASH_FULL": "1"} if operation[0] == "=" else {})),
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                if run.returncode != 0:
                    rows = re.findall(r"^(\S.{27}) (?: *\d+){8} +([1-9]\d*) +[\d.]+$", run.stdout, re.M)
                    caught += [f"{row.strip()} ({count})" for row, count in rows]
                    if not rows:
                        caught.append(f"{operation} (ended with {run.returncode})")
            open(path, "w").write(text)
            print(f"{name:32} {', '.join(caught) or 'NOTHING'}", flush=True)
            if not caught:
                escaped.append(name)
    if escaped:
        sys.exit("not caught: " + ", ".join(escaped))


if __name__ == "__main__":
    main()

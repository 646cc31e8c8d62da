#!/usr/bin/env python3
"""Runs clang-tidy on files that the build compiles: tidy.py BUILD_DIR FILE...

One file takes some ten seconds, so what was found clean is remembered, under the hash of all that
clang-tidy would see: its version, .clang-tidy, the compiler's arguments, and the file preprocessed
with its comments. The memory is in $XDG_CACHE_HOME/commy-tidy, so that other clones use it too.

Prints what clang-tidy says of each file that is not clean, and exits with 1 if there was one.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

# Arguments of g++ that say where the results go, that clang++ does not know, or that name a
# precompiled header: without it clang-tidy also notices that a file lacks an include.
DROPPED_WITH_VALUE = ("-o", "-MF", "-MQ", "-MT", "-include")
DROPPED = ("-c", "-MD", "-MMD", "-fpch-preprocess")
UNKNOWN_WARNINGS = "-Wno-unknown-warning-option"


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(base) / "commy-tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compile_arguments(build):
    """Returns, for each file of the build, the arguments it is compiled with."""
    arguments = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        path = (build / entry["file"]).resolve()
        while not words[0].startswith("-"):  # ccache, c++
            words.pop(0)
        kept, skip = [], False
        for word in words:
            if not skip and word not in (*DROPPED, *DROPPED_WITH_VALUE, entry["file"]):
                if not word.startswith("--param="):
                    kept.append(word)
            skip = word in DROPPED_WITH_VALUE
        arguments.setdefault(path, (entry["file"], kept))
    return arguments


def run(command, folder=None):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def key_of(build, name, arguments, settings):
    """Returns the hash of all that clang-tidy would see, or None if the file does not compile."""
    result = run(["clang++", "-E", "-C", *arguments, UNKNOWN_WARNINGS, name], build)
    if result.returncode != 0:
        return None
    return hashlib.sha256("\0".join([settings, *arguments, result.stdout]).encode()).hexdigest()


def tidy(build, name, arguments, settings):
    """Returns what clang-tidy has to say about a file: nothing if it is clean."""
    key = key_of(build, name, arguments, settings)
    clean = cache_dir() / key if key else None
    if clean and clean.exists():
        return ""
    command = ["clang-tidy", "--quiet", name, "--", *arguments, UNKNOWN_WARNINGS]
    result = run(command, build)
    if result.returncode != 0:
        return result.stdout or result.stderr
    if clean:
        clean.touch()
    return ""


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    settings = run(["clang-tidy", "--version"]).stdout + pathlib.Path(".clang-tidy").read_text()
    compiled = compile_arguments(build)
    files = [path for path in map(pathlib.Path.resolve, map(pathlib.Path, sys.argv[2:]))
             if path in compiled]
    faulty = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for said in pool.map(lambda path: tidy(build, *compiled[path], settings), files):
            if said:
                faulty += 1
                print(said, flush=True)
    print(f"{len(files)} files, {faulty} with faults")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs clang-tidy on files that the build compiles: tidy.py BUILD_DIR FILE...

Most of its time goes to the headers, so the files of a folder are looked at together, as one file
that includes them all. Where that does not compile, because two of them use one name, it is halved.
Of files that are not clean together each is looked at alone, and only that counts. The checks that
look only at the main file are made of each alone in any case, which also shows whether it includes
all that it needs.

What was found clean is remembered, under the hash of all that clang-tidy would see: its version,
.clang-tidy, this script, the compiler's arguments, and the file preprocessed with its comments and
macros. The memory is in $XDG_CACHE_HOME/commy-tidy, so that other clones use it too.

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
import tempfile

# Arguments of g++ that say where the results go, that clang++ does not know, or that name a
# precompiled header: without it clang-tidy also notices that a file lacks an include.
DROPPED_WITH_VALUE = ("-o", "-MF", "-MQ", "-MT", "-include")
DROPPED = ("-c", "-MD", "-MMD", "-fpch-preprocess")
UNKNOWN_WARNINGS = "-Wno-unknown-warning-option"
SETTINGS = pathlib.Path(".clang-tidy").resolve()
TOGETHER = 16  # Files at most.
MAIN_FILE_ONLY = "clang-analyzer-*,misc-unused-using-decls,misc-unused-alias-decls"
OFF_IN_ANALYZER = "-clang-analyzer-optin.performance.Padding"  # As .clang-tidy has it.
WITHOUT_ANALYZER = "-clang-analyzer-*"  # In addition to what .clang-tidy says.
# In a file that includes them, sources are headers.
SOURCES_TOO = r"--header-filter=(src|include|tools|tests|bench|examples)/.*\.(h|cc)$"


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
    result = run(["clang++", "-E", "-dD", "-C", *arguments, UNKNOWN_WARNINGS, name], build)
    if result.returncode != 0:
        return None
    return hashlib.sha256("\0".join([settings, *arguments, result.stdout]).encode()).hexdigest()


def compiles(build, name, arguments):
    return run(["clang++", "-fsyntax-only", "-w", *arguments, UNKNOWN_WARNINGS, name],
               build).returncode == 0


def said_by(command, build):
    """Returns what clang-tidy says; nothing only if it ends well."""
    result = run(command, build)
    return "" if result.returncode == 0 else (
        result.stdout or result.stderr or f"{command[2]}: clang-tidy ended with {result.returncode}")


def tidy(build, name, arguments):
    """Returns what clang-tidy has to say about a file: nothing if it is clean."""
    return said_by(["clang-tidy", "--quiet", name, "--", *arguments, UNKNOWN_WARNINGS], build)


def tidy_alone(build, name, arguments):
    """The same, of the checks that are not made of files together."""
    return said_by(["clang-tidy", "--quiet", name,
                    f"--checks=-*,{MAIN_FILE_ONLY},{OFF_IN_ANALYZER}", "--", *arguments,
                    UNKNOWN_WARNINGS], build)


def are_clean(build, names, arguments):
    """Returns whether the files are clean when they are looked at together; None: they clash."""
    with tempfile.NamedTemporaryFile("w", suffix=".cc") as together:
        for name in names:
            together.write(f'#include "{(build / name).resolve()}"  // NOLINT\n')
        together.flush()
        if not compiles(build, together.name, arguments):
            return None
        return not said_by(["clang-tidy", "--quiet", together.name, SOURCES_TOO,
                            f"--config-file={SETTINGS}", f"--checks={WITHOUT_ANALYZER}", "--",
                            *arguments, UNKNOWN_WARNINGS], build)


def tidy_group(build, names, arguments):
    """Returns what clang-tidy says of each of the files."""
    if len(names) > 1:
        clean = are_clean(build, names, arguments)
        if clean is None:
            half = len(names) // 2
            return {**tidy_group(build, names[:half], arguments),
                    **tidy_group(build, names[half:], arguments)}
        if clean:
            return {name: tidy_alone(build, name, arguments) for name in names}
    return {name: tidy(build, name, arguments) for name in names}


def groups_of(unknown):
    """Splits files with their arguments into groups that lie in one folder."""
    groups = {}
    for path, name, arguments in unknown:
        groups.setdefault((path.parent, *arguments), []).append((name, arguments))
    return [(([name for name, _ in files[i:i + TOGETHER]]), files[0][1])
            for files in groups.values() for i in range(0, len(files), TOGETHER)]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    settings = (run(["clang-tidy", "--version"]).stdout + SETTINGS.read_text()
                + pathlib.Path(__file__).read_text())
    compiled = compile_arguments(build)
    files = [path for path in map(pathlib.Path.resolve, map(pathlib.Path, sys.argv[2:]))
             if path in compiled]
    faulty = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = dict(zip(files, pool.map(lambda path: key_of(build, *compiled[path], settings),
                                        files)))
        unknown = [(path, *compiled[path]) for path in files
                   if keys[path] is None or not (cache_dir() / keys[path]).exists()]
        of_name = {compiled[path][0]: path for path in files}
        # The largest groups first, so that both processors are busy to the end.
        groups = sorted(groups_of(unknown), key=lambda group: -len(group[0]))
        for said in pool.map(lambda group: tidy_group(build, *group), groups):
            for name, text in said.items():
                key = keys[of_name[name]]
                if text:
                    faulty += 1
                    print(text, flush=True)
                elif key is not None:
                    (cache_dir() / key).touch()
    print(f"{len(files)} files, {faulty} with faults")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())

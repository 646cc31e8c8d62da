#!/usr/bin/env python3
"""Checks that every include points down.

The order of the floors is the line `floors = [...]` of meson.build. The rules:

  src/<floor>/     includes its own floor and those before it; only the floor `api` and those
                   above it include <commy/...> (from `engine` on, a floor may use its plain
                   data), and only
                   `platform` includes headers of system calls
  include/commy/   includes <commy/...> and libraries, nothing of src/: it is installed alone
  tests/support/   is for tests, and nothing in src/, include/ or tools/ includes it

Prints one line for each include that breaks a rule, and exits with 1 if there was one.
"""

import argparse
import ast
import pathlib
import re
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
FLOORS = re.compile(r"^floors\s*=\s*(\[[^\]]*\])", re.MULTILINE)
SYSTEM_CALLS = re.compile(
    r"^(unistd|fcntl|signal|poll|sched|spawn|syscall|dirent)\.h$|^(sys|linux|asm)/")
PUBLIC = ("commy/export.h",)  # Without content: any floor may include it.
PLAIN = ("commy/info.h", "commy/options.h")  # Plain data, which `engine` and the floors above use.


def read_floors(root):
    found = FLOORS.search((root / "meson.build").read_text())
    if not found:
        sys.exit("check_layers: meson.build has no line `floors = [...]`")
    return ast.literal_eval(found.group(1))


def fault_in_floor(floor, header, floors):
    """Says what is wrong with `header` in a file of `floor`, or returns None."""
    top = header.split("/")[0]
    if top in floors and floors.index(top) > floors.index(floor):
        return f"{top} stands above {floor}"
    if (top == "commy" and floors.index(floor) < floors.index("api") and header not in PUBLIC):
        if header not in PLAIN or "engine" not in floors or (
                floors.index(floor) < floors.index("engine")):
            return "only api, and what stands above it, includes the public headers"
    if top == "support":
        return "test support in the engine"
    if floor != "platform" and SYSTEM_CALLS.search(header):
        return "only platform makes system calls"
    return None


def fault_elsewhere(top, header, floors):
    first = header.split("/")[0]
    if first == "support":
        return f"test support in {top}/"
    if top == "include" and first in floors:
        return "a public header includes an internal one"
    return None


def source_files(root):
    for top in ("src", "include", "tools"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield top, path


def check(root):
    """Returns the faults, as lines, and the files that were read."""
    floors = read_floors(root)
    faults, read = [], []
    for top, path in source_files(root):
        read.append(path)
        text = path.read_text()
        parts = path.relative_to(root).parts
        if top == "src" and (len(parts) < 3 or parts[1] not in floors):
            faults.append(f"{path.relative_to(root)}: is on no floor of meson.build")
            continue
        for found in INCLUDE.finditer(text):
            header = found.group(2)
            fault = (fault_in_floor(parts[1], header, floors) if top == "src"
                     else fault_elsewhere(top, header, floors))
            if fault:
                line = text.count("\n", 0, found.start(2)) + 1
                faults.append(f"{path.relative_to(root)}:{line}: includes {header}: {fault}")
    return faults, read


def self_test():
    """Builds small trees with one include each and expects each rule to catch its own."""
    cases = [
        ("src/low/a.cc", '#include "low/a.h"', None),
        ("src/high/a.cc", '#include "low/a.h"', None),
        ("src/low/a.cc", '#include "high/a.h"', "src/low/a.cc:2: includes high/a.h: high stands"),
        ("src/low/a.h", '#  include "platform/a.h"', "platform stands above low"),
        ("src/low/a.h", "#include <commy/store.h>", "only api, and what stands above it, includes"),
        ("src/low/a.h", "#include <commy/export.h>", None),
        ("src/api/a.h", "#include <commy/store.h>", None),
        ("src/high/a.h", "#include <commy/store.h>", None),
        ("src/high/a.h", "#include <sys/mman.h>", "only platform makes system calls"),
        ("src/platform/a.h", "#include <sys/mman.h>", None),
        ("src/high/a.h", '#include "support/seed.h"', "test support in the engine"),
        ("src/other/a.h", "#include <string>", "is on no floor"),
        ("include/commy/a.h", '#include "low/a.h"', "a public header includes an internal one"),
        ("include/commy/a.h", "#include <commy/b.h>", None),
        ("tools/a.cc", '#include "high/a.h"', None),
        ("tools/a.cc", '#include "support/seed.h"', "test support in tools/"),
    ]
    wrong = 0
    for name, line, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "meson.build").write_text("floors = ['low', 'platform', 'api', 'high']\n")
            (root / name).parent.mkdir(parents=True)
            (root / name).write_text(f"// A file.\n{line}\n")
            faults, _ = check(root)
        right = not faults if expected is None else len(faults) == 1 and expected in faults[0]
        if not right:
            print(f"{name} with {line}: expected {expected}, got {faults}")
            wrong += 1
    print(f"{len(cases) - wrong} of {len(cases)} cases right")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("root", nargs="?", default=".", help="the repository's top folder")
    parser.add_argument("--stamp", help="a file to write when all is right")
    parser.add_argument("--depfile", help="a file to write with what was read, for ninja")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    root = pathlib.Path(options.root)
    faults, read = check(root)
    for fault in faults:
        print(fault, file=sys.stderr)
    if options.depfile:
        inputs = [root / "meson.build", *read, *sorted({path.parent for path in read})]
        names = " ".join(str(path).replace(" ", "\\ ") for path in inputs)
        pathlib.Path(options.depfile).write_text(f"{options.stamp}: {names}\n")
    if faults:
        return 1
    if options.stamp:
        pathlib.Path(options.stamp).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())

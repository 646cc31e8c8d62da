#!/usr/bin/env python3
"""Checks the names of steps and invariants: a step of a protocol is `protocol-n`, and is defined once.

check_labels.py [ROOT]
check_labels.py --self-test    sees that faults are found, and that good text has none

A step is defined where a line of a comment in src/, or a row of a table in docs/, begins with its
name: `//   STEPS  split-1  the poster ...`, `| split-1 | ...`. A second definition is a fault, and so
is a citation of a step that is not defined, in a comment or a text of src/, docs/, tests/model or
tests/crash.

Invariants are a letter and a number. Those that comments of src/ cite are defined in bold in
docs/concurrency.md; a model may have its own, behind HOLDS. Any other letter with a number is taken
for the name of a step in the former style.

Prints FILE:LINE: fault, and exits with 1 if there was one."""

import pathlib
import re
import sys
import tempfile

SUFFIXES = (".h", ".cc", ".md", ".mutant")
FOLDERS = ("src", "docs", "tests/model", "tests/crash")
INVARIANTS = "docs/concurrency.md"

STEP = r"[a-z]+-\d+"
CITED = re.compile(rf"(?<![\w.,\"'\[-]){STEP}(?![\w-])")
NOT_STEPS = frozenset(("utf-8", "n-1"))
# The space behind a name that is defined is wider than that behind one that is cited.
DEFINED_IN_COMMENT = re.compile(rf"^\s*//\s+(?:[A-Z]+(?: [A-Z]+)?\s+)?({STEP})\s{{2,}}\S")
DEFINED_IN_TABLE = re.compile(rf"^\|\s*`?({STEP})`?\s*\|")
LETTER = re.compile(r"(?<![\w.\\'-])[A-Z]1?\d(?![\w'-])")
LETTER_ROW = re.compile(r"^\|\s*([A-Z]1?\d)\s*\|")
LETTER_STEP = re.compile(r"^\s*//\s+(?:[A-Z]+(?: [A-Z]+)?\s+)?([A-Z]1?\d)\s{2,}\S")
BOLD = re.compile(r"\*\*([A-Z]1?\d)\*\*")

# The parts of a source that are text. The first alternative keeps a quotation mark in a character.
CPP_TEXT = re.compile(r"'(?:\\.|[^'\\\n])'|(//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\")", re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def prose_of(name, text):
    """`text` with its comments and literals only; of a document, without its blocks of code."""
    if name.endswith(".md"):
        return FENCE.sub(lambda match: blank(match[0]), text)
    kept, end = [], 0
    for match in CPP_TEXT.finditer(text):
        kept += [blank(text[end:match.start()]), match[0] if match[1] else blank(match[0])]
        end = match.end()
    return "".join(kept) + blank(text[end:])


def files_of(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES:
                name = path.relative_to(root).as_posix()
                yield name, prose_of(name, path.read_text(errors="replace")).split("\n")


def own_invariants(name, lines):
    """Those that a model defines: behind HOLDS, in its first comment."""
    if not name.startswith("tests/model/"):
        return frozenset()
    text = "\n".join(lines)
    holds = re.search(r"^// HOLDS.*?(?=^// [A-Z]|^(?!//))", text, re.MULTILINE | re.DOTALL)
    return frozenset(LETTER.findall(holds[0])) if holds else frozenset()


def definition_in(name, line):
    if name.startswith("src/"):
        return DEFINED_IN_COMMENT.match(line)
    return DEFINED_IN_TABLE.match(line) if name.startswith("docs/") else None


def check(root):
    """Returns the faults, as lines, and the number of steps."""
    files = list(files_of(root))
    invariants = {found for name, lines in files if name == INVARIANTS
                  for found in BOLD.findall("\n".join(lines))}
    defined, faults = {}, []
    for name, lines in files:
        for number, line in enumerate(lines, 1):
            found = definition_in(name, line)
            if found and found[1] not in NOT_STEPS:
                if found[1] in defined:
                    faults.append(f"{name}:{number}: {found[1]} is defined a second time, first at "
                                  f"{defined[found[1]]}")
                else:
                    defined[found[1]] = f"{name}:{number}"
    for name, lines in files:
        known = invariants | own_invariants(name, lines)
        for number, line in enumerate(lines, 1):
            for step in CITED.findall(line):
                if step not in defined and step not in NOT_STEPS:
                    faults.append(f"{name}:{number}: {step} is defined nowhere")
            in_former_style = {found[1] for found in (LETTER_ROW.match(line),
                                                      LETTER_STEP.match(line)) if found}
            in_former_style -= own_invariants(name, lines)
            for letter in LETTER.findall(line):
                if letter not in known or letter in in_former_style:
                    faults.append(f"{name}:{number}: {letter} is no invariant; a step is protocol-n")
    return faults, len(defined)


def self_test():
    """Each case adds a line to a small tree that is right, and expects one fault or none."""
    base = {
        "src/a.h": "// A protocol.\n//\n// STEPS  split-1  post\n//        split-2  copy; K1\n",
        "src/a.cc": "f();  // split-1. As split-2 says.\n",
        "docs/concurrency.md": "| **K1** | It is whole. |\n\n| step | |\n|---|---|\n| swap-1 | a |\n",
        "tests/model/a.cc": "// STEPS  split-1 in one step\n// HOLDS  I1 all is well\n"
                            "//        I2 so is this\nmove = \"I1: split-2\";\n",
        "tests/crash/a.cc": "// swap-1 by another one\n",
    }
    cases = [
        ("src/a.h", "// split-2  again", "src/a.h:5: split-2 is defined a second time"),
        ("src/b.cc", "//        split-2  again", "split-2 is defined a second time"),
        ("docs/b.md", "| split-2 | again |", "split-2 is defined a second time"),
        ("src/a.h", "// swap-1  again", "docs/concurrency.md:5: swap-1 is defined a second time"),
        ("src/b.h", "// split-3, which is not", "src/b.h:1: split-3 is defined nowhere"),
        ("tests/model/b.cc", "move = \"takes it (split-9)\";", "split-9 is defined nowhere"),
        ("tests/crash/mutants/b.mutant", "  f();  // split-9", "split-9 is defined nowhere"),
        ("docs/b.md", "As in split-9.", "split-9 is defined nowhere"),
        ("src/b.h", "// STEPS  T1  take it", "src/b.h:1: T1 is no invariant"),
        ("src/b.h", "// STEPS  K1  take it", "src/b.h:1: K1 is no invariant"),
        ("src/b.cc", "f();  // T1", "T1 is no invariant"),
        ("docs/b.md", "| K1 | take it |", "K1 is no invariant"),
        ("docs/b.md", "S1 to S6", "S1 is no invariant"),
        ("tests/model/b.cc", "move = \"takes it (P1)\";", "P1 is no invariant"),
        ("tests/model/b.cc", "// I1 is of another model", "I1 is no invariant"),
        ("src/b.cc", "f(T1, split - 9);  // K1", None),
        ("src/b.cc", "f('\"');  // K1, and utf-8", None),
        ("docs/b.md", "```\nsplit-9 T1\n```", None),
        ("docs/b.md", "Built with -O2.", None),
        ("tests/other/b.cc", "// T1 of host-1", None),
    ]
    wrong = 0
    for name, line, expected in [("src/b.h", "", None), *cases]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            texts = dict(base)
            texts[name] = texts.get(name, "") + line + "\n"
            for each, text in texts.items():
                (root / each).parent.mkdir(parents=True, exist_ok=True)
                (root / each).write_text(text)
            faults, _ = check(root)
        right = not faults if expected is None else faults and expected in faults[0]
        if not right:
            print(f"{name} with {line}: expected {expected}, got {faults}")
            wrong += 1
    print(f"{len(cases) + 1 - wrong} of {len(cases) + 1} cases right")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    faults, count = check(pathlib.Path(sys.argv[1] if sys.argv[1:] else ".").resolve())
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{count} steps, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

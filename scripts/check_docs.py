#!/usr/bin/env python3
"""Checks that the documents lead somewhere: links to files and to headings within them, the paths that
stand in backticks, and the messages of operations.md, which must be in the source. --self-test sees that
faults are found."""

import os
import pathlib
import re
import sys
import tempfile

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)
CODE_PATH = re.compile(r"`((?:src|include|tests|tools|docs|examples|bench|packaging)/[\w./-]*)`")
MESSAGES = re.compile(r"^## What to do when\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\|((?:[^|]*`[^|]*)+?)\|", re.MULTILINE)
BETWEEN_LITERALS = re.compile(r'",?\s*\n?\s*"')


def anchors(text):
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in HEADING.findall(FENCE.sub("", text))}


def link_faults(path, text):
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        if not file.exists():
            yield f"link to {target}: there is no such file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"link to {target}: there is no such heading"


def path_faults(root, text):
    for name in CODE_PATH.findall(text):
        if not (root / name).exists():
            yield f"`{name}`: there is no such file"


def message_faults(text, source):
    """Numbers in a message stand for any; the pieces between them are literals of the source."""
    table = MESSAGES.search(text)
    known = {os.strerror(error) for error in range(1, 134)}
    for cell in ROW.findall(table[1]) if table else []:
        for message in re.findall(r"`([^`]+)`", cell):
            pieces = [piece.strip() for piece in re.split(r"\d+", message) if piece.strip()]
            if message not in known and not all(piece in source for piece in pieces):
                yield f"`{message}`: no such message in the source"


def faults_of(path, root, source):
    text = FENCE.sub("", path.read_text())
    for fault in (*link_faults(path, text), *path_faults(root, text), *message_faults(text, source)):
        yield f"{path.relative_to(root)}: {fault}"


def all_faults(root):
    documents = [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]
    source = "\n".join(BETWEEN_LITERALS.sub("", file.read_text())
                       for file in sorted((root / "src").rglob("*.cc")))
    return len(documents), [fault for path in documents for fault in faults_of(path, root, source)]


def self_test():
    good = ("# A b\n[x](#a-b) [y](docs/z.md#the-end) `src/a.cc` ![p](docs/z.md)\n"
            "## What to do when\n\n| `all 7 are taken`, `Permission denied` | |\n")
    wrong = {"#a-b": "#a-c", "z.md#": "y.md#", "the-end": "end", "`src/a": "`src/b", "![p](docs": "![p](doc",
             "all 7 are": "all 7 were", "Permission": "Permissions"}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "docs").mkdir()
        (root / "src").mkdir()
        (root / "docs" / "z.md").write_text("## The end\n")
        (root / "src" / "a.cc").write_text('f("all ", n, " are "\n  "taken");\n')
        (root / "README.md").write_text(good)
        missed = [] if all_faults(root) == (2, []) else [str(all_faults(root))]
        for before, after in wrong.items():
            (root / "README.md").write_text(good.replace(before, after))
            if len(all_faults(root)[1]) != 1:
                missed.append(f"{before} to {after}: {all_faults(root)[1]}")
    print("\n".join(missed) or f"self-test: {len(wrong)} faults found")
    return 1 if missed else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    count, faults = all_faults(pathlib.Path(sys.argv[1]).resolve())
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{count} documents, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

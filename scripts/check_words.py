#!/usr/bin/env python3
"""Checks the English of comments, texts and documents: no process is "he", no sentence has a bare
"who" as its subject, and no line is longer than 100 columns.

check_words.py [PATH...]      the files and folders to read; all of the repository's unless given
check_words.py --self-test    sees that faults are found, and that good text has none

Prints FILE:LINE: what is wrong, and the line. The last line counts the faults of each folder."""

import collections
import pathlib
import re
import sys
import tempfile

FOLDERS = ("src", "include", "tools", "tests", "bench", "docs", "examples", "README.md",
           "CHANGELOG.md")
# Records, and the words themselves.
SKIPPED = ("docs/decisions/", "scripts/check_words.py")
SUFFIXES = {".h", ".cc", ".c", ".py", ".sh", ".md", ".build", ".mutant"}
COLUMNS = 100

WORDS = re.compile(r"\b(?:he|him|his|himself|who(?:m)?ever)\b|\bmore\s+than\s+nothing\b|"
                   r"\bso\s+many\s+as\b", re.IGNORECASE)
WHO = re.compile(r"\bwho\b", re.IGNORECASE)
# After these words "who" has no noun. Anything else before it is a noun ("a process who"), or a
# verb or preposition of an indirect question ("shows who", "about who").
BARE = frozenset(
    "a after also and as at because before below both but by can cost else even for from how if in "
    "into is it kills like lost may nor not of on once only or over so than that the then through "
    "to under unless until wakes was when where while whom with without yet".split())
# Indirect questions that follow one of these words.
ALLOWED = re.compile(r"who (?:does what|is attached|uses (?:it|the store)|holds (?:it|what))\b",
                     re.IGNORECASE)

# The parts of a source that are text. The first alternative keeps a quotation mark in a character.
CPP_TEXT = re.compile(r"'(?:\\.|[^'\\\n])'|(//[^\n]*|/\*.*?\*/|R\"(\w*)\(.*?\)\2\"|"
                      r"\"(?:\\.|[^\"\\\n])*\")", re.DOTALL)
PYTHON_TEXT = re.compile(r"(#[^\n]*|\"\"\".*?\"\"\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')",
                         re.DOTALL)
COMMENT_START = re.compile(r"^[ \t]*(?://+|#+|\*+)", re.MULTILINE)
GENERATED = re.compile(r"<!-- \w+: begin -->.*?<!-- \w+: end -->", re.DOTALL)
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def prose_of(name, text):
    """The lines of `text` with its comments and literals only, and "|" for code between them."""
    pattern = {".h": CPP_TEXT, ".cc": CPP_TEXT, ".c": CPP_TEXT, ".py": PYTHON_TEXT}.get(
        pathlib.PurePath(name).suffix)
    if pattern is None:
        return text
    kept, end = [], 0
    for match in pattern.finditer(text):
        between = text[end:match.start()]
        kept.append(blank(between) if between.strip() == "" else "|" + blank(between))
        kept.append(match[0] if match[1] else blank(match[0]))
        end = match.end()
    return "".join(kept) + blank(text[end:])


def is_bare(prose, match):
    """Whether this "who" is a subject without a noun, and not the beginning of a question."""
    if ALLOWED.match(prose, match.start()) or re.match(r"[^.?!;|]*\?", prose[match.end():]):
        return False
    before = re.sub(r"[`*_(\[\"']+$", "", prose[:match.start()].rstrip()).rstrip()
    word = re.search(r"([\w'-]+)$", before)
    if word is None:
        return not before.endswith((",", ")", "`", "*", "_"))
    is_label = len(word[1]) > 1 and word[1].isupper()  # DEATH  who recovers it ...
    return match[0] == "Who" or is_label or word[1].lower() in BARE


def faults_of(name, text):
    """Yields (line, what) for each fault."""
    text = GENERATED.sub(lambda match: blank(match[0]), text)
    prose = COMMENT_START.sub(lambda match: " " * len(match[0]), prose_of(name, text))
    for match in WORDS.finditer(prose):
        yield prose.count("\n", 0, match.start()) + 1, f'"{" ".join(match[0].split())}"'
    for match in WHO.finditer(prose):
        if is_bare(prose, match):
            yield prose.count("\n", 0, match.start()) + 1, "bare \"who\""
    if name.endswith(".mutant"):
        return
    if name.endswith(".md"):
        text = CODE_BLOCK.sub(lambda match: blank(match[0]), text)
    for number, line in enumerate(text.split("\n"), 1):
        is_table = name.endswith(".md") and line.startswith("|")
        if len(line.rstrip()) > COLUMNS and not is_table:
            yield number, f"{len(line)} columns"


def files_of(root, paths):
    for path in paths:
        at = pathlib.Path(path)
        at = at if at.is_absolute() else root / at
        for file in sorted(at.rglob("*")) if at.is_dir() else [at]:
            name = file.resolve().relative_to(root).as_posix()
            if file.is_file() and file.suffix in SUFFIXES and not name.startswith(SKIPPED):
                yield name, file


def check(root, paths):
    counts = collections.Counter()
    for name, file in files_of(root, paths):
        text = file.read_text(errors="replace")
        lines = text.split("\n")
        for number, what in sorted(faults_of(name, text)):
            print(f"{name}:{number}: {what}: {lines[number - 1].strip()}")
            counts[name.split("/")[0]] += 1
    parts = ", ".join(f"{folder} {count}" for folder, count in sorted(counts.items()))
    print(f"{sum(counts.values())} faults" + (f": {parts}" if parts else ""))
    return 1 if counts else 0


def self_test():
    long = "x" * (COLUMNS + 1)
    wrong = {
        "a.cc": ["// Who loses looks again.", "// It waits for\n// who is slow.",
                 "f(\"he is late\");",
                 "// Then: who dies, and so on.", "// The place of him.", "// Whoever comes by.",
                 "x(); // And so on; who waits.", "// DEATH     who recovers it",
                 "// CLEAR     Who waits",
                 "// It must be more than\n// nothing.",
                 "// A lock, and\n  // who has it.", "/* by who\n is here */", "// " + long, long],
        "a.h": ["// So many as there are."],
        "a.py": ["# To who reads it.", "\"\"\"Who reads\nit.\"\"\""],
        "a.md": ["What is. Who can write it, can destroy it.", "**Who may write**", long,
                 "- of who is there\n"],
        "a.mutant": ["# by himself"],
        "meson.build": ["# but who is there"],
    }
    good = {
        "a.cc": ["// Who holds the oldest one? Look.", "// Tells who has it.",
                 "int who = f(him, his);",
                 "// For the processes who wait.", "// The list of who is attached.",
                 "'\"'; he(); '\"';",
                 "// A reader,\n// who waits.", "// The answer of the\n// one who asked.",
                 "bool a; // A thread\nint who; // and so on"],
        "a.md": ["| " + long + " |", "```\n" + long + "\n```", "People who use it.",
                 "<!-- made: begin -->\n" + long + "\n<!-- made: end -->"],
        "a.mutant": [long],
        "a.py": ["he = who"],
        "README.md": ["top  # live: who does what"],
    }
    missed = []
    for is_wrong, texts in ((True, wrong), (False, good)):
        for name, each in texts.items():
            missed += [f"{name}: {text}: {list(faults_of(name, text))}" for text in each
                       if (len(list(faults_of(name, text))) == 1) != is_wrong]
    numbers = [line for line, _ in faults_of("a.cc", "int a;\n\n// b\nint c;\n// Who\nf();")]
    if numbers != [5]:
        missed.append(f"lines: {numbers}")
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        (root / "docs" / "decisions").mkdir(parents=True)
        (root / "docs" / "decisions" / "0001.md").write_text("Who decides.\n")
        (root / "docs" / "good.md").write_text("A reader waits.\n")
        names = [name for name, _ in files_of(root, ["docs"])]
        if names != ["docs/good.md"]:
            missed.append(f"read: {names}")
    count = sum(len(texts) for texts in wrong.values())
    print("\n".join(missed) or f"self-test: {count} faults found")
    return 1 if missed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(__file__).resolve().parents[1]
    paths = [pathlib.Path(path).resolve() for path in sys.argv[1:]]
    return check(root, paths or [path for path in FOLDERS if (root / path).exists()])


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The shared library shows the public API and nothing of the inside, nor of other libraries."""

import re
import sys

import installed
from installed import SOURCE, call, expect, need

MARKED = re.compile(r"^(?:class|struct|enum class)\s+COMMY_EXPORT\s+(\w+)|"
                    r"^COMMY_EXPORT\s+[^;(]*?(\w+)\(", re.MULTILINE)


def marked_names():
    """The classes and functions that the public headers mark with COMMY_EXPORT."""
    headers = (SOURCE / "include" / "commy").rglob("*.h")
    return {kind or function for header in headers
            for kind, function in MARKED.findall(header.read_text())}


def exported(tree):
    """The demangled names of the symbols that the shared library defines."""
    lines = call(need("nm"), "-D", "--defined-only", "-C",
                 tree.only("**/libcommy.so.*.*.*")).splitlines()
    return [line.split(" ", 2)[2] for line in lines]


def owner(symbol):
    """Store of `commy::Store::Sync() const` or `vtable for commy::Store`; else the whole symbol."""
    found = re.match(r"(?:(?:vtable|typeinfo|typeinfo name|VTT) for )?"
                     r"commy::(?:internal::)?(\w+)", symbol)
    return found.group(1) if found else symbol


def test_only_marked_names_are_exported():
    with installed.temporary() as folder:
        symbols = exported(installed.Tree(folder))
    names = marked_names()
    strangers = [symbol for symbol in symbols if owner(symbol) not in names]
    expect(not strangers, "exported, but not marked in include/commy/:\n" + "\n".join(strangers))


def test_all_marked_names_are_exported():
    with installed.temporary() as folder:
        owners = {owner(symbol) for symbol in exported(installed.Tree(folder))}
    missing = marked_names() - owners
    expect(not missing, f"marked in include/commy/, but not exported: {sorted(missing)}")
    expect({"Store", "Namespace", "Version"} <= owners, f"only {sorted(owners)} are exported")


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

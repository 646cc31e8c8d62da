#!/usr/bin/env python3
"""The installed bash completion, asked as bash would ask it, for lines that end at the cursor."""

import contextlib
import pathlib
import re
import sys

import installed
from installed import COMMY, call, expect, expect_equal, need

# The work of bash when the tab key is pressed: it splits at blanks, and at ':' and '=' as well.
ASK = r"""
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=("${@:3}") COMP_CWORD=$(($# - 3))
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
[[ $(complete -p commy) == *"-F _commy"* ]] || { echo "commy has no completion"; exit 1; }
_commy
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""


class Shell:
    """A folder with a store, and bash with the completion in it."""

    def __init__(self, folder):
        self.script = installed.Tree(folder).only("**/bash-completion/completions/commy")
        self.folder = pathlib.Path(folder) / "work"
        self.folder.mkdir()
        for path in ("acme/config", "acme/counters", "a:b/c", "two words"):
            call(COMMY, "ns", "create", "fleet.commy", path, cwd=self.folder)
        (self.folder / "flat.tsv").touch()

    def complete(self, rest):
        """The words that bash offers for `commy <rest>`."""
        line = f"{COMMY} {rest}"
        words = [piece for word in re.split(r"(?<!\\) ", line)
                 for piece in (re.findall(r"[:=]|[^:=]+", word) or [""])]
        said = call(need("bash"), "--norc", "-c", ASK, "bash", self.script, line, *words,
                    cwd=self.folder)
        return said.splitlines()

    def expect(self, rest, *replies):
        expect_equal(sorted(self.complete(rest)), sorted(replies), f"completion of `commy {rest}`")


@contextlib.contextmanager
def shell():
    need("bash")
    with installed.temporary() as folder:
        yield Shell(folder)


def test_commands_are_completed():
    with shell() as bash:
        offered = bash.complete("")
        listing = call(COMMY, "--help").partition("\nSubcommands:\n")[2].partition("\n\n")[0]
        expect_equal(sorted(offered), sorted(re.findall(r"^  (\S+)", listing, re.MULTILINE)),
                     "commands")
        bash.expect("lay", "layout")
        bash.expect("ns ", "create", "drop", "list", "quota", "rename", "set")
        bash.expect("nothing-of-that-name ")


def test_options_and_their_values_are_completed():
    with shell() as bash:
        bash.expect("get fleet.commy acme/config k --", "--help", "--json", "--key",
                    "--raw-bytes")
        expect({"--prefix", "--format"} <= set(bash.complete("scan fleet.commy a --")), "scan --")
        bash.expect("scan fleet.commy a --format ", "jsonl", "raw", "tsv")
        bash.expect("scan fleet.commy a --format=j", "jsonl")
        bash.expect("scan fleet.commy a --limit ")
        bash.expect("put fleet.commy a -- --")
        bash.expect("top fleet.commy --", "--count", "--help", "--interval", "--json")
        bash.expect("bench fleet.commy --p", "--processes")
        bash.expect("stat fleet.commy --format ", "json", "openmetrics", "text")


def test_stores_and_files_are_completed():
    with shell() as bash:
        bash.expect("get fl", "flat.tsv", "fleet.commy")
        bash.expect("load fleet.commy acme/config flat", "flat.tsv")
        bash.expect("get fleet.commy acme/config ")


def test_namespaces_of_the_store_on_the_line_are_completed():
    with shell() as bash:
        bash.expect("get fleet.commy acme/c", "acme/config", "acme/counters")
        bash.expect("get fleet.commy ", "a:b/c", "acme/config", "acme/counters", r"two\ words")
        bash.expect("put --ttl 1h fleet.commy acme/co", "acme/config", "acme/counters")
        bash.expect("ns drop fleet.commy acme/conf", "acme/config")
        bash.expect("ns rename fleet.commy acme/config acme/cou", "acme/counters")
        bash.expect("ns list fleet.commy acme/cou", "acme/counters")


def test_namespaces_that_bash_splits_or_that_need_quotes_are_completed():
    with shell() as bash:
        bash.expect("get fleet.commy a:", "b/c")
        bash.expect("get fleet.commy a:b", "b/c")
        bash.expect(r"get fleet.commy two\ w", r"two\ words")


def test_completion_creates_no_store():
    with shell() as bash:
        bash.expect("get missing.commy ")
        expect(not (bash.folder / "missing.commy").exists(), "the completion made a store")


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

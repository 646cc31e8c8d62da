#!/usr/bin/env python3
"""The installed manual pages: they describe every command and option of `commy --help`, and groff
reports no warning."""

import re
import sys

import installed
from installed import SOURCE, VERSION, call, expect, need

LISTED = re.compile(r"^  (\S+)", re.MULTILINE)
LONG_OPTION = re.compile(r"^  (?:-\w,)?(--[\w-]+)", re.MULTILINE)


def help_of(program, *command):
    return call(program, *command, "--help")


def listed_commands(help_text):
    """The names below "Subcommands:"; lines that go on from the one before are indented further."""
    _, _, listing = help_text.partition("\nSubcommands:\n")
    return LISTED.findall(listing.partition("\n\n")[0])


def all_commands(program):
    for name in listed_commands(help_of(program)):
        yield (name,)
        for inner in listed_commands(help_of(program, name)):
            yield (name, inner)


def sections(page):
    """The subsections of a page by their headings."""
    parts = re.split(r'^\.SS "([^"]*)"\n', page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def shown(page):
    """A page as a terminal without colours shows it, wide enough for no line to be broken."""
    return call(need("groff"), "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=500n", page)


def test_every_command_and_option_of_the_help_is_in_the_manual():
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        program = installed.COMMY
        found = sections(tree.only("**/man1/commy.1").read_text())
        commands = list(all_commands(program))
        expect(("scan",) in commands and ("ns", "list") in commands, f"commands: {commands}")
        for command in commands:
            name = " ".join(("commy", *command))
            expect(name in found, f"no section on `{name}`")
            for option in LONG_OPTION.findall(help_of(program, *command)):
                expect(option == "--help" or option.replace("-", "\\-") in found[name],
                       f"nothing on {option} in the section on `{name}`")


def test_groff_reports_no_warning():
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        for page in ("man1/commy.1", "man3/commy.3"):
            warnings = call(need("groff"), "-man", "-ww", "-z", tree.only(f"**/{page}"))
            expect(warnings == "", f"{page}: {warnings}")


def test_pages_show_version_and_examples():
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        commands = shown(tree.only("**/man1/commy.1"))
        library = shown(tree.only("**/man3/commy.3"))
        for text in (commands, library):
            expect(f"Commy {VERSION}" in text, "the page does not name the version")
        expect("commy scan fleet.commy acme/config --format jsonl > config.jsonl" in commands,
               "the example of `scan` is not shown as one would type it")
        for line in (SOURCE / "examples" / "hello.cc").read_text().splitlines():
            expect(line in library, f"commy(3) does not show this line of the example: {line}")


def test_library_page_names_every_header():
    # commy.h includes all headers, and export.h is for their use.
    headers = {path.name for path in (SOURCE / "include" / "commy").glob("*.h")}
    with installed.temporary() as folder:
        library = shown(installed.Tree(folder).only("**/man3/commy.3"))
        for header in headers - {"export.h"}:
            expect(f"commy/{header}" in library, f"commy(3) does not name commy/{header}")


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

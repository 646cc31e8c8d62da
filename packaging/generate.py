#!/usr/bin/env python3
"""Makes the manual pages and the bash completion, by filling a template with the program's own
description:  generate.py manual|completion TEMPLATE OUTPUT VERSION PROGRAM [EXAMPLE]

The only description of a command is beside the command, in tools/commands/. `commy describe` (which
`commy --help` does not list) prints all of them as JSON, and this script turns that into roff, or
tables of bash. A template may contain @COMMANDS@, @VERSION@ and @EXAMPLE@.
"""

import json
import pathlib
import shlex
import subprocess
import sys


def describe(program):
    described = subprocess.run([program, "describe"], check=True, stdout=subprocess.PIPE)
    return json.loads(described.stdout)


def walk(command, path=()):
    """Every command below this one with its words: ("ns", "list")."""
    for inner in command["commands"]:
        yield (*path, inner["name"]), inner
        yield from walk(inner, (*path, inner["name"]))


# --- manual --------------------------------------------------------------------------------------


def roff(text):
    """Text that roff prints unchanged, also if a line begins with a dot."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def italic(text):
    return f"\\fI{roff(text)}\\fR"


def bold(text):
    return f"\\fB{roff(text)}\\fR"


def synopsis(path, command):
    words = [bold(" ".join(("commy", *path)))]
    if command["commands"]:
        words.append(italic("COMMAND"))
    for positional in command["positionals"]:
        name = italic(positional["name"])
        words.append(name if positional["required"] else f"[{name}]")
    if any("--help" not in option["names"] for option in command["options"]):
        words.append(f"[{italic('OPTIONS')}]")
    return " ".join(words)


def sentence(text):
    """A description as a sentence: with a full stop, on one line."""
    text = text.replace("\n", " ")
    return roff(text if text.endswith(".") or not text else text + ".")


def entry(heading, about):
    return [".TP", heading, sentence(about)]


def examples(footer):
    title, _, lines = footer.partition("\n")
    if title != "Examples:":
        return []
    return [".PP", ".EX", *(roff(line) for line in lines.split("\n")), ".EE"]


def manual_section(path, command):
    lines = [f'.SS "{" ".join(("commy", *path))}"', synopsis(path, command), ".PP",
             sentence(command["about"])]
    for positional in command["positionals"]:
        lines += entry(italic(positional["name"]), positional["about"])
    for option in command["options"]:
        if "--help" not in option["names"]:
            names = ", ".join(bold(name) for name in option["names"])
            value = f" {italic(option['value'])}" if option["value"] else ""
            lines += entry(names + value, option["about"])
    return lines + examples(command["footer"])


def manual(app):
    return "\n".join(line for path, command in walk(app) for line in manual_section(path, command))


# --- completion ----------------------------------------------------------------------------------


def table(name, rows):
    lines = [f"  [{shlex.quote(key)}]={shlex.quote(value)}" for key, value in rows.items() if value]
    return "\n".join([f"declare -gA {name}=(", *lines, ")"])


def kind_of_value(option):
    """The value of an option, for _commy_offer_kind: words to choose from, or a name."""
    value = option["value"]
    return value.replace("|", " ") if "|" in value else value or "TEXT"


def completion(app):
    commands, options, positionals, values = {}, {}, {}, {}
    for path, command in [((), app), *walk(app)]:
        key = " ".join(("commy", *path))
        commands[key] = " ".join(inner["name"] for inner in command["commands"])
        options[key] = " ".join(name for option in command["options"] for name in option["names"])
        positionals[key] = " ".join(positional["name"] for positional in command["positionals"])
        for option in command["options"]:
            for name in option["names"] if option["takes_value"] else ():
                values[f"{key} {name}"] = kind_of_value(option)
    return "\n".join([table("_commy_commands", commands), table("_commy_options", options),
                      table("_commy_positionals", positionals), table("_commy_values", values)])


def main():
    kind, template, output, version, program, *example = sys.argv[1:]
    app = describe(program)
    words = {"VERSION": version, "COMMANDS": manual(app) if kind == "manual" else completion(app)}
    if example:
        words["EXAMPLE"] = roff(pathlib.Path(example[0]).read_text().rstrip("\n"))
    text = pathlib.Path(template).read_text()
    for name, value in words.items():
        text = text.replace(f"@{name}@", value)
    pathlib.Path(output).write_text(text)


if __name__ == "__main__":
    main()

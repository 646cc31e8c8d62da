#!/usr/bin/env python3
"""run_document.py DOCUMENT [PROGRAM]: runs the blocks of a document in their order, and compares
their output with the output that it shows. make_program.py makes PROGRAM from the document. It runs
as long as the document does, so the commands of a shell find it running. $COMMY_PROGRAM is the
`commy` of the commands. All runs in an empty folder. Prints the faults; exit status 1 if there are
any."""

import os
import pathlib
import subprocess
import sys
import tempfile

from blocks import TURN, blocks_of, commands_of, matches


class Program:
    """Runs the document's C++ blocks, one at a time."""

    def __init__(self, path, folder):
        self.process = subprocess.Popen([path], cwd=folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, encoding="utf-8")
        self.ended = self.until_turn() != ""

    def until_turn(self):
        text = ""
        while (character := self.process.stdout.read(1)) not in ("", TURN):
            text += character
        self.ended = character == ""
        return text

    def run_block(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.until_turn()

    def finish(self):
        if not self.ended:
            self.run_block()
        self.process.stdin.close()
        return self.process.wait()


def shell(command, folder, environment):
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def environment_of(folder):
    """An environment in which `commy` is ours."""
    environment = dict(os.environ, LC_ALL="C.UTF-8", HOME=folder)
    if "COMMY_PROGRAM" in os.environ:
        binaries = pathlib.Path(folder) / ".bin"
        binaries.mkdir()
        (binaries / "commy").symlink_to(os.environ["COMMY_PROGRAM"])
        environment["PATH"] = f"{binaries}:{environment['PATH']}"
    return environment


def difference(shown, printed):
    return f"shows\n{shown}but it prints\n{printed}"


def run_cpp(block, after, program):
    if program is None:
        return
    if program.ended:
        yield "the program had already ended"
        return
    shown = after.text if after is not None and after.language == "text" else ""
    printed = program.run_block()
    if program.ended:
        yield f"the program ended here, with {program.finish()}; it had printed\n{printed}"
    elif not matches(shown, printed):
        yield difference(shown, printed)


def run_console(block, folder, environment):
    for command, shown in commands_of(block):
        _, printed = shell(command, folder, environment)
        if printed and not printed.endswith("\n"):
            printed += "\n"  # `commy get` ends the line only on a terminal, as the document shows.
        if not matches(shown, printed):
            yield command.strip() + ": " + difference(shown, printed)


def run_sh(block, folder, environment):
    status, printed = shell("set -euo pipefail\n" + block.text, folder, environment)
    if status != 0:
        yield f"exit status {status}; it printed\n{printed}"


def faults_of(document, program_path, folder):
    environment = environment_of(folder)
    program = Program(program_path, folder) if program_path else None
    blocks = blocks_of(document)
    for block, after in zip(blocks, blocks[1:] + [None]):
        runs = {
            "cpp": lambda: () if block.kind == "top" else run_cpp(block, after, program),
            "console": lambda: run_console(block, folder, environment),
            "sh": lambda: run_sh(block, folder, environment),
        }
        if block.language in runs:
            for fault in runs[block.language]():
                yield f"line {block.line}: {fault}"
    if program is not None and program.finish() != 0:
        yield f"the program ended with {program.process.returncode}"


def main():
    path = pathlib.Path(sys.argv[1])
    program = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(prefix="commy-docs-") as folder:
        faults = list(faults_of(path.read_text(), program, folder))
    for fault in faults:
        print(f"{path.name}, {fault}")
    print(f"{path.name}: {len(blocks_of(path.read_text()))} blocks, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""readme_test.py README EXAMPLE: runs the blocks of README.md, and checks that the program it shows
is the example, which is compiled and run by itself."""

import pathlib
import sys
import tempfile

from blocks import blocks_of
from run_document import faults_of


def main():
    readme = pathlib.Path(sys.argv[1]).read_text()
    example = pathlib.Path(sys.argv[2]).read_text()
    shown = [block.text for block in blocks_of(readme) if block.language == "cpp"]
    commands = [block for block in blocks_of(readme) if block.language in ("sh", "console")]
    with tempfile.TemporaryDirectory(prefix="commy-docs-") as folder:
        faults = list(faults_of(readme, None, folder))
    if shown != [example.partition("\n")[2]]:
        faults.append("the program is not the example without its first line")
    if not commands:
        faults.append("there is nothing to run")
    print("\n".join(faults) or f"README.md: {len(commands)} blocks for the shell, and the example")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

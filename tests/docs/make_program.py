#!/usr/bin/env python3
"""make_program.py DOCUMENT PROGRAM: writes the C++ program of the document's blocks."""

import pathlib
import sys

from blocks import program_of

document = pathlib.Path(sys.argv[1])
pathlib.Path(sys.argv[2]).write_text(program_of(document.read_text(), document.name))

"""The fenced blocks of a Markdown document, and how the tests run them.

    ```cpp        statements of the document's program, in order: all share one main()
    ```cpp top    code before main(): includes, functions
    ```console    "$ command" lines for a shell, each followed by its output
    ```sh         commands for a shell, which must succeed
    ```text       after a cpp block: the output of that block

In the output that is shown, "..." stands for any text within a line, and as a whole line for any
lines. Other languages are not run.
"""

import dataclasses
import re

FENCE = re.compile(r"^```(\S*)[ \t]*(\S*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
TURN = "\x1e"  # The program prints it before each block; then it waits for a line.


@dataclasses.dataclass
class Block:
    language: str
    kind: str
    line: int  # Of its first line.
    text: str


def blocks_of(document):
    return [Block(found[1], found[2], document.count("\n", 0, found.start()) + 2, found[3])
            for found in FENCE.finditer(document)]


def program_of(document, name):
    """The C++ program that a document's blocks make."""
    top, body = [], []
    for block in blocks_of(document):
        if block.language != "cpp":
            continue
        line = f'#line {block.line} "{name}"\n'
        if block.kind == "top":
            top.append(line + block.text)
        else:
            body.append("  if (!guide::NextTurn()) return 2;\n" + line + block.text)
    return f"""// Made from {name}.
#include <cstdio>

namespace guide {{
// Reports that the previous block is done, and waits until the next one is to be run.
inline bool NextTurn() {{
  std::fputc('\\x1e', stdout);
  std::fflush(stdout);
  return std::getchar() != EOF;
}}
}}  // namespace guide

{"".join(top)}
int main() {{
{"".join(body)}
  return guide::NextTurn() ? 0 : 2;
}}
"""


def matches(shown, printed):
    """Whether `printed` is what the document shows."""
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*"
        else:
            parts = line.rstrip().split("...")
            pattern += r"[^\n]*".join(re.escape(part) for part in parts) + r"[ ]*\n"
    return re.fullmatch(pattern, printed) is not None


def commands_of(block):
    """The commands of a console block, each with what the document shows for it."""
    commands = []
    for line in block.text.splitlines(keepends=True):
        if line.startswith("$ "):
            commands.append([line[2:], ""])
        elif not commands:
            raise ValueError(f"line {block.line}: a console block begins with \"$ \"")
        elif line.startswith("> "):
            commands[-1][0] += line[2:]
        else:
            commands[-1][1] += line
    return commands

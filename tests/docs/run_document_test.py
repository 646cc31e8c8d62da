#!/usr/bin/env python3
"""run_document.py must find wrong blocks: those that do not compile, print other output than is
shown, fail or end the program. $CXX compiles, without Commy."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from blocks import program_of  # noqa: E402
from run_document import faults_of  # noqa: E402

TOP = "```cpp top\n#include <cstdlib>\n\nint Twice(int n) { return 2 * n; }\n```\n"
GOOD = TOP + """
```cpp
int x = Twice(2);
std::printf("%d\\n", x);
```
```text
4
```
```console
$ echo one; echo 17 two
one
... two
$ seq 3 && echo \\
> end
1
...
end
```
```cpp
x += 1;
```
```sh
true
```
```python
not run
```
"""

# name: (from, to, how many faults)
WRONG = {
    "another number": ("```text\n4", "```text\n5", 1),
    "output that is not shown": ("x += 1;", 'std::puts("x");', 1),
    "shown output that is not printed": ("x += 1;\n```", "x += 1;\n```\n```text\n1\n```", 1),
    "another line of the shell": ("... two", "... three", 1),
    "a line too few": ("one\n...", "...", 1),
    "a command that fails": ("true\n", "false\ntrue\n", 1),
    "a program that ends": ("x += 1;", "std::exit(x);", 2),
    "a program that dies": ("x += 1;", "std::abort();", 2),
    "a type that does not fit": ("x += 1;", "x += nullptr;", None),
    "a name that does not exist": ("Twice(2)", "Thrice(2)", None),
}


def compiled(document, folder):
    """The path of the document's program, or None if it does not compile."""
    source = pathlib.Path(folder) / "program.cc"
    program = source.with_suffix("")
    source.write_text(program_of(document, "self_test.md"))
    done = subprocess.run([*os.environ.get("CXX", "c++").split(), "-std=c++20", "-o", str(program),
                           str(source)], capture_output=True, text=True, check=False)
    if done.returncode != 0 and "self_test.md" not in done.stderr:
        raise RuntimeError(f"the compiler does not name the document: {done.stderr}")
    return str(program) if done.returncode == 0 else None


def count_faults(document):
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        program = compiled(document, folder)
        return None if program is None else len(list(faults_of(document, program, empty)))


def main():
    failed = []
    if (count := count_faults(GOOD)) != 0:
        failed.append(f"a good document has {count} faults")
    for name, (before, after, expected) in WRONG.items():
        if GOOD.count(before) != 1:
            failed.append(f"{name}: the text to replace occurs {GOOD.count(before)} times")
        elif (count := count_faults(GOOD.replace(before, after))) != expected:
            failed.append(f"{name}: {count} faults, expected {expected}")
    print("\n".join(failed) or f"a good document and {len(WRONG)} wrong ones: all as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Each public header compiles alone, and twice in a row, with the compiler of the build, g++, and
clang++ where it is there; each is installed, and nothing else is beside them."""

import concurrent.futures
import os
import shutil
import sys

import installed
from installed import CXX, SOURCE, call, expect, expect_equal

NAMES = sorted(str(path.relative_to(SOURCE / "include"))
               for path in (SOURCE / "include" / "commy").rglob("*.h"))


def compilers():
    """One name for each installed compiler: c++ is often another name of g++."""
    names = {}
    for name in (CXX[-1], "g++", "clang++"):
        if shutil.which(name):
            version = call(name, "--version").splitlines()[0].removeprefix(f"{name} ")
            names.setdefault(version, name)
        else:
            print(f"        there is no {name}: the headers are not tried with it")
    return names.values()


def compile_alone(compiler, header, include):
    # The name of the header stands where a user writes it; a second time, its guard has work.
    text = f"#include <{header}>\n#include <{header}>\n"
    call(compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-I", include, "-x", "c++", "-", stdin=text)


def test_each_header_compiles_alone():
    with installed.temporary() as folder:
        include = installed.Tree(folder).include
        expect(NAMES, "there are no public headers")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(compile_alone, compiler, header, include)
                    for compiler in compilers() for header in NAMES]
        for job in jobs:
            job.result()


def test_installed_headers_are_the_public_ones():
    with installed.temporary() as folder:
        include = installed.Tree(folder).include
        files = [path for path in include.rglob("*") if path.is_file()]
        found = sorted(str(path.relative_to(include)) for path in files)
        expect_equal(found, NAMES, "installed headers")


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

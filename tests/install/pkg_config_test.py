#!/usr/bin/env python3
"""Programs built with the flags of pkg-config: with the shared and the static library, by Meson."""

import os
import shlex
import sys

import installed
from installed import CONSUMER, CXX, VERSION, call, expect, expect_equal, need


def build(tree, name, *, static):
    pkg_config = need("pkg-config")
    env = {"PKG_CONFIG_PATH": str(tree.pkg_config_dir)}
    kind = ["--static"] if static else []
    flags = call(pkg_config, *kind, "--cflags", "--libs", "commy", env=env).split()
    program = tree.folder / name
    call(*CXX, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program,
         CONSUMER / "main.cc", *(["-static"] if static else []), *flags)
    return program


def test_pkg_config_gives_the_version():
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        env = {"PKG_CONFIG_PATH": str(tree.pkg_config_dir)}
        expect_equal(call(need("pkg-config"), "--modversion", "commy", env=env).strip(), VERSION,
                     "version in commy.pc")


def test_a_program_links_with_the_shared_library():
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        program = build(tree, "shared", static=False)
        soname = tree.only("**/libcommy.so.*.*.*").name
        expect(soname.endswith(VERSION), f"{soname} does not carry the version")
        series = ".".join(VERSION.split(".")[:2 if VERSION.startswith("0.") else 1])
        expect(f"libcommy.so.{series}" in installed.needed_libraries(program),
               f"the program does not ask for libcommy.so.{series}")
        installed.expect_consumer(program, {"LD_LIBRARY_PATH": str(tree.libdir)})


def test_a_program_links_with_the_static_library():
    with installed.temporary() as folder:
        program = build(installed.Tree(folder), "static", static=True)
        expect_equal(installed.needed_libraries(program), [],
                     "shared libraries of a static program")
        installed.expect_consumer(program)


def test_a_meson_project_finds_commy():
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        meson = shlex.split(os.environ["MESON"])
        call(*meson, "setup", tree.folder / "build", CONSUMER,
             env={"PKG_CONFIG_PATH": str(tree.pkg_config_dir)})
        call(*meson, "compile", "-C", tree.folder / "build")
        # Meson lets a program of the build folder find the libraries that it was linked with.
        installed.expect_consumer(tree.folder / "build" / "consumer")


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

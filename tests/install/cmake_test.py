#!/usr/bin/env python3
"""A program built by CMake: find_package(commy), against the shared and the static library."""

import subprocess
import sys

import installed
from installed import CONSUMER, CXX, VERSION, call, expect, need

MAJOR, MINOR, PATCH = (int(part) for part in VERSION.split("."))


def configure(tree, build, *definitions):
    """The command that configures the consumer with CMake."""
    return [need("cmake"), "-S", CONSUMER, "-B", tree.folder / build, "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={tree.prefix}", f"-DCMAKE_CXX_COMPILER={CXX[-1]}", *definitions]


def test_a_program_links_with_the_shared_and_the_static_library():
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        for target, shared in (("commy", True), ("commy_static", False)):
            call(*configure(tree, target, f"-DCOMMY_TARGET={target}",
                            f"-DCOMMY_ASKED_VERSION={MAJOR}.{MINOR}"))
            call(need("cmake"), "--build", tree.folder / target)
            program = tree.folder / target / "consumer"
            asked = [name for name in installed.needed_libraries(program) if "commy" in name]
            expect(bool(asked) == shared, f"{target}: asks for {asked}")
            installed.expect_consumer(program)


def test_other_versions_are_refused():
    newer = [f"{MAJOR}.{MINOR}.{PATCH + 1}", f"{MAJOR}.{MINOR + 1}", f"{MAJOR + 1}.0"]
    if MAJOR == 0:
        newer.append(f"0.{MINOR - 1}" if MINOR else "0.99")
    with installed.temporary() as folder:
        tree = installed.Tree(folder)
        for version in newer:
            command = configure(tree, f"v{version}", f"-DCOMMY_ASKED_VERSION={version}")
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            expect(done.returncode != 0, f"version {version} was found")
            expect(VERSION in done.stdout and "not accepted" in done.stdout, done.stdout)


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

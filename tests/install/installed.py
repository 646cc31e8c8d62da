"""What the tests of suite install share: they build programs against Commy as a user would.

Meson sets COMMY_SOURCE, COMMY_BUILD, COMMY_VERSION, COMMY_PROGRAM, and CXX as what Commy was built
with. A test is a function; run() calls each function of a module whose name begins with "test_". A
test that needs a program that is not there says so with skip(), which never hides a failure of the
others.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["COMMY_SOURCE"])
BUILD = pathlib.Path(os.environ["COMMY_BUILD"])
VERSION = os.environ["COMMY_VERSION"]
COMMY = os.environ.get("COMMY_PROGRAM", "commy")
CXX = shlex.split(os.environ["CXX"])
CONSUMER = SOURCE / "tests" / "install" / "consumer"
SKIPPED = 77
# Meson lets its tests find the libraries of the build folder; a user's program must find its own.
STRANGERS_ENV = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}


class Skip(Exception):
    pass


def skip(why):
    raise Skip(why)


def need(program):
    """Returns the path of a program, or skips the test."""
    return shutil.which(program) or skip(f"there is no {program}; ./dev install test brings it")


def call(*command, cwd=None, env=None, stdin=None):
    """Runs a command; returns its output. A failure shows the command and all of its output."""
    command = [str(word) for word in command]
    done = subprocess.run(command, cwd=cwd, env={**STRANGERS_ENV, **(env or {})}, input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(command)}\nexit status {done.returncode}\n{done.stdout}")
    return done.stdout


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_equal(found, expected, what):
    expect(found == expected, f"{what}: expected {expected!r}, found {found!r}")


class Tree:
    """A `meson install` in a temporary folder, and room for a program beside it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        call(*shlex.split(os.environ["MESON"]), "install", "-C", BUILD, "--no-rebuild", "--quiet",
             "--destdir", self.folder / "root")
        self.pkg_config_dir = self.only("**/pkgconfig/commy.pc").parent
        self.libdir = self.pkg_config_dir.parent
        self.include = self.only("**/include/commy/commy.h").parents[1]
        self.prefix = self.include.parent

    def only(self, pattern):
        found = sorted((self.folder / "root").glob(pattern))
        expect(len(found) == 1, f"{pattern}: expected one installed file, found {found}")
        return found[0]


def temporary():
    return tempfile.TemporaryDirectory(prefix="commy-install-")


def expect_consumer(program, env=None):
    """The program works, and prints the version of the Commy that it found."""
    with temporary() as folder:
        said = call(program, pathlib.Path(folder) / "consumer.commy", env=env)
    expect_equal(said, f"commy {VERSION}: hello again\n", f"what {program} printed")


def needed_libraries(program):
    """The names of the shared libraries that a program or library asks for."""
    lines = call(need("readelf"), "-d", program).splitlines()
    return [line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line]


def run(module):
    """Calls the tests of a module. Ends with 1 if one failed, else with 77 if one was skipped."""
    status = 0
    tests = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    expect(tests, "no test in this file")
    for name, test in tests.items():
        try:
            test()
            print(f"ok      {name}")
        except Skip as reason:
            print(f"SKIPPED {name}: {reason}")
            status = status or SKIPPED
        except AssertionError as failure:
            print(f"FAILED  {name}: {failure}")
            status = 1
    sys.exit(status)

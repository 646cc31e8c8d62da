#!/usr/bin/env python3
"""A Meson project with Commy as its subproject, which then builds the library and nothing else."""

import json
import os
import pathlib
import shlex
import shutil
import sys

import installed
from installed import BUILD, CONSUMER, SOURCE, call, expect, expect_equal, need

MESON = shlex.split(os.environ["MESON"])
PARTS = ("include", "src", "tools", "packaging", "meson.build", "meson_options.txt")
# Of the library: one object with its precompiled header and what it is told about its version.
OF_LIBRARY = "base_version.cc.o"


def make_project(folder):
    """The consumer with a copy of the files that a subproject needs. The wraps of other projects
    are left out: only libraries of the system are used."""
    shutil.copytree(CONSUMER, folder)
    commy = folder / "subprojects" / "commy"
    commy.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (SOURCE / part).is_dir() else shutil.copy2
        copy(SOURCE / part, commy / part)


def introspect(build):
    return json.loads(call(*MESON, "introspect", "--targets", build))


def library_sources(targets):
    """What the library is made of: paths below the folder src."""
    sources = {path.rpartition("/src/")[2] for target in targets
               if target["name"] == "commy" and target["type"] == "shared library"
               for group in target["target_sources"] for path in group.get("sources", [])}
    expect(sources, "the library has no sources")
    return sources


def test_a_project_with_commy_as_subproject_builds_only_the_library():
    with installed.temporary() as temporary:
        folder = pathlib.Path(temporary) / "project"
        build = folder / "build"
        make_project(folder)
        call(*MESON, "setup", build, folder, "-Dbuildtype=plain", "--force-fallback-for=commy")
        targets = introspect(build)
        programs = sorted(target["name"] for target in targets if target["type"] == "executable")
        expect_equal(programs, ["consumer"], "programs built")
        expect_equal(library_sources(targets), library_sources(introspect(BUILD)),
                     "sources of the library")

        # To compile the library a second time would show little more. So the program is linked by
        # the project's own command, but with the library of this build in the place of its own.
        ninja = need("ninja")
        names = [line.partition(": ")[0]
                 for line in call(ninja, "-C", build, "-t", "targets", "all").splitlines()]
        compiled = [name for name in names if name.endswith(OF_LIBRARY)]
        expect_equal(len(compiled), 1, f"objects {OF_LIBRARY}")
        call(ninja, "-C", build, "consumer.p/main.cc.o", *compiled)
        (library,) = [target["filename"][0] for target in targets
                      if target["name"] == "commy" and target["type"] == "static library"]
        shutil.copy2(BUILD / "src" / "libcommy.a", library)
        link = call(ninja, "-C", build, "-t", "commands", "consumer").splitlines()[-1]
        expect(os.path.relpath(library, build) in shlex.split(link), f"no {library} in: {link}")
        call("sh", "-c", link, cwd=build)
        installed.expect_consumer(build / "consumer")


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

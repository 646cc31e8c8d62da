#!/usr/bin/env python3
"""A Meson project with Commy as its subproject, which then builds the library and nothing else."""

import json
import os
import shlex
import shutil
import sys

import installed
from installed import BUILD, CONSUMER, SOURCE, call, expect

PARTS = ("include", "src", "scripts", "tools", "packaging", "meson.build", "meson_options.txt")


def make_project(folder):
    """The consumer with a copy of the files that a subproject needs. The wraps of other projects
    are left out: only libraries of the system are used."""
    shutil.copytree(CONSUMER, folder)
    commy = folder / "subprojects" / "commy"
    commy.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (SOURCE / part).is_dir() else shutil.copy2
        copy(SOURCE / part, commy / part)


def test_a_project_with_commy_as_subproject_builds_only_the_library():
    # Always the same place, for the compiler's cache.
    folder = BUILD / "tests" / "install-subproject"
    shutil.rmtree(folder, ignore_errors=True)
    make_project(folder)
    meson = shlex.split(os.environ["MESON"])
    env = {"CCACHE_BASEDIR": str(folder), "CCACHE_NOHASHDIR": "1"}
    call(*meson, "setup", folder / "build", folder, "-Dbuildtype=plain",
         "--force-fallback-for=commy", env=env)
    targets = json.loads(call(*meson, "introspect", "--targets", folder / "build"))
    programs = sorted(target["name"] for target in targets if target["type"] == "executable")
    expect(programs == ["consumer"], f"programs built: {programs}")
    call(*meson, "compile", "-C", folder / "build", "consumer", env=env)
    installed.expect_consumer(folder / "build" / "consumer")
    shutil.rmtree(folder)


if __name__ == "__main__":
    installed.run(sys.modules[__name__])

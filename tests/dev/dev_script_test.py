#!/usr/bin/env python3
"""./dev where packages are missing: whom it asks, what it prints, and that no file stays behind. Its
PATH has stubs for what is asked about and for apt-get, and nothing of this system is installed."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
REAL = ("cat", "cut", "dirname", "env", "mktemp", "rm", "sed", "sh", "sort", "tail", "tr", "true")
MISSING = "ccache g++ libabsl-dev libcli11-dev libxxhash-dev meson nlohmann-json3-dev pkg-config"
AS_ROOT = ("./dev: packages are missing that only root can install. As root, run:\n"
           f"apt-get update && apt-get install -y --no-install-recommends {MISSING}\n")
NO_PASSWORD = '[ "$1" != -n ] || shift; echo sudo >>"$CALLS"; exec "$@"'
INSTALLS = f"""echo "$@" >>"$CALLS"
[ "$1" = install ] || exit 0
for name in c++ meson pkg-config ccache; do cp "$BIN/ninja" "$BIN/$name"; done"""


class DevScriptTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="commy-dev-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.bin = self.folder / "bin"
        self.tmp = self.folder / "tmp"
        self.calls = self.folder / "calls"
        self.bin.mkdir()
        self.tmp.mkdir()
        self.calls.touch()
        for name in REAL + ("cp",):
            (self.bin / name).symlink_to(shutil.which(name))
        self.stub("ninja", "exit 0")
        self.stub("id", "echo 1000")
        self.stub("apt-get", INSTALLS)

    def stub(self, name, body):
        path = self.bin / name
        path.write_text(f"#!{shutil.which('sh')}\n{body}\n")
        path.chmod(0o755)

    def start(self, *command, **options):
        environment = {"PATH": str(self.bin), "BIN": str(self.bin), "TMPDIR": str(self.tmp),
                       "CALLS": str(self.calls)}
        # In a session of its own it has no terminal, whoever runs the test.
        return subprocess.Popen(command, cwd=SOURCE, env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True, **options)

    def install(self):
        dev = self.start("./dev", "install", "build")
        out, err = dev.communicate(timeout=50)
        self.assertEqual(list(self.tmp.iterdir()), [])
        return dev.returncode, out, err

    def test_without_root_and_sudo_it_prints_the_line_for_root(self):
        self.assertEqual(self.install(), (1, "", AS_ROOT))
        self.assertEqual(self.calls.read_text(), "")

    def test_a_sudo_that_nobody_can_give_a_password_is_none(self):
        self.stub("sudo", '[ "$1" != -n ] || exit 1; echo asked >>"$CALLS"')
        self.assertEqual(self.install(), (1, "", AS_ROOT))
        self.assertEqual(self.calls.read_text(), "")

    def test_root_needs_no_sudo(self):
        self.stub("id", "echo 0")
        self.stub("sudo", 'echo asked >>"$CALLS"')
        self.assertEqual(self.install(),
                         (0, f"== installing {MISSING}\n== all there for: build\n", ""))
        self.assertEqual(self.calls.read_text(),
                         f"update -q\ninstall -q -y --no-install-recommends {MISSING}\n")

    def test_a_sudo_without_password_is_used(self):
        self.stub("sudo", NO_PASSWORD)
        self.assertEqual(self.install()[0], 0)
        self.assertEqual(self.calls.read_text(),
                         "sudo\nsudo\nupdate -q\n"
                         f"sudo\ninstall -q -y --no-install-recommends {MISSING}\n")

    def test_of_what_failed_the_end_is_shown(self):
        self.stub("id", "echo 0")
        self.stub("apt-get", "for i in 1 2 3 4 5 6 7 8 9; do echo line $i a; echo line $i b; "
                             "echo line $i c >&2; done; exit 100")
        code, out, err = self.install()
        self.assertEqual((code, out), (1, f"== installing {MISSING}\n"))
        self.assertEqual(len(err.splitlines()), 21)
        self.assertTrue(err.endswith(f"line 9 c\n./dev: could not be installed: {MISSING}\n"), err)

    def test_a_program_that_does_not_appear_is_named(self):
        self.stub("id", "echo 0")
        self.stub("apt-get", "exit 0")
        code, _, err = self.install()
        self.assertEqual(code, 1)
        self.assertIn("installed, but still not found: g++ cmd:c++\n", err)

    def test_an_interrupt_leaves_no_file(self):
        self.stub("id", "echo 0")
        reached = self.folder / "reached"
        os.mkfifo(reached)
        self.stub("apt-get", f"echo x >{reached}; read -r never <{reached}")
        dev = self.start("./dev", "install", "build",
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        reached.read_text()
        self.assertEqual(len(list(self.tmp.iterdir())), 1)
        os.killpg(dev.pid, signal.SIGINT)
        dev.communicate(timeout=50)
        self.assertNotEqual(dev.returncode, 0)
        self.assertEqual(list(self.tmp.iterdir()), [])


if __name__ == "__main__":
    sys.exit(unittest.main())

#!/usr/bin/env python3
"""./dev where packages are missing: how it becomes root, what it prints, and that no file stays
behind; and its output during a build. Its PATH has stubs for the missing programs, for apt-get and
for ninja, and nothing is installed on this system."""

import os
import pathlib
import pty
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


class DevScriptFixture(unittest.TestCase):
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

    def start(self, *command, term="dumb", **options):
        environment = {"PATH": str(self.bin), "BIN": str(self.bin), "TMPDIR": str(self.tmp),
                       "CALLS": str(self.calls), "TERM": term}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        # In a session of its own it has no terminal, however the test is run.
        return subprocess.Popen(command, cwd=SOURCE, env=environment, stdin=subprocess.DEVNULL,
                                text=True, start_new_session=True, **pipes)


class InstallTest(DevScriptFixture):
    def install(self):
        dev = self.start("./dev", "install", "build")
        out, err = dev.communicate(timeout=50)
        self.assertEqual(list(self.tmp.iterdir()), [])
        return dev.returncode, out, err

    def test_without_root_and_sudo_it_prints_the_line_for_root(self):
        self.assertEqual(self.install(), (1, "", AS_ROOT))
        self.assertEqual(self.calls.read_text(), "")

    def test_a_sudo_that_needs_a_password_without_a_terminal_is_not_used(self):
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

    def test_the_last_lines_of_a_failed_command_are_shown(self):
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


class BuildTest(DevScriptFixture):
    GOES = """echo "$@" >>"$CALLS"
echo "ninja: Entering directory here"
echo "[1/2] Compiling a"
echo "a.cc:1: warning: [1/2] or so"
echo "[2/2] Linking a\""""
    FAILS = """echo "[1/2] Compiling a"
echo "FAILED: a.o"
echo "a.cc:1: error: two words   apart"
echo "ninja: build stopped: subcommand failed."
exit 1"""

    def build(self, ninja, terminal_fds=(), term="xterm"):
        """Exit status, output on the terminal, and standard output if that is no terminal."""
        self.stub("ninja", ninja)
        ours, theirs = pty.openpty()
        into = {1: subprocess.PIPE, 2: subprocess.PIPE} | {fd: theirs for fd in terminal_fds}
        shell = self.start("sh", "-c", ". scripts/common.sh; build folder", term=term,
                           stdout=into[1], stderr=into[2])
        os.close(theirs)
        out, _ = shell.communicate(timeout=50)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # EIO: no process has the terminal open any more.
            pass
        os.close(ours)
        return shell.returncode, shown.decode().replace("\r\n", "\n"), out

    def test_without_a_terminal_ninja_is_quiet(self):
        self.assertEqual(self.build(self.GOES)[0], 0)
        self.assertEqual(self.build(self.GOES, [1, 2], "dumb")[0], 0)
        self.assertEqual(self.calls.read_text(), "-C folder --quiet\n" * 2)

    def test_a_terminal_shows_the_count_on_one_line_that_goes_away(self):
        self.assertEqual(
            self.build(self.GOES, [1, 2]),
            (0, "== building folder\n\r[1/2]\r\033[Ka.cc:1: warning: [1/2] or so\n\r[2/2]\r\033[K",
             None))
        self.assertEqual(self.calls.read_text(), "-C folder\n")

    def test_messages_go_to_standard_output_and_the_count_to_the_terminal(self):
        self.assertEqual(
            self.build(self.GOES, [2]),
            (0, "\r[1/2]\r\033[K\r[2/2]\r\033[K",
             "== building folder\na.cc:1: warning: [1/2] or so\n"))

    def test_a_failed_build_is_shown_in_full_and_fails(self):
        said = ("FAILED: a.o\na.cc:1: error: two words   apart\n"
                "ninja: build stopped: subcommand failed.\n")
        code, shown, _ = self.build(self.FAILS, [1, 2])
        self.assertEqual(code, 1)
        self.assertIn(said, shown.replace("\r\033[K", ""))
        self.assertTrue(shown.endswith("./dev: the build failed\n"), shown)
        code, _, out = self.build(self.FAILS)
        self.assertEqual(code, 1)
        self.assertIn(said, out)


if __name__ == "__main__":
    sys.exit(unittest.main())

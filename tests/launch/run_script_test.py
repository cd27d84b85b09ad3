# SPDX-License-Identifier: Apache-2.0
"""tests/run.sh on machines that are not there: what it says it ran, and what it says it did not."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
WITHOUT = "-- CUDA backend: left out (no CUDA compiler found; expected nvcc)"
WITH = "-- CUDA backend: toolkit 13.0.88, architectures 80-real;90-real"
CMAKE = """mkdir -p build/ci
echo "cmake $*" >>calls
case "$*" in '--preset ci') echo '%s' ;; esac
case "$*" in *gpu_tests*) echo 'registers of a kernel' >build/ci/registers.txt ;; esac
"""
CTEST = """echo ' 3/700 Test #3: one ...***Skipped'
echo '%d%% tests passed, %d tests failed out of 700'
exit %d
"""


class RunScript(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mpdist-run-script-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for path in ("tests/run.sh", "launch/packages.sh"):
            (self.root / path).parent.mkdir(exist_ok=True)
            shutil.copy(SOURCE / path, self.root / path)
        (self.root / "bin").mkdir()
        self.plant("dpkg-query", "echo 'install ok installed'\n")
        self.plant("apt-get", "exit 1\n")

    def plant(self, name, text):
        path = self.root / "bin" / name
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o755)

    def run_script(self, configured, failed=0):
        self.plant("cmake", CMAKE % configured)
        self.plant("ctest", CTEST % (100 if failed == 0 else 90, failed, 8 if failed else 0))
        env = {**os.environ, "PATH": "%s:%s" % (self.root / "bin", os.environ["PATH"])}
        done = subprocess.run([str(self.root / "tests" / "run.sh")], env=env, capture_output=True, text=True, timeout=60,
                              check=False)
        return done, (self.root / "calls").read_text(encoding="utf-8")

    def test_without_a_toolkit_the_summary_says_what_was_not_run(self):
        done, calls = self.run_script(WITHOUT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-2:], [
            "NOT RUN: the CUDA backend and its tests on the software GPU: no CUDA compiler found; expected nvcc",
            "699 passed, 0 failed, 2 skipped"])
        self.assertIn("cmake --build --preset ci --target all\n", calls)

    def test_with_a_toolkit_the_gpu_tests_are_built_and_registers_shown(self):
        done, calls = self.run_script(WITH)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], "699 passed, 0 failed, 1 skipped")
        self.assertNotIn("NOT RUN", done.stdout)
        self.assertIn("registers of a kernel\n", done.stdout)
        self.assertIn("cmake --build --preset ci --target all gpu_tests\n", calls)

    def test_failures_fail_the_whole(self):
        done, _ = self.run_script(WITH, failed=4)
        self.assertEqual(done.returncode, 8)
        self.assertEqual(done.stdout.splitlines()[-1], "695 passed, 4 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main()

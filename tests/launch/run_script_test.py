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
CMAKE = """mkdir -p build/ci build/software-gpu build/portable
echo "cmake $*" >>calls
echo 'registers of a kernel' >build/software-gpu/registers.txt
case "$*" in *'--preset software-gpu -D'*) echo '%s' ;; esac
"""
CTEST = """echo "ctest $*" >>calls
case "$*" in
  *software-gpu*) echo '%d%% tests passed, %d tests failed out of 40'; exit %d ;;
  *) echo ' 3/700 Test #3: one ...***Skipped'; echo '100%% tests passed, 0 tests failed out of 700' ;;
esac
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
        self.assertNotIn("ctest --preset software-gpu", calls)

    def test_with_a_toolkit_only_tests_that_need_a_gpu_run_again(self):
        done, calls = self.run_script(WITH)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], "739 passed, 0 failed, 1 skipped")
        self.assertNotIn("NOT RUN", done.stdout)
        self.assertIn("registers of a kernel\n", done.stdout)
        self.assertIn("cmake --build --preset software-gpu --target gpu_tests\n", calls)
        self.assertIn("ctest --preset software-gpu --no-tests=error -j 2 -R ^(cuda|software_gpu)\\.\n", calls)

    def test_a_failure_on_the_software_gpu_fails_the_whole(self):
        done, _ = self.run_script(WITH, failed=4)
        self.assertEqual(done.returncode, 8)
        self.assertEqual(done.stdout.splitlines()[-1], "735 passed, 4 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main()

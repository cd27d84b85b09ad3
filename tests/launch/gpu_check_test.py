# SPDX-License-Identifier: Apache-2.0
"""launch/gpu_check.sh on machines that are not there: programs of its own on PATH say what the driver, the toolkit and the
steps would say."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
SMI = """case "$*" in
  *=name*) printf 'NVIDIA Planted GPU\\n%.0s' $(seq {gpus}) ;;
  *=memory.total*) echo 81559 ;;
  *) echo "nvidia-smi says $*" ;;
esac
"""


class GpuCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mpdist-gpu-check-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "bin").mkdir()
        (self.root / "launch").mkdir()
        for name in ("gpu_check.sh", "packages.sh"):
            shutil.copy(SOURCE / "launch" / name, self.root / "launch")

    def plant(self, name, text="", folder="bin"):
        """A program that runs `text`."""
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o755)

    def plant_machine(self, gpus):
        """A driver that shows so many GPUs, a toolkit, and programs that do as asked."""
        self.plant("nvidia-smi", SMI.format(gpus=gpus))
        for name in ("nvcc", "cmake", "ninja", "ctest", "mpirun", "python3"):
            self.plant(name, 'echo "%s says $*"\n' % name)
        for program in ("mpdist", "benchmarks/kernels/kernels_benchmark"):
            self.plant(program, 'echo "%s says $*"\n' % program, "build/cuda")

    def run_check(self, *arguments, path=os.environ["PATH"]):
        env = {**os.environ, "PATH": "%s:%s" % (self.root / "bin", path)}
        return subprocess.run([str(self.root / "launch" / "gpu_check.sh"), *arguments], env=env, capture_output=True, text=True,
                              timeout=60, check=False)

    def report(self):
        return (self.root / "build" / "gpu_report.txt").read_text(encoding="utf-8")

    def assert_refused(self, part, **environment):
        done = self.run_check(**environment)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))
        self.assertIn(part, done.stderr)

    def test_no_gpu_is_refused_in_one_line(self):
        self.plant("nvidia-smi", "echo 'No devices were found' >&2; exit 6\n")
        self.assert_refused("the NVIDIA driver shows no GPU")

    def test_no_driver_is_refused_in_one_line(self):
        for name in ("bash", "dirname"):
            (self.root / "bin" / name).symlink_to(shutil.which(name))
        self.assert_refused("no NVIDIA driver found", path="/nowhere")

    def test_no_toolkit_is_refused_in_one_line(self):
        self.plant_machine(1)
        self.plant("nvcc", "exit 127\n")
        self.assert_refused("no CUDA toolkit found")

    def test_a_dry_run_lists_every_step_and_runs_none(self):
        self.plant_machine(4)
        done = self.run_check("--dry-run")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn(" says ", done.stdout)
        self.assertFalse((self.root / "build" / "gpu_report.txt").exists())
        steps = [line.partition(":")[0] for line in done.stdout.splitlines()]
        self.assertEqual(steps, ["configure", "build", "tests on GPUs", "tests on CPUs", "program", "kernels",
                                 "all-reduce, 2 GPUs", "all-reduce, 4 GPUs", "training"])
        self.assertIn("cmake --preset cuda -DMPDIST_CUDA_ARCHITECTURES=native\n", done.stdout)
        self.assertIn("--gpus 4 --samples 256", done.stdout)

    def test_all_leaves_the_architectures_to_the_build(self):
        self.assertIn("cmake --preset cuda -UMPDIST_CUDA_ARCHITECTURES\n", self.run_check("--dry-run", "--all").stdout)

    def test_a_report_has_facts_results_and_what_was_said(self):
        self.plant_machine(2)
        done = self.run_check()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        text = self.report()
        for part in ("mpdist GPU report", "nvidia-smi says topo -m", "nvcc says --version", "0 failed\nconfigure ",
                     "$ ctest --preset cuda --no-tests=error -R ^cuda\\. -LE ^gpus_(none|3|4|8)$\nctest says",
                     "NOT RUN: tests that need more than 2 GPUs\n", "==== all-reduce, 2 GPUs: passed",
                     "kernels_benchmark says --device cuda", "gpu_scaling.py --gpus 2"):
            self.assertIn(part, text)

    def test_a_failure_is_reported_and_decides_the_exit_code(self):
        self.plant_machine(1)
        self.plant("ctest", "echo 'cuda.add is wrong'; exit 8\n")
        done = self.run_check("--report", str(self.root / "own" / "report.txt"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cuda.add is wrong", done.stdout)
        text = (self.root / "own" / "report.txt").read_text(encoding="utf-8")
        self.assertIn("\n2 failed\n", text)
        self.assertIn("==== tests on GPUs: FAILED with exit code 8", text)
        self.assertIn("==== training: passed", text)

    def test_nothing_runs_after_a_build_that_failed(self):
        self.plant_machine(1)
        self.plant("cmake", "echo 'no such preset'; exit 1\n")
        self.assertEqual(self.run_check().returncode, 1)
        self.assertIn("\n1 failed\n", self.report())
        self.assertNotIn("ctest", self.report())

    def test_an_unknown_option_prints_the_usage(self):
        done = self.run_check("--what")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--dry-run", done.stderr)


if __name__ == "__main__":
    unittest.main()

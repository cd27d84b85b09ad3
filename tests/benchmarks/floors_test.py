# SPDX-License-Identifier: Apache-2.0
"""benchmarks/floors.md prints what the programs compute: its tables are their output, word for word."""
import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "benchmarks" / "floors.md").read_text(encoding="utf-8")


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


class Floors(unittest.TestCase):
    def test_the_table_of_kernels(self):
        table = said(os.environ["KERNELS_BENCHMARK"], "--floors")
        self.assertGreater(table.count("\n"), 40)
        self.assertIn(table, PAGE)

    def test_the_table_of_a_step(self):
        text = said(sys.executable, "-B", str(ROOT / "benchmarks" / "train" / "model_step.py"))
        self.assertIn("25.557 M parameters", text)
        self.assertIn(text, PAGE)

    def test_every_kernel_has_a_row(self):
        declared = [line.strip() for line in (ROOT / "kernels" / "CMakeLists.txt").read_text(encoding="utf-8").splitlines()
                    if line.startswith("  ") and line.strip().replace("_", "").isalnum()]
        self.assertGreater(len(declared), 20)
        names = {"conv2d": "conv2d_forward", "linear": "linear_forward", "pooling": "max_pool_forward",
                 "deferred_norm": "norm_apply"}
        for stem in declared:
            rows = [name for name in (stem, stem + "_forward", names.get(stem)) if name and "| %s |" % name in PAGE]
            self.assertTrue(rows, "%s has no row" % stem)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""kernels/kernel.cmake refuses a kernel that lacks its header, its CPU half, its CUDA half or its test."""
import os
import subprocess
import tempfile
import unittest

RULE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "kernels", "kernel.cmake")
PARTS = ("kernels/foo.hpp", "kernels/cpu/foo.cpp", "kernels/cuda/foo.cu", "tests/kernels/foo_test.cpp")


class KernelRule(unittest.TestCase):
    def declare(self, parts):
        """Runs the rule on a source tree that holds only `parts`."""
        with tempfile.TemporaryDirectory() as folder:
            for part in parts:
                os.makedirs(os.path.dirname(os.path.join(folder, part)), exist_ok=True)
                with open(os.path.join(folder, part), "w", encoding="utf-8"):
                    pass
            script = os.path.join(folder, "declare.cmake")
            with open(script, "w", encoding="utf-8") as file:
                file.write(f'cmake_minimum_required(VERSION 3.25)\nset(PROJECT_SOURCE_DIR "{folder}")\n'
                           f'include("{RULE}")\nmpdist_kernels(foo)\n')
            return subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=False)

    def test_whole_kernel_is_accepted(self):
        done = self.declare(PARTS)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_each_missing_part_is_refused_by_name(self):
        for missing in PARTS:
            done = self.declare([part for part in PARTS if part != missing])
            self.assertNotEqual(done.returncode, 0, missing)
            self.assertIn(missing, " ".join(done.stderr.split()))


if __name__ == "__main__":
    unittest.main()

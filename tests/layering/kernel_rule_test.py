# SPDX-License-Identifier: Apache-2.0
"""kernels/kernel.cmake refuses a kernel that lacks its header, its CPU half, its CUDA half (unless listed) or its test."""
import os
import subprocess
import tempfile
import unittest

RULE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "kernels", "kernel.cmake")
PARTS = ("kernels/foo.hpp", "kernels/cpu/foo.cpp", "kernels/cuda/foo.cu", "tests/kernels/foo_test.cpp")


class KernelRule(unittest.TestCase):
    def declare(self, parts, without_cuda=""):
        """Runs the rule on a source tree that holds only `parts`."""
        with tempfile.TemporaryDirectory() as folder:
            for part in parts:
                os.makedirs(os.path.dirname(os.path.join(folder, part)), exist_ok=True)
                with open(os.path.join(folder, part), "w", encoding="utf-8"):
                    pass
            script = os.path.join(folder, "declare.cmake")
            with open(script, "w", encoding="utf-8") as file:
                file.write(f'cmake_minimum_required(VERSION 3.25)\nset(PROJECT_SOURCE_DIR "{folder}")\nset(MPDIST_KERNELS_WITHOUT_CUDA {without_cuda})\n'
                           f'include("{RULE}")\nmpdist_kernels(foo)\n')
            return subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=False)

    def test_whole_kernel_is_accepted_in_silence(self):
        done = self.declare(PARTS)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("without", done.stdout)

    def test_each_missing_part_is_refused_by_name(self):
        for missing in PARTS:
            done = self.declare([part for part in PARTS if part != missing])
            self.assertNotEqual(done.returncode, 0, missing)
            self.assertIn(missing, " ".join(done.stderr.split()))

    def test_listed_kernel_may_lack_its_cuda_half_and_is_printed(self):
        done = self.declare([part for part in PARTS if not part.endswith(".cu")], "foo")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("kernels without a CUDA half: foo", done.stdout)


if __name__ == "__main__":
    unittest.main()

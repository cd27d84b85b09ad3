#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the trainer's host code for GPUs, one line a case, and demands that the software GPU sees it. BUILD: broken_build.py."""
import os
import subprocess
import unittest

from broken_build import broken_program

RACE = ("software GPU: stream-race: ",)
WAIT = ("software GPU: missing-wait: ", "FAILED")  # unseen where pinned memory is shared with others: then a wrong result
BREAKS = {  # name: source, what goes, what of it must be said
    "batch_is_read_while_it_arrives": ("src/train/batch_upload.cpp", "  compute_.wait(slot.arrived);\n", RACE),
    "step_does_not_wait_for_its_results": ("src/train/step.cpp", "  reducer_.synchronize(stream_);  // the one wait of a step\n", WAIT),
}


class BrokenStep(unittest.TestCase):
    def check(self, name, source, line, caught):
        program = broken_program("tests/train/train_test", name, source, [(line, "")])
        environment = dict(os.environ, SOFTWARE_GPU_SCHEDULE="lazy", SOFTWARE_GPU_TIMEOUT_S="10")
        done = subprocess.run([program, "--gtest_filter=BatchUpload.*:Step.*"], env=environment, capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(any(text in done.stdout + done.stderr for text in caught), done.stdout[-2000:] + done.stderr[-2000:])


for case_name, case in BREAKS.items():
    setattr(BrokenStep, "test_" + case_name, lambda self, name=case_name, case=case: self.check(name, *case))

if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program on two GPUs of the software GPU: exchanges of NCCL that fail, the library's sums, too few devices."""
import re
import unittest

from program import RunTest

MLP = 'name = "mlp"\nhidden = [16]'
CUDA = 'run.device="cuda"'
# A step has one bucket here, and that is two launches: those of its messages before and after the sums.
LAUNCH, STEP = 9, 5


class NcclRun(RunTest):
    def fail(self, planted, step=STEP):
        """What the ranks say of a failure; step, bucket and tensor are the same however it shows."""
        finished = self.train(f"failing{step}", 2, CUDA, model=MLP, env={"SOFTWARE_GPU_NCCL_FAIL": planted}, expect=75)
        said = [line for line in finished.lines() if re.match(r"mpdist: rank \d", line)]
        for line in said:
            self.assertRegex(line, rf"^mpdist: rank \d \(.+\): attempted step {step}, bucket 1 of 1 "
                                   r"\(\d+ bytes from fc2\.bias on\): NCCL: ")
        return said

    def test_failure_under_way_is_named_once(self):
        said = self.fail(f"{LAUNCH}:1")
        self.assertEqual(len(said), 1, said)
        self.assertIn("rank 1", said[0])

    def test_failure_in_the_first_step_ends_the_run_too(self):
        self.assertIn("rank 1", self.fail("1:1", step=1)[0])

    def test_failure_of_a_call_is_named_once(self):
        said = self.fail(f"{LAUNCH}:0:direct")
        self.assertEqual(len(said), 1, said)
        self.assertIn("rank 0", said[0])
        self.assertIn("ncclGroupEnd failed", said[0])

    def test_library_sums_train_too(self):
        self.train("library", 2, CUDA, 'comm.reduction="library"', model=MLP)
        self.train("tree", 2, CUDA, model=MLP)
        library, tree = (self.events(name, "step")[-1]["loss"] for name in ("library", "tree"))
        self.assertAlmostEqual(library, tree, delta=0.02)  # FP16 sums in another order

    def test_too_few_gpus_are_refused_before_nccl_starts(self):
        finished = self.train("few", 2, CUDA, model=MLP, env={"SOFTWARE_GPU_DEVICES": "1"}, expect=2)
        self.assertIn("1 visible GPU for 2 ranks", "".join(finished.lines()))


if __name__ == "__main__":
    unittest.main()

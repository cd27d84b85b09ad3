# SPDX-License-Identifier: Apache-2.0
"""The config that ships, on the real images: the same bits on 1, 2, 4 and 8 ranks in every type, stopped and resumed or not."""
import unittest

from shipped import ShippedTest

STEPS = 50


class FashionMnist(ShippedTest):
    config = "fashion_mnist.toml"
    settings = (f"run.steps={STEPS}",)

    def test_masters_are_identical_after_50_steps(self):
        for compute in ("fp16", "bf16", "fp32"):
            self.assert_same_on(compute, 1, 2, 4, 8)

    def test_stopped_at_4_ranks_and_resumed_at_2(self):
        self.train_shipped("whole", 1)
        self.assertLess(self.stop_after(10, "stopped", 4), STEPS)
        self.train_shipped("stopped", 2)
        self.assert_same_final("whole", "stopped")


if __name__ == "__main__":
    unittest.main()

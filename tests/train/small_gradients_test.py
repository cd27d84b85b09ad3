# SPDX-License-Identifier: Apache-2.0
"""launch/configs/small_gradients.toml: FP16 at scale 1 loses most activation gradients and learns worse; scaling recovers."""
import os
import unittest

from program import RunTest, run

CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../launch/configs/small_gradients.toml")
# A shard of 512 samples instead of 16384: at scale 2^-5 its gradients are of the size that the whole task has at scale 1.
SMALL = ("batch.global=512", "batch.shards=1", "data.size=512")
SAME_SIZE_AS_UNSCALED = "precision.loss_scale=0.03125"


class SmallGradients(RunTest):
    def run_config(self, name, ranks, *settings):
        arguments = [CONFIG, "--set", "run.output=" + self.path(name)]
        for setting in settings:
            arguments += ["--set", setting]
        done = run(arguments, ranks)
        self.assertEqual(done.code, 0, done.err[-2000:])
        return self.events(name, "evaluate")[-1]

    def zero_percent(self, name, key="zero_percent"):
        """Of all activation gradients in the last event."""
        layers = self.events(name, "telemetry")[-1]["activation_gradients"]
        return sum(t[key] * t["elements"] for t in layers) / sum(t["elements"] for t in layers)

    def test_the_gradients_of_the_task_as_it_ships_are_lost_at_scale_1(self):
        self.run_config("whole", 2, "run.steps=1", "precision.telemetry_every=1", "data.test_size=100")
        self.assertGreater(self.zero_percent("whole", "lost_at_scale_1_percent"), 60)
        self.assertLess(self.zero_percent("whole"), 5)

    def test_without_scaling_it_learns_worse_and_dynamic_scaling_recovers(self):
        fp32 = self.run_config("fp32", None, *SMALL, "precision.compute=fp32")
        unscaled = self.run_config("unscaled", None, *SMALL, SAME_SIZE_AS_UNSCALED)
        dynamic = self.run_config("dynamic", None, *SMALL)
        self.assertGreater(self.zero_percent("unscaled"), 60)
        self.assertLess(self.zero_percent("dynamic"), 5)
        self.assertLess(abs(dynamic["loss"] - fp32["loss"]), 0.03 * fp32["loss"])
        self.assertLess(abs(dynamic["accuracy"] - fp32["accuracy"]), 0.02)
        self.assertGreater(unscaled["loss"], 1.4 * fp32["loss"])
        self.assertLess(unscaled["accuracy"], fp32["accuracy"] - 0.2)


if __name__ == "__main__":
    unittest.main()

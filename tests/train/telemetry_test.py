# SPDX-License-Identifier: Apache-2.0
"""`precision.telemetry_every`: what gradients look like, the same at any number of ranks, without touching the run."""
import unittest

from program import RunTest

WATCHED = ("precision.telemetry_every=3", "run.steps=7")


class TelemetryOfRuns(RunTest):
    def telemetry(self, name):
        return self.events(name, "telemetry")

    def test_the_same_numbers_at_any_number_of_ranks_and_the_same_bits_without(self):
        for ranks in (1, 2, 4):
            self.train(f"r{ranks}", ranks, *WATCHED)
        first = self.telemetry("r1")
        self.assertEqual([(e["attempted"], e["loss_scale"]) for e in first], [(3, 1024), (6, 2048)])
        for ranks in (2, 4):
            self.assertEqual(self.telemetry(f"r{ranks}"), first)
        self.train("none", 2, "run.steps=7")
        self.assertEqual(self.telemetry("none"), [])
        self.assert_same_tensors(self.checkpoint("r1", 7), self.checkpoint("none", 7))

    def test_what_one_event_says(self):
        finished = self.train("run", 2, *WATCHED)
        self.assertRegex(finished.err, r"(?m)^mpdist: batch 3 at scale 1024: gradients \d+\.\d % zero, .* doublings left; "
                                       r"activation gradients .* lost at scale 1, .*; recommended scale \d+$")
        event = self.telemetry("run")[0]
        self.assertEqual([t["tensor"] for t in event["gradients"]], ["fc2.bias", "fc2.weight", "fc1.bias", "fc1.weight",
                                                                     "conv2.bias", "conv2.weight", "conv1.bias", "conv1.weight"])
        for t in event["gradients"] + event["activation_gradients"]:
            zeros = round(t["zero_percent"] * t["elements"] / 100)
            self.assertEqual(sum(t["counts_per_exponent"]) + zeros + t["nonfinite"], t["elements"], t)
            self.assertEqual(t["headroom_doublings"], 15 - t["lowest_exponent"] - len(t["counts_per_exponent"]) + 1)
            self.assertEqual(t["lowest_exponent_unscaled"], t["lowest_exponent"] - 10)
            self.assertEqual(t["recommended_scale"], min(2**24, 1024 * 2**(t["headroom_doublings"] - 2)))
        layers = {a["layer"]: a for a in event["activation_gradients"]}
        self.assertEqual(layers["fc2"]["elements"], 64 * 5)
        self.assertEqual(layers["conv1"]["elements"], 64 * 12 * 12 * 4)
        self.assertEqual(event["recommended_scale"],
                         min(t["recommended_scale"] for t in event["gradients"] + event["activation_gradients"]))

    def test_faults_are_met_and_counted_while_it_watches(self):
        faults = "overflow:step=2:rank=0:tensor=conv2.weight,nan-activation:step=5:rank=1:layer=conv2"
        self.train("run", 2, *WATCHED, env={"MPDIST_FAULT": faults})
        overflow, forward = self.events("run", "overflow")
        self.assertIn("conv2.weight", overflow["diagnosis"])
        self.assertIn("forward", forward["diagnosis"])
        first, second = self.telemetry("run")[:2]
        nonfinite = {t["tensor"]: t["nonfinite"] for t in first["gradients"]}
        self.assertEqual([name for name, count in nonfinite.items() if count], ["conv2.weight"])
        self.assertEqual(first["recommended_scale"], 512)
        self.assertGreater(sum(t["nonfinite"] for t in second["activation_gradients"]), 0)


if __name__ == "__main__":
    unittest.main()

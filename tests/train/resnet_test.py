# SPDX-License-Identifier: Apache-2.0
"""The configs of residual networks that ship, in few steps of small batches: the same masters and running statistics on any
number of ranks and after a resume on others, planted faults named, and half the activation memory in FP16."""
import socket
import unittest

import program
from shipped import ShippedTest, cut_fashion_mnist

# A scale that these first steps bear: the only skips are those that a test plants.
NO_SKIPS = "precision.scale_initial=256"


class ResnetTest(ShippedTest):
    def diagnoses(self, name):
        return [event["diagnosis"] for event in self.events(name, "overflow")]

    def assert_named(self, diagnosis, *parts):
        for part in (*parts, socket.gethostname()):
            self.assertIn(part, diagnosis)

    def assert_has_statistics(self, name):
        """`diff` compares what a checkpoint holds: running statistics are among it."""
        done = program.run(["inspect", self.final(name)])
        self.assertIn("statistics/stem.norm.mean", done.out)
        self.assertIn("statistics/stage3.block2.conv2.norm.variance", done.out)

    def activation_peak(self, name):
        return self.events(name, "end")[-1]["peak_bytes"]["activations"]


class Resnet20(ResnetTest):
    config = "fashion_mnist_resnet.toml"
    settings = ("batch.global=16", "run.steps=6", NO_SKIPS)

    def setUp(self):
        super().setUp()
        cut_fashion_mnist(self.path("data"), 60, 24)
        self.settings = (*self.settings, f"data.path={self.path('data')}", "schedule.warmup_steps=2")

    def test_tensors_are_identical_on_1_2_4_8_ranks_in_every_type(self):
        for compute in ("fp16", "bf16", "fp32"):
            self.assert_same_on(compute, 1, 2, 4, 8)
        self.assert_has_statistics("fp16_8")
        for other in ("bf16_1", "fp32_1"):
            self.assert_other_tensors(self.final("fp16_1"), self.final(other))

    def test_stopped_at_4_ranks_and_resumed_at_2(self):
        longer = ("run.steps=40",)
        self.train_shipped("whole", 1, *longer)
        self.assertLess(self.stop_after(3, "stopped", 4, *longer), 40)
        self.train_shipped("stopped", 2, *longer)
        self.assert_same_final("whole", "stopped")

    def test_planted_faults_are_named_and_change_nothing_else(self):
        """Batch 1 overflows in backward on rank 1 of 4, batch 3 is not a number in forward on rank 2."""
        faults = ("overflow:step=1:rank=1:tensor=stage2.block1.conv1.weight",
                  "nan-activation:step=3:rank=2:layer=stage1.block2.conv2")
        self.train_shipped("faults", 4, "log.every=1", env={"MPDIST_FAULT": ",".join(faults)})
        first, second = self.diagnoses("faults")
        self.assert_named(first, "in backward", "tensor stage2.block1.conv1.weight", "layer stage2.block1.conv1", "rank 1",
                          "shard 2")
        self.assert_named(second, "forward", "layer stage1.block2.conv2", "rank 2", "shard 4")
        scales = [(event["loss_scale"], event["next_loss_scale"]) for event in self.events("faults", "overflow")]
        self.assertEqual(scales, [(256, 128), (128, 128)])
        last = self.events("faults", "step")[-1]
        self.assertEqual((last["step"], last["attempted"], last["skipped"]), (6, 8, 2))

    def test_a_skip_leaves_the_running_statistics_alone(self):
        """Where all batches are alike, a run with a skip ends as the run without: the skipped batch had met all norms but the
        last ones before it was found not to be a number."""
        cut_fashion_mnist(self.path("alike"), 16, 8, alike=True)
        same = (f"data.path={self.path('alike')}", "data.augment=[]", "model.dropout=0")
        self.train_shipped("clean", 1, *same)
        self.train_shipped("fault", 2, *same, env={"MPDIST_FAULT": "nan-activation:step=3:rank=1:layer=stage3.block3.conv2"})
        self.assertEqual(len(self.diagnoses("fault")), 1)
        self.assert_same_final("clean", "fault")

    def test_fp16_halves_the_activations(self):
        """A shard as large as in the config: in a small one, statistics (FP32 in both types) weigh more."""
        for compute in ("fp16", "fp32"):
            self.train_shipped(compute, 1, f"precision.compute={compute}", "batch.global=128", "run.steps=2")
        self.assertLessEqual(self.activation_peak("fp16"), 0.55 * self.activation_peak("fp32"))


class Resnet50(ResnetTest):
    config = "synthetic_resnet50.toml"
    settings = ("batch.global=16", "run.steps=2", "data.size=64", "data.test_size=8", NO_SKIPS)

    def test_tensors_are_identical_on_any_ranks_resumed_or_not(self):
        for ranks in (1, 2, 4, 8):
            self.train_shipped(f"r{ranks}", ranks, *(["checkpoint.every=1", "checkpoint.keep=2"] if ranks == 4 else []))
            self.assert_same_final("r1", f"r{ranks}")
        self.assert_has_statistics("r8")
        self.remove_after("r4", 1)
        self.train_shipped("r4", 2)
        self.assert_same_final("r1", "r4")

    def test_other_types_on_4_ranks_and_half_the_activations_in_fp16(self):
        for compute in ("bf16", "fp32"):
            self.assert_same_on(compute, 1, 4)
        self.train_shipped("fp16_1", 1)
        self.assertLessEqual(self.activation_peak("fp16_1"), 0.55 * self.activation_peak("fp32_1"))

    def test_planted_faults_are_named(self):
        faults = ("overflow:step=0:rank=1:tensor=stage3.block2.conv3.weight",
                  "nan-activation:step=1:rank=1:layer=stage4.block1.conv2")
        self.train_shipped("faults", 2, "run.steps=1", env={"MPDIST_FAULT": ",".join(faults)})
        first, second = self.diagnoses("faults")
        self.assert_named(first, "in backward", "stage3.block2.conv3.weight", "layer stage3.block2.conv3", "rank 1", "shard 4")
        self.assert_named(second, "forward", "layer stage4.block1.conv2", "rank 1", "shard 4")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""Skipped steps: all ranks skip, nothing changes, and the line says where it came from. DESIGN 4."""
import os
import socket
import unittest

from program import RunTest


class Overflow(RunTest):
    def test_planted_on_one_of_four_ranks_all_skip_and_it_is_named(self):
        fault = {"MPDIST_FAULT": "overflow:step=5:rank=1:tensor=conv2.weight"}
        self.train("run", 4, "checkpoint.every=1", "checkpoint.keep=20", "log.every=1", env=fault)
        event, = self.events("run", "overflow")
        self.assertEqual((event["attempted"], event["step"], event["loss_scale"], event["next_loss_scale"]), (6, 5, 2048, 1024))
        text = event["diagnosis"]
        for part in ("in backward", "conv2.weight", "layer conv2", "rank 1", socket.gethostname(), "shard 2"):
            self.assertIn(part, text)
        # Twelve applied updates take thirteen batches; the learning rate goes on where it was.
        steps = self.events("run", "step")
        self.assertEqual([e["step"] for e in steps if e["attempted"] != 6], list(range(1, 13)))
        self.assertEqual(steps[-1]["attempted"], 13)
        self.assertEqual(steps[-1]["skipped"], 1)

    def test_weights_and_schedule_do_not_move_on_a_skip(self):
        """With batches that are all alike, a run with a skip is the run without it, one batch later."""
        same = ("data.augment=[]", "model.dropout=0", "data.size=64", "precision.loss_scale=1024.0")
        self.train("clean", 2, *same, "run.steps=6")
        fault = {"MPDIST_FAULT": "overflow:step=5:rank=1:tensor=fc1.weight"}
        self.train("skipped", 2, *same, "run.steps=6", "checkpoint.every=1", "checkpoint.keep=20", env=fault)
        # Positions of a batch are permuted by epoch, so bits differ after the skip; before it they are the same, and the
        # learning rates are those of the applied updates.
        self.train("five", 2, *same, "run.steps=6", "checkpoint.every=1", "checkpoint.keep=20")
        self.assert_same_tensors(self.checkpoint("five", 5), self.checkpoint("skipped", 5))
        applied = [e["lr"] for e in self.events("skipped", "step") if e["attempted"] != 6]
        self.assertEqual(applied, [e["lr"] for e in self.events("clean", "step")])

    def test_saves_and_evaluations_count_applied_updates_and_come_at_the_end(self):
        fault = {"MPDIST_FAULT": "overflow:step=1:rank=0:tensor=fc1.weight"}
        self.train("run", 2, "run.steps=10", "checkpoint.every=4", "evaluate.every=4", env=fault)
        for kind in ("checkpoint", "evaluate"):
            self.assertEqual([e["step"] for e in self.events("run", kind)], [4, 8, 10], kind)

    def test_the_first_bad_tensor_is_minimal_in_gradient_order_then_shard(self):
        """fc2 comes before conv1 in gradient order, shard 1 (rank 0) before shard 6 (rank 3)."""
        fault = ",".join(("overflow:step=2:rank=0:tensor=conv1.weight", "overflow:step=2:rank=3:shard=6:tensor=fc2.bias",
                          "overflow:step=2:rank=0:shard=1:tensor=fc2.bias"))
        self.train("run", 4, env={"MPDIST_FAULT": fault})
        event, = self.events("run", "overflow")
        self.assertIn("fc2.bias", event["diagnosis"])
        self.assertIn("shard 1", event["diagnosis"])
        self.assertIn("rank 0", event["diagnosis"])

    def test_overflow_in_the_sum_names_the_tensor(self):
        """At this scale every leaf is finite in FP16 and the sum of eight is not."""
        finished = self.train("run", 2, "run.steps=2", "precision.scale_initial=16777216", "precision.scale_ceiling=16777216",
                              "comm.wire=fp16")
        texts = [e["diagnosis"] for e in self.events("run", "overflow")]
        self.assertTrue(texts, finished.err)

    def test_non_finite_forward_is_replayed_and_named_and_leaves_the_scale_alone(self):
        fault = {"MPDIST_FAULT": "nan-activation:step=3:rank=1:layer=conv2"}
        self.train("run", 2, env=fault)
        event, = self.events("run", "overflow")
        self.assertEqual(event["loss_scale"], event["next_loss_scale"])
        for part in ("forward", "conv2", "rank 1", socket.gethostname(), "shard 4"):
            self.assertIn(part, event["diagnosis"])
        self.assertEqual(self.events("run", "step")[-1]["skipped"], 1)

    def test_the_first_non_finite_value_of_all_ranks_is_named(self):
        """conv1 comes before conv2, shard 2 (rank 1) before shard 5 (rank 2)."""
        fault = ",".join(("nan-activation:step=3:rank=0:layer=conv2", "nan-activation:step=3:rank=1:layer=conv1",
                          "nan-activation:step=3:rank=2:shard=5:layer=conv1"))
        self.train("run", 4, env={"MPDIST_FAULT": fault})
        event, = self.events("run", "overflow")
        for part in ("layer conv1", "rank 1", "shard 2"):
            self.assertIn(part, event["diagnosis"])

    def test_at_the_floor_the_run_ends_with_the_diagnosis(self):
        fault = ",".join(f"overflow:step={step}:rank=1:tensor=conv1.bias" for step in range(2, 9))
        finished = self.train("run", 2, "precision.patience=3", "precision.scale_initial=2", env={"MPDIST_FAULT": fault},
                              expect=65)
        self.assertIn("conv1.bias", finished.err)
        self.assertEqual(len([line for line in finished.lines() if "in a row" in line]), 1)

    def test_hysteresis_tolerates_the_first_overflow(self):
        fault = ",".join(f"overflow:step={step}:rank=0:tensor=conv1.bias" for step in (1, 2))
        self.train("run", 2, "precision.hysteresis=2", env={"MPDIST_FAULT": fault})
        events = self.events("run", "overflow")
        self.assertEqual([e["next_loss_scale"] for e in events], [1024, 512])


class Drift(RunTest):
    def test_a_rank_that_drifts_is_named_by_the_audit(self):
        fault = {"MPDIST_FAULT": "flip-weight:step=4:rank=2:tensor=conv2.weight"}
        finished = self.train("run", 4, "run.audit_every=6", "precision.compute=fp32", env=fault, expect=70)
        text = "\n".join(finished.lines())
        for part in ("ranks disagree", "audit of attempted step 6", "conv2.weight", "rank 2"):
            self.assertIn(part, text)

    def test_a_checkpoint_is_written_only_when_its_audit_agreed(self):
        fault = {"MPDIST_FAULT": "flip-weight:step=4:rank=1:tensor=conv2.weight"}
        self.train("run", 4, "run.audit_every=1000", "checkpoint.every=3", env=fault, expect=70)
        self.assertTrue(os.path.exists(self.checkpoint("run", 3)))
        self.assertFalse(os.path.exists(self.checkpoint("run", 6)))

    def test_with_two_ranks_both_are_candidates(self):
        fault = {"MPDIST_FAULT": "flip-weight:step=4:rank=1:tensor=conv2.weight"}
        finished = self.train("run", 2, "run.audit_every=5", env=fault, expect=70)
        self.assertIn("tie", finished.err)


if __name__ == "__main__":
    unittest.main()

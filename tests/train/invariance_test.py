# SPDX-License-Identifier: Apache-2.0
"""The same bits at any number of ranks, resumed or not: DESIGN 6, on whole runs."""
import os
import unittest

from program import RESNET, SEQUENTIAL, VGG, RunTest


class Invariance(RunTest):
    def test_masters_are_identical_on_1_2_4_8_ranks_in_every_type(self):
        for compute in ("fp16", "bf16", "fp32"):
            for ranks in (1, 2, 4, 8):
                self.train(f"{compute}_{ranks}", ranks, f"precision.compute={compute}")
                self.assert_same_tensors(self.checkpoint(f"{compute}_1"), self.checkpoint(f"{compute}_{ranks}"))

    def test_residual_networks_with_their_statistics_on_1_2_4_8_ranks(self):
        for ranks in (1, 2, 4, 8):
            self.train(f"r{ranks}", ranks, "run.steps=6", model=RESNET)
            self.assert_same_tensors(self.checkpoint("r1", 6), self.checkpoint(f"r{ranks}", 6))
        self.train("whole", 1, model=RESNET)
        self.train("resumed", 4, "checkpoint.every=3",
                   "checkpoint.keep=20", model=RESNET)
        self.remove_after("resumed", 6)
        self.train("resumed", 2, model=RESNET)
        self.assert_same_tensors(self.checkpoint("whole"), self.checkpoint("resumed"))

    def test_networks_in_toml_and_vgg_on_1_2_8_ranks(self):
        for name, model in (("sequential", SEQUENTIAL), ("vgg", VGG)):
            for ranks in (1, 2, 8):
                self.train(f"{name}_{ranks}", ranks, "run.steps=4", model=model)
                self.assert_same_tensors(self.checkpoint(f"{name}_1", 4), self.checkpoint(f"{name}_{ranks}", 4))
        self.train("whole", 1, model=SEQUENTIAL)
        self.train("resumed", 4, "checkpoint.every=3", "checkpoint.keep=20", model=SEQUENTIAL)
        self.remove_after("resumed", 6)
        self.train("resumed", 2, model=SEQUENTIAL)
        self.assert_same_tensors(self.checkpoint("whole"), self.checkpoint("resumed"))

    def test_a_new_run_from_the_weights_of_another(self):
        self.train("first", 1, model=SEQUENTIAL)
        settings = (f"model.init={self.checkpoint('first')}", "run.seed=4", "checkpoint.every=6", "checkpoint.keep=20")
        for ranks in (1, 4):
            said = self.train(f"r{ranks}", ranks, *settings, model=SEQUENTIAL)
            self.assertIn("(step 12): 37 tensors", said.err)
        self.assert_same_tensors(self.checkpoint("r1"), self.checkpoint("r4"))
        self.train("fresh", 1, "run.seed=4", model=SEQUENTIAL)
        self.assert_other_tensors(self.checkpoint("r1"), self.checkpoint("fresh"))
        os.remove(self.checkpoint("first"))
        self.remove_after("r4", 6)
        self.train("r4", 2, *settings, model=SEQUENTIAL)
        self.assert_same_tensors(self.checkpoint("r1"), self.checkpoint("r4"))

    def test_every_optimizer_keeps_the_bits_on_other_ranks_and_over_a_resume(self):
        optimizers = {
            "adamw": "lr = 0.01",
            "rmsprop": "lr = 0.001\nmomentum = 0.5\ncentered = true",
            "lion": "lr = 0.001",
            "lars": 'lr = 1.0\ndecay = "coupled"',
            "lamb": "lr = 0.01",
        }
        for name, keys in optimizers.items():
            optimizer = f'name = "{name}"\n{keys}'
            self.train(name, 1, optimizer=optimizer)
            self.train(name + "_resumed", 8, "checkpoint.every=5", "checkpoint.keep=20", optimizer=optimizer)
            self.assert_same_tensors(self.checkpoint(name), self.checkpoint(name + "_resumed"))
            self.remove_after(name + "_resumed", 5)
            self.train(name + "_resumed", 2, optimizer=optimizer)
            self.assert_same_tensors(self.checkpoint(name), self.checkpoint(name + "_resumed"))

    def test_frozen_parameters_and_groups_keep_the_bits(self):
        groups = '[{pattern = "*.bias", lr_scale = 2}, {pattern = "*", weight_decay = 0.01}]'
        settings = ('model.freeze=["conv1.*", "fc1.bias"]', "optimizer.groups=" + groups)
        self.train("one", 1, *settings)
        self.train("resumed", 4, "checkpoint.every=5", "checkpoint.keep=20", *settings)
        self.assert_same_tensors(self.checkpoint("one"), self.checkpoint("resumed"))
        self.remove_after("resumed", 5)
        refused = self.train("resumed", 2, settings[0], expect=2)
        self.assertIn("optimizer.groups: 2 tables in the checkpoint, 0 tables in the config", refused.err)
        self.train("resumed", 2, *settings)
        self.assert_same_tensors(self.checkpoint("one"), self.checkpoint("resumed"))

    def test_types_differ_after_one_step(self):
        for compute in ("fp16", "bf16", "fp32"):
            self.train(compute, 1, f"precision.compute={compute}", "run.steps=1")
        for a, b in (("fp16", "bf16"), ("fp16", "fp32"), ("bf16", "fp32")):
            self.assert_other_tensors(self.checkpoint(a, 1), self.checkpoint(b, 1))

    def test_rank_counts_that_are_no_power_of_two(self):
        for ranks in (3, 6):
            self.train(f"r{ranks}", ranks, "batch.shards=12", "batch.global=96")
        self.assert_same_tensors(self.checkpoint("r3"), self.checkpoint("r6"))

    def test_every_wire_type_is_invariant_and_matters(self):
        for wire in ("fp16", "bf16", "fp32"):
            for ranks in (1, 4):
                self.train(f"{wire}_{ranks}", ranks, f"comm.wire={wire}")
            self.assert_same_tensors(self.checkpoint(f"{wire}_1"), self.checkpoint(f"{wire}_4"))
        self.assert_other_tensors(self.checkpoint("fp16_1"), self.checkpoint("fp32_1"))

    def test_evaluation_is_the_same_on_any_number_of_ranks(self):
        for ranks in (1, 2, 4):
            self.train(f"r{ranks}", ranks, "data.test_size=77")
        results = [self.events(f"r{ranks}", "evaluate")[-1] for ranks in (1, 2, 4)]
        for other in results[1:]:
            for key in ("loss", "accuracy", "samples"):
                self.assertEqual(results[0][key], other[key])
        self.assertEqual(results[0]["samples"], 77)

    def test_work_is_shared(self):
        for ranks in (1, 2, 4):
            self.train(f"r{ranks}", ranks)
            for event in self.events(f"r{ranks}", "step"):
                self.assertEqual(event["samples_per_rank"], [64 // ranks] * ranks)
                self.assertEqual(all(sent > 0 for sent in event["bytes_sent_per_rank"]), ranks > 1)

    def test_a_dropped_gradient_changes_the_masters(self):
        self.train("whole", 2)
        self.train("dropped", 2, env={"MPDIST_FAULT": "drop-gradient:step=3:rank=1"})
        self.assert_other_tensors(self.checkpoint("whole"), self.checkpoint("dropped"))

    def test_another_seed_gives_other_masters(self):
        self.train("one", 1)
        self.train("two", 1, "run.seed=4")
        self.assert_other_tensors(self.checkpoint("one"), self.checkpoint("two"))

    def test_loader_threads_do_not_matter(self):
        self.train("one", 1)
        self.train("none", 1, "data.workers=0")
        self.train("three", 1, "data.workers=3", "data.prefetch=5")
        self.assert_same_tensors(self.checkpoint("one"), self.checkpoint("none"))
        self.assert_same_tensors(self.checkpoint("one"), self.checkpoint("three"))


class Resume(RunTest):
    def test_stopped_anywhere_and_resumed_on_other_ranks(self):
        """Scale growth at 5 and 10 clean steps, a skip at 7, warm-up, average: whatever is missing in a checkpoint shows."""
        fault = {"MPDIST_FAULT": "overflow:step=7:rank=0:tensor=conv1.weight"}
        self.train("whole", 2, env=fault)
        for stop in (1, 4, 6, 7, 9):
            for first, then in ((4, 2), (1, 8)):
                name = f"s{stop}_{first}_{then}"
                # The schedule's length must not change, so the first part is stopped by the planned number of steps alone.
                self.train(name, first, "checkpoint.every=1", "checkpoint.keep=20", env=fault)
                self.remove_after(name, stop)
                self.train(name, then, env=fault)
                self.assert_same_tensors(self.checkpoint("whole"), self.checkpoint(name))

    def test_every_rank_goes_on_with_the_allowance(self):
        """Of three overflows that are tolerated, two lie before the stop and one behind it."""
        fault = {"MPDIST_FAULT": ",".join(f"overflow:step={k}:rank=0:tensor=conv1.weight" for k in (1, 2, 6, 8))}
        settings = ("precision.hysteresis=3", "precision.scale_interval=100", "checkpoint.every=1", "checkpoint.keep=20")
        self.train("run", 2, *settings, env=fault)
        self.remove_after("run", 3)
        self.train("run", 4, *settings, env=fault)
        self.assertEqual([e["next_loss_scale"] for e in self.events("run", "overflow")], [1024, 1024, 512, 256])

    def test_every_rank_goes_on_with_the_count_of_hopeless_skips(self):
        """The last checkpoint of the first run lies between the second and the third skip at the floor."""
        settings = ("precision.patience=3", "precision.scale_initial=1", "checkpoint.every_minutes=1e-9")
        fault = {"MPDIST_FAULT": ",".join(f"overflow:step={k}:rank=0:tensor=conv1.weight" for k in (2, 3, 4))}
        self.train("run", 2, *settings, env=fault, expect=65)
        self.train("run", 4, *settings, env=fault, expect=65)
        self.assertEqual([e["attempted"] for e in self.events("run", "overflow")], [3, 4, 5])

    def test_metrics_go_on_without_gap_or_repetition(self):
        self.train("run", 2, "checkpoint.every=4", "checkpoint.keep=20")
        self.remove_after("run", 8)
        self.train("run", 1)
        steps = [event["step"] for event in self.events("run", "step")]
        self.assertEqual(steps, list(range(1, 13)))

    def test_a_finished_run_says_so_and_changes_nothing(self):
        self.train("run", 2)
        finished = self.train("run", 4)
        self.assertIn("finished", finished.err)

    def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(self):
        self.train("whole", 1)
        self.train("run", 1, "checkpoint.every=4", "checkpoint.keep=20")
        with open(self.checkpoint("run"), "r+b") as file:
            file.truncate(3000)
        finished = self.train("run", 1)
        self.assertIn("step_00000012.h5", finished.err)
        self.assertIn("step 8", finished.err)
        self.assert_same_tensors(self.checkpoint("whole"), self.checkpoint("run"))

    def test_a_changed_fixed_key_is_refused_with_both_values(self):
        self.train("run", 1, "checkpoint.every=4", "checkpoint.keep=20")
        self.remove_after("run", 4)
        finished = self.train("run", 1, "optimizer.lr=0.01", expect=2)
        self.assertIn("optimizer.lr", finished.err)
        self.assertIn("0.05", finished.err)
        self.assertIn("0.01", finished.err)
        self.train("run", 1, "optimizer.lr=0.01", "run.branch=true")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""The trainer with device = "cuda" on several ranks: on the software GPU, lazy and at random, or on real ones."""
import os
import re
import unittest

import program
from program import CNN, RESNET, RunTest

MLP = 'name = "mlp"\nhidden = [16]\ndropout = 0.25'
# Four shards of four small images; half the test images fill a block.
SMALL = ("batch.global=16", "batch.shards=4", "data.size=100", "data.test_size=10", "data.height=8", "data.width=8",
         "run.steps=6", "precision.scale_interval=3", "schedule.warmup_steps=2")
LAZY = {"SOFTWARE_GPU_SCHEDULE": "lazy"}


def seeded(seed):
    return {"SOFTWARE_GPU_SCHEDULE": "random", "SOFTWARE_GPU_SEED": str(seed)}


def gpus():
    return len(re.findall(r"^GPU \d", program.run(["doctor"]).out, re.M))


GPUS = gpus()
if GPUS == 0:
    raise RuntimeError(f"{program.PROGRAM} finds no GPU: {program.run(['doctor']).out}")
software_gpu_only = unittest.skipUnless("SOFTWARE_GPU_PTX" in os.environ, "a software GPU's settings")


class CudaTest(RunTest):
    def need(self, ranks):
        if ranks > GPUS:
            self.skipTest(f"{ranks} ranks need as many GPUs, found {GPUS}")

    def cuda(self, name, ranks, *settings, env=None, **options):
        """A run on GPUs; the exit code would tell of any defect, and so do lines on stderr."""
        self.need(ranks)
        done = self.train(name, ranks, *SMALL, "run.device=cuda", *settings, env=env, **options)
        self.assertNotIn("software GPU:", done.err)
        return done

    def cpu(self, name, ranks, *settings, **options):
        return self.train(name, ranks, *SMALL, "run.device=cpu", *settings, **options)

    def curve(self, name, *keys):
        return [tuple(event[key] for key in keys) for event in self.events(name, "step")]

    def assert_near(self, name, other, relative=0.02):
        """Losses of both runs, step by step and at the end, to the accuracy of FP16."""
        for kind in ("step", "evaluate"):
            for mine, reference in zip(self.events(name, kind), self.events(other, kind), strict=True):
                self.assertAlmostEqual(mine["loss"], reference["loss"], delta=relative * reference["loss"])


class Runs(CudaTest):
    """Masters on 1, 2 and 4 GPUs, each under another schedule; decisions, scales and data order as on the CPU."""

    def check(self, model, *settings):
        # The third attempted step overflows on one rank: all skip it.
        cases = ((1, LAZY), (2, LAZY), (4, LAZY), (2, seeded(1)), (4, seeded(2)), (2, seeded(3)))
        for ranks, env in (case for case in cases if case[0] <= GPUS):
            name = f"cuda{ranks}_{env.get('SOFTWARE_GPU_SEED', 'lazy')}"
            fault = {"MPDIST_FAULT": f"overflow:step=2:rank={ranks - 1}:tensor={self.overflows(model)}:shard=3"}
            self.cuda(name, ranks, *settings, model=model, env={**env, **fault})
            self.assert_same_tensors(self.checkpoint("cuda1_lazy", 6), self.checkpoint(name, 6))
            self.assertEqual(self.curve(name, "loss", "accuracy", "grad_norm"),
                             self.curve("cuda1_lazy", "loss", "accuracy", "grad_norm"))
        self.cpu("cpu", 1, *settings, model=model,
                 env={"MPDIST_FAULT": f"overflow:step=2:rank=0:tensor={self.overflows(model)}:shard=3"})
        decisions = ("step", "attempted", "epoch", "lr", "loss_scale", "skipped", "samples_per_rank")
        self.assertEqual(self.curve("cuda1_lazy", *decisions), self.curve("cpu", *decisions))
        self.assert_near("cuda1_lazy", "cpu")
        for name in ("cpu", "cuda1_lazy", f"cuda{max(case[0] for case in cases if case[0] <= GPUS)}_lazy"):
            event, = self.events(name, "overflow")
            self.assertEqual((event["attempted"], event["step"], event["where"]), (3, 2, "backward"))
            self.assertEqual((event["shard"], event["tensor"]), (3, self.overflows(model)))

    @staticmethod
    def overflows(model):
        return "fc1.weight" if "mlp" in model else "conv1.weight" if "cnn" in model else "fc.weight"

    def test_mlp(self):
        self.check(MLP)

    def test_cnn(self):
        self.check(CNN)

    def test_resnet(self):
        # A small rate: rounding in FP16 grows through 20 norms over 4 rows each, on the CPU as on GPUs.
        self.check(RESNET, "data.augment=[]", "optimizer.lr=0.005")


class Waits(CudaTest):
    @software_gpu_only
    def test_the_host_waits_once_a_step(self):
        """Evaluation, saves and the start wait too: the same number in both runs."""
        waits = []
        for steps in (4, 10):
            done = self.train(f"run{steps}", 1, *SMALL, "run.device=cuda", f"run.steps={steps}",
                              env={**LAZY, "SOFTWARE_GPU_STATISTICS": "1"})
            waits.append(int(re.search(r"host waits: (\d+)", done.err).group(1)))
        self.assertEqual(waits[1] - waits[0], 6)


class Types(CudaTest):
    def test_bf16_and_fp32_keep_the_bits_on_two_ranks(self):
        for compute in ("bf16", "fp32"):
            settings = (f"precision.compute={compute}", "run.steps=3")
            self.cuda(compute + "1", 1, *settings, env=LAZY)
            self.cuda(compute + "2", 2, *settings, env=seeded(4))
            self.assert_same_tensors(self.checkpoint(compute + "1", 3), self.checkpoint(compute + "2", 3))
            self.cpu(compute, 1, *settings)
            self.assert_near(compute + "1", compute)

    def test_the_library_sum_trains(self):
        for ranks in (1, 2):
            self.cuda(f"r{ranks}", ranks, "comm.reduction=library", "run.steps=3", env=seeded(5))
        self.assert_near("r2", "r1")


class Diagnosis(CudaTest):
    def test_a_forward_nan_is_named(self):
        fault = {"MPDIST_FAULT": "nan-activation:step=1:rank=1:layer=conv2"}
        self.cuda("run", 2, "run.steps=2", env={**LAZY, **fault})
        event, = self.events("run", "overflow")
        self.assertEqual((event["where"], event["layer"], event["rank"], event["shard"]), ("forward", "conv2", 1, 2))
        self.assertEqual(event["loss_scale"], event["next_loss_scale"])

    def test_drift_is_named(self):
        self.need(2)
        fault = {"MPDIST_FAULT": "flip-weight:step=1:rank=1:tensor=conv2.weight"}
        done = self.train("run", 2, *SMALL, "run.device=cuda", "run.audit_every=3", env={**LAZY, **fault}, expect=70)
        line, = done.lines()[-1:]
        for part in ("audit of attempted step 3", "master/conv2.weight", "first differing element 0", "rank 1 has"):
            self.assertIn(part, line)

    def test_telemetry_counts_every_element(self):
        for ranks, run in ((1, self.cuda), (2, self.cuda), (2, self.cpu)):
            run(f"{run.__name__}{ranks}", ranks, "precision.telemetry_every=2", "run.steps=2", model=MLP)
        one, two, cpu = (self.events(name, "telemetry")[0] for name in ("cuda1", "cuda2", "cpu2"))
        self.assertEqual(one, two)
        for kind in ("gradients", "activation_gradients"):
            for mine, reference in zip(two[kind], cpu[kind], strict=True):
                for key in ("tensor", "layer", "operation", "elements", "nonfinite"):
                    self.assertEqual(mine.get(key), reference.get(key))
                self.assertAlmostEqual(mine["zero_percent"], reference["zero_percent"], delta=5)
                self.assertAlmostEqual(sum(mine["counts_per_exponent"]), sum(reference["counts_per_exponent"]),
                                       delta=0.05 * mine["elements"])


class Checkpoints(CudaTest):
    def test_a_run_goes_on_where_it_was(self):
        every = ("checkpoint.every=3", "checkpoint.keep=20")
        self.cuda("whole", 1, *every, env=LAZY)
        self.cuda("resumed", 4, *every, env=seeded(6))
        self.remove_after("resumed", 3)
        self.assertIn("resumed from", self.cuda("resumed", 2, *every, env=seeded(7)).err)
        self.assert_same_tensors(self.checkpoint("whole", 6), self.checkpoint("resumed", 6))

    def test_written_on_one_device_and_resumed_on_the_other(self):
        every = ("checkpoint.every=3", "checkpoint.keep=20")
        for first, then in ((self.cuda, self.cpu), (self.cpu, self.cuda)):
            name = first.__name__
            first(name, 2, *every)
            self.remove_after(name, 3)
            # What the other device reads and would write again is what it found.
            then(name, 1, *every, "run.steps=3", "run.branch=true")
            self.assertIn("resumed from", then(name, 2, *every).err)
            self.assertEqual([step for step, in self.curve(name, "step")], [1, 2, 3, 4, 5, 6])
        self.assert_near("cuda", "cpu")

    def test_evaluate_on_either_device(self):
        self.need(2)
        self.cuda("run", 1, "run.steps=2")
        said = []
        for device, ranks in (("cuda", 1), ("cuda", 2), ("cpu", 2)):
            done = program.run(["evaluate", self.path("run"), "--set", f"run.device={device}"], ranks)
            self.assertEqual(done.code, 0, done.err)
            said.append(re.search(r"accuracy ([\d.]+), loss ([\d.]+) on 10 samples", done.out).groups())
        self.assertEqual(said[0], said[1])
        self.assertAlmostEqual(float(said[0][1]), float(said[2][1]), delta=0.02 * float(said[2][1]))


class Devices(CudaTest):
    def refused(self, ranks, env):
        done = self.train("refused", ranks, "run.device=cuda", env=env, expect=2)
        line, = done.lines()
        self.assertFalse(os.path.exists(self.path("refused")))
        return line

    @software_gpu_only
    def test_cuda_without_gpus_is_refused_with_the_reason(self):
        self.assertIn("no NVIDIA driver", self.refused(1, {"SOFTWARE_GPU_DEVICES": "none"}))
        self.assertIn("no CUDA device is visible", self.refused(2, {"SOFTWARE_GPU_DEVICES": "0"}))
        self.assertIn("1 visible GPU for 2 ranks: too few", self.refused(2, {"SOFTWARE_GPU_DEVICES": "1"}))

    @software_gpu_only
    def test_auto_takes_the_cpu_and_says_so(self):
        for devices, ranks, reason in (("none", 1, "no NVIDIA driver"), ("1", 2, "too few")):
            done = self.train("run" + devices, ranks, *SMALL, "run.steps=2", env={"SOFTWARE_GPU_DEVICES": devices})
            line, = [line for line in done.lines() if "computing on the CPU" in line]
            self.assertIn(reason, line)
        self.cpu("cpu", 2, "run.steps=2")
        self.assert_same_tensors(self.checkpoint("run1", 2), self.checkpoint("cpu", 2))

    def test_auto_takes_gpus_that_are_there(self):
        self.need(2)
        self.train("auto", 2, *SMALL, "run.steps=2", env=seeded(8))
        self.cuda("cuda", 1, "run.steps=2", env=LAZY)
        self.assert_same_tensors(self.checkpoint("auto", 2), self.checkpoint("cuda", 2))

    @software_gpu_only
    def test_out_of_memory_is_one_line_that_says_what_to_lower(self):
        done = self.train("big", 2, *SMALL, "run.device=cuda", model='name = "mlp"\nhidden = [4096, 4096]',
                          env={"SOFTWARE_GPU_MEMORY_MIB": "64"}, expect=1)
        line = next(line for line in done.lines() if "out of GPU memory" in line)
        for part in ("MiB asked for", "held: parameters", "lower batch.global"):
            self.assertIn(part, line)

    def test_the_memory_of_a_gpu_is_reported_by_kind(self):
        for name, run in (("cuda", self.cuda), ("cpu", self.cpu)):
            run(name, 1, "run.steps=2")
        mine, reference = (self.events(name, "end")[-1]["peak_bytes"] for name in ("cuda", "cpu"))
        for kind in ("parameters", "optimizer"):
            self.assertEqual(mine[kind], reference[kind])
        self.assertGreater(mine["activations"], 0)


if __name__ == "__main__":
    unittest.main()

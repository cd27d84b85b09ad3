# SPDX-License-Identifier: Apache-2.0
"""Runs the built program in a scratch folder, alone or under mpirun; shared by the tests of whole runs.

MPDIST names the program, MPIEXEC what starts its ranks (ctest sets them). Every run has a time limit: a hang is a named failure.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("MPDIST", "build/cpu/mpdist")
MPIEXEC = os.environ.get("MPIEXEC", "mpirun")  # that of the MPI library which the program was built with
MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}

# A small run with everything that has state or randomness: dropout, augmentation, momentum, warm-up, average, dynamic scale.
CONFIG = """
[run]
name = "test"
output = "{output}"
seed = 3
steps = 12

[batch]
global = 64
shards = 8

[precision]
compute = "fp16"
scale_initial = 1024
scale_interval = 5

[model]
{model}
label_smoothing = 0.05

[data]
format = "synthetic"
size = 500
test_size = 100
height = 12
width = 12
classes = 5
augment = ["crop", "flip"]

[optimizer]
{optimizer}
weight_decay = 1e-3
clip_norm = 2.0
ema_decay = 0.9

[schedule]
name = "cosine"
warmup_steps = 4

[log]
every = 1
"""


# The networks of the small run: keys of [model] beside label_smoothing; its optimizer: keys beside weight_decay.
CNN = 'name = "cnn"\nchannels = [4, 8]\nhidden = 16\ndropout = 0.25'
RESNET = 'name = "resnet"\ndepth = 20\nwidth = 4\ndropout = 0.25'
SGD = 'name = "sgd"\nlr = 0.05\nmomentum = 0.9\nnesterov = true'
VGG = 'name = "vgg"\ndepth = 11\nwidth = 4\nnorm = true'
SEQUENTIAL = """name = "sequential"
layers = [
  {type = "conv", channels = 4, norm = true, activation = "relu"},
  {type = "residual", repeat = 2, layers = [
    {type = "conv", channels = 8, norm = true, activation = "relu"}, {type = "conv", channels = 8, stride = 2, norm = true}]},
  {type = "branch", activation = "gelu", paths = [{}, {layers = [{type = "max_pool", window = 3, stride = 1, padding = 1}]}]},
  {type = "dropout", probability = 0.25}, {type = "linear"}]"""


class Finished:
    """A finished run: exit code, and what it wrote."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def lines(self):
        """What the program itself said on stderr, without mpirun's own notices."""
        return [line for line in self.err.splitlines() if line.startswith("mpdist:")]


def environment(extra=None):
    env = {k: v for k, v in os.environ.items() if k != "MPDIST_FAULT"}
    env.update(MPI_ENVIRONMENT)
    env.update(extra or {})
    return env


def command(arguments, ranks=None):
    prefix = [] if ranks is None else [MPIEXEC, "-n", str(ranks)]
    return prefix + [PROGRAM] + [str(a) for a in arguments]


def run(arguments, ranks=None, env=None, timeout=120):
    done = subprocess.run(command(arguments, ranks), env=environment(env), capture_output=True, text=True, timeout=timeout,
                          check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


class RunTest(unittest.TestCase):
    """A scratch folder with one config, and the questions that tests of runs ask."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mpdist-test-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def train(self, name, ranks, *settings, model=CNN, optimizer=SGD, data=None, env=None, expect=0, timeout=120):
        """Trains into folder `name` with `--set` settings; fails the test unless the exit code is `expect`.

        `data` takes the place of the keys of [data].
        """
        config = self.path(name + ".toml")
        text = CONFIG.format(output=self.path(name), model=model, optimizer=optimizer)
        if data is not None:
            text = re.sub(r"(?ms)^\[data\]\n.*?(?=^\[)", lambda _: f"[data]\n{data}\n\n", text)
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        arguments = [config]
        for setting in settings:
            arguments += ["--set", setting]
        finished = run(arguments, ranks, env, timeout)
        self.assertEqual(finished.code, expect, f"{name} on {ranks} ranks: {finished.err[-3000:]}")
        return finished

    def remove_after(self, name, step):
        """What a job that was killed at `step` would have left."""
        for file in glob.glob(self.path(name, "checkpoints", "step_*.h5")):
            if int(os.path.basename(file)[5:13]) > step:
                os.remove(file)

    def checkpoint(self, name, step=12):
        return self.path(name, "checkpoints", f"step_{step:08d}.h5")

    def assert_same_tensors(self, a, b):
        done = run(["diff", a, b])
        self.assertEqual(done.code, 0, done.out + done.err)
        self.assertIn("identical:", done.out)

    def assert_other_tensors(self, a, b):
        done = run(["diff", a, b])
        self.assertEqual(done.code, 1, done.out + done.err)

    def events(self, name, kind=None):
        with open(self.path(name, "metrics.jsonl"), encoding="utf-8") as file:
            all_events = [json.loads(line) for line in file]
        return [e for e in all_events if kind is None or e["event"] == kind]

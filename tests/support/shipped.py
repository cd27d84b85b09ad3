# SPDX-License-Identifier: Apache-2.0
"""Runs of a config that ships, as it stands but for `--set` settings of length and size."""
import glob
import gzip
import os
import signal
import struct
import subprocess
import time

import program
from program import RunTest

CONFIGS = os.path.join(os.path.dirname(__file__), "..", "..", "launch", "configs")
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"


class ShippedTest(RunTest):
    config = None  # file below launch/configs
    settings = ()  # of every run

    def arguments(self, name, *settings):
        arguments = [os.path.join(CONFIGS, self.config)]
        for setting in (f"run.output={self.path(name)}", *self.settings, *settings):
            arguments += ["--set", setting]
        return arguments

    def train_shipped(self, name, ranks, *settings, env=None):
        finished = program.run(self.arguments(name, *settings), ranks, env)
        self.assertEqual(finished.code, 0, f"{name} on {ranks} ranks: {finished.err[-2000:]}")

    def final(self, name):
        """The checkpoint of the largest step."""
        return max(glob.glob(self.path(name, "checkpoints", "step_*.h5")))

    def assert_same_final(self, a, b):
        self.assertEqual(os.path.basename(self.final(a)), os.path.basename(self.final(b)))
        self.assert_same_tensors(self.final(a), self.final(b))

    def assert_same_on(self, compute, *rank_counts):
        """Runs <compute>_<ranks> end with the same tensors."""
        for ranks in rank_counts:
            self.train_shipped(f"{compute}_{ranks}", ranks, f"precision.compute={compute}")
            self.assert_same_final(f"{compute}_{rank_counts[0]}", f"{compute}_{ranks}")

    def stop_after(self, steps, name, ranks, *settings):
        """Stops the run with SIGUSR1 once it has reported so many steps; returns the step of its only checkpoint."""
        process = subprocess.Popen(program.command(self.arguments(name, "log.every=1", *settings), ranks),
                                   env=program.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not self.has_stepped(name, steps):
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(60), 85)
        saved, = glob.glob(self.path(name, "checkpoints", "step_*.h5"))
        return int(os.path.basename(saved)[5:13])

    def has_stepped(self, name, count):
        try:
            with open(self.path(name, "metrics.jsonl"), encoding="utf-8") as file:
                return sum('"event":"step"' in line for line in file) >= count
        except FileNotFoundError:
            return False


def cut_fashion_mnist(folder, train, test, alike=False):
    """Writes the first images of each part to `folder`, uncompressed: every run evaluates all test images. `alike`: the first
    image so many times."""
    os.makedirs(folder)
    for part, count in (("train", train), ("t10k", test)):
        for name, header, item in ((f"{part}-images-idx3-ubyte", 16, 28 * 28), (f"{part}-labels-idx1-ubyte", 8, 1)):
            with gzip.open(os.path.join(FASHION_MNIST, name + ".gz")) as file:
                head, items = file.read(header), file.read(item) * count if alike else file.read(item * count)
            with open(os.path.join(folder, name), "wb") as file:
                file.write(head[:4] + struct.pack(">i", count) + head[8:] + items)

# SPDX-License-Identifier: Apache-2.0
"""The config that ships, on the real images: the same bits on 1, 2, 4 and 8 ranks in every type, stopped and resumed or not."""
import glob
import os
import signal
import subprocess
import time
import unittest

import program
from program import RunTest

CONFIG = os.path.join(os.path.dirname(__file__), "..", "..", "launch", "configs", "fashion_mnist.toml")
STEPS = 50


class FashionMnist(RunTest):
    def arguments(self, name, *settings):
        arguments = [CONFIG, "--set", f"run.output={self.path(name)}", "--set", f"run.steps={STEPS}"]
        for setting in settings:
            arguments += ["--set", setting]
        return arguments

    def fifty_steps(self, name, ranks, *settings):
        finished = program.run(self.arguments(name, *settings), ranks)
        self.assertEqual(finished.code, 0, finished.err[-2000:])

    def test_masters_are_identical_after_50_steps(self):
        for compute in ("fp16", "bf16", "fp32"):
            for ranks in (1, 2, 4, 8):
                self.fifty_steps(f"{compute}_{ranks}", ranks, f"precision.compute={compute}")
                self.assert_same_tensors(self.checkpoint(f"{compute}_1", STEPS), self.checkpoint(f"{compute}_{ranks}", STEPS))

    def test_stopped_at_4_ranks_and_resumed_at_2(self):
        self.fifty_steps("whole", 1)
        process = subprocess.Popen(program.command(self.arguments("stopped", "log.every=1"), 4), env=program.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not self.has_stepped("stopped", 10):
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(60), 85)
        saved, = glob.glob(self.path("stopped", "checkpoints", "step_*.h5"))
        self.assertLess(int(os.path.basename(saved)[5:13]), STEPS)
        self.fifty_steps("stopped", 2)
        self.assert_same_tensors(self.checkpoint("whole", STEPS), self.checkpoint("stopped", STEPS))

    def has_stepped(self, name, count):
        try:
            with open(self.path(name, "metrics.jsonl"), encoding="utf-8") as file:
                return sum('"event":"step"' in line for line in file) >= count
        except FileNotFoundError:
            return False


if __name__ == "__main__":
    unittest.main()

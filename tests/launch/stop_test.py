# SPDX-License-Identifier: Apache-2.0
"""A run stopped on request saves, says so with exit 85, and goes on as if nothing had happened."""
import json
import os
import signal
import unittest

from long_save import STEPS, LongSaveTest


class Stop(LongSaveTest):
    def assert_stopped_with_a_checkpoint(self, name, job):
        """Exit 85 after a whole step, and the checkpoint is of that step."""
        self.assertEqual(job.wait(), 85, job.said())
        last = self.events(name, "step")[-1]["step"]
        self.assertLess(last, STEPS)
        self.assertEqual(self.newest(name), last)
        self.assertEqual(self.events(name, "end")[-1]["reason"], "stopped")
        self.assert_clean(name)

    def test_sigusr1_to_mpirun(self):
        job = self.start("run", 4, "checkpoint.every=0")
        self.assertTrue(job.wait_first_step())
        job.process.send_signal(signal.SIGUSR1)
        self.assert_stopped_with_a_checkpoint("run", job)
        self.finish("run", 2)

    def test_sigusr1_before_the_first_step(self):
        job = self.start("run", 2, "checkpoint.every=0")
        self.assertTrue(job.wait_said("parameters in"))
        job.process.send_signal(signal.SIGUSR1)
        self.assert_stopped_with_a_checkpoint("run", job)
        self.finish("run", 1)

    def test_sigusr1_to_a_run_without_mpirun(self):
        job = self.start("run", None, "checkpoint.every=0")
        self.assertTrue(job.wait_first_step())
        job.process.send_signal(signal.SIGUSR1)
        self.assert_stopped_with_a_checkpoint("run", job)
        self.finish("run", 2)

    def test_sigusr1_to_one_rank_stops_all(self):
        job = self.start("run", 4, "checkpoint.every=0")
        self.assertTrue(job.wait_first_step())
        os.kill(job.rank(2), signal.SIGUSR1)
        self.assert_stopped_with_a_checkpoint("run", job)

    def test_time_limit(self):
        job = self.start("run", 2, "checkpoint.every=0", "run.time_limit_s=0.01")
        self.assert_stopped_with_a_checkpoint("run", job)
        self.finish("run", 4)

    def test_sigterm_to_mpirun_leaves_no_damage(self):
        """mpirun leaves the ranks two seconds and returns a code of its own: whether a save is made is luck."""
        job = self.start("run", 2)
        self.assertTrue(job.wait_said(r"checkpoint \S+step_00000004"))
        job.process.send_signal(signal.SIGTERM)
        self.assertNotEqual(job.wait(), 0, job.said())
        self.assert_all_readable("run")
        self.finish("run", 4)

    def test_sigterm_to_a_run_without_mpirun(self):
        job = self.start("run", None, "checkpoint.every=0")
        self.assertTrue(job.wait_first_step())
        job.process.send_signal(signal.SIGTERM)
        self.assert_stopped_with_a_checkpoint("run", job)


class TornMetrics(LongSaveTest):
    def test_a_torn_last_line_moves_aside(self):
        job = self.start("run", 2)
        self.assertTrue(job.wait_said(r"checkpoint \S+step_00000006"))
        job.kill()
        torn = '{"event":"step","step":7,"attem'
        with open(self.path("run", "metrics.jsonl"), "a", encoding="utf-8") as file:
            file.write(torn)
        self.finish("run", 4)
        with open(self.path("run", "metrics.lost.jsonl"), encoding="utf-8") as file:
            lost = file.read().splitlines()
        self.assertEqual(lost[-1][-len(torn):], torn)
        position = self.events("run", "start")[-1]["attempted"]
        self.assertTrue(all(json.loads(line)["attempted"] > position for line in lost[:-1]))


if __name__ == "__main__":
    unittest.main()

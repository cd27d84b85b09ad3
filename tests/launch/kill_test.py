# SPDX-License-Identifier: Apache-2.0
"""kill -9 loses the steps since the last checkpoint and nothing else. DESIGN 1, promise 4."""
import os
import random
import signal
import time
import unittest

from job import FIRST_STEP
from long_save import STEPS, LongSaveTest

KILLS = 30


class WholeJob(LongSaveTest):
    """One run is killed again and again, and restarted on another number of ranks each time."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(20)
        self.runs, self.ranks = 1, 0
        self.kills = self.running_kills = self.saving_kills = 0

    def name(self):
        return f"run{self.runs}"

    def other_ranks(self):
        self.ranks = self.random.choice([n for n in (1, 2, 4, 8) if n != self.ranks])
        return self.ranks

    def wait_for(self, moment, job, old_temporaries):
        """Waits for a random instant of a kind; False when the run ended before it."""
        if moment == "any":
            time.sleep(self.random.uniform(0, 1.5))
            return job.running()
        if not job.wait_first_step():
            return False
        if moment == "saving" and not job.wait_until(lambda: self.temporaries(self.name()) - old_temporaries):
            return False
        time.sleep(self.random.uniform(0, 0.03 if moment == "saving" else 0.25))
        return job.running()

    def start_and_kill(self, moment):
        name = self.name()
        newest, old_temporaries = self.newest(name), self.temporaries(name)
        job = self.start(name, self.other_ranks())
        killed = self.wait_for(moment, job, old_temporaries)
        job.kill()
        said = job.said()
        if FIRST_STEP.search(said):
            self.assert_resumed(job, newest)
        self.assertGreaterEqual(self.newest(name), newest)
        self.assert_all_readable(name)
        if not killed or "mpdist: done" in said:  # it came to its end: it is judged, the kills go on with a new run
            self.assertIn(job.wait(), (0, 137) if killed else (0,), said)  # 137: the kill met it between its last line and its end
            self.finish_and_judge()
            self.runs += 1
            return
        self.kills += 1
        self.running_kills += bool(FIRST_STEP.search(said))
        self.saving_kills += bool(self.temporaries(name) - old_temporaries)

    def finish_and_judge(self):
        self.finish(self.name(), self.other_ranks())

    def test_thirty_kills_at_random_moments(self):
        moments = ["any"] * 8 + ["running"] * 12 + ["saving"] * 10
        self.random.shuffle(moments)
        for moment in moments:
            before = self.kills
            while self.kills == before:
                self.start_and_kill(moment)
        self.finish_and_judge()
        print(f"{self.kills} kills: {self.running_kills} in mid-run, {self.saving_kills} in a save; {self.runs} runs")
        self.assertEqual(self.kills, KILLS)
        self.assertGreaterEqual(self.running_kills, 10)
        self.assertGreaterEqual(self.saving_kills, 3)
        self.assertLessEqual(self.runs, 5, "most runs end before they are killed")


class Part(LongSaveTest):
    """Only a part of the job is killed."""

    def test_one_rank(self):
        for rank in (0, 3):
            name = f"rank{rank}"
            job = self.start(name, 4)
            self.assertTrue(job.wait_said(r"^mpdist: step 6  epoch|checkpoint \S+step_00000004"))
            os.kill(job.rank(rank), signal.SIGKILL)
            self.assertEqual(job.wait(), 137, job.said())
            self.assertGreater(self.newest(name), 0)
            self.assertLess(self.newest(name), STEPS)
            self.finish(name, 2)

    def test_mpirun_alone_restarted_while_its_ranks_still_live(self):
        """The ranks outlive it by up to two seconds and hold the lock: the restart waits for them."""
        job = self.start("run", 2)
        self.assertTrue(job.wait_said(r"checkpoint \S+step_00000004"))
        os.kill(job.process.pid, signal.SIGKILL)
        again = self.start("run", 4)
        self.assertEqual(again.wait(), 0, again.said())
        self.assertRegex(again.said(), r"resumed from \S+: step \d+,")
        self.assert_as_undisturbed("run")


if __name__ == "__main__":
    unittest.main()

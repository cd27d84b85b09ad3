# SPDX-License-Identifier: Apache-2.0
"""A run of a few seconds whose checkpoints (36 MB every second step) are most of its work, and the undisturbed run."""
import glob
import os
import shutil
import tempfile

from job import Job
from program import RunTest, run

STEPS = 60
CONFIG = f"""
[run]
name = "test"
output = "OUTPUT"
seed = 3
steps = {STEPS}
[batch]
global = 8
shards = 8
[precision]
scale_interval = 7
[model]
name = "mlp"
hidden = [2048, 1024]
dropout = 0.1
[data]
format = "synthetic"
size = 100
test_size = 8
height = 8
width = 8
classes = 5
[optimizer]
name = "adamw"
lr = 0.001
ema_decay = 0.9
[checkpoint]
every = 2
keep = 2
[log]
every = 1
"""


class LongSaveTest(RunTest):
    reference = None  # checkpoint of the undisturbed run, made once for all tests of a file
    scratch = None
    env = None

    @classmethod
    def setUpClass(cls):
        cls.scratch = cls.scratch_folder()
        # A killed job's shared memory stays: Open MPI makes it where it can be removed.
        memory = cls.scratch_folder("/dev/shm") if os.path.isdir("/dev/shm") else cls.scratch
        cls.env = {f"OMPI_MCA_{part}_backing_directory": memory for part in ("btl_vader", "osc_sm")}
        config = os.path.join(cls.scratch, "reference.toml")
        cls.write_config(config, os.path.join(cls.scratch, "reference"))
        done = run([config, "--set", "checkpoint.every=0"], 2)
        assert done.code == 0, done.err
        cls.reference = os.path.join(cls.scratch, "reference", "checkpoints", f"step_{STEPS:08d}.h5")

    @classmethod
    def scratch_folder(cls, parent=None):
        folder = tempfile.mkdtemp(prefix="mpdist-test-", dir=parent)
        cls.addClassCleanup(shutil.rmtree, folder, True)
        return folder

    @staticmethod
    def write_config(path, output, config=CONFIG):
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.replace("OUTPUT", output))

    def start(self, name, ranks, *settings):
        """Starts or restarts the run `name` in the background."""
        config = self.path(name + ".toml")
        self.write_config(config, self.path(name))
        words = [word for setting in settings for word in ("--set", setting)]
        job = Job([config] + words, ranks, self.path(name + ".log"), self.env)
        self.addCleanup(job.kill)
        return job

    def finish(self, name, ranks, *settings):
        """Restarts `name`, which must go on from its newest checkpoint and end as the undisturbed run did."""
        newest = self.newest(name)
        job = self.start(name, ranks, *settings)
        self.assertEqual(job.wait(), 0, job.said())
        self.assert_resumed(job, newest)
        self.assert_as_undisturbed(name)

    def assert_resumed(self, job, newest):
        said = job.said()
        if newest > 0:
            self.assertRegex(said, rf"resumed from \S+: step {newest},")
        self.assertNotIn("damaged", said)

    def assert_as_undisturbed(self, name):
        self.assert_same_tensors(self.reference, self.checkpoint(name, STEPS))
        steps = self.events(name, "step")
        attempted = [event["attempted"] for event in steps]
        self.assertEqual(attempted, list(range(1, len(steps) + 1)), "a gap or a repetition")
        self.assertEqual(steps[-1]["step"], STEPS)
        self.assert_clean(name)

    def assert_clean(self, name):
        """No lock, no temporary, nothing set aside."""
        left = [f for f in os.listdir(self.path(name)) + os.listdir(self.path(name, "checkpoints"))
                if f == "lock" or ".tmp-" in f or f.endswith((".damaged", ".lost"))]
        self.assertEqual(left, [])

    def checkpoints(self, name):
        return sorted(glob.glob(self.path(name, "checkpoints", "step_*.h5")))

    def newest(self, name):
        """Step of the newest checkpoint; 0 without one."""
        return max((int(os.path.basename(f)[5:13]) for f in self.checkpoints(name)), default=0)

    def temporaries(self, name):
        return set(glob.glob(self.path(name, "checkpoints", "*.tmp-*")))

    def assert_all_readable(self, name):
        for file in self.checkpoints(name):
            done = run(["inspect", file])
            self.assertEqual(done.code, 0, done.err)

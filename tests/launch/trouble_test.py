# SPDX-License-Identifier: Apache-2.0
"""Full disks, a second job, a rank that fails alone, ranks that are not alike: one line, the right code, no hang."""
import os
import re
import signal
import socket
import subprocess
import time
import unittest

from job import Job, several_programs
from long_save import CONFIG, LongSaveTest
from program import PROGRAM

MIB = 1 << 20


class FullDisk(LongSaveTest):
    """The output directory is a small file system of its own. A checkpoint takes 34 MiB."""

    def mount(self, name, mib):
        os.mkdir(self.path(name))
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", self.path(name)],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("needs the right to mount a tmpfs: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.path(name)], check=True)

    def enlarge(self, name):
        subprocess.run(["mount", "-o", "remount,size=1g", self.path(name)], check=True)

    def fill(self, name, mib=None):
        """Takes `mib` of the disk, or all that is left."""
        with open(self.path(name, "filler"), "wb", buffering=0) as file:
            try:
                written = 0
                while mib is None or written < mib * MIB:
                    written += file.write(bytes(MIB))
            except OSError:
                pass

    def said(self, job, text):
        return [line for line in job.lines() if text in line]

    def test_at_the_last_save(self):
        self.mount("run", 80)
        job = self.start("run", 2, "checkpoint.every=20")
        self.assertEqual(job.wait(), 75, job.said())
        line, = self.said(job, "No space left")
        self.assertRegex(line, r"^mpdist: rank 0 \(.+\): the last save failed: \S+: no room for the checkpoint: ")
        self.assertEqual(self.checkpoints("run"), [self.checkpoint("run", 20), self.checkpoint("run", 40)])
        self.assert_all_readable("run")
        self.assert_clean("run")
        self.enlarge("run")
        self.finish("run", 4)

    def test_at_a_periodic_save_the_run_goes_on(self):
        self.mount("run", 160)
        self.fill("run", 110)
        job = self.start("run", 2, "checkpoint.every=10")
        self.assertTrue(job.wait_said("this save failed"))
        os.remove(self.path("run", "filler"))
        self.assertEqual(job.wait(), 0, job.said())
        lines = self.said(job, "No space left")
        self.assertIn(len(lines), (1, 2))
        for line in lines:
            self.assertRegex(line, r"^mpdist: this save failed, the run goes on and saves again when due: .+: no room")
        self.assert_as_undisturbed("run")

    def test_metrics_cannot_be_written(self):
        """This happens on rank 0 alone, between collectives: it ends the job."""
        self.mount("run", 80)
        job = self.start("run", 4, "checkpoint.every=20")
        self.assertTrue(job.wait_first_step())
        self.fill("run")
        self.assertEqual(job.wait(), 75, job.said())
        line, = self.said(job, "cannot write")
        host = re.escape(socket.gethostname())
        self.assertRegex(line, rf"^mpdist: rank 0 \({host}\): \S+metrics\.jsonl: cannot write: No space left")
        os.remove(self.path("run", "filler"))
        self.enlarge("run")
        self.finish("run", 2)


class SecondJob(LongSaveTest):
    def test_waits_then_is_refused_and_the_first_goes_on(self):
        first = self.start("run", 2)
        self.assertTrue(first.wait_first_step())
        holder = first.rank(0)
        first.signal_all(signal.SIGSTOP)  # it must outlive the second's patience
        begin = time.monotonic()
        second = Job([self.path("run.toml")], 4, self.path("second.log"))
        self.assertEqual(second.wait(), 2, second.said())
        self.assertGreaterEqual(time.monotonic() - begin, 15)
        line, = second.lines()
        for part in (f"process {holder} ", socket.gethostname(), self.path("run")):
            self.assertIn(part, line)
        first.signal_all(signal.SIGCONT)
        self.assertEqual(first.wait(), 0, first.said())
        self.assert_as_undisturbed("run")


def gpu_libraries_kib():
    """What the GPU libraries of the program take of its address space before it does anything; 0 where it has none."""
    told = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"lib(?:cuda\w*|cublas\w*|cudnn\w*|nccl)\.so\S* => (\S+)", told)
    return sum(os.path.getsize(path) for path in paths) // 1024


class OneRank(LongSaveTest):
    """What is wrong on one rank, or different between ranks, is told in one line."""

    config = CONFIG

    def several(self, *contexts):
        """A job of one rank each of (words before the program, settings)."""
        config = self.path("run.toml")
        self.write_config(config, self.path("run"), self.config)
        argv = several_programs(*(before + [PROGRAM, config] + [w for s in settings for w in ("--set", s)]
                                  for before, settings in contexts))
        job = Job(None, None, self.path("run.log"), argv=argv)
        self.addCleanup(job.kill)
        return job

    def assert_refused(self, code, line, *contexts):
        job = self.several(*contexts)
        self.assertEqual(job.wait(), code, job.said())
        said, = job.lines()
        self.assertRegex(said, line.replace("HOST", re.escape(socket.gethostname())))
        self.assertFalse(os.path.exists(self.path("run", "metrics.jsonl")))

    def test_different_settings(self):
        for setting, key, values in (("optimizer.lr=0.5", "optimizer.lr", ("0.001", "0.5")),
                                     ("model.hidden=[16]", "model.hidden", (r"\[2048, 1024\]", r"\[16\]")),
                                     ("optimizer.name=sgd", "optimizer.name", ("adamw", "sgd")),
                                     ("data.size=200", "data.size", ("100", "200")),
                                     ("run.seed=4", "run.seed", ("3", "4"))):
            line = (rf'^mpdist: the ranks differ in {key}: (?=.*"{values[0]}" on ranks 0, 2 \(HOST\))'
                    rf'(?=.*"{values[1]}" on ranks 1, 3 \(HOST\))')
            self.assert_refused(2, line, *[([], []), ([], [setting])] * 2)

    def test_different_instruction_sets(self):
        line = r'^mpdist: the ranks differ in instruction set: (?=.*"sse41" on rank 1 \(HOST\))(?=.*"\w+" on rank 0)'
        self.assert_refused(2, line, ([], []), (["env", "DNNL_MAX_CPU_ISA=SSE41"], []))

    def test_different_faults(self):
        fault = "drop-gradient:step=1:rank=1"
        line = rf'^mpdist: the ranks differ in MPDIST_FAULT: "" on rank 0 \(HOST\), "{fault}" on rank 1 '
        self.assert_refused(2, line, ([], []), (["env", "MPDIST_FAULT=" + fault], []))

    def test_a_setting_that_is_wrong_on_one_rank(self):
        line = r"^mpdist: rank 1 \(HOST\): --set optimizer\.lr=-1: .*expected a value >= 0, found -1"
        self.assert_refused(2, line, ([], []), ([], ["optimizer.lr=-1"]), ([], []))

    def test_data_missing_on_one_rank(self):
        here, missing = "/usr/share/datasets/fashion-mnist", self.path("nowhere")
        if not os.path.isdir(here):
            self.skipTest("needs Debian's package dataset-fashion-mnist")
        real = f'[data]\nformat = "idx"\npath = "{here}"\n[optimizer]'
        self.config = re.sub(r"(?s)\[data\].*\[optimizer\]", real, CONFIG)
        line = rf"^mpdist: rank 1 \(HOST\): .*{re.escape(missing)}"
        self.assert_refused(2, line, ([], []), ([], ["data.path=" + missing]))

    def test_too_little_memory_on_one_rank(self):
        """It fails alone, in set-up or in its first backward pass, while the others wait for it."""
        large = ["model.hidden=[4096, 4096]", "checkpoint.every=0"]
        limited = ["bash", "-c", f'ulimit -v {400000 + gpu_libraries_kib()}; exec "$0" "$@"']
        line = r"^mpdist: rank 1 \(HOST\): out of memory: \d+ MiB asked for \w+; held: "
        self.assert_refused(1, line, ([], large), (limited, large))


if __name__ == "__main__":
    unittest.main()

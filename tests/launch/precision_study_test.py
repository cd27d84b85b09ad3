# SPDX-License-Identifier: Apache-2.0
"""`mpdist precision-study`: every run is trained once, a killed study goes on, and the tables say what the runs came to."""
import json
import os
import re
import unittest

from job import Job
from program import CNN, CONFIG, SGD, RunTest, run

SETTINGS = ["fp32", "fp16-unscaled", "fp16-constant", "fp16-dynamic", "bf16"]
USAGE = 2


class PrecisionStudy(RunTest):
    def config(self, name):
        path = self.path(name + ".toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(output=self.path(name), model=CNN, optimizer=SGD))
        return path

    def study(self, name, *options, ranks=2, code=0):
        done = run(["precision-study", self.config(name), *options], ranks)
        self.assertEqual(done.code, code, done.err[-3000:])
        return done

    def result(self, name):
        with open(self.path(name + "_study", "study.json"), encoding="utf-8") as file:
            return {s["setting"]: s for s in json.load(file)["settings"]}

    def metrics(self, name, setting, seed):
        return os.path.join(name + "_study", setting, f"seed_{seed}", "metrics.jsonl")

    def timeless(self, result):
        """What must be the same in any two studies of one config."""
        return {name: [{k: v for k, v in r.items() if k not in ("samples_per_s", "peak_bytes")} for r in s["runs"]]
                for name, s in result.items()}

    def test_the_tables_tell_what_the_runs_logged(self):
        text = self.study("whole", "--seeds", "2").out
        with open(self.path("whole_study", "study.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), text)
        result = self.result("whole")
        self.assertEqual(list(result), SETTINGS)
        for name, setting in result.items():
            self.assertRegex(text, rf"(?m)^\| {name} \| 2 \| 0 \| \d+\.\d\d ± ")
            self.assertEqual([r["seed"] for r in setting["runs"]], [3, 4])
            for r in setting["runs"]:
                folder = os.path.join("whole_study", name, f"seed_{r['seed']}")
                last = self.events(folder, "evaluate")[-1]
                self.assertEqual((r["accuracy"], r["loss"]), (last["accuracy"], last["loss"]))
                self.assertEqual(r["peak_bytes"], self.events(folder, "end")[-1]["peak_bytes"])
            scales = {e["loss_scale"] for e in self.events(folder, "step")}
            expected = {"fp32": {1}, "fp16-unscaled": {1}, "fp16-constant": {1024}, "bf16": {1}}.get(name)
            if expected:
                self.assertEqual(scales, expected, name)
        activations = [result[n]["runs"][0]["peak_bytes"]["activations"] for n in ("fp16-dynamic", "fp32")]
        self.assertLess(activations[0], 0.6 * activations[1])
        self.assertEqual(result["bf16"]["against_fp32"]["pairs"], 2)
        self.assertIn("paired t-test", text)

    def test_a_run_of_the_study_is_the_run_that_the_config_gives(self):
        self.study("study", "--settings", "bf16", "--seeds", "1")
        self.train("alone", 1, "precision.compute=bf16")
        self.assert_same_tensors(self.checkpoint("alone"), self.checkpoint(os.path.join("study_study", "bf16", "seed_3")))

    def test_a_killed_study_goes_on_and_runs_nothing_twice(self):
        chosen = ("--seeds", "2", "--settings", "fp32,fp16-dynamic")
        config = self.config("killed")
        job = Job(["precision-study", config, *chosen], 2, self.path("log"))
        self.assertTrue(job.wait_said(r"study: run 3 of 4: fp16-dynamic, seed 3"), job.said())
        job.kill()
        finished = [self.path(self.metrics("killed", "fp32", seed)) for seed in (3, 4)]
        times = [os.stat(path).st_mtime_ns for path in finished]
        done = run(["precision-study", config, *chosen], 1)
        self.assertEqual(done.code, 0, done.err[-3000:])
        self.assertNotIn("study: run 2 of 4", done.err)
        self.assertEqual([os.stat(path).st_mtime_ns for path in finished], times)
        self.study("whole", *chosen)
        self.assertEqual(self.timeless(self.result("killed")), self.timeless(self.result("whole")))

    def test_a_run_that_cannot_go_on_is_an_outcome(self):
        done = self.study("run", "--settings", "fp32,fp16-constant", "--seeds", "2", "--constant-scale", "1099511627776")
        self.assertIn("| fp16-constant | 2 | 2 | - | - |", done.out)
        self.assertRegex(done.out, r"\| fp16-constant \| - .* diverges \|")
        runs = self.result("run")["fp16-constant"]["runs"]
        self.assertEqual([(r["diverged"], r["skipped"]) for r in runs], [(True, 10), (True, 10)])
        self.assertIn("overflow", runs[0]["reason"])
        again = self.study("run", "--settings", "fp32,fp16-constant", "--seeds", "2", "--constant-scale", "1099511627776")
        self.assertEqual(again.out, done.out)

    def test_more_seeds_and_a_longer_run_are_added_to_what_is_there(self):
        self.study("run", "--settings", "bf16", "--seeds", "1")
        first = os.stat(self.path(self.metrics("run", "bf16", 3))).st_mtime_ns
        self.study("run", "--settings", "bf16", "--seeds", "2")
        self.assertEqual(os.stat(self.path(self.metrics("run", "bf16", 3))).st_mtime_ns, first)
        self.study("run", "--settings", "bf16", "--seeds", "2", "--set", "run.steps=14")
        self.assertEqual([r["step"] for r in self.result("run")["bf16"]["runs"]], [14, 14])

    def test_a_shorter_length_is_refused(self):
        self.study("run", "--settings", "bf16", "--seeds", "1")
        shorter = self.study("run", "--settings", "bf16", "--seeds", "1", "--set", "run.steps=6", ranks=None, code=USAGE)
        self.assertIn("holds a finished run of run.steps = 12, expected run.steps = 6 or less", shorter.lines()[-1])

    def test_other_data_are_refused(self):
        with open(self.config("run"), encoding="utf-8") as file:
            text = file.read()
        config = self.path("converted.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(re.sub(r"(?ms)^\[data\]\n.*?(?=^\[)", '[data]\nformat = "idx"\n\n', text))
        for noise in ("0.5", "0.6"):
            os.mkdir(self.path(noise))
            done = run(["convert", "--from", "synthetic", "--to", "idx", "--type", "uint8", "--output", self.path(noise), "--force",
                        "--set", "data.size=96", "--set", "data.test_size=32", "--set", "data.noise=" + noise])
            self.assertEqual(done.code, 0, done.err)
        study = ["precision-study", config, "--settings", "bf16", "--seeds", "1", "--set"]
        self.assertEqual(run(study + ["data.path=" + self.path("0.5")]).code, 0)
        os.rename(self.path("0.5"), self.path("moved"))
        self.assertEqual(run(study + ["data.path=" + self.path("moved")]).code, 0)
        other = run(study + ["data.path=" + self.path("0.6")])
        self.assertEqual(other.code, USAGE, other.err)
        self.assertIn("holds a finished run of other data: digest", other.lines()[-1])

    def test_a_run_killed_in_its_last_evaluation_is_ended(self):
        whole = self.study("run", "--settings", "bf16", "--seeds", "1").out
        path = self.path(self.metrics("run", "bf16", 3))
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(line for line in lines if '"event":"end"' not in line and '"event":"evaluate"' not in line)
        again = self.study("run", "--settings", "bf16", "--seeds", "1").out
        self.assertEqual([line for line in again.splitlines() if line.startswith("| bf16 |")][0].split("|")[:6],
                         [line for line in whole.splitlines() if line.startswith("| bf16 |")][0].split("|")[:6])
        end = self.events(os.path.join("run_study", "bf16", "seed_3"), "end")
        self.assertEqual([(e["step"], e["reason"]) for e in end], [(12, "done")])

    def test_runs_of_another_config_are_not_mixed_in(self):
        self.study("run", "--settings", "bf16", "--seeds", "1")
        done = self.study("run", "--settings", "bf16", "--seeds", "1", "--set", "optimizer.lr=0.01", code=USAGE)
        self.assertEqual(len(done.lines()), 1, done.err)
        self.assertIn("holds a finished run of another config: optimizer.lr: 0.05", done.lines()[0])


if __name__ == "__main__":
    unittest.main()

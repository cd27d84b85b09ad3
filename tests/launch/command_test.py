# SPDX-License-Identifier: Apache-2.0
"""What the subcommands print when all is well."""
import os
import subprocess
import unittest

from program import CNN, CONFIG, PROGRAM, SGD, RunTest, environment, run


class Commands(RunTest):
    def said(self, *arguments, code=0, ranks=None):
        done = run(arguments, ranks)
        self.assertEqual(done.code, code, done.err)
        return done.out

    def test_every_command_has_help_with_an_example(self):
        for name in ("check", "config", "convert", "evaluate", "inspect", "diff", "doctor", "precision-study"):
            self.assertIn("Example:\n", self.said(name, "--help"))
        self.assertIn("Examples:\n", self.said("--help"))

    def test_version_names_revision_and_compiler(self):
        self.assertRegex(self.said("--version"), r"^mpdist \d+\.\d+\.\d+ \(git \S+, \S+ \S+, \w+, -march=\S+\)\n$")

    def test_help_under_mpirun_is_printed_once(self):
        self.assertEqual(self.said("--help", ranks=2).count("Exit codes:"), 1)

    def test_config_explains_each_key(self):
        text = self.said("config")
        for part in ("[optimizer]", "optimizer.lr = 0.1", "optimizer.betas (adamw) = [0.9, 0.999]", "fixed on resume",
                     "model.name  (required)", "precision.loss_scale = \"dynamic\""):
            self.assertIn(part, text)
        self.assertEqual(self.said("config", "log.every").count("\n"), 3)

    def test_doctor_names_processor_libraries_and_data(self):
        text = self.said("doctor")
        for part in ("processor", "instructions", "usable CPUs", "/dev/shm", "oneDNN", "MPI", "HDF5", "Fashion-MNIST"):
            self.assertRegex(text, rf"(?m)^{part} +\S")

    def test_check_prints_the_plan_and_makes_nothing(self):
        config = self.path("c.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(output=self.path("out"), model=CNN, optimizer=SGD))
        text = self.said("check", config, "--ranks", "4")
        self.assertRegex(text, r"ranks that fit +1, 2, 4, 8\n")
        self.assertRegex(text, r"ranks +4: 2 shards of 8 samples each\n")
        self.assertRegex(text, r"length +12 applied updates \(7\.81 batches an epoch\)\n")
        self.assertRegex(text, r"conv1\.weight +\[4, 3, 3, 1\] +36\n")
        self.assertRegex(text, r"memory a rank +[\d.]+ KiB at most: parameters [\d.]+ KiB, .*gradients [\d.]+ KiB")
        self.assertIn("starts at step 0", text)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_a_trained_run_can_be_inspected_compared_and_evaluated(self):
        self.train("a", 2)
        self.train("b", 1, "run.seed=4")
        self.assertIn("identical: ", self.said("diff", self.path("a"), self.checkpoint("a")))
        self.assertIn("master/conv1.weight", self.said("diff", self.path("a"), self.path("b"), code=1))
        self.assertIn("conv1.weight", self.said("inspect", self.path("a")))
        self.assertIn('name = "cnn"', self.said("inspect", self.path("a"), "--config"))
        alone = self.said("evaluate", self.path("a"))
        self.assertRegex(alone, r"^step 12: accuracy \d\.\d{4}, loss \d+\.\d{6} on 100 samples")
        self.assertEqual(self.said("evaluate", self.path("a"), ranks=2), alone)
        loss = self.events("a", "evaluate")[-1]["loss"]
        self.assertIn(f"loss {loss:.6f}", alone)

    def test_the_config_as_run_gives_the_same_run_again(self):
        self.train("a", 1)
        with open(self.path("again.toml"), "w", encoding="utf-8") as file:
            file.write(self.said("inspect", self.path("a"), "--config"))
        self.said(self.path("again.toml"), "--set", "run.output=" + self.path("again"))
        self.assert_same_tensors(self.checkpoint("a"), self.checkpoint("again"))

    def test_a_closed_pipe_is_no_crash(self):
        shell = f"{PROGRAM} config | head -n 1"
        done = subprocess.run(["bash", "-c", shell], env=environment(), capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.stdout, "[run]\n")
        self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""Follows the README's section "Train your own network" word for word: writes its files, runs its commands in their order.

They run in a scratch folder whose build/cpu is the build under test (BUILD) and whose HOME is scratch too.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from installed_test import BUILD, SOURCE, compilers
from program import MPIEXEC, environment

HEADING = "## Train your own network"


def section():
    text = (SOURCE / "README.md").read_text(encoding="utf-8")
    return re.search(f"^{HEADING}$(.*?)^## ", text, re.M | re.S)[1]


def blocks(language):
    """The fenced blocks of a language, each with the text before it."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", section(), re.M | re.S)
    return [(section()[:match.start()], match[1]) for match in found]


def indented_lines():
    without_fences = re.sub(r"^```.*?^```$", "", section(), flags=re.M | re.S)
    return re.findall(r"^    (\S.*)$", without_fences, re.M)


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="mpdist-readme-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        for name in ("build", "home", "bin"):
            (self.folder / name).mkdir()
        (self.folder / "build" / "cpu").symlink_to(os.path.abspath(BUILD))
        (self.folder / "docs").symlink_to(SOURCE / "docs")
        (self.folder / "bin" / "mpirun").symlink_to(shutil.which(MPIEXEC))

    def run_line(self, line):
        env = {"HOME": str(self.folder / "home"), "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", **compilers()}
        return subprocess.run(["bash", "-c", line], cwd=self.folder, env=environment(env), capture_output=True, text=True,
                              timeout=200, check=False)

    def test_word_for_word(self):
        for before, text in blocks("toml"):
            (self.folder / re.findall(r"`([\w.]+\.toml)`", before)[-1]).write_text(text, encoding="utf-8")
        commands = [line for line in indented_lines() if not line.startswith("mpdist: ")]
        self.assertGreaterEqual(len(commands), 9)
        said = {}
        for line in commands:
            done = self.run_line(line)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
            said[line] = done.stdout + done.stderr
        everything = "".join(said.values())
        for expected in ("model           sequential: 12186 parameters", "step 100: accuracy 0.", "fresh: head.bias, head.weight",
                         "done after", "two_paths: 7066 parameters", "model.channels (two_paths) = 16"):
            self.assertIn(expected, everything)
        for run, step in (("my_net", 100), ("second", 20), ("two_paths", 100)):
            self.assertTrue((self.folder / "runs" / run / "checkpoints" / f"step_{step:08d}.h5").is_file(), run)

    def test_the_error_shown_is_what_the_program_says(self):
        text = blocks("toml")[0][1]
        wrong = text.replace("{type = \"conv\", channels = 16, norm = true},", "{type = \"conv\", channels = 16, norm = true, padding = 0},")
        (self.folder / "my_net.toml").write_text(wrong, encoding="utf-8")
        shown = [line for line in indented_lines() if line.startswith("mpdist: ")]
        done = self.run_line("build/cpu/mpdist check my_net.toml")
        self.assertEqual((done.returncode, done.stderr.splitlines()), (2, shown))

    def test_the_code_shown_is_that_of_the_example(self):
        example = (SOURCE / "docs" / "own_model" / "own_model.cpp").read_text(encoding="utf-8")
        shown = blocks("cpp")
        self.assertEqual(len(shown), 2)
        for _, text in shown:
            self.assertIn(text, example)
        self.assertIn(f"one file of {len(example.splitlines())} lines", section())


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""The installed tree: complete headers, and find_package(mpdist) in the project of docs/own_model.

BUILD names the build folder to install from (ctest sets it).
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from program import MPIEXEC, environment

BUILD = os.environ.get("BUILD", "build/cpu")
SOURCE = Path(__file__).resolve().parents[2]
EXAMPLE = SOURCE / "docs" / "own_model"


def compilers():
    """The environment that makes another project use the build's compilers, with the flags set by hand (sanitizers)."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as file:
        cache = dict(re.findall(r"^(\w+):\w+=(.*)$", file.read(), re.M))
    return {"CC": cache["CMAKE_C_COMPILER"], "CXX": cache["CMAKE_CXX_COMPILER"], "CXXFLAGS": cache["CMAKE_CXX_FLAGS"]}


def done(*command, env=None):
    return subprocess.run([str(part) for part in command], env=environment(env), capture_output=True, text=True, timeout=240,
                          check=False)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mpdist-installed-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.prefix = cls.folder / "prefix"
        installed = done("cmake", "--install", BUILD, "--prefix", cls.prefix)
        assert installed.returncode == 0, installed.stderr

    def configure(self, source, build):
        return done("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}",
                    env=compilers())

    def test_whatever_an_installed_header_includes_is_installed(self):
        root = self.prefix / "include" / "mpdist"
        headers = list(root.rglob("*.hpp"))
        self.assertGreater(len(headers), 80)
        for header in headers:
            for name in re.findall(r'^#include "(.*)"', header.read_text(encoding="utf-8"), re.M):
                self.assertTrue((root / name).is_file(), f"{header} includes {name}")

    def test_a_project_without_c_is_told_what_to_write(self):
        project = self.folder / "without_c"
        project.mkdir()
        (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(own LANGUAGES CXX)\n"
                                                "find_package(mpdist REQUIRED)\n", encoding="utf-8")
        configured = self.configure(project, project / "build")
        self.assertNotEqual(configured.returncode, 0)
        self.assertIn("write project(name LANGUAGES C CXX)", re.sub(r"\s+", " ", configured.stderr))

    def test_the_example_is_a_whole_program_with_one_model_more(self):
        self.assertLess(len((EXAMPLE / "own_model.cpp").read_text(encoding="utf-8").splitlines()), 60)
        build = self.folder / "build"
        configured = self.configure(EXAMPLE, build)
        self.assertEqual(configured.returncode, 0, configured.stderr)
        built = done("cmake", "--build", build)
        self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
        program = build / "own_model"
        self.assertIn("model.channels (two_paths) = 16", done(program, "config", "model").stdout)
        self.assertIn("two_paths: 7066 parameters", done(program, "check", EXAMPLE / "train.toml").stdout)
        checkpoints = []
        for ranks in (1, 4):
            output = self.folder / f"ranks_{ranks}"
            run = done(MPIEXEC, "-n", ranks, program, EXAMPLE / "train.toml", "--set", "run.steps=4", "--set", f"run.output={output}")
            self.assertEqual(run.returncode, 0, run.stderr)
            checkpoints.append(output / "checkpoints" / "step_00000004.h5")
        same = done(program, "diff", *checkpoints)
        self.assertEqual(same.returncode, 0, same.stdout + same.stderr)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the host code of the exchange in ways that a GPU may forgive, and demands that the software GPU does not.

Each case changes the text of one source, compiles that file alone and links it before the library that holds the original into
comm_mpi_test. BUILD is a build folder in which comm_mpi_test is built; MPIEXEC starts its ranks.
"""
import json
import os
import shlex
import subprocess
import unittest

BUILD = os.environ["BUILD"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SUM = "Reducer.EqualsTheTreeOfAllShardsBitForBit/nccl"


class Break:
    """`old` becomes `new` in `source`; the tests of `tests` on `ranks` ranks must fail and say `caught`, under each schedule."""

    def __init__(self, source, changes, caught, tests=SUM, ranks=2, schedules=("random",)):
        self.source, self.changes, self.caught = source, changes, caught
        self.tests, self.ranks, self.schedules = tests, ranks, schedules


REDUCER = "comm/gradient_reducer.cpp"
RACE = "software GPU: stream-race: "
BREAKS = {
    "bucket_does_not_wait_for_its_leaves": Break(REDUCER, [("  communicator.stream().wait(at.ready);\n", "")], RACE),
    "bucket_starts_before_its_last_leaf": Break(
        REDUCER,
        [("  if (last) impl.buckets.complete(parameter.index);\n", ""),
         ("  impl.accumulator.add(", "  if (last) impl.buckets.complete(parameter.index);\n  impl.accumulator.add(")], RACE),
    "sum_is_used_before_it_is_there": Break(
        REDUCER, [("  if (!impl.events.empty()) stream.wait(impl.events.back().done);\n", "")], RACE),
    "host_reads_counts_without_waiting": Break(
        REDUCER, [("    impl_->communicator.wait(impl_->finished);\n", "")], "NonfiniteLeavesAreNamed",
        tests="Reducer.NonfiniteLeavesAreNamed/nccl", schedules=("lazy",)),
    "memory_goes_back_while_it_is_used": Break(
        REDUCER, [("    impl_->compute.synchronize();\n    impl_->communicator.stream().synchronize();\n", "")], RACE,
        tests="Reducer.CountsWhatItHandsOver/nccl*", ranks=1),
    "sums_run_on_another_stream_than_messages": Break(
        "comm/nccl/nccl_communicator.cpp",
        [("        stream_,\n        {.left", "        other,\n        {.left"),
         ("  const auto view = ", "  static Stream other(Pool::cuda());\n  const auto view = ")], RACE),
    "values_of_two_ranks_share_scratch_memory": Break(
        "comm/tree_schedule.cpp", [("(peer - (peer > rank ? 1 : 0)) * stride", "0")], "FAILED", ranks=3),
    "ranks_disagree_on_the_length_of_a_message": Break(
        "comm/nccl/nccl_communicator.cpp",
        [("ncclRecv(at(m.place), static_cast<std::size_t>(m.count)", "ncclRecv(at(m.place), static_cast<std::size_t>(m.count - 1)")],
        "software GPU: collective-mismatch: "),
}


def link_command():
    """What ninja would run to link comm_mpi_test."""
    told = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "-s", "tests/comm/comm_mpi_test"], capture_output=True,
                          text=True, check=True)
    return [part for part in shlex.split(told.stdout.splitlines()[-1]) if part not in (":", "&&")]


class BrokenExchange(unittest.TestCase):
    def compile(self, source, text, folder):
        """The object of a source with another text, by the command of the build."""
        with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
            entry = next(e for e in json.load(file) if e["file"] == os.path.join(ROOT, source))
        changed, made = os.path.join(folder, os.path.basename(source)), os.path.join(folder, "changed.o")
        with open(changed, "w", encoding="utf-8") as file:
            file.write(text)
        command = shlex.split(entry["command"])
        command[command.index("-o") + 1] = made
        command[command.index("-c") + 1] = changed
        subprocess.run(command, cwd=entry["directory"], check=True)
        return made

    def check(self, name, broken):
        folder = os.path.join(BUILD, "tests", "comm", "broken", name)  # a fixed place: the compiler's cache knows it again
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(ROOT, broken.source), encoding="utf-8") as file:
            text = file.read()
        for old, new in broken.changes:
            self.assertEqual(text.count(old), 1, f"{broken.source} no longer holds {old!r}")
            text = text.replace(old, new)
        made, program = self.compile(broken.source, text, folder), os.path.join(folder, "comm_mpi_test")
        command = link_command()
        command[command.index("-o") + 1] = program
        command.insert(command.index("-o") + 2, made)
        subprocess.run(command, cwd=BUILD, check=True)
        for schedule in broken.schedules:
            with self.subTest(schedule):
                self.run_broken(program, broken, schedule)

    def run_broken(self, program, broken, schedule):
        environment = dict(os.environ, SOFTWARE_GPU_SCHEDULE=schedule, SOFTWARE_GPU_TIMEOUT_S="10")
        done = subprocess.run([os.environ["MPIEXEC"], "-n", str(broken.ranks), program, "--gtest_filter=" + broken.tests],
                              env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(broken.caught, done.stdout + done.stderr)


for case_name, case in BREAKS.items():
    setattr(BrokenExchange, "test_" + case_name, lambda self, name=case_name, case=case: self.check(name, case))

if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the host code of the exchange in ways that a GPU may forgive, and demands that the software GPU does not.

Each case changes the text of one source of comm_mpi_test (broken_build.py: BUILD is a build folder); MPIEXEC starts its ranks.
"""
import os
import subprocess
import unittest

from broken_build import broken_program

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


class BrokenExchange(unittest.TestCase):
    def check(self, name, broken):
        program = broken_program("tests/comm/comm_mpi_test", name, broken.source, broken.changes)
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

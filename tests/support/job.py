# SPDX-License-Identifier: Apache-2.0
"""A run in the background, to be watched, signalled and killed."""
import glob
import os
import re
import signal
import subprocess
import time

from program import command, environment

FIRST_STEP = re.compile(r"^mpdist: step \d+  epoch", re.M)


class Job:
    """The program under mpirun (ranks None: alone) in its own session. What it says goes to the file `log`."""

    def __init__(self, arguments, ranks, log, env=None, argv=None):
        self.log = log
        with open(log, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(argv or command(arguments, ranks), env=environment(env), stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self):
        return [line for line in self.said().splitlines() if line.startswith("mpdist:")]

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout=60):
        """Its exit code as a shell sees it. A job that hangs is killed, and TimeoutExpired names it."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return 128 - code if code < 0 else code

    def wait_until(self, happened, timeout=60):
        """Polls each millisecond until `happened()` or the job's end; whether it happened first."""
        deadline = time.monotonic() + timeout
        while not happened():
            if not self.running():
                return False
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"{self.log}: {self.said()[-2000:]}")
            time.sleep(0.001)
        return True

    def wait_said(self, pattern, timeout=60):
        return self.wait_until(lambda: re.search(pattern, self.said(), re.M), timeout)

    def wait_first_step(self):
        return self.wait_until(lambda: FIRST_STEP.search(self.said()))

    def processes(self):
        """Ids of all its living processes, mpirun and ranks."""
        found = []
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    pid, rest = path.split("/")[2], file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(rest[3]) == self.process.pid and rest[0] not in "ZX":
                found.append(int(pid))
        return found

    def rank(self, rank):
        """The process id of one rank."""
        for pid in self.processes():
            with open(f"/proc/{pid}/environ", "rb") as file:
                if f"OMPI_COMM_WORLD_RANK={rank}".encode() in file.read().split(b"\0"):
                    return pid
        raise LookupError(f"rank {rank} does not run")

    def signal_all(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        """kill -9 of mpirun and all ranks at once."""
        while self.processes():
            self.signal_all(signal.SIGKILL)
        self.process.wait(10)


def several_programs(*contexts):
    """mpirun with one rank each of several command lines (environment assignments first)."""
    argv = ["mpirun"]
    for context in contexts:
        argv += ([":"] if len(argv) > 1 else []) + ["-np", "1"] + context
    return argv

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks our own host code on purpose, one line at a time, and demands that the software GPU catches each break.

Usage: breaks_test.py BUILD_DIR        (a build with MPDIST_SOFTWARE_GPU, its tests' environment set)

A break replaces one piece of one source. The changed source is compiled with the build's own command, linked in front of
the libraries into a copy of the program, and that trains on two ranks under the lazy and two random schedules. It must be
reported in one of them with the kind that stands beside the break; the unbroken program must be silent in all. A piece that
is no longer in the source fails the test: then the break is to be written anew.
"""
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCHEDULES = [("lazy", "1"), ("random", "1"), ("random", "2")]
DEFECT = 87  # exit status of a program of which the software GPU reported a defect
CONFIG = """
[run]
name = "breaks"
output = "{output}"
device = "cuda"
steps = 4
[batch]
global = 8
shards = 4
[precision]
compute = "fp16"
[model]
name = "mlp"
hidden = [24, 16]
[data]
format = "synthetic"
size = 32
test_size = 8
height = 6
width = 6
classes = 4
[optimizer]
lr = 0.05
momentum = 0.9
[checkpoint]
every = 2
"""


@dataclass
class Break:
    what: str
    source: str
    piece: str
    instead: str
    kind: str  # of the report


BREAKS = [
    Break("an event removed: nothing marks that a bucket's sum is there", "comm/gradient_reducer.cpp",
          "  at.done.record(communicator.stream());\n", "", "stream-race"),
    Break("a bucket started early: its exchange does not wait for the leaves", "comm/gradient_reducer.cpp",
          "  communicator.stream().wait(at.ready);\n", "", "stream-race"),
    Break("a wait left out: the sum is used while it is made", "comm/gradient_reducer.cpp",
          "  if (!impl.events.empty()) stream.wait(impl.events.back().done);\n", "", "stream-race"),
    Break("a wait left out: the batch is read while it arrives", "src/train/batch_upload.cpp",
          "  compute_.wait(slot.arrived);\n", "", "stream-race"),
    Break("a buffer reused early: the next batch overwrites the one at work", "src/train/batch_upload.cpp",
          "  copies_.wait(slot.free);\n", "", "stream-race"),
    Break("a wait left out: the host reads results that have not arrived", "src/train/step.cpp",
          "  reducer_.synchronize(stream_);  // the one wait of a step\n", "", "host-access"),
]


def compile_commands(build):
    return {entry["file"]: entry for entry in json.loads((build / "compile_commands.json").read_text())}


def compile_broken(build, broken, folder):
    """The object of the changed source."""
    source = ROOT / broken.source
    text = source.read_text()
    if text.count(broken.piece) != 1:
        sys.exit(f"{broken.source}: expected once, found {text.count(broken.piece)} times: {broken.piece!r}")
    changed = folder / (source.stem + "_broken.cpp")
    changed.write_text(text.replace(broken.piece, broken.instead))
    entry = compile_commands(build)[str(source)]
    words = [word for word in shlex.split(entry["command"]) if word not in ("-Werror",)]
    target = folder / (source.stem + ".o")
    words[words.index("-o") + 1] = str(target)
    words[words.index(str(source))] = str(changed)
    subprocess.run(words, cwd=entry["directory"], check=True)
    return target


def link(build, objects, folder):
    """The program with `objects` in front of the libraries that hold the same functions."""
    said = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "-s", "mpdist"], capture_output=True, text=True, check=True)
    command = said.stdout.strip().splitlines()[-1]
    words = shlex.split(command.removeprefix(": && ").removesuffix(" && :"))
    place = words.index("-o")
    program = folder / "mpdist"
    words[place + 1] = str(program)
    words[place + 2:place + 2] = [str(one) for one in objects]
    subprocess.run(words, cwd=build, check=True)
    return program


def train(program, folder, schedule, seed):
    output = folder / f"run_{schedule}_{seed}"
    config = folder / "train.toml"
    config.write_text(CONFIG.format(output=output))
    environment = dict(os.environ, SOFTWARE_GPU_SCHEDULE=schedule, SOFTWARE_GPU_SEED=seed)
    return subprocess.run(["mpirun", "-np", "2", str(program), str(config)], env=environment, capture_output=True, text=True,
                          timeout=120)


def verdict_of(program, folder, kind):
    """Runs the schedules until one reports `kind`; what was said where none does."""
    said = ""
    for schedule, seed in SCHEDULES:
        result = train(program, folder, schedule, seed)
        if result.returncode == DEFECT and f"software GPU: {kind}:" in result.stderr:
            return None
        said += f"  {schedule} {seed}: exit {result.returncode}: {result.stderr.strip()[-600:]}\n"
    return said


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for schedule, seed in SCHEDULES:
            result = train(build / "mpdist", folder, schedule, seed)
            if result.returncode != 0:
                failures.append(f"unbroken, {schedule} {seed}: exit {result.returncode}: {result.stderr[-1500:]}")
        for number, broken in enumerate(BREAKS):
            place = folder / str(number)
            place.mkdir()
            program = link(build, [compile_broken(build, broken, place)], place)
            said = verdict_of(program, place, broken.kind)
            print(f"{'caught' if said is None else 'MISSED'}: {broken.what}", flush=True)
            if said is not None:
                failures.append(f"{broken.what}: expected a report of kind {broken.kind}:\n{said}")
    print("\n".join(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares training throughput with PyTorch DistributedDataParallel on this machine, in interleaved pairs.

    /usr/bin/python3 benchmarks/peers/compare.py                  # all goals, 7 pairs: about 50 minutes on 2 cores
    /usr/bin/python3 benchmarks/peers/compare.py --models resnet20 --dtypes fp32 --pairs 9
    /usr/bin/python3 benchmarks/peers/compare.py --python venv/bin/python3     # a newer PyTorch as a second row

Each round runs PyTorch and mpdist in turn for every type; a ratio compares two runs of the same round, and what is printed is
the median of the ratios and their range. README.md beside this file says what makes it fair.
"""
import argparse
import copy
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@dataclass
class Model:
    keys: str                # of [model] beside dropout
    batch: int               # samples of a step, over all ranks
    goals: dict              # ours over PyTorch's, by type; fp16: over our own fp32
    dropout: float = 0.25
    warmup: int = 10         # steps that are not counted
    steps: int = 50          # steps whose median counts
    synthetic: bool = False  # else Fashion-MNIST


MODELS = {
    "cnn": Model('name = "cnn"\nchannels = [32, 64]\nhidden = 128', 256, {"fp32": 1.2, "bf16": 1.2, "fp16": 0.9}),
    "mlp": Model('name = "mlp"\nhidden = [512, 512]', 256, {"fp32": 1.1, "bf16": 1.2, "fp16": 0.9}),
    "resnet20": Model('name = "resnet"\ndepth = 20', 128, {"fp32": 1.15, "bf16": 1.25, "fp16": 0.95}, 0),
    "resnet50": Model('name = "resnet"\ndepth = 50', 64, {"fp32": 1.05, "bf16": 1.2, "fp16": 0.95}, 0, 3, 12, True),
}
SYNTHETIC = """format = "synthetic"
size = 1024
height = 64
width = 64
channels = 3
classes = 1000"""
FASHION_MNIST = """format = "idx"
path = "{data}"
mean = [0.286]
std = [0.353]
augment = ["crop", "flip"]
crop_padding = 2"""
CONFIG = """
[run]
name = "peer"
output = "{output}"
steps = {steps}
[batch]
global = {batch}
shards = {ranks}
[precision]
compute = "{dtype}"
[model]
{model_keys}
dropout = {dropout}
[data]
{data_keys}
[optimizer]
name = "sgd"
lr = 0.02
momentum = 0.9
nesterov = true
weight_decay = 5e-4
decay = "coupled"
[schedule]
name = "constant"
[checkpoint]
every_minutes = 0
[log]
every = 1
"""
MPI_ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit("%s\nfailed with exit code %d:\n%s" % (" ".join(map(str, command)), result.returncode, result.stderr[-2000:]))
    return result.stdout


def time_pytorch(options, python, model, dtype, layout):
    command = [python, str(HERE / "pytorch_ddp.py"), "--model", model, "--dtype", dtype, "--layout", layout]
    for key in ("ranks", "batch", "dropout", "warmup", "steps", "data"):
        command += ["--" + key, str(getattr(options, key))]
    # OpenBLAS chooses its kernels by the processor: a variable that pins older ones would slow PyTorch down.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    # Newer versions of gloo say on standard output who is connected.
    found = json.loads(next(line for line in run(command, env=environment).splitlines() if line.startswith("{")))
    if "/blas/libblas" in found["blas"]:
        sys.exit("PyTorch uses the reference BLAS (%s), which makes its FP32 linear layers some 25 times slower than they need "
                 "to be: apt-get install libopenblas0-serial" % found["blas"])
    return found


def time_mpdist(options, model, dtype):
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "train.toml"
        data = SYNTHETIC if MODELS[model].synthetic else FASHION_MNIST.format(data=options.data)
        values = dict(vars(options), output=folder + "/out", dtype=dtype, model_keys=MODELS[model].keys, data_keys=data)
        values["steps"] = options.warmup + options.steps
        config.write_text(CONFIG.format(**values))
        run(["mpirun", "-np", str(options.ranks), options.mpdist, str(config)], env={**os.environ, **MPI_ENVIRONMENT})
        lines = (pathlib.Path(folder) / "out" / "metrics.jsonl").read_text().splitlines()
    steps = [event for event in map(json.loads, lines) if event["event"] == "step"]
    if len(steps) <= options.warmup:
        sys.exit("%d step events in metrics.jsonl, expected more than %d" % (len(steps), options.warmup))
    return statistics.median(event["samples_per_s"] for event in steps[options.warmup:])


def summary(name, ours, theirs, other, goal):
    ratios = [a / b for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    return "%-14s ours %9.0f/s   %-14s %9.0f/s   ratio %.2f (%.2f to %.2f, %d pairs)   goal %.2f: %s" % (
        name, statistics.median(ours), other, statistics.median(theirs), ratio, min(ratios), max(ratios), len(ratios), goal,
        "reached" if ratio >= goal else "missed")


class Peer:
    """PyTorch of one interpreter: its faster layout of each type, from a run of both that is not counted, and its samples/s."""

    def __init__(self, options, python, model):
        self.options, self.python, self.model = options, python, model
        found = {dtype: time_pytorch(options, python, model, dtype, "best") for dtype in options.dtypes}
        self.layouts = {dtype: run["layout"] for dtype, run in found.items()}
        self.name = "PyTorch " + found[options.dtypes[0]]["torch"].split("+")[0]
        self.rates = {dtype: [] for dtype in options.dtypes}

    def measure(self, dtype):
        self.rates[dtype].append(
            time_pytorch(self.options, self.python, self.model, dtype, self.layouts[dtype])["samples_per_s"])
        return "%s (%s) %.0f/s" % (self.name, self.layouts[dtype], self.rates[dtype][-1])


def settings_of(options, model):
    """The options with the model's own where the command line has none."""
    settings = copy.copy(options)
    for key in ("batch", "dropout", "warmup", "steps"):
        if getattr(options, key) is None:
            setattr(settings, key, getattr(MODELS[model], key))
    return settings


def compare_model(options, model):
    peers = [Peer(options, python, model) for python in ["/usr/bin/python3", *options.python]]
    ours = {dtype: [] for dtype in [*options.dtypes, "fp16"]}
    for pair in range(options.pairs):
        for dtype in options.dtypes:
            said = [peer.measure(dtype) for peer in peers]
            ours[dtype].append(time_mpdist(options, model, dtype))
            print("%s %s pair %d: ours %.0f/s, %s" % (model, dtype, pair + 1, ours[dtype][-1], ", ".join(said)),
                  file=sys.stderr)
        if "fp32" in options.dtypes:
            ours["fp16"].append(time_mpdist(options, model, "fp16"))
    goals = MODELS[model].goals
    report = [summary(model + " " + dtype, ours[dtype], peer.rates[dtype], peer.name, goals[dtype])
              for dtype in options.dtypes for peer in peers]
    if ours["fp16"]:
        report.append(summary(model + " fp16", ours["fp16"], ours["fp32"], "our fp32", goals["fp16"]))
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mpdist", default=str(ROOT / "build/cpu/mpdist"))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--dtypes", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--python", action="append", default=[], metavar="PATH",
                        help="interpreter with another PyTorch, for one more row (may be given again)")
    parser.add_argument("--batch", type=int, help="samples of a step, over all ranks (default: the model's)")
    parser.add_argument("--dropout", type=float, help="default: the model's")
    parser.add_argument("--warmup", type=int, help="steps that are not counted (default: the model's)")
    parser.add_argument("--steps", type=int, help="steps whose median counts (default: the model's)")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    report = [line for model in options.models for line in compare_model(settings_of(options, model), model)]
    print("\n".join(report))


if __name__ == "__main__":
    main()

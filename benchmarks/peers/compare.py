#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares training throughput with PyTorch DistributedDataParallel on this machine, in interleaved pairs.

    /usr/bin/python3 benchmarks/peers/compare.py                  # all goals, 7 pairs: about 20 minutes on 2 cores
    /usr/bin/python3 benchmarks/peers/compare.py --models mlp --dtypes fp32 --pairs 9

Each round runs PyTorch and mpdist in turn for every type; a ratio compares two runs of the same round, and what is printed is
the median of the ratios and their range. README.md beside this file says what makes it fair.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GOALS = {("cnn", "fp32"): 1.2, ("cnn", "bf16"): 1.2, ("mlp", "fp32"): 1.1, ("mlp", "bf16"): 1.2}
FP16_GOAL = 0.9  # of our own FP32
MODEL_KEYS = {"cnn": 'name = "cnn"\nchannels = [32, 64]\nhidden = 128', "mlp": 'name = "mlp"\nhidden = [512, 512]'}
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
format = "idx"
path = "{data}"
mean = [0.286]
std = [0.353]
augment = ["crop", "flip"]
crop_padding = 2
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


def time_pytorch(options, model, dtype, layout):
    command = ["/usr/bin/python3", str(HERE / "pytorch_ddp.py"), "--model", model, "--dtype", dtype, "--layout", layout]
    for key in ("ranks", "batch", "dropout", "warmup", "steps", "data"):
        command += ["--" + key, str(getattr(options, key))]
    # OpenBLAS chooses its kernels by the processor: a variable that pins older ones would slow PyTorch down.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    found = json.loads(run(command, env=environment))
    if "/blas/libblas" in found["blas"]:
        sys.exit("PyTorch uses the reference BLAS (%s), which makes its FP32 linear layers some 25 times slower than they need "
                 "to be: apt-get install libopenblas0-serial" % found["blas"])
    return found


def time_mpdist(options, model, dtype):
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "train.toml"
        values = dict(vars(options), output=folder + "/out", dtype=dtype, model_keys=MODEL_KEYS[model])
        values["steps"] = options.warmup + options.steps
        config.write_text(CONFIG.format(**values))
        run(["mpirun", "-np", str(options.ranks), options.mpdist, str(config)], env={**os.environ, **MPI_ENVIRONMENT})
        lines = (pathlib.Path(folder) / "out" / "metrics.jsonl").read_text().splitlines()
    steps = [event for event in map(json.loads, lines) if event["event"] == "step"]
    if len(steps) <= options.warmup:
        sys.exit("%d step events in metrics.jsonl, expected more than %d" % (len(steps), options.warmup))
    return statistics.median(event["samples_per_s"] for event in steps[options.warmup:])


def best_layout(options, model, dtype):
    """PyTorch's faster layout, from a run of both that is not counted."""
    return time_pytorch(options, model, dtype, "best")["layout"]


def summary(name, ours, theirs, other, goal):
    ratios = [a / b for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    return "%-10s ours %9.0f/s   %s %9.0f/s   ratio %.2f (%.2f to %.2f, %d pairs)   goal %.1f: %s" % (
        name, statistics.median(ours), other, statistics.median(theirs), ratio, min(ratios), max(ratios), len(ratios), goal,
        "reached" if ratio >= goal else "missed")


def compare_model(options, model):
    layouts = {dtype: best_layout(options, model, dtype) for dtype in options.dtypes}
    ours = {dtype: [] for dtype in [*options.dtypes, "fp16"]}
    theirs = {dtype: [] for dtype in options.dtypes}
    for pair in range(options.pairs):
        for dtype in options.dtypes:
            theirs[dtype].append(time_pytorch(options, model, dtype, layouts[dtype])["samples_per_s"])
            ours[dtype].append(time_mpdist(options, model, dtype))
            print("%s %s pair %d: ours %.0f/s, PyTorch (%s) %.0f/s" % (
                model, dtype, pair + 1, ours[dtype][-1], layouts[dtype], theirs[dtype][-1]), file=sys.stderr)
        if "fp32" in options.dtypes:
            ours["fp16"].append(time_mpdist(options, model, "fp16"))
    report = [summary(model + " " + dtype, ours[dtype], theirs[dtype], "PyTorch ", GOALS[model, dtype])
              for dtype in options.dtypes]
    if ours["fp16"]:
        report.append(summary(model + " fp16", ours["fp16"], ours["fp32"], "our fp32", FP16_GOAL))
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mpdist", default=str(ROOT / "build/cpu/mpdist"))
    parser.add_argument("--models", nargs="+", choices=["cnn", "mlp"], default=["cnn", "mlp"])
    parser.add_argument("--dtypes", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256, help="samples of a step, over all ranks")
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--warmup", type=int, default=10, help="steps that are not counted")
    parser.add_argument("--steps", type=int, default=50, help="steps whose median counts")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    report = [line for model in options.models for line in compare_model(options, model)]
    print("\n".join(report))


if __name__ == "__main__":
    main()

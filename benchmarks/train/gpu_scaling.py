#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How a residual network trains on 1, 2, 4 ... GPUs of this machine at one global batch: samples/s and the same bits.

    /usr/bin/python3 benchmarks/train/gpu_scaling.py --gpus 8
    /usr/bin/python3 benchmarks/train/gpu_scaling.py --gpus 2 --samples 64 --depth 18      # a smaller one

The batch is cut into shards of --samples images; a GPU works on its shards one after the other, so every number of GPUs
does the same work. Exit 1 unless losses and weights are equal, bit for bit.
"""
import argparse
import contextlib
import os
import statistics
import subprocess
import sys

from resnet_layers import FORMS
from scaling import ROOT, Run

CONFIG = ROOT / "launch/configs/synthetic_resnet50.toml"
WARM_UP = 5


def settings_of(options, ranks):
    workers = max(1, min(16, len(os.sched_getaffinity(0)) // ranks - 1))
    return {"run.device": options.device, "run.steps": WARM_UP + options.steps, "model.depth": options.depth,
            "batch.global": options.samples * options.shards, "batch.shards": options.shards, "data.height": options.image,
            "data.width": options.image, "data.size": 2 * options.samples * options.shards, "data.workers": workers,
            "data.test_size": options.shards, "checkpoint.every": 0, "log.every": 1}


def compare(options, first, other):
    """Ends the program unless the last checkpoints of two runs are equal."""
    folders = [str(run.folder / "out") for run in (first, other)]
    done = subprocess.run([options.mpdist, "diff", *folders], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit("weights differ between numbers of ranks:\n%s%s" % (done.stdout[-2000:], done.stderr[-2000:]))


def measure(options):
    """Prints a line for each number of ranks."""
    print("%s, resnet%d, %d x %d, %d shards of %d images, FP16" % (
        options.device, options.depth, options.image, options.image, options.shards, options.samples))
    with contextlib.ExitStack() as stack:
        first, one = None, None
        for ranks in (n for n in (1, 2, 4, 8, 16) if n <= min(options.gpus, options.shards)):
            run = stack.enter_context(Run(options, CONFIG, ranks, settings_of(options, ranks)))
            events = run.finish()
            timed = events[WARM_UP:]
            rate = statistics.median(event["samples_per_s"] for event in timed)
            waits = statistics.median(event["data_wait_fraction"] or 0 for event in timed)
            first, one = first or (run, events), one or rate
            print("%2d ranks: %9.1f samples/s, %8.2f ms a step, %4.2f of %d times one, %2.0f %% waiting for data" % (
                ranks, rate, statistics.median(event["step_ms"] for event in timed), rate / one, ranks, 100 * waits), flush=True)
            if [event["loss"] for event in events] != [event["loss"] for event in first[1]]:
                sys.exit("losses on 1 and %d ranks differ" % ranks)
            compare(options, first[0], run)
    print("losses and weights are equal, bit for bit")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mpdist", default=str(ROOT / "build/cuda/mpdist"))
    parser.add_argument("--gpus", type=int, default=1, help="the most ranks")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--depth", type=int, choices=sorted(FORMS), default=50)
    parser.add_argument("--image", type=int, default=224)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--samples", type=int, default=256, help="images of a shard")
    parser.add_argument("--steps", type=int, default=20, help="that are timed")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()

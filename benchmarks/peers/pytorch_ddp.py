#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Times training steps of PyTorch DistributedDataParallel over gloo on CPU ranks, and prints one JSON line.

    /usr/bin/python3 benchmarks/peers/pytorch_ddp.py --model cnn --dtype bf16 --ranks 2

Each rank is a process with one thread, bound to one CPU. Forward, loss, backward, all-reduce, SGD with Nesterov momentum
and the making of the batch (random crop and flip of Fashion-MNIST) are timed; reading the files is not. resnet50 gets
synthetic images of 64 x 64 x 3 and 1000 classes.
"""
import argparse
import gzip
import json
import os
import statistics
import sys
import tempfile
import time

import numpy
import torch
import torch.distributed as dist
from torch.nn import functional

from pytorch_models import MODELS

MEAN, STD, PADDING, SIDE = 0.286, 0.353, 2, 28
SYNTHETIC_SIZE, SYNTHETIC_IMAGE, SYNTHETIC_CLASSES = 1024, (3, 64, 64), 1000


class Batches:
    """This rank's part of each global batch, from images that lie normalised in memory."""

    def __init__(self, images, labels, batch, rank, ranks, augment):
        self.images, self.labels = images, labels
        self.batch, self.rank, self.ranks, self.augment = batch, rank, ranks, augment
        if augment:
            padded = functional.pad(images.squeeze(1), (PADDING,) * 4)
            self.windows = padded.unfold(1, SIDE, 1).unfold(2, SIDE, 1)  # [n, 5, 5, 28, 28], a view
        self.shuffle = torch.Generator().manual_seed(1)  # the same on every rank
        self.random = torch.Generator().manual_seed(2 + rank)
        self.order, self.position = torch.empty(0, dtype=torch.int64), 0

    def next(self):
        if self.position + self.batch > len(self.order):
            self.order, self.position = torch.randperm(len(self.labels), generator=self.shuffle), 0
        rows = self.batch // self.ranks
        begin = self.position + self.rank * rows
        index = self.order[begin:begin + rows]
        self.position += self.batch
        return (self.crop_and_flip(index) if self.augment else self.images[index]), self.labels[index]

    def crop_and_flip(self, index):
        rows = len(index)
        down, right = torch.randint(0, 2 * PADDING + 1, (2, rows), generator=self.random)
        images = self.windows[index, down, right]
        flipped = torch.rand(rows, generator=self.random) < 0.5
        return torch.where(flipped[:, None, None], images.flip(2), images).unsqueeze(1)


def make_batches(options, rank):
    if options.model == "resnet50":
        generator = torch.Generator().manual_seed(4)
        images = torch.randn(SYNTHETIC_SIZE, *SYNTHETIC_IMAGE, generator=generator)
        labels, augment = torch.arange(SYNTHETIC_SIZE) % SYNTHETIC_CLASSES, False
    else:
        pixels = read_idx(options.data + "/train-images-idx3-ubyte.gz", 16).reshape(-1, 1, SIDE, SIDE)
        images = (torch.from_numpy(pixels).float() / 255 - MEAN) / STD
        labels = torch.from_numpy(read_idx(options.data + "/train-labels-idx1-ubyte.gz", 8).astype(numpy.int64))
        augment = options.augment
    return Batches(images, labels, options.batch, rank, options.ranks, augment)


def read_idx(path, header):
    with gzip.open(path) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy()  # writable, as PyTorch wants it


def blas_library():
    """The file that PyTorch's FP32 matrix products come from."""
    with open("/proc/self/maps") as maps:
        found = {line.split()[-1] for line in maps if "/libblas" in line or "openblas" in line or "libmkl" in line}
    return ", ".join(sorted(found)) or "built in"


def time_steps(options, layout, batches):
    """Milliseconds of each timed step."""
    torch.manual_seed(3)
    model = MODELS[options.model](options.dropout).to(memory_format=layout)
    # Without broadcasting rank 0's running statistics in every forward pass: that only costs PyTorch time.
    model = torch.nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True, broadcast_buffers=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4)
    times = []
    for step in range(options.warmup + options.steps):
        begin = time.perf_counter()
        images, labels = batches.next()
        images = images.contiguous(memory_format=layout)
        with torch.autocast("cpu", enabled=options.dtype == "bf16", dtype=torch.bfloat16):
            loss = functional.cross_entropy(model(images).float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step >= options.warmup:
            times.append(1e3 * (time.perf_counter() - begin))
    if not loss.isfinite():
        sys.exit("the loss is not finite: what was timed is no training")
    return times


def run_rank(rank, options, store):
    os.sched_setaffinity(0, {options.cpus[rank % len(options.cpus)]})
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=options.ranks)
    batches = make_batches(options, rank)
    layouts = {"default": torch.contiguous_format, "channels_last": torch.channels_last}
    if options.layout != "best":
        layouts = {options.layout: layouts[options.layout]}
    elif options.model == "mlp":
        del layouts["channels_last"]  # its images have one channel and go straight to a linear layer
    medians = {name: statistics.median(time_steps(options, layout, batches)) for name, layout in layouts.items()}
    if rank == 0:
        best = min(medians, key=medians.get)
        print(json.dumps({"samples_per_s": 1e3 * options.batch / medians[best], "step_ms": medians[best], "layout": best,
                          "step_ms_by_layout": medians, "model": options.model, "dtype": options.dtype,
                          "ranks": options.ranks, "batch": options.batch, "torch": torch.__version__,
                          "blas": blas_library()}), flush=True)
    dist.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(MODELS), default="cnn")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--layout", choices=["best", "default", "channels_last"], default="best")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256, help="samples of a step, over all ranks")
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--no-augment", dest="augment", action="store_false", help="neither crop nor flip")
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50, help="timed steps of each layout")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    if options.batch % options.ranks:
        parser.error("--batch %d does not divide among %d ranks" % (options.batch, options.ranks))
    options.cpus = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(run_rank, (options, folder + "/store"), nprocs=options.ranks)


if __name__ == "__main__":
    main()

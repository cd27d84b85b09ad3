#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a training step of a residual network must cost on a GPU: a model from operations and bytes, nothing measured.

    benchmarks/train/model_step.py                       # resnet50, 224 x 224, batch 256 a GPU, FP16, 8 H100 SXM
    benchmarks/train/model_step.py --depth 18 --batch 128 --ranks 1

A part takes the longer of its operations at the matrix peak and its bytes at the memory's bandwidth, every tensor read or
written once by each kernel that the trainer launches: convolutions by cuDNN, each followed by the norm's own passes
(kernels/conv_norm.hpp). "floor" has the rates of the data sheet, "likely" the shares of them in `LIKELY`.
"""
import argparse
import collections
import dataclasses

from resnet_layers import FORMS, Network


@dataclasses.dataclass
class Machine:
    """Rates a second; link is what one GPU sends (and receives at the same time), host what comes from its host."""
    matrix_flops: float
    memory_bytes: float
    link_bytes: float
    host_bytes: float

    def share(self, matrix, memory, link):
        return Machine(self.matrix_flops * matrix, self.memory_bytes * memory, self.link_bytes * link, self.host_bytes * link)


# NVIDIA H100 SXM, data sheet: dense FP16 with FP32 sums, HBM3, NVLink 4 (900 GB/s in both directions together), PCIe 5
# (128 GB/s likewise).
H100 = Machine(989e12, 3.35e12, 450e9, 64e9)
# Matrix: the sheet's peak is at boost clock, which full load at 700 W does not hold, and convolutions on 7 x 7 images fill
# neither tiles nor waves. Memory: refresh, row changes and turning the bus cost a copy a tenth, kernels that read and write
# several arrays more. Link and host: protocol, and pieces too short to fill them.
LIKELY = {"matrix": 0.6, "memory": 0.85, "link": 0.75}
HALF, FLOAT = 2, 4  # bytes
CHANNELS = 8  # Tensor Cores multiply channels in multiples of this: cuDNN pads to it


@dataclasses.dataclass
class Part:
    group: str
    kind: str  # a column of the table
    flops: float = 0  # 2 a multiply-add, of useful work
    matrix_flops: float = 0  # what the Tensor Cores do, padding included
    bytes: float = 0
    link: float = 0
    host: float = 0

    def seconds(self, machine, padded=False):
        flops = self.matrix_flops if padded else self.flops
        on_gpu = max(flops / machine.matrix_flops, self.bytes / machine.memory_bytes)
        return on_gpu + self.link / machine.link_bytes + self.host / machine.host_bytes


def padded(channels):
    return -(-channels // CHANNELS) * CHANNELS


def convolution_parts(c, batch):
    """The three products; each reads two of x, weight, z and writes the third. Weight gradients are FP32."""
    flops = 2.0 * c.macs * batch
    matrix = flops * padded(c.in_channels) / c.in_channels * padded(c.out_channels) / c.out_channels
    images = HALF * batch * (c.inputs + c.outputs)
    parts = [Part(c.group, "forward", flops, matrix, images + HALF * c.weights),
             Part(c.group, "weights", flops, matrix, images + FLOAT * c.weights)]
    if c.group != "stem":  # the images need no gradient
        parts.append(Part(c.group, "data", flops, matrix, images + HALF * c.weights))
    return parts


def norm_parts(c, batch):
    """Passes over z (a convolution's output) and y (its norm's result), all of one size."""
    outputs = HALF * batch * c.outputs
    statistics = 1  # z
    apply = 0 if c.deferred else 2 + (1 if c.residual else 0)  # z, the shortcut; y
    # mask and sums: gradient in and out, y, z; the other reader's gradient; the projection's z. A projection's gradient
    # is that of its block's result.
    mask = 0 if c.deferred else 4 + (c.readers - 1) + (1 if c.shortcut else 0)
    gradient = 3  # g and z; dz
    return [Part(c.group, "norm forward", bytes=outputs * (statistics + apply)),
            Part(c.group, "norm backward", bytes=outputs * (mask + gradient))]


def other_parts(network, batch, ranks):
    large = HALF * batch * network.stem.outputs
    small = HALF * batch * network.pooled_extent ** 2 * network.stem.out_channels
    last = HALF * batch * network.last.outputs
    head = 2.0 * network.features * network.classes * batch
    head_bytes = HALF * (batch * (network.features + network.classes) + network.features * network.classes)
    n = network.parameters
    sent = HALF * n * (ranks - 1) / ranks
    return [Part("pooling", "forward", bytes=large + small + last),
            Part("pooling", "data", bytes=2 * large + 4 * small + last),  # x, dx, dy; the sum of dy's two parts
            Part("fc, loss", "forward", head, head, head_bytes + 3 * HALF * batch * network.classes),
            Part("fc, loss", "data", head, head, head_bytes),
            Part("fc, loss", "weights", head, head, head_bytes + HALF * network.features * network.classes),
            Part("leaves to the wire type", "other", bytes=(FLOAT + HALF) * n),
            Part("tree: adding slices", "other", bytes=3 * sent),
            Part("statistics", "other", bytes=HALF * n),
            Part("update (SGD, momentum)", "other", bytes=(4 * FLOAT + 2 * HALF) * n),
            Part("all-reduce, hidden by backward", "hidden", link=2 * sent),
            Part("images from the host, hidden", "hidden", host=HALF * batch * network.stem.inputs)]


def parts_of(network, batch, ranks):
    parts = []
    for c in network.convolutions:
        parts += convolution_parts(c, batch) + norm_parts(c, batch)
    return parts + other_parts(network, batch, ranks)


COLUMNS = ("forward", "data", "weights", "norm forward", "norm backward", "other")


def milliseconds(parts, machine, use_padded):
    """{group: {kind: ms}}"""
    table = collections.defaultdict(lambda: collections.defaultdict(float))
    for part in parts:
        table[part.group][part.kind] += 1e3 * part.seconds(machine, use_padded)
    return table


def total(rows, kinds=COLUMNS):
    return sum(row.get(kind, 0.0) for row in rows.values() for kind in kinds)


def print_table(floor, likely):
    print("| modelled, ms: floor / likely | forward | backward data | backward weights | norm forward | norm backward | all |")
    print("|---|---|---|---|---|---|---|")
    for group, row in floor.items():
        if "hidden" in row:
            print("| %s | | | | | | (%.2f / %.2f) |" % (group, row["hidden"], likely[group]["hidden"]))
            continue
        cells = ["%.2f / %.2f" % (row[k], likely[group][k]) if row.get(k) else "" for k in COLUMNS[:-1]]
        both = [sum(rows[group].get(k, 0) for k in COLUMNS) for rows in (floor, likely)]
        print("| %s | %s | %.2f / %.2f |" % (group, " | ".join(cells), *both))
    cells = ["%.1f / %.1f" % (total(floor, (k,)), total(likely, (k,))) for k in COLUMNS[:-1]]
    print("| **all** | %s | **%.1f / %.1f** |" % (" | ".join(cells), total(floor), total(likely)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, choices=sorted(FORMS), default=50)
    parser.add_argument("--image", type=int, default=224)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=256, help="samples a GPU")
    parser.add_argument("--ranks", type=int, default=8, help="GPUs, joined by NVLink")
    options = parser.parse_args()
    network = Network(options.depth, options.image, options.classes)
    parts = parts_of(network, options.batch, options.ranks)
    floor = milliseconds(parts, H100, False)
    likely = milliseconds(parts, H100.share(**LIKELY), True)
    print("`resnet%d`, %d x %d, %d samples a GPU, FP16, %d GPUs, one shard each: %.3f M parameters, %.3f GMAC an image,"
          % (options.depth, options.image, options.image, options.batch, options.ranks, network.parameters / 1e6, network.macs / 1e9))
    print("%.2f TFLOP and %.1f GB a step." % (sum(p.flops for p in parts) / 1e12, sum(p.bytes for p in parts) / 1e9))
    print()
    print_table(floor, likely)
    norms = total(likely, ("norm forward", "norm backward"))
    print("\nModelled images a second and GPU: %.0f at the floor, %.0f likely; %.0f %% of the likely step are the norms' own passes."
          % (options.batch / total(floor) * 1e3, options.batch / total(likely) * 1e3, 100 * norms / total(likely)))


if __name__ == "__main__":
    main()

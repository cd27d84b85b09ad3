# SPDX-License-Identifier: Apache-2.0
"""The model of a step knows the networks that the program trains, and what papers and model zoos say of them."""
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "train"))

import model_step  # noqa: E402
from program import run  # noqa: E402
from resnet_layers import Network  # noqa: E402

# torchvision's model zoo, images of 224 x 224 and 1000 classes: parameters, 10^9 multiply-adds (its "GFLOPS").
PUBLISHED = {18: (11689512, 1.81), 34: (21797672, 3.66), 50: (25557032, 4.09), 101: (44549160, 7.80)}
CONFIG = ROOT / "launch" / "configs" / "synthetic_resnet50.toml"


class Layers(unittest.TestCase):
    def test_parameters_and_operations_are_the_published_ones(self):
        for depth, (parameters, gmacs) in PUBLISHED.items():
            network = Network(depth, 224, 1000)
            self.assertEqual(network.parameters, parameters)
            self.assertAlmostEqual(network.macs / 1e9, gmacs, delta=0.005)

    def test_every_parameter_has_the_shape_that_the_program_gives_it(self):
        small = {"batch.global": 16, "data.height": 32, "data.width": 32}
        settings = [word for key, value in small.items() for word in ("--set", "%s=%s" % (key, value))]
        done = run(["check", str(CONFIG), *settings])
        self.assertEqual(done.code, 0, done.err)
        found = {name: tuple(int(n) for n in shape.split(", "))
                 for name, shape in re.findall(r"(?m)^    (\S+) +\[([\d, ]+)\] +\d+$", done.out)}
        self.assertEqual(found, Network(50, 224, 1000).shapes())

    def test_shapes_follow_strides(self):
        by_name = {c.name: c for c in Network(50, 224, 1000).convolutions}
        self.assertEqual(len(by_name), 53)
        self.assertEqual([by_name["stage%d.block2.conv2" % s].extent for s in (1, 2, 3, 4)], [56, 28, 14, 7])
        strided = by_name["stage2.block1.conv2"]
        self.assertEqual((strided.extent, strided.out_extent, strided.in_channels), (56, 28, 128))


class Model(unittest.TestCase):
    def parts(self, ranks=8):
        return model_step.parts_of(Network(50, 224, 1000), 256, ranks)

    def test_operations_are_those_of_the_three_products(self):
        network = Network(50, 224, 1000)
        products = 3 * network.macs - network.stem.macs  # images need no gradient
        self.assertEqual(sum(p.flops for p in self.parts()), 2 * 256 * products)

    def test_a_part_takes_the_longer_of_operations_and_bytes(self):
        machine = model_step.Machine(matrix_flops=100, memory_bytes=10, link_bytes=1, host_bytes=1)
        part = model_step.Part("g", "forward", flops=100, matrix_flops=300, bytes=20)
        self.assertEqual((part.seconds(machine), part.seconds(machine, padded=True)), (2, 3))

    def test_a_norm_without_residual_passes_ten_times_over_its_tensor(self):
        conv = {c.name: c for c in Network(50, 224, 1000).convolutions}["stage1.block1.conv1"]
        forward, backward = model_step.norm_parts(conv, 1)
        tensor = 2 * 56 * 56 * 64
        self.assertEqual((forward.bytes, backward.bytes), (3 * tensor, 7 * tensor))

    def test_one_gpu_has_nothing_to_reduce(self):
        reduced = [p for p in self.parts(1) if p.group.startswith(("all-reduce", "tree"))]
        self.assertEqual([p.bytes + p.link for p in reduced], [0, 0])
        two, eight = ([p.link for p in self.parts(n) if p.link] for n in (2, 8))
        self.assertEqual([round(e / t, 6) for e, t in zip(eight, two)], [7 / 4])

    def test_likely_is_never_faster_than_the_floor(self):
        likely = model_step.H100.share(**model_step.LIKELY)
        for part in self.parts():
            self.assertGreaterEqual(part.seconds(likely, padded=True), part.seconds(model_step.H100))


if __name__ == "__main__":
    unittest.main()

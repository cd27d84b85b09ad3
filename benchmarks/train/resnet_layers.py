# SPDX-License-Identifier: Apache-2.0
"""The layers of a residual network in the ImageNet form, as src/models/resnet.cpp builds them: shapes and counts."""
import dataclasses

# depth: (blocks of each stage, whether they are bottlenecks)
FORMS = {18: ((2, 2, 2, 2), False), 34: ((3, 4, 6, 3), False), 50: ((3, 4, 6, 3), True), 101: ((3, 4, 23, 3), True)}
STEM_CHANNELS = 64


@dataclasses.dataclass
class Convolution:
    """A convolution without bias with its batch norm, on square images; counts are of one image."""
    name: str
    group: str  # "stem", "stage1" ...
    extent: int  # of the input
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    residual: bool = False  # its norm adds the block's shortcut
    deferred: bool = False  # its norm's result is never written: the block's last norm applies it (a projection)
    source: "Convolution" = None  # whose norm made the input; None: images, or the pooled stem
    shortcut: "Convolution" = None  # of the last one of a block: the projection, where there is one
    readers: int = 1  # of its norm's result

    @property
    def out_extent(self):
        return -(-self.extent // self.stride)  # padding is kernel // 2

    @property
    def inputs(self):
        return self.extent * self.extent * self.in_channels

    @property
    def outputs(self):
        return self.out_extent * self.out_extent * self.out_channels

    @property
    def weights(self):
        return self.out_channels * self.kernel * self.kernel * self.in_channels

    @property
    def parameters(self):
        return self.weights + 2 * self.out_channels

    @property
    def macs(self):
        return self.out_extent * self.out_extent * self.weights

    def shapes(self):
        """Parameters by name, as `mpdist check` prints them."""
        return {self.name + ".weight": (self.out_channels, self.kernel, self.kernel, self.in_channels),
                self.name + ".norm.gamma": (self.out_channels,), self.name + ".norm.beta": (self.out_channels,)}


class Network:
    def __init__(self, depth, image, classes):
        blocks, bottleneck = FORMS[depth]
        self.classes = classes
        self.stem = Convolution("stem", "stem", image, 3, STEM_CHANNELS, 7, 2)
        self.convolutions = [self.stem]
        self.pooled_extent = -(-self.stem.out_extent // 2)
        extent, channels, width, last = self.pooled_extent, STEM_CHANNELS, STEM_CHANNELS, None
        for stage, count in enumerate(blocks, 1):
            for block in range(1, count + 1):
                stride = 2 if stage > 1 and block == 1 else 1
                last = self._add_block(stage, block, extent, channels, width, stride, bottleneck, last)
                extent, channels = last.out_extent, last.out_channels
            width *= 2
        self.features, self.last = channels, last

    def _add_block(self, stage, block, extent, channels, width, stride, bottleneck, source):
        """The path, then the projection where shapes differ; returns the one whose norm makes the block's result."""
        out = 4 * width if bottleneck else width
        plan = [(width, 1, 1), (width, 3, stride), (out, 1, 1)] if bottleneck else [(width, 3, stride), (out, 3, 1)]
        name, group = "stage%d.block%d" % (stage, block), "stage%d" % stage
        if source:
            source.readers = 2
        path, at, reads = source, extent, channels
        for number, (makes, kernel, step) in enumerate(plan, 1):
            path = Convolution("%s.conv%d" % (name, number), group, at, reads, makes, kernel, step, source=path)
            self.convolutions.append(path)
            at, reads = path.out_extent, makes
        path.residual = True
        if stride != 1 or channels != out:
            path.shortcut = Convolution(name + ".shortcut", group, extent, channels, out, 1, stride, source=source, deferred=True)
            self.convolutions.append(path.shortcut)
        return path

    def shapes(self):
        shapes = {"fc.weight": (self.classes, self.features), "fc.bias": (self.classes,)}
        for convolution in self.convolutions:
            shapes.update(convolution.shapes())
        return shapes

    @property
    def parameters(self):
        return sum(c.parameters for c in self.convolutions) + (self.features + 1) * self.classes

    @property
    def macs(self):
        return sum(c.macs for c in self.convolutions) + self.features * self.classes

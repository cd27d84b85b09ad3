# SPDX-License-Identifier: Apache-2.0
"""The models of mpdist in PyTorch: the same parameters under the same names (but for batch norm's own), in the same order.

Images are [n, channels, height, width]. Convolutions before batch norm have no bias; batch norm has momentum 0.1 and
epsilon 1e-5, as ours.
"""
import torch
from torch.nn import functional


class Cnn(torch.nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = torch.nn.Linear(64 * 7 * 7, 128)
        self.fc2 = torch.nn.Linear(128, 10)
        self.dropout = dropout

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x), inplace=True), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x), inplace=True), 2)
        x = functional.relu(self.fc1(x.flatten(1)), inplace=True)
        return self.fc2(functional.dropout(x, self.dropout, self.training))


class Mlp(torch.nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.fc1 = torch.nn.Linear(28 * 28, 512)
        self.fc2 = torch.nn.Linear(512, 512)
        self.fc3 = torch.nn.Linear(512, 10)
        self.dropout = dropout

    def forward(self, x):
        for layer in (self.fc1, self.fc2):
            x = functional.relu(layer(x.flatten(1)), inplace=True)
            x = functional.dropout(x, self.dropout, self.training)
        return self.fc3(x)


class ConvNorm(torch.nn.Module):
    """Convolution without bias, then batch norm; the weight is `weight`, so names are those of mpdist."""

    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__()
        convolution = torch.nn.Conv2d(inputs, outputs, kernel, bias=False)
        self.weight, self.stride, self.padding = convolution.weight, stride, kernel // 2
        torch.nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.norm = torch.nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(functional.conv2d(x, self.weight, stride=self.stride, padding=self.padding))


class Block(torch.nn.Module):
    """3x3, 3x3; or 1x1, 3x3 (with the stride), 1x1 with four times the channels."""

    def __init__(self, inputs, channels, stride, bottleneck):
        super().__init__()
        outputs = 4 * channels if bottleneck else channels
        if bottleneck:
            self.conv1 = ConvNorm(inputs, channels, 1)
            self.conv2 = ConvNorm(channels, channels, 3, stride)
            self.conv3 = ConvNorm(channels, outputs, 1)
        else:
            self.conv1 = ConvNorm(inputs, channels, 3, stride)
            self.conv2 = ConvNorm(channels, outputs, 3)
            self.conv3 = None
        self.shortcut = ConvNorm(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x):
        y = self.conv2(functional.relu(self.conv1(x), inplace=True))
        if self.conv3 is not None:
            y = self.conv3(functional.relu(y, inplace=True))
        y += x if self.shortcut is None else self.shortcut(x)
        return functional.relu(y, inplace=True)


class Resnet(torch.nn.Module):
    """He et al. 2016: depth 20 in the CIFAR form (section 4.2), depth 50 in the ImageNet form (table 1)."""

    def __init__(self, depth, channels, classes, dropout=0.0, width=16):
        super().__init__()
        self.imagenet, self.dropout = depth == 50, dropout
        blocks, bottleneck = {20: ([3, 3, 3], False), 50: ([3, 4, 6, 3], True)}[depth]
        first = 64 if self.imagenet else width
        self.stem = ConvNorm(channels, first, 7, 2) if self.imagenet else ConvNorm(channels, first, 3)
        inputs, self.stages = first, []
        for stage, count in enumerate(blocks):
            names = torch.nn.ModuleDict()
            for block in range(count):
                names["block%d" % (block + 1)] = Block(inputs, first << stage, 2 if stage and not block else 1, bottleneck)
                inputs = (4 if bottleneck else 1) * (first << stage)
            setattr(self, "stage%d" % (stage + 1), names)
            self.stages.append(names)
        self.fc = torch.nn.Linear(inputs, classes)

    def forward(self, x):
        x = functional.relu(self.stem(x), inplace=True)
        if self.imagenet:
            x = functional.max_pool2d(x, 3, 2, 1)
        for names in self.stages:
            for block in names.values():
                x = block(x)
        return self.fc(functional.dropout(x.mean((2, 3)), self.dropout, self.training))


def make_resnet20(dropout):
    return Resnet(20, 1, 10, dropout)


def make_resnet50(dropout):
    return Resnet(50, 3, 1000, dropout)


MODELS = {"cnn": Cnn, "mlp": Mlp, "resnet20": make_resnet20, "resnet50": make_resnet50}

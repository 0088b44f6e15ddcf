"""The trunk: a small U-Net from a normalised map to one descriptor per cell and a coarse context for the whole map.

Only operations whose 8-bit form is exact on every processor: convolutions, ReLU, sums and nearest up-sampling.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LOCAL, CONTEXT, GLOBAL = 32, 16, 256
"""Components of a keypoint's descriptor, of a coarse cell's context, and of the map's vector."""
WIDTHS = (32, 64, 80)
"""Channels at each cell, and at every second and fourth. Nothing sees further: a descriptor that leans on what is far
away says where a point lies to that, and is wrong about the point itself once the camera has turned or come nearer."""
PARTS = 4
"""The vector is pooled over the whole map, and over 4 x 4 parts of 2/5 of its height and width."""
REGIONS = 1 + PARTS**2


class Trunk(nn.Module):
    """(n, 2, rows, columns), both multiples of 4 → local (n, 32, rows, columns), context (n, 16, rows/4, columns/4)."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.at1 = nn.Sequential(_conv(2, a), _conv(a, a))
        self.at2 = nn.Sequential(_conv(a, b, stride=2), _conv(b, b))
        self.at4 = nn.Sequential(_conv(b, c, stride=2), _conv(c, c))
        self.down2, self.back2 = nn.Conv2d(c, b, 1), _conv(b, b)
        self.down1, self.back1 = nn.Conv2d(b, a, 1), _conv(a, 32)
        self.local = nn.Conv2d(32, LOCAL, 1)
        self.context = nn.Sequential(nn.Conv2d(c, CONTEXT, 1), nn.ReLU())

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        one = self.at1(maps)
        two = self.at2(one)
        four = self.at4(two)
        two = self.back2(two + _double(self.down2(four)))
        one = self.back1(one + _double(self.down1(two)))
        return self.local(one), self.context(four)


class Head(nn.Module):
    """context → the vector of the map, of unit length: root mean squares over regions, then one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(REGIONS * CONTEXT, GLOBAL, bias=False)

    def forward(self, context: Tensor) -> Tensor:
        return functional.normalize(self.project(pool(context)), dim=1)


def pool(context: Tensor) -> Tensor:
    """(n, 16, rows, columns) → (n, 272): root mean square of each channel over the map and over sixteen parts of it.

    The parts are 2/5 as high and wide as the map, and lie evenly, so that neighbours overlap.
    """
    rows, columns = context.shape[2:]
    power = context.square() + 1e-6
    parts = [power.mean((2, 3))]
    for top, bottom in spans(rows):
        for left, right in spans(columns):
            parts.append(power[:, :, top:bottom, left:right].mean((2, 3)))
    return torch.cat(parts, 1).sqrt()


def spans(size: int) -> list[tuple[int, int]]:
    """Where the parts of a side begin and end: whole cells, at least one."""
    length = max(1, -(-2 * size // 5))
    starts = [(k * (size - length) + (PARTS - 1) // 2) // (PARTS - 1) for k in range(PARTS)]
    return [(start, start + length) for start in starts]


def parameters(*modules: nn.Module) -> int:
    """How many numbers are trained, batch normalisation folded away."""
    return sum(p.numel() for module in modules for name, p in module.named_parameters() if "norm" not in name)


def folded(trunk: Trunk) -> Trunk:
    """The same function without batch normalisation: its gains and offsets are put into the convolutions."""
    trunk = trunk.eval()
    for block in trunk.modules():
        if isinstance(block, Block) and isinstance(block.norm, nn.BatchNorm2d):
            norm, conv = block.norm, block.conv
            mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
            gain = norm.weight / torch.sqrt(variance + norm.eps)
            whole = nn.Conv2d(conv.in_channels, conv.out_channels, 3, conv.stride, 1)
            whole.weight.data = conv.weight.data * gain.data[:, None, None, None]
            whole.bias = nn.Parameter((norm.bias - mean * gain).detach())
            block.conv, block.norm = whole, nn.Identity()
    return trunk


class Block(nn.Module):
    """3 x 3 convolution, batch normalisation, ReLU."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(incoming, outgoing, 3, stride, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outgoing)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)))


def _conv(incoming: int, outgoing: int, stride: int = 1) -> Block:
    return Block(incoming, outgoing, stride)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")

"""The method with the network: descriptors of corners and of a lattice of blocks, and one vector for the whole map.

The trunk is all that ONNX Runtime computes, in 8 bits. What comes before and after it is whole numbers, and floating
point only in single additions, products, divisions and square roots, which IEEE 754 rounds alike everywhere: so the
same releases give the same bytes on every machine.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features.fineness import carries_keypoints
from edge.features.keypoints import MOST, find
from edge.features.lattice import LEAST_NOISE
from edge.features.map import Map
from models.load import Model
from wire.features import quantise, quantise_vector, unsigned_bytes
from wire.schema import Features

REPEATED = 4
"""How often a cell is repeated along both sides where a grid is too coarse for keypoints, as in training."""
PARTS = 4
"""The vector is pooled over the whole map, and over 4 x 4 parts of 2/5 of its height and width."""
STEPS_PER_GREY = 256
"""A map is read as whole numbers of this part of a grey value."""
INPUT_STEP, INPUT_LIMIT = 1 / 32, 4.0
"""What the trunk reads: whole numbers of steps from -4 to below 4."""
UNIT = 254
"""Steps of a descriptor of length 1; a component beyond 1/2, which is rare among 32, is held at its end."""
PARTS_OF_CELL = 16
"""Positions are described to within half of this part of a cell."""
POOLED_STEPS = 16
"""Steps per unit of a pooled context."""
MERGED = (1, 2, 4)
"""Sides of squares of cells whose means are held against the noise: large features show in large squares."""
FEWEST_SQUARES = 12
SIGNIFICANCE = 2.0
"""Standard deviations of a normal law that the variance of some squares must reach before a map's vector speaks."""

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A map as the trunk reads it: (1, 2, rows, columns) float32, both multiples of the model's.

    says: whether the map shows more than noise.
    """

    planes: NDArray[np.float32]
    says: bool


class Learned:
    """Describes maps with a network. Deterministic."""

    def __init__(self, model: Model, *, expected_false: float, most: int = MOST) -> None:
        """Take a network.

        Args:
            model: trunk, and `project` in its codebook: (k, 17 · channels) int8, for the vector.
            expected_false: keypoints in a map of pure noise, on average.
            most: keypoints of a map.
        """
        self._model = model
        self._expected_false = expected_false
        self._most = most
        self._local, self._context = (tensor.scale or 1.0 for tensor in model.manifest.outputs)

    def describe(self, source: Map) -> Features:
        """Keypoints, descriptors and the vector of one map: post-processing of releases."""
        rows, columns = source.image.shape
        fine = carries_keypoints(rows, columns, source.cell)
        repeated = 1 if fine else REPEATED
        reading = read(source.image, source.noise, self._model.manifest.multiple, repeated)
        local, context = self._model.run(reading.planes)
        found = find(
            source.image,
            source.noise,
            expected_false=self._expected_false,
            most=self._most if fine else 0,
            excess=3.0 / len(source.fused),
        )
        descriptors = described(steps(local[0, :, :rows, :columns], self._local), found.points)
        shown = steps(context[0, :, : -(-rows * repeated // 4), : -(-columns * repeated // 4)], self._context)
        vector = np.asarray(self._model.arrays["project"], np.int64) @ pooled(shown)
        return Features(
            method=self._model.manifest.name,
            model=self._model.network,
            codebook=self._model.codebook,
            width=source.width,
            height=source.height,
            keypoints=quantise(
                found.points,
                found.size,
                found.strength,
                found.spread,
                cell=source.cell,
                width=source.width,
                height=source.height,
            ),
            descriptors=descriptors,
            vector=quantise_vector(vector if reading.says else np.zeros(len(vector))),
            noise=source.noise,
            fused=list(source.fused),
        )


def read(image: NDArray[np.floating], noise: float, multiple: int, repeated: int = 1) -> Reading:
    """(map - mean) / d and 8 · noise / d - 4, d² being the map's variance and at least 1; extended at the far borders.

    Means and variances are those of whole numbers, and exact.
    """
    grey = np.rint(np.asarray(image, np.float64) * STEPS_PER_GREY).astype(np.int64)
    count, total = grey.size, int(grey.sum())
    scatter = count * int((grey * grey).sum()) - total * total
    deviation = max(math.sqrt(scatter) / count, float(STEPS_PER_GREY))
    level = min(noise * STEPS_PER_GREY / deviation, 1.0)
    planes = np.empty((1, 2, *grey.shape))
    planes[0, 0] = (grey * count - total) / (count * deviation)
    planes[0, 1] = 2 * INPUT_LIMIT * level - INPUT_LIMIT
    stepped = np.rint(np.clip(planes, -INPUT_LIMIT, INPUT_LIMIT - INPUT_STEP) / INPUT_STEP) * INPUT_STEP
    enlarged = stepped.repeat(repeated, axis=2).repeat(repeated, axis=3)
    far = [(0, -side % multiple) for side in enlarged.shape[2:]]
    planes = np.pad(enlarged, [(0, 0), (0, 0), *far], mode="edge").astype(np.float32)
    return Reading(planes, shows(grey, max(noise, LEAST_NOISE) * STEPS_PER_GREY))


def shows(grey: Whole, noise: float) -> bool:
    """Whether a map's variance, or that of means over squares of its cells, is more than noise explains.

    Under noise alone the variance of n means follows a chi-square law of n - 1 degrees of freedom; with Laplace noise,
    whose tails are heavier, of about 2(n - 1) / (2 + 3/m²) where each is of m² cells. Its quantile is Wilson and
    Hilferty's (PNAS, 1931). Of 20,000 maps of noise alone, 1093 of 30 x 40 cells passed, and 817 of 7 x 10. Two maps
    are compared by their vectors only where both passed: of noise alone one pair in 330. A stricter limit silences
    plain places: at 3.5 a quarter of the tuning photographs with cells of 64 and noise of 22.5 grey, at 2 a twelfth.

    Args:
        grey: (rows, columns) in any unit.
        noise: standard deviation of a cell's noise in that unit.
    """
    for side in MERGED:
        rows, columns = (length // side for length in grey.shape)
        count = rows * columns
        if count < FEWEST_SQUARES:
            break
        squares = grey[: rows * side, : columns * side].reshape(rows, side, columns, side).sum(axis=(1, 3))
        total = int(squares.sum())
        scatter = (count * int((squares * squares).sum()) - total * total) / count
        freedom = 2 * (count - 1) / (2 + 3 / side**2)
        root = 1 - 2 / (9 * freedom) + SIGNIFICANCE * math.sqrt(2 / (9 * freedom))
        if scatter > root * root * root * (count - 1) * (side * noise) ** 2:
            return True
    return False


def steps(output: NDArray[np.float32], scale: float) -> Whole:
    """The whole numbers that an output of the trunk is made of."""
    return np.rint(output.astype(np.float64) / scale).astype(np.int64)


def described(local: Whole, points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The descriptors of points: sums over the square of two by two cells around each, scaled to length UNIT.

    Args:
        local: (channels, rows, columns).
        points: (n, 2) x and y in cells, read in steps of 1/PARTS_OF_CELL. A square reaches into three cells along a
            side and holds part of the outer two; where it is beyond the map it is moved inside.

    Returns:
        (n, channels) uint8, signed bytes in two's complement.
    """
    channels, rows, columns = local.shape
    last = np.maximum([columns - 2, rows - 2], 0)
    corner = np.clip(np.rint((points - 0.5) * PARTS_OF_CELL).astype(np.int64), 0, last * PARTS_OF_CELL)
    first, part = np.divmod(corner, PARTS_OF_CELL)
    weights = np.stack([PARTS_OF_CELL - part, np.full_like(part, PARTS_OF_CELL), part])
    sums = np.zeros((len(points), channels), np.int64)
    for down in range(3):
        row = np.minimum(first[:, 1] + down, rows - 1)
        for right in range(3):
            column = np.minimum(first[:, 0] + right, columns - 1)
            sums += local[:, row, column].T * (weights[down, :, 1] * weights[right, :, 0])[:, None]
    length = np.sqrt(np.maximum((sums * sums).sum(axis=1, keepdims=True), 1).astype(np.float64))
    return unsigned_bytes(np.clip(np.rint(sums * UNIT / length), -127, 127).astype(np.int8))


def pooled(context: Whole) -> Whole:
    """(channels, rows, columns) → (17 · channels,): root mean squares over the map and over sixteen parts of it.

    The parts are 2/5 as high and wide as the map, and lie evenly, so that neighbours overlap. (Generalised mean pooling
    with p = 2: Radenović, Tolias and Chum, TPAMI 2019.)
    """
    rows, columns = context.shape[1:]
    power = context * context
    parts = [(slice(0, rows), slice(0, columns))]
    parts += [(down, across) for down in spans(rows) for across in spans(columns)]
    means = [power[:, down, across].sum(axis=(1, 2)) / power[0, down, across].size for down, across in parts]
    whole: Whole = np.rint(np.sqrt(np.concatenate(means)) * POOLED_STEPS).astype(np.int64)
    return whole


def spans(side: int) -> list[slice]:
    """Where the parts of a side begin and end: whole cells, at least one."""
    length = max(1, -(-2 * side // 5))
    starts = [(k * (side - length) + (PARTS - 1) // 2) // (PARTS - 1) for k in range(PARTS)]
    return [slice(start, start + length) for start in starts]

"""The method with the network: descriptors of a lattice of blocks, and one vector for the whole map.

The trunk is all that ONNX Runtime computes, in 8 bits. What comes before and after it is whole numbers, and floating
point only in single additions, products, divisions and square roots, which IEEE 754 rounds alike everywhere: so the
same releases give the same bytes on every machine.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features.fineness import carries_keypoints
from edge.features.lattice import BLOCK, LEAST_NOISE, MOST, SPREAD, find
from edge.features.map import Map
from models.load import Model
from wire.features import quantise, quantise_vector, unsigned_bytes
from wire.schema import Features

STEPS_PER_GREY = 256
"""A map is read as whole numbers of this part of a grey value."""
INPUT_STEP, INPUT_LIMIT = 1 / 32, 4.0
"""What the trunk reads: whole numbers of steps from -4 to below 4."""
UNIT = 254
"""Steps of a descriptor of length 1; a component beyond 1/2, which is rare among 32, is held at its end."""
POOLED_STEPS = 16
"""Steps per unit of a pooled context."""
SIGNIFICANCE = 5.0
"""Standard deviations by which a map's variance must exceed that of its noise before its vector speaks (denoise.py)."""
DIAMETER = 2 * math.sqrt(2)
"""Of a blob whose response is strongest at scale 1 (Lindeberg, IJCV 1998)."""

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
            model: trunk, and `project` in its codebook: (k, 10 · channels) int8, for the vector.
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
        reading = read(source.image, source.noise, self._model.manifest.multiple)
        local, context = self._model.run(reading.planes)
        found = find(
            source.image,
            source.noise,
            expected_false=self._expected_false,
            most=self._most if carries_keypoints(rows, columns, source.cell) else 0,
            excess=3.0 / len(source.fused),
        )
        descriptors = described(steps(local[0, :, :rows, :columns], self._local), found.block)
        coarse = steps(context[0, :, : -(-rows // 4), : -(-columns // 4)], self._context)
        vector = np.asarray(self._model.arrays["project"], np.int64) @ pooled(coarse)
        return Features(
            method=self._model.manifest.name,
            model=self._model.network,
            codebook=self._model.codebook,
            width=source.width,
            height=source.height,
            keypoints=quantise(
                found.points,
                found.sigma * DIAMETER,
                found.strength,
                np.full(len(found.points), SPREAD),
                cell=source.cell,
                width=source.width,
                height=source.height,
            ),
            descriptors=descriptors,
            vector=quantise_vector(vector if reading.says else np.zeros(len(vector))),
            noise=source.noise,
            fused=list(source.fused),
        )


def read(image: NDArray[np.floating], noise: float, multiple: int) -> Reading:
    """(map - mean) / d and 8 · noise / d - 4, d² being the map's variance and at least 1; repeated at the far borders.

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
    far = [(0, -side % multiple) for side in grey.shape]
    variance, quiet = scatter / count**2, (max(noise, LEAST_NOISE) * STEPS_PER_GREY) ** 2
    says = variance - quiet > SIGNIFICANCE * quiet * math.sqrt(5 / count)
    return Reading(np.pad(stepped, [(0, 0), (0, 0), *far], mode="edge").astype(np.float32), says)


def steps(output: NDArray[np.float32], scale: float) -> Whole:
    """The whole numbers that an output of the trunk is made of."""
    return np.rint(output.astype(np.float64) / scale).astype(np.int64)


def described(local: Whole, block: NDArray[np.intp]) -> NDArray[np.uint8]:
    """The descriptors of blocks: the sums over their cells, scaled to length UNIT, as signed bytes.

    Args:
        local: (channels, rows, columns).
        block: (n, 2) row and column of the block.

    Returns:
        (n, channels) uint8, two's complement.
    """
    channels, rows, columns = local.shape
    fine = local[:, : rows // BLOCK * BLOCK, : columns // BLOCK * BLOCK]
    sums = fine.reshape(channels, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).sum(axis=(2, 4))
    picked = sums[:, block[:, 0], block[:, 1]].T
    length = np.sqrt(np.maximum((picked * picked).sum(axis=1, keepdims=True), 1).astype(np.float64))
    return unsigned_bytes(np.clip(np.rint(picked * UNIT / length), -127, 127).astype(np.int8))


def pooled(context: Whole) -> Whole:
    """(channels, rows, columns) → (10 · channels,): root mean squares over the map and over nine parts of it.

    The parts are half as high and wide as the map, at its start, its middle and its end in both directions.
    (Generalised mean pooling with p = 2: Radenović, Tolias and Chum, TPAMI 2019.)
    """
    rows, columns = context.shape[1:]
    power = context * context
    parts = [(slice(0, rows), slice(0, columns))]
    parts += [(down, across) for down in halves(rows) for across in halves(columns)]
    means = [power[:, down, across].sum(axis=(1, 2)) / power[0, down, across].size for down, across in parts]
    whole: Whole = np.rint(np.sqrt(np.concatenate(means)) * POOLED_STEPS).astype(np.int64)
    return whole


def halves(side: int) -> list[slice]:
    """The first, the middle and the last half of a side."""
    half = (side + 1) // 2
    return [slice(start, start + half) for start in (0, (side - half) // 2, side - half)]

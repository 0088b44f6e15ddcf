"""What has to be the same on every processor, from seeds: digests of released sums, tables, noise, messages, networks.

Prints JSON: `exact` is compared bit for bit, `features` is what SIFT's floating point makes of a release, for a look.
"""

import hashlib
import json
import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_observation

from drivers.emulated.faults import seeded
from drivers.emulated.place import PlaceCamera
from edge.features.classical import Classical
from edge.features.describe import NETWORK
from edge.features.learned import Learned
from edge.features.map import Map, undo
from edge.privacy.cells import CellSums
from edge.privacy.lut import ClipLut, LinearLut, LogLut, ResidualLut, log_table
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from models.load import load
from models.pinned import PINNED
from wire.codec import encode
from wire.cose import sign
from wire.schema import Features

ROWS, COLUMNS, CELL, FRAMES = 30, 40, 16, 3


class SeededPool:
    """Noise of a seed in place of entropy: for comparisons only."""

    def __init__(self):
        self._noise = seeded(7)

    def take(self, n):
        return bytearray(self._noise(n))


def digest(data):
    return hashlib.sha256(data).hexdigest()


def luts(top):
    reference = np.random.default_rng(3).integers(0, top + 1, (ROWS, COLUMNS))
    return {
        "linear": LinearLut(top),
        "clip": ClipLut(max_value=top, low=top // 8, high=top // 2),
        "log": LogLut.of(top),
        "residual": ResidualLut(max_value=top, tau=top // 8, reference=reference),
    }


def released(lut, law, dtype, top):
    mechanism = Mechanism(lut=lut, cell=CELL, rows=ROWS, columns=COLUMNS, frames=FRAMES, scale=4096, noise=law)
    sums = Noise.draw(mechanism, SeededPool()).redeem()
    cells = CellSums(lut, CELL, ROWS, COLUMNS)
    for frame in range(FRAMES):
        plane = np.random.default_rng(frame).integers(0, top + 1, (ROWS * CELL, COLUMNS * CELL), dtype)
        cells.add(plane, sums)
    return digest(sums.astype("<i8").tobytes())


def message():
    random = np.random.default_rng(5)
    points = random.integers(1, 256, (60, 5)).astype(np.uint8)
    vector = random.integers(-64, 64, 64).astype(np.int8)
    vector[7] = 127
    features = Features(
        method="speckled",
        model=bytes(range(32)),
        width=640,
        height=480,
        keypoints=points,
        descriptors=random.integers(0, 256, (60, 32)).astype(np.uint8),
        vector=vector,
        noise=10.0,
        fused=[1],
    )
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    observation, _ = make_observation("ward-3", 1, bytes(16), key)
    data = encode(msgspec.structs.replace(observation, features=features))
    return {"codec": digest(data), "signed": digest(sign(data, key, "speckled/ward-3"))}


def described_map(cell, noise):
    """A map of a drawn place with noise of a seed."""
    camera = PlaceCamera(width=640, height=480, seed=1, people_seed=1)
    identity = camera.open()
    mechanism = Mechanism(
        lut=LinearLut(255), cell=cell, rows=480 // cell, columns=640 // cell, frames=1, scale=noise * cell**2
    )
    sums = Noise.draw(mechanism, SeededPool()).redeem()
    plane = np.zeros((identity.height, identity.width), np.uint8)
    camera.read(plane, 1.0)
    CellSums(mechanism.lut, cell, mechanism.rows, mechanism.columns).add(plane, sums)
    estimate = undo(1, sums, mechanism)
    return Map(estimate.grey.astype(np.float32), estimate.noise, cell, 640, 480, (1,))


def features():
    found = Classical().describe(described_map(8, 1))
    return {
        "keypoints": found.keypoints.tolist(),
        "descriptors": found.descriptors.tolist(),
        "vector": found.vector.tolist(),
    }


def networks():
    """What each network makes of maps of drawn numbers, and the features that are made of that."""
    tiny = Path(__file__).resolve().parent.parent / "models"
    pin = digest((tiny / "tiny.json").read_bytes())
    loaded = {"tiny": load("tiny", folder=tiny, pinned={"tiny": pin})} | {name: load(name) for name in PINNED}
    exact = {}
    for name, model in loaded.items():
        for size, seed in product(((32, 40), (64, 80), (72, 104)), (1, 2)):
            maps = (np.random.default_rng(seed).integers(-128, 129, (1, 2, *size)) / 32).astype(np.float32)
            data = b"".join(output.tobytes() for output in model.run(maps))
            exact[f"network {name} {size[0]} x {size[1]} {seed}"] = digest(data)
    describer = Learned(loaded[NETWORK], expected_false=4.0, most=256)
    for cell, noise in product((8, 16), (1, 5, 20)):
        found = describer.describe(described_map(cell, noise))
        data = b"".join(array.tobytes() for array in (found.keypoints, found.descriptors, found.vector))
        exact[f"features {NETWORK} {cell} {noise}"] = digest(data)
        assert len(found.keypoints)
    return exact


def main():
    exact = {f"table {top}": digest(log_table(top, LogLut.of(top).offset).tobytes()) for top in (255, 4092, 16380)}
    for (dtype, top), law in product(((np.uint8, 255), (np.uint16, 4092)), ("discrete-laplace", "discrete-gaussian")):
        for name, lut in luts(top).items():
            exact[f"sums {name} {top} {law}"] = released(lut, law, dtype, top)
    json.dump({"exact": exact | message() | networks(), "features": features()}, sys.stdout)


if __name__ == "__main__":
    main()

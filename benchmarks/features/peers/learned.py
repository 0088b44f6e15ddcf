"""XFeat and SuperPoint, where the user names an ONNX file of their weights. None is kept here, and none was run here.

Both are read as trunks: an image (1, 1 or 3, H, W) in 0..1 goes in; logits (1, 65, H/8, W/8) of where in each 8 x 8
block a point is, with "nowhere" last, and descriptors (1, d, H/8, W/8) come out, XFeat's with a reliability
(1, 1, H/8, W/8) (DeTone, Malisiewicz and Rabinovich, CVPRW 2018; Potje et al., CVPR 2024). A file of any other form is
refused. The original SuperPoint weights are not for commercial use; those of rpautrat/SuperPoint are under MIT.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches, Method
from benchmarks.features.peers import matching, opencv, scales
from benchmarks.features.peers.families import SHARED, Family
from benchmarks.features.peers.maxima import maxima
from benchmarks.features.peers.prepare import enlarge, smooth, thinned
from benchmarks.features.peers.settings import Settings, Value, read, tuned
from models.runtime import import_runtime

BLOCK = 8
NAMES = ("xfeat", "superpoint")
Planes = NDArray[np.float32]
CHOICES: Mapping[str, tuple[Value, ...]] = {
    **{name: SHARED[name] for name in ("blur", "wiener", "thin", "apart")},
    "side": (120, 240, 480),
}


class Trunk(NamedTuple):
    """logits: (65, h, w). descriptors: (d, h, w). reliability: (1, h, w); ones where the network has none."""

    logits: Planes
    descriptors: Planes
    reliability: Planes


class LearnedPeer:
    """A network's own points and descriptors on the map made smooth and large."""

    def __init__(self, name: str, session: Any, settings: Settings) -> None:
        """session: of the weight file."""
        self.name = name
        self.packed_bits = False
        self.settings = settings
        self._session = session

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        large = enlarge(smooth(image, noise, self.settings), self.settings.side)
        if large is None:
            return opencv.nothing(1, np.float64)
        rows, columns = large.pixels.shape
        trunk = run(self._session, large.pixels)
        points, descriptors = decode(trunk, (rows, columns), self.settings, large.factor)
        return Described(large.to_cells(points), descriptors, opencv.NO_VECTOR)

    def match(self, a: Described, b: Described) -> Matches:
        return matching.match(a, b, packed_bits=False, apart=self.settings.apart, margin=self.settings.margin)


def run(session: Any, pixels: NDArray[np.uint8]) -> Trunk:
    """The trunk on an image whose right and lower borders are reflected up to what the network takes."""
    given = session.get_inputs()[0]
    rows, columns = (
        size if isinstance(size, int) else -(-side // BLOCK) * BLOCK
        for size, side in zip(given.shape[2:], pixels.shape, strict=True)
    )
    down, right = rows - pixels.shape[0], columns - pixels.shape[1]
    if min(down, right) < 0:
        raise ValueError(f"the network takes {columns} x {rows} pixels at most. Name a file with open sizes.")
    padded = cv2.copyMakeBorder(pixels, 0, down, 0, right, cv2.BORDER_REFLECT).astype(np.float32) / 255
    channels = given.shape[1] if isinstance(given.shape[1], int) else 1
    return read_outputs(session.run(None, {given.name: np.repeat(padded[None, None], channels, axis=1)}))


def read_outputs(outputs: Sequence[Any]) -> Trunk:
    """The planes by their numbers of channels; ValueError where they are not those of a trunk."""
    planes = {one.shape[1]: np.asarray(one[0], np.float32) for one in outputs if one.ndim == 4}
    wide = [channels for channels in planes if channels not in {1, BLOCK**2 + 1}]
    if BLOCK**2 + 1 not in planes or len(wide) != 1:
        shapes = ", ".join(str(tuple(one.shape)) for one in outputs)
        raise ValueError(f"the network gives {shapes}, not logits of 65 channels and one set of descriptors.")
    logits = planes[BLOCK**2 + 1]
    return Trunk(logits, planes[wide[0]], planes.get(1, np.ones((1, *logits.shape[1:]), np.float32)))


def decode(
    trunk: Trunk, shape: tuple[int, int], settings: Settings, factor: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (n, 2) in pixels within (rows, columns), strongest first, and unit descriptors (n, d) sampled there."""
    _, h, w = trunk.logits.shape
    raised = np.exp(trunk.logits - trunk.logits.max(axis=0))
    share = (raised / raised.sum(axis=0))[:-1].reshape(BLOCK, BLOCK, h, w)
    heat = share.transpose(2, 0, 3, 1).reshape(h * BLOCK, w * BLOCK)
    heat = heat * np.kron(trunk.reliability[0], np.ones((BLOCK, BLOCK), np.float32))
    found = maxima([np.ascontiguousarray(heat[: shape[0], : shape[1]], np.float32)], [2.0])
    kept = thinned(found.points, settings.thin * factor)[: settings.most]
    points = found.points[kept]
    at = ((points + 0.5) / BLOCK - 0.5)[:, None]
    sampled = np.concatenate([scales.sampled(plane, at) for plane in trunk.descriptors], axis=1)
    return points, sampled / np.maximum(np.linalg.norm(sampled, axis=1, keepdims=True), 1e-9)


def family(name: str, path: Path) -> Family:
    """A family for `tune`, of the weights in this file."""
    onnxruntime = import_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Family(Settings(blur=0.75, side=240, apart=1.0), partial(LearnedPeer, name, session), CHOICES)


def learned(weights: Mapping[str, Path | None]) -> tuple[dict[str, Callable[[int, float], Method]], list[str]]:
    """The networks whose files are there, and a line for each that was left out.

    weights: NAMES to a file, or None.
    """
    made: dict[str, Callable[[int, float], Method]] = {}
    left_out = []
    for name in NAMES:
        path = weights.get(name)
        if path is None:
            left_out.append(f"{name}: not run: no weight file was named (--{name} PATH)")
        elif not path.is_file():
            left_out.append(f"{name}: not run: {path} is not a file")
        else:
            made[name] = partial(_tuned, name, family(name, path))
    return made, left_out


def _tuned(name: str, family_: Family, cell: int, noise: float) -> Method:
    return family_.make(tuned(name, cell, noise, family_.start, read()))

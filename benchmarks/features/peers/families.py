"""Every family of peers: what it starts from, what may be tuned of it, and how it is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import cv2

from benchmarks.features.method import Method
from benchmarks.features.peers import opencv, sar, scales
from benchmarks.features.peers.settings import Settings, Value

SHARED: Mapping[str, tuple[Value, ...]] = {
    "blur": (0.0, 0.35, 0.5, 0.75, 1.0, 1.4, 2.0, 2.8),
    "wiener": (False, True),
    "upright": (False, True),
    "thin": (0.0, 0.5, 1.0),
    "apart": (0.0, 1.0, 2.0),
}
"""Fields that every family can use."""


@dataclass(frozen=True, slots=True)
class Family:
    """One family.

    start: where tuning begins. choices: field of Settings to the values that tuning tries, in this order. make: of the
    method with given settings.
    """

    start: Settings
    make: Callable[[Settings], Method]
    choices: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


def _opencv(name: str, make: opencv.Make, *, bits: bool, root: bool = False, pad: int = 0) -> opencv.Made:
    turn = name != "akaze"
    return partial(opencv.OpenCvPeer, name, make=make, packed_bits=bits, root=root, turn=turn, pad=pad)


_SIFT = {**SHARED, "contrast": (0.002, 0.005, 0.01, 0.02, 0.03), "side": (120, 240), "edge": (10.0, 20.0, 40.0)}
_START = Settings(blur=0.5, contrast=0.005, side=120, upright=True, edge=20.0, layers=6)
_BITS = {**SHARED, "side": (60, 120, 240)}

FAMILIES: dict[str, Family] = {
    "sift": Family(_START, _opencv("sift", opencv.sift, bits=False, pad=24), _SIFT),
    "rootsift": Family(_START, _opencv("rootsift", opencv.sift, bits=False, root=True, pad=24), _SIFT),
    "sift-dctwiener": Family(Settings(margin=0.1), opencv.product),
    "orb": Family(
        Settings(blur=0.75, contrast=3, side=120, apart=1.0),
        _opencv("orb", opencv.orb, bits=True),
        {**_BITS, "contrast": (1, 3, 10)},
    ),
}
_SCALES: Mapping[str, tuple[Value, ...]] = {
    "blur": (0.25, 0.35, 0.5, 0.6, 0.75, 0.9, 1.1, 1.4, 2.0),
    "reach": (0.5, 0.7, 1.0, 1.4, 2.0),
    "offset": (0.02, 0.08, 0.3, 1.0),
    "wiener": (False, True),
    "thin": (0.0, 0.5, 1.0, 1.5),
    "apart": (0.0, 1.0, 2.0),
}


def _scales(name: str, respond: scales.Respond, draw: scales.Draw, width: int = 128) -> Callable[[Settings], Method]:
    return partial(scales.ScalePeer, name, respond=respond, draw=draw, width=width)


FAMILIES |= {
    "log-harris": Family(
        Settings(blur=0.35, side=120), _scales("log-harris", scales.log_harris, scales.upright_sift), _SCALES
    ),
    "sar-harris": Family(
        Settings(blur=0.35, side=120), _scales("sar-harris", sar.sar_harris, sar.ratio_gloh, sar.WIDTH), _SCALES
    ),
    "blobs": Family(
        Settings(blur=0.6, offset=1.0, side=120),
        _scales("blobs", scales.blobs, scales.patch_or_sift),
        {**_SCALES, "patch": (False, True)},
    ),
}
if hasattr(cv2, "AKAZE"):
    FAMILIES["akaze"] = Family(
        Settings(blur=0.75, contrast=1e-5, apart=1.0),
        _opencv("akaze", opencv.akaze, bits=True, pad=48),
        {**_BITS, "contrast": (1e-6, 1e-5, 1e-4)},
    )
if hasattr(cv2, "BRISK"):
    FAMILIES["brisk"] = Family(
        Settings(blur=0.75, contrast=5, side=120),
        _opencv("brisk", opencv.brisk, bits=True, pad=64),
        {**_BITS, "contrast": (2, 5, 10)},
    )

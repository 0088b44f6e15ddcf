"""One shared page between the rig and a process of the product: what is to go wrong in it, and when."""

import mmap
import struct

_FIELDS = {
    "armed": ("i", 0),
    "left": ("i", 4),
    "fired": ("i", 8),
    "camera": ("i", 12),
    "chip": ("i", 16),
    "chips": ("i", 20),
    "clock_ms": ("q", 24),
}


class Control:
    """Numbers that both sides see at once, kept in anonymous memory that a fork shares.

    armed: the number of a fault point, 0 for none. left: passings of it until the process ends itself. fired: the
    point that it ended at. camera: the fault of the camera, 0 for none. chip: the fault to inject into the entropy
    source, and chips: how many were asked for, so that the same one can be asked for twice. clock_ms: by how much the
    wall clock is off.
    """

    armed: int
    left: int
    fired: int
    camera: int
    chip: int
    chips: int
    clock_ms: int

    def __init__(self) -> None:
        object.__setattr__(self, "_page", mmap.mmap(-1, mmap.PAGESIZE))

    def __getattr__(self, name: str) -> int:
        try:
            kind, place = _FIELDS[name]
        except KeyError:
            raise AttributeError(name) from None
        return struct.unpack_from(kind, object.__getattribute__(self, "_page"), place)[0]

    def __setattr__(self, name: str, value: int) -> None:
        kind, place = _FIELDS[name]
        struct.pack_into(kind, object.__getattribute__(self, "_page"), place, value)

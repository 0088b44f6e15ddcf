from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of every speckled command (sysexits.h where it has one). docs/exit-codes.md lists them."""

    OK = 0
    FAILED = 1
    USAGE = 64
    DATA = 65
    NO_CAMERA = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    NO_ENTROPY = 71
    IO = 74
    RETRY = 75
    REFUSED = 77
    CONFIG = 78

import numpy as np


def wipe(data: bytearray) -> None:
    """Overwrite `data` with zeros, in place."""
    data[:] = bytes(len(data))


def mask(data: bytearray, other: bytearray) -> None:
    """XOR `other` into `data`, bit for bit, and overwrite `other`. Raises ValueError where their lengths differ."""
    if len(data) != len(other):
        raise ValueError("what is combined bit for bit is equally long")
    if data:  # numpy refuses an empty buffer
        target = np.frombuffer(data, np.uint8)
        np.bitwise_xor(target, np.frombuffer(other, np.uint8), out=target)
    wipe(other)

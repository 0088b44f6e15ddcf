class SecretBuffer:
    """A queue of secret bytes with a fixed place in memory: what leaves it, and what is dropped, is overwritten."""

    def __init__(self, capacity: int) -> None:
        """Room for `capacity` bytes."""
        self._bytes = bytearray(capacity)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return "<SecretBuffer>"

    def put(self, data: bytearray | memoryview) -> None:
        """Append `data`. Raises ValueError where it does not fit."""
        end = self._length + len(data)
        if end > len(self._bytes):
            raise ValueError("the buffer is full")
        self._bytes[self._length : end] = data
        self._length = end

    def move(self, target: memoryview) -> None:
        """Take the oldest len(target) bytes out into `target`. Raises ValueError where there are fewer."""
        size, rest = len(target), self._length - len(target)
        if rest < 0:
            raise ValueError("the buffer holds fewer bytes")
        with memoryview(self._bytes) as view:
            target[:] = view[:size]
            view[:rest] = view[size : self._length]
            view[rest : self._length] = bytes(size)
        self._length = rest

    def wipe(self) -> None:
        """Overwrite and drop everything."""
        wipe(self._bytes)
        self._length = 0


def wipe(data: bytearray) -> None:
    """Overwrite `data` with zeros, in place."""
    data[:] = bytes(len(data))

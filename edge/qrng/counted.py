from collections.abc import Callable

from drivers.qrng.base import Qrng, QrngIdentity
from edge.qrng.open import speed_of


class Counted:
    """A source that counts what is read from it and how long that takes. Otherwise it is the source itself."""

    def __init__(self, qrng: Qrng, clock: Callable[[], float], notice: Callable[[int], None] = lambda _: None) -> None:
        """clock: seconds. notice: told the samples read so far, after every read."""
        self._qrng = qrng
        self._clock = clock
        self._notice = notice
        self.samples = 0
        self.seconds = 0.0
        self.identity: QrngIdentity | None = None

    @property
    def speed_hz(self) -> int | None:
        """The clock of its bus in Hz, where its driver tells."""
        return speed_of(self._qrng)

    def open(self) -> QrngIdentity:
        """As Qrng.open."""
        self.identity = self._qrng.open()
        return self.identity

    def read(self, count: int) -> bytearray:
        """As Qrng.read."""
        start = self._clock()
        samples = self._qrng.read(count)
        self.seconds += self._clock() - start
        self.samples += count
        self._notice(self.samples)
        return samples

    def close(self) -> None:
        """As Qrng.close."""
        self._qrng.close()

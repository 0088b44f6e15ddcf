import os
from fractions import Fraction

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity


class SoftwareQrng:
    """The kernel's generator in the place of a hardware source, for development. Never found by discovery.

    It is a cryptographic generator: the credit says what the tests may expect of its bytes, and `simulated` marks
    every observation made with it.
    """

    def __init__(self) -> None:
        self._open = False

    def open(self) -> QrngIdentity:
        """As Qrng.open; never fails."""
        self._open = True
        return QrngIdentity(
            driver="software",
            model="kernel random generator",
            sample_bits=8,
            credit=Fraction(7),
            raw=False,
            simulated=True,
        )

    def read(self, count: int) -> bytearray:
        """As Qrng.read; fails only when closed."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the source is not open", "Open the source again.")
        return bytearray(os.urandom(count))

    def close(self) -> None:
        """As Qrng.close."""
        self._open = False

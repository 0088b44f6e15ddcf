from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol


@dataclass(frozen=True, slots=True)
class QrngIdentity:
    """What an entropy source is, known once it is open.

    sample_bits: bits of one sample (a byte-wise source has 8). credit: min-entropy claimed for each sample, in
    bits, at most 0.9 · sample_bits; its origin is documented by the driver. raw: samples come before any
    conditioning in the device. simulated: emulated or software.
    """

    driver: str
    model: str
    sample_bits: int
    credit: Fraction
    raw: bool
    simulated: bool


class Qrng(Protocol):
    """A source of noise samples, untested. One thread uses it. Errors are QrngError and never quote samples."""

    def open(self) -> QrngIdentity:
        """Acquire, identify, link-test and read the device's status.

        Raises QrngError(NOT_INSTALLED, NOT_FOUND, DENIED, WRONG_DEVICE, LINK, STATUS, BUS, UNPLUGGED).
        """
        ...

    def read(self, count: int) -> bytearray:
        """Exactly `count` bytes of samples, newly drawn; the caller wipes them.

        Raises QrngError(STATUS, BUS, SHORT, UNPLUGGED, IMPLAUSIBLE, CLOSED); after any of them nothing that was
        read is returned, and the source must be opened again.
        """
        ...

    def close(self) -> None:
        """Release the device. Safe to call twice, and after any error."""
        ...

import os

from drivers.emulated.faults import Fault, FaultKind, Faults, Noise
from drivers.errors import QrngError, QrngReason
from drivers.qrng.bus_error import bus_error
from drivers.qrng.character import NOTHING

CHUNK = 64
"""Bytes of one read at most: kernel drivers give as many as their buffer has, however many are asked for."""


class EmulatedCharacter:
    """A node that gives random bytes, behind drivers.qrng.character.CharacterNode. Never a default.

    word: what the kernel would call the source. That the real node is read rightly is shown on a pseudo-terminal, which
    is a character device, too; what a kernel alone can do, such as change the source, is shown here.
    """

    simulated = True

    def __init__(
        self, *, noise: Noise = os.urandom, faults: tuple[Fault, ...] = (), word: str = "emulated-rng"
    ) -> None:
        """A device that draws its bytes from `noise` and breaks as `faults` say."""
        self._faults = Faults(noise, faults, stream=True)
        self._word = word
        self._open = False
        self._polls = 0

    @property
    def drawn(self) -> int:
        """Samples drawn so far, among them those that nobody uses."""
        return self._faults.drawn

    def inject(self, fault: Fault) -> None:
        """As Faults.inject."""
        self._faults.inject(fault)

    def open(self) -> None:
        """As CharacterNode.open."""
        self._receive(b"")
        self._open = True

    def kernel_word(self) -> str:
        """As CharacterNode.kernel_word: nothing for a WRONG_CHIP, another source for a STATUS."""
        if self._faults.active(FaultKind.WRONG_CHIP):
            return NOTHING
        if self._faults.active(FaultKind.STATUS):
            return f"other-rng-{self._faults.value(FaultKind.STATUS)}"
        return self._word

    def read_into(self, view: memoryview, seconds: float) -> int | None:
        """As CharacterNode.read_into, without waiting."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the device is not open", "Open it first.")
        if seconds <= 0 or not self._is_ready():
            return None
        answer = self._receive(self._faults.draw(min(len(view), CHUNK)))[: len(view)]
        view[: len(answer)] = answer
        return len(answer)

    def close(self) -> None:
        """As CharacterNode.close."""
        self._open = False

    def _receive(self, answer: bytes) -> bytes:
        try:
            return self._faults.wire(answer)
        except OSError as error:
            raise bus_error(error, "the emulated device") from None

    def _is_ready(self) -> bool:
        if self._faults.active(FaultKind.NOT_READY):
            return False
        if self._faults.active(FaultKind.SLOW_READY):
            self._polls += 1
            if self._polls <= self._faults.value(FaultKind.SLOW_READY):
                return False
            self._faults.spend(FaultKind.SLOW_READY)
        self._polls = 0
        return True

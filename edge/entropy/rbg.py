"""The two constructions of SP 800-90C that turn full entropy of the chip into what is handed out."""

from collections.abc import Callable
from typing import Literal, Protocol

from edge.entropy.buffer import mask, wipe
from edge.entropy.conditioning import FullEntropy
from edge.entropy.drbg import SEED_BYTES, Drbg

Kernel = Callable[[int], bytes]
"""The operating system's generator: n bytes."""


class Rbg(Protocol):
    """A random bit generator over one chip."""

    @property
    def construction(self) -> Literal["rbg3-xor", "drbg"]:
        """What observations call it."""
        ...

    def generate(self, entropy: FullEntropy, count: int) -> bytearray:
        """`count` bytes; the caller wipes them. Raises what the source raises."""
        ...

    def wipe(self) -> None:
        """Overwrite the state."""
        ...


class Rbg3Xor:
    """RBG3(XOR): conditioned full entropy XOR the output of a DRBG, bit for bit (SP 800-90C, RBG3(XOR) construction).

    It survives the failure of either side. While the chip is what it claims, the output is full entropy whatever the
    DRBG does. Should the chip be predictable and no test see it, the output is still that of a DRBG whose seed came
    from the kernel too. The DRBG is seeded anew for each draw, from samples that nothing else uses.
    """

    construction: Literal["rbg3-xor"] = "rbg3-xor"

    def __init__(self, drbg: Drbg, kernel: Kernel) -> None:
        self._drbg = drbg
        self._kernel = kernel

    def generate(self, entropy: FullEntropy, count: int) -> bytearray:
        """As Rbg.generate: takes `count` + SEED_BYTES bytes of full entropy."""
        drawn = entropy.draw(SEED_BYTES + count)
        try:
            with memoryview(drawn) as view:
                self._drbg.seed(view[:SEED_BYTES], self._kernel(SEED_BYTES))
                stream = self._drbg.generate(count)
                out = bytearray(view[SEED_BYTES:])
        finally:
            wipe(drawn)
        mask(out, stream)
        return out

    def wipe(self) -> None:
        """As Rbg.wipe."""
        self._drbg.wipe()


class ReseededDrbg:
    """A DRBG that is seeded anew for each draw with 384 bits of full entropy, and from the kernel.

    The shape of RBG2(P) of SP 800-90C: each draw has prediction resistance, for a request of at least 256 + 64 bits of
    assessed entropy. What it gives is computational: as hard to predict as AES-256, whatever its length. It is for
    sources that are too slow for full entropy, and only when asked for.
    """

    construction: Literal["drbg"] = "drbg"

    def __init__(self, drbg: Drbg, kernel: Kernel) -> None:
        self._drbg = drbg
        self._kernel = kernel

    def generate(self, entropy: FullEntropy, count: int) -> bytearray:
        """As Rbg.generate: takes SEED_BYTES bytes of full entropy, for any `count`."""
        seed = entropy.draw(SEED_BYTES)
        try:
            with memoryview(seed) as view:
                self._drbg.seed(view, self._kernel(SEED_BYTES))
        finally:
            wipe(seed)
        return self._drbg.generate(count)

    def wipe(self) -> None:
        """As Rbg.wipe."""
        self._drbg.wipe()

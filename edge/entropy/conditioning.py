import hmac
import math
import os
from fractions import Fraction
from typing import Protocol

from edge.entropy.buffer import wipe
from edge.entropy.source import TestedSource

SURPLUS = 64
"""Bits of min-entropy that go in beyond the bits that come out.

With h_in = n_out + 64 and a credit of at most 0.9 bits a bit, the output's min-entropy is n_out - 2^-58 or better by
Output_Entropy of SP 800-90B, 3.1.5.1.2, which is full entropy as SP 800-90C defines it (ε ≤ 2^-32).
"""


class Conditioner(Protocol):
    """Turns samples of low entropy density into blocks of full entropy.

    name: what provenance says. size: bytes of one block. demand: bits of min-entropy that one block takes.
    """

    @property
    def name(self) -> str:
        """The conditioning function, as observations name it."""
        ...

    @property
    def size(self) -> int:
        """Bytes of one block."""
        ...

    @property
    def demand(self) -> int:
        """Bits of min-entropy that must go into one block."""
        ...

    def condition(self, samples: memoryview, block: memoryview) -> None:
        """Write one block of `size` bytes, made of all `samples`, into `block`."""
        ...

    def self_test(self) -> bool:
        """Whether known answers are reproduced."""
        ...


class HmacSha512:
    """HMAC-SHA-512, a vetted conditioning function (SP 800-90B, 3.1.5.1.1), keyed by whoever owns the pool.

    The key adds no credited entropy. It comes from the kernel's generator, so that somebody who controls the chip but
    not the kernel still cannot compute the output.
    """

    name = "hmac-sha-512"
    size = 64
    demand = 8 * size + SURPLUS

    def __init__(self, key: bytes | None = None) -> None:
        """Use `key`, or 64 new bytes of the kernel's generator."""
        self._key = os.urandom(64) if key is None else key

    def condition(self, samples: memoryview, block: memoryview) -> None:
        """As Conditioner.condition."""
        block[:] = hmac.digest(self._key, samples, "sha512")

    def self_test(self) -> bool:
        """RFC 4231, test cases 1, 2 and 6 (a key longer than a block of the hash)."""
        return all(hmac.digest(key, text, "sha512") == bytes.fromhex(answer) for key, text, answer in _KNOWN_ANSWERS)


class FullEntropy:
    """Bytes of full entropy: tested samples of one source, counted at its credit, and conditioned.

    Each sample goes into one block and is counted once.
    """

    def __init__(self, source: TestedSource, conditioner: Conditioner, credit: Fraction) -> None:
        """credit: bits of min-entropy that each sample counts for."""
        self._source = source
        self._conditioner = conditioner
        self._samples_per_block = math.ceil(conditioner.demand / credit)

    def draw(self, count: int) -> bytearray:
        """Exactly `count` bytes; the caller wipes them. Raises as TestedSource.draw."""
        size, needed = self._conditioner.size, self._samples_per_block
        blocks = -(-count // size)
        out = bytearray(blocks * size)
        samples = bytearray()
        try:
            samples = self._source.draw(blocks * needed)
            with memoryview(samples) as view, memoryview(out) as target:
                for block in range(blocks):
                    self._conditioner.condition(
                        view[block * needed : (block + 1) * needed], target[block * size : (block + 1) * size]
                    )
        except BaseException:  # whatever stops the draw, its bytes do not outlive it
            wipe(out)
            raise
        finally:
            wipe(samples)
        out[count:] = bytes(len(out) - count)
        del out[count:]
        return out


_KNOWN_ANSWERS = (
    (
        b"\x0b" * 20,
        b"Hi There",
        (
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
        ),
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        (
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        ),
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        (
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
            "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
        ),
    ),
)

from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from edge.entropy.buffer import wipe

SEED_BYTES = 48
"""seedlen of CTR_DRBG with AES-256: a key of 256 bits and a block of 128 (SP 800-90A rev. 1, table 3)."""
REQUEST_BYTES = 1 << 16
"""max_number_of_bits_per_request, 2^19 bits (table 3): longer requests are split."""
RESEED_INTERVAL = 1 << 48
"""Requests between two seedings (table 3)."""
_KEY_BYTES, _BLOCK_BYTES = 32, 16
_ZEROS = bytes(REQUEST_BYTES)


class Drbg(Protocol):
    """A deterministic generator that is seeded from outside. One thread uses it."""

    def seed(self, entropy: memoryview, other: bytes) -> None:
        """Mix SEED_BYTES of full entropy, and as many bytes of another origin, into the state."""
        ...

    def generate(self, count: int) -> bytearray:
        """`count` bytes; the caller wipes them. Raises ValueError before the first seed."""
        ...

    def wipe(self) -> None:
        """Overwrite the state. The next call is `seed`."""
        ...


class CtrDrbg:
    """CTR_DRBG with AES-256 and no derivation function, security strength 256 (SP 800-90A rev. 1, section 10.2.1).

    Without the derivation function the seed must be full entropy, which is what the pool's conditioning gives.
    """

    def __init__(self) -> None:
        self._key = bytearray(_KEY_BYTES)
        self._block = bytearray(_BLOCK_BYTES)
        self._counter = 0

    @property
    def reseed_counter(self) -> int:
        """Requests since the last seed, plus one; 0 before the first seed."""
        return self._counter

    def seed(self, entropy: memoryview, other: bytes) -> None:
        """Instantiate (10.2.1.3.1) where the state is still zero, else reseed (10.2.1.4.1).

        Both are one update with entropy_input XOR the personalization string or additional input, `other`: the seed
        is uniform if either of the two is. Raises ValueError unless `entropy` has SEED_BYTES and `other` no more.
        """
        if len(entropy) != SEED_BYTES or len(other) > SEED_BYTES:
            raise ValueError(f"a seed is {SEED_BYTES} bytes of entropy and at most as many others")
        material = bytearray(a ^ b for a, b in zip(entropy, other.ljust(SEED_BYTES, b"\0"), strict=True))
        self._update(material)
        wipe(material)
        self._counter = 1

    def generate(self, count: int, additional: bytes = b"") -> bytearray:
        """CTR_DRBG_Generate_algorithm (10.2.1.5.1), as many requests as it takes.

        additional: at most SEED_BYTES, mixed in before each request. Raises ValueError where it is longer, or where
        the generator is not seeded or its reseed interval is over.
        """
        if not 1 <= self._counter <= RESEED_INTERVAL - count // REQUEST_BYTES:
            raise ValueError("the generator needs a seed")
        if len(additional) > SEED_BYTES:
            raise ValueError(f"additional input has at most {SEED_BYTES} bytes")
        out = bytearray(count)
        with memoryview(out) as view:
            for start in range(0, count, REQUEST_BYTES):
                part = view[start : start + REQUEST_BYTES]
                self._request(part, bytearray(additional.ljust(SEED_BYTES, b"\0")), mix=bool(additional))
        return out

    def wipe(self) -> None:
        """As Drbg.wipe."""
        wipe(self._key)
        wipe(self._block)
        self._counter = 0

    def _request(self, target: memoryview, additional: bytearray, *, mix: bool) -> None:
        if mix:
            self._update(additional)
        stream = self._stream(len(target))
        target[:] = memoryview(stream)[: len(target)]
        wipe(stream)
        self._advance(-(-len(target) // _BLOCK_BYTES))
        self._update(additional)
        self._counter += 1

    def _update(self, provided: bytearray) -> None:
        """CTR_DRBG_Update (10.2.1.2)."""
        stream = self._stream(SEED_BYTES)
        for place, value in enumerate(provided):
            stream[place] ^= value
        self._key[:] = stream[:_KEY_BYTES]
        self._block[:] = stream[_KEY_BYTES:SEED_BYTES]
        wipe(stream)

    def _stream(self, count: int) -> bytearray:
        """The encrypted counters V + 1, V + 2 …: `count` bytes, and room that the cipher asks for after them."""
        out = bytearray(count + _BLOCK_BYTES - 1)
        cipher = Cipher(algorithms.AES(bytes(self._key)), modes.CTR(self._following(1)))
        cipher.encryptor().update_into(_ZEROS[:count], out)
        return out

    def _advance(self, blocks: int) -> None:
        self._block[:] = self._following(blocks)

    def _following(self, blocks: int) -> bytes:
        value = (int.from_bytes(self._block, "big") + blocks) % (1 << 8 * _BLOCK_BYTES)
        return value.to_bytes(_BLOCK_BYTES, "big")

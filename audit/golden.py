"""`python -m audit.golden`: what fixed frames and fixed random bytes give, as hashes that never change by accident."""

import hashlib
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.enumerate import BitString
from audit.rig import exact_part, run
from edge.privacy.sampling.law import Gaussian, Laplace
from edge.privacy.sampling.sampler import Sampler

FRAMES = 36
EXPECTED = {
    "Laplace samples": "2b855c2f2377bfb16a36f8a33ff6e764571d01ef2195da610bfd445ae4f2425f",
    "Gaussian samples": "a2c8b73cd2eb90ecfc91ee4e2306141ae72ef7b898744add9dee2c33c76849f2",
    "ledger.jsonl": "8c767affa1a2d7e49ae23829567ae52db6b1aa64df8410ca3a1fa5b73d143682",
    "ledger.jsonl.head": "40dd67f92c619741df8df18655cf9b600e7c8a3e7e117fd4e506d7af862bfabc",
    "releases/state/000000000003.cbor": "f655f6c3f32cfed172d78aad963c3a19b77ae843fb3a511666e2c6d1769f9dd1",
    "releases/state/000000000004.cbor": "24ede1ee4ed1cc6a34c1e0afb52dadb7d49c6cc77321c0e9728394a7a383552d",
    "message 1": "b918df27cfb89943b23f939b5f98ee8dafabce00095f2e1269a585b95914ec4e",
    "message 2": "c19e40533ab21367d5dd0b7827884d784bb9f42660166da23890d895719e659c",
}
"""SHA-256. Whoever changes the sampler, the window, the ledger's lines or the statement changes these knowingly."""


def ramp(plane: NDArray[np.uint8] | NDArray[np.uint16], number: int) -> None:
    """A frame that fixed integer arithmetic makes."""
    rows, columns = np.indices(plane.shape)
    plane[...] = (rows * 7 + columns * 3 + number * 11) % 256


def vectors() -> dict[str, str]:
    """The hash of each artefact: samples, ledger, releases, and the exact part of each message."""
    bits = int.from_bytes(hashlib.shake_256(b"golden").digest(4096), "big")
    drawn = {
        "Laplace samples": Sampler(Laplace(Fraction(261120))).draw(BitString(bits, 8 * 4096), 64),
        "Gaussian samples": Sampler(Gaussian(Fraction(10**8, 3))).draw(BitString(bits, 8 * 4096), 64),
    }
    found = {name: _hash(values.astype("<i8").tobytes()) for name, values in drawn.items()}
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        done = run(ramp, FRAMES, Path(folder))
    for name, content in done.files.items():
        found[name] = _hash(content)
    for number, envelope in enumerate(done.envelopes, 1):
        found[f"message {number}"] = _hash(exact_part(envelope).encode())
    return found


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Print the vectors as EXPECTED has them."""
    for name, digest in vectors().items():
        sys.stdout.write(f'    "{name}": "{digest}",\n')


if __name__ == "__main__":
    main()

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
    "ledger.jsonl": "fdfe7081c5d7ba86a04ed834ff61d891fd3e122765fd4bb394e134e9e29cee81",
    "ledger.jsonl.head": "7063079e2ac718c15de97033ed523d3af456145567d81819bc05d28bdd78b98b",
    "releases/state/000000000002.cbor": "23165d8fabbae2feaf51dfcd39452f9eadff13ebe131c660dc4a2730f20f88b8",
    "releases/state/000000000004.cbor": "d967602f2595ba1c30869a588eb584119df618b53031eee9686d296fdb621445",
    "message 1": "7f7aa4464127d562d8a0dc6d281cb1edb1a2df6797a00c525508fcde8fd6dd8d",
    "message 2": "bf668a203ff889ab6c13ecf78d2c9021e5dc8d941e55396938d6a4eaf380a6c0",
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

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
    "ledger.jsonl": "fa2748bbc572592e7a3b4955a42459cadb6c9db241d691775c78042f20bb8dc5",
    "ledger.jsonl.head": "77ad313a917d3677edb43046b595bfc3eb4494c745c2d77869773a3dd0e495f5",
    "releases/state/000000000003.cbor": "94b533a5f6ddac15a2b7a1551f6a647b76cac34839827715bd022bf494d28967",
    "releases/state/000000000004.cbor": "ae5b2661a7c547480b7de2d189de41e8a760c338de7bf7ddfde749867f76c97d",
    "message 1": "ab0bf73617a143da433156f8d9ba39b6333cf80cb28872904c780a2ce8fa512c",
    "message 2": "25a908214c2f59702101979380c090fd0d756fd8456a8a2fc88ecb94de5c8716",
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

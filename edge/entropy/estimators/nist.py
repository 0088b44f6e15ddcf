"""NIST's own tool on the same samples, where it is installed."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators.assess import Assessment

TOOL = "ea_non_iid"
"""https://github.com/usnistgov/SP800-90B_EntropyAssessment; the name of its program for sources that are not IID."""
_SECONDS = 3600
_LINE = re.compile(r"^(Literal|Bitstring) (.+?) Estimate: min entropy = (\S+)$", re.MULTILINE)
_VERSION = re.compile(r"\b(\d+\.\d+(?:\.\d+)?)\b")
_NAMES = {
    "Most Common Value": "most common value",
    "Collision": "collision",
    "Markov": "Markov",
    "Compression": "compression",
    "t-Tuple": "t-tuple",
    "LRS": "longest repeat",
    "MultiMCW Prediction": "multi most common in window",
    "Lag Prediction": "lag",
    "MultiMMC Prediction": "multi Markov model",
    "LZ78Y Prediction": "LZ78Y",
}


class NistError(Exception):
    """The tool did not give estimates. `remedy` says in one sentence what to do."""

    remedy = f"Run {TOOL} by hand on a file of random bytes to see what it says, or leave it out."


@dataclass(frozen=True, slots=True)
class NistResult:
    """What the tool printed: estimates by the names of assess(), in bits per sample and in bits per bit.

    version: as it says of itself, or "unknown" for releases that do not.
    """

    version: str
    original: dict[str, float]
    bitstring: dict[str, float]

    def greatest_difference(self, assessment: Assessment) -> float:
        """The greatest difference of two estimates of one name, in bits per sample or per bit."""
        ours = [*assessment.original, *assessment.bitstring]
        theirs = [self.original.get(each.name) for each in assessment.original]
        theirs += [self.bitstring.get(each.name) for each in assessment.bitstring]
        both = [
            abs(a.entropy - b) for a, b in zip(ours, theirs, strict=True) if a.entropy is not None and b is not None
        ]
        return max(both)


def find_tool() -> str | None:
    """Path of the tool, or None where it is not installed."""
    return shutil.which(TOOL)


def run_nist(
    samples: NDArray[np.uint8], sample_bits: int, *, tool: str = TOOL, all_bits: bool = True, seconds: float = _SECONDS
) -> NistResult:
    """Let the NIST tool assess the samples.

    It reads a file: a temporary one that only this user can read (mode 0600), in memory (/dev/shm) where there is
    such a place, overwritten and removed afterwards. It holds raw samples in the clear while the tool runs. They
    must be samples that are never used for noise; commission() draws such.

    Args:
        samples: (L,) uint8.
        sample_bits: 1 to 8.
        tool: path of the program.
        all_bits: all bits of the bit string, not only the first 1,000,000.
        seconds: after which the tool is ended.

    Raises:
        NistError: the tool is missing, fails, takes too long, or prints nothing that is understood.
    """
    memory = Path("/dev/shm")  # noqa: S108 - the file itself is made by mkstemp, for this user alone
    handle, name = tempfile.mkstemp(prefix="speckled-", dir=memory if os.access(memory, os.W_OK) else None)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(samples.data)
        arguments = [tool, "-i", "-a" if all_bits else "-t", "-v", "-v", name, str(sample_bits)]
        printed = _output(arguments, seconds)
    finally:
        with Path(name).open("r+b") as file:
            file.write(bytes(samples.size))
        Path(name).unlink()
    return parse(printed, version=_version(tool))


def parse(printed: str, version: str = "unknown") -> NistResult:
    """Read what `ea_non_iid -v -v` printed. Raises NistError where it holds no estimate."""
    found: dict[str, dict[str, float]] = {"Literal": {}, "Bitstring": {}}
    for kind, name, value in _LINE.findall(printed):
        if name in _NAMES:
            found[kind][_NAMES[name]] = float(value)
    if not found["Literal"]:
        raise NistError(f"{TOOL} printed no estimate")
    return NistResult(version, found["Literal"], found["Bitstring"])


def _output(arguments: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=seconds, check=False)
    except OSError as error:
        raise NistError(f"{arguments[0]} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NistError(f"{arguments[0]} took more than {seconds:.0f} s") from None
    if done.returncode != 0:
        raise NistError(f"{arguments[0]} ended with status {done.returncode}")
    return done.stdout


def _version(tool: str) -> str:
    """Releases from 1.1 on know --version; earlier ones end with their usage text."""
    done = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = _VERSION.search(done.stdout) if done.returncode == 0 else None
    return found[1] if found else "unknown"

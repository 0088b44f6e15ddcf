import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from drivers.qrng.base import Qrng, QrngIdentity
from edge.entropy.estimators.assess import STANDARD, Assessment, assess
from edge.entropy.estimators.counts import Counts, count
from edge.entropy.estimators.nist import NistResult, run_nist
from edge.entropy.estimators.progress import Progress, silent, within
from edge.entropy.estimators.restart import RESTARTS, SAMPLES, RestartCheck, restart_check

CAP = Fraction(9, 10)
"""The most that is ever credited to a bit of a sample, whatever a device claims or an estimate says."""
PATIENCE = 900.0
"""Seconds that restarts may take before they are left out."""
_READ = 4096
_TRIED = 5

Samples = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Commissioning:
    """What was found out about a device before its bits are relied on. Holds counts and estimates, no sample.

    on: the day, as the caller gave it. restart: None where restarts were left out, `no_restart` then says why.
    nist: what NIST's tool says of the same samples, None where it was not asked.
    credit: bits per sample that may be credited: min(claim, 0.9 · sample_bits, estimates), 0 after a failed check.
    """

    on: date
    identity: QrngIdentity
    assessment: Assessment
    counts: Counts
    restart: RestartCheck | None
    no_restart: str
    nist: NistResult | None
    credit: Fraction


def commission(
    source: Qrng,
    *,
    on: date,
    samples: int = STANDARD,
    restarts: int = RESTARTS,
    bit_limit: int | None = None,
    nist: str | None = None,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
) -> Commissioning:
    """Open a source, collect raw samples and restarts, and assess them. The source is closed again.

    The samples are overwritten afterwards and never used for noise.

    Args:
        source: not open. What it gives must be raw; the report warns where its identity says otherwise.
        on: the day that the report names.
        samples: consecutive samples, 10,000 or more; the standard asks for 1,000,000.
        restarts: how often the source is closed and opened again, 1000 samples being read each time; 0 for none.
        bit_limit: bits of the bit string that are assessed, None for all; as in assess().
        nist: path of NIST's tool (see find_tool), which is then given the samples too; it takes minutes.
        progress: told what is being done, and how far the whole is.
        clock: seconds; restarts that would take more than PATIENCE are left out.

    Raises:
        QrngError: as Qrng.open and Qrng.read.
        ValueError: as assess().
        NistError: as run_nist().
    """
    identity = source.open()
    drawn = np.zeros(samples, np.uint8)
    try:
        _fill(source, drawn, within(progress, 0.0, 0.2))
        source.close()
        assessment = assess(drawn, identity.sample_bits, bit_limit=bit_limit, progress=within(progress, 0.2, 0.4))
        counts = count(drawn, identity.sample_bits)
        reference = _ask_nist(nist, drawn, identity.sample_bits, progress)
        credit = min(Fraction(assessment.entropy), identity.credit, CAP * identity.sample_bits)
        matrix, reason = _restarts(source, restarts, within(progress, 0.4, 0.7), clock)
    finally:
        source.close()
        drawn.fill(0)
    restart = None
    if matrix is not None:
        restart = restart_check(
            matrix, float(credit), identity.sample_bits, bit_limit=bit_limit, progress=within(progress, 0.7, 1.0)
        )
        matrix.fill(0)
        credit = min(credit, Fraction(restart.validated)) if restart.passed else Fraction(0)
    progress("done", 1.0)
    return Commissioning(on, identity, assessment, counts, restart, reason, reference, credit)


def _ask_nist(tool: str | None, drawn: Samples, sample_bits: int, progress: Progress) -> NistResult | None:
    if tool is None:
        return None
    progress("NIST's tool", 0.4)
    return run_nist(drawn, sample_bits, tool=tool)


def _fill(source: Qrng, drawn: Samples, progress: Progress) -> None:
    for start in range(0, drawn.size, _READ):
        progress("reading samples", start / drawn.size)
        part = drawn[start : start + _READ]
        got = source.read(part.size)
        part[:] = np.frombuffer(got, np.uint8)
        got[:] = bytes(len(got))


def _restarts(
    source: Qrng, restarts: int, progress: Progress, clock: Callable[[], float]
) -> tuple[Samples | None, str]:
    """The first samples after each restart, (restarts, SAMPLES), or None and why there are none."""
    if restarts < 2:
        return None, "not asked for"
    matrix = np.zeros((restarts, SAMPLES), np.uint8)
    begun = clock()
    for done, row in enumerate(matrix):
        expected = (clock() - begun) / max(done, 1) * restarts
        if done >= _TRIED and expected > PATIENCE:
            matrix.fill(0)
            return None, f"{restarts} restarts would take about {expected / 60:.0f} minutes"
        progress("restarting the source", done / restarts)
        source.open()
        _fill(source, row, silent)
        source.close()
    return matrix, ""

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
    credit: bits per sample that may be credited: min(claim, 0.9 · sample_bits, estimate), 0 after a failed check.
    """

    on: date
    identity: QrngIdentity
    assessment: Assessment
    counts: Counts
    restart: RestartCheck | None
    no_restart: str
    credit: Fraction


def commission(
    source: Qrng,
    *,
    on: date,
    samples: int = STANDARD,
    restarts: int = RESTARTS,
    bit_limit: int | None = None,
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
        progress: told what is being done, and how far the whole is.
        clock: seconds; restarts that would take more than PATIENCE are left out.

    Raises:
        QrngError: as Qrng.open and Qrng.read.
        ValueError: as assess().
    """
    identity = source.open()
    drawn = np.zeros(samples, np.uint8)
    try:
        _fill(source, drawn, within(progress, 0.0, 0.1))
        source.close()
        assessment = assess(drawn, identity.sample_bits, bit_limit=bit_limit, progress=within(progress, 0.1, 0.9))
        counts = count(drawn, identity.sample_bits)
        claim = min(identity.credit, CAP * identity.sample_bits)
        entropy = min(Fraction(assessment.entropy), claim)
        restart, reason = _restart(
            source, identity, restarts, float(entropy), progress=within(progress, 0.9, 1.0), clock=clock
        )
    finally:
        source.close()
        drawn.fill(0)
    passed = restart is None or restart.passed
    return Commissioning(on, identity, assessment, counts, restart, reason, entropy if passed else Fraction(0))


def _fill(source: Qrng, drawn: Samples, progress: Progress) -> None:
    for start in range(0, drawn.size, _READ):
        progress("reading samples", start / drawn.size)
        part = drawn[start : start + _READ]
        got = source.read(part.size)
        part[:] = np.frombuffer(got, np.uint8)
        got[:] = bytes(len(got))


def _restart(
    source: Qrng,
    identity: QrngIdentity,
    restarts: int,
    entropy: float,
    *,
    progress: Progress,
    clock: Callable[[], float],
) -> tuple[RestartCheck | None, str]:
    if restarts < 2:
        return None, "not asked for"
    matrix = np.zeros((restarts, SAMPLES), np.uint8)
    begun = clock()
    try:
        for done, row in enumerate(matrix):
            expected = (clock() - begun) / max(done, 1) * restarts
            if done >= _TRIED and expected > PATIENCE:
                return None, f"{restarts} restarts would take about {expected / 60:.0f} minutes"
            progress("restarting the source", done / restarts)
            source.open()
            _fill(source, row, silent)
            source.close()
        return restart_check(matrix, entropy, alphabet=1 << identity.sample_bits), ""
    finally:
        matrix.fill(0)

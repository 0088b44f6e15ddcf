"""Does a residual release still show the place and the light of its reference? A stated rate of false alarms.

A cell counts as far where its mean residual lies further than 3τ/4 from 0. Honest cells, those whose residual without
noise is within τ/2 for a reference without noise, are far by chance only. docs/proofs/residual.md, section 4, has the
theorem; docs/residual.md what was measured.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.privacy.mechanism import Mechanism

CHANGED = 1 / 8
"""Part of the cells that may differ in any way, as with people, before the reference is given up."""
FALSE_ALARMS = 1e-6
"""How often a place of which at most CHANGED differs loses its reference, per window, at most."""
ONE_SIDED = 0.95
"""Part of the far cells on one side of the reference that says that only the light has changed.

Measured (docs/residual.md): all of 1733 changes to half, three halves or a twentieth of the light that were noticed
reach it, a camera that has turned in none of 791, another place in 33 of 495.
"""

Verdict = Literal["same", "other light", "other place"]


def judge(off: NDArray[np.float64], tau: float, mechanism: Mechanism, reference_noise: float) -> Verdict:
    """What a residual release says of its reference.

    Not the same where more cells are far than CHANGED of them and chance explain: then, another light where nearly
    all of them are brighter than the reference, or nearly all darker, and else another place.

    Args:
        off: (rows, columns) mean residuals in pixel values, with noise.
        tau: of the window, in pixel values.
        mechanism: of the window.
        reference_noise: standard deviation, in pixel values, of a cell of the map that the reference was made of;
            infinite where it is not known, and then nothing is contradicted.
    """
    brighter, darker = (int(np.count_nonzero(side > 0.75 * tau)) for side in (off, -off))
    moved = beyond(0.5 * tau, reference_noise)
    jumped = noise_beyond(mechanism, 0.25 * tau)
    if brighter + darker <= most_by_chance(off.size, min(1.0, moved + jumped)):
        return "same"
    return "other light" if max(brighter, darker) >= ONE_SIDED * (brighter + darker) else "other place"


def most_by_chance(cells: int, chance: float) -> int:
    """The most far cells among `cells` that CHANGED of them and `chance` for each of the others explain.

    The smallest k with P[Binomial(m, chance) ≥ k] ≤ FALSE_ALARMS by Chernoff's bound e^(-m · D(k/m, chance)), less 1,
    with m the others.
    """
    changed = math.floor(CHANGED * cells)
    others = cells - changed
    for count in range(math.floor(others * chance) + 1, others + 1):
        if others * divergence(count / others, chance) >= -math.log(FALSE_ALARMS):
            return changed + count - 1
    return cells


def divergence(share: float, chance: float) -> float:
    """Kullback and Leibler's between two coins: share · ln(share/chance) + (1-share) · ln((1-share)/(1-chance))."""
    if chance <= 0:
        return math.inf if share > 0 else 0.0
    if chance >= 1:
        return 0.0
    heads = share * math.log(share / chance) if share > 0 else 0.0
    tails = (1 - share) * math.log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return heads + tails


def noise_beyond(mechanism: Mechanism, distance: float) -> float:
    """At least the probability that the noise of a cell's mean exceeds `distance` on either side.

    Exact for discrete Laplace noise: P[|z| > k] = 2p^(k+1) / (1 + p) with p = exp(-1/scale), k a whole number. A
    discrete Gaussian of parameter σ has P[|z| ≥ k] ≤ 2 exp(-k²/2σ²) (Canonne, Kamath and Steinke, NeurIPS 2020).
    """
    whole = math.floor(distance * mechanism.frames * mechanism.cell**2)
    if mechanism.noise == "discrete-gaussian":
        return min(1.0, 2 * math.exp(-((whole + 1) ** 2) / (2 * mechanism.scale**2)))
    return 2 * math.exp(-(whole + 1) / mechanism.scale) / (1 + math.exp(-1 / mechanism.scale))


def beyond(distance: float, deviation: float) -> float:
    """P[|e| > distance] of a continuous Laplace law with this standard deviation; 1 where that is infinite."""
    return math.exp(-math.sqrt(2) * distance / deviation) if deviation > 0 else 0.0

"""What a comparison says in words, with its probability: the thresholds, and when nothing can be told."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collector.match.calibration import Calibration, find
from collector.match.view import view
from collector.match.weigh import Weighed, weigh
from wire.schema import Features

Verdict = Literal["same place", "different place", "not enough to tell"]

SAME = 0.99
"""Probability from which two maps show the same place: of a hundred such answers at most one is wrong."""
DIFFERENT = 0.05
"""Probability below which they show different places; a place seen from elsewhere is likelier to be missed than met."""
RIGHT = 0.5
"""Probability from which a match is counted and drawn."""
KINDS = {
    "still": "as from a camera that stayed",
    "similar": "as from a camera that turned or zoomed",
    "projective": "as from a camera that moved aside",
    "none": "in no common way",
}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The answer. weighed: what it rests on; None where nothing could be weighed."""

    verdict: Verdict
    reason: str
    weighed: Weighed | None


def judge(
    a: Features,
    b: Features,
    *,
    cells: tuple[int, int],
    fixed_camera: bool = False,
    prior: float | None = None,
    among: tuple[Calibration, ...] | None = None,
) -> Judged:
    """Compare two maps' features by likelihood.

    Args:
        a: of one map.
        b: of another, with the same method, model and codebook.
        cells: side of a cell of each, in frame pixels.
        fixed_camera: whether both come from one camera that has not been moved.
        prior: probability, before looking, that both show one place, in 0..1 without the ends; the calibration's
            where none is given.
        among: the calibrations to choose from; those beside the code where not given.
    """
    known = find(a, among)
    first, second = (view(one, cell=cell, unit=max(cells)) for one, cell in zip((a, b), cells, strict=True))
    lengths = {first.descriptors.shape[1], second.descriptors.shape[1]}
    if known is None or lengths != {len(known.whitening.mean)}:
        model = f" with model {a.model.hex()[:12]}" if a.model else ""
        return Judged("not enough to tell", f"this collector has no calibration for {a.method}{model}", None)
    weighed = weigh(first, second, known, prior=prior, fixed_camera=fixed_camera)
    return Judged(*_decide(weighed), weighed)


def _decide(weighed: Weighed) -> tuple[Verdict, str]:
    if weighed.silent:
        return "not enough to tell", "one of the maps shows nothing that its noise does not explain"
    found = f"probability {weighed.same:.3f}: {_agreement(weighed)}"
    if weighed.same >= SAME:
        return "same place", found
    if weighed.same <= DIFFERENT:
        return "different place", found
    return "not enough to tell", f"{found}; {SAME:g} is asked for the same place, {DIFFERENT:g} for a different one"


def _agreement(weighed: Weighed) -> str:
    right = int(np.count_nonzero(weighed.right >= RIGHT))
    if not right:
        return "no match is more likely right than wrong"
    return f"{right} matches are more likely right than wrong, and lie {KINDS[weighed.geometry.kind]}"

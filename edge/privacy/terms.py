"""What an epoch of the ledger promises, and how its first line says so."""

from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

import msgspec

from edge.privacy.chain import Entry, parse_ratio, ratio
from wire.loss import Noise
from wire.schema import Unit


@dataclass(frozen=True, slots=True)
class Terms:
    """noise: of all its windows. unit: what the costs are stated for. frame_rate: frames per second at most.

    cost_max: what the windows that use one frame may cost it together (`wire.loss.cost`): λ_max for Laplace noise.
    """

    noise: Noise
    unit: Unit
    cost_max: Fraction
    frame_rate: Fraction


def one_pair(cost_max: Fraction, frame_rate: Fraction) -> Terms:
    """Terms with Laplace noise for the smallest unit, one pixel of one frame: its ε is cost_max."""
    return Terms("discrete-laplace", Unit(visits=1, seconds=0, frames=1, pixels=1), cost_max, frame_rate)


def write_terms(terms: Terms) -> Entry:
    """The fields of an epoch's entry that hold its terms."""
    return {
        "noise": terms.noise,
        "visits": terms.unit.visits,
        "visit_seconds": terms.unit.seconds,
        "visit_frames": terms.unit.frames,
        "pixels": terms.unit.pixels,
        "cost_max": ratio(terms.cost_max),
        "frame_rate": ratio(terms.frame_rate),
    }


def read_terms(entry: Entry) -> Terms:
    """The terms that an epoch's entry holds. Raises ValueError where they are none that `write_terms` writes."""
    if entry["noise"] not in get_args(Noise):
        raise ValueError("the noise is of no known kind")
    fields = {
        "visits": entry["visits"],
        "seconds": entry["visit_seconds"],
        "frames": entry["visit_frames"],
        "pixels": entry["pixels"],
    }
    rate = parse_ratio(entry["frame_rate"])
    if not rate:
        raise ValueError("the frame rate is zero")
    return Terms(entry["noise"], msgspec.convert(fields, Unit), parse_ratio(entry["cost_max"]), rate)

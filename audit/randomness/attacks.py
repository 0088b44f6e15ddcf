"""Two attackers: one who tries the seconds of a day, one who knows what the wall looks like."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.randomness.gf2 import solve
from audit.randomness.mersenne import STATE_WORDS, UNKNOWNS, outputs, state_of
from audit.randomness.victims import CLOCK_SCALE, Picture, Table, noised_by_the_clock

DAY = 86_400
_SEEN = 64
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Undone:
    """What an attacker made of a release. finding: in words."""

    picture: Picture
    finding: str


def try_seconds(release: Picture, first: int, progress: Progress, seconds: int = DAY) -> Undone:
    """Take the noise of every second off 64 pixels of the release; the second that leaves the smoothest row is it.

    No pixel is known beforehand. Real scenes are smooth, and what wrong noise leaves is not.
    """
    row = release.ravel()[:_SEEN]
    best, second = None, first
    for tried in range(first, first + seconds):
        guess = row - np.rint(np.random.RandomState(tried).laplace(0, CLOCK_SCALE, _SEEN)).astype(np.int64)
        roughness = int(np.abs(np.diff(guess)).sum())
        if best is None or roughness < best:
            best, second = roughness, tried
        if tried % 1024 == 0:
            progress((tried - first) / seconds)
    picture = 2 * release - noised_by_the_clock(release, second)
    return Undone(picture, f"second {second}: neighbours differ by {(best or 0) / (_SEEN - 1):.0f} grey on average")


def know_the_wall(release: Picture, original: Picture, known: int, table: Table, progress: Progress) -> Undone:
    """Read the noise of the first `known` pixels off the release, and solve for the generator's whole state."""
    noise = (release - original).ravel()[:known]
    equations = _equations(noise.tolist(), table)
    found = solve(equations, UNKNOWNS, progress)
    generator = np.random.RandomState()
    generator.set_state(("MT19937", state_of(found.bits), STATE_WORDS, 0, 0.0))
    picture = release - table.noise(generator, release.size).reshape(release.shape)
    return Undone(
        picture,
        f"{len(equations)} equations of {known} pixels, rank {found.rank} of 19937, "
        f"{found.contradictions} contradictions",
    )


def _equations(noise: list[int], table: Table) -> np.ndarray:
    rows, answers = [], []
    for value, forms in zip(noise, outputs(), strict=False):
        count, bits = table.known_bits(value)
        for place in range(count):
            rows.append(forms[31 - place])
            answers.append(bits >> count - 1 - place & 1)
    return np.concatenate((np.array(rows), np.array(answers, np.uint64)[:, None]), axis=1)


def exact_share(found: Picture, original: Picture, known: int = 0) -> float:
    """The share of the pixels beyond the first `known` that an attacker has exactly."""
    return float((found.ravel()[known:] == original.ravel()[known:]).mean())

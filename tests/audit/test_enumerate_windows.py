from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from audit.enumerate import Grid, Video, all_videos, exposure, largest_loss, window_sums
from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.terms import one_pair

SCALE = 7
Summed = Callable[[Mechanism, Video], Grid]


@pytest.fixture
def summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Summed]:
    """The real way from ledger to release; only waiting for the disk is left out."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    ledger = Ledger(
        tmp_path / "ledger",
        device="tiny",
        configuration=bytes(32),
        terms=one_pair(Fraction(10**6), Fraction(1)),
        clock=lambda: 0,
    )
    yield lambda mechanism, video: window_sums(ledger, "tiny", mechanism, video)
    ledger.close()


def reference(*rows: tuple[int, ...]) -> np.ndarray:
    return np.array(rows, np.int64)


@pytest.mark.parametrize(
    ("frames", "height", "width", "cell", "lut"),
    [
        (1, 2, 2, 1, LinearLut(2)),
        (2, 2, 1, 1, LinearLut(2)),
        (2, 2, 1, 1, LogLut(2, 1)),
        (1, 2, 2, 2, LogLut(2, 1)),
        (2, 1, 2, 1, ResidualLut(reference((1, 2)), 1, 2)),
        (1, 2, 2, 2, ResidualLut(reference((1,)), 1, 2)),
        (1, 3, 2, 2, LinearLut(2)),
    ],
)
def test_theorem_1_over_every_pair_of_tiny_videos(
    summed: Summed, frames: int, height: int, width: int, cell: int, lut: Lut
) -> None:
    mechanism = Mechanism(lut, cell, height // cell, width // cell, frames, SCALE)
    videos = list(all_videos(frames, height, width, (0, 1, 2)))
    sums = [summed(mechanism, video) for video in videos]
    loss = cache(lambda one, two: largest_loss(sums[one], sums[two], SCALE))
    alike = [next(j for j, s in enumerate(sums) if (s == t).all()) for t in sums]
    attained = 0
    for one, two in combinations(range(len(videos)), 2):
        worst, bound = loss(alike[one], alike[two]), mechanism.slope * exposure(videos[one], videos[two])
        assert worst <= bound
        attained += worst == bound
    assert attained, "the bound is not tight: too much noise, or no pair that uses the whole range"


def test_the_bound_is_attained_at_every_exposure_by_pixels_that_use_the_whole_range(summed: Summed) -> None:
    mechanism = Mechanism(LinearLut(2), 1, 2, 2, 2, SCALE)
    extremes = [(video, summed(mechanism, video)) for video in all_videos(2, 2, 2, (0, 2))]
    dark, dark_sums = extremes[0]
    for video, sums in extremes:
        assert largest_loss(dark_sums, sums, SCALE) == mechanism.slope * exposure(dark, video)


def test_a_window_with_half_the_noise_breaks_the_bound(summed: Summed) -> None:
    claimed = Mechanism(LinearLut(2), 1, 1, 2, 1, SCALE)
    real = Mechanism(LinearLut(2), 1, 1, 2, 1, SCALE // 2)
    dark, bright = np.zeros((1, 1, 2), np.uint8), np.full((1, 1, 2), 2, np.uint8)
    loss = largest_loss(summed(real, dark), summed(real, bright), real.scale)
    assert loss > claimed.slope * exposure(dark, bright)


def test_a_lut_with_a_larger_range_than_it_says_breaks_the_bound(
    summed: Summed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ResidualLut, "range", property(lambda self: 2 * self.tau + 1))
    lying = Mechanism(ResidualLut(reference((1,)), 1, 4), 1, 1, 1, 1, SCALE)
    dark, bright = np.zeros((1, 1, 1), np.uint8), np.full((1, 1, 1), 4, np.uint8)
    loss = largest_loss(summed(lying, dark), summed(lying, bright), SCALE)
    assert loss > Fraction(2, SCALE) * exposure(dark, bright)


def test_theorem_2_holds_where_the_second_window_is_chosen_by_the_first_release(summed: Summed) -> None:
    """First an absolute window, then a residual one around whatever the first one published."""
    absolute = Mechanism(LinearLut(2), 1, 1, 2, 1, SCALE)
    references = list(product(range(3), repeat=2))
    residual = {r: Mechanism(ResidualLut(reference(r), 1, 2), 1, 1, 2, 1, SCALE) for r in references}
    cost_max = max(absolute.slope, residual[references[0]].slope)
    videos = list(all_videos(2, 1, 2, (0, 1, 2)))
    frames = {frame.tobytes(): frame for video in videos for frame in (video[:1], video[1:])}
    first = {key: summed(absolute, frame) for key, frame in frames.items()}
    second = {(key, r): summed(residual[r], frame) for key, frame in frames.items() for r in references}
    tight = 0
    for video, other in combinations(videos, 2):
        worst = Fraction(0)
        a, b = (first[v[:1].tobytes()] for v in (video, other))
        for released in product(range(-1, 4), repeat=2):
            gain = Fraction(int(np.abs(released - b).sum() - np.abs(released - a).sum()), SCALE)
            chosen = tuple(min(max(y, 0), 2) for y in released)
            c, d = (second[v[1:].tobytes(), chosen] for v in (video, other))
            worst = max(worst, abs(gain) + largest_loss(c, d, SCALE))
        bound = cost_max * exposure(video, other)
        assert worst <= bound
        tight += worst == bound
    assert tight


def test_two_levels_over_the_same_frames_cost_the_sum_of_their_slopes(summed: Summed) -> None:
    """One level sums both frames in cells of 1, the other each frame by itself in cells of 2."""
    slow = Mechanism(LinearLut(2), 1, 2, 2, 2, 2 * SCALE)
    fast = Mechanism(LinearLut(2), 2, 1, 1, 1, SCALE)
    cost_max = slow.slope + fast.slope
    videos = list(all_videos(2, 2, 2, (0, 2)))
    released = [(summed(slow, v), summed(fast, v[:1]), summed(fast, v[1:])) for v in videos]
    scales = (slow.scale, fast.scale, fast.scale)
    tight = 0
    for one, two in combinations(range(0, len(videos), 2), 2):
        parts = zip(released[one], released[two], scales, strict=True)
        loss = sum((largest_loss(s, t, scale) for s, t, scale in parts), Fraction(0))
        bound = cost_max * exposure(videos[one], videos[two])
        assert loss <= bound
        tight += loss == bound
    assert tight

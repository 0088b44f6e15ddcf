"""The estimate of residual windows without noise, on drawn cells: docs/proofs/residual.md, section 3."""

import numpy as np
import pytest

from edge.features.map import undo
from edge.privacy.cells import CellSums
from edge.privacy.lut import ResidualLut
from edge.privacy.mechanism import Mechanism

CELL, ROWS, COLUMNS, FRAMES = 16, 6, 8, 10


def window(frames, reference, tau):
    """G(P): the estimate in pixel values of a window over these frames, exact sums without noise."""
    lut = ResidualLut(reference, tau, 255)
    sums, cells = np.zeros((ROWS, COLUMNS), np.int64), CellSums(lut, CELL, ROWS, COLUMNS)
    for frame in frames:
        cells.add(frame, sums)
    mechanism = Mechanism(lut=lut, cell=CELL, rows=ROWS, columns=COLUMNS, frames=len(frames), scale=1)
    return undo(1, sums, mechanism).grey


def drawn(rng, spread=40.0, foreground=0.0, grain=0.0):
    """(frames, the background of each pixel): textured cells, a share of whose pixel-frames anything at all covers."""
    background = np.kron(rng.uniform(40, 215, (ROWS, COLUMNS)), np.ones((CELL, CELL)))
    background = np.rint(background + rng.normal(0, spread, background.shape)).clip(0, 255).astype(np.uint8)
    frames = np.repeat(background[None], FRAMES, axis=0)
    if grain:
        frames = np.rint(frames + rng.normal(0, grain, frames.shape)).clip(0, 255).astype(np.uint8)
    covered = rng.random(frames.shape) < foreground
    frames[covered] = rng.choice(np.array([0, 255], np.uint8), int(covered.sum()))
    return frames, background


def by_cell(frames):
    """(rows, columns, values of the pixel-frames of that cell)."""
    cut = frames.reshape(-1, ROWS, CELL, COLUMNS, CELL).transpose(1, 3, 0, 2, 4)
    return cut.reshape(ROWS, COLUMNS, -1).astype(np.float64)


def pull(values, at, tau):
    """The mean of ψ(X - P), per cell."""
    return np.clip(values - at[..., None], -tau, tau).mean(axis=-1)


def huber(values, tau):
    """A zero of the mean of ψ(X - P), by bisection: per cell, the Huber estimate of location."""
    low, high = values.min(axis=-1), values.max(axis=-1)
    for _ in range(60):
        middle = (low + high) / 2
        above = pull(values, middle, tau) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


@pytest.mark.parametrize("tau", [8, 16, 32])
def test_a_window_gives_the_mean_of_pixels_clamped_to_within_tau_of_the_reference(tau):
    rng = np.random.default_rng(tau)
    frames, _ = drawn(rng, foreground=0.1)
    reference = rng.integers(0, 256, (ROWS, COLUMNS))
    low, high = (reference - tau)[..., None], (reference + tau)[..., None]
    np.testing.assert_allclose(window(frames, reference, tau), np.clip(by_cell(frames), low, high).mean(axis=-1))


def test_a_window_keeps_the_order_of_references_and_never_moves_them_apart():
    rng = np.random.default_rng(2)
    frames, _ = drawn(rng, foreground=0.2)
    lower = rng.integers(0, 200, (ROWS, COLUMNS))
    higher = lower + rng.integers(0, 56, (ROWS, COLUMNS))
    apart = window(frames, higher, 16) - window(frames, lower, 16)
    assert (apart >= -1e-9).all()
    assert (apart <= higher - lower + 1e-9).all()


@pytest.mark.parametrize("start", [0, 255])
@pytest.mark.parametrize("tau", [8, 16, 32])
def test_windows_come_to_the_huber_estimate_from_one_side_by_at_most_tau_each(tau, start):
    frames, _ = drawn(np.random.default_rng(3), spread=20, foreground=0.1)
    values = by_cell(frames)
    goal = huber(values, tau)
    reference = np.full((ROWS, COLUMNS), start, np.int64)
    side = np.sign(start - goal)
    for _ in range(200):
        estimate = window(frames, reference, tau)
        assert (np.abs(estimate - reference) <= tau + 1e-9).all()
        assert (side * (estimate - goal) >= -0.5 - 1e-6).all()  # the reference is rounded, so it may pass by half
        following = np.rint(estimate).astype(np.int64)
        if (following == reference).all():
            break
        assert (side * (following - reference) <= 0).all()
        reference = following
    assert (np.abs(pull(values, reference.astype(float), tau)) <= 0.5 + 1e-9).all()
    # Where the rounded reference stays, a share w of unclamped pixels leaves it at most 1/(2w) from the estimate.
    between = np.maximum(np.abs(reference - goal), 1e-9)
    slope = np.abs(pull(values, reference.astype(float), tau) - pull(values, goal, tau)) / between
    assert (np.abs(reference - goal) <= 0.5 / np.maximum(slope, 1e-9) + 1e-6).all()


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("tau", [8, 32])
def test_foreground_of_share_q_moves_a_cell_at_most_tau_q_over_1_minus_q_out_of_its_background(tau, share):
    frames, background = drawn(np.random.default_rng(4), spread=3, foreground=share)
    values, plain = by_cell(frames), by_cell(background[None])
    covered = (values != np.tile(plain, FRAMES)).mean(axis=-1)
    bound = tau * covered / (1 - covered)
    found = huber(values, tau)
    assert (found <= plain.max(axis=-1) + bound + 1e-6).all()
    assert (found >= plain.min(axis=-1) - bound - 1e-6).all()


def test_the_bound_on_foreground_is_attained_by_bright_passers_before_a_flat_wall():
    frames = np.full((FRAMES, ROWS * CELL, COLUMNS * CELL), 100, np.uint8)
    frames[:2] = 255
    reference = np.full((ROWS, COLUMNS), 100, np.int64)
    for _ in range(60):
        estimate = window(frames, reference, 32)
        reference = np.rint(estimate).astype(np.int64)
    assert huber(by_cell(frames), 32)[0, 0] == pytest.approx(100 + 32 * 0.2 / 0.8)
    assert (np.abs(reference - 108) <= 1).all()


@pytest.mark.parametrize("tau", [8, 16, 32])
def test_texture_wider_than_tau_moves_a_cell_off_its_mean_by_at_most_what_the_clamp_cuts_off(tau):
    frames, _ = drawn(np.random.default_rng(5), spread=45)
    values = by_cell(frames)
    found, mean = huber(values, tau), values.mean(axis=-1)
    cut = np.maximum(np.abs(values - found[..., None]) - tau, 0).mean(axis=-1)
    assert (np.abs(found - mean) <= cut + 1e-6).all()


def test_what_a_window_keeps_of_an_error_of_its_reference_is_the_share_that_is_clamped():
    rng = np.random.default_rng(6)
    frames, _ = drawn(rng, spread=25)
    values, tau = by_cell(frames), 16
    reference = np.rint(huber(values, tau)).astype(np.int64)
    kept = window(frames, reference + 2, tau) - window(frames, reference, tau)
    clamped = [np.abs(values - at[..., None]) >= tau for at in (reference, reference + 2)]
    assert (kept <= 2 * (clamped[0] | clamped[1]).mean(axis=-1) + 0.2).all()
    assert (kept >= 2 * (clamped[0] & clamped[1]).mean(axis=-1) - 0.2).all()


@pytest.mark.parametrize(("drift", "lag"), [(10, 0), (16, 0), (24, None)])
def test_a_drift_of_up_to_tau_per_window_is_followed_and_a_faster_one_leaves_the_map_behind(drift, lag):
    tau, shown, lags = 16, 20, []
    reference = np.full((ROWS, COLUMNS), shown, np.int64)
    for _ in range(9):
        shown += drift
        frames = np.full((1, ROWS * CELL, COLUMNS * CELL), shown, np.uint8)
        reference = np.rint(window(frames, reference, tau)).astype(np.int64)
        lags.append(int(shown - reference[0, 0]))
    assert lags == ([lag] * 9 if lag is not None else [(drift - tau) * k for k in range(1, 10)])


def test_the_lag_behind_a_drift_is_the_drift_times_clamped_over_unclamped():
    """A quarter of each cell lies far above, a quarter far below: half is clamped always, so the lag is the drift."""
    tau, drift, shown = 16, 3, 60
    reference = np.full((ROWS, COLUMNS), shown, np.int64)
    exact = reference.astype(float)
    for _ in range(25):
        shown += drift
        cell = np.full((CELL, CELL), shown, np.uint8)
        cell[:4], cell[4:8] = 0, 255
        frames = np.tile(cell, (1, ROWS, COLUMNS))
        exact = window(frames, reference, tau)
        reference = np.rint(exact).astype(np.int64)
    assert shown - exact[0, 0] == pytest.approx(drift, abs=1.0)

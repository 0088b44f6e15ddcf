import copy
import pickle
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge.errors import PrivacyError, Reason, SecretError
from edge.frame import Frame
from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.receipt import Receipt
from edge.privacy.release import Release
from edge.privacy.terms import one_pair
from edge.privacy.window import Window

ROWS, COLUMNS, CELL = 3, 4, 5
LUTS: dict[str, Lut] = {
    "linear": LinearLut(255),
    "log": LogLut.of(255),
    "residual": ResidualLut(np.arange(12).reshape(ROWS, COLUMNS) * 20, 32, 255),
}


class Camera:
    """Frames that a seed makes."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)

    def read(self, plane: np.ndarray, deadline: float) -> None:
        plane[...] = self._random.integers(0, 256, plane.shape)


class Pool:
    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def take(self, n: int) -> bytearray:
        return bytearray(self._random.randbytes(n))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Fraction(1)
    ledger = Ledger(
        tmp_path / "ledger",
        device="ward-3",
        configuration=bytes(32),
        terms=one_pair(Fraction(255), one),
        clock=lambda: 0,
        make_epoch=lambda: bytes(16),
    )
    yield ledger
    ledger.close()


def mechanism(lut: Lut = LUTS["linear"], frames: int = 3, scale: int = 1000) -> Mechanism:
    return Mechanism(lut, CELL, ROWS, COLUMNS, frames, scale)


def pay(ledger: Ledger, wanted: Mechanism) -> Receipt:
    return ledger.charge("map", wanted, ledger.next_frame)


def open_window(ledger: Ledger, wanted: Mechanism) -> Window:
    return Window(pay(ledger, wanted), Noise.draw(wanted, Pool()))


def full_window(ledger: Ledger, wanted: Mechanism, seed: int = 1) -> Window:
    window, frame, camera = open_window(ledger, wanted), a_frame(), Camera(seed)
    while not window.full:
        frame.fill(camera, 1)
        window.add(frame)
    return window


def a_frame() -> Frame:
    return Frame(ROWS * CELL + 2, COLUMNS * CELL + 1, np.uint8)


def reason(caught: pytest.ExceptionInfo[PrivacyError]) -> Reason:
    return caught.value.reason


@pytest.mark.parametrize("name", LUTS)
def test_a_release_is_the_sum_of_the_frames_and_the_noise(ledger: Ledger, name: str) -> None:
    wanted = mechanism(LUTS[name])
    release = full_window(ledger, wanted).close()
    expected = Noise.draw(wanted, Pool()).redeem()
    frame, camera = a_frame(), Camera()
    for _ in range(3):
        frame.fill(camera, 1)
        pixels = frame.plane[: ROWS * CELL, : COLUMNS * CELL].astype(np.int64)
        if isinstance(wanted.lut, ResidualLut):
            around = np.kron(wanted.lut.reference, np.ones((CELL, CELL), np.int64))
            pixels = np.clip(pixels - around, -32, 32) + 32
        elif isinstance(wanted.lut, LogLut):
            pixels = wanted.lut.table[pixels].astype(np.int64)
        expected += pixels.reshape(ROWS, CELL, COLUMNS, CELL).sum((1, 3))
    assert (release.sums == expected).all()
    assert release.receipt.position == 2


def test_the_sums_start_at_the_noise(ledger: Ledger) -> None:
    wanted = mechanism()
    assert (open_window(ledger, wanted)._sums == Noise.draw(wanted, Pool()).redeem()).all()


def test_a_receipt_opens_one_window(ledger: Ledger) -> None:
    receipt = pay(ledger, mechanism())
    Window(receipt, Noise.draw(mechanism(), Pool()))
    assert receipt.spent
    with pytest.raises(PrivacyError) as caught:
        Window(receipt, Noise.draw(mechanism(), Pool()))
    assert reason(caught) is Reason.SPENT


def test_noise_opens_one_window(ledger: Ledger) -> None:
    noise = Noise.draw(mechanism(), Pool())
    Window(pay(ledger, mechanism()), noise)
    with pytest.raises(PrivacyError) as caught:
        Window(pay(ledger, mechanism()), noise)
    assert reason(caught) is Reason.SPENT


@pytest.mark.parametrize(
    "other", [mechanism(scale=999), Mechanism(LUTS["linear"], CELL, COLUMNS, ROWS, 3, 1000)], ids=["scale", "grid"]
)
def test_noise_of_another_mechanism_is_refused_and_nothing_is_spent(ledger: Ledger, other: Mechanism) -> None:
    receipt, noise = pay(ledger, mechanism()), Noise.draw(other, Pool())
    with pytest.raises(PrivacyError) as caught:
        Window(receipt, noise)
    assert reason(caught) is Reason.MISMATCH
    assert not receipt.spent
    assert noise.redeem().any()


def test_a_window_closes_when_it_is_full_and_not_before(ledger: Ledger) -> None:
    window, frame, camera = open_window(ledger, mechanism(frames=2)), a_frame(), Camera()
    for added in range(2):
        assert (window.added, window.full) == (added, False)
        with pytest.raises(PrivacyError) as caught:
            window.close()
        assert reason(caught) is Reason.WINDOW_SHORT
        frame.fill(camera, 1)
        window.add(frame)
    assert window.full
    frame.fill(camera, 1)
    with pytest.raises(PrivacyError) as caught:
        window.add(frame)
    assert reason(caught) is Reason.WINDOW_FULL
    window.close()


def test_the_same_frame_is_not_added_twice(ledger: Ledger) -> None:
    window, frame = open_window(ledger, mechanism()), a_frame()
    frame.fill(Camera(), 1)
    window.add(frame)
    with pytest.raises(PrivacyError) as caught:
        window.add(frame)
    assert reason(caught) is Reason.MISMATCH
    assert window.added == 1


def test_an_empty_or_small_frame_is_not_added(ledger: Ledger) -> None:
    window = open_window(ledger, mechanism())
    with pytest.raises(SecretError):
        window.add(a_frame())
    small = Frame(ROWS * CELL, COLUMNS * CELL - 1, np.uint8)
    small.fill(Camera(), 1)
    with pytest.raises(PrivacyError) as caught:
        window.add(small)
    assert reason(caught) is Reason.MISMATCH
    assert window.added == 0


@pytest.mark.parametrize("end", [Window.close, Window.wipe])
def test_a_window_that_has_ended_holds_nothing_and_does_nothing(ledger: Ledger, end) -> None:
    window = full_window(ledger, mechanism())
    sums = window._sums
    end(window)
    assert sums is not None
    assert not sums.any()
    frame = a_frame()
    frame.fill(Camera(), 1)
    for step in (window.close, lambda: window.add(frame)):
        with pytest.raises(PrivacyError) as caught:
            step()
        assert reason(caught) is Reason.SPENT
    window.wipe()


def test_a_release_cannot_be_made_by_hand_or_changed(ledger: Ledger) -> None:
    release = full_window(ledger, mechanism()).close()
    with pytest.raises(PrivacyError):
        Release(release.receipt, release.mechanism, np.zeros((ROWS, COLUMNS), np.int64), object())
    with pytest.raises(ValueError):
        release.sums[0, 0] = 0
    with pytest.raises(AttributeError):
        release.sums = release.sums  # type: ignore[misc]  # frozen


def test_a_receipt_cannot_be_made_by_hand(ledger: Ledger) -> None:
    receipt = pay(ledger, mechanism())
    with pytest.raises(PrivacyError):
        Receipt(receipt.redeem(), mechanism(), object())


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_windows_and_receipts_cannot_be_copied_or_stored(ledger: Ledger, way) -> None:
    with pytest.raises(PrivacyError):
        way(pay(ledger, mechanism()))
    window = open_window(ledger, mechanism())
    with pytest.raises(SecretError):
        way(window)
    assert repr(window) == "<Window: secret>"


@pytest.mark.parametrize("name", LUTS)
def test_a_kept_release_comes_back_as_it_was(ledger: Ledger, name: str) -> None:
    release = full_window(ledger, mechanism(LUTS[name])).close()
    again = Release.from_bytes(release.to_bytes())
    assert again.receipt == release.receipt
    assert (again.sums == release.sums).all()
    assert not again.sums.flags.writeable
    one, two = release.mechanism, again.mechanism
    assert [two.cell, two.rows, two.columns, two.frames, two.scale] == [5, 3, 4, 3, one.scale]
    assert type(two.lut) is type(one.lut)
    assert (two.lut.spec, two.lut.max_value) == (one.lut.spec, one.lut.max_value)
    if isinstance(one.lut, ResidualLut) and isinstance(two.lut, ResidualLut):
        assert (two.lut.reference == one.lut.reference).all()
    assert again.to_bytes() == release.to_bytes()


def test_bytes_that_are_no_release_are_refused(ledger: Ledger) -> None:
    data = full_window(ledger, mechanism(LUTS["residual"])).close().to_bytes()
    for size in range(len(data)):
        with pytest.raises(ValueError):
            Release.from_bytes(data[:size])
    for junk in (b"\xa0", b"\x00", b"\xff", b"\x81" * 5000, data.replace(b"residual", b"resonant")):
        with pytest.raises(ValueError):
            Release.from_bytes(junk)


def test_noise_beyond_64_bits_wraps_and_so_does_the_release(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.privacy.noise.Sampler.draw", lambda self, source, count: np.full(count, 2**63 - 1))
    release = full_window(ledger, mechanism()).close()
    sums = full_window(ledger, mechanism()).close().sums
    assert (release.sums == sums).all()
    assert (release.sums < 0).all()


def test_a_mechanism_whose_sums_could_pass_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        mechanism(scale=2**58)
    with pytest.raises(ValueError, match="64 bits"):
        Mechanism(LinearLut(65535), 4096, 1, 1, 2**24, 1)
    mechanism(scale=2**56)


@pytest.mark.parametrize("zero", ["cell", "rows", "columns", "frames", "scale"])
def test_a_mechanism_counts_from_one(zero: str) -> None:
    numbers = dict.fromkeys(["cell", "rows", "columns", "frames", "scale"], 1) | {zero: 0}
    with pytest.raises(ValueError):
        Mechanism(LinearLut(255), **numbers)


def test_a_residual_reference_has_the_grid_of_its_mechanism() -> None:
    with pytest.raises(ValueError):
        Mechanism(LUTS["residual"], CELL, COLUMNS, ROWS, 3, 1000)

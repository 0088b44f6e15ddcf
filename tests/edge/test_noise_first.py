"""docs/proofs/noise-first.md: what memory holds, and what it does not."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.enumerate import Played, Video, all_videos, exposure, largest_loss
from edge.frame import Frame
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.receipt import Charge, make_receipt
from edge.privacy.window import Window

MECHANISM = Mechanism(LinearLut(255), 4, 3, 5, 6, 10**6)
CHARGE = Charge(level="map", epoch=bytes(16), position=1, previous=bytes(32), hash=bytes(32), first_frame=0)


class Pool:
    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def take(self, n: int) -> bytearray:
        return bytearray(self._rng.bytes(n))


class Scene:
    """A camera whose frames are known to the test."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(2)
        self.sums: list[NDArray[np.int64]] = []

    def read(self, plane: NDArray[np.uint8] | NDArray[np.uint16], deadline: float) -> None:
        del deadline
        plane[...] = self._rng.integers(0, 256, plane.shape)
        self.sums.append(plane.astype(np.int64).reshape(3, 4, 5, 4).sum((1, 3)))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def opened(seed: int = 1, mechanism: Mechanism = MECHANISM) -> tuple[Window, NDArray[np.int64]]:
    """A window and its noise, drawn a second time from the same bits."""
    noise = Noise.draw(mechanism, Pool(seed)).redeem().copy()
    return Window(make_receipt(CHARGE, mechanism), Noise.draw(mechanism, Pool(seed))), noise


def memory(window: Window) -> NDArray[np.int64]:
    """What is read of an open window."""
    assert window._sums is not None
    return window._sums.copy()


def film(window: Window, scene: Scene, frames: int) -> None:
    frame = Frame(12, 20, np.uint8)
    for _ in range(frames):
        frame.fill(scene, 1.0)
        window.add(frame)
        frame.wipe()


def test_the_window_sums_into_the_buffer_that_the_noise_was_drawn_into() -> None:
    noise = Noise.draw(MECHANISM, Pool(1))
    held = noise._values
    assert held is not None
    window = Window(make_receipt(CHARGE, MECHANISM), noise)
    assert noise._values is None
    assert window._sums is held
    assert isinstance(held.base, np.ndarray), "a view of what the sampler filled, not a copy of it"
    assert np.shares_memory(held, held.base)


def test_what_memory_holds_in_the_middle_of_a_window_is_noise_and_sums_together(scene: Scene) -> None:
    window, noise = opened()
    assert (memory(window) == noise).all()
    film(window, scene, 4)
    assert (memory(window) == noise + np.sum(scene.sums, axis=0)).all()
    held = [getattr(window, name) for name in Window.__slots__]
    arrays = [each for each in [*held, *vars(window._cells).values()] if isinstance(each, np.ndarray)]
    assert [array for array in arrays if array.any()] == [window._sums], "sums alone depend on pixels"


def test_the_release_less_what_was_read_is_the_exact_sum_of_the_later_frames(scene: Scene) -> None:
    window, _ = opened()
    film(window, scene, 4)
    read = memory(window)
    film(window, scene, 2)
    assert (window.close().sums - read == np.sum(scene.sums[4:], axis=0)).all()


def look_and_release(mechanism: Mechanism, video: Video) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What a look after the first frame finds, less the noise, and by how much the release differs from it."""
    window, noise = opened(mechanism=mechanism)
    frame, camera = Frame(*video.shape[1:], np.uint8), Played(video)
    frame.fill(camera, 1.0)
    window.add(frame)
    read = memory(window)
    frame.fill(camera, 1.0)
    window.add(frame)
    return read - noise, window.close().sums - read


def test_a_look_and_the_release_cost_what_came_before_the_look_and_tell_what_came_after() -> None:
    mechanism = Mechanism(LinearLut(2), 1, 1, 2, 2, 7)
    seen = [(video, *look_and_release(mechanism, video)) for video in all_videos(2, 1, 2, (0, 1, 2))]
    attained = 0
    for (video, before, after), (other, before_other, after_other) in combinations(seen, 2):
        told = bool((after != after_other).any())
        assert told == bool((video[1] != other[1]).any()), "the later frame is told exactly, and nothing else is"
        if not told:
            loss, bound = largest_loss(before, before_other, mechanism.scale), mechanism.slope * exposure(video, other)
            assert loss <= bound
            attained += loss == bound
    assert attained


def test_two_levels_over_the_same_frames_share_no_noise() -> None:
    pool = Pool(3)
    drawn = [Noise.draw(MECHANISM, pool).redeem().ravel() for _ in range(2)]
    assert not set(drawn[0].tolist()) & set(drawn[1].tolist())
    assert drawn[0].base is not drawn[1].base


@pytest.mark.parametrize("end", ["close", "wipe"])
def test_a_closed_or_wiped_window_holds_nothing(scene: Scene, end: str) -> None:
    window, _ = opened()
    film(window, scene, 6)
    buffer = window._sums
    assert buffer is not None
    getattr(window, end)()
    assert not buffer.any()
    assert window._sums is None


def test_the_service_overwrites_what_is_freed_by_the_c_library_and_by_python() -> None:
    unit = Path(__file__).resolve().parents[2] / "systemd" / "speckled-capture.service"
    line = next(line for line in unit.read_text().splitlines() if line.startswith("Environment="))
    settings = dict(setting.split("=", 1) for setting in line.removeprefix("Environment=").split())
    assert 0 < int(settings["MALLOC_PERTURB_"]) < 256
    assert settings["PYTHONMALLOC"] == "malloc", "or what Python frees never reaches the C library"
    assert settings["GLIBC_TUNABLES"] == "glibc.malloc.tcache_count=0", "or small blocks are put aside as they are"

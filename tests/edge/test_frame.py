import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from drivers.errors import CameraError, CameraReason
from edge.errors import SecretError
from edge.frame import Frame

CANARY = b"PIXELS-OF-A-PERSON"


class Camera:
    def read(self, plane: np.ndarray, deadline: float) -> None:
        plane[0, : len(CANARY)] = np.frombuffer(CANARY, np.uint8)


class HalfACamera:
    def read(self, plane: np.ndarray, deadline: float) -> None:
        plane[0, : len(CANARY)] = np.frombuffer(CANARY, np.uint8)
        raise CameraError(CameraReason.TIMEOUT, "no frame came", "look at the cable")


@pytest.fixture
def frame() -> Frame:
    frame = Frame(2, 32, np.uint8)
    frame.fill(Camera(), 1.0)
    return frame


REFUSED: dict[str, Callable[[Frame], object]] = {
    "pickle": pickle.dumps,
    "an old pickle": lambda frame: pickle.dumps(frame, protocol=0),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "state": lambda frame: frame.__getstate__(),
    "array": np.asarray,
    "array of objects": lambda frame: np.array([frame]),
    "arithmetic": lambda frame: np.add(frame, 1),
    "bytes": bytes,
    "iteration": list,
    "index": lambda frame: frame[0],
    "assignment": lambda frame: frame.__setitem__(0, 0),
    "length": len,
    "membership": lambda frame: 0 in frame,
    "reversal": reversed,
    "buffer": memoryview,
}


@pytest.mark.parametrize("way", REFUSED)
def test_a_frame_refuses_every_way_to_read_copy_or_store_it_and_shows_no_pixel(frame: Frame, way: str) -> None:
    with pytest.raises(TypeError) as caught:  # SecretError is one
        REFUSED[way](frame)
    assert "PIXELS" not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize("text", [repr, str, "{}".format, "{0!r:>20}".format, lambda f: f"{f:x}", lambda f: f"{[f]}"])
def test_a_frame_says_only_that_it_is_secret(frame: Frame, text: Callable[[Frame], str]) -> None:
    assert text(frame).strip("[] ") == "<Frame: secret>"


def test_a_frame_has_no_attributes_to_list(frame: Frame) -> None:
    with pytest.raises(TypeError):
        vars(frame)


def test_wiping_overwrites_the_pixels_in_place(frame: Frame) -> None:
    plane = frame.plane
    assert plane.any()
    frame.wipe()
    assert not plane.any()


def test_an_empty_frame_has_no_plane_to_add() -> None:
    frame = Frame(2, 2, np.uint8)
    with pytest.raises(SecretError, match="empty"):
        _ = frame.plane
    frame.fill(Camera2(), 1.0)
    frame.wipe()
    with pytest.raises(SecretError, match="empty"):
        _ = frame.plane


def test_half_a_frame_does_not_stay_when_the_camera_fails(frame: Frame) -> None:
    plane = frame.plane
    with pytest.raises(CameraError):
        frame.fill(HalfACamera(), 1.0)
    assert not plane.any()
    with pytest.raises(SecretError):
        _ = frame.plane


def test_each_filling_has_its_own_number() -> None:
    frame = Frame(2, 32, np.uint8)
    numbers = []
    for _ in range(3):
        frame.fill(Camera(), 1.0)
        numbers.append(frame.number)
        frame.wipe()
        with pytest.raises(CameraError):
            frame.fill(HalfACamera(), 1.0)
        assert frame.number <= 0
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint32, bool])
def test_a_frame_is_a_plane_of_unsigned_bytes_or_words(dtype: type) -> None:
    with pytest.raises(ValueError):
        Frame(2, 2, dtype)


class Camera2:
    def read(self, plane: np.ndarray, deadline: float) -> None:
        plane[...] = 7

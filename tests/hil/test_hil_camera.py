"""A camera behaves the same on every rung: emulated, libcamera's virtual one, a real one."""

import threading
import time
from contextlib import closing

import numpy as np
import pytest

from drivers.camera.ladder import Ladder
from drivers.errors import CameraError, CameraReason

DEADLINE = 10.0
# The thread of the real picamera2 may end on what happens to libcamera here: that is what the driver has to survive.
survives_the_end_of_its_thread = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
MORE_THAN_ITS_BUFFERS = 12


@pytest.fixture
def camera(rung):
    with closing(rung.camera()) as camera:
        yield camera


def plane_of(identity):
    return np.zeros((identity.height, identity.width), identity.dtype)


def test_a_camera_says_what_its_frames_are_and_fills_them(camera):
    identity = camera.open()
    plane = plane_of(identity)
    camera.read(plane, DEADLINE)
    assert identity.driver == "picamera2"
    assert plane.any()
    assert plane.max() <= identity.max_value


def test_frames_come_within_the_deadline_that_was_given(camera):
    plane = plane_of(camera.open())
    for _ in range(MORE_THAN_ITS_BUFFERS):
        camera.read(plane, DEADLINE)  # else it raises TIMEOUT


def test_frames_that_are_missed_keep_no_buffer(camera, rung):
    plane = plane_of(camera.open())
    with rung.late():
        missed = sum(is_late(camera, plane) for _ in range(MORE_THAN_ITS_BUFFERS))
    camera.read(plane, DEADLINE)
    assert missed > 4


def test_a_frame_that_cannot_be_used_gives_its_buffer_back(camera, monkeypatch):
    plane = plane_of(camera.open())

    def fail(mapped, plane):
        raise RuntimeError("of the copy")

    with monkeypatch.context() as patch:
        patch.setattr(camera, "_copy", fail)
        for _ in range(MORE_THAN_ITS_BUFFERS):
            with pytest.raises(CameraError):
                camera.read(plane, DEADLINE)
    camera.read(plane, DEADLINE)


def test_a_camera_opens_again_as_the_same_one(camera):
    identity = camera.open()
    for _ in range(3):
        camera.close()
        assert camera.open() == identity
        camera.read(plane_of(identity), DEADLINE)


@survives_the_end_of_its_thread
def test_a_camera_whose_front_end_fails_is_opened_anew_and_goes_on(rung):
    opened = []

    def make():
        opened.append(rung.camera())
        return opened[-1]

    with closing(Ladder(make)) as ladder:
        plane = plane_of(ladder.open())
        ladder.read(plane, DEADLINE)
        rung.cut(opened[-1])
        ladder.read(plane, 1.0)
    assert len(opened) == 2


@survives_the_end_of_its_thread
def test_a_camera_that_hangs_while_it_stops_is_given_up_within_the_deadline(rung, monkeypatch):
    opened = []

    def make():
        opened.append(rung.camera())
        return opened[-1]

    let_go = threading.Event()
    with closing(Ladder(make, open_deadline=60.0)) as ladder:
        plane = plane_of(ladder.open())
        rung.cut(opened[-1])
        stop = opened[-1]._camera.stop
        monkeypatch.setattr(opened[-1]._camera, "stop", lambda: (let_go.wait(60), stop()))
        ladder._open_deadline = 0.5
        began = time.monotonic()
        with pytest.raises(CameraError) as caught:
            ladder.read(plane, 0.5)
        took = time.monotonic() - began
        let_go.set()
        ladder._helper.join(60)
    assert caught.value.reason is CameraReason.TIMEOUT
    assert len(opened) == 1
    assert took < 30


def is_late(camera, plane):
    """Whether a frame did not come in a thousandth of a second."""
    try:
        camera.read(plane, 0.001)
    except CameraError as error:
        return error.reason is CameraReason.TIMEOUT
    return False

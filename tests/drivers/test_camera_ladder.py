import threading

import numpy as np
import pytest

from drivers.camera.base import CameraIdentity
from drivers.camera.ladder import REOPEN_WINDOW, Ladder
from drivers.camera.picamera2 import Picamera2Camera
from drivers.emulated.picamera2 import CameraFault, EmulatedPicamera2
from drivers.errors import CameraError, CameraReason

IDENTITY = CameraIdentity("scripted", "scripted", 4, 2, 255, "luma", simulated=True)


class Script:
    """Cameras that do what the script says: a reason is raised, None is a good frame; opening takes from `openings`."""

    def __init__(self, reads=(), openings=()):
        self.reads = list(reads)
        self.openings = list(openings)
        self.opened = 0
        self.closed = 0

    def open(self):
        self.opened += 1
        outcome = self.openings.pop(0) if self.openings else IDENTITY
        if isinstance(outcome, CameraReason):
            raise CameraError(outcome, "scripted", "none")
        return outcome

    def read(self, plane, deadline):
        reason = self.reads.pop(0) if self.reads else None
        if reason is not None:
            raise CameraError(reason, "scripted", "none")
        plane.fill(7)

    def close(self):
        self.closed += 1


T, CHANGED = CameraReason.TIMEOUT, CameraReason.CHANGED


def climb(script, clock=lambda: 0.0):
    ladder = Ladder(lambda: script, clock=clock)
    ladder.open()
    return ladder, np.zeros((2, 4), np.uint8)


def test_up_to_two_timeouts_are_asked_again_without_reopening():
    script = Script([T, T, None, T, T, None])
    ladder, plane = climb(script)
    ladder.read(plane, 1.0)
    ladder.read(plane, 1.0)
    assert script.opened == 1
    assert plane.all()


def test_the_third_timeout_closes_the_camera_and_opens_it_anew():
    script = Script([T, T, T, None])
    ladder, plane = climb(script)
    ladder.read(plane, 1.0)
    assert (script.opened, script.closed) == (2, 1)


def test_changed_settings_reopen_at_once():
    script = Script([CHANGED, None])
    ladder, plane = climb(script)
    ladder.read(plane, 1.0)
    assert script.opened == 2


def test_the_fourth_reopening_within_ten_minutes_is_not_tried():
    script = Script([CHANGED] * 4)
    ladder, plane = climb(script)
    with pytest.raises(CameraError) as caught:
        ladder.read(plane, 1.0)
    assert caught.value.reason is CHANGED
    assert script.opened == 1 + 3
    assert not plane.any()


def test_reopenings_of_more_than_ten_minutes_ago_are_forgiven():
    now = [0.0]
    script = Script([CHANGED] * 3 + [None])
    ladder, plane = climb(script, lambda: now[0])
    ladder.read(plane, 1.0)
    now[0] = REOPEN_WINDOW
    script.reads = [CHANGED] * 3 + [None]
    ladder.read(plane, 1.0)
    assert script.opened == 7


def test_an_opening_that_fails_counts_as_a_rung():
    script = Script([CHANGED], [IDENTITY, *[CameraReason.NOT_FOUND] * 3])
    ladder, plane = climb(script)
    with pytest.raises(CameraError) as caught:
        ladder.read(plane, 1.0)
    assert caught.value.reason is CameraReason.NOT_FOUND
    assert script.opened == 4


@pytest.mark.parametrize("reason", [CameraReason.ENDED, CameraReason.BAD_SOURCE, CameraReason.DENIED])
def test_what_no_reopening_changes_is_raised_at_once(reason):
    script = Script([reason])
    ladder, plane = climb(script)
    with pytest.raises(CameraError) as caught:
        ladder.read(plane, 1.0)
    assert caught.value.reason is reason
    assert script.opened == 1


def test_another_camera_in_the_place_of_the_first_is_refused():
    other = CameraIdentity("scripted", "another", 4, 2, 255, "luma", simulated=False)
    script = Script([CHANGED], [IDENTITY, other])
    ladder, plane = climb(script)
    with pytest.raises(CameraError, match="another one"):
        ladder.read(plane, 1.0)


def test_a_stop_that_hangs_ends_the_ladder_with_one_helper_thread():
    module = EmulatedPicamera2()
    ladder = Ladder(
        lambda: Picamera2Camera(width=96, height=64, exposure_us=20_000, gain=2.0, stream="luma", module=module),
        open_deadline=0.5,
    )
    ladder.open()
    module.fault = CameraFault.HANG_IN_STOP
    plane = np.zeros((64, 96), np.uint8)
    try:
        for _ in range(3):
            with pytest.raises(CameraError, match="does not come to an end"):
                ladder.read(plane, 0.1)
        ladder.close()
        assert sum(thread.name == "camera-helper" for thread in threading.enumerate()) == 1
        assert module.opened == 1
    finally:
        module.let_go.set()
        ladder._helper.join()


def test_a_process_that_is_to_stop_waits_for_one_frame_and_no_recovery():
    script = Script([T] * 9)
    ladder = Ladder(lambda: script, stopping=lambda: True)
    ladder.open()
    with pytest.raises(CameraError, match="timeout"):
        ladder.read(np.zeros((2, 4), np.uint8), 1.0)
    assert (len(script.reads), script.opened) == (8, 1)


def test_a_process_that_is_to_stop_does_not_wait_out_a_camera_that_does_not_open(monkeypatch):
    monkeypatch.setattr("drivers.camera.ladder.LAST_WAIT", 0.02)
    release, stop, script = threading.Event(), threading.Event(), Script()
    eager = script.open
    script.open = lambda: (stop.set(), release.wait(), eager())[2]
    ladder = Ladder(lambda: script, open_deadline=3600.0, stopping=stop.is_set)
    with pytest.raises(CameraError, match="opening the camera does not come to an end"):
        ladder.open()
    release.set()
    ladder._helper.join()


def test_a_camera_that_opens_too_late_is_closed_again():
    release = threading.Event()
    script = Script()
    eager = script.open
    script.open = lambda: (release.wait(), eager())[1]
    ladder = Ladder(lambda: script, open_deadline=0.05)
    with pytest.raises(CameraError, match="opening the camera does not come to an end"):
        ladder.open()
    release.set()
    ladder._helper.join()
    assert script.closed == 1


def test_a_camera_whose_front_end_failed_comes_back_after_reopening():
    module = EmulatedPicamera2()
    ladder = Ladder(
        lambda: Picamera2Camera(width=96, height=64, exposure_us=20_000, gain=2.0, stream="luma", module=module)
    )
    ladder.open()
    plane = np.zeros((64, 96), np.uint8)
    ladder._camera._camera._failed = True
    ladder.read(plane, 0.1)
    assert plane.any()
    assert (module.opened, module.leaked) == (2, 0)
    ladder.close()


def test_the_first_opening_has_more_time_than_a_later_one():
    late = threading.Event()

    class Slow(Script):
        def open(self):
            late.wait(1.0)
            return super().open()

    Ladder(Slow, open_deadline=0.5).open()
    camera = Slow([T, T, T, None])
    ladder = Ladder(lambda: camera, open_deadline=0.5)
    late.set()
    ladder.open()
    late.clear()
    with pytest.raises(CameraError, match="opening"):
        ladder.read(np.zeros((2, 4), np.uint8), 1.0)
    ladder._helper.join()

import sys
from contextlib import suppress
from types import ModuleType

import numpy as np
import pytest

from drivers.camera.picamera2 import Picamera2Camera
from drivers.emulated.picamera2 import CameraFault, EmulatedPicamera2
from drivers.errors import CameraError, CameraReason


def make(module, *, stream="luma", **settings):
    chosen = {"width": 96, "height": 64, "exposure_us": 20_000, "gain": 2.0} | settings
    return Picamera2Camera(stream=stream, module=module, **chosen)


def reason_of(action, *arguments):
    with pytest.raises(CameraError) as caught:
        action(*arguments)
    assert caught.value.remedy
    return caught.value.reason


def frame_values(module, number, size):
    """The numbers that the emulated sensor draws for one frame: luma first, then raw."""
    random = np.random.default_rng((module.seed, number))
    luma = random.integers(0, 256, (size[1] * 3 // 2, size[0] + 32), np.uint8)
    return luma, random


def test_luma_is_the_y_plane_without_chroma_and_padding():
    module = EmulatedPicamera2()
    camera = make(module)
    camera.open()
    plane = np.zeros((64, 96), np.uint8)
    camera.read(plane, 1.0)
    luma, _ = frame_values(module, 2, (96, 64))  # frame 1 was taken to see the settings hold
    np.testing.assert_array_equal(plane, luma[:64, :96])


@pytest.mark.parametrize(("bits", "word"), [(10, 10), (12, 12), (14, 14), (10, 16), (12, 16)])
def test_raw_is_the_exact_sum_of_four_sensor_values_less_the_black_level(bits, word):
    module = EmulatedPicamera2(sensor_bits=bits, packed_bits=word)
    camera = make(module, stream="raw")
    identity = camera.open()
    plane = np.zeros((64, 96), np.uint16)
    camera.read(plane, 1.0)
    _, random = frame_values(module, 2, (320, 240))
    sensor = random.integers(0, 2**bits, (128, 192 + 32), np.uint16)[:, :192].astype(int)
    clean = np.maximum(sensor - (4096 >> (16 - bits)), 0)
    expected = clean[::2, ::2] + clean[1::2, ::2] + clean[::2, 1::2] + clean[1::2, 1::2]
    np.testing.assert_array_equal(plane, expected)
    assert identity.max_value == 4 * (2**bits - 1)
    assert not camera._scratch.any()


def test_a_late_frame_is_a_timeout_that_leaves_no_job_behind():
    module = EmulatedPicamera2()
    camera = make(module)
    camera.open()
    plane = np.zeros((64, 96), np.uint8)
    module.fault = CameraFault.TIMEOUT
    for _ in range(6):
        assert reason_of(camera.read, plane, 0.1) is CameraReason.TIMEOUT
    assert module.stuck_jobs == 0
    module.fault = None
    camera.read(plane, 1.0)


def test_without_the_flush_the_emulated_camera_runs_out_of_buffers_as_the_real_one_does(monkeypatch):
    module = EmulatedPicamera2()
    camera = make(module)
    camera.open()
    monkeypatch.setattr(camera, "_forget", lambda job: None)
    plane = np.zeros((64, 96), np.uint8)
    module.fault = CameraFault.TIMEOUT
    for _ in range(4):
        reason_of(camera.read, plane, 0.1)
    module.fault = None
    assert reason_of(camera.read, plane, 0.1) is CameraReason.TIMEOUT


@pytest.mark.parametrize(
    "fault", [None, CameraFault.TIMEOUT, CameraFault.LATE, CameraFault.EXPOSURE_DRIFT, CameraFault.CANCELLED]
)
def test_every_request_is_released_whatever_happens(fault):
    module = EmulatedPicamera2()
    camera = make(module)
    camera.open()
    module.fault = fault
    for _ in range(10):
        with suppress(CameraError):
            camera.read(np.zeros((64, 96), np.uint8), 0.1)
    assert module.leaked == 0


def test_a_camera_whose_own_thread_of_picamera2_has_ended_closes_and_opens_again():
    module = EmulatedPicamera2()
    camera = make(module)
    camera.open()
    module.fault = CameraFault.DEAD_LOOP
    reason_of(camera.read, np.zeros((64, 96), np.uint8), 0.1)
    camera.close()  # picamera2's `stop` would not return
    module.fault = None
    camera.open()
    camera.read(np.zeros((64, 96), np.uint8), 0.1)


def test_an_exposure_that_drifts_is_noticed_before_the_frame_is_used():
    module = EmulatedPicamera2()
    camera = make(module)
    camera.open()
    module.fault = CameraFault.EXPOSURE_DRIFT
    plane = np.zeros((64, 96), np.uint8)
    assert reason_of(camera.read, plane, 1.0) is CameraReason.CHANGED
    assert not plane.any()


def test_settings_that_the_sensor_does_not_keep_are_refused_when_it_is_opened():
    ticks = iter(range(100))
    module = EmulatedPicamera2(fault=CameraFault.EXPOSURE_DRIFT)
    assert reason_of(make(module, clock=lambda: float(next(ticks))).open) is CameraReason.BAD_SOURCE
    assert module.leaked == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CameraFault.MISSING_CONTROL, CameraReason.BAD_SOURCE),
        (CameraFault.WRONG_FORMAT, CameraReason.BAD_SOURCE),
        (CameraFault.BUSY, CameraReason.BUSY),
        (CameraFault.TIMEOUT, CameraReason.TIMEOUT),
    ],
)
@pytest.mark.parametrize("stream", ["luma", "raw"])
def test_opening_names_the_reason_why_it_fails(fault, reason, stream):
    assert reason_of(make(EmulatedPicamera2(fault=fault), stream=stream).open) is reason


def test_a_camera_that_is_not_there_is_not_found():
    assert reason_of(make(EmulatedPicamera2(cameras=1), number=1).open) is CameraReason.NOT_FOUND


def test_a_libcamera_that_does_not_start_is_a_camera_that_is_not_found():
    module = EmulatedPicamera2(fault=CameraFault.NO_MANAGER)
    assert reason_of(make(module).open) is CameraReason.NOT_FOUND


@pytest.mark.parametrize("setting", [{"exposure_us": 50}, {"exposure_us": 2_000_000}, {"gain": 17.0}])
def test_settings_outside_of_what_the_camera_advertises_are_refused(setting):
    assert reason_of(make(EmulatedPicamera2(), **setting).open) is CameraReason.BAD_SOURCE


def test_everything_automatic_is_switched_off_and_no_raw_stream_is_made_for_luma():
    camera = make(EmulatedPicamera2())
    camera.open()
    controls = camera._camera._controls
    assert controls["AeEnable"] is controls["AwbEnable"] is False
    assert controls["NoiseReductionMode"] == controls["Sharpness"] == 0
    assert controls["ExposureTime"] == 20_000
    assert camera._camera.camera_configuration()["raw"] is None


def test_a_missing_picamera2_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "kms", None)
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match="not installed") as caught:
        make(None).open()
    assert caught.value.reason is CameraReason.NOT_INSTALLED
    assert "sudo apt install python3-picamera2 --no-install-recommends" in caught.value.remedy


def test_a_foreign_package_named_kms_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "kms", ModuleType("kms"))
    with pytest.raises(CameraError, match="foreign") as caught:
        make(None).open()
    assert caught.value.reason is CameraReason.NOT_INSTALLED


def test_what_a_library_says_about_a_frame_is_not_repeated(monkeypatch):
    camera = make(EmulatedPicamera2())
    camera.open()

    def fail(request, plane):
        raise RuntimeError("pixels 17 18 19")

    monkeypatch.setattr(camera, "_copy", fail)
    with pytest.raises(CameraError) as caught:
        camera.read(np.zeros((64, 96), np.uint8), 1.0)
    assert "17" not in str(caught.value) + caught.value.remedy
    assert caught.value.__cause__ is None

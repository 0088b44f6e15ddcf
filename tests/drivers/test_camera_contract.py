import numpy as np
import pytest

from drivers.camera.folder import FolderCamera
from drivers.camera.ladder import Ladder
from drivers.camera.opencv import OpenCvCamera
from drivers.camera.picamera2 import Picamera2Camera
from drivers.emulated.picamera2 import EmulatedPicamera2
from drivers.emulated.place import PlaceCamera
from drivers.errors import CameraError, CameraReason

CAMERAS = ["folder", "ladder", "luma", "place", "raw", "video"]
ENDING = ["folder", "place", "video"]


def pi(stream):
    return Picamera2Camera(width=96, height=64, exposure_us=20_000, gain=2.0, stream=stream, module=EmulatedPicamera2())


@pytest.fixture(params=CAMERAS)
def camera(request):
    match request.param:
        case "folder":
            made = FolderCamera(path=request.getfixturevalue("camera_folder"))
        case "video":
            path = str(request.getfixturevalue("camera_video"))
            made = OpenCvCamera(source=path, width=None, height=None, live=False)
        case "place":
            made = PlaceCamera(width=96, height=64, frames=3)
        case "ladder":
            made = Ladder(lambda: pi("luma"))
        case stream:
            made = pi(stream)
    yield made
    made.close()


def plane_for(identity):
    return np.zeros((identity.height, identity.width), identity.dtype)


def test_a_camera_fills_the_whole_plane_with_values_that_its_identity_allows(camera):
    identity = camera.open()
    plane = plane_for(identity)
    camera.read(plane, 5.0)
    assert plane.max() <= identity.max_value
    assert plane.any(axis=1).all()
    assert plane.any(axis=0).all()


def test_a_camera_says_what_it_is(camera):
    identity = camera.open()
    assert (identity.width, identity.height) == (96, 64)
    assert identity.simulated
    assert identity.pixel_source == ("raw" if identity.max_value > 255 else "luma")
    assert identity.dtype == (np.uint8 if identity.max_value < 256 else np.uint16)


@pytest.mark.parametrize("wrong", ["transposed", "other dtype", "with colour"])
def test_a_plane_that_does_not_fit_is_refused_and_left_alone(camera, wrong):
    identity = camera.open()
    shape, dtype = (identity.height, identity.width), identity.dtype
    plane = {
        "transposed": np.zeros(shape[::-1], dtype),
        "other dtype": np.zeros(shape, np.float32),
        "with colour": np.zeros((*shape, 3), dtype),
    }[wrong]
    with pytest.raises(ValueError, match="the plane must be"):
        camera.read(plane, 5.0)
    assert not plane.any()


def test_reading_before_open_and_after_close_says_closed(camera):
    plane = np.zeros((64, 96), np.uint8)
    with pytest.raises(CameraError) as before:
        camera.read(plane, 5.0)
    camera.open()
    camera.close()
    with pytest.raises(CameraError) as after:
        camera.read(plane, 5.0)
    assert before.value.reason is after.value.reason is CameraReason.CLOSED


def test_a_camera_may_be_closed_twice_and_opened_again(camera):
    first = camera.open()
    camera.close()
    camera.close()
    assert camera.open() == first
    camera.read(plane_for(first), 5.0)


@pytest.mark.parametrize("camera", ENDING, indirect=True)
def test_a_source_with_an_end_says_ended_there_and_every_time_after(camera):
    plane = plane_for(camera.open())
    for _ in range(3):
        camera.read(plane, 5.0)
    for _ in range(2):
        with pytest.raises(CameraError) as ended:
            camera.read(plane, 5.0)
        assert ended.value.reason is CameraReason.ENDED
        assert ended.value.remedy


def test_successive_frames_differ(camera):
    identity = camera.open()
    first, second = plane_for(identity), plane_for(identity)
    camera.read(first, 5.0)
    camera.read(second, 5.0)
    assert (first != second).any()

import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera.folder import FolderCamera
from drivers.camera.live import LiveReader
from drivers.camera.opencv import OpenCvCamera
from drivers.errors import CameraError, CameraReason

ROOT = Path(__file__).resolve().parents[2]


def make(source, *, width=None, height=None, live=False):
    return OpenCvCamera(source=source, width=width, height=height, live=live)


def reason_of(action, *arguments):
    with pytest.raises(CameraError) as caught:
        action(*arguments)
    assert caught.value.remedy
    return caught.value.reason


def test_a_video_frame_is_the_grey_of_the_decoded_picture(camera_video):
    camera = make(str(camera_video))
    camera.open()
    plane = np.zeros((64, 96), np.uint8)
    camera.read(plane, 1.0)
    capture = cv2.VideoCapture(str(camera_video), cv2.CAP_FFMPEG)
    np.testing.assert_array_equal(plane, cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2GRAY))
    assert not camera._bgr.any()
    camera.close()


@pytest.mark.parametrize("size", [(48, None), (None, 32), (48, 32)])
def test_another_size_than_the_source_has_is_refused_and_never_made_by_resizing(camera_video, size):
    assert reason_of(make(str(camera_video), width=size[0], height=size[1]).open) is CameraReason.BAD_SOURCE


def test_a_missing_video_gives_one_clear_error_and_nothing_on_stderr(tmp_path, capfd):
    assert reason_of(make(str(tmp_path / "none.mp4")).open) is CameraReason.NOT_FOUND
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_no_video_gives_one_clear_error_and_nothing_on_stderr(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("this is not a video")
    # In a process of its own, since FFmpeg reads its log level once, when a process opens its first video.
    script = f"""
from drivers.camera.opencv import OpenCvCamera
from drivers.errors import CameraError
try:
    OpenCvCamera(source={str(path)!r}, width=None, height=None, live=False).open()
except CameraError as error:
    print(error.reason)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("bad-source\n", "")


def test_a_webcam_that_is_not_there_is_not_found_and_silent(capfd):
    assert reason_of(make(63, live=True).open) is CameraReason.NOT_FOUND
    assert capfd.readouterr() == ("", "")


def test_a_file_cannot_pass_for_a_live_camera_nor_a_webcam_for_a_file(camera_video):
    assert reason_of(make(str(camera_video), live=True).open) is CameraReason.BAD_SOURCE
    assert reason_of(make(0, live=False).open) is CameraReason.BAD_SOURCE


def test_an_rtsp_address_with_its_password_is_in_no_error():
    for fixed, reason in ((True, CameraReason.NOT_FOUND), (False, CameraReason.BAD_SOURCE)):
        address = "rtsp://user:secret@127.0.0.1:1/stream"
        camera = OpenCvCamera(source=address, width=None, height=None, live=True, exposure_fixed=fixed)
        with pytest.raises(CameraError) as caught:
            camera.open()
        assert caught.value.reason is reason
        assert "secret" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize(("mode", "fixed", "opens"), [(1.0, False, True), (3.0, False, False), (3.0, True, True)])
def test_a_webcam_whose_automatic_exposure_stays_on_is_refused_unless_somebody_vouches_for_it(
    monkeypatch, capture, mode, fixed, opens
):
    capture.isOpened = lambda: True
    capture.set = lambda *_: True
    capture.get = lambda _: mode
    monkeypatch.setattr("cv2.VideoCapture", lambda *_: capture)
    camera = OpenCvCamera(source=0, width=None, height=None, live=True, exposure_fixed=fixed)
    if opens:
        assert camera.open().width == capture.size[0]
        return
    with pytest.raises(CameraError, match="exposure of the webcam 0") as caught:
        camera.open()
    assert caught.value.reason is CameraReason.BAD_SOURCE
    assert "exposure_fixed = true" in caught.value.remedy
    assert capture.released.is_set()


class Capture:
    """An OpenCV capture whose `grab` waits for `frames` to be released."""

    def __init__(self, size=(8, 6)):
        self.size = size
        self.frames = threading.Semaphore(0)
        self.gone = False
        self.released = threading.Event()

    def read(self):
        return True, np.full((self.size[1], self.size[0], 3), 9, np.uint8)

    def grab(self):
        self.frames.acquire()
        return not self.gone

    def retrieve(self):
        return self.read()

    def release(self):
        self.released.set()


@pytest.fixture
def capture():
    made = Capture()
    yield made
    made.gone = True
    made.frames.release()
    assert made.released.wait(5)


def reader_of(capture):
    reader = LiveReader(lambda: capture, lambda bgr, grey: np.copyto(grey, bgr[:, :, 0]))
    assert reader.open(5.0) == capture.size
    return reader


def feed(capture, stop):
    while not stop.wait(0.005):
        capture.frames.release()


def test_a_live_source_that_hangs_is_a_timeout_and_delivers_again_when_it_wakes(capture):
    reader = reader_of(capture)
    plane = np.zeros((6, 8), np.uint8)
    assert reason_of(reader.read, plane, 0.05) is CameraReason.TIMEOUT
    assert not plane.any()
    stop = threading.Event()
    feeder = threading.Thread(target=feed, args=(capture, stop))
    feeder.start()
    reader.read(plane, 5.0)
    stop.set()
    feeder.join()
    assert (plane == 9).all()
    assert not reader._grey.any()
    reader.close()


def test_a_live_source_that_goes_away_is_not_found(capture):
    reader = reader_of(capture)
    capture.gone = True
    capture.frames.release()
    assert reason_of(reader.read, np.zeros((6, 8), np.uint8), 5.0) is CameraReason.NOT_FOUND


def test_a_live_source_that_does_not_open_is_a_timeout_and_is_released_when_it_wakes():
    wake, capture = threading.Event(), Capture()
    reader = LiveReader(lambda: (wake.wait(), capture)[1], lambda bgr, grey: None)
    assert reason_of(reader.open, 0.05) is CameraReason.TIMEOUT
    reader._stopping = True
    wake.set()
    assert capture.released.wait(5)


def test_a_folder_plays_its_images_by_name_and_begins_again_if_told_to(camera_folder):
    camera = FolderCamera(path=camera_folder, repeat=True)
    camera.open()
    plane = np.zeros((64, 96), np.uint8)
    first = []
    for _ in range(4):
        camera.read(plane, 1.0)
        first.append(int(plane[0, 0]))
    assert first == [20, 25, 30, 20]


def test_a_folder_refuses_an_image_of_another_size(camera_folder):
    cv2.imwrite(str(camera_folder / "1.png"), np.zeros((10, 10), np.uint8))
    camera = FolderCamera(path=camera_folder)
    camera.open()
    plane = np.zeros((64, 96), np.uint8)
    camera.read(plane, 1.0)
    assert reason_of(camera.read, plane, 1.0) is CameraReason.BAD_SOURCE


def test_a_folder_names_what_is_wrong_with_it(tmp_path, capfd):
    assert reason_of(FolderCamera(path=tmp_path / "none").open) is CameraReason.NOT_FOUND
    assert reason_of(FolderCamera(path=tmp_path).open) is CameraReason.BAD_SOURCE
    (tmp_path / "a.png").write_bytes(b"not a picture")
    assert reason_of(FolderCamera(path=tmp_path).open) is CameraReason.BAD_SOURCE
    (tmp_path / "a.png").write_bytes(b"")
    assert reason_of(FolderCamera(path=tmp_path).open) is CameraReason.BAD_SOURCE
    assert capfd.readouterr() == ("", "")


@pytest.mark.data
def test_the_clip_of_a_person_plays_from_its_first_frame(shared_data):
    camera = make(str(shared_data / "person.mp4"), width=768, height=432)
    identity = camera.open()
    assert identity.simulated
    plane = np.zeros((432, 768), np.uint8)
    camera.read(plane, 1.0)
    assert plane.std() > 10
    camera.close()

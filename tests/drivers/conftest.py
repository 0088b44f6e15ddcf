import cv2
import numpy as np
import pytest

CAMERA_SIZE = (96, 64)


def camera_picture(number: int) -> np.ndarray:
    """A small colour picture, smooth so that a codec keeps it, and different for every number."""
    width, height = CAMERA_SIZE
    ramp = np.linspace(20, 200, width).astype(np.uint8)
    return np.repeat(np.tile(ramp, (height, 1))[:, :, None], 3, axis=2) + np.uint8(5 * number)


@pytest.fixture
def camera_video(tmp_path):
    """A video of three frames, made here."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, CAMERA_SIZE)
    assert writer.isOpened()
    for number in range(3):
        writer.write(camera_picture(number))
    writer.release()
    return path


@pytest.fixture
def camera_folder(tmp_path):
    """A folder of three images and one file that is none."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        assert cv2.imwrite(str(folder / f"{number}.png"), camera_picture(number))
    (folder / "notes.txt").write_text("not an image")
    return folder

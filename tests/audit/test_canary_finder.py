"""A search that finds nothing proves something only if it finds what is there."""

import base64
import gzip
import json
import zlib

import cv2
import numpy as np
import pytest

from audit.canary import Canary

RANDOM = np.random.default_rng(20)
FRAMES = [RANDOM.integers(0, 256, (48, 64), dtype=np.uint8) for _ in range(3)]
SUMS = RANDOM.integers(10**5, 10**7, (4, 5))
PART = FRAMES[1][20, 11:42]
"""31 pixels: the shortest run that is always found."""


@pytest.fixture(scope="module")
def canary():
    canary = Canary()
    for number, frame in enumerate(FRAMES):
        canary.add_frame(f"frame {number}", frame)
    canary.add_numbers("sums", SUMS)
    canary.add_floats("means", SUMS / 1536)
    return canary


def hidden(leak):
    """The leak at an odd place among random bytes."""
    random = np.random.default_rng(3)
    return random.bytes(5003) + leak + random.bytes(4001)


def as_type(kind, values=PART):
    return np.asarray(values).astype(kind).tobytes()


PIXEL_LEAKS = {
    "bytes": PART.tobytes(),
    "a whole frame": FRAMES[1].tobytes(),
    "reversed": FRAMES[1].tobytes()[::-1],
    "columns": np.ascontiguousarray(FRAMES[1].T).tobytes(),
    "half the size": np.ascontiguousarray(FRAMES[1][::2, ::2]).tobytes(),
    "negative": (255 - PART).tobytes(),
    "two channels": np.stack([PART, np.full_like(PART, 128)], 1).tobytes(),
    "colour": np.repeat(PART, 3).tobytes(),
    "colour and alpha": np.stack([PART, PART, PART, np.full_like(PART, 255)], 1).tobytes(),
    **{kind: as_type(kind) for kind in ("<i2", ">u2", "<i4", ">i4", "<i8", ">i8", "<f2", ">f4", "<f4", "<f8", ">f8")},
    "float in 0..1": as_type("<f4", PART / np.float32(255)),
    "zlib": zlib.compress(PART.tobytes()),
    "zlib, stored": zlib.compress(PART.tobytes(), 0),
    "gzip": gzip.compress(FRAMES[1].tobytes()),
    "base64": base64.b64encode(PART.tobytes()),
    "base64 for addresses": base64.urlsafe_b64encode(PART.tobytes()),
    "base64 behind letters": b"abc" + base64.b64encode(PART.tobytes()),
    "hexadecimal": PART.tobytes().hex().encode(),
    "json": json.dumps(PART.tolist()).encode(),
    "numpy's text": str(PART).encode(),
    "comma-separated": ",".join(map(str, PART)).encode(),
    "zlib in base64": base64.b64encode(zlib.compress(as_type("<f4"))),
}


@pytest.mark.parametrize("form", PIXEL_LEAKS)
def test_thirty_one_pixels_of_a_frame_are_found_in_any_encoding(canary, form):
    found = canary.find(hidden(PIXEL_LEAKS[form]))
    assert any(secret.startswith("frame 1") for secret, _ in found)
    assert not any(secret.startswith(("frame 0", "frame 2", "sums", "means")) for secret, _ in found)


def test_a_deflated_message_without_a_header_is_found(canary):
    deflate = zlib.compressobj(wbits=-15)
    assert canary.find(deflate.compress(PART.tobytes()) + deflate.flush())


NUMBER_LEAKS = {
    **{kind: as_type(kind, SUMS) for kind in ("<i4", ">i4", "<i8", ">i8", "<f4", ">f4", "<f8", ">f8")},
    "json": json.dumps(SUMS.tolist()).encode(),
    "zlib": zlib.compress(as_type("<i8", SUMS)),
    "four of them": as_type("<i8", SUMS.ravel()[7:11]),
}


@pytest.mark.parametrize("form", NUMBER_LEAKS)
def test_clean_sums_of_cells_are_found_in_any_encoding(canary, form):
    assert "sums" in {secret for secret, _ in canary.find(hidden(NUMBER_LEAKS[form]))}


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_clean_means_of_cells_are_found(canary, kind):
    assert {secret for secret, _ in canary.find(hidden(as_type(kind, SUMS / 1536)))} == {"means"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_an_image_file_is_a_finding_whatever_it_shows(canary, suffix):
    other = np.random.default_rng(9).integers(0, 256, (20, 24), dtype=np.uint8)
    found = canary.find(hidden(cv2.imencode(suffix, other)[1].tobytes()))
    assert found == {("an image of 24 x 20", "image file")}


def test_random_bytes_text_and_frames_that_nobody_named_give_no_finding(canary):
    random = np.random.default_rng(5)
    other = random.integers(0, 256, (48, 64), dtype=np.uint8)
    noisy = SUMS + random.integers(1, 1000, SUMS.shape)
    for data in (
        random.bytes(400_000),
        bytes(4000),
        hidden(other.tobytes()),
        hidden(as_type("<f4", other)),
        hidden(noisy.tobytes()),
        json.dumps(other.tolist()).encode(),
        b"level map: window opened at ledger position 7\n" * 50,
        b"",
        b"x",
    ):
        assert canary.find(data) == set()


def test_a_frame_of_one_grey_is_not_looked_for():
    canary = Canary()
    canary.add_frame("dark", np.zeros((16, 64), np.uint8))
    assert canary.find(bytes(4000)) == set()


def test_floats_with_short_fractions_are_not_found_among_zeros():
    """Their last 40 bits are zero, as are those of most words of an empty page."""
    canary = Canary()
    canary.add_floats("means", np.random.default_rng(2).integers(1, 2**11, (400, 8)) / 8)
    page = np.zeros(20_000, "<u8")
    random = np.random.default_rng(3)
    page[random.integers(0, page.size, 8000)] = random.integers(0, 2**24, 8000).astype("<u8") << 40
    assert canary.find(page.tobytes()) == set()

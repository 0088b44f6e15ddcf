import re
import stat
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from factories import altered, make_features, make_observation, make_statement
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, ShowError
from edge.features.classical import Classical
from edge.init import make_device
from edge.privacy.lut import LinearLut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.receipt import Charge
from edge.privacy.release import make_release
from edge.show.command import main, of_observation, of_release
from edge.show.read import Seen, read
from edge.show.svg import svg
from wire.codec import encode
from wire.cose import sign
from wire.exit import Exit
from wire.settings import SettingsError
from wire.topics import Topics

KEY = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
EPOCH = bytes(range(16))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "device.pub").write_bytes(raw)
    return tmp_path


def observed(path, **changes):
    observation, _ = make_observation("ward-3", 17, EPOCH, KEY, keypoints=40, level="map")
    observation = altered(observation, **changes)
    path.write_bytes(sign(encode(observation), KEY, Topics("speckled", "ward-3").observation))
    return observation


def release(lut=None, level="map"):
    rows, columns = 30, 40
    mechanism = Mechanism(lut=lut or LinearLut(255), cell=16, rows=rows, columns=columns, frames=2, scale=300)
    i, j = np.mgrid[:rows, :columns]
    grey = 120 + 90 * np.sin(i / 3) * np.cos(j / 4)
    charge = Charge(level, EPOCH, 17, bytes(32), bytes(32), first_frame=100)
    return make_release(charge, mechanism, np.rint(grey * 512).astype(np.int64))


def texts(path):
    return " ".join(" ".join(node.text or "" for node in ET.parse(path).iter(f"{SVG}text")).split())


def test_each_keypoint_of_an_observation_is_drawn_at_its_place_with_its_size(here, capsys):
    observation = observed(here / "seen.cbor")
    assert main(["seen.cbor"]) == Exit.OK
    assert capsys.readouterr().out.startswith("wrote seen.svg: 40 keypoints of ward-3, level map, position 17\n")
    drawn = ET.parse("seen.svg")
    rings = [e for e in drawn.iter(f"{SVG}ellipse") if e.get("fill") == "none" and e.get("clip-path")]
    assert len(rings) == 40
    scale = 752 / 640
    strongest = rings[-1]
    x, y, size = (int(value) for value in observation.features.keypoints[0, :3])
    assert float(strongest.get("cx")) == pytest.approx(24 + (x + 0.5) / 256 * 640 * scale, abs=0.01)
    assert float(strongest.get("cy")) == pytest.approx(76 + (y + 0.5) / 256 * 480 * scale, abs=0.01)
    assert float(strongest.get("rx")) == pytest.approx(size / 4 * 16 / 2 * scale, abs=0.01)
    assert float(strongest.get("stroke-opacity")) == 1.0


def test_uncertainty_is_drawn_where_the_method_tells_it_and_its_absence_is_said(here):
    observation = observed(here / "seen.cbor")
    main(["seen.cbor"])
    assert "position: 2 sd round its dot" in texts("seen.svg")
    keypoints = observation.features.keypoints.copy()
    keypoints[:, 4] = 0
    observed(here / "silent.cbor", features=altered(observation.features, keypoints=keypoints))
    main(["silent.cbor"])
    assert "how sure: not told" in texts("silent.svg")
    assert "#d9822b" not in (here / "silent.svg").read_text()


def test_the_statement_stands_below_in_words(here):
    observed(here / "seen.cbor")
    main(["seen.cbor"])
    told = texts("seen.svg")
    for words in (
        "exposure-dp: ε = 1 over all levels, for ever",
        "one visit shorter than 10 min with at most 1024 pixels in view of this camera, 600 frames",
        "discrete Laplace noise, full entropy XOR a DRBG, of emulated-microrng",
        "40 × 30 cells of 16 pixels, of one release; noise of one cell 10 grey",  # noqa: RUF001 - the sign
        "2025-10-26 08:53 UTC to 2025-10-27 08:53 UTC, 86400 frames",
        "ward-3 with synthetic place",
        "SIMULATED",
    ):
        assert words in told


def test_a_signature_is_checked_with_a_key_and_otherwise_said_to_be_unchecked(here, capsys):
    observation = observed(here / "seen.cbor")
    main(["seen.cbor"])
    assert "signature not checked" in capsys.readouterr().out
    main(["seen.cbor", "--key", "device.pub"])
    assert "signature holds" in capsys.readouterr().out
    (here / "bare.cbor").write_bytes(encode(observation))
    main(["bare.cbor"])
    assert "signature none" in capsys.readouterr().out
    assert "none: this is a payload" in texts("bare.svg")


def test_hexadecimal_text_is_read_too(here):
    observed(here / "seen.cbor")
    (here / "seen.hex").write_text((here / "seen.cbor").read_bytes().hex(" "))
    assert main(["seen.hex", "--out", "other.svg"]) == Exit.OK
    main(["seen.cbor"])
    assert (here / "other.svg").read_bytes() == (here / "seen.svg").read_bytes()


def test_a_release_is_drawn_over_its_private_map_and_only_its_owner_may_read_the_picture(here, capsys):
    (here / "000017.cbor").write_bytes(release().to_bytes())
    (here / "000017.svg").write_bytes(b"an older one")
    (here / "000017.svg").chmod(0o644)
    assert main(["000017.cbor"]) == Exit.OK
    assert "PRIVATE MAP: stays on the device" in capsys.readouterr().out
    assert "PRIVATE MAP: stays on the device" in texts("000017.svg")
    drawn = ET.parse("000017.svg")
    assert len(list(drawn.iter(f"{SVG}image"))) == 1
    assert len([e for e in drawn.iter(f"{SVG}ellipse") if e.get("fill") == "none"]) > 10
    assert stat.S_IMODE(Path("000017.svg").stat().st_mode) == 0o600


def test_a_residual_release_is_drawn_without_the_one_before_it(here):
    reference = np.full((30, 40), 120)
    (here / "r.cbor").write_bytes(release(ResidualLut(max_value=255, tau=127, reference=reference)).to_bytes())
    assert main(["r.cbor"]) == Exit.OK


def test_a_release_is_described_as_the_settings_say(here, monkeypatch):
    (here / "r.cbor").write_bytes(release().to_bytes())
    make_device(here / "device", "cam-1")
    config = here / "device" / "speckled.toml"
    monkeypatch.setenv("SPECKLED_FEATURES__METHOD", "sift")
    assert main(["r.cbor", "--config", str(config)]) == Exit.OK
    assert "sift-dctwiener/2" in texts("r.svg")
    monkeypatch.setenv("SPECKLED_FEATURES__METHOD", "no-such")
    with pytest.raises(ConfigError, match="features"):
        main(["r.cbor", "--config", str(config)])


def test_an_observation_holds_no_image(here):
    observed(here / "seen.cbor")
    main(["seen.cbor"])
    assert "<image" not in (here / "seen.svg").read_text()
    assert "PRIVATE" not in texts("seen.svg")


def test_a_png_shows_the_same_frame_and_its_keypoints(here):
    observed(here / "seen.cbor")
    assert main(["seen.cbor", "--out", "seen.png"]) == Exit.OK
    picture = cv2.imread("seen.png")
    assert picture.shape[1] == 1600
    teal = (np.abs(picture.astype(int) - (0x69, 0x6E, 0x0B)).max(axis=2) < 40).sum()
    assert teal > 1000


def test_a_keypoint_at_the_rim_is_cut_off_at_the_frame(here):
    features = make_features(17, keypoints=1)
    keypoints = np.array([[0, 0, 255, 40, 0]], np.uint8)
    observed(here / "rim.cbor", features=altered(features, keypoints=keypoints))
    main(["rim.cbor", "--out", "rim.png"])
    picture = cv2.imread("rim.png").astype(int)
    outside = np.concatenate([picture[:150].reshape(-1, 3), picture[:, :46].reshape(-1, 3)])
    assert not (np.abs(outside - (0x69, 0x6E, 0x0B)).max(axis=1) < 40).any()


def test_a_map_without_keypoints_says_so(here):
    observed(here / "plain.cbor", features=make_features(17, keypoints=0))
    assert main(["plain.cbor"]) == Exit.OK
    assert "no keypoints: the map is too plain, or its cells too coarse" in texts("plain.svg")


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 2000), (5000, 16)])
def test_a_frame_of_any_shape_fits_the_page(here, width, height):
    statement = altered(make_statement(), rows=height // 16, columns=width // 16)
    features = altered(make_features(17, keypoints=5), width=width, height=height)
    observed(here / "odd.cbor", features=features, statement=statement)
    main(["odd.cbor"])
    drawn = ET.parse("odd.svg").getroot()
    frame = drawn.find(f"{SVG}clipPath/{SVG}rect")
    x, wide, tall = (float(frame.get(name)) for name in ("x", "width", "height"))
    assert x >= 24
    assert x + wide <= 776.01
    assert tall <= 720
    assert wide / tall == pytest.approx(width / height, rel=0.01)


def test_words_of_a_message_are_drawn_and_not_obeyed(here):
    observation, _ = make_observation("ward-3", 17, EPOCH, KEY, keypoints=1)
    provenance = altered(observation.provenance, camera="<script>alert(1)</script>\x1b[2J\ufffe")
    observed(here / "hostile.cbor", level="]]>&<b>", provenance=provenance)
    main(["hostile.cbor"])
    text = (here / "hostile.svg").read_text()
    assert "<script" not in text
    assert "\x1b" not in text
    assert "<script>alert(1)</script>" in texts("hostile.svg")
    main(["hostile.cbor", "--out", "hostile.png"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xd2",
        b"not a message",
        b"\xa0",
        bytes(100),
        b"\xa1\x64sums\x40",
        b"\xd2\x84\x40\xa0\x40\x40",
        b"\xff" * 9,
    ],
)
def test_a_file_that_is_neither_is_refused_in_one_line_with_a_remedy(here, data):
    (here / "odd.cbor").write_bytes(data)
    with pytest.raises(ShowError, match="not-drawable: neither an observation nor a release") as caught:
        main(["odd.cbor"])
    assert caught.value.exit == Exit.DATA
    assert "releases folder" in caught.value.remedy
    assert not (here / "odd.svg").exists()


def test_a_cut_or_changed_release_is_refused_or_still_one(here):
    data = release().to_bytes()
    for at in (10, len(data) // 2, len(data) - 1):
        (here / "cut.cbor").write_bytes(data[:at])
        with pytest.raises(ShowError):
            main(["cut.cbor"])
    changed = data.replace(b"\x66frames\x02", b"\x66frames\x00")
    assert changed != data
    (here / "changed.cbor").write_bytes(changed)
    with pytest.raises(ShowError):
        main(["changed.cbor"])


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_that_error(data):
    with pytest.raises(ShowError):
        read(data, None, None)


SOURCES = {"release": release().to_bytes(), "payload": encode(make_observation("c", 1, EPOCH, KEY, keypoints=3)[0])}


@given(st.sampled_from(sorted(SOURCES)), st.data())
def test_a_changed_byte_gives_that_error_or_a_picture(name, data):
    changed = bytearray(SOURCES[name])
    at = data.draw(st.integers(0, min(len(changed), 900) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(changed), None, None)
    except ShowError:
        return
    drawing, _ = of_observation(found) if isinstance(found, Seen) else of_release(found, Classical())
    ET.fromstring(svg(drawing))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 900), (300, 1)])
def test_a_release_of_a_few_cells_is_drawn_in_both_formats(here, rows, columns):
    mechanism = Mechanism(lut=LinearLut(255), cell=1, rows=rows, columns=columns, frames=1, scale=1)
    charge = Charge("map", EPOCH, 2, bytes(32), bytes(32), first_frame=0)
    (here / "r.cbor").write_bytes(make_release(charge, mechanism, np.ones((rows, columns), np.int64)).to_bytes())
    for out in ("r.svg", "r.png"):
        assert main(["r.cbor", "--out", out]) == Exit.OK


@pytest.mark.parametrize("key", ["other", "device"])
def test_a_signature_that_does_not_hold_draws_nothing(here, key):
    other = Ed25519PrivateKey.from_private_bytes(b"e" * 32).public_key()
    (here / "other.pub").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    observed(here / "seen.cbor")
    if key == "device":
        data = bytearray((here / "seen.cbor").read_bytes())
        data[-1] ^= 1
        (here / "seen.cbor").write_bytes(data)
    with pytest.raises(ShowError, match="signature"):
        main(["seen.cbor", "--key", f"{key}.pub"])
    assert not (here / "seen.svg").exists()


def test_another_topic_than_the_signed_one_is_refused(here):
    observed(here / "seen.cbor")
    with pytest.raises(ShowError, match="signature"):
        main(["seen.cbor", "--key", "device.pub", "--topic", Topics("home", "ward-3").observation])


def test_a_key_for_what_carries_no_signature_is_refused(here):
    observation = observed(here / "seen.cbor")
    (here / "bare.cbor").write_bytes(encode(observation))
    (here / "r.cbor").write_bytes(release().to_bytes())
    for name in ("bare.cbor", "r.cbor"):
        with pytest.raises(ShowError):
            main([name, "--key", "device.pub"])


def test_a_statement_that_does_not_follow_is_not_drawn(here):
    observation, _ = make_observation("ward-3", 17, EPOCH, KEY, keypoints=1)
    observed(here / "false.cbor", statement=altered(observation.statement, epsilon=observation.statement.epsilon / 2))
    with pytest.raises(ShowError, match=r"statement\.epsilon"):
        main(["false.cbor"])


def test_files_that_cannot_be_read_or_written_are_named(here):
    with pytest.raises(SettingsError, match=re.escape("nowhere.cbor: No such file")):
        main(["nowhere.cbor"])
    observed(here / "seen.cbor")
    with pytest.raises(ConfigError, match="No such file"):
        main(["seen.cbor", "--out", "nowhere/seen.svg"])
    with pytest.raises(ConfigError, match=r"neither in \.svg nor in \.png"):
        main(["seen.cbor", "--out", "seen.jpg"])

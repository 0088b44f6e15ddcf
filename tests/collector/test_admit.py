import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from collector.admit import admit
from collector.cli import collector
from collector.errors import ConfigError
from collector.keys import DeviceKeys
from wire.errors import WireError
from wire.keys import read_public_keys
from wire.rotation import Rotation, announce, device_of, read

OLD, NEW, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in range(3))


@pytest.fixture
def devices(tmp_path):
    folder = tmp_path / "devices"
    folder.mkdir()
    pem = OLD.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "ward-3.pub").write_bytes(pem)
    return folder


@pytest.fixture
def rotation(tmp_path):
    def make(*, signer=OLD, key=NEW, device="ward-3"):
        path = tmp_path / "device.rotation"
        path.write_bytes(announce(Rotation(device, key.public_key(), 1_700_000_000_000), signer))
        return path

    return make


def raw(keys):
    return [key.public_bytes_raw() for key in keys]


def test_a_new_key_that_the_old_one_has_signed_takes_its_place_and_the_old_one_stays_good(devices, rotation):
    known = DeviceKeys(devices)
    assert raw(known.get("ward-3")) == raw([OLD.public_key()])
    assert not admit(rotation(), devices).again
    assert raw(known.get("ward-3")) == raw([NEW.public_key(), OLD.public_key()])
    (devices / "ward-3.old.pub").unlink()
    assert raw(known.get("ward-3")) == raw([NEW.public_key()])


def test_admitting_twice_changes_nothing(devices, rotation):
    admit(rotation(), devices)
    assert admit(rotation(), devices).again
    assert raw(read_public_keys(devices / "ward-3.pub")) == raw([NEW.public_key(), OLD.public_key()])


def test_a_key_that_was_exchanged_cannot_choose_another_successor(devices, rotation):
    admit(rotation(), devices)
    with pytest.raises(ConfigError, match="another key"):
        admit(rotation(key=STRANGER), devices)
    assert raw(read_public_keys(devices / "ward-3.pub"))[0] == NEW.public_key().public_bytes_raw()


def test_a_key_that_nobody_known_has_signed_is_refused(devices, rotation):
    with pytest.raises(ConfigError, match="another key") as caught:
        admit(rotation(signer=STRANGER), devices)
    assert "enrolled by hand" in caught.value.remedy


def test_a_device_that_is_not_enrolled_is_refused(devices, rotation):
    with pytest.raises((ConfigError, ValueError), match=r"ward-4\.pub"):
        admit(rotation(device="ward-4"), devices)


def test_an_observation_is_no_rotation_and_a_rotation_no_observation(devices, tmp_path):
    from factories import make_observation

    file = tmp_path / "device.rotation"
    file.write_bytes(make_observation("ward-3", 1, bytes(16), OLD, keypoints=0)[1][:1500])
    with pytest.raises(ConfigError):
        admit(file, devices)


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_never_crashes(data):
    with pytest.raises(WireError):
        device_of(data)
    with pytest.raises(WireError):
        read(data, OLD.public_key(), "ward-3")


def test_the_command_says_whose_key_it_took_and_what_is_left_to_do(devices, rotation, capsys):
    assert collector(["admit", str(rotation()), "--keys", str(devices)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("ward-3: admitted, key ")
    assert "ward-3.old.pub is removed" in text

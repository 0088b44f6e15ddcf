import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge.enrolment.command import main
from edge.enrolment.rotate import forget, rotate
from edge.errors import ConfigError
from edge.init import make_device
from wire.keys import make_key_pair, read_private_key, read_public_keys
from wire.rotation import read
from wire.settings import SettingsError


@pytest.fixture
def device(tmp_path):
    make_device(tmp_path, "ward-3")
    make_key_pair(tmp_path / "collector.key", tmp_path / "collector.pub")
    return tmp_path


def run(device, *arguments):
    return main([*arguments, "--config", str(device / "speckled.toml")])


def exchange(device):
    return rotate("ward-3", device / "device.key", device / "device.pub", wall_ms=lambda: 1_700_000_000_000)


def raw(key):
    return key.public_bytes_raw()


def test_after_an_exchange_the_new_key_signs_the_old_one_is_still_good_and_has_signed_the_exchange(device):
    old = read_private_key(device / "device.key").public_key()
    exchange(device)
    new = read_private_key(device / "device.key").public_key()
    assert raw(new) != raw(old)
    assert [raw(key) for key in read_public_keys(device / "device.pub")] == [raw(new), raw(old)]
    announced = read((device / "device.rotation").read_bytes(), old, "ward-3")
    assert raw(announced.key) == raw(new)
    assert stat.S_IMODE((device / "device.key").stat().st_mode) == 0o600
    assert not list(device.glob(".*"))


def test_a_second_exchange_waits_for_the_end_of_the_first(device):
    exchange(device)
    with pytest.raises(ConfigError, match="not over"):
        exchange(device)
    assert forget(device / "device.pub")
    assert not forget(device / "device.pub")
    exchange(device)


CUTS = ["chown", "link", "replace-1", "replace-2"]


@pytest.mark.parametrize("cut", CUTS)
def test_an_exchange_that_was_cut_off_anywhere_leaves_a_usable_device_and_is_carried_to_its_end(
    device, monkeypatch, cut
):
    before = raw(read_private_key(device / "device.key").public_key())
    calls = []

    def cutting(name, real):
        def call(*arguments, **options):
            calls.append(name)
            if cut in (name, f"{name}-{calls.count(name)}"):
                raise KeyboardInterrupt
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "chown", cutting("chown", os.chown))
        patch.setattr(os, "link", cutting("link", os.link))
        patch.setattr(Path, "replace", cutting("replace", Path.replace))
        with pytest.raises(KeyboardInterrupt):
            exchange(device)
    now = raw(read_private_key(device / "device.key").public_key())
    assert now == before
    assert now in [raw(key) for key in read_public_keys(device / "device.pub")]
    exchange(device)
    new = raw(read_private_key(device / "device.key").public_key())
    assert [raw(key) for key in read_public_keys(device / "device.pub")] == [new, before]


def test_a_request_names_the_device_and_is_signed_with_its_tls_key(device, capsys):
    (device / "device.csr").unlink()
    run(device, "request")
    asked = x509.load_pem_x509_csr((device / "device.csr").read_bytes())
    assert asked.is_signature_valid
    assert asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "ward-3"
    assert "authority" in capsys.readouterr().out


def test_a_request_never_overwrites_one(device):
    with pytest.raises(SettingsError, match="File exists"):
        run(device, "request")


def test_a_renewal_can_have_a_new_key(device):
    run(device, "request", "--new-key", "--out", str(device / "new.csr"))
    assert stat.S_IMODE((device / "tls.new.key").stat().st_mode) == 0o600
    assert (device / "tls.new.key").read_bytes() != (device / "tls.key").read_bytes()


def certificate(folder, name, days):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .sign(key, SHA256())
    )
    (folder / "device.crt").write_bytes(made.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(("days", "says"), [(40, "40 days left"), (-3, "expired 3 days ago")])
def test_show_tells_fingerprints_modes_and_how_long_the_certificate_lasts(device, capsys, monkeypatch, days, says):
    certificate(device, "ward-3", days)
    (device / "tls.key").chmod(0o644)
    monkeypatch.setenv("SPECKLED_MQTT__CERTIFICATE_FILE", "device.crt")
    monkeypatch.setenv("SPECKLED_MQTT__KEY_FILE", "tls.key")
    run(device, "show")
    text = capsys.readouterr().out
    assert says in text
    assert "tls.key, mode 644: others may read it" in text
    assert "PRIVATE" not in text


def test_the_commands_exchange_show_and_forget(device, capsys):
    run(device, "rotate")
    assert "speckled collector admit" in capsys.readouterr().out
    run(device, "show")
    assert "the exchange is not over" in capsys.readouterr().out
    run(device, "forget")
    assert "forgotten" in capsys.readouterr().out
    run(device, "show")
    assert "not over" not in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_a_clear_error(device, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "link", denied)
    with pytest.raises(ConfigError, match="Permission denied"):
        exchange(device)

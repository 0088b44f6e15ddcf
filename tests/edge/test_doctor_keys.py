"""Checks of keys and certificates, on files that were made for it."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from made_up_device import ETC, NOW, device, known

from edge.config import MqttSettings
from edge.doctor import keys

PEM = Encoding.PEM


def private(key):
    return key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key):
    return key.public_key().public_bytes(PEM, PublicFormat.SubjectPublicKeyInfo)


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(key, name, *, by=None, issuer="authority", first=-10, last=300):
    now = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateBuilder(named(issuer), named(name), key.public_key(), 7)
    builder = builder.not_valid_before(now + timedelta(days=first)).not_valid_after(now + timedelta(days=last))
    return builder.sign(by or key, None).public_bytes(PEM)


@pytest.fixture
def pair():
    return Ed25519PrivateKey.generate()


@pytest.fixture
def authority():
    return Ed25519PrivateKey.generate()


def with_keys(root, pair, mode=0o600, **files):
    held = {"device.key": private(pair), "device.pub": public(pair)}
    held |= {name.replace("_", "."): data for name, data in files.items()}
    settings = known(
        mqtt=MqttSettings(
            collector_key=f"{ETC}/collector.pub",
            ca_file=f"{ETC}/ca.pem" if "ca_pem" in files else None,
            certificate_file=f"{ETC}/client.pem" if "client_pem" in files else None,
            key_file=f"{ETC}/client.key" if "client_key" in files else None,
        )
    )
    one = device(root, {f"{ETC}/{name}": data for name, data in held.items() if data is not None}, settings=settings)
    for name in ("device.key", "client.key"):
        path = root / ETC.lstrip("/") / name
        if path.exists():
            path.chmod(mode)
    return one


def test_a_key_pair_that_is_in_order_is_told_so(tmp_path, pair):
    one = with_keys(tmp_path, pair, collector_pub=public(Ed25519PrivateKey.generate()))
    assert [look(one).status for look in (keys.device_key, keys.key_pair, keys.collector_key)] == ["ok"] * 3


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_fails(tmp_path, pair, mode):
    found = keys.device_key(with_keys(tmp_path, pair, mode))
    assert (found.status, "chmod 600" in found.remedy) == ("fail", True)


@pytest.mark.parametrize("data", [b"", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"])
def test_files_that_are_no_keys_fail_and_are_not_quoted(tmp_path, pair, data):
    one = with_keys(tmp_path, pair, device_key=data, device_pub=data, collector_pub=data)
    assert [look(one).status for look in (keys.device_key, keys.key_pair, keys.collector_key)] == ["fail"] * 3


def test_keys_that_are_not_there_fail_each_by_itself(tmp_path, pair):
    one = with_keys(tmp_path, pair, device_key=None, device_pub=None)
    assert [look(one).status for look in (keys.device_key, keys.key_pair, keys.collector_key)] == ["fail"] * 3
    assert [look(one).status for look in (keys.client_certificate, keys.certificate_chain)] == ["skip"] * 2


def test_a_key_that_the_service_manager_hands_over_is_left_to_it(tmp_path, pair):
    one = with_keys(tmp_path, pair, device_key=None)
    sealed = tmp_path / "etc/credstore.encrypted/device.key"
    sealed.parent.mkdir()
    sealed.write_text("sealed")
    assert keys.device_key(one).status == "skip"


def test_halves_of_two_pairs_fail(tmp_path, pair):
    one = with_keys(tmp_path, pair, device_pub=public(Ed25519PrivateKey.generate()))
    assert "not the public half" in keys.key_pair(one).detail


def test_the_devices_own_key_is_no_collector(tmp_path, pair):
    assert keys.collector_key(with_keys(tmp_path, pair, collector_pub=public(pair))).status == "fail"


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        ({}, "ok", "valid until"),
        ({"name": "ward-4"}, "fail", "ward-4"),
        ({"last": -1}, "fail", "was valid"),
        ({"last": 20}, "warn", "only"),
        ({"first": 2}, "fail", "clock"),
    ],
)
def test_a_certificate_names_this_device_and_is_valid_now(tmp_path, pair, authority, how, status, says):
    how = {"name": "ward-3"} | how
    one = with_keys(
        tmp_path, pair, client_pem=certificate(pair, how.pop("name"), by=authority, **how), client_key=private(pair)
    )
    found = keys.client_certificate(one)
    assert found.status == status
    assert says in found.detail + found.remedy


@pytest.mark.parametrize("key", [b"", None])
def test_a_certificate_without_its_key_fails(tmp_path, pair, authority, key):
    one = with_keys(tmp_path, pair, client_pem=certificate(pair, "ward-3", by=authority), client_key=key)
    assert keys.client_certificate(one).status == "fail"


def test_a_certificate_with_the_key_of_another_fails(tmp_path, pair, authority):
    client = certificate(authority, "ward-3")
    one = with_keys(tmp_path, pair, client_pem=client, client_key=private(pair))
    assert "not the key" in keys.client_certificate(one).detail


def test_a_file_that_is_no_certificate_fails(tmp_path, pair):
    one = with_keys(tmp_path, pair, client_pem=b"rubbish", ca_pem=b"rubbish")
    assert [look(one).status for look in (keys.client_certificate, keys.certificate_chain)] == ["fail"] * 2


@pytest.mark.parametrize(("days", "status"), [(300, "ok"), (20, "warn"), (-1, "fail")])
def test_a_chain_is_as_good_as_its_authority(tmp_path, pair, authority, days, status):
    one = with_keys(
        tmp_path,
        pair,
        ca_pem=certificate(authority, "authority", last=days),
        client_pem=certificate(pair, "ward-3", by=authority),
        client_key=private(pair),
    )
    assert keys.certificate_chain(one).status == status


def test_a_certificate_by_an_authority_that_nobody_named_is_told(tmp_path, pair, authority):
    other = Ed25519PrivateKey.generate()
    one = with_keys(
        tmp_path, pair, ca_pem=certificate(authority, "authority"), client_pem=certificate(pair, "ward-3", by=other)
    )
    assert keys.certificate_chain(one).status == "warn"

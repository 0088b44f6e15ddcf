import pytest
from msgspec.structs import replace

from edge.config import load
from edge.init import make_device
from edge.install.dropins import broker, capture_credentials, collector_credentials, relay_credentials


@pytest.fixture
def settings(tmp_path):
    """Settings below a root, with some of [mqtt] and [metrics] changed."""
    etc = tmp_path / "etc/speckled"
    make_device(etc, "ward-3")
    loaded = load(etc / "speckled.toml")

    def changed(*, metrics="127.0.0.1", key="device.key", password=None, host="127.0.0.1"):
        file = None if password is None else str(etc / password)
        return replace(
            loaded,
            device=replace(loaded.device, key=str(etc / key)),
            mqtt=replace(loaded.mqtt, host=host, password_file=file),
            metrics=replace(loaded.metrics, host=metrics),
        )

    return changed


def test_a_broker_with_an_address_is_all_that_the_relay_may_reach(settings):
    lines = broker(settings(host="192.0.2.7")).text.splitlines()
    assert lines == ["[Service]", "IPAddressDeny=any", "IPAddressAllow=localhost", "IPAddressAllow=192.0.2.7"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_broker_on_this_machine_needs_no_other_address(settings, host):
    assert [line for line in broker(settings(host=host)).text.splitlines() if "Allow" in line] == [
        "IPAddressAllow=localhost"
    ]


def test_a_broker_with_a_name_gets_no_list_and_is_told_why(settings):
    found = broker(settings(host="broker.example"))
    assert not found.text
    assert "broker.example is a name" in found.why_not


def test_metrics_for_other_machines_are_not_cut_off(settings):
    found = broker(settings(host="192.0.2.7", metrics="0.0.0.0"))
    assert not found.text
    assert "[metrics]" in found.why_not


def test_the_relays_secret_files_are_handed_over_by_systemd(settings, tmp_path):
    (tmp_path / "etc/speckled/mqtt.password").write_text("secret")
    found = relay_credentials(settings(password="mqtt.password"), tmp_path)
    assert found.text == "[Service]\nLoadCredential=mqtt.password:/etc/speckled/mqtt.password\n"


def test_a_secret_file_that_is_missing_does_not_keep_the_relay_from_saying_so(settings, tmp_path):
    found = relay_credentials(settings(password="mqtt.password"), tmp_path)
    assert not found.text
    assert "not there yet" in found.why_not


def test_a_path_that_would_mean_something_to_systemd_is_not_put_into_a_unit(settings, tmp_path):
    (tmp_path / "etc/speckled/%n").write_text("secret")
    found = relay_credentials(settings(password="%n"), tmp_path)
    assert not found.text
    assert "letters, digits" in found.why_not


def test_a_device_key_of_another_name_takes_the_place_of_the_one_in_the_unit(settings, tmp_path):
    assert not capture_credentials(settings(), tmp_path).text
    (tmp_path / "etc/speckled/other.key").write_text("secret")
    text = capture_credentials(settings(key="other.key"), tmp_path).text
    assert text == "[Service]\nLoadCredential=\nLoadCredential=other.key:/etc/speckled/other.key\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('[keys]\nkey = "collector.key"', []),
        ('[mqtt]\npassword_file = "p"', ["LoadCredential=p:/etc/speckled/p"]),
        (
            '[keys]\nkey = "o.key"\n[mqtt]\nkey_file = "tls.key"',
            [
                "LoadCredential=",
                "LoadCredential=o.key:/etc/speckled/o.key",
                "LoadCredential=tls.key:/etc/speckled/tls.key",
            ],
        ),
    ],
)
def test_the_collectors_secret_files_are_handed_over_too(tmp_path, text, lines):
    etc = tmp_path / "etc/speckled"
    etc.mkdir(parents=True)
    for name in ("p", "o.key", "tls.key", "collector.key"):
        (etc / name).write_text("secret")
    (etc / "collector.toml").write_text(text)
    assert collector_credentials(etc / "collector.toml", tmp_path).text.splitlines()[1:] == lines

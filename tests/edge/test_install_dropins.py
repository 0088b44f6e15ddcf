import pytest

from edge.config import load
from edge.init import make_device
from edge.install.dropins import broker, capture_credentials, relay_credentials


@pytest.fixture
def settings(tmp_path):
    etc = tmp_path / "etc/speckled"
    make_device(etc, "ward-3")
    text = (etc / "speckled.toml").read_text()

    def changed(mqtt="", rest="", host="127.0.0.1"):
        (etc / "speckled.toml").write_text(text.replace('host = "127.0.0.1"', f'host = "{host}"\n{mqtt}') + rest)
        return load(etc / "speckled.toml")

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
    found = broker(settings(host="192.0.2.7", rest='\n[metrics]\nhost = "0.0.0.0"\n'))
    assert not found.text
    assert "[metrics]" in found.why_not


def test_the_relays_secret_files_are_handed_over_by_systemd(settings, tmp_path):
    (tmp_path / "etc/speckled/mqtt.password").write_text("secret")
    found = relay_credentials(settings(mqtt='username = "x"\npassword_file = "mqtt.password"'), tmp_path)
    assert found.text == "[Service]\nLoadCredential=mqtt.password:/etc/speckled/mqtt.password\n"


def test_a_secret_file_that_is_missing_does_not_keep_the_relay_from_saying_so(settings, tmp_path):
    found = relay_credentials(settings(mqtt='password_file = "mqtt.password"'), tmp_path)
    assert not found.text
    assert "not there yet" in found.why_not


def test_a_path_that_would_mean_something_to_systemd_is_not_put_into_a_unit(settings, tmp_path):
    (tmp_path / "etc/speckled/%n").write_text("secret")
    found = relay_credentials(settings(mqtt='password_file = "%n"'), tmp_path)
    assert not found.text
    assert "letters, digits" in found.why_not


def test_a_device_key_of_another_name_takes_the_place_of_the_one_in_the_unit(settings, tmp_path):
    assert not capture_credentials(settings(), tmp_path).text
    etc = tmp_path / "etc/speckled"
    changed = settings()
    (etc / "device.key").rename(etc / "other.key")
    (etc / "speckled.toml").write_text((etc / "speckled.toml").read_text().replace("device.key", "other.key"))
    changed = load(etc / "speckled.toml")
    text = capture_credentials(changed, tmp_path).text
    assert text == "[Service]\nLoadCredential=\nLoadCredential=other.key:/etc/speckled/other.key\n"

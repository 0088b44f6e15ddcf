from pathlib import Path

from wire.credentials import locate


def test_what_the_service_manager_hands_over_goes_before_the_path(tmp_path):
    (tmp_path / "device.key").touch()
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert locate("/etc/speckled/device.key", environment) == tmp_path / "device.key"


def test_what_it_does_not_hand_over_is_read_where_the_settings_say(tmp_path):
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert locate("/etc/speckled/device.key", environment) == Path("/etc/speckled/device.key")


def test_without_a_service_manager_the_path_is_the_path():
    assert locate("device.key", {}) == Path("device.key")

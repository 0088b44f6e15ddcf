import pytest

from edge.errors import ConfigError
from edge.switch.command import main


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "speckled.toml"
    path.write_text('[device]\nid = "ward-3"\n[camera]\ndriver = "synthetic"\n[switch]\nfile = "state/camera-off"\n')
    (tmp_path / "state").mkdir()
    return path


def run(settings, action):
    return main([action, "--config", str(settings)])


def test_off_and_on_turn_the_switch_and_status_tells_which(settings, capsys):
    assert run(settings, "status") == 0
    assert run(settings, "off") == 0
    assert (settings.parent / "state" / "camera-off").exists()
    assert run(settings, "status") == 1
    assert run(settings, "on") == 0
    assert run(settings, "status") == 0
    assert capsys.readouterr().out.splitlines() == [
        "the privacy switch is on.",
        "the privacy switch is off: capture keeps the camera closed.",
        "the privacy switch is off: capture keeps the camera closed.",
        "the privacy switch is on.",
        "the privacy switch is on.",
    ]


def test_turning_it_twice_says_so(settings, capsys):
    run(settings, "on")
    assert "already on" in capsys.readouterr().out


def test_a_switch_on_a_line_is_named(settings, capsys):
    settings.write_text(settings.read_text() + 'gpio = "gpiochip0:17"\n')
    run(settings, "on")
    assert "The switch at gpiochip0:17 must be on, too." in capsys.readouterr().out


def test_a_file_that_cannot_be_made_is_a_clear_error(settings):
    (settings.parent / "state").rmdir()
    with pytest.raises(ConfigError, match="No such file") as caught:
        run(settings, "off")
    assert "[switch]" in caught.value.remedy

"""What a person sees when something is not as it should be: one line that says what to do, and a documented status."""

import subprocess
import sys

import pytest

from wire.exit import Exit

pytestmark = pytest.mark.timeout(120)


def speckled(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments], capture_output=True, text=True, cwd=folder, timeout=60, check=False
    )


def last_line(result):
    lines = result.stderr.strip().splitlines()
    assert "Traceback" not in result.stderr
    return lines[-1]


@pytest.fixture
def lonely(make_site):
    """A site whose broker is a port that nothing listens on."""
    return make_site(9)


@pytest.mark.parametrize(
    ("camera", "says"),
    [
        ('driver = "opencv"\nsource = "absent.mp4"\nlive = false', "absent.mp4"),
        ('driver = "folder"\npath = "absent"', "absent"),
        ('driver = "picamera2"', "python3-picamera2"),
    ],
)
def test_a_missing_camera_is_named_and_ends_with_status_66(lonely, camera, says):
    lonely.configure(camera=camera)
    result = speckled("capture", "--config", "speckled.toml", folder=lonely.folder)
    assert result.returncode == Exit.NO_CAMERA
    assert says in last_line(result)


@pytest.mark.parametrize(
    ("qrng", "says"),
    [
        ('driver = "character"\npath = "/dev/absent"', "/dev/absent"),
        ('driver = "microrng"\ndevice = "/dev/spidev9.9"', "spidev"),
        ('driver = "emulated-microrng"\nfault = "stuck"', "repetition count test"),
    ],
)
def test_a_missing_or_broken_entropy_source_is_named_and_ends_with_status_71(lonely, qrng, says):
    lonely.configure(qrng=qrng)
    result = speckled("capture", "--config", "speckled.toml", folder=lonely.folder)
    assert result.returncode == Exit.NO_ENTROPY
    assert says in last_line(result)


def test_a_bad_setting_is_named_with_a_suggestion_and_ends_with_status_78(lonely):
    path = lonely.folder / "speckled.toml"
    path.write_text(path.read_text().replace("profile =", "profil ="))
    for command in ("run", "capture", "relay"):
        result = speckled(command, "--config", "speckled.toml", folder=lonely.folder)
        assert result.returncode == Exit.CONFIG
        assert "did you mean `profile`" in last_line(result).lower()


def test_an_unknown_profile_is_named_with_those_there_are(lonely):
    path = lonely.folder / "speckled.toml"
    path.write_text(path.read_text().replace('"place"', '"plaice"'))
    result = speckled("capture", "--config", "speckled.toml", folder=lonely.folder)
    assert result.returncode == Exit.CONFIG
    assert "map-day" in last_line(result)


def test_changed_privacy_settings_need_a_new_epoch(lonely):
    lonely.configure(camera='driver = "synthetic"\nwidth = 320\nheight = 256\nframes = 4')
    assert speckled("capture", "--config", "speckled.toml", folder=lonely.folder).returncode == Exit.OK
    path = lonely.folder / "speckled.toml"
    path.write_text(path.read_text().replace('"place"', '"map-day"'))
    refused = speckled("capture", "--config", "speckled.toml", folder=lonely.folder)
    assert refused.returncode == Exit.DATA
    assert "--new-epoch" in last_line(refused)
    assert speckled("capture", "--config", "speckled.toml", "--new-epoch", folder=lonely.folder).returncode == Exit.OK


def test_a_damaged_ledger_is_refused_and_left_as_it_is(lonely):
    lonely.configure(camera='driver = "synthetic"\nwidth = 320\nheight = 256\nframes = 4')
    assert speckled("capture", "--config", "speckled.toml", folder=lonely.folder).returncode == Exit.OK
    ledger = lonely.folder / "capture" / "ledger.jsonl"
    damaged = ledger.read_bytes().replace(b'"level"', b'"lavel"', 1)
    ledger.write_bytes(damaged)
    result = speckled("capture", "--config", "speckled.toml", folder=lonely.folder)
    assert result.returncode == Exit.DATA
    assert "ledger" in last_line(result)
    assert ledger.read_bytes() == damaged
    assert speckled("ledger", "verify", "--config", "speckled.toml", folder=lonely.folder).returncode == Exit.DATA


def test_a_second_capture_on_one_ledger_is_refused(lonely):
    lonely.start("capture")
    lonely.wait_for((lonely.folder / "capture" / "ledger.jsonl").exists)
    result = speckled("capture", "--config", "speckled.toml", folder=lonely.folder)
    assert result.returncode == Exit.DATA
    assert "in-use" in last_line(result)


@pytest.mark.broker
@pytest.mark.parametrize("name", ["relay", "collector"])
def test_refused_credentials_end_with_status_77_and_name_the_settings(make_site, start_mosquitto, name):
    broker = start_mosquitto(passwords={"ward-3": "right"})
    site = make_site(broker.port)
    (site.folder / "password").write_text("wrong\n")
    site.configure(mqtt='username = "ward-3"\npassword_file = "password"')
    settings = "collector.toml" if name == "collector" else "speckled.toml"
    result = speckled(name, "--config", settings, folder=site.folder)
    assert result.returncode == Exit.REFUSED
    assert "password" in last_line(result)

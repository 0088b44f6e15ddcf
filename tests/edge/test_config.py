import threading
from functools import partial

import msgspec
import pytest

from edge.assemble import run_capture
from edge.config import SyntheticSettings, configuration_hash, load
from edge.errors import ConfigError
from edge.init import make_device
from edge.relay.assemble import run_relay
from edge.sources import ProfileSettings, QCicadaSettings, TpmSettings
from wire.exit import Exit
from wire.settings import SettingsError

MINIMAL = """
[device]
id = "ward-3"
[camera]
driver = "synthetic"
"""


def settings_file(tmp_path, text):
    path = tmp_path / "speckled.toml"
    path.write_text(text)
    return path


def test_a_minimal_file_is_enough_and_paths_are_relative_to_it(tmp_path):
    settings = load(settings_file(tmp_path, MINIMAL + '[capture]\nstate = "here"\n'))
    assert isinstance(settings.camera, SyntheticSettings)
    assert settings.capture.state == str(tmp_path / "here")
    assert settings.device.key == str(tmp_path / "device.key")
    assert settings.relay.state == "/var/lib/speckled/relay"


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        (MINIMAL + "[privacy]\nprofil = 'place'\n", "unknown field `profil` - at `$.privacy`", "`profile`"),
        (MINIMAL + "[zzz]\n", "unknown field `zzz`", "remove the key"),
        (MINIMAL + "[privacy]\nresidual = 'many'\n", "$.privacy.residual", "correct the value"),
        (MINIMAL + "[privacy]\nframes_per_second = '0'\n", "not a rate above zero", "1/600"),
        (MINIMAL + "[privacy]\nframes_per_second = '1/0'\n", "not a rate above zero", "1/600"),
        (MINIMAL + "[privacy]\nfuse = 8\n[capture]\nkeep_releases = 4\n", "fused than kept", "at least as many"),
        ("[device]\nid = 'Ward 3'\n[camera]\ndriver = 'synthetic'\n", "$.device.id", "correct the value"),
        ("[device]\nid = 'a'\n[camera]\ndriver = 'webcam'\n", "$.camera", "choose one of picamera2, opencv"),
        ("[device]\nid = 'a'\n[camera]\ndriver = 'sinthetic'\n", "$.camera.driver", "did you mean `synthetic`"),
        ("[device]\nid = 'a'\n[camera]\ndriver = 'folder'\n", "field `path`", "add the key `path`"),
        (MINIMAL + "[privacy]\nlut = 'lg'\n", "$.privacy.lut", "did you mean `log`"),
        (MINIMAL + "[qrng]\ndriver = 'microrgn'\n", "$.qrng.driver", "did you mean `microrng`"),
        (MINIMAL + "[qrng]\ndriver = 'zzz'\n", "$.qrng.driver", "choose one of discover, microrng, qcicada"),
        (MINIMAL + "[qrng]\ndriver = 'microrng'\nspeed = 1\n", "field `speed`", "did you mean `speed_hz`"),
        (MINIMAL + "[qrng]\ndriver = 'profile'\n", "field `file`", "add the key `file`"),
        (MINIMAL + "[qrng]\ndriver = 'idq250'\naddress = 3\n", "$.qrng.address", "correct the value"),
        (MINIMAL + "[qrng]\ndriver = 'idq250'\npower_gpio = '17'\n", "$.qrng.power_gpio", "correct the value"),
        (MINIMAL + "[entropy]\nrate = 'drgb'\n", "$.entropy.rate", "did you mean `drbg`"),
        (MINIMAL + "[entropy]\npartner = []\n", "field `partner`", "did you mean `partners`"),
        (MINIMAL + "[entropy]\npartners = [{driver = 'tmp'}]\n", "partners[0].driver", "did you mean `tpm`"),
        (MINIMAL + "[entropy]\npartners = [{driver = 'discover'}]\n", "partners[0].driver", "choose one of"),
        (MINIMAL + "[entropy]\ncommissioned = 8.0\n", "$.entropy.commissioned", "correct the value"),
        ("[device\n", "line 1", "TOML"),
    ],
)
def test_a_bad_setting_is_one_clear_line_with_a_remedy(tmp_path, text, says, remedy):
    with pytest.raises(ConfigError) as caught:
        load(settings_file(tmp_path, text))
    assert says in str(caught.value)
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert caught.value.exit is Exit.CONFIG


def test_paths_of_entropy_sources_are_relative_to_the_file_and_device_nodes_are_not(tmp_path):
    entropy = """
[qrng]
driver = "profile"
file = "chip.toml"
[entropy]
partners = [{driver = "qcicada", public_key = "qcicada.pem"}, {driver = "tpm"}]
commissioned = "report/report.json"
"""
    settings = load(settings_file(tmp_path, MINIMAL + entropy))
    assert settings.qrng == ProfileSettings(file=str(tmp_path / "chip.toml"), device="/dev/spidev0.0")
    qcicada = QCicadaSettings(public_key=str(tmp_path / "qcicada.pem"), device="/dev/ttyUSB0")
    assert settings.entropy.partners == (qcicada, TpmSettings())
    assert settings.entropy.commissioned == str(tmp_path / "report" / "report.json")


def test_no_more_than_four_partners_are_combined(tmp_path):
    five = ", ".join(5 * ["{driver = 'tpm'}"])
    with pytest.raises(ConfigError, match=r"length <= 4 - at `\$\.entropy\.partners`"):
        load(settings_file(tmp_path, MINIMAL + f"[entropy]\npartners = [{five}]\n"))


def test_noise_costs_true_randomness_unless_something_else_is_asked_for(tmp_path):
    entropy = load(settings_file(tmp_path, MINIMAL)).entropy
    assert (entropy.rate, entropy.partners, entropy.commissioned) == ("true-random", (), None)


def test_a_missing_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "absent.toml")


def test_the_hash_follows_what_the_promise_depends_on_and_nothing_else(tmp_path):
    settings = load(settings_file(tmp_path, MINIMAL))
    moved = msgspec.structs.replace(settings, relay=msgspec.structs.replace(settings.relay, state="/elsewhere"))
    weaker = msgspec.structs.replace(settings, privacy=msgspec.structs.replace(settings.privacy, profile="map-day"))
    assert configuration_hash(settings) == configuration_hash(moved)
    assert configuration_hash(settings) != configuration_hash(weaker)


def test_the_hash_holds_no_password_of_a_camera_that_somebody_could_guess_from_it(tmp_path):
    def hashed(source):
        text = MINIMAL.replace('driver = "synthetic"', f'driver = "opencv"\nsource = "{source}"')
        return configuration_hash(load(settings_file(tmp_path, text)))

    plain = hashed("rtsp://cam.example:554/a@b")
    assert hashed("rtsp://admin:1234@cam.example:554/a@b") == hashed("rtsp://admin:4@cam.example:554/a@b") == plain
    assert hashed("rtsp://cam.example:554/other") != plain
    assert hashed("clips/a@b.mp4") != hashed("clips/b.mp4")


def test_init_writes_a_configuration_that_loads_and_a_key_for_its_owner_only(tmp_path):
    key, public, tls, request, path = make_device(tmp_path, "ward-3")
    assert load(path).device.id == "ward-3"
    assert key.stat().st_mode & 0o777 == 0o600
    assert tls.stat().st_mode & 0o777 == 0o600
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert request.read_text().startswith("-----BEGIN CERTIFICATE REQUEST-----")


def test_init_never_overwrites(tmp_path):
    make_device(tmp_path, "ward-3")
    before = (tmp_path / "device.key").read_bytes()
    with pytest.raises((ConfigError, SettingsError), match="exists"):
        make_device(tmp_path, "ward-3")
    assert (tmp_path / "device.key").read_bytes() == before


def test_init_into_a_folder_that_cannot_be_written_says_so_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/speckled: Not a directory") as caught:
        make_device(tmp_path / "file" / "speckled", "ward-3")
    assert "--dir" in caught.value.remedy


@pytest.mark.parametrize("process", ["capture", "relay"])
def test_a_state_directory_that_cannot_be_made_is_named_with_its_section(tmp_path, monkeypatch, process):
    monkeypatch.setattr("edge.assemble.lock_memory", lambda: None)
    make_device(tmp_path, "ward-3")
    (tmp_path / "file").write_text("")
    settings = load(
        settings_file(
            tmp_path,
            MINIMAL
            + '[capture]\nstate = "file/capture"\nrequire_locked_memory = false\n[relay]\nstate = "file/relay"\n',
        )
    )
    run = {"capture": partial(run_capture, new_epoch=False), "relay": run_relay}[process]
    with pytest.raises(ConfigError, match=f"file/{process}: Not a directory") as caught:
        run(settings, stop=threading.Event())
    assert f"[{process}]" in caught.value.remedy

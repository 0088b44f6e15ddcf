import sys
from fractions import Fraction

import pytest

from drivers.errors import QrngError, QrngReason
from drivers.qrng.discover import Candidate
from drivers.qrng.profile import SHIPPED
from edge.devices import candidate_settings, commissioned_credit, make_qrng
from edge.errors import ConfigError, EntropyUnavailable
from edge.sources import (
    CharacterSettings,
    DiscoverSettings,
    EmulatedCharacterSettings,
    EmulatedIdq250Settings,
    EmulatedMicroRngSettings,
    EmulatedProfileSettings,
    EmulatedQCicadaSettings,
    EmulatedTpmSettings,
    EntropySettings,
    Idq250Settings,
    MicroRngSettings,
    ProfileSettings,
    QCicadaSettings,
    SoftwareSettings,
    TpmSettings,
)
from wire.exit import Exit

PROFILE = str(SHIPPED / "microrng.toml")
SIMULATED = (
    SoftwareSettings(),
    EmulatedMicroRngSettings(),
    EmulatedQCicadaSettings(),
    EmulatedIdq250Settings(),
    EmulatedTpmSettings(),
    EmulatedCharacterSettings(),
    EmulatedProfileSettings(file=PROFILE),
)
HARDWARE = (
    MicroRngSettings(device="/dev/spidev9.9", speed_hz=1_000_000),
    QCicadaSettings(device="/dev/ttyUSB99", postprocess="raw-samples"),
    Idq250Settings(device="/dev/i2c-99", address=0x28, power_gpio="gpiochip0:17"),
    TpmSettings(device="/dev/tpmrm99"),
    CharacterSettings(path="/dev/qrandom99", name="Quantis", kernel="quantis"),
    ProfileSettings(file=PROFILE, device="/dev/spidev9.9"),
)


def test_discovery_passes_over_what_does_not_open_and_names_everything_it_tried(monkeypatch):
    nodes = [Candidate("microrng", "/dev/spidev9.9", ""), Candidate("character", "/dev/absent", "")]
    monkeypatch.setattr(sys.modules["drivers.qrng.discover"], "discover", lambda: nodes)
    with pytest.raises(EntropyUnavailable) as caught:
        make_qrng(DiscoverSettings())
    assert "/dev/spidev9.9" in str(caught.value)
    assert "/dev/absent" in str(caught.value)
    assert caught.value.exit is Exit.NO_ENTROPY


def test_discovery_takes_no_source_that_is_for_partners_only(monkeypatch):
    nodes = [Candidate("tpm", "/dev/tpmrm9", "", main=False)]
    monkeypatch.setattr(sys.modules["drivers.qrng.discover"], "discover", lambda: nodes)
    with pytest.raises(EntropyUnavailable, match="none was found"):
        make_qrng(DiscoverSettings())


def test_discovery_never_falls_back_to_a_software_or_emulated_source(monkeypatch):
    monkeypatch.setattr(sys.modules["drivers.qrng.discover"], "discover", list)
    with pytest.raises(EntropyUnavailable, match="none was found"):
        make_qrng(DiscoverSettings())


@pytest.mark.parametrize("settings", SIMULATED)
def test_a_source_that_is_not_hardware_runs_when_it_is_named_and_says_so(settings):
    source = make_qrng(settings)
    assert source.open().simulated
    source.close()


@pytest.mark.parametrize("settings", HARDWARE)
def test_a_source_of_hardware_is_made_without_touching_it_and_opens_only_what_it_was_told(settings):
    source = make_qrng(settings)
    with pytest.raises(QrngError) as caught:
        source.open()
    assert caught.value.reason in (QrngReason.NOT_FOUND, QrngReason.NOT_INSTALLED)


def test_a_node_that_was_discovered_is_tried_with_the_driver_that_was_proposed():
    assert candidate_settings(Candidate("microrng", "/dev/spidev1.0", "")) == MicroRngSettings(device="/dev/spidev1.0")
    assert candidate_settings(Candidate("character", "/dev/qrandom0", "")) == CharacterSettings(path="/dev/qrandom0")


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ("bais=0.6", "did you mean `bias`?"),
        ("bias=6", "correct what follows `bias`"),
        ("zzz", "name a fault as docs/entropy.md lists them"),
    ],
)
def test_a_fault_that_does_not_exist_is_answered_with_the_nearest_one(fault, remedy):
    with pytest.raises(ConfigError) as caught:
        make_qrng(EmulatedMicroRngSettings(fault=fault))
    assert remedy in caught.value.remedy
    assert caught.value.exit is Exit.CONFIG


@pytest.mark.parametrize("kind", [ProfileSettings, EmulatedProfileSettings])
def test_a_profile_that_cannot_be_used_is_a_matter_of_configuration(kind, tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text("nme = 'chip'\n")
    with pytest.raises(ConfigError, match="bad-profile") as caught:
        make_qrng(kind(file=str(path)))
    assert "Did you mean name?" in caught.value.remedy


def test_a_commissioned_credit_is_a_number_or_that_of_a_report(tmp_path):
    report = tmp_path / "report.json"
    report.write_text('{"credit": 3.25}')
    assert commissioned_credit(EntropySettings()) is None
    assert commissioned_credit(EntropySettings(commissioned=3.2)) == Fraction(16, 5)
    assert commissioned_credit(EntropySettings(commissioned=str(report))) == Fraction(13, 4)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"credit": null}', '{"credit": "much"}'])
def test_a_file_that_is_no_commissioning_report_is_refused(tmp_path, text):
    report = tmp_path / "report.json"
    report.write_text(text)
    with pytest.raises(ConfigError, match="not a report of `speckled qrng commission`"):
        commissioned_credit(EntropySettings(commissioned=str(report)))


def test_a_commissioning_report_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.json: No such file"):
        commissioned_credit(EntropySettings(commissioned=str(tmp_path / "absent.json")))

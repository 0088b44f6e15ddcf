import argparse

import pytest

from edge.errors import ConfigError
from edge.qrng.device import add_device_options, choose, parse_device
from edge.sources import (
    CharacterSettings,
    EmulatedMicroRngSettings,
    EmulatedProfileSettings,
    EmulatedTpmSettings,
    Idq250Settings,
    MicroRngSettings,
    ProfileSettings,
    QCicadaSettings,
    SoftwareSettings,
    TpmSettings,
    source_name,
    source_node,
)

WORDS = {
    "microrng": MicroRngSettings(),
    "microrng:/dev/spidev1.0": MicroRngSettings(device="/dev/spidev1.0"),
    "qcicada:/dev/ttyUSB3": QCicadaSettings(device="/dev/ttyUSB3"),
    "idq250:/dev/i2c-0": Idq250Settings(device="/dev/i2c-0"),
    "idq250:/dev/i2c-0@0x28": Idq250Settings(device="/dev/i2c-0", address=0x28),
    "tpm:/dev/tpmrm1": TpmSettings(device="/dev/tpmrm1"),
    "character:/dev/qrandom0": CharacterSettings(path="/dev/qrandom0"),
    "profile:chip.toml": ProfileSettings(file="chip.toml"),
    "profile:chip.toml@/dev/spidev1.1": ProfileSettings(file="chip.toml", device="/dev/spidev1.1"),
    "software": SoftwareSettings(),
    "emulated:microrng": EmulatedMicroRngSettings(),
    "emulated:tpm": EmulatedTpmSettings(),
    "emulated:profile:chip.toml": EmulatedProfileSettings(file="chip.toml"),
}


@pytest.mark.parametrize("text", WORDS)
def test_a_device_is_named_by_its_kind_and_its_node(text):
    assert parse_device(text) == WORDS[text]


@pytest.mark.parametrize("text", WORDS)
def test_a_name_that_is_shown_can_be_given_back(text):
    name = source_name(WORDS[text])
    assert name.startswith(text)
    assert parse_device(name) == WORDS[text]


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        ("micorng", None, "did you mean microrng?"),
        ("dice", None, "name one of microrng"),
        ("emulated:micorng", None, "did you mean emulated:microrng?"),
        ("emulated", None, "name one of"),
        ("profile", None, "write --device profile:FILE.toml"),
        ("emulated:profile", None, "write --device emulated:profile:FILE.toml"),
        ("idq250:/dev/i2c-1@zzz", None, "write a number from 0x08 to 0x77"),
        ("idq250:/dev/i2c-1@0x80", None, "write a number from 0x08 to 0x77"),
        ("software:/dev/null", None, "write --device software"),
        ("emulated:tpm:/dev/tpmrm0", None, "write --device emulated:tpm"),
        ("microrng", "stuck", "--device emulated:microrng, or leave out --fault"),
    ],
)
def test_words_that_name_no_device_are_answered_with_a_suggestion(text, fault, remedy):
    with pytest.raises(ConfigError) as caught:
        parse_device(text, fault)
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_only_a_source_that_needs_a_node_has_one():
    assert source_node(CharacterSettings()) == "/dev/hwrng"
    assert source_node(TpmSettings()) == "/dev/tpmrm0"
    assert source_node(SoftwareSettings()) is None
    assert source_node(EmulatedTpmSettings()) is None


def chosen(*words):
    parser = argparse.ArgumentParser()
    add_device_options(parser)
    return choose(parser.parse_args(words))


def test_the_source_of_a_settings_file_can_be_taken_and_broken(tmp_path):
    path = tmp_path / "speckled.toml"
    path.write_text(
        '[device]\nid = "a"\n[camera]\ndriver = "synthetic"\n'
        '[qrng]\ndriver = "emulated-microrng"\n[entropy]\nrate = "drbg"\n'
    )
    found = chosen("--config", str(path), "--fault", "stuck@10")
    assert found.qrng == EmulatedMicroRngSettings(fault="stuck@10")
    assert found.entropy.rate == "drbg"
    assert found.name == "emulated:microrng"


@pytest.mark.parametrize("words", [[], ["--device", "software", "--config", "speckled.toml"]])
def test_one_source_is_named_never_none_or_two(words, capsys):
    with pytest.raises(SystemExit) as caught:
        chosen(*words)
    assert caught.value.code == 2
    assert "--device" in capsys.readouterr().err

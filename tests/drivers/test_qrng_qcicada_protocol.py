import contextlib
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.qcicada import CONFIG, INFO, STATISTICS
from drivers.qrng import qcicada_protocol as protocol
from drivers.qrng.qcicada_protocol import Answer, Command, Config, Flag, Info, Mode, Statistics, Status

BYTE, WORD, LONG, HUGE = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
SINGLE = st.floats(width=32, allow_nan=False)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=24)
STATUSES = st.builds(Status, BYTE.map(Flag), LONG)
CONFIGS = st.builds(
    Config, BYTE, SINGLE, *[st.booleans()] * 6, least_bits=BYTE, hash_input=BYTE, block=WORD, calibration_target=WORD,
    spare=st.integers(0, 3),
)  # fmt: skip
STATISTICS_OF_ANY_DEVICE = st.builds(Statistics, HUGE, LONG, LONG, LONG, LONG, WORD, SINGLE)
INFOS = st.builds(Info, LONG, LONG, TEXT, TEXT)


@given(st.one_of(STATUSES, CONFIGS, STATISTICS_OF_ANY_DEVICE, INFOS))
def test_every_value_is_read_back_as_it_was_written(value):
    assert type(value).decode(value.encode()) == value


@given(BYTE, BYTE)
def test_every_bit_of_the_switches_is_kept_also_those_of_which_nothing_is_known(switches, postprocess):
    payload = struct.pack("<BfBBBHH", postprocess, 0.75, switches, 4, 64, 448, 2048)
    assert Config.decode(payload).encode() == payload


@given(st.sampled_from([Status, Config, Statistics, Info]), st.binary(max_size=80))
def test_a_payload_is_read_or_refused_with_a_value_error_and_nothing_else(kind, payload):
    with contextlib.suppress(ValueError):
        assert isinstance(kind.decode(payload), kind)


@pytest.mark.parametrize(
    ("value", "size"), [(Status(Flag.INITIALISED, 1), 5), (CONFIG, 12), (STATISTICS, 30), (INFO, 56)]
)
def test_payloads_have_the_lengths_that_the_protocol_states(value, size):
    payload = value.encode()
    assert len(payload) == size
    assert size in protocol.PAYLOADS.values()
    with pytest.raises(ValueError, match=f"{size} bytes"):
        type(value).decode(payload[:-1])


def test_a_configuration_has_its_fields_where_the_source_has_them():
    """The example of parse_config in python/src/qcicada/protocol.py: `<BfBBBHH`, six switches from the lowest bit."""
    config = Config.decode(struct.pack("<BfBBBHH", 2, 0.5, 0b100101, 4, 64, 448, 2048))
    assert config.postprocess == 2
    assert config.initial_level == 0.5
    assert (config.startup_test, config.auto_calibration, config.repetition_count) == (True, False, True)
    assert (config.adaptive_proportion, config.bit_count, config.generate_on_error) == (False, False, True)
    assert (config.least_bits, config.hash_input, config.block, config.calibration_target) == (4, 64, 448, 2048)


def test_the_bits_of_the_status_byte_are_those_of_the_source():
    assert [flag.name for flag in Flag] == [
        "INITIALISED", "STARTUP_TEST", "VOLTAGE_LOW", "VOLTAGE_HIGH", "VOLTAGE_UNDEFINED", "BIT_COUNT",
        "REPETITION_COUNT", "ADAPTIVE_PROPORTION",
    ]  # fmt: skip
    assert Status.decode(bytes((0x41, 0x40, 0x34, 0, 0))) == Status(Flag.INITIALISED | Flag.REPETITION_COUNT, 13376)


def test_commands_are_the_bytes_of_the_source():
    assert protocol.start(Mode.ONE_SHOT, 4096) == bytes((0x04, 0x01, 0x00, 0x10))
    assert protocol.start(Mode.CONTINUOUS, 0) == bytes((0x04, 0x00, 0x00, 0x00))
    assert protocol.signed_read(32) == bytes((0x51, 32, 0))
    assert protocol.set_config(CONFIG)[:1] == b"\x08"
    sent = [protocol.start(Mode.ONE_SHOT, 1), protocol.signed_read(1), protocol.set_config(CONFIG)]
    for command in sent:
        assert len(command) == 1 + protocol.PARAMETERS[Command(command[0])]


def test_an_answer_of_a_wrong_length_cannot_be_made():
    assert protocol.answer(Answer.NACK) == b"\x12"
    with pytest.raises(ValueError, match="ACK has 5 bytes"):
        protocol.answer(Answer.ACK, b"1234")


def test_a_firmware_is_named_by_the_two_halves_of_its_number():
    assert replace(INFO, firmware=0x5000E).firmware_version == "5.14"


def test_a_text_that_is_no_printable_ascii_is_refused():
    for text in (b"\xffabc", b"a\x1b[2Jb"):
        with pytest.raises(ValueError, match=r".+"):
            Info.decode(struct.pack("<II24s24s", 1, 2, b"QC1", text))


def test_a_certificate_signs_hardware_version_serial_number_and_key():
    info = replace(INFO, serial="QC0000000217", hardware="CICADA-QRNG-1.2")
    assert protocol.certified(info, b"k" * 64) == bytes((0, 0, 1, 2, 217, 0, 0, 0)) + b"k" * 64


@pytest.mark.parametrize(
    ("serial", "hardware"),
    [("QC1", "CICADA-QRNG"), ("none", "CICADA-QRNG-1.1"), ("QC1", "CICADA-QRNG-300.1"), ("QC99999999999", "C-1.1")],
)
def test_a_device_whose_texts_have_another_form_has_no_certificate(serial, hardware):
    with pytest.raises(ValueError, match=r".+"):
        protocol.certified(replace(INFO, serial=serial, hardware=hardware), bytes(64))

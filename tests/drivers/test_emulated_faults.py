import errno
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.faults import DEFAULT_VALUES, Fault, FaultKind, Faults, parse_fault, seeded


def device(*faults, stream=False):
    return Faults(seeded(1), tuple(map(parse_fault, faults)), stream=stream)


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_can_be_written_with_its_place_and_length(kind):
    assert parse_fault(f"{kind}@10+3") == Fault(kind, after=10, length=3)


@pytest.mark.parametrize("kind", list(FaultKind))
def test_only_kinds_that_have_a_value_take_one(kind):
    if kind in DEFAULT_VALUES:
        value = DEFAULT_VALUES[kind]
        text = str(float(value)) if value.denominator > 1 else str(value)
        assert parse_fault(f"{kind}={text}").value == value
    else:
        with pytest.raises(ValueError, match="is no fault"):
            parse_fault(f"{kind}=1")


@pytest.mark.parametrize("text", ["", "bias=2", "stuck=256", "repeat=0", "status=1.5", "stuck@-1", "nothing", "bias=a"])
def test_what_is_no_fault_is_refused_with_the_list_of_kinds(text):
    with pytest.raises(ValueError, match="stuck-00, stuck-ff, echo"):
        parse_fault(text)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=8))
def test_a_fault_covers_the_same_bytes_however_the_noise_is_drawn(sizes):
    total = sum(sizes)
    chip = device("stuck=0x00@100+50")
    drawn = b"".join(map(chip.draw, sizes))
    assert len(drawn) == total == chip.drawn
    assert drawn[100:150] == bytes(len(drawn[100:150]))
    assert drawn[:100].count(0) < 10
    assert drawn[150:].count(0) <= 2 + len(drawn[150:]) // 20


@given(st.lists(st.integers(0, 5000), max_size=6))
def test_seeded_noise_is_the_same_however_it_is_drawn(sizes):
    noise = seeded(7)
    drawn = b"".join(map(noise, sizes))
    assert drawn == seeded(7)(len(drawn))


def test_noise_without_faults_is_the_noise():
    assert device().draw(64) == seeded(1)(64)


def test_a_dead_source_repeats_its_last_byte():
    drawn = device("dead@10").draw(30)
    assert drawn[10:] == drawn[9:10] * 20


def test_a_repeating_source_has_the_period_that_was_asked_for():
    chip = device("repeat=30@5")
    drawn = (chip.draw(17) + chip.draw(100))[5:]
    assert all(a == b for a, b in zip(drawn, drawn[30:], strict=False))
    assert len(set(drawn[:30])) > 15


def test_a_source_that_repeats_itself_once_recovers():
    drawn = device("startup-once").draw(1024)
    assert drawn[:64] * 8 == drawn[:512]
    assert drawn[512:576] != drawn[:64]


@pytest.mark.parametrize("share", [Fraction(51, 100), Fraction(6, 10), Fraction(9, 10)])
def test_biased_bits_have_the_bias_that_was_asked_for(share):
    bits = np.unpackbits(np.frombuffer(device(f"bias={float(share)}").draw(100_000), np.uint8))
    assert abs(bits.mean() - float(share)) < 0.003


def test_correlated_bits_equal_the_bit_before_as_often_as_was_asked_for():
    chip = device("correlated=0.8")
    bits = np.unpackbits(np.frombuffer(b"".join(chip.draw(100) for _ in range(1000)), np.uint8))
    assert abs((bits[1:] == bits[:-1]).mean() - 0.8) < 0.003


def test_a_shift_register_has_its_full_period_and_is_balanced():
    chip = device("lfsr")
    drawn = chip.draw(2 * 65535)
    assert drawn[:65535] == drawn[65535:]
    assert len({drawn[i : i + 8] for i in range(65535)}) == 65535
    assert abs(np.unpackbits(np.frombuffer(drawn, np.uint8)).mean() - 0.5) < 1e-4


@pytest.mark.parametrize(
    ("fault", "number"), [("eio", errno.EIO), ("emsgsize", errno.EMSGSIZE), ("etimedout", errno.ETIMEDOUT)]
)
def test_a_call_fails_once(fault, number):
    chip = device(f"{fault}@4")
    assert chip.wire(b"ab") == b"ab"
    chip.draw(4)
    with pytest.raises(OSError) as error:
        chip.wire(b"ab")
    assert error.value.errno == number
    assert chip.wire(b"ab") == b"ab"


def test_an_unplugged_device_stays_unplugged():
    chip = device("unplug")
    for _ in range(3):
        with pytest.raises(OSError) as error:
            chip.wire(b"ab")
        assert error.value.errno == errno.ENODEV


@pytest.mark.parametrize(
    ("fault", "stream", "first", "then"),
    [
        ("stuck-00", False, b"\0\0\0", b"\0\0\0"),
        ("stuck-ff", False, b"\xff\xff\xff", b"\xff\xff\xff"),
        ("echo", False, b"xy\0", b"xy\0"),
        ("echo", True, b"xy", b"xy"),
        ("drop", False, b"bc\xff", b"abc"),
        ("drop", True, b"bc", b"abc"),
        ("duplicate", False, b"\0ab", b"abc"),
        ("duplicate", True, b"aabc", b"abc"),
        ("short", False, b"ab", b"abc"),
    ],
)
def test_the_wire_garbles_an_answer_as_the_fault_says(fault, stream, first, then):
    chip = device(fault, stream=stream)
    assert chip.wire(b"abc", b"xy") == first
    assert chip.wire(b"abc", b"xy") == then


def test_a_slipped_bit_moves_every_later_answer_by_one_bit():
    chip = device("bit-slip")
    assert chip.wire(b"\x81\x01") == b"\x40\x80"
    assert chip.wire(b"\x00\x02") == b"\x80\x01"


def test_the_next_change_is_known_ahead():
    chip = device("stuck@10+5")
    assert chip.healthy_for == 10
    chip.draw(10)
    assert chip.healthy_for == 0
    chip.draw(5)
    assert chip.healthy_for is None

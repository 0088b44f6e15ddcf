from dataclasses import replace
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drivers.emulated.faults import parse_fault, seeded
from drivers.emulated.qcicada import CONFIG, INFO, EmulatedQCicada
from drivers.errors import QrngError, QrngReason
from drivers.qrng.qcicada import BLOCK, HASHED_CREDIT, RAW_CREDIT, QCicada, read_public_key
from drivers.qrng.qcicada_protocol import Command, Flag, Postprocess
from drivers.qrng.qcicada_signature import load_key, pem


class Time:
    """Seconds that pass only when somebody sleeps."""

    now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Recorder(EmulatedQCicada):
    """A model that notes the first byte of every write."""

    def __init__(self, **options):
        super().__init__(**options)
        self.commands = []

    def write(self, data):
        self.commands.append(Command(data[0]))
        super().write(data)


def source_of(*faults, model=Recorder, chip=None, **options):
    time = Time()
    chip = chip or model(noise=seeded(1), faults=tuple(map(parse_fault, faults)))
    return QCicada(port=chip, clock=time, sleep=time.sleep, **options), chip


def opened(*faults, **options):
    source, chip = source_of(*faults, **options)
    source.open()
    return source, chip


def failure(act, *arguments):
    with pytest.raises(QrngError) as caught:
        act(*arguments)
    assert caught.value.remedy.endswith(".")
    assert "\n" not in caught.value.detail + caught.value.remedy
    return caught.value


@pytest.fixture
def chip():
    return Recorder(noise=seeded(1))


@pytest.fixture
def key_file(chip, tmp_path):
    path = tmp_path / "qcicada.pem"
    path.write_text(pem(chip.public_key))
    return str(path)


def test_opening_stops_and_synchronises_before_it_asks_anything():
    _, chip = opened()
    assert chip.commands[:3] == [Command.STOP, Command.STATUS, Command.INFO]
    assert {Command.GET_CONFIG, Command.STATISTICS} < set(chip.commands)


def test_a_device_that_an_earlier_user_left_streaming_is_stopped_and_its_samples_are_dropped():
    chip = EmulatedQCicada(noise=seeded(1))
    chip.open()
    chip.write(bytes((Command.START, 0, 0, 0)))
    assert len(chip.read(500, 1.0)) == 500
    source, _ = source_of(chip=chip)
    assert source.open().raw
    assert not chip.streaming
    assert len(source.read(100)) == 100


def test_samples_are_the_noise_of_the_device_in_order_and_none_is_lost_between_reads():
    source, chip = opened()
    noise = seeded(2)
    chip._faults._noise = noise  # the rest of the model's noise is what this says
    expected = b"".join(seeded_again(62, 3000))
    assert source.read(1000) + source.read(2000) == expected


def seeded_again(packet, total):
    """What a model on seeded(2) puts out for one read of 1000 and one of 2000, packet by packet."""
    noise = seeded(2)
    for read in (1000, 1024, 976):
        for start in range(0, read, packet):
            yield noise(min(packet, read - start))


def test_the_identity_says_what_the_device_and_its_mode_are():
    source, _ = source_of()
    identity = source.open()
    assert identity.driver == "qcicada"
    assert identity.model == "emulated CICADA-QRNG-1.1, firmware 5.14, raw noise"
    assert INFO.serial not in identity.model
    assert (identity.raw, identity.credit, identity.simulated) == (True, RAW_CREDIT, True)
    assert source.speed == 100_696


def test_the_speed_is_not_known_before_the_device_was_opened():
    assert source_of()[0].speed is None


@pytest.mark.parametrize(
    ("supported", "words", "raw", "credit"),
    [
        (tuple(Postprocess), "raw noise", True, RAW_CREDIT),
        ((Postprocess.RAW_SAMPLES, Postprocess.SHA256), "raw samples", True, RAW_CREDIT),
        ((Postprocess.SHA256,), "SHA-256", False, HASHED_CREDIT),
    ],
)
def test_raw_output_is_taken_where_the_device_has_it_and_a_hash_is_credited_with_little(supported, words, raw, credit):
    source, chip = source_of(chip=EmulatedQCicada(noise=seeded(1), supported=supported))
    identity = source.open()
    assert identity.model.endswith(words)
    assert (identity.raw, identity.credit) == (raw, credit)
    assert chip.config.postprocess in supported


def test_a_mode_that_is_asked_for_is_taken_or_refused_but_never_replaced():
    chip = EmulatedQCicada(noise=seeded(1), supported=(Postprocess.SHA256,))
    assert not source_of(chip=chip, postprocess=Postprocess.SHA256)[0].open().raw
    error = failure(source_of(chip=chip, postprocess=Postprocess.RAW_SAMPLES)[0].open)
    assert error.reason is QrngReason.WRONG_DEVICE
    assert "raw samples" in error.detail


def test_a_credit_that_is_given_is_the_one_that_is_claimed():
    assert source_of(credit=Fraction(2))[0].open().credit == 2


def test_a_mode_that_the_device_takes_in_words_only_is_refused():
    error = failure(source_of("mode")[0].open)
    assert error.reason is QrngReason.WRONG_DEVICE
    assert "does not give it" in error.detail


def test_samples_made_before_the_settings_changed_are_dropped():
    _, chip = opened()
    assert chip.drawn == BLOCK
    drawn = chip.drawn
    source, _ = source_of(chip=chip)
    source.open()
    assert chip.drawn == drawn, "the settings were right already"


class Restarting(Recorder):
    """A device that makes its start-up test again whenever its settings change."""

    def _set_config(self, command):
        super()._set_config(command)
        self.inject(parse_fault("slow-ready=5"))


def test_a_device_that_starts_anew_with_new_settings_is_waited_for():
    source, chip = opened(model=Restarting)
    assert Command.SET_CONFIG in chip.commands
    assert len(source.read(100)) == 100


def test_generate_on_error_is_switched_off_and_so_are_no_other_settings():
    chip = EmulatedQCicada(noise=seeded(1), config=replace(CONFIG, generate_on_error=True, spare=2))
    source_of(chip=chip)[0].open()
    assert chip.config == replace(CONFIG, postprocess=Postprocess.RAW_NOISE, spare=2)


def test_health_tests_of_the_device_that_are_off_are_switched_on():
    off = replace(CONFIG, startup_test=False, repetition_count=False, adaptive_proportion=False)
    chip = EmulatedQCicada(noise=seeded(1), config=off)
    source_of(chip=chip)[0].open()
    assert chip.config == replace(CONFIG, postprocess=Postprocess.RAW_NOISE)


@pytest.mark.parametrize("mode", Postprocess)
def test_a_device_that_keeps_generate_on_error_on_is_refused_with_how_to_clear_it(mode):
    config = replace(CONFIG, generate_on_error=True, postprocess=mode)
    chip = EmulatedQCicada(noise=seeded(1), faults=(parse_fault("mode"),), config=config)
    error = failure(source_of(chip=chip)[0].open)
    assert error.reason is QrngReason.STATUS
    assert "generate_on_error is on" in error.detail
    assert "maker's software" in error.remedy


def test_a_device_that_refuses_every_setting_is_refused_while_generate_on_error_is_on():
    chip = EmulatedQCicada(noise=seeded(1), config=replace(CONFIG, generate_on_error=True), supported=())
    assert "generate_on_error" in failure(source_of(chip=chip)[0].open).detail
    chip.config = CONFIG
    assert not source_of(chip=chip)[0].open().raw


def test_a_device_that_keeps_a_health_test_off_is_refused():
    config = replace(CONFIG, adaptive_proportion=False, postprocess=Postprocess.RAW_NOISE)
    chip = EmulatedQCicada(noise=seeded(1), faults=(parse_fault("mode"),), config=config)
    error = failure(source_of(chip=chip)[0].open)
    assert error.reason is QrngReason.STATUS
    assert "test" in error.detail


STATUS_LINES = {
    Flag.INITIALISED: "not initialised",
    Flag.STARTUP_TEST: "start-up test",
    Flag.VOLTAGE_LOW: "voltage is too low",
    Flag.VOLTAGE_HIGH: "voltage is too high",
    Flag.VOLTAGE_UNDEFINED: "cannot tell its voltage",
    Flag.BIT_COUNT: "bit count test failed",
    Flag.REPETITION_COUNT: "repetition count test failed",
    Flag.ADAPTIVE_PROPORTION: "adaptive proportion test failed",
}


@pytest.mark.parametrize("flag", Flag)
@pytest.mark.parametrize("after", ["", "@3000"])
def test_every_bit_of_the_status_byte_has_its_own_line_at_opening_and_while_reading(flag, after):
    source, chip = source_of(f"status={flag.value}{after}")
    if after:
        source.open()
    error = failure(source.read, 8000) if after else failure(source.open)
    assert STATUS_LINES[flag] in error.detail
    starting = flag in (Flag.INITIALISED, Flag.STARTUP_TEST) and not after
    assert error.reason is (QrngReason.NOT_READY if starting else QrngReason.STATUS)
    assert chip.drawn <= 3000 + BLOCK


def test_every_line_about_the_status_is_another_one():
    lines = set()
    for flag in Flag:
        source, _ = source_of(f"status={flag.value}")
        lines.add(failure(source.open).detail)
    assert len(lines) == len(Flag)


def test_a_start_up_test_is_waited_for_and_one_that_never_ends_is_not():
    source, chip = source_of("slow-ready=20")
    source.open()
    assert chip.commands.count(Command.STATUS) > 20
    error = failure(source_of("not-ready", timeout=7.0)[0].open)
    assert error.reason is QrngReason.NOT_READY
    assert "after 7 s" in error.detail


@pytest.mark.parametrize("count", ["repetition_count", "adaptive_proportion", "bit_count"])
def test_a_count_of_failures_that_rose_while_reading_fails_the_read_although_the_status_is_good(count):
    source, chip = opened()
    source.read(100)
    chip.statistics = replace(chip.statistics, **{count: 2})
    error = failure(source.read, 100)
    assert error.reason is QrngReason.STATUS
    assert f"2 new failures of its {count.replace('_', ' ')} test" in error.detail
    assert failure(source.read, 1).reason is QrngReason.CLOSED


def test_failures_that_were_counted_before_the_device_was_opened_are_no_failures_of_a_read():
    chip = EmulatedQCicada(noise=seeded(1))
    chip.statistics = replace(chip.statistics, repetition_count=5)
    source, _ = source_of(chip=chip)
    source.open()
    assert len(source.read(2000)) == 2000


@pytest.mark.parametrize("changed", [{"generated": 0}, {"bit_count": 0}])
def test_a_device_that_started_anew_while_it_was_in_use_fails_the_read(changed):
    chip = EmulatedQCicada(noise=seeded(1))
    chip.statistics = replace(chip.statistics, bit_count=3, generated=10_000)
    source, _ = source_of(chip=chip)
    source.open()
    chip.statistics = replace(chip.statistics, **changed)
    assert "started anew" in failure(source.read, 10).detail


def test_a_device_of_another_name_is_refused():
    chip = EmulatedQCicada(noise=seeded(1), info=replace(INFO, hardware="ARDUINO-UNO"))
    error = failure(source_of(chip=chip)[0].open)
    assert error.reason is QrngReason.WRONG_DEVICE
    assert "ARDUINO-UNO" in error.detail


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong-chip", QrngReason.WRONG_DEVICE),
        ("echo", QrngReason.WRONG_DEVICE),
        ("stuck-00", QrngReason.WRONG_DEVICE),
        ("stuck-ff", QrngReason.WRONG_DEVICE),
        ("bit-slip", QrngReason.WRONG_DEVICE),
        ("eio", QrngReason.UNPLUGGED),
        ("unplug", QrngReason.UNPLUGGED),
        ("etimedout", QrngReason.BUS),
        ("emsgsize", QrngReason.BUS),
    ],
)
def test_a_line_that_is_broken_when_it_is_opened_is_refused(fault, reason):
    assert failure(source_of(fault)[0].open).reason is reason


class Silent(EmulatedQCicada):
    """Something on the port that says nothing."""

    def receive(self, data):
        del data


class Babbling(EmulatedQCicada):
    """Something on the port that never stops sending."""

    def transmit(self):
        return b"garbage "


def test_a_port_on_which_nothing_answers_is_told_from_one_on_which_something_else_does():
    error = failure(source_of(model=Silent)[0].open)
    assert error.reason is QrngReason.LINK
    assert "nothing answers" in error.detail
    error = failure(source_of(model=Babbling)[0].open)
    assert error.reason is QrngReason.WRONG_DEVICE
    assert "does not stop" in error.detail


@pytest.mark.parametrize("fault", ["drop", "duplicate", "short"])
def test_one_byte_lost_or_doubled_while_the_line_is_synchronised_does_no_harm(fault):
    source, _ = source_of(fault)
    assert source.open().raw
    assert len(source.read(2000)) == 2000


READING = {
    "stuck-00": {QrngReason.IMPLAUSIBLE},
    "stuck-ff": {QrngReason.IMPLAUSIBLE},
    "echo": {QrngReason.SHORT},
    "bit-slip": {QrngReason.IMPLAUSIBLE},
    "drop": {QrngReason.SHORT},
    "duplicate": {QrngReason.IMPLAUSIBLE},
    "short": {QrngReason.SHORT},
    "eio": {QrngReason.UNPLUGGED},
    "unplug": {QrngReason.UNPLUGGED},
    "etimedout": {QrngReason.BUS},
    "emsgsize": {QrngReason.BUS},
    "status=0x40": {QrngReason.STATUS},
    "wrong-chip": {QrngReason.IMPLAUSIBLE},
    "slip": {QrngReason.STATUS},
    "not-ready": {QrngReason.STATUS},
    "slow-ready": {QrngReason.STATUS},
}


@pytest.mark.parametrize("fault", READING)
@pytest.mark.parametrize("after", [1, 62, 300, 1024, 1500, 2047])
def test_a_fault_while_reading_is_found_in_the_same_read_and_closes_the_source(fault, after):
    source, chip = opened()
    chip.inject(parse_fault(f"{fault}@{after}"))
    assert failure(source.read, 2048).reason in READING[fault]
    assert failure(source.read, 1).reason is QrngReason.CLOSED


@pytest.mark.parametrize("fault", ["drop", "duplicate", "short", "eio", "slip"])
def test_a_fault_that_is_over_does_not_keep_the_source_from_opening_again(fault):
    source, chip = opened()
    chip.inject(parse_fault(f"{fault}@700"))
    failure(source.read, 2048)
    source.open()
    assert len(source.read(2048)) == 2048


@pytest.mark.parametrize("fault", ["drop", "duplicate", "short"])
def test_a_byte_lost_or_doubled_in_an_answer_after_the_samples_is_found(fault):
    source, chip = opened()
    chip.inject(parse_fault(f"{fault}@500"))
    error = failure(source.read, 500)
    assert error.reason in {QrngReason.SHORT, QrngReason.IMPLAUSIBLE, QrngReason.STATUS}


class Chatty(EmulatedQCicada):
    """A device that says one byte more than it should after the answer to one command."""

    after = None

    def _say(self, command, code, payload=b""):
        super()._say(command, code, payload)
        if command[0] == self.after:
            self._answers.append((b"\x00", b""))


@pytest.mark.parametrize("after", [Command.STATISTICS, Command.STATUS])
def test_a_byte_that_nobody_asked_for_fails_the_read_also_after_the_last_answer(after):
    source, chip = opened(model=Chatty)
    chip.after = after
    error = failure(source.read, 100)
    assert error.reason is QrngReason.IMPLAUSIBLE
    assert "more than it was asked for" in error.detail


def test_samples_of_a_read_that_fails_are_overwritten(monkeypatch):
    source, chip = opened()
    drawn = []
    real = chip.read
    monkeypatch.setattr(chip, "read", lambda *asked: drawn.append(real(*asked)) or drawn[-1])
    chip.inject(parse_fault("short@1500"))
    failure(source.read, 2048)
    samples = [part for part in drawn if len(part) > 100]
    assert [len(part) for part in samples] == [1024, 1023]
    assert not any(map(any, samples))


def test_no_error_repeats_a_byte_that_came_over_the_line():
    for fault in READING:
        source, chip = opened()
        chip.inject(parse_fault(f"{fault}@700"))
        error = failure(source.read, 2048)
        assert "0x" not in error.detail + error.remedy
        assert "\\x" not in repr(error)


def test_every_block_of_samples_is_signed_where_a_key_is_pinned(chip, key_file):
    source, _ = source_of(chip=chip, public_key=key_file)
    source.open()
    assert len(source.read(2 * BLOCK + 1)) == 2 * BLOCK + 1
    assert chip.commands.count(Command.SIGNED_READ) == 4
    assert source.read(0) == b""


def public_half(key):
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def test_a_pinned_key_may_be_the_one_that_certifies_the_device(chip, tmp_path):
    path = tmp_path / "authority.pem"
    path.write_text(pem(public_half(chip.authority)))
    source, _ = source_of(chip=chip, public_key=str(path))
    source.open()
    assert len(source.read(100)) == 100
    assert Command.CERTIFICATE in chip.commands


def test_a_device_with_another_key_is_refused(chip, key_file):
    chip.key = ec.generate_private_key(ec.SECP256R1())
    error = failure(source_of(chip=chip, public_key=key_file)[0].open)
    assert error.reason is QrngReason.WRONG_DEVICE
    assert "neither" in error.detail


def test_a_bad_signature_fails_the_read_and_the_source_stays_refused_even_when_the_signature_is_good_again(
    chip, key_file
):
    source, _ = source_of(chip=chip, public_key=key_file)
    source.open()
    good, chip.key = chip.key, ec.generate_private_key(ec.SECP256R1())
    error = failure(source.read, 100)
    assert error.reason is QrngReason.IMPLAUSIBLE
    assert "signature" in error.detail
    chip.key = good
    assert failure(source.open).detail == error.detail


@pytest.mark.parametrize("fault", ["stuck-00", "bit-slip"])
def test_samples_that_were_changed_on_the_line_do_not_fit_their_signature(fault, chip, key_file):
    source, _ = source_of(chip=chip, public_key=key_file)
    source.open()
    chip.inject(parse_fault(f"{fault}@1"))
    assert "signature" in failure(source.read, 2048).detail


class Old(Recorder):
    """A device whose firmware does not sign."""

    def _signed_read(self, command):
        self._say(command, 0x12)


def test_a_device_that_cannot_sign_is_refused_where_a_key_is_pinned(tmp_path):
    chip = Old(noise=seeded(1))
    path = tmp_path / "key.pem"
    path.write_text(pem(chip.public_key))
    error = failure(source_of(chip=chip, public_key=str(path))[0].open)
    assert error.reason is QrngReason.STATUS
    assert "5.13" in error.remedy


def test_a_key_that_cannot_be_used_is_named_with_its_file(tmp_path):
    missing, garbage, other = tmp_path / "missing.pem", tmp_path / "garbage.pem", tmp_path / "other.pem"
    garbage.write_text("no key")
    other.write_bytes(
        Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for path in (missing, garbage, other):
        error = failure(source_of(public_key=str(path))[0].open)
        assert error.reason is QrngReason.NOT_FOUND
        assert str(path) in error.detail


def test_the_key_of_a_device_can_be_read_once_and_written_down(chip, tmp_path):
    path = tmp_path / "key.pem"
    path.write_text(pem(read_public_key(chip)))
    assert load_key(str(path)) == chip.public_key
    assert not chip._open

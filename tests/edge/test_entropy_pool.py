from fractions import Fraction

import numpy as np
import pytest
from entropy_rig import Clock, Identity, Plain, Silent, Witness

from drivers.emulated.faults import Faults, parse_fault, seeded
from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.software import SoftwareQrng
from edge.entropy import EntropyPool, Latch, State
from edge.entropy.conditioning import FullEntropy
from edge.entropy.drbg import SEED_BYTES
from edge.entropy.health import USABLE, WINDOW
from edge.entropy.monitor import STARTUP_SAMPLES
from edge.entropy.source import TestedSource
from edge.errors import EntropyUnavailable, Reason
from wire.exit import Exit


@pytest.fixture
def clock():
    return Clock()


def emulated(*faults, seed=1):
    """What a source breaks by, and the source, whose reads are kept with the conditioning that passes them through."""
    made = Faults(seeded(seed), tuple(map(parse_fault, faults)))
    return made, Witness(Plain(made), Identity())


def transparent(source, clock, **options):
    """A pool whose output is its source's samples."""
    return EntropyPool(source, clock=clock, conditioner=source.conditioner, drbg=Silent(), **options)


def sizes(source):
    return [len(read) for _, read in source.reads]


def test_only_a_started_pool_emits(clock):
    pool = EntropyPool(SoftwareQrng(), clock=clock)
    assert pool.state is State.ABSENT
    for act in (lambda: pool.take(1), pool.check, pool.provenance):
        with pytest.raises(EntropyUnavailable) as caught:
            act()
        assert caught.value.reason is Reason.ENTROPY_NOT_STARTED
        assert caught.value.exit is Exit.NO_ENTROPY
    pool.start()
    assert pool.state is State.HEALTHY
    assert len(pool.take(1)) == 1


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000])
def test_take_returns_exactly_as_many_bytes_as_were_asked_for(clock, n):
    pool = EntropyPool(emulated()[1], clock=clock)
    pool.start()
    out = pool.take(n)
    assert isinstance(out, bytearray)
    assert len(out) == n


def test_no_byte_is_given_twice(clock):
    pool = transparent(emulated()[1], clock)
    pool.start()
    out = b"".join(bytes(pool.take(n)) for n in (10, 100, 700, 30, 3000))
    words = np.lib.stride_tricks.sliding_window_view(np.frombuffer(out, np.uint8), 8)
    assert np.unique(words, axis=0).shape == words.shape


def test_output_is_the_samples_after_the_seed_without_what_the_tests_remember(clock):
    _, source = emulated()
    pool = transparent(source, clock)
    pool.start()
    assert sizes(source) == [STARTUP_SAMPLES]
    out = pool.take(900)
    windows = b"".join(read for _, read in source.reads[1:])
    usable = (windows[at : at + WINDOW][USABLE] for at in range(0, len(windows), WINDOW))
    assert bytes(out) == b"".join(usable)[SEED_BYTES:][:900]


def test_a_large_allotment_is_read_in_batches_that_any_device_that_could_start_can_give(clock):
    _, source = emulated()
    pool = transparent(source, clock)
    pool.start()
    assert len(pool.take(20_000)) == 20_000
    assert max(sizes(source)) == STARTUP_SAMPLES
    assert sum(sizes(source)[1:]) == -(-(20_032 + 32) // 497) * WINDOW


def test_nothing_that_was_drawn_is_kept_from_one_take_to_the_next(clock):
    _, source = emulated()
    pool = transparent(source, clock)
    pool.start()
    pool.take(1)
    out = pool.take(10)
    assert bytes(out) == source.reads[2][1][USABLE][SEED_BYTES:][:10]


def test_every_sample_the_pool_was_handed_is_overwritten_after_use(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock)
    pool.start()
    pool.check()
    pool.take(500)
    pool.retest()
    assert sizes(source) == [STARTUP_SAMPLES, WINDOW, 3 * WINDOW, STARTUP_SAMPLES]
    assert not any(any(samples) for samples in source.handed)


class KeepingDrbg(Silent):
    """A DRBG that keeps the very buffers that it is handed and makes."""

    def __init__(self):
        self.kept = []

    def seed(self, entropy, other):
        assert any(entropy)
        self.kept.append(entropy.obj)

    def generate(self, count):
        self.kept.append(bytearray(b"\xff" * count))
        return self.kept[-1]


class KeepingConditioner(Identity):
    def __init__(self):
        self.kept = []

    def condition(self, samples, block):
        super().condition(samples, block)
        self.kept.append(samples.obj)


@pytest.mark.parametrize(("rate", "buffers"), [("true-random", 2), ("drbg", 1)])
def test_what_a_take_is_made_of_is_overwritten_when_it_is_done(clock, rate, buffers):
    _, source = emulated()
    drbg = KeepingDrbg()
    pool = EntropyPool(source, clock=clock, conditioner=source.conditioner, drbg=drbg, rate=rate)
    pool.start()
    out = pool.take(500)
    assert any(out)
    held = [buffer for buffer in drbg.kept if buffer is not out]
    assert len(held) == buffers
    assert not any(any(buffer) for buffer in held)


def test_the_samples_that_were_conditioned_are_overwritten(clock):
    conditioner = KeepingConditioner()
    source = TestedSource(Witness(Plain(Faults(seeded(1))), conditioner), clock=clock)
    source.start()
    out = FullEntropy(source, conditioner, Fraction(4)).draw(2 * conditioner.size)
    assert any(out)
    assert len(conditioner.kept) == 2
    assert not any(any(samples) for samples in conditioner.kept)


def test_an_account_takes_576_bits_of_credit_for_each_block_of_512(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock)
    pool.start()
    pool.take(64 * 35 - SEED_BYTES)
    windows = -(-35 * 144 // 497)
    assert sum(sizes(source)[1:]) == windows * WINDOW


def test_a_commissioned_estimate_lowers_the_credit_and_never_raises_it(clock):
    for commissioned, credit in ((Fraction(2), 2), (Fraction(6), 4), (None, 4)):
        _, source = emulated()
        pool = EntropyPool(source, clock=clock, commissioned=commissioned)
        pool.start()
        assert pool.credit == pool.provenance().credit == credit
        pool.take(64 * 35 - SEED_BYTES)
        assert sum(sizes(source)[1:]) == -(-35 * (576 // credit) // 497) * WINDOW


def test_a_source_in_which_commissioning_found_nothing_is_refused(clock):
    pool = EntropyPool(emulated()[1], clock=clock, commissioned=Fraction(0))
    with pytest.raises(EntropyUnavailable, match="no min-entropy"):
        pool.start()
    assert pool.state is State.FAILED


def test_a_checked_window_is_thrown_away(clock):
    _, source = emulated()
    pool = transparent(source, clock)
    pool.start()
    pool.check()
    assert bytes(pool.take(64)) == source.reads[2][1][USABLE][SEED_BYTES:][:64]


def test_provenance_says_what_the_source_is_and_how_it_is_conditioned(clock):
    pool = EntropyPool(emulated()[1], clock=clock)
    pool.start()
    said = pool.provenance()
    assert (said.source, said.conditioning, said.credit) == ("plain", "hmac-sha-512", Fraction(4))
    assert said.simulated


def test_a_source_that_cannot_be_opened_is_absent_and_may_come_back(clock):
    class Absent(SoftwareQrng):
        missing = True

        def open(self):
            if self.missing:
                raise QrngError(QrngReason.NOT_FOUND, "no such node", "Plug it in.")
            return super().open()

    source = Absent()
    pool = EntropyPool(source, clock=clock)
    with pytest.raises(EntropyUnavailable) as caught:
        pool.start()
    assert caught.value.reason is Reason.ENTROPY_DEVICE
    assert caught.value.remedy == "Plug it in."
    assert pool.state is State.ABSENT
    source.missing = False
    pool.start()
    assert pool.state is State.HEALTHY


@pytest.mark.parametrize(("bits", "credit"), [(8, Fraction(73, 10)), (8, Fraction(0)), (1, Fraction(1, 2))])
def test_a_credit_that_cannot_be_believed_is_refused(clock, bits, credit):
    class Boaster(SoftwareQrng):
        def open(self):
            super().open()
            return QrngIdentity("boaster", "b", bits, credit, raw=True, simulated=True)

    pool = EntropyPool(Boaster(), clock=clock)
    with pytest.raises(EntropyUnavailable, match="cannot be credited"):
        pool.start()
    assert pool.state is State.FAILED


def test_conditioning_that_gives_wrong_answers_stops_the_start(clock):
    class Broken(Identity):
        def self_test(self):
            return False

    pool = EntropyPool(SoftwareQrng(), clock=clock, conditioner=Broken())
    with pytest.raises(EntropyUnavailable) as caught:
        pool.start()
    assert caught.value.reason is Reason.ENTROPY_CRYPTOGRAPHY


def test_a_permanent_failure_in_the_startup_samples_outweighs_a_passing_one_before_it(clock):
    pool = EntropyPool(emulated("stuck@100+8", "stuck=3@2000+40")[1], clock=clock)
    with pytest.raises(EntropyUnavailable):
        pool.start()
    assert pool.state is State.FAILED


def test_a_passing_failure_in_the_startup_samples_gives_the_source_a_second_start(clock):
    _, source = emulated("stuck@100+8")
    pool = EntropyPool(source, clock=clock)
    pool.start()
    assert pool.state is State.HEALTHY
    assert sizes(source) == [STARTUP_SAMPLES] * 2


def test_a_stopped_pool_can_start_again_and_tests_again(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock)
    pool.start()
    pool.stop()
    pool.stop()
    assert pool.state is State.ABSENT
    pool.start()
    assert sizes(source) == [STARTUP_SAMPLES] * 2


def test_a_failed_start_leaves_a_latch_that_a_new_pool_obeys_until_it_is_removed(clock, tmp_path):
    latch = Latch(tmp_path / "entropy-failed")
    with pytest.raises(EntropyUnavailable) as first:
        EntropyPool(emulated("stuck")[1], clock=clock, latch=latch).start()
    assert first.value.reason is Reason.ENTROPY_REPETITION
    later = EntropyPool(emulated()[1], clock=clock, latch=latch)
    with pytest.raises(EntropyUnavailable) as second:
        later.start()
    assert second.value.reason is Reason.ENTROPY_LATCHED
    assert "entropy-repetition-count (before a restart)" in second.value.detail
    assert str(latch.path) in second.value.remedy
    assert later.state is State.FAILED
    latch.clear()
    healthy = EntropyPool(emulated()[1], clock=clock, latch=latch)
    healthy.start()
    assert healthy.state is State.HEALTHY


def test_a_bus_error_fails_the_pool_but_is_not_remembered_across_restarts(clock, tmp_path):
    latch = Latch(tmp_path / "entropy-failed")
    with pytest.raises(EntropyUnavailable):
        EntropyPool(emulated("eio@100")[1], clock=clock, latch=latch).start()
    assert latch.read() is None


def test_a_latch_that_cannot_be_read_counts_as_a_failure(tmp_path):
    path = tmp_path / "entropy-failed"
    path.write_bytes(b"\xff\xfe")
    assert Latch(path).read() == "unreadable"
    path.write_bytes(b"")
    assert Latch(path).read() == "unknown"

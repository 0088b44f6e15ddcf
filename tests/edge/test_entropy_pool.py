from fractions import Fraction

import numpy as np
import pytest

from drivers.emulated.microrng import EmulatedMicroRng, parse_fault, seeded
from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.microrng import MicroRng
from drivers.qrng.software import SoftwareQrng
from edge.entropy import EntropyPool, Latch, State
from edge.entropy.health import USABLE, WINDOW
from edge.entropy.monitor import STARTUP_SAMPLES
from edge.errors import EntropyUnavailable, Reason
from wire.exit import Exit


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Identity:
    """Passes samples through, one for one, so that a test can see which samples come out."""

    name = "identity"
    size = 64
    demand = 256  # at 4 bits a sample: 64 samples

    def condition(self, samples, block):
        block[:] = samples

    def self_test(self):
        return True


class Witness:
    """A source that keeps a copy of every read, and the buffers that it handed out."""

    def __init__(self, qrng):
        self.qrng = qrng
        self.reads = []
        self.handed = []

    def open(self):
        return self.qrng.open()

    def read(self, count):
        samples = self.qrng.read(count)
        self.reads.append(bytes(samples))
        self.handed.append(samples)
        return samples

    def close(self):
        self.qrng.close()


@pytest.fixture
def clock():
    return Clock()


def emulated(*faults, seed=1):
    chip = EmulatedMicroRng(noise=seeded(seed), faults=tuple(map(parse_fault, faults)))
    return chip, Witness(MicroRng(bus=chip))


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
    pool = EntropyPool(emulated()[1], clock=clock, conditioner=Identity())
    pool.start()
    out = b"".join(bytes(pool.take(n)) for n in (10, 100, 700, 30, 3000))
    words = np.lib.stride_tricks.sliding_window_view(np.frombuffer(out, np.uint8), 8)
    assert np.unique(words, axis=0).shape == words.shape


def test_output_is_the_samples_after_startup_without_what_the_tests_remember(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock, conditioner=Identity())
    pool.start()
    assert [len(read) for read in source.reads] == [STARTUP_SAMPLES]
    out = pool.take(900)
    assert bytes(out) == b"".join(read[USABLE] for read in source.reads[1:])[:900]


def test_every_sample_the_pool_was_handed_is_overwritten_after_use(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock)
    pool.start()
    pool.check()
    pool.take(500)
    assert not any(any(samples) for samples in source.handed)
    pool.stop()
    for held in (pool._samples, pool._block, pool._accepted._bytes, pool._output._bytes):
        assert not any(held)


def test_an_account_takes_576_bits_of_credit_for_each_block_of_512(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock)
    pool.start()
    pool.take(64 * 35)
    drawn = sum(len(read[USABLE]) for read in source.reads[1:])
    assert 35 * 144 <= drawn < 35 * 144 + WINDOW


def test_a_checked_window_is_thrown_away(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock, conditioner=Identity())
    pool.start()
    pool.check()
    assert bytes(pool.take(64)) == source.reads[2][USABLE][:64]


def test_provenance_says_what_the_source_is_and_how_it_is_conditioned(clock):
    pool = EntropyPool(emulated()[1], clock=clock)
    pool.start()
    said = pool.provenance()
    assert (said.source, said.conditioning, said.credit) == ("microrng", "hmac-sha-512", Fraction(4))
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
    assert caught.value.reason is Reason.ENTROPY_START


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
    assert [len(read) for read in source.reads] == [STARTUP_SAMPLES] * 2


def test_a_stopped_pool_can_start_again_and_tests_again(clock):
    _, source = emulated()
    pool = EntropyPool(source, clock=clock)
    pool.start()
    pool.stop()
    pool.stop()
    assert pool.state is State.ABSENT
    pool.start()
    assert [len(read) for read in source.reads] == [STARTUP_SAMPLES] * 2


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
    latch.path.unlink()
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

"""What goes into the output, and that the output is good when either side of it is not."""

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from entropy_rig import Clock, Identity, Silent

from drivers.emulated.faults import seeded
from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from edge.entropy import EntropyPool, Latch, State, retest_and_clear
from edge.entropy.buffer import wipe
from edge.entropy.drbg import SEED_BYTES
from edge.entropy.health import USABLE, WINDOW
from edge.entropy.monitor import STARTUP_SAMPLES
from edge.errors import EntropyUnavailable, Reason


def kernel(count):
    return hashlib.shake_256(b"kernel").digest(count)


class Source:
    """A source whose samples are known, and which can be told to break: at a read, or by giving one value."""

    def __init__(self, driver="chip", seed=1, *, simulated=False):
        self.driver = driver
        self.simulated = simulated
        self.noise = seeded(seed)
        self.reads = []
        self.states = []
        self.handed = []
        self.open_error = None
        self.at_read = {}
        self.closed = 0

    def open(self):
        if self.open_error is not None:
            raise self.open_error
        return QrngIdentity(self.driver, "m", 8, Fraction(4), raw=True, simulated=self.simulated)

    def read(self, count):
        samples = bytearray(self.noise(count))
        act = self.at_read.get(len(self.reads))
        if act is not None:
            act(samples)
        self.reads.append(bytes(samples))
        self.handed.append(samples)
        return samples

    def close(self):
        self.closed += 1


def unplug(samples):
    raise QrngError(QrngReason.UNPLUGGED, "it is gone", "Connect it again.")


def stick(samples):
    samples[100:140] = bytes(40)


def hiccup(samples):
    samples[100:107] = bytes(7)


def usable(reads):
    windows = b"".join(reads)
    return b"".join(windows[at : at + WINDOW][USABLE] for at in range(0, len(windows), WINDOW))


def xor(*parts):
    return bytes(np.bitwise_xor.reduce([np.frombuffer(part, np.uint8) for part in parts]))


def make_pool(chip, *partners, **options):
    options = {"conditioner": Identity(), "kernel": kernel, "clock": Clock()} | options
    return EntropyPool(chip, partners=partners, **options)


class Counting(Silent):
    """A DRBG whose output is the bytes 1, 2, 3 … and which says what it was seeded with."""

    def __init__(self):
        self.seeds = []

    def seed(self, entropy, other):
        self.seeds.append((bytes(entropy), other))

    def generate(self, count):
        return bytearray(index % 256 for index in range(1, count + 1))

    def wipe(self):
        self.seeds.clear()


def test_output_is_the_conditioned_chip_xor_the_drbg_which_is_seeded_from_other_samples_and_the_kernel():
    chip, drbg = Source(), Counting()
    pool = make_pool(chip, drbg=drbg)
    pool.start()
    for _ in range(2):
        before = len(chip.reads)
        out = pool.take(700)
        drawn = usable(chip.reads[before:])
        assert out == xor(drawn[SEED_BYTES:][:700], drbg.generate(700))
        assert drbg.seeds[-1] == (drawn[:SEED_BYTES], kernel(SEED_BYTES))
    assert len(drbg.seeds) == 2


def test_output_of_a_chip_that_somebody_knows_is_still_unpredictable_by_the_kernels_half_of_the_seed():
    outputs = []
    for secret in (b"a", b"b"):
        pool = make_pool(Source(), kernel=lambda n, s=secret: hashlib.shake_256(s).digest(n))
        pool.start()
        outputs.append(pool.take(1000))
    same = sum(a == b for a, b in zip(*outputs, strict=True))
    assert same < 30


def test_output_under_a_drbg_that_somebody_knows_is_still_the_chips():
    outputs = []
    for seed in (1, 2):
        pool = make_pool(Source(seed=seed), drbg=Counting())
        pool.start()
        outputs.append(pool.take(1000))
    assert sum(a == b for a, b in zip(*outputs, strict=True)) < 30


def test_the_drbg_rate_expands_one_seed_for_each_take_and_draws_no_more():
    chip, drbg = Source(), Counting()
    pool = make_pool(chip, drbg=drbg, rate="drbg")
    pool.start()
    for _ in range(2):
        assert pool.take(100_000) == drbg.generate(100_000)
    assert [len(read) for read in chip.reads] == [STARTUP_SAMPLES, WINDOW, WINDOW]
    assert drbg.seeds == [(usable([read])[:SEED_BYTES], kernel(SEED_BYTES)) for read in chip.reads[1:]]


def test_a_seed_has_384_bits_of_full_entropy_by_the_account():
    chip = Source()
    pool = make_pool(chip, conditioner=None, rate="drbg", commissioned=Fraction(1, 10))
    pool.start()
    pool.take(1)
    samples = sum(map(len, chip.reads[1:]))
    assert samples == -(-5760 // 497) * WINDOW  # one block: 576 bits at a tenth of a bit each


@pytest.mark.parametrize(("rate", "construction"), [("true-random", "rbg3-xor"), ("drbg", "drbg")])
def test_provenance_tells_the_construction_and_the_partners(rate, construction):
    pool = make_pool(Source(), Source("tpm"), Source("character", simulated=True), rate=rate)
    pool.start()
    said = pool.provenance()
    assert said.construction == construction
    assert said.partners == ["tpm", "character"]
    assert said.source == "chip"
    assert said.simulated  # one of them is


@pytest.mark.parametrize("rate", ["true-random", "drbg"])
def test_every_partner_is_combined_with_every_byte(rate):
    chip, partners, drbg = Source(), [Source("tpm", 2), Source("character", 3)], Counting()
    pool = make_pool(chip, *partners, drbg=drbg, rate=rate)
    pool.start()
    starts = [len(partner.reads) for partner in partners]
    out = pool.take(700)
    masks = [usable(partner.reads[start:])[:700] for partner, start in zip(partners, starts, strict=True)]
    chips = usable(chip.reads[1:])[SEED_BYTES:][:700] if rate == "true-random" else bytes(700)
    assert out == xor(chips, drbg.generate(700), *masks)


def test_partners_are_looked_at_once_more_when_the_chip_is_done():
    partner, chip = Source("tpm", 2), Source()
    pool = make_pool(chip, partner)
    pool.start()
    pool.take(700)
    assert [len(read) for read in partner.reads] == [STARTUP_SAMPLES, 2 * WINDOW, WINDOW]
    assert [len(read) for read in chip.reads] == [STARTUP_SAMPLES, 2 * WINDOW]


def test_everything_that_was_drawn_of_chip_and_partners_is_overwritten():
    sources = [Source(), Source("tpm", 2)]
    pool = make_pool(*sources)
    pool.start()
    pool.take(700)
    pool.check()
    for source in sources:
        assert not any(any(samples) for samples in source.handed)


@pytest.mark.parametrize("broken", [0, 1, 2])
@pytest.mark.parametrize("fault", [unplug, stick])
@pytest.mark.parametrize("read", [0, 1, 2, 3, 4, 5])
def test_a_source_that_fails_anywhere_in_a_take_fails_the_pool_and_nothing_comes_out(broken, fault, read, tmp_path):
    """Read 0 is start-up; the reads after it are of the first take, of the look at its end, and of the second take."""
    sources = [Source(), Source("tpm", 2), Source("character", 3)]
    sources[broken].at_read[read] = fault
    latch = Latch(tmp_path / "latch")
    made = []
    pool = make_pool(*sources, latch=latch)

    def use():
        pool.start()
        for _ in range(6):
            made.append([len(source.reads) for source in sources])
            pool.take(700)

    with pytest.raises(EntropyUnavailable) as caught:
        use()
    assert pool.state is State.FAILED
    assert all(source.closed for source in sources)
    name = ["", "partner tpm", "partner character"][broken]
    reason = Reason.ENTROPY_DEVICE if fault is unplug else Reason.ENTROPY_REPETITION
    assert caught.value.reason is reason
    assert name in caught.value.detail
    expected = None if fault is unplug else f"{reason.value} ({name})" if name else reason.value
    assert latch.read() == expected
    reads = [len(source.reads) for source in sources]
    with pytest.raises(EntropyUnavailable, match="failed earlier"):
        pool.take(1)
    assert [len(source.reads) for source in sources] == reads
    begun = range(1, read + 1) if broken == 0 else range(1, read + 1, 2)
    assert [before[broken] for before in made] == list(begun)  # the take of that read was the last, and gave nothing
    handed = [samples for source in sources for samples in source.handed]
    assert not any(any(samples) for samples in handed)


def test_a_chip_that_dies_between_the_first_and_the_last_byte_of_a_long_take_gives_nothing():
    chip = Source()
    chip.at_read[6] = stick
    pool = make_pool(chip)
    pool.start()
    with pytest.raises(EntropyUnavailable):
        pool.take(100_000)
    assert len(chip.reads) == 7
    assert not any(any(samples) for samples in chip.handed)


def wiped_by(monkeypatch, *modules):
    """The buffers that these modules overwrite from now on, with what was in them."""
    seen = []

    def watched(data):
        seen.append((data, bytes(data)))
        wipe(data)

    for module in modules:
        monkeypatch.setattr(f"edge.entropy.{module}.wipe", watched)
    return seen


def test_samples_that_passed_are_overwritten_when_a_later_read_of_the_same_draw_fails(monkeypatch):
    chip = Source()
    chip.at_read[2] = unplug
    seen = wiped_by(monkeypatch, "source")
    pool = make_pool(chip)
    pool.start()
    with pytest.raises(EntropyUnavailable):
        pool.take(6000)
    gathered = usable(chip.reads[1:2])
    (buffer,) = (data for data, before in seen if before.startswith(gathered))
    assert not any(buffer)


def test_blocks_are_overwritten_when_a_later_one_cannot_be_made(monkeypatch):
    class Stumbling(Identity):
        calls = 0

        def condition(self, samples, block):
            self.calls += 1
            if self.calls == 3:
                raise MemoryError
            super().condition(samples, block)

    chip = Source()
    seen = wiped_by(monkeypatch, "conditioning")
    pool = make_pool(chip, conditioner=Stumbling())
    pool.start()
    with pytest.raises(MemoryError):
        pool.take(300)
    made = usable(chip.reads[1:])[:128]
    buffers = [data for data, before in seen if before.startswith(made)]
    assert len(buffers) == 2  # the samples, and the blocks, which are the samples here
    assert not any(any(buffer) for buffer in buffers)


def test_what_partners_gave_is_overwritten_when_the_chip_fails_after_them(monkeypatch):
    chip, partner = Source(), Source("tpm", 2)
    chip.at_read[1] = unplug
    seen = wiped_by(monkeypatch, "pool")
    pool = make_pool(chip, partner)
    pool.start()
    with pytest.raises(EntropyUnavailable):
        pool.take(300)
    (buffer,) = (data for data, before in seen if before == usable(partner.reads[1:])[:300])
    assert not any(buffer)


@pytest.mark.parametrize("fault", [None, unplug])
def test_the_state_of_the_drbg_is_overwritten_at_a_stop_and_at_a_failure(fault):
    chip, drbg = Source(), Counting()
    pool = make_pool(chip, drbg=drbg)
    pool.start()
    pool.take(1)
    assert drbg.seeds
    if fault is None:
        pool.stop()
    else:
        chip.at_read[2] = fault
        with pytest.raises(EntropyUnavailable):
            pool.check()
    assert not drbg.seeds


def test_a_driver_that_returns_another_number_of_samples_fails_and_they_are_overwritten():
    chip = Source()
    chip.at_read[1] = lambda samples: samples.append(7)
    pool = make_pool(chip)
    pool.start()
    with pytest.raises(EntropyUnavailable, match="another number of samples"):
        pool.take(1)
    assert pool.state is State.FAILED
    assert not any(chip.handed[-1])


def test_a_retest_computes_the_known_answers_too(monkeypatch):
    pool = make_pool(Source())
    pool.start()
    monkeypatch.setattr("edge.entropy.drbg.CtrDrbg._advance", lambda *_: None)
    with pytest.raises(EntropyUnavailable) as caught:
        pool.retest()
    assert caught.value.reason is Reason.ENTROPY_CRYPTOGRAPHY


def test_a_partner_that_hiccups_at_the_end_voids_the_whole_take_which_is_made_again():
    partner, chip, drbg = Source("tpm", 2), Source(), Counting()
    partner.at_read[2] = hiccup
    pool = make_pool(chip, partner, drbg=drbg)
    pool.start()
    out = pool.take(400)
    assert [len(read) for read in partner.reads] == [STARTUP_SAMPLES, WINDOW, WINDOW, STARTUP_SAMPLES, WINDOW, WINDOW]
    assert out == xor(usable(chip.reads[2:])[SEED_BYTES:][:400], usable(partner.reads[4:5])[:400], drbg.generate(400))
    assert pool.startups == 3


def test_a_partner_that_cannot_be_opened_leaves_nothing_open_and_may_come_back():
    partner, chip = Source("tpm", 2), Source()
    partner.open_error = QrngError(QrngReason.NOT_FOUND, "no such node", "Plug it in.")
    pool = make_pool(chip, partner)
    with pytest.raises(EntropyUnavailable, match="partner Source: not-found: no such node") as caught:
        pool.start()
    assert caught.value.remedy == "Plug it in."
    assert pool.state is State.ABSENT
    assert chip.closed
    partner.open_error = None
    pool.start()
    assert pool.state is State.HEALTHY


def test_a_pool_has_at_most_four_partners_and_the_chip_is_none_of_them():
    chip = Source()
    with pytest.raises(ValueError, match="at most 4"):
        make_pool(chip, *(Source(seed=seed) for seed in range(5)))
    with pytest.raises(ValueError, match="none of which is the chip"):
        make_pool(chip, chip)


def test_a_partner_is_checked_before_a_release_too():
    partner = Source("tpm", 2)
    pool = make_pool(Source(), partner)
    pool.start()
    pool.check()
    partner.at_read[len(partner.reads)] = stick
    with pytest.raises(EntropyUnavailable, match="partner tpm"):
        pool.check()


def test_a_retest_runs_the_startup_tests_of_all_sources_on_new_samples():
    sources = [Source(), Source("tpm", 2)]
    pool = make_pool(*sources)
    with pytest.raises(EntropyUnavailable, match="the source is absent"):
        pool.retest()
    pool.start()
    pool.retest()
    for source in sources:
        assert [len(read) for read in source.reads] == [STARTUP_SAMPLES] * 2
        assert source.reads[0] != source.reads[1]
    assert pool.state is State.HEALTHY
    sources[1].at_read[2] = stick
    with pytest.raises(EntropyUnavailable, match="partner tpm"):
        pool.retest()
    assert pool.state is State.FAILED


def test_a_latch_is_cleared_by_a_source_that_passes_everything(tmp_path):
    latch = Latch(tmp_path / "latch")
    latch.write("entropy-repetition-count")
    source = Source()
    pool = make_pool(source)
    assert retest_and_clear(pool, latch) == "entropy-repetition-count"
    assert latch.read() is None
    assert [len(read) for read in source.reads] == [STARTUP_SAMPLES, STARTUP_SAMPLES, WINDOW]
    assert retest_and_clear(pool, latch) is None


@pytest.mark.parametrize("fault", [unplug, stick])
@pytest.mark.parametrize("read", [None, 0, 1, 2])
def test_a_latch_stays_when_any_step_of_the_way_fails(tmp_path, read, fault):
    latch = Latch(tmp_path / "latch")
    latch.write("entropy-repetition-count")
    source = Source()
    if read is None:
        source.open_error = QrngError(QrngReason.LINK, "the counter does not count", "Check the wiring.")
    else:
        source.at_read[read] = fault
    with pytest.raises(EntropyUnavailable):
        retest_and_clear(make_pool(source), latch)
    assert latch.read() == "entropy-repetition-count"


def test_a_latch_is_on_the_disk_with_its_name_before_write_returns(tmp_path, monkeypatch):
    synced = []

    def fsync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, path.read_text() if path.is_file() else sorted(entry.name for entry in path.iterdir())))

    monkeypatch.setattr("edge.entropy.latch.os.fsync", fsync)
    latch = Latch(tmp_path / "latch")
    latch.write("why")
    assert synced == [(latch.path, "why\n"), (tmp_path, ["latch"])]
    synced.clear()
    latch.clear()
    assert synced == [(tmp_path, [])]
    latch.clear()

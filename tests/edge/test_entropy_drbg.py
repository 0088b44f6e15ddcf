from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.ciphers import modes
from entropy_rig import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.qrng.software import SoftwareQrng
from edge.entropy import EntropyPool, State, known_answers
from edge.entropy.conditioning import HmacSha512
from edge.entropy.drbg import REQUEST_BYTES, RESEED_INTERVAL, SEED_BYTES, CtrDrbg
from edge.entropy.known_answers import PERIOD_SECONDS, VECTORS, KnownAnswers
from edge.errors import EntropyUnavailable, Reason

SEED = memoryview(bytes(range(SEED_BYTES)))


def seeded(other=b""):
    drbg = CtrDrbg()
    drbg.seed(SEED, other)
    return drbg


@pytest.mark.parametrize("vector", VECTORS)
def test_answers_of_nists_validation_programme_are_reproduced(vector):
    assert vector.holds()


def test_the_vectors_cover_personalization_additional_input_and_reseed():
    assert any(vector.personalization for vector in VECTORS)
    assert any(vector.additional[0] for vector in VECTORS)
    assert any(vector.reseed and vector.reseeded_with for vector in VECTORS)


def test_nothing_is_generated_before_a_seed_nor_after_a_wipe():
    drbg = CtrDrbg()
    for _ in range(2):
        with pytest.raises(ValueError, match="needs a seed"):
            drbg.generate(1)
        drbg.seed(SEED, b"")
        assert len(drbg.generate(1)) == 1
        drbg.wipe()
    assert not any(drbg._key)
    assert not any(drbg._block)


def test_the_reseed_counter_counts_requests_and_ends_the_use_of_a_seed():
    drbg = seeded()
    assert drbg.reseed_counter == 1
    drbg.generate(2 * REQUEST_BYTES + 1)
    assert drbg.reseed_counter == 4
    drbg._counter = RESEED_INTERVAL
    drbg.generate(16)
    with pytest.raises(ValueError, match="needs a seed"):
        drbg.generate(16)
    drbg.seed(SEED, b"")
    assert drbg.reseed_counter == 1


@given(st.integers(0, 70))
def test_a_shorter_request_is_the_beginning_of_a_longer_one(count):
    assert seeded().generate(count) == seeded().generate(70)[:count]


@settings(max_examples=20)
@given(st.integers(0, 3 * REQUEST_BYTES))
def test_long_requests_are_split_where_the_standard_says(count):
    drbg = seeded()
    parts = [drbg.generate(min(REQUEST_BYTES, count - start)) for start in range(0, count, REQUEST_BYTES)]
    assert seeded().generate(count) == b"".join(parts)


def test_either_half_of_a_seed_changes_everything_and_the_state_before_too():
    outputs = [bytes(seeded(other).generate(64)) for other in (b"", b"k" * SEED_BYTES, b"l" * SEED_BYTES)]
    again = seeded()
    again.seed(SEED, b"")
    outputs.append(bytes(again.generate(64)))
    assert len(set(outputs)) == 4


@pytest.mark.parametrize(("entropy", "other"), [(47, 0), (49, 0), (48, 49)])
def test_a_seed_of_another_size_is_refused(entropy, other):
    with pytest.raises(ValueError, match="a seed is 48"):
        CtrDrbg().seed(memoryview(bytes(entropy)), bytes(other))


def test_additional_input_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="at most 48"):
        seeded().generate(1, bytes(49))


BROKEN = {
    "SHA-512": lambda patch: patch.setattr(known_answers.hashlib, "sha512", known_answers.hashlib.sha384),
    "AES-256": lambda patch: patch.setattr(known_answers, "modes", SimpleNamespace(CTR=lambda _: modes.CTR(bytes(16)))),
    "CTR_DRBG": lambda patch: patch.setattr(CtrDrbg, "_advance", lambda *_: None),
    "hmac-sha-512": lambda patch: patch.setattr("edge.entropy.conditioning.hmac.digest", lambda *_: bytes(64)),
}


@pytest.mark.parametrize("function", BROKEN)
def test_a_function_that_gives_a_wrong_answer_stops_the_start_and_is_named(monkeypatch, function):
    BROKEN[function](monkeypatch)
    pool = EntropyPool(SoftwareQrng(), clock=Clock())
    with pytest.raises(EntropyUnavailable, match=f"^entropy-known-answers-failed: {function} does not") as caught:
        pool.start()
    assert caught.value.reason is Reason.ENTROPY_CRYPTOGRAPHY
    assert pool.state is State.FAILED


@pytest.mark.parametrize("function", BROKEN)
def test_a_function_that_breaks_in_use_is_found_before_the_first_take_of_the_next_day(monkeypatch, function):
    clock = Clock()
    pool = EntropyPool(SoftwareQrng(), clock=clock)
    pool.start()
    pool.take(8)
    with monkeypatch.context() as patch:
        BROKEN[function](patch)
        clock.now += PERIOD_SECONDS - 1
        pool.take(8)
        clock.now += 1
        with pytest.raises(EntropyUnavailable) as caught:
            pool.take(8)
    assert caught.value.reason is Reason.ENTROPY_CRYPTOGRAPHY
    with pytest.raises(EntropyUnavailable, match="failed earlier: entropy-known-answers-failed"):
        pool.take(8)


def test_known_answers_are_not_computed_for_each_take(monkeypatch):
    clock = Clock()
    checked = KnownAnswers(HmacSha512(), clock)
    assert checked.due
    assert checked.failed() is None
    assert not checked.due
    clock.now += PERIOD_SECONDS
    assert checked.due
    BROKEN["AES-256"](monkeypatch)
    assert checked.failed() == "AES-256"
    clock.now -= PERIOD_SECONDS
    assert checked.due


def test_a_library_that_raises_has_failed(monkeypatch):
    def broken(*_):
        raise OSError("no such cipher")

    monkeypatch.setattr(CtrDrbg, "seed", broken)
    assert KnownAnswers(HmacSha512(), Clock()).failed() == "CTR_DRBG"

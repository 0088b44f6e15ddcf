import copy
import pickle
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import EntropyUnavailable, PrivacyError, Reason, SecretError
from edge.privacy.bits import BitSource
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.sampling.allotment import allotment
from edge.privacy.sampling.coin import sample_below
from edge.privacy.sampling.law import Laplace
from edge.privacy.sampling.sampler import Sampler


class Pool:
    """A repeatable stream of bytes; remembers what it gave away."""

    def __init__(self, seed: int = 1, limit: int | None = None) -> None:
        self._random = random.Random(seed)
        self._limit = limit
        self.given: list[bytearray] = []

    def take(self, n: int) -> bytearray:
        if self._limit is not None and len(self.given) >= self._limit:
            raise EntropyUnavailable(Reason.ENTROPY_DEVICE, "unplugged", "plug it in")
        self.given.append(bytearray(self._random.randbytes(n)))
        return self.given[-1]


def mechanism(scale: int = 1000, rows: int = 3, columns: int = 4) -> Mechanism:
    return Mechanism(LinearLut(255), 16, rows, columns, 10, scale)


@given(st.lists(st.integers(0, 70), max_size=40), st.integers(1, 9), st.binary(min_size=400, max_size=400))
def test_bits_come_in_the_order_of_the_bytes_and_each_once(counts: list[int], block: int, data: bytes) -> None:
    position = 0

    def take(n: int) -> bytearray:
        nonlocal position
        position += n
        return bytearray(data[position - n : position])

    source = BitSource(take, block)
    text = "".join(f"{source.bits(count):0{count}b}" if count else "" for count in counts)
    assert f"{int.from_bytes(data, 'big'):03200b}".startswith(text)
    assert position <= (len(text) + 7) // 8 + block


def test_bytes_are_overwritten_once_they_are_used() -> None:
    pool = Pool()
    source = BitSource(pool.take, 4)
    for _ in range(20):
        source.bits(7)
    held = source._buffer
    source.wipe()
    assert not any(any(given) for given in pool.given)
    assert not any(held)


def test_bytes_that_are_kept_for_later_are_overwritten_where_they_were() -> None:
    source = BitSource(Pool().take, 4)
    source.bits(9)
    held = source._buffer
    assert any(held)
    source.bits(30)
    assert not any(held)


def test_a_pool_is_asked_for_no_more_than_is_needed() -> None:
    pool = Pool()
    source = BitSource(pool.take, 2)
    for count in (0, 3, 13, 0, 8, 32, 56):
        source.bits(count)
    source.words(3, 32)
    source.words(0, 32)
    assert [len(given) for given in pool.given] == [2, 2, 3, 7, 12]
    assert source.taken == 26


def test_a_source_that_was_wiped_reads_new_bytes() -> None:
    source = BitSource(lambda n: bytearray(b"\xa5" * n), 8)
    source.bits(24)
    source.wipe()
    assert source.bits(32) == 0xA5A5A5A5


def test_a_pool_that_gives_too_few_bytes_gives_none() -> None:
    short = bytearray(b"\xa5" * 7)
    source = BitSource(lambda n: short, 8)
    with pytest.raises(EntropyUnavailable):
        source.bits(1)
    assert not any(short)
    assert source.taken == 0


@pytest.mark.parametrize("bound", [1, 2, 3, 600, 2**64, 2**64 + 13, 2**200])
def test_a_uniform_draw_stays_below_its_bound(bound: int) -> None:
    source = BitSource(Pool().take, 64)
    drawn = [sample_below(source, bound) for _ in range(200)]
    assert min(drawn) >= 0
    assert max(drawn) < bound
    assert bound < 3 or max(drawn) > bound // 2


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 57)), max_size=12), st.integers(1, 9))
def test_words_are_fields_of_the_bytes_and_begin_at_a_byte(requests: list[tuple[int, int]], block: int) -> None:
    data = random.Random(3).randbytes(4000)
    given_away = 0

    def take(n: int) -> bytearray:
        nonlocal given_away
        given_away += n
        return bytearray(data[given_away - n : given_away])

    source, text, position = BitSource(take, block), f"{int.from_bytes(data, 'big'):032000b}", 0
    for count, width in requests:
        position = (position + 7) // 8 * 8
        fields = [text[position + i * width : position + (i + 1) * width] for i in range(count)]
        assert source.words(count, width).tolist() == [int(field, 2) if field else 0 for field in fields]
        position += count * width
        assert source.used == position


def test_a_word_wider_than_57_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="57"):
        BitSource(Pool().take, 4).words(1, 58)


def test_the_entropy_that_a_window_takes_follows_from_its_grid_and_scale_alone() -> None:
    wanted = mechanism(scale=628531200, rows=30, columns=40)
    taken = set()
    for seed in range(20):
        pool = Pool(seed)
        Noise.draw(wanted, pool)
        taken.add(tuple(map(len, pool.given)))
    assert taken == {(allotment(Sampler(Laplace(Fraction(628531200))), 1200),)}
    assert taken.pop()[0] * 8 / 1200 < 2 * 31.6


def test_noise_has_the_grid_and_the_scale_it_was_drawn_for() -> None:
    noise = Noise.draw(mechanism(), Pool())
    assert noise.fits(mechanism())
    assert not noise.fits(mechanism(scale=999))
    assert not noise.fits(mechanism(rows=4, columns=3))
    assert noise.redeem().shape == (3, 4)


def test_noise_is_good_for_one_window() -> None:
    noise = Noise.draw(mechanism(), Pool())
    noise.redeem()
    with pytest.raises(PrivacyError) as caught:
        noise.redeem()
    assert caught.value.reason is Reason.SPENT


def test_noise_cannot_be_made_by_hand() -> None:
    with pytest.raises(PrivacyError):
        Noise(np.zeros((3, 4), np.int64), 1000, object())


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_noise_cannot_be_copied_or_stored(way) -> None:
    with pytest.raises(SecretError):
        way(Noise.draw(mechanism(), Pool()))


def test_noise_does_not_print_its_values() -> None:
    assert repr(Noise.draw(mechanism(), Pool())) == "<Noise: secret>"
    assert repr(BitSource(Pool().take, 64)) == "<BitSource: secret>"


def test_a_source_that_fails_in_the_middle_gives_no_noise_and_leaves_no_bytes(monkeypatch) -> None:
    pool = Pool(limit=1)
    monkeypatch.setattr("edge.privacy.noise.allotment", lambda sampler, count: 1000)
    with pytest.raises(EntropyUnavailable):
        Noise.draw(mechanism(scale=10**9, rows=40, columns=40), pool)
    assert not any(any(given) for given in pool.given)


def test_unused_noise_is_overwritten() -> None:
    noise = Noise.draw(mechanism(), Pool())
    values = noise._values
    noise.wipe()
    assert values is not None
    assert not values.any()
    with pytest.raises(PrivacyError):
        noise.redeem()

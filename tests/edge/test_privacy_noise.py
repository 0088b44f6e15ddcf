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
from edge.privacy.sampler import sample_below, sample_discrete_laplace


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


@pytest.mark.parametrize("bound", [1, 2, 3, 600, 2**64, 2**64 + 13, 2**200])
def test_a_uniform_draw_stays_below_its_bound(bound: int) -> None:
    source = BitSource(Pool().take)
    drawn = [sample_below(source, bound) for _ in range(200)]
    assert min(drawn) >= 0
    assert max(drawn) < bound
    assert bound < 3 or max(drawn) > bound // 2


@pytest.mark.parametrize("scale", [1, 7, 1000, 628531200, 2**64, 2**80 + 1])
def test_the_spread_of_samples_is_that_of_the_law_at_every_scale(scale: int) -> None:
    """E|Z| = 2p/(1-p²) with p = e^(-1/t): t to within 1/(6t) for t > 1, and 0.851 for t = 1."""
    source = BitSource(Pool(7).take)
    drawn = [abs(sample_discrete_laplace(source, scale)) for _ in range(4000)]
    expected = scale if scale > 1 else Fraction(851, 1000)
    assert abs(Fraction(sum(drawn), 4000) / expected - 1) < Fraction(8, 100)


def test_fixed_bits_give_fixed_samples() -> None:
    source = BitSource(Pool(42).take)
    assert [sample_discrete_laplace(source, 1000) for _ in range(6)] == GOLDEN


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
    assert repr(BitSource(Pool().take)) == "<BitSource: secret>"


def test_a_source_that_fails_in_the_middle_gives_no_noise_and_leaves_no_bytes() -> None:
    pool = Pool(limit=1)
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


GOLDEN = [629, 1567, 698, 1017, 455, 1729]

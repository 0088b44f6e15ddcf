"""The small examples that SP 800-90B prints with its estimators (January 2018, 6.3.1 to 6.3.10)."""

import numpy as np
import pytest

from edge.entropy.estimators.collision import collision
from edge.entropy.estimators.common_value import most_common_value
from edge.entropy.estimators.compression import compression
from edge.entropy.estimators.lag import lag
from edge.entropy.estimators.lz78y import lz78y
from edge.entropy.estimators.markov import markov
from edge.entropy.estimators.multi_mcw import multi_mcw
from edge.entropy.estimators.multi_mmc import multi_mmc
from edge.entropy.estimators.tuples import count_tuples, longest_repeat, t_tuple

FORTY = "1000111001010101110011000111001010101110"


def symbols(digits, first=0):
    return np.array([int(digit) - first for digit in digits], np.uint8)


def printed(value):
    # The standard rounds as it goes, by up to two units of its last place.
    return pytest.approx(value, abs=2e-4)


def test_most_common_value_gives_the_printed_example():
    assert most_common_value(symbols("01120122010110221021")) == printed(0.5363)


def test_collision_gives_the_printed_example():
    assert collision(symbols(FORTY)) == printed(0.4483)


def test_markov_gives_the_printed_example():
    assert markov(symbols(FORTY)) == pytest.approx(0.761, abs=5e-4)


def test_compression_gives_the_printed_example():
    assert compression(symbols(FORTY + "11100011"), dictionary=4) == printed(0.1345)


def test_t_tuple_and_longest_repeat_give_the_printed_examples():
    counts = count_tuples(symbols("220102012120121001000"), 2)
    assert t_tuple(counts, often=3) == pytest.approx(0.273, abs=5e-4)
    assert longest_repeat(counts, often=3) == printed(0.6146)


def test_multi_mcw_gives_the_printed_example():
    assert multi_mcw(symbols("121021122000"), 3, windows=(3, 5, 7, 9)) == printed(0.3908)


def test_lag_gives_the_printed_example():
    assert lag(symbols("2132131312", 1), 3, lags=3) == pytest.approx(0.735, abs=5e-4)


def test_multi_mmc_gives_the_printed_example():
    assert multi_mmc(symbols("213213131", 1), 3, depths=3) == printed(0.0755)


def test_lz78y_gives_the_printed_example():
    assert lz78y(symbols("2132131312132", 1), 3, depths=4) == printed(0.0191)

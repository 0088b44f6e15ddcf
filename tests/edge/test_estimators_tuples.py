"""Sorted suffixes and tuple counts beside counting by hand."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.entropy.estimators import tuples
from edge.entropy.estimators.suffixes import common_prefixes
from edge.entropy.estimators.tuples import count_tuples, longest_repeat, t_tuple


def prefix(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def by_hand(symbols):
    suffixes = sorted(symbols[i:] for i in range(len(symbols)))
    return [0] + [prefix(a, b) for a, b in pairwise(suffixes)]


def strings():
    """Strings with long repeats: a short piece, repeated and disturbed."""
    piece = st.binary(min_size=1, max_size=12)
    repeated = st.builds(lambda a, n, b: a * n + b + a * n, piece, st.integers(1, 30), piece)
    return st.one_of(st.binary(min_size=2, max_size=80), repeated)


@settings(max_examples=150)
@given(strings(), st.sampled_from([1, 2, 3, 4, 8]))
def test_common_prefixes_of_sorted_suffixes_are_those_found_by_hand(text, bits):
    symbols = bytes(byte % (1 << bits) for byte in text)
    if len(symbols) > 1:
        assert common_prefixes(np.frombuffer(symbols, np.uint8), bits).tolist() == by_hand(symbols)


@settings(max_examples=100)
@given(strings(), st.sampled_from([1, 8]), st.sampled_from([1, 3, 64]))
def test_tuples_are_counted_as_by_hand_whether_long_or_short(text, bits, shallow):
    symbols = bytes(byte % (1 << bits) for byte in text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuples, "_SHALLOW", shallow)
        counts = count_tuples(np.frombuffer(symbols, np.uint8), bits)
    for length in range(1, counts.most.size):
        seen = Counter(symbols[i : i + length] for i in range(len(symbols) - length + 1))
        assert counts.most[length] == max(seen.values())
        assert counts.pairs[length] == sum(n * (n - 1) // 2 for n in seen.values())
    longer = counts.most.size
    assert len({symbols[i : i + longer] for i in range(len(symbols) - longer + 1)}) == max(0, len(symbols) - longer + 1)


def test_nothing_but_one_value_is_one_long_repeat():
    counts = count_tuples(np.zeros(5000, np.uint8), 8)
    assert counts.most.size == 5000
    assert counts.most[4999] == 2
    assert t_tuple(counts) == 0


def test_a_string_without_frequent_values_leaves_the_t_tuple_estimate_without_an_answer():
    counts = count_tuples(np.arange(200, dtype=np.uint8), 8)
    assert t_tuple(counts) is None
    assert longest_repeat(counts) is None

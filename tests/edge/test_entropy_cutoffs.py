from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.entropy.cutoffs import binomial_quantile, proportion_cutoff, repetition_cutoff

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("window", "entropy", "repetition", "proportion"),
    [
        (1024, "1", (21, 31, 41), (590, 609, 626)),
        (1024, "0.98", (22, 32, 42), (597, 616, 633)),
        (1024, "0.8", (26, 39, 51), (664, 683, 699)),
        (1024, "0.5", (41, 61, 81), (793, 810, 824)),
        (512, "8", (4, 5, 6), (14, 17, 20)),
        (512, "7", (4, 6, 7), (18, 23, 27)),
        (512, "4", (6, 9, 11), (63, 71, 79)),
        (512, "1", (21, 31, 41), (311, 325, 337)),
    ],
)
def test_cutoffs_agree_with_the_corrected_table_of_sp_800_90b(window, entropy, repetition, proportion):
    exponents = (20, 30, 40)
    assert tuple(repetition_cutoff(Fraction(entropy), e) for e in exponents) == repetition
    assert tuple(proportion_cutoff(window, Fraction(entropy), e) for e in exponents) == proportion


def test_the_published_formula_differs_from_the_corrected_one_by_the_known_examples():
    published = [1 + binomial_quantile(1024, Fraction(1), 20), 1 + binomial_quantile(512, Fraction(8), 20)]
    assert published == [589, 13]


def exact_tail(trials, denominator, above):
    """P[X > above] for X ~ Binomial(trials, 1 / denominator), as a fraction."""
    from math import comb

    return sum(
        Fraction(comb(trials, hits) * (denominator - 1) ** (trials - hits), denominator**trials)
        for hits in range(above + 1, trials + 1)
    )


@settings(max_examples=40)
@given(st.integers(1, 120), st.integers(1, 8), st.integers(5, 40))
def test_a_quantile_is_the_least_count_whose_tail_is_small_enough(trials, entropy, exponent):
    quantile = binomial_quantile(trials, Fraction(entropy), exponent)
    alpha = Fraction(1, 2**exponent)
    assert exact_tail(trials, 2**entropy, quantile) <= alpha
    assert quantile == 0 or exact_tail(trials, 2**entropy, quantile - 1) > alpha


def test_a_cutoff_never_exceeds_the_window():
    assert proportion_cutoff(512, Fraction(1, 1000), 60) == 512


def test_the_table_in_the_documentation_is_what_the_code_computes():
    exponents = (20, 30, 40, 60)
    rows = [
        [int(cells[0]), Fraction(cells[1]), *map(int, cells[2:])]
        for line in (ROOT / "docs" / "entropy.md").read_text(encoding="utf-8").splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 10 and cells[0].isdecimal()
    ]
    assert len(rows) == 9
    for window, entropy, *cutoffs in rows:
        assert cutoffs == [repetition_cutoff(entropy, e) for e in exponents] + [
            proportion_cutoff(window, entropy, e) for e in exponents
        ]

"""What the tests cannot see, what conditioning leaves of it, and the bounds that docs/entropy.md prints."""

import decimal
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from drivers.qrng.microrng import CREDIT
from edge.entropy.conditioning import HmacSha512
from edge.entropy.drbg import SEED_BYTES
from edge.entropy.health import BitPrediction
from edge.entropy.source import CAP, EXPECTED

DOCS = Path(__file__).resolve().parents[2] / "docs"
SAMPLES = math.ceil(HmacSha512.demand / CREDIT)
"""Samples of one block at the credit of the MicroRNG."""


def lacking(n_in, n_out, width, h_in):
    """log2 of n_out - Output_Entropy(n_in, n_out, nw, h_in), SP 800-90B, 3.1.5.1.2, in 400-digit decimals."""
    with decimal.localcontext() as context:
        context.prec = 400
        two = Decimal(2)
        high = two**-h_in
        low = (1 - high) / (two**n_in - 1)
        n = min(n_out, width)
        psi = two ** (n_in - n) * low + high
        omega = (two ** (n_in - n) + (2 * n * two ** (n_in - n) * two.ln()).sqrt()) * low
        entropy = -(max(psi, omega).ln() / two.ln())
        return float((n_out - entropy).ln() / two.ln())


def by_lemma(bits):
    """log2 of the leftover hash lemma's distance for one block, of samples with so much min-entropy."""
    return -1 + (8 * HmacSha512.size - bits) / 2


def of_release(block, size):
    """log2 of the distance of `size` bytes: distances of blocks, the seed's among them, add up."""
    return block + math.log2(math.ceil((SEED_BYTES + size) / HmacSha512.size))


def rows(title):
    """The rows of numbers of the table that follows a heading, units and powers of two taken away."""
    text = (DOCS / "entropy.md").read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [[float(cell.removeprefix("2^")) for cell in row[1:]] for row in cells if row[-1].startswith("2^")]


@pytest.mark.parametrize("one", [0.51, 0.49])
def test_a_bias_of_one_percent_leaves_more_than_any_source_is_credited_with(one):
    entropy = -8 * math.log2(max(one, 1 - one))
    assert entropy == pytest.approx(7.771, abs=0.001)
    assert entropy > 8 * CAP > CREDIT
    assert SAMPLES * entropy - HmacSha512.demand == pytest.approx(543, abs=1)


def test_every_bias_that_the_bit_prediction_passes_leaves_more_than_is_credited_to_a_real_source():
    passing = (BitPrediction(EXPECTED).cutoffs.intermittent - 1) / 4096
    entropy = -8 * math.log2(passing)
    assert passing == pytest.approx(0.5918, abs=0.0001)
    assert entropy == pytest.approx(6.05, abs=0.01)
    assert entropy > CREDIT
    assert entropy < 8 * CAP  # so a credit above six bits rests on commissioning, not on these tests


def test_the_bounds_in_the_documentation_are_what_the_formulas_give():
    sizes = (22_000, 500_000)
    entropies = (4.0, -8 * math.log2(2424 / 4096), 7.0, -8 * math.log2(0.51))
    expected = []
    for entropy in entropies:
        block = by_lemma(SAMPLES * entropy)
        expected.append([SAMPLES * entropy, block, *(of_release(block, size) for size in sizes)])
    block = lacking(8 * SAMPLES, 512, 512, HmacSha512.demand) + math.log2(math.log(2))
    expected.append([576, block, *(of_release(block, size) for size in sizes)])
    printed = rows("How far from uniform")
    assert len(printed) == len(expected)
    for row, numbers in zip(printed, expected, strict=True):
        assert row == pytest.approx(numbers, abs=0.51)


def test_a_raw_bit_with_that_bias_would_cost_more_than_the_whole_guarantee():
    nats = math.log(0.51 / 0.49)
    assert nats == pytest.approx(0.04, abs=0.001)
    assert 8 * 6619 * nats > 2000  # one window of `place`


def test_the_credit_caps_are_those_of_the_documentation():
    text = (DOCS / "entropy.md").read_text(encoding="utf-8")
    assert Fraction(9, 10) == CAP
    assert "never more than 0.9 of its bits" in text

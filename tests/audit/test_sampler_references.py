"""A second opinion: the samplers of others, which share nothing with ours, draw from the same laws."""

import random
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.peers.cks import CountedBits, gaussian, laplace
from benchmarks.peers.fldr import Fldr
from benchmarks.sampler_cost import two_sample_score
from edge.privacy.bits import BitSource
from edge.privacy.sampling.law import Gaussian, Laplace
from edge.privacy.sampling.sampler import Sampler

MANY, FEW = 300_000, 8000
SCALES = [Fraction(1), Fraction(7, 3), Fraction(40), Fraction(1000), Fraction(628531200), Fraction(2**40)]


def ours(law) -> np.ndarray:
    return Sampler(law).draw(BitSource(lambda n: bytearray(random.Random(n).randbytes(n)), 3_000_000), MANY)


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_the_published_algorithm_draws_from_our_laplace_law(scale: Fraction) -> None:
    bits = CountedBits(random.Random(7).randbytes)
    theirs = np.array([laplace(bits.below, scale) for _ in range(FEW)])
    assert abs(two_sample_score(ours(Laplace(scale)), theirs)) < 5


@pytest.mark.parametrize("variance", [scale**2 for scale in SCALES], ids=str)
def test_the_published_algorithm_draws_from_our_gaussian_law(variance: Fraction) -> None:
    bits = CountedBits(random.Random(8).randbytes)
    theirs = np.array([gaussian(bits.below, variance) for _ in range(FEW)])
    assert abs(two_sample_score(ours(Gaussian(variance)), theirs)) < 5


@pytest.mark.parametrize("scale", [1, 40, 1000, 628531200, 2**40])
@pytest.mark.parametrize("constructor", ["make_laplace", "make_gaussian"])
def test_opendp_draws_from_our_laws(constructor: str, scale: int) -> None:
    pytest.importorskip("opendp", reason="needs opendp")
    from benchmarks.sampler_cost import _opendp

    theirs = np.array(_opendp(constructor, Fraction(scale))([0] * FEW))
    law = Laplace(Fraction(scale)) if constructor == "make_laplace" else Gaussian(Fraction(scale) ** 2)
    assert abs(two_sample_score(ours(law), theirs)) < 6  # opendp's randomness cannot be fixed


def test_a_scale_that_is_a_quarter_off_is_noticed() -> None:
    bits = CountedBits(random.Random(9).randbytes)
    theirs = np.array([laplace(bits.below, Fraction(1250)) for _ in range(FEW)])
    assert abs(two_sample_score(ours(Laplace(Fraction(1000))), theirs)) > 6


def test_the_dice_roller_rolls_with_its_weights() -> None:
    generator = np.random.default_rng(3)
    drawn, used = Fldr([5, 2, 1]).draw(lambda n: generator.random(n) < 0.5, 80_000)
    assert np.abs(np.bincount(drawn) / 80_000 - np.array([5, 2, 1]) / 8).max() < 0.008
    assert 1.74 < used / 80_000 < 1.76

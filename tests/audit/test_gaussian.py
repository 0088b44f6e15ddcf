"""What the Gaussian noise rests on, without chance."""

from fractions import Fraction

import numpy as np
import pytest

from audit.divergence import compare, theta
from audit.enumerate import BitString
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.sampling.law import Gaussian, Laplace
from edge.privacy.sampling.sampler import Sampler

VARIANCES = (Fraction(1, 4), Fraction(1), Fraction(7, 3))
ORDERS = (Fraction(17, 16), Fraction(3, 2), Fraction(2), Fraction(129, 16))


def test_theorem_g1_no_shift_raises_the_sum_of_gaussian_weights() -> None:
    found = compare(VARIANCES, (1, 2), ORDERS)
    assert (found.above, found.undecided) == (0, 0)
    assert found.equal < found.tried


def test_the_comparison_would_see_a_sum_that_is_larger() -> None:
    """θ(1/2) of a wider law is above θ(0) of a narrower one, and the bounds tell."""
    narrow, wide = theta(Fraction(1), Fraction(0)), theta(Fraction(101, 100), Fraction(1, 2))
    assert wide[0] > narrow[1]


@pytest.mark.parametrize(("centre", "value"), [(0, 2.5066282880429055), (Fraction(1, 2), 2.5066282612190955)])
def test_the_bounds_hold_the_known_value(centre: Fraction, value: float) -> None:
    """√(2π) · (1 ± 2 e^(-2π²) + …), by Poisson's summation formula."""
    low, high = theta(Fraction(1), Fraction(centre))
    assert low / 2**900 == pytest.approx(value, rel=1e-14)
    assert high - low < 2**40


class _Pool:
    def take(self, n: int) -> bytearray:
        return bytearray(np.random.default_rng(n).bytes(n))


@pytest.mark.parametrize(
    ("noise", "law"), [("discrete-laplace", Laplace(Fraction(300))), ("discrete-gaussian", Gaussian(Fraction(90000)))]
)
def test_a_window_gets_noise_of_its_law_with_the_scale_as_its_standard_deviation(
    noise: str, law: Laplace | Gaussian
) -> None:
    mechanism = Mechanism(LinearLut(1), 1, 3, 5, 1, 300, noise)  # type: ignore[arg-type]  # one of two names
    assert mechanism.law == law
    given = _Pool().take(4096)
    drawn = Noise.draw(mechanism, _Fixed(given)).redeem()
    expected = Sampler(law).draw(BitString(int.from_bytes(given, "big"), 8 * len(given)), 15)
    assert drawn.ravel().tolist() == expected.tolist()


class _Fixed:
    """The same bytes, however many are asked for."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data

    def take(self, n: int) -> bytearray:
        return bytearray(self._data[:n])

from fractions import Fraction

import pytest
from factories import altered, make_statement

from wire import loss
from wire.check import check
from wire.errors import WireError, WireReason


def test_a_statement_that_follows_from_its_numbers_passes(signed):
    check(signed[0])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"epsilon": Fraction(1, 2)}, "epsilon"),
        ({"epsilon_level": Fraction(1, 2)}, "epsilon_level"),
        ({"slope": Fraction(1, 7)}, "slope"),
        ({"cost_total": Fraction(0)}, "cost_total"),
        ({"scale": 5}, "slope"),
        ({"frame_rate": Fraction(0)}, "frame_rate"),
        ({"frame_rate": Fraction(2)}, "unit.frames"),
        ({"rows": 31}, "rows"),
        ({"columns": 41}, "columns"),
        ({"simulated": False}, "simulated"),
    ],
)
def test_a_statement_that_does_not_follow_is_refused_and_its_part_named(signed, change, part):
    observation = altered(signed[0], statement=altered(make_statement(), **change))
    with pytest.raises(WireError) as caught:
        check(observation)
    assert caught.value.reason is WireReason.SCHEMA
    assert caught.value.detail.startswith(f"statement.{part} ")


def test_a_clock_that_was_set_back_during_a_window_spoils_nothing(signed):
    check(altered(signed[0], closed=signed[0].opened - 1))


def gaussian(**changes):
    """A statement of Gaussian noise that follows, but for what is changed afterwards."""
    laplace, delta = make_statement(), Fraction(1, 2**40)
    slope = laplace.slope / 8
    cost = loss.cost("discrete-gaussian", slope, laplace.unit, laplace.cell, laplace.frames)
    epsilon = loss.epsilon("discrete-gaussian", cost, laplace.unit, delta)
    parts = {"mechanism": "discrete-gaussian", "delta": delta, "rho": loss.zcdp(cost, laplace.unit), "slope": slope}
    parts |= {"scale": laplace.scale * 8, "cost_total": cost, "epsilon": epsilon, "epsilon_level": epsilon}
    return altered(laplace, **(parts | changes))


def test_a_statement_of_gaussian_noise_that_follows_passes(signed):
    check(altered(signed[0], statement=gaussian()))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"delta": Fraction(0)}, "delta"),
        ({"delta": Fraction(1)}, "delta"),
        ({"delta": Fraction(1, 2**41)}, "epsilon_level"),
        ({"rho": Fraction(1, 9)}, "rho"),
        ({"cost_total": Fraction(1, 10**30)}, "cost_total"),
        ({"epsilon": Fraction(1, 10**6)}, "epsilon"),
        ({"mechanism": "discrete-laplace"}, "delta"),
        ({"mechanism": "discrete-laplace", "delta": Fraction(0)}, "cost_total"),
        ({"cell": 8, "rows": 60, "columns": 80}, "epsilon_level"),
    ],
)
def test_a_statement_of_gaussian_noise_that_does_not_follow_is_refused(signed, change, part):
    with pytest.raises(WireError) as caught:
        check(altered(signed[0], statement=gaussian(**change)))
    assert caught.value.reason is WireReason.SCHEMA
    assert f"statement.{part} " in caught.value.detail

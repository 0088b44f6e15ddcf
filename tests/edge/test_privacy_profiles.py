import math
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest

from edge.errors import ConfigError
from edge.privacy.plan import Curve, Plan, plan_for
from edge.privacy.profiles import PROFILES, named
from edge.privacy.schedule import Reference
from edge.privacy.statement import make_statement
from wire.schema import Entropy

PROMISED = {
    # profile: (ε of the unit, sd of each level in grey): the table of the README and of docs
    "place": (1, [20, 10]),
    "map-day": (1, [10]),
    "map-week": (1, [6]),
    "map-near": (1, [10]),
    "state-hour": (1, [15]),
    "resident": (2, [15]),
    "month": (1, [10]),
    "snapshot": (4, [22.5]),
}


def entropy_of(source: str, *, simulated: bool) -> Entropy:
    return Entropy(
        source=source,
        model="",
        sample_bits=8,
        credit=Fraction(4),
        conditioning="x",
        construction="rbg3-xor",
        partners=[],
        simulated=simulated,
    )


def plan(profile: str, *, rate: Fraction = Fraction(1), **changes: object) -> Plan:
    settings = {"width": 640, "height": 480, "max_value": 255, "frame_rate": rate, "curve": Curve(), "tau": None}
    return plan_for(named(profile), **(settings | changes))  # type: ignore[arg-type]  # a test names any of them


@pytest.mark.parametrize("profile", PROMISED)
@pytest.mark.parametrize("rate", [Fraction(1), Fraction(2), Fraction(1, 5)])
def test_each_profile_keeps_the_epsilon_and_the_noise_of_its_row(profile: str, rate: Fraction) -> None:
    epsilon, noises = PROMISED[profile]
    made = plan(profile, rate=rate)
    assert made.epsilon <= epsilon
    assert made.epsilon > epsilon * (1 - Fraction(1, 10**5))
    for level, expected in zip(made.levels, noises, strict=True):
        mechanism = level.mechanism(None)
        noise = math.sqrt(2) * mechanism.scale / (mechanism.frames * mechanism.cell**2)
        assert noise == pytest.approx(expected, rel=0.06)


def test_every_profile_has_a_row() -> None:
    assert set(PROFILES) == set(PROMISED)


def test_compressed_time_has_144_frames_a_day_and_one_frame_a_visit() -> None:
    made = plan("place", rate=Fraction(1, 600))
    assert made.unit.frames == 1
    assert [level.frames for level in made.levels] == [144, 18]


@pytest.mark.parametrize("rate", [Fraction(1), Fraction(1, 7), Fraction(7, 3), Fraction(1, 600), Fraction(1, 10**6)])
def test_a_visit_shorter_than_the_unit_never_touches_more_frames_than_the_unit_counts(rate: Fraction) -> None:
    """The fencepost: over every phase of the frames, in steps of a hundredth of a period."""
    seconds = 600
    most = 0
    longest = seconds - Fraction(1, 10**9)
    for phase in range(100):
        first = Fraction(phase, 100) / rate
        most = max(most, 0 if first > longest else 1 + math.floor((longest - first) * rate))
    frames = PROFILES["map-day"].unit(rate).frames
    assert most <= frames <= max(1, most)


@pytest.mark.parametrize("profile", PROMISED)
@pytest.mark.parametrize(("lut", "max_value"), [("linear", 255), ("log", 255), ("linear", 4092), ("log", 4092)])
@pytest.mark.parametrize("tau", [None, 1, 32, 127])
def test_no_window_of_a_plan_costs_more_than_the_ledger_is_opened_for(
    profile: str, lut: Literal["linear", "log"], max_value: int, tau: int | None
) -> None:
    made = plan(profile, curve=Curve(lut), max_value=max_value, tau=tau)
    for level in made.levels:
        flat = np.zeros((level.rows, level.columns), np.int64)
        costs = [
            level.mechanism(each).cost(made.unit)
            for each in (None, Reference(flat, wide=True), Reference(flat, wide=False))
        ]
        assert max(costs) == level.cost_of(made.unit) <= level.cost_max
    assert made.cost_total == sum(level.cost_of(made.unit) for level in made.levels)


def test_residual_windows_have_less_noise_by_the_ratio_of_the_ranges() -> None:
    level = plan("map-day", tau=32).levels[0]
    absolute, residual = level.mechanism(None), level.mechanism(Reference(np.zeros((30, 40), np.int64), wide=True))
    assert Fraction(residual.scale, absolute.scale) == Fraction(64, 255)
    assert level.mechanism(None).lut.spec.name == "linear"


def test_without_tau_a_reference_changes_nothing() -> None:
    assert (
        plan("map-day").levels[0].mechanism(Reference(np.zeros((30, 40), np.int64), wide=True)).lut.spec.name
        == "linear"
    )


def test_tau_is_in_grey_whatever_the_sensor() -> None:
    assert plan("map-day", tau=32).levels[0].tau == 32
    assert plan("map-day", tau=32, max_value=4092).levels[0].tau == round(32 * 4092 / 255)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"profile": "mapday"}, "no profile `mapday`"),
        ({"width": 63, "profile": "state-hour"}, "cells of 64 pixels"),
        ({"rate": Fraction(1, 10**6), "profile": "map-day"}, "shorter than one frame"),
    ],
)
def test_what_cannot_be_promised_is_refused_with_a_remedy(changes: dict[str, object], detail: str) -> None:
    with pytest.raises(ConfigError, match=detail) as caught:
        plan(**changes)  # type: ignore[arg-type]  # a test names any of them
    assert caught.value.remedy


@pytest.mark.parametrize("profile", PROMISED)
def test_a_statement_can_be_added_up_again_by_its_reader(profile: str) -> None:
    made = plan(profile, tau=32)
    entropy = entropy_of("microrng", simulated=False)
    for level in made.levels:
        mechanism = level.mechanism(Reference(np.zeros((level.rows, level.columns), np.int64), wide=True))
        said = make_statement(made, mechanism, entropy=entropy, pixel_source="raw", simulated=False)
        assert said.slope == Fraction(said.lut.range, said.scale)
        assert said.epsilon_level == said.slope * said.unit.exposure <= level.cost_max * said.unit.exposure
        assert said.epsilon == said.cost_total * said.unit.exposure >= said.epsilon_level
        assert said.unit.frames == max(1, math.ceil(said.unit.seconds * said.frame_rate))
        assert (said.frames, said.cell, said.rows, said.columns) == (
            level.frames,
            level.cell,
            level.rows,
            level.columns,
        )
        assert not said.simulated


def test_simulated_noise_makes_the_statement_simulated() -> None:
    made = plan("map-day")
    entropy = entropy_of("software", simulated=True)
    mechanism = made.levels[0].mechanism(None)
    assert make_statement(made, mechanism, entropy=entropy, pixel_source="raw", simulated=False).simulated

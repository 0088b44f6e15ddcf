"""What `[privacy]` may promise, and what is refused: the line, the reason, and an alternative that works."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge.config import configuration_hash, load
from edge.errors import ConfigError
from edge.privacy.plan import Plan
from edge.privacy.schedule import Reference
from edge.privacy.statement import make_statement
from edge.promise import plan_of
from wire.schema import Entropy

HEAD = """[device]
id = "ward-3"
[camera]
driver = "synthetic"
[privacy]
profile = "custom"
"""
CUSTOM = (
    HEAD
    + """lut = "linear"
[privacy.custom]
visit_seconds = 600
pixels = 1024
epsilon = "1"
[[privacy.custom.levels]]
name = "hours"
window_seconds = 10800
cell = 64
epsilon = "1/2"
[[privacy.custom.levels]]
name = "day"
window_seconds = 86400
cell = 16
epsilon = "1/4"
[[privacy.custom.levels]]
name = "month"
window_seconds = 2592000
cell = 8
epsilon = "1/4"
"""
)
GAUSSIAN = CUSTOM.replace('epsilon = "1"\n', 'epsilon = "1"\nnoise = "gaussian"\ndelta = "1/1099511627776"\n')
ENTROPY = Entropy(
    source="microrng",
    model="",
    sample_bits=8,
    credit=Fraction(4),
    conditioning="x",
    construction="rbg3-xor",
    partners=[],
    simulated=False,
)


def plan(folder: Path, text: str) -> Plan:
    path = folder / "speckled.toml"
    path.write_text(text, encoding="utf-8")
    return plan_of(load(path).privacy, width=640, height=480, max_value=255)


def test_levels_of_ones_own_share_what_may_be_spent_and_begin_and_end_together(tmp_path: Path) -> None:
    made = plan(tmp_path, CUSTOM)
    assert [level.frames for level in made.levels] == [10800, 86400, 2592000]
    assert 0.99999 < made.epsilon <= 1
    assert made.cost_total == sum(level.mechanism(None).slope for level in made.levels)
    odd = plan(tmp_path, CUSTOM.replace("[privacy]\n", '[privacy]\nframes_per_second = "1/7"\n'))
    assert [level.frames for level in odd.levels] == [1542, 8 * 1542, 240 * 1542]


def test_gaussian_noise_keeps_the_epsilon_together_with_its_delta(tmp_path: Path) -> None:
    made = plan(tmp_path, GAUSSIAN)
    assert made.noise == "discrete-gaussian"
    assert made.delta == Fraction(1, 2**40)
    assert 0.9999 < made.epsilon <= 1
    assert made.rho == made.cost_total * made.unit.exposure / 2
    for level in made.levels:
        mechanism = level.mechanism(None)
        assert mechanism.cost(made.unit) <= level.cost_max
        assert (mechanism.slope * Fraction(mechanism.scale, mechanism.scale - 1)) ** 2 > mechanism.slope**2
        said = make_statement(made, mechanism, entropy=ENTROPY, pixel_source="raw", simulated=False)
        assert (said.mechanism, said.delta, said.rho) == ("discrete-gaussian", made.delta, made.rho)
        assert said.epsilon_level < said.epsilon == made.epsilon


def test_gaussian_noise_is_less_where_a_unit_is_spread_over_many_cells_and_more_where_it_is_not(tmp_path: Path) -> None:
    def noise(text: str, factor: float) -> float:
        mechanism = plan(tmp_path, text).levels[1].mechanism(None)
        return factor * mechanism.scale

    near = ("pixels = 1024", "pixels = 65536")
    assert noise(GAUSSIAN, 1) > noise(CUSTOM, 2**0.5)
    assert noise(GAUSSIAN.replace(*near), 1) < noise(CUSTOM.replace(*near), 2**0.5)


def test_another_presence_than_the_unit_costs_by_its_size_and_time(tmp_path: Path) -> None:
    for text in (CUSTOM, GAUSSIAN):
        made = plan(tmp_path, text)
        twice = made.unit.__class__(visits=2, seconds=600, frames=600, pixels=1024)
        assert made.epsilon < made.epsilon_of(twice)
        assert made.epsilon_of(made.unit) == made.epsilon


@pytest.mark.parametrize(
    ("lines", "name", "lut_range"),
    [
        ('lut = "clip"\nclip = [64, 192]\n', "clip", 128),
        ('lut = "log"\nlog_offset = 3\n', "log", 1023),
        ('lut = "log"\n', "log", 1023),
        ('lut = "linear"\n', "linear", 255),
    ],
)
def test_the_table_of_absolute_windows_is_chosen(tmp_path: Path, lines: str, name: str, lut_range: int) -> None:
    made = plan(tmp_path, HEAD.replace('"custom"', '"place"') + lines)
    spec = made.levels[0].mechanism(None).lut.spec
    assert (spec.name, spec.range) == (name, lut_range)
    assert spec.parameter == {"clip": 64, "linear": 0}.get(name, 3 if "offset" in lines else 128)


def test_what_is_promised_is_part_of_the_configuration_hash(tmp_path: Path) -> None:
    path = tmp_path / "speckled.toml"
    hashes = set()
    for text in (CUSTOM, GAUSSIAN, CUSTOM.replace("cell = 16", "cell = 17")):
        path.write_text(text, encoding="utf-8")
        hashes.add(configuration_hash(load(path)))
    assert len(hashes) == 3


REFUSED = [
    # what is changed, the line, the reason, what is offered instead
    (('epsilon = "1"\n', 'epsilon = "0"\n'), 11, "ε is 0", '"1"'),
    (('epsilon = "1/2"', 'epsilon = "0"'), 16, "ε is 0", '"1/3"'),
    (('epsilon = "1/2"', 'epsilon = "1/0"'), 16, "ε is 0", '"1/3"'),
    (('epsilon = "1/2"', 'epsilon = "-1/2"'), 16, "matching regex", "correct"),
    (('epsilon = "1/2"', 'epsilon = "3/2"'), 16, "spend ε = 2 together, and 1 may be", '"3/4", "1/8", "1/8"'),
    (("window_seconds = 86400", "window_seconds = 86000"), 19, "whole windows of 10800 s", "75600 or 86400"),
    (("window_seconds = 10800", "window_seconds = 0"), None, "", ""),
    (("cell = 64", "cell = 640"), 15, "cells of 640 pixels, and the frame is 640 x 480", "at most 480"),
    (("cell = 64", "cell = 0"), 15, "Expected `int` >= 1", "correct"),
    (('name = "day"', 'name = "hours"'), 18, "two levels", '"hours-2"'),
    (('name = "day"', 'name = "../day"'), 18, "matching regex", "correct"),
    (("pixels = 1024", 'pixels = 1024\ndelta = "1/8"'), 11, "no δ", "gaussian"),
    (("pixels = 1024", 'pixels = 1024\nnoise = "gaussian"'), 8, "needs a δ", 'delta = "1/1000000000000"'),
    (("visit_seconds", "visit_second"), 9, "unknown field `visit_second`", "`visit_seconds`"),
    (('"linear"', '"clip"'), 7, "nothing is clipped", "clip = [64, 192]"),
    (('"linear"', '"clip"\nclip = [9, 9]'), 8, "9 is not below 9", "[64, 192]"),
    (('"custom"', '"costum"'), 6, "no profile `costum`", "custom"),
]


@pytest.mark.parametrize(("change", "line", "reason", "remedy"), REFUSED)
def test_a_promise_that_cannot_be_kept_is_refused_with_its_line_and_an_alternative(
    tmp_path: Path, change: tuple[str, str], line: int | None, reason: str, remedy: str
) -> None:
    text = CUSTOM.replace(*change, 1)
    assert text != CUSTOM
    if line is None:
        plan(tmp_path, text)
        return
    with pytest.raises(ConfigError) as caught:
        plan(tmp_path, text)
    assert re.match(rf".*/speckled\.toml:{line}: ", caught.value.detail)
    assert reason in caught.value.detail
    assert remedy in caught.value.remedy


def test_what_is_offered_for_levels_that_spend_too_much_works(tmp_path: Path) -> None:
    text = CUSTOM.replace('epsilon = "1/2"', 'epsilon = "3/2"')
    with pytest.raises(ConfigError) as caught:
        plan(tmp_path, text)
    offered = re.findall(r'"([\d/]+)"', caught.value.remedy)
    for before, after in zip(("3/2", "1/4", "1/4"), offered, strict=True):
        text = text.replace(f'epsilon = "{before}"', f'epsilon = "{after}" ', 1)
    assert plan(tmp_path, text).epsilon <= 1


def test_a_custom_profile_without_its_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":6: there is no \[privacy\.custom\]"):
        plan(tmp_path, HEAD)


def test_a_residual_window_of_a_gaussian_level_has_the_same_cost(tmp_path: Path) -> None:
    made = plan(tmp_path, GAUSSIAN)
    level = made.levels[1]
    residual = level.mechanism(Reference(np.zeros((level.rows, level.columns), np.int64), wide=True))
    absolute = level.mechanism(None)
    assert residual.cost(made.unit) <= level.cost_max
    assert residual.scale < absolute.scale

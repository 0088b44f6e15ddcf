"""Claims that an attack, a whole run or a direct look at the noise decides; most of them kill mutations too."""

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from audit.daemon import open_daemon
from audit.darkness import black, black_against_white, compare, white
from audit.distinguish import EPSILON, WORST, Event, best_event, guess_canaries, prove, releases, true_epsilon
from audit.exact import LAWS, SHAPES, bracket, exhaust, rational_ratios
from audit.golden import EXPECTED, ramp, vectors
from audit.rig import run
from edge.features.map import MapKeeper
from edge.privacy.cells import CellSums
from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.plan import LevelPlan
from edge.privacy.release import Release
from edge.privacy.terms import one_pair
from wire.schema import Unit

COINS = np.random.default_rng(4).integers(0, 2, (240, 320)).astype(np.bool_)


def test_guessing_canaries_in_one_release_proves_nearly_what_is_promised_and_not_more() -> None:
    """Chances of a false alarm: the bound passes 1 in one run of 10 000, and is below 0.9 in fewer."""
    guessed = guess_canaries(240, 320, COINS, alpha=1e-4)
    assert 0.9 * EPSILON <= guessed.epsilon <= EPSILON


def test_an_attacker_who_knows_both_videos_proves_no_more_than_is_promised() -> None:
    assert true_epsilon() == EPSILON
    proof = prove(releases(WORST, 1, 2500), releases(WORST, 0, 2500), 500, alpha=1e-4)
    assert 0.4 * EPSILON <= proof.epsilon.low <= EPSILON


def test_the_best_event_is_found_where_theory_says() -> None:
    law = np.random.default_rng(3)
    noise = [law.geometric(1 - np.exp(-1 / 8), (2, 200_000)) for _ in range(2)]
    empty, visited = (one[0] - one[1] for one in noise)
    event = best_event(visited + 8, empty)
    assert event.above
    assert 6 <= event.threshold <= 10
    assert Event(3, above=False).hits(np.array([2, 3, 4])) == 2


@pytest.mark.parametrize(
    "lut", [LinearLut(255), LogLut.of(255), LogLut(4092, 100), ResidualLut(np.full((1, 1), 100), 32, 255)], ids=repr
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_darkest_and_the_brightest_pixel_are_exactly_the_range_apart(lut: Lut, dtype: type) -> None:
    sums = np.zeros((2, 1, 1), np.int64)
    cells = CellSums(lut, 1, 1, 1)
    for out, value in zip(sums, (0, min(lut.max_value, np.iinfo(dtype).max)), strict=True):
        cells.add(np.full((1, 1), value, dtype), out)
    reached = int(sums[1, 0, 0] - sums[0, 0, 0])
    assert reached <= lut.range
    assert reached == lut.range or lut.max_value > np.iinfo(dtype).max


def test_noise_is_as_long_tailed_as_its_law_and_never_cut_off() -> None:
    mechanism = Mechanism(LinearLut(1), 1, 240, 320, 1, 8)
    with open_daemon(mechanism.slope) as daemon:
        sums = daemon.release(mechanism, np.zeros((1, 240, 320), np.uint8))
    beyond = int(np.count_nonzero(np.abs(sums) > 8 * 8))  # 76 800 e^-8.06 = 24 on average; fewer than 4 of them: 10^-6
    assert 4 <= beyond <= 60


@pytest.mark.parametrize("epsilon", [Fraction(1), Fraction(7, 3), Fraction(3, 1000)])
@pytest.mark.parametrize("lut_range", [1, 64, 255, 1023])
def test_a_scale_is_never_smaller_than_its_epsilon_needs(lut_range: int, epsilon: Fraction) -> None:
    unit = Unit(visits=1, seconds=10, frames=10, pixels=17)
    level = LevelPlan(
        "map", unit, "discrete-laplace", LinearLut(lut_range), None, 4, 2, 2, 100, epsilon / unit.exposure
    )
    mechanism = level.mechanism(None)
    assert mechanism.slope * unit.exposure <= epsilon
    assert Fraction(mechanism.lut.range, mechanism.scale - 1) * unit.exposure > epsilon


def test_a_black_and_a_white_video_look_alike_in_everything_but_the_numbers_released() -> None:
    difference = black_against_white()
    assert difference.found == ()
    assert difference.compared > 300


def test_a_program_that_says_how_bright_it_is_would_be_noticed(tmp_path: Path) -> None:
    runs = []
    for name, paint, frames in (("black", black, 18), ("white", white, 19)):
        (tmp_path / name).mkdir()
        runs.append(run(paint, frames, tmp_path / name))
    assert compare(*runs).found


def test_every_reference_follows_from_the_releases_before_it(tmp_path: Path) -> None:
    files = run(ramp, 144, tmp_path, tau=32).files
    residual = 0
    for level in ("map", "state"):
        keeper = MapKeeper(fuse=1)
        for name in sorted(name for name in files if f"/{level}/" in name):
            release = Release.from_bytes(files[name])
            lut, expected = release.mechanism.lut, keeper.reference()
            assert isinstance(lut, ResidualLut) == (expected is not None)
            if isinstance(lut, ResidualLut):
                residual += 1
                assert (lut.reference == expected.values).all()
                assert lut.tau == expected.tau(32)
            keeper.add(release)
    assert residual >= 4


def test_fixed_frames_and_fixed_bits_give_the_release_ledger_and_message_that_they_always_gave() -> None:
    assert vectors() == EXPECTED


def test_the_largest_change_of_a_sum_is_the_closed_form_for_every_pair_of_videos_of_a_shape() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(
            Path(folder) / "ledger",
            device="tiny",
            configuration=bytes(32),
            terms=one_pair(Fraction(10**6), Fraction(1)),
            clock=lambda: 0,
        )
        found = exhaust(SHAPES[1], ledger)
        ledger.close()
    assert found.passed == 0
    assert found.attained == 4
    assert found.pairs == 81 * 80 // 2


def test_the_privacy_loss_of_every_release_is_at_most_the_distance_over_the_scale_and_reaches_it() -> None:
    ratios = rational_ratios((1, 7, 2**40), 4)
    assert ratios.holds
    assert ratios.worst == 1


@pytest.mark.parametrize("law", LAWS[:1] + LAWS[4:5], ids=str)
def test_a_law_is_bracketed_by_what_all_strings_of_bits_give(law) -> None:
    tree = bracket(law)
    assert tree.holds
    assert tree.open < Fraction(1, 10)

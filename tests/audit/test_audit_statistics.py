import math

import numpy as np
import pytest

from audit.report import Row, markdown, write
from audit.statistics import binomial_tail, clopper_pearson, epsilon_interval, one_run_epsilon


@pytest.mark.parametrize(("n", "k", "p"), [(1, 1, 0.3), (10, 3, 0.2), (10, 10, 0.9), (40, 1, 0.001), (57, 29, 0.5)])
def test_a_binomial_tail_is_the_sum_of_its_masses(n, k, p) -> None:
    exact = math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    assert binomial_tail(n, k, p) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # The rule of three's exact form for none and all, and the table of Brown, Cai and DasGupta (2001) has the third.
    [(0, 20, 0, 1 - 0.025 ** (1 / 20)), (20, 20, 0.025 ** (1 / 20), 1), (10, 20, 0.27196, 0.72804)],
)
def test_a_clopper_pearson_interval_is_the_published_one(hits, n, low, high) -> None:
    interval = clopper_pearson(hits, n, 0.05)
    assert interval.low == pytest.approx(low, abs=1e-5)
    assert interval.high == pytest.approx(high, abs=1e-5)


def test_the_interval_misses_the_truth_as_rarely_as_it_says_at_every_count() -> None:
    n, p, alpha = 60, 0.2, 0.1
    masses = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    intervals = [clopper_pearson(k, n, alpha) for k in range(n + 1)]
    assert sum(m for m, i in zip(masses, intervals, strict=True) if p < i.low) <= alpha / 2
    assert sum(m for m, i in zip(masses, intervals, strict=True) if p > i.high) <= alpha / 2


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_more_hits_than_trials_are_refused(hits, n) -> None:
    with pytest.raises(ValueError):
        clopper_pearson(hits, n, 0.05)


def test_counts_of_100_000_are_bounded_closely_and_on_both_sides() -> None:
    interval = epsilon_interval(53_000, 19_500, 100_000, 0.05)
    assert interval.low < math.log(53 / 19.5) < interval.high
    assert interval.high - interval.low < 0.05


def test_an_event_that_never_happens_proves_nothing_and_one_that_only_happens_once_visited_has_no_upper_bound() -> None:
    assert epsilon_interval(0, 5, 10, 0.05).low == -math.inf
    assert epsilon_interval(5, 0, 10, 0.05).high == math.inf


def test_guesses_no_better_than_a_coin_prove_nothing_and_perfect_ones_much() -> None:
    assert one_run_epsilon(500, 1000, 0.05) == 0
    assert one_run_epsilon(1000, 1000, 0.05) > 5


def test_the_bound_of_one_run_holds_as_often_as_it_says_for_randomised_response() -> None:
    chance = math.e / (1 + math.e)
    correct = np.random.default_rng(1).binomial(2000, chance, 400)
    too_high = sum(one_run_epsilon(int(k), 2000, 0.05) > 1 for k in correct)
    assert too_high <= 400 * 0.05 + 3 * math.sqrt(400 * 0.05 * 0.95)
    assert one_run_epsilon(int(np.median(correct)), 2000, 0.05) > 0.85


def test_the_report_lines_up_and_says_what_fails(tmp_path) -> None:
    rows = [Row("a claim", "m", "1", "0", "1", holds=True), Row("b", "m", "2", "0", "1", holds=False, gating=False)]
    lines = markdown(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert not any(row.fails for row in rows)
    assert Row("c", "m", "2", "0", "1", holds=False).fails
    write(tmp_path, rows, {"date": "today"})
    assert "FAILS (told only)" in (tmp_path / "report.md").read_text()
    assert '"verdict": "holds"' in (tmp_path / "report.json").read_text()

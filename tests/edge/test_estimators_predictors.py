"""The vectorised predictors beside the loops of SP 800-90B, 6.3.7 to 6.3.10, written out as the standard has them."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.entropy.estimators import lz78y as lz78y_module
from edge.entropy.estimators import multi_mmc as multi_mmc_module
from edge.entropy.estimators.lag import lag
from edge.entropy.estimators.lz78y import lz78y
from edge.entropy.estimators.multi_mcw import multi_mcw
from edge.entropy.estimators.multi_mmc import multi_mmc
from edge.entropy.estimators.prediction import Scoreboard, predictability


def play(symbols, start, predictions):
    """Steps 3 of all four sections: predictions(i) gives one guess, or None, for each predictor."""
    scores, winner, correct = None, 0, []
    for i in range(start, len(symbols)):
        guesses = predictions(i)
        scores = scores or [0] * len(guesses)
        correct.append(guesses[winner] == symbols[i])
        for j, guess in enumerate(guesses):
            if guess == symbols[i]:
                scores[j] += 1
                if scores[j] >= scores[winner]:
                    winner = j
    longest = max((len(run) for run in "".join("x" if c else " " for c in correct).split()), default=0)
    return sum(correct), len(correct), longest


def window_guesses(symbols, windows):
    def commonest(i, width):
        if i < width:
            return None
        part = symbols[i - width : i]
        seen = Counter(part)
        return next(s for s in reversed(part) if seen[s] == max(seen.values()))

    return lambda i: [commonest(i, width) for width in windows]


def best(counts):
    return max(counts, key=lambda symbol: (counts[symbol], symbol))


def markov_guesses(symbols, depths, entries):
    models = [defaultdict(Counter) for _ in range(depths)]
    sizes = [0] * depths
    done = 1

    def learn(i):
        for d in range(1, depths + 1):
            if i - d < 0:
                continue
            context = models[d - 1][tuple(symbols[i - d : i])]
            if symbols[i] in context:
                context[symbols[i]] += 1
            elif sizes[d - 1] < entries:
                context[symbols[i]] = 1
                sizes[d - 1] += 1

    def guesses(i):
        nonlocal done
        while done < i:
            learn(done)
            done += 1
        found = [models[d - 1].get(tuple(symbols[i - d : i])) if i >= d else None for d in range(1, depths + 1)]
        return [best(counts) if counts else None for counts in found]

    return guesses


def lz78y_guesses(symbols, depths, entries):
    dictionary = {}
    done = depths

    def guesses(i):
        nonlocal done
        while done < i:
            for j in range(depths, 0, -1):
                context = tuple(symbols[done - j : done])
                if context not in dictionary and len(dictionary) < entries:
                    dictionary[context] = Counter()
                if context in dictionary:
                    dictionary[context][symbols[done]] += 1
            done += 1
        guess, most = None, 0
        for j in range(depths, 0, -1):
            counts = dictionary.get(tuple(symbols[i - j : i]))
            if counts and max(counts.values()) > most:
                guess, most = best(counts), max(counts.values())
        return [guess]

    return guesses


def strings(alphabet):
    return st.lists(st.integers(0, alphabet - 1), min_size=12, max_size=90)


def expected(symbols, start, guesses, alphabet):
    hits, total, longest = play(symbols, start, guesses)
    return pytest.approx(predictability(hits, total, longest, alphabet), abs=1e-12)


@settings(max_examples=60)
@given(st.sampled_from([2, 3, 5]).flatmap(lambda k: st.tuples(st.just(k), strings(k))))
def test_multi_mcw_predicts_as_the_standard_writes_it(case):
    alphabet, symbols = case
    found = multi_mcw(np.array(symbols, np.uint8), alphabet, (3, 5, 7, 9))
    assert found == expected(symbols, 3, window_guesses(symbols, (3, 5, 7, 9)), alphabet)


@settings(max_examples=60)
@given(strings(3))
def test_lag_predicts_as_the_standard_writes_it(symbols):
    def guesses(i):
        return [symbols[i - d] if i >= d else None for d in range(1, 9)]

    assert lag(np.array(symbols, np.uint8), 3, lags=8) == expected(symbols, 1, guesses, 3)


@settings(max_examples=80)
@given(
    st.sampled_from([2, 3, 5]).flatmap(lambda k: st.tuples(st.just(k), strings(k))), st.sampled_from([5, 12, 100_000])
)
def test_multi_mmc_predicts_as_the_standard_writes_it_also_when_its_models_are_full(case, entries):
    alphabet, symbols = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi_mmc_module, "ENTRIES", entries)
        found = multi_mmc(np.array(symbols, np.uint8), alphabet, depths=4)
    assert found == expected(symbols, 2, markov_guesses(symbols, 4, entries), alphabet)


@settings(max_examples=80)
@given(
    st.sampled_from([2, 3, 5]).flatmap(lambda k: st.tuples(st.just(k), strings(k))), st.sampled_from([5, 20, 65_536])
)
def test_lz78y_predicts_as_the_standard_writes_it_also_when_its_dictionary_is_full(case, entries):
    alphabet, symbols = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lz78y_module, "ENTRIES", entries)
        found = lz78y(np.array(symbols, np.uint8), alphabet, depths=4)
    assert found == expected(symbols, 5, lz78y_guesses(symbols, 4, entries), alphabet)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 40), min_size=2, max_size=6))
def test_a_scoreboard_does_not_care_how_its_predictions_are_cut(seed, sizes):
    hits = np.random.default_rng(seed).random((5, sum(sizes))) < 0.5
    whole, cut = Scoreboard(5), Scoreboard(5)
    whole.feed(hits)
    start = 0
    for size in sizes:
        cut.feed(hits[:, start : start + size])
        start += size
    assert whole.entropy(16) == cut.entropy(16)


def test_a_predictor_that_is_always_right_leaves_no_entropy():
    assert predictability(1000, 1000, 1000, 256) == 0


def test_a_predictor_that_is_never_right_leaves_all_that_its_trials_can_show():
    assert predictability(0, 1_000_000, 0, 2) == 1
    assert predictability(0, 50, 0, 256) == pytest.approx(-np.log2(1 - 0.01 ** (1 / 50)))


def test_one_long_run_counts_for_more_than_its_hits():
    assert predictability(100, 10_000, 100, 256) < 0.2 < predictability(100, 10_000, 2, 256)

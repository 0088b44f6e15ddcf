import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators.contexts import Events, arrivals, best_so_far, events
from edge.entropy.estimators.prediction import Hits, Scoreboard

DEPTHS = 16
ENTRIES = 100_000
"""Pairs of a context and a symbol that the model of one depth may hold (SP 800-90B, 6.3.9, step 4)."""
_CHUNK = 1 << 16


def multi_mmc(symbols: NDArray[np.uint8], alphabet: int, depths: int = DEPTHS) -> float:
    """Multi Markov model with counting estimate (SP 800-90B, 6.3.9), in bits per symbol; any alphabet.

    The predictor of depth d = 1 … 16 names what followed the last d symbols most often so far, the greatest symbol
    among equals, and nothing where they are new to it. The bound is that of predictability(), over L - 2 symbols.

    Args:
        symbols: (L,) of 0 … alphabet - 1, L ≥ 4.
        alphabet: number of different symbols.
        depths: the standard's 16 but for its own small example.
    """
    hits = np.zeros((depths, symbols.size), bool)
    for row, found in zip(hits, events(symbols, alphabet, depths), strict=False):
        row[found.depth :] = _hits(found)
    board = Scoreboard(depths)
    for start in range(2, symbols.size, _CHUNK):
        board.feed(hits[:, start : start + _CHUNK])
    return board.entropy(alphabet)


def _hits(found: Events) -> Hits:
    """Where the model of one depth was right. Pairs that came when it was full are not remembered."""
    first = arrivals(found.pair, found.pairs)
    if np.count_nonzero(first < found.pair.size) <= ENTRIES:
        count, best = best_so_far(found)
        return np.asarray((count > 0) & (best == found.symbol))
    counted = first[found.pair] <= np.partition(first, ENTRIES - 1)[ENTRIES - 1]
    remembered = np.zeros(found.contexts, bool)
    remembered[found.context[counted]] = True
    asked = remembered[found.context]
    hits = np.zeros(found.symbol.size, bool)
    some = found.kept(asked)
    count, best = best_so_far(some, counted[asked])
    hits[asked] = (count > 0) & (best == some.symbol)
    return hits

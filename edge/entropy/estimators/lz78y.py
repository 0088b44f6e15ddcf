import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators.contexts import arrivals, best_so_far, events
from edge.entropy.estimators.prediction import Scoreboard

DEPTHS = 16
ENTRIES = 65_536
"""Contexts of all lengths together that the dictionary may hold (SP 800-90B, 6.3.10, step 1)."""
_CHUNK = 1 << 16


def lz78y(symbols: NDArray[np.uint8], alphabet: int, depths: int = DEPTHS) -> float:
    """LZ78Y estimate (SP 800-90B, 6.3.10), in bits per symbol; any alphabet.

    One dictionary holds contexts of 16, 15, … 1 symbols from place 16 on, until it is full. What is predicted is
    the symbol with the greatest count after any of the contexts that end here, that of the longest among equals. The
    bound is that of predictability(), over L - 17 symbols.

    Args:
        symbols: (L,) of 0 … alphabet - 1, L ≥ 20.
        alphabet: number of different symbols.
        depths: the standard's 16 but for its own small example.
    """
    places = symbols.size - depths
    full = _full(symbols, alphabet, depths)
    highest = np.zeros(places, np.int32)
    named = np.zeros(places, np.uint8)
    for found in events(symbols, alphabet, depths):
        later = found.kept(np.s_[depths - found.depth :])
        admitted = _turns(arrivals(later.context, later.contexts), later.depth, depths) <= full
        asked = np.flatnonzero(admitted[later.context])
        count, best = best_so_far(later.kept(asked))
        # From the shortest context to the longest: an equal count of a longer one wins.
        better = (count > 0) & (count >= highest[asked])
        highest[asked[better]] = count[better]
        named[asked[better]] = best[better]
    board = Scoreboard(1)
    hits = (highest > 0) & (named == symbols[depths:])
    for start in range(1, places, _CHUNK):
        board.feed(hits[None, start : start + _CHUNK])
    return board.entropy(alphabet)


def _turns(places: NDArray[np.int64], depth: int, depths: int) -> NDArray[np.int64]:
    """When a context that is first met at a place would enter the dictionary: place by place, longest first."""
    return places * depths + (depths - depth)


def _full(symbols: NDArray[np.uint8], alphabet: int, depths: int) -> int:
    """The turn at which the last context enters the dictionary; past all turns, if it never fills."""
    never = symbols.size * depths
    turns = []
    for found in events(symbols, alphabet, depths):
        later = found.kept(np.s_[depths - found.depth :])
        places = arrivals(later.context, later.contexts)
        turns.append(_turns(places[places < later.context.size], later.depth, depths))
    merged = np.concatenate(turns)
    return never if merged.size <= ENTRIES else int(np.partition(merged, ENTRIES - 1)[ENTRIES - 1])

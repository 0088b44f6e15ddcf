import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators.prediction import Hits, Scoreboard

WINDOWS = (63, 255, 1023, 4095)


def multi_mcw(symbols: NDArray[np.uint8], alphabet: int, windows: tuple[int, ...] = WINDOWS) -> float:
    """Multi most common in window estimate (SP 800-90B, 6.3.7), in bits per symbol; any alphabet.

    Four predictors each name the commonest of the last w symbols, the most recent among equals; the bound is that
    of predictability(), over the L - 63 symbols after the first window.

    Args:
        symbols: (L,) of 0 … alphabet - 1, L > 4096.
        alphabet: number of different symbols.
        windows: rising and odd; the standard's but for its own small example.
    """
    hits = np.zeros((len(windows), symbols.size), bool)
    for row, window in zip(hits, windows, strict=True):
        row[window:] = _binary_hits(symbols, window) if alphabet == 2 else _hits(symbols, alphabet, window)
    board = Scoreboard(len(windows))
    board.feed(hits[:, windows[0] :])
    return board.entropy(alphabet)


def _binary_hits(bits: NDArray[np.uint8], window: int) -> Hits:
    """The majority of an odd number of bits."""
    ones = np.concatenate(([0], np.cumsum(bits, dtype=np.int32)))
    majority = 2 * (ones[window:-1] - ones[: -1 - window]) > window
    return np.asarray(majority == bits[window:])


def _hits(symbols: NDArray[np.uint8], alphabet: int, window: int) -> Hits:
    """One pass over the symbols. A standing is (count in the window, last place, symbol) packed into one integer."""
    one, place_shift = 1 << 48, 8
    standings = list(range(alphabet))
    leader = -1
    right = bytearray(symbols.size)
    values = symbols.tolist()
    for at, symbol in enumerate(values):
        lost = False
        if at >= window:
            right[at] = leader & 0xFF == symbol
            oldest = values[at - window]
            standings[oldest] -= one
            lost = leader & 0xFF == oldest
        standing = (standings[symbol] >> 48) * one + one + (at << place_shift) + symbol
        standings[symbol] = standing
        if lost:
            leader = max(standings)
        elif standing > leader:
            leader = standing
    values.clear()
    return np.frombuffer(right, np.bool_)[window:]

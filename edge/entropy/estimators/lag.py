import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators.prediction import Scoreboard

LAGS = 128
_CHUNK = 4096
_NO_SYMBOL = -1


def lag(symbols: NDArray[np.uint8], alphabet: int, lags: int = LAGS) -> float:
    """Lag prediction estimate (SP 800-90B, 6.3.8), in bits per symbol; any alphabet.

    128 predictors each repeat the symbol of d places ago; the bound is that of predictability(), over L - 1 symbols.

    Args:
        symbols: (L,) of 0 … alphabet - 1, L ≥ 3.
        alphabet: number of different symbols.
        lags: predictors; the standard's 128 but for its own small example.
    """
    board = Scoreboard(lags)
    padded = np.concatenate((np.full(lags, _NO_SYMBOL, np.int16), symbols))
    hits = np.empty((lags, _CHUNK), bool)
    for start in range(1, symbols.size, _CHUNK):
        end = min(start + _CHUNK, symbols.size)
        now = padded[lags + start : lags + end]
        part = hits[:, : end - start]
        for back in range(1, lags + 1):
            np.equal(padded[lags + start - back : lags + end - back], now, out=part[back - 1])
        board.feed(part)
    padded.fill(_NO_SYMBOL)
    return board.entropy(alphabet)

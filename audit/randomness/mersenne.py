"""MT19937 as linear equations: each bit of its output as a sum of bits of its state.

M. Matsumoto, T. Nishimura, "Mersenne Twister" (ACM TOMACS 8, 1998): 624 words of 32 bits, of which the generator
makes the next 624 by shifts and sums, and tempers each before it gives it out. Nothing in it is not linear.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

STATE_WORDS, WORD = 624, 32
UNKNOWNS = STATE_WORDS * WORD
_MIDDLE = 397
_TWIST = 0x9908B0DF
_MASK_B, _MASK_C = 0x9D2C5680, 0xEFC60000
Forms = NDArray[np.uint64]


def outputs() -> Iterator[Forms]:
    """The outputs of a generator from the state on that `numpy.random.RandomState.set_state` takes with position 624.

    Each is (32, 312) uint64: row b packs which of the 19968 state bits make bit b; bit 32·i + b is bit b of word i.
    """
    state = np.zeros((STATE_WORDS, WORD, UNKNOWNS // 64), np.uint64)
    every = np.arange(UNKNOWNS)
    state.reshape(UNKNOWNS, -1)[every, every // 64] = np.uint64(1) << (every % 64).astype(np.uint64)
    while True:
        for i in range(STATE_WORDS):
            _advance(state, i)
            yield _temper(state[i])


def _advance(state: Forms, i: int) -> None:
    mixed = state[(i + 1) % STATE_WORDS].copy()
    mixed[31] = state[i, 31]
    new = state[(i + _MIDDLE) % STATE_WORDS].copy()
    new[:31] ^= mixed[1:]
    new[[bit for bit in range(WORD) if _TWIST >> bit & 1]] ^= mixed[0]
    state[i] = new


def _temper(word: Forms) -> Forms:
    word = _right(word, 11)
    word = _left(word, 7, _MASK_B)
    word = _left(word, 15, _MASK_C)
    return _right(word, 18)


def _right(word: Forms, by: int) -> Forms:
    out = word.copy()
    out[: WORD - by] ^= word[by:]
    return out


def _left(word: Forms, by: int, mask: int) -> Forms:
    out = word.copy()
    for bit in range(by, WORD):
        if mask >> bit & 1:
            out[bit] ^= word[bit - by]
    return out


def state_of(bits: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The 624 words of a state from its 19968 bits."""
    return np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32)

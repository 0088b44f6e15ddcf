"""How many bytes of entropy a draw is given, whatever it will need. docs/proofs/noise.md, section 8."""

import math

import numpy as np

from edge.privacy.bits import Words
from edge.privacy.sampling.lanes import LEFT_OVER
from edge.privacy.sampling.law import Law
from edge.privacy.sampling.sampler import Sampler, lanes_for

_RARE = 64
"""An event of chance p happens at most 2np + 64 times in n trials, but for a probability below 2^-64 (Chernoff)."""
_DEEP = 768
"""Bits for tables beyond the second, where the looked-at rests of a wide law do not leave enough: each try of a uniform
draw there takes about 50 bits and may fail with a probability of almost 1/2."""
_PARTS = 16
_PRECISION = 64


def allotment(sampler: Sampler, count: int) -> int:
    """Bytes for `count` samples: a function of public numbers, passed with a probability below 2^-60.

    That holds for the default widths, and a scale whose terms have at most 64 bits or a variance whose have 128.
    """
    law = sampler.law
    counts, widths = sampler.table.counts, sampler.widths
    each = renyi_half(counts)
    escapes = (2 * count * int(counts[-1]) >> widths.slots) + _RARE
    bits = count * each + escapes * _PARTS * (widths.finer + 8)
    if law.width:
        looked = (count >> 6) + _RARE
        again = each + _PARTS * (law.width + 2 * (_scalar_bits(law) + widths.coin + 1))
        bits += count * (_PARTS * law.width + _PARTS // 4) + looked * again
    else:
        bits += _PARTS * _DEEP
    bits += count // 2 + _PARTS * (4 * _RARE + LEFT_OVER * lanes_for(count))
    return -(-bits // (8 * _PARTS))


def renyi_half(counts: Words) -> int:
    """Sixteenths of a bit, at least 16 · 2 · log2 Σ √p: the Rényi entropy of order 1/2 of a table's symbols.

    The surprisals X of n draws add up to more than n of these and 128 bits with a probability of at most 2^-64, by
    Markov's inequality for 2^(ΣX / 2), since E 2^(X / 2) = Σ √p.
    """
    slots, each = sum(map(int, counts)), map(int, counts[np.flatnonzero(counts)])
    roots = sum(math.isqrt((count << 2 * _PRECISION) // slots) + 1 for count in each)
    power: int = roots**_PARTS
    return 2 * (power.bit_length() - _PARTS * _PRECISION)


def _scalar_bits(law: Law) -> int:
    """Bits of the denominator of γ."""
    return law.exponent(0, 1)[1].bit_length()

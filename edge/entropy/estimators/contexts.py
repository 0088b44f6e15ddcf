"""Contexts, the d symbols before a place, and what was seen after them: the models of 6.3.9 and 6.3.10, in numpy."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Counts = NDArray[np.int32]
_DENSE = 1 << 20
"""Ids up to which a table is smaller than a sort."""
_COUNT_SHIFT, _GROUP_SHIFT = 8, 36


@dataclass(frozen=True, slots=True)
class Events:
    """Every place with `depth` symbols before it, in the order of the string, from place `depth` on.

    context, pair: ids of the symbols before the place, without and with the symbol at it. symbol: that symbol.
    contexts, pairs: exclusive upper ends of the ids. alphabet: number of different symbols.
    """

    alphabet: int
    depth: int
    context: Ids
    contexts: int
    pair: Ids
    pairs: int
    symbol: NDArray[np.uint8]

    def kept(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Events":
        """Only the chosen events."""
        return replace(self, context=self.context[chosen], pair=self.pair[chosen], symbol=self.symbol[chosen])


def events(symbols: NDArray[np.uint8], alphabet: int, depths: int) -> Iterator[Events]:
    """The events of depth 1, 2, … `depths`. A pair of one depth is a context of the next."""
    context, contexts = symbols[:-1].astype(np.int32), alphabet
    for depth in range(1, min(depths, symbols.size - 1) + 1):
        symbol = symbols[depth:]
        pair, pairs = context * alphabet + symbol, contexts * alphabet
        if pairs > _DENSE:
            known, inverse = np.unique(pair, return_inverse=True)
            pair, pairs = inverse.astype(np.int32), known.size
        yield Events(alphabet, depth, context, contexts, pair, pairs, symbol)
        context, contexts = pair[:-1], pairs


def arrivals(ids: Ids, size: int) -> NDArray[np.int64]:
    """For each id below `size`, the index of the first event that has it; ids.size where none has."""
    first = np.full(size, ids.size, np.int64)
    first[ids[::-1]] = np.arange(ids.size - 1, -1, -1)
    return first


def best_so_far(events: Events, counted: NDArray[np.bool_] | None = None) -> tuple[Counts, NDArray[np.uint8]]:
    """What each context was followed by most often in the events before each event: (m,) count and (m,) symbol.

    The count is 0 where nothing followed it yet. Among equal counts the greatest symbol is named. Where `counted`
    is false for a pair's events, they ask but are not remembered.
    """
    order = _stable_order(events.context, events.contexts)
    if events.alphabet == 2:
        return _best_bit(events, order, counted)
    # The choice is the running maximum of (count, symbol) over the events of a context.
    group = events.context[order].astype(np.int64) << _GROUP_SHIFT
    standing = (_occurrence(events) << _COUNT_SHIFT) | events.symbol
    if counted is not None:
        standing[~counted] = 0
    leading = np.maximum.accumulate(group | standing[order])
    before = np.zeros_like(leading)
    before[1:] = leading[:-1]
    before -= group
    before[before < 0] = 0
    best = np.empty_like(before)
    best[order] = before
    return (best >> _COUNT_SHIFT).astype(np.int32), (best & 0xFF).astype(np.uint8)


def _best_bit(
    events: Events, order: NDArray[np.intp], counted: NDArray[np.bool_] | None
) -> tuple[Counts, NDArray[np.uint8]]:
    """The same for bits: the ones and zeros of a context are two running sums."""
    seen = np.ones(order.size, np.uint8) if counted is None else counted[order].view(np.uint8)
    start = _starts(events.context[order])
    ones = _sum_before(events.symbol[order] & seen, start)
    zeros = _sum_before(seen, start) - ones
    bit = ones >= zeros
    best = np.empty(order.size, np.uint8)
    best[order] = bit
    count = np.empty(order.size, np.int32)
    count[order] = np.maximum(ones, zeros)
    return count, best


def _sum_before(values: NDArray[np.uint8], start: NDArray[np.int32]) -> Counts:
    """Sum of the values from the start of the group up to but without each place."""
    total = np.zeros(values.size, np.int32)
    np.cumsum(values[:-1], dtype=np.int32, out=total[1:])
    total -= total[start]
    return total


def _starts(ids: Ids) -> NDArray[np.int32]:
    """For sorted ids, the place where the group of each begins."""
    place = np.arange(ids.size, dtype=np.int32)
    place[1:][ids[1:] == ids[:-1]] = 0
    return np.maximum.accumulate(place)


def _occurrence(events: Events) -> NDArray[np.int64]:
    """For each event, how often its pair has occurred up to and with it."""
    order = _stable_order(events.pair, events.pairs)
    count = np.empty(order.size, np.int64)
    count[order] = np.arange(1, order.size + 1) - _starts(events.pair[order])
    return count


def _stable_order(ids: Ids, size: int) -> NDArray[np.intp]:
    """Events sorted by id, those of one id in their order. 16-bit ids take numpy's radix sort, far the faster."""
    return np.argsort(ids.astype(np.uint16) if size <= 1 << 16 else ids, kind="stable")

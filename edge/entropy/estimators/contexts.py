"""Contexts, the d symbols before a place, and what was seen after them: the models of 6.3.9 and 6.3.10, in numpy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_DENSE = 1 << 20
"""Ids up to which a table is smaller than a sort."""
_COUNT_SHIFT, _GROUP_SHIFT = 8, 36


@dataclass(frozen=True, slots=True)
class Events:
    """Every place with `depth` symbols before it, in the order of the string, from place `depth` on.

    context, pair: ids of the symbols before the place, without and with the symbol at it. symbol: that symbol.
    contexts, pairs: exclusive upper ends of the ids.
    """

    depth: int
    context: Numbers
    contexts: int
    pair: Numbers
    pairs: int
    symbol: NDArray[np.uint8]

    def kept(self, chosen: NDArray[np.bool_] | Numbers | slice) -> "Events":
        """Only the chosen events."""
        return Events(
            self.depth, self.context[chosen], self.contexts, self.pair[chosen], self.pairs, self.symbol[chosen]
        )


def events(symbols: NDArray[np.uint8], alphabet: int, depths: int) -> Iterator[Events]:
    """The events of depth 1, 2, … `depths`. A pair of one depth is a context of the next."""
    context, contexts = symbols[:-1].astype(np.int64), alphabet
    for depth in range(1, min(depths, symbols.size - 1) + 1):
        symbol = symbols[depth:]
        pair, pairs = context * alphabet + symbol, contexts * alphabet
        if pairs > _DENSE:
            known, pair = np.unique(pair, return_inverse=True)
            pairs = known.size
        yield Events(depth, context, contexts, pair, pairs, symbol)
        context, contexts = pair[:-1], pairs


def arrivals(ids: Numbers, size: int) -> Numbers:
    """For each id below `size`, the index of the first event that has it; ids.size where none has."""
    first = np.full(size, ids.size, np.int64)
    first[ids[::-1]] = np.arange(ids.size - 1, -1, -1)
    return first


def best_so_far(events: Events, counted: NDArray[np.bool_] | None = None) -> tuple[Numbers, NDArray[np.uint8]]:
    """What each context was followed by most often in the events before each event: (m,) count and (m,) symbol.

    The count is 0 where nothing followed it yet. Among equal counts the greatest symbol is named; so the choice is
    the running maximum of (count, symbol) over the events of a context. Where `counted` is false for a pair's
    events, they ask but are not remembered.
    """
    order = _stable_order(events.context, events.contexts)
    group = events.context[order] << _GROUP_SHIFT
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
    return best >> _COUNT_SHIFT, (best & 0xFF).astype(np.uint8)


def _occurrence(events: Events) -> Numbers:
    """For each event, how often its pair has occurred up to and with it."""
    order = _stable_order(events.pair, events.pairs)
    sorted_pairs = events.pair[order]
    place = np.arange(order.size)
    new = np.ones(order.size, bool)
    new[1:] = sorted_pairs[1:] != sorted_pairs[:-1]
    count = np.empty_like(place)
    count[order] = place - np.maximum.accumulate(np.where(new, place, 0)) + 1
    return count


def _stable_order(ids: Numbers, size: int) -> Numbers:
    """Events sorted by id, those of one id in their order. 16-bit ids take numpy's radix sort, far the faster."""
    return np.argsort(ids.astype(np.uint16) if size <= 1 << 16 else ids, kind="stable")

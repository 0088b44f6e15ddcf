from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.acknowledge import MAX_GAPS, Intervals, acknowledgements

EPOCH = bytes(16)
POSITIONS = st.sets(st.integers(1, 500), min_size=1, max_size=400)


def hash_at(position):
    return position.to_bytes(32, "big")


def intervals_of(positions):
    intervals = Intervals()
    for position in positions:
        intervals.add(position)
    return intervals


@given(st.lists(st.integers(1, 60)))
def test_intervals_hold_exactly_what_was_added_as_few_ascending_ranges(positions):
    ranges = intervals_of(positions).ranges()
    assert [p for first, last in ranges for p in range(first, last + 1)] == sorted(set(positions))
    assert all(left[1] + 1 < right[0] for left, right in pairwise(ranges))


@given(POSITIONS, st.data())
@example(set(range(1, 400, 2)), None)
def test_acknowledgements_cover_all_received_and_exactly_what_is_stored_in_their_range(stored, data):
    received = data.draw(st.sets(st.sampled_from(sorted(stored)), min_size=1)) if data else stored
    words = acknowledgements("cam-1", EPOCH, intervals_of(stored), received, hash_at)
    for word in words:
        assert len(word.gaps) <= MAX_GAPS
        assert word.hash == hash_at(word.upto)
        covered = {position for position in range(word.since, word.upto + 1) if word.covers(position)}
        assert covered == {position for position in stored if word.since <= position <= word.upto}
    assert all(any(word.covers(position) for word in words) for position in received)
    assert words[-1].covers(max(received))


@given(POSITIONS)
def test_one_acknowledgement_is_enough_for_one_position(stored):
    for position in (min(stored), max(stored)):
        assert len(acknowledgements("cam-1", EPOCH, intervals_of(stored), {position}, hash_at)) == 1


def test_with_few_gaps_one_acknowledgement_speaks_of_the_whole_epoch():
    (word,) = acknowledgements("cam-1", EPOCH, intervals_of([2, 3, 7, 9]), {3}, hash_at)
    assert (word.since, word.upto, word.gaps) == (2, 9, [(4, 6), (8, 8)])


def test_a_position_that_is_not_stored_is_never_acknowledged():
    with pytest.raises(KeyError):
        acknowledgements("cam-1", EPOCH, intervals_of([1, 3]), {2}, hash_at)

import numpy as np
import pytest

from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.receipt import Charge
from edge.privacy.release import make_release
from edge.releases import ReleaseStore, ReleaseStoreError

EPOCH, EARLIER = bytes(16), bytes(15) + b"\1"


def release(position, *, epoch=EPOCH):
    mechanism = Mechanism(lut=LinearLut(255), cell=16, rows=2, columns=3, frames=4, scale=5)
    charge = Charge("map", epoch, position, bytes(32), bytes(32), first_frame=4 * position)
    return make_release(charge, mechanism, np.full((2, 3), position, np.int64))


def positions(store):
    return [kept.receipt.position for kept in store.kept("map")]


def test_the_newest_releases_come_back_in_order_after_a_restart(tmp_path):
    store = ReleaseStore(tmp_path, 3, epoch=EPOCH)
    for position in (8, 9, 10, 11, 12):
        store.add("map", release(position))
    again = ReleaseStore(tmp_path, 3, epoch=EPOCH)
    assert positions(again) == [10, 11, 12]
    assert again.kept("map")[0].sums.tolist() == [[10] * 3] * 2
    assert len(list(tmp_path.rglob("*.*"))) == 3


def test_releases_of_another_epoch_are_not_given_out_as_they_may_be_of_another_camera(tmp_path):
    store = ReleaseStore(tmp_path, 8, epoch=EPOCH)
    store.add("map", release(1, epoch=EARLIER))
    assert positions(store) == []
    store.add("map", release(3))
    assert positions(store) == [3]


def test_what_an_older_ledger_left_does_not_crowd_out_the_releases_of_a_new_one(tmp_path):
    for position in (500, 501):
        ReleaseStore(tmp_path, 2, epoch=EARLIER).add("map", release(position, epoch=EARLIER))
    store = ReleaseStore(tmp_path, 2, epoch=EPOCH)
    for position in (2, 3):
        store.add("map", release(position))
    assert positions(store) == [2, 3]


def test_a_damaged_release_ends_the_row_and_is_said(tmp_path, caplog):
    store = ReleaseStore(tmp_path, 8, epoch=EPOCH)
    for position in (1, 2, 3):
        store.add("map", release(position))
    (tmp_path / "map" / f"{2:012d}.cbor").write_bytes(b"\xa1")
    assert positions(store) == [3]
    assert "000000000002.cbor is damaged" in caplog.text


def test_a_disk_that_takes_no_release_is_said_with_a_remedy(tmp_path):
    (tmp_path / "map").write_bytes(b"")
    with pytest.raises(ReleaseStoreError, match="map: ") as caught:
        ReleaseStore(tmp_path, 8, epoch=EPOCH).add("map", release(1))
    assert "make room" in caught.value.remedy

"""A disk that others have filled, on a small file system of its own."""

import os
import shutil
import subprocess
import sys

import pytest

from edge.relay.reserve import Reserve

PROLOGUE = """
import sys
from pathlib import Path
from edge.relay.bounds import Bounds
from edge.relay.database import OutboxUnusable
from edge.relay.outbox import Outbox
from wire.schema import Acknowledgement
here = Path(sys.argv[1])
EPOCH = bytes(16)
now = [0.0]

def opened():
    return Outbox(here / "outbox.sqlite", bounds=Bounds(size=4 * 2**20), clock=lambda: now[0])

def word(since, upto):
    return Acknowledgement(device="cam", epoch=EPOCH, since=since, upto=upto, hash=bytes(32), gaps=[])

def fill():
    with (here / "others").open("ab", buffering=0) as file:
        size = 2**16
        while size:
            try:
                size = size if file.write(bytes(size)) == size else size // 2
            except OSError:
                size //= 2

def make_room():
    (here / "others").unlink()

def put(box, *positions):
    for position in positions:
        box.put(EPOCH, position, position.to_bytes(2, "big") * 10_000)

def refused(box, position):
    try:
        put(box, position)
    except OutboxUnusable as error:
        assert "free some space" in error.remedy, error.remedy
        return True
    return False

def put_until_refused(box, first):
    # The file and its log had some space already.
    position = first
    while not refused(box, position):
        position += 1
    return position

def held(box):
    return [row.position for row in box.waiting()]
"""


@pytest.fixture
def on_a_small_disk(tmp_path):
    """Runs a program with 12 MiB of disk to itself."""

    def run(program):
        if shutil.which("unshare") is None:
            pytest.skip("needs unshare: apt install util-linux")
        mount = 'mount -t tmpfs -o size=12m none "$0" && exec "$1" -c "$2" "$0"'
        rights = [] if os.getuid() == 0 else ["--map-root-user"]
        command = ["unshare", "--mount", *rights, "sh", "-c", mount, str(tmp_path), sys.executable, PROLOGUE + program]
        search = os.pathsep.join(part for part in sys.path if part)
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, check=False
        )
        if "unshare:" in done.stderr or "mount:" in done.stderr:
            pytest.skip(f"a file system may not be mounted here: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr

    return run


def test_a_disk_that_others_filled_takes_acknowledgements_until_nothing_waits(on_a_small_disk):
    on_a_small_disk("""
box = opened()
put(box, *range(1, 101))
assert box.reserved
fill()
end = put_until_refused(box, 101)
for position in range(1, end):
    assert box.acknowledged(word(position, position)), position
assert box.held == 0 and box.counters()["acknowledged"] == end - 1
box.close()
""")


def test_one_word_for_everything_is_taken_too(on_a_small_disk):
    on_a_small_disk("""
box = opened()
put(box, *range(1, 181))
fill()
assert len(box.acknowledged(word(1, 180))) == 180
""")


def test_a_restart_on_a_full_disk_goes_on_with_acknowledgements(on_a_small_disk):
    on_a_small_disk("""
for first in 1, 41, 81:
    box = opened()
    put(box, *range(first, first + 40))
    fill()
    box.acknowledged(word(first, first + 9))
    box.close()
    fill()
    box = opened()
    assert len(box.acknowledged(word(first + 10, first + 39))) == 30
    box.close()
    make_room()
box = opened()
assert (box.held, box.counters()["accepted"], box.counters()["acknowledged"], box.account().lost) == (0, 120, 120, 0)
""")


def test_with_the_space_the_reserve_comes_back_and_new_observations_are_taken(on_a_small_disk):
    on_a_small_disk("""
box = opened()
put(box, *range(1, 51))
fill()
box.acknowledged(word(1, 10))
fill()
assert refused(box, 51)
make_room()
put(box, 51)
assert box.reserved and held(box) == list(range(11, 52))
""")


def test_the_bound_evicts_on_a_full_disk_no_more_than_on_any_other(on_a_small_disk):
    on_a_small_disk("""
box = opened()
put(box, *range(1, 51))
fill()
end = put_until_refused(box, 51)
for _ in range(9):
    assert refused(box, end)
assert held(box) == list(range(1, end)) and not box.evicted.total()
""")


def test_a_reserve_that_finds_no_room_leaves_nothing_behind(on_a_small_disk):
    on_a_small_disk("""
from edge.relay.reserve import Reserve
reserve = Reserve(here / "reserve", 64 * 2**20)
assert not reserve.hold() and not reserve.held and not list(here.iterdir())
""")


def test_a_reserve_is_held_by_blocks_and_let_go_once(tmp_path):
    reserve = Reserve(tmp_path / "reserve", 2**20)
    assert reserve.hold()
    assert reserve.hold()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 2**20
    assert Reserve(tmp_path / "reserve").release()
    assert not reserve.release()
    assert not reserve.held

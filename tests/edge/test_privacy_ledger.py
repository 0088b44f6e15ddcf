import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from edge.errors import LedgerError, Reason
from edge.privacy.chain import encode_line, parse_ratio, read_entries
from edge.privacy.ledger import CLOCK_TOLERANCE_MS, Ledger, head_path
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.terms import Terms, one_pair
from wire.exit import Exit
from wire.schema import Unit

OpenLedger = Callable[..., Ledger]
TERMS = one_pair(Fraction(1, 100), Fraction(1, 600))
START = 1_760_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def open_ledger(path: Path, clock: Clock) -> Iterator[OpenLedger]:
    """Opens the ledger, and closes it at the end."""
    opened: list[Ledger] = []

    def open_again(**changes: object) -> Ledger:
        for ledger in opened:
            ledger.close()
        settings: dict[str, object] = {
            "device": "ward-3",
            "configuration": bytes(32),
            "terms": TERMS,
            "clock": clock,
        }
        opened.append(Ledger(path, **(settings | changes)))  # type: ignore[arg-type]  # a test names any of them
        return opened[-1]

    yield open_again
    for ledger in opened:
        ledger.close()


def window(slope: Fraction = Fraction(1, 200), frames: int = 10) -> Mechanism:
    return Mechanism(LinearLut(255), 16, 3, 4, frames, int(255 / slope))


def charges(path: Path) -> list[tuple[str, int]]:
    return [(e["level"], e["first_frame"]) for e in read_entries(path) if e["kind"] == "charge"]


def test_a_charge_is_in_the_file_before_there_is_a_receipt(open_ledger: OpenLedger, path: Path) -> None:
    receipt = open_ledger().charge("map", window(), 0)
    entry = read_entries(path)[-1]
    assert entry["position"] == receipt.position == 2
    wire = receipt.redeem().to_wire()
    assert entry["hash"] == wire.hash.hex()
    assert read_entries(path)[0]["hash"] == wire.previous.hex()
    assert entry["slope"] == "1/200"
    assert entry["time"] == START


def test_a_charge_is_synced_before_there_is_a_receipt(open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger()
    steps: list[str] = []
    write, fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda fd, data: (steps.append("write"), write(fd, data))[1])
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), fsync(fd))[1])
    ledger.charge("map", window(), 0)
    assert steps == ["write", "fsync"]


def test_a_new_ledger_syncs_its_directory(open_ledger: OpenLedger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_ino), fsync(fd))[1])
    open_ledger()
    assert path.parent.stat().st_ino in synced


def test_positions_epochs_and_frames_go_on_after_a_restart(open_ledger: OpenLedger, path: Path) -> None:
    first = open_ledger()
    first.charge("map", window(), 0)
    first.charge("state", window(frames=3), 0)
    second = open_ledger()
    assert second.epoch == first.epoch
    assert second.next_frame == 10
    assert second.charge("map", window(), 10).position == 4
    assert [e["kind"] for e in read_entries(path)] == ["epoch", "charge", "charge", "charge"]


def test_frames_of_windows_that_a_restart_lost_are_never_used_again(open_ledger: OpenLedger) -> None:
    open_ledger().charge("map", window(), 0)
    ledger = open_ledger()
    with pytest.raises(LedgerError) as caught:
        ledger.charge("state", window(), 9)
    assert caught.value.reason is Reason.LEDGER_OVERSPENT
    ledger.charge("state", window(), 10)


def test_a_level_never_uses_a_frame_twice(open_ledger: OpenLedger, path: Path) -> None:
    ledger = open_ledger()
    ledger.charge("map", window(), 0)
    for first in (0, 5, 9):
        with pytest.raises(LedgerError, match="again"):
            ledger.charge("map", window(), first)
    ledger.charge("map", window(), 10)
    assert charges(path) == [("map", 0), ("map", 10)]


def test_windows_that_share_a_frame_never_pass_the_largest_slope(open_ledger: OpenLedger, path: Path) -> None:
    ledger = open_ledger()
    ledger.charge("map", window(frames=100), 0)
    ledger.charge("state", window(frames=4), 0)
    with pytest.raises(LedgerError) as caught:
        ledger.charge("third", window(Fraction(1, 1000)), 3)
    assert caught.value.reason is Reason.LEDGER_OVERSPENT
    ledger.charge("third", window(Fraction(1, 1000)), 4)
    with pytest.raises(LedgerError):
        ledger.charge("state", window(), 6)
    assert charges(path) == [("map", 0), ("state", 0), ("third", 4)]


def test_windows_open_in_the_order_of_their_frames(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.charge("map", window(frames=100), 50)
    with pytest.raises(LedgerError):
        ledger.charge("state", window(), 49)


def test_a_window_with_a_larger_slope_than_the_ledger_allows_is_refused(open_ledger: OpenLedger) -> None:
    with pytest.raises(LedgerError):
        open_ledger().charge("map", window(Fraction(1, 99)), 0)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"configuration": bytes(31) + b"\1"}, "configuration"),
        ({"device": "ward-4"}, "device"),
        ({"terms": replace(TERMS, cost_max=Fraction(1, 50))}, "cost_max"),
        ({"terms": replace(TERMS, frame_rate=Fraction(1))}, "frame_rate"),
    ],
)
def test_other_settings_need_a_new_epoch_and_the_error_says_how(
    open_ledger: OpenLedger, path: Path, change: dict[str, object], name: str
) -> None:
    before = open_ledger()
    before.charge("map", window(), 0)
    with pytest.raises(LedgerError, match=name) as caught:
        open_ledger(**change)
    assert caught.value.reason is Reason.LEDGER_CHANGED
    assert "speckled run --new-epoch" in caught.value.remedy
    after = open_ledger(**change, new_epoch=True)
    assert after.epoch != before.epoch
    assert after.charge("map", window(), 10).position == 4
    assert [e["position"] for e in read_entries(path)] == [1, 2, 3, 4]
    open_ledger(**change)


def test_the_name_of_an_epoch_can_be_given(open_ledger: OpenLedger) -> None:
    assert open_ledger(make_epoch=lambda: b"0123456789abcdef").epoch == b"0123456789abcdef"


def test_a_second_process_is_refused(open_ledger: OpenLedger, path: Path) -> None:
    open_ledger()
    program = """
import sys
from fractions import Fraction
from pathlib import Path
from edge.privacy.ledger import Ledger
from edge.privacy.terms import one_pair
one = Fraction(1)
Ledger(Path(sys.argv[1]), device="d", configuration=bytes(32), terms=one_pair(one, one), clock=lambda: 0)
"""
    second = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert second.returncode
    assert Reason.LEDGER_LOCKED.value in second.stderr


def test_two_openings_in_one_process_are_refused_too(open_ledger: OpenLedger, path: Path) -> None:
    open_ledger()
    assert reason_of_opening(path) == Reason.LEDGER_LOCKED.value


def reason_of_opening(path: Path) -> str:
    try:
        Ledger(
            path,
            device="ward-3",
            configuration=bytes(32),
            terms=TERMS,
            clock=lambda: START,
        )
    except LedgerError as error:
        return error.reason.value
    return "opened"


def test_a_ledger_that_was_refused_is_not_left_locked(open_ledger: OpenLedger, path: Path) -> None:
    open_ledger()
    with pytest.raises(LedgerError):
        open_ledger(device="ward-4")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_clock_that_went_backwards_refuses_the_charge(open_ledger: OpenLedger, clock: Clock, path: Path) -> None:
    ledger = open_ledger()
    clock.now += 60_000
    ledger.charge("map", window(), 0)
    clock.now -= CLOCK_TOLERANCE_MS
    ledger.charge("map", window(), 10)
    clock.now -= 1
    with pytest.raises(LedgerError) as caught:
        ledger.charge("map", window(), 20)
    assert caught.value.reason is Reason.LEDGER_CLOCK
    assert caught.value.exit is Exit.RETRY
    assert charges(path) == [("map", 0), ("map", 10)]


def test_a_new_epoch_that_a_person_asks_for_takes_the_clock_as_it_is(
    open_ledger: OpenLedger, clock: Clock, path: Path
) -> None:
    clock.now += 10**12
    open_ledger().charge("map", window(), 0)
    clock.now -= 10**12
    ledger = open_ledger(new_epoch=True)
    ledger.charge("map", window(), 10)
    ledger.close()
    open_ledger().charge("map", window(), 20)
    assert charges(path) == [("map", 0), ("map", 10), ("map", 20)]


def test_a_file_cut_at_any_byte_of_its_last_line_opens_with_every_charge_that_was_receipted(
    open_ledger: OpenLedger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    ledger = open_ledger()
    ledger.charge("map", window(), 0)
    before, marks = path.stat().st_size, head_path(path).read_bytes()
    ledger.charge("map", window(), 10)
    ledger.close()
    whole = path.read_bytes()
    for size in range(before, len(whole)):
        path.write_bytes(whole[:size])
        head_path(path).write_bytes(marks)
        again = open_ledger()
        assert again.next_frame == 10
        assert again.charge("map", window(), 10).position == 3
        assert charges(path) == [("map", 0), ("map", 10)]
    path.write_bytes(whole)
    assert open_ledger().next_frame == 20


def test_a_tail_of_zeros_that_a_power_cut_left_is_cut_off(open_ledger: OpenLedger, path: Path) -> None:
    open_ledger().charge("map", window(), 0)
    with path.open("ab") as file:
        file.write(bytes(300))
    assert open_ledger().next_frame == 10
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_a_flipped_bit_anywhere_is_refused_and_the_line_named(open_ledger: OpenLedger, path: Path, flip: int) -> None:
    ledger = open_ledger()
    ledger.charge("map", window(), 0)
    ledger.charge("state", window(frames=3), 0)
    ledger.close()
    whole = path.read_bytes()
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= flip
        path.write_bytes(altered)
        with pytest.raises(LedgerError) as caught:
            read_entries(path)
        assert caught.value.reason is Reason.LEDGER_CORRUPT
        line = whole[:position].count(b"\n") + 1
        assert f"line {line} " in caught.value.detail
    with pytest.raises(LedgerError):
        open_ledger()
    assert path.read_bytes() == altered, "a file that is refused is left as it is"


@pytest.mark.parametrize("missing", [0, 1])
def test_a_line_that_is_missing_or_moved_is_refused(open_ledger: OpenLedger, path: Path, missing: int) -> None:
    ledger = open_ledger()
    ledger.charge("map", window(), 0)
    ledger.charge("map", window(), 10)
    ledger.close()
    lines = path.read_bytes().splitlines(keepends=True)
    for altered in ([*lines[:missing], *lines[missing + 1 :]], lines[::-1], [*lines, lines[-1]]):
        path.write_bytes(b"".join(altered))
        with pytest.raises(LedgerError):
            open_ledger()


def test_a_rewritten_line_that_means_the_same_is_refused(open_ledger: OpenLedger, path: Path) -> None:
    open_ledger().close()
    path.write_text(json.dumps(json.loads(path.read_bytes())) + "\n")
    with pytest.raises(LedgerError):
        read_entries(path)


class DiskFull:
    """A disk that takes `room` more bytes; with `sync` false it takes them all and cannot sync."""

    def __init__(self, room: int, *, sync: bool = True) -> None:
        self.room = room
        self.sync = sync
        self._write, self._fsync = os.write, os.fsync

    def write(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(fd, data[: self.room])
        self.room -= written
        return written

    def fsync(self, fd: int) -> None:
        if not self.sync:
            raise OSError(errno.EIO, "Input/output error")
        self._fsync(fd)


@pytest.mark.parametrize("disk", [DiskFull(0), DiskFull(1), DiskFull(100), DiskFull(10**6, sync=False)])
def test_a_full_or_broken_disk_gives_no_receipt_and_leaves_a_ledger_that_opens(
    open_ledger: OpenLedger, path: Path, monkeypatch: pytest.MonkeyPatch, disk: DiskFull
) -> None:
    ledger = open_ledger()
    ledger.charge("map", window(), 0)
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", disk.write)
        broken.setattr(os, "fsync", disk.fsync)
        with pytest.raises(LedgerError) as caught:
            ledger.charge("map", window(), 10)
    assert caught.value.reason is Reason.LEDGER_IO
    assert caught.value.exit is Exit.IO
    with pytest.raises(LedgerError):
        ledger.charge("map", window(), 10)
    assert charges(path) == [("map", 0)]
    open_ledger().charge("map", window(), 10)


def test_a_ledger_without_its_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as caught:
        read_entries(tmp_path / "none" / "ledger.jsonl")
    assert caught.value.reason is Reason.LEDGER_IO
    assert reason_of_opening(tmp_path / "none" / "ledger.jsonl") == Reason.LEDGER_IO.value


def test_the_file_is_for_its_owner_alone(open_ledger: OpenLedger, path: Path) -> None:
    open_ledger()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["1", "1/", "/2", "2/4", "1/0", "-1/2", "1/2/3", "1.5/2", " 1/2", "\u0661/2", ""])
def test_only_rationals_in_lowest_terms_are_read(text: str) -> None:
    with pytest.raises(ValueError):
        parse_ratio(text)


def test_a_window_with_another_kind_of_noise_is_refused(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    with pytest.raises(LedgerError) as caught:
        ledger.charge("map", Mechanism(LinearLut(255), 16, 3, 4, 2, 10**6, "discrete-gaussian"), 0)
    assert caught.value.reason is Reason.LEDGER_CHANGED


def test_gaussian_windows_are_charged_their_cost_and_no_more_than_a_frame_may_bear(open_ledger: OpenLedger) -> None:
    mechanism = Mechanism(LinearLut(255), 16, 3, 4, 2, 255 * 20, "discrete-gaussian")
    unit = Unit(visits=1, seconds=0, frames=3, pixels=99)
    cost = mechanism.cost(unit)
    assert cost == Fraction(1, 400) * 2 * 99
    ledger = open_ledger(terms=Terms("discrete-gaussian", unit, 2 * cost, Fraction(1, 600)))
    for level in ("map", "state"):
        ledger.charge(level, mechanism, 0)
    with pytest.raises(LedgerError) as caught:
        ledger.charge("third", mechanism, 0)
    assert caught.value.reason is Reason.LEDGER_OVERSPENT


def test_charges_that_add_up_to_more_than_the_maximum_are_refused(open_ledger: OpenLedger, path: Path) -> None:
    """Forged whole: each charge alone is within the maximum, and its cost follows from its slope."""
    open_ledger().close()
    head = read_entries(path)[0]
    most = parse_ratio(head["cost_max"])
    previous, lines = bytes.fromhex(head["hash"]), b""
    for position, level in ((2, "map"), (3, "state")):
        body = {"kind": "charge", "position": position, "time": START, "epoch": head["epoch"], "level": level}
        body |= {"lut": "linear", "parameter": 0, "range": most.numerator, "scale": most.denominator}
        body |= {"slope": head["cost_max"], "cost": head["cost_max"], "first_frame": 0, "frames": 10}
        line, previous = encode_line(previous, {**body, "cell": 16, "rows": 3, "columns": 4})
        lines += line
    path.write_bytes(path.read_bytes() + lines)
    with pytest.raises(LedgerError, match=r"line 3 .* level state would bring frame 0 to a cost of") as caught:
        open_ledger()
    assert caught.value.reason is Reason.LEDGER_CORRUPT


def test_a_charge_that_understates_its_cost_is_refused(open_ledger: OpenLedger, path: Path) -> None:
    """Forged whole: the line is canonical, and its hash fits the chain."""
    open_ledger().close()
    head = read_entries(path)[0]
    body = {"kind": "charge", "position": 2, "time": START, "epoch": head["epoch"], "level": "map", "lut": "linear"}
    body |= {"parameter": 0, "range": 255, "scale": 255, "slope": "1/1", "cost": "1/1000", "first_frame": 0}
    body |= {"frames": 10, "cell": 16, "rows": 3, "columns": 4}
    line, _ = encode_line(bytes.fromhex(head["hash"]), body)
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(LedgerError, match=r"line 2 .* its cost does not follow") as caught:
        open_ledger()
    assert caught.value.reason is Reason.LEDGER_CORRUPT

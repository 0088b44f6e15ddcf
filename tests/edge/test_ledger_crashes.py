"""Power cuts: a disk that keeps what was synced, any part of what was not, and no more."""

import contextlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.errors import LedgerError, Reason
from edge.privacy.chain import read_entries
from edge.privacy.ledger import CLOCK_TOLERANCE_MS, Ledger, head_path
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.terms import one_pair

START = 1_760_000_000_000
SCALE = 255 * 200
CHANGED = frozenset({Reason.LEDGER_CHANGED})
OVERSPENT_OR_CLOCK = frozenset({Reason.LEDGER_OVERSPENT, Reason.LEDGER_CLOCK})


class PowerCut(BaseException):
    """The machine is off. No handler of the program runs after it."""


class Disk:
    """Follows what of each file under a folder is durable, and can cut the power at any sync or write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.durable: dict[Path, bytes] = {}
        self.synced: dict[Path, bytes] = {}
        self.off = False
        self.left: int | None = None
        self.steps = 0
        self._real = {name: getattr(os, name) for name in ("write", "pwrite", "fsync", "fdatasync", "ftruncate")}

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", self._step("write"))
            patch.setattr(os, "pwrite", self._step("pwrite"))
            patch.setattr(os, "ftruncate", self._step("ftruncate"))
            patch.setattr(os, "fsync", self._sync)
            patch.setattr(os, "fdatasync", self._sync)
            yield

    def cut(self, part: float) -> None:
        """Lose what was not synced, but for the first `part` of it, and let the machine start again."""
        for path in list(self.folder.iterdir()):
            if path not in self.durable:
                path.unlink()
                continue
            kept, now = self.durable[path], path.read_bytes()
            middle = int(part * len(now))
            path.write_bytes(now[:middle] + kept[middle:] if len(now) == len(kept) else torn(kept, now, part))
        for path, content in self.durable.items():
            if not path.exists():
                path.write_bytes(content)
        self.off, self.left = False, None

    def _step(self, name: str) -> Callable[..., object]:
        def step(*arguments: object) -> object:
            self._count()
            return self._real[name](*arguments)

        return step

    def _sync(self, fd: int) -> None:
        self._count()
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if path == self.folder:
            self.durable.update({name: self.synced.get(name, b"") for name in self.folder.iterdir()})
        else:
            self.synced[path] = path.read_bytes()
            if path in self.durable:
                self.durable[path] = self.synced[path]

    def _count(self) -> None:
        self.steps += 1
        if self.left is not None:
            self.left -= 1
            self.off = self.off or self.left < 0
        if self.off:
            raise PowerCut


def torn(kept: bytes, now: bytes, part: float) -> bytes:
    """A file that grew or shrank, of which the disk has seen a part."""
    if now.startswith(kept):
        return now[: len(kept) + int(part * (len(now) - len(kept)))]
    return kept


def open_ledger(path: Path, clock: Callable[[], int] = lambda: START, **changes: object) -> Ledger:
    fixed: dict[str, object] = {
        "device": "ward-3",
        "configuration": bytes(32),
        "terms": one_pair(Fraction(1, 100), Fraction(1, 600)),
        "clock": clock,
        "speedup": 10**15,
    }
    return Ledger(path, **(fixed | changes))  # type: ignore[arg-type]  # a test names any of them


def window(frames: int = 2, scale: int = SCALE) -> Mechanism:
    return Mechanism(LinearLut(255), 16, 3, 4, frames, scale)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_power_cut_at_any_step_keeps_every_receipt_and_opens_again(tmp_path: Path, part: float) -> None:
    """Cut at each write and sync of: making the ledger, two charges, opening it again, one more charge."""
    for at in itertools.count():
        folder = tmp_path / f"{at}"
        folder.mkdir()
        disk, receipts, opened = Disk(folder), list[int](), list[Ledger]()
        disk.left = at
        with disk.attached(), contextlib.suppress(PowerCut):
            for _ in range(2):
                opened.append(ledger := open_ledger(folder / "ledger"))
                for _ in range(2):
                    receipts.append(ledger.charge("map", window(), ledger.next_frame).position)
                ledger.close()
        finished = not disk.off
        for ledger in opened:
            ledger.close()
        disk.cut(part)
        held = read_entries(folder / "ledger") if (folder / "ledger").exists() else []
        assert set(receipts) <= {entry["position"] for entry in held if entry["kind"] == "charge"}
        again = open_ledger(folder / "ledger")
        assert again.charge("map", window(), again.next_frame).position > max(receipts, default=0)
        again.close()
        if finished:
            assert at > 20
            assert receipts == [2, 3, 4, 5]
            return


def test_a_file_that_lost_any_bytes_of_its_receipted_entries_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    path = tmp_path / "ledger"
    ledger = open_ledger(path)
    ledger.charge("map", window(), 0)
    ledger.close()
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(LedgerError) as caught:
            open_ledger(path)
        assert caught.value.reason is Reason.LEDGER_TAIL
        assert "had got to 2" in caught.value.detail
    path.write_bytes(whole)
    open_ledger(path).close()


def test_a_person_may_begin_a_new_epoch_where_the_tail_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = open_ledger(path)
    ledger.charge("map", window(), 0)
    lines = path.read_bytes().splitlines(keepends=True)
    ledger.charge("map", window(), 2)
    ledger.close()
    path.write_bytes(b"".join(lines))
    open_ledger(path, new_epoch=True).close()
    open_ledger(path).close()


@pytest.mark.parametrize("damage", [b"", b"x", bytes(512), b"9 " + b"a" * 510])
def test_a_lost_or_damaged_head_of_a_ledger_with_charges_is_refused(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "ledger"
    ledger = open_ledger(path)
    ledger.charge("map", window(), 0)
    ledger.close()
    head_path(path).write_bytes(damage)
    with pytest.raises(LedgerError) as caught:
        open_ledger(path)
    assert caught.value.reason is Reason.LEDGER_TAIL


def test_a_head_of_another_history_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    for path in paths:
        ledger = open_ledger(path)
        ledger.charge("map", window(), 0)
        ledger.close()
    shutil.copy(head_path(paths[0]), head_path(paths[1]))
    with pytest.raises(LedgerError) as caught:
        open_ledger(paths[1])
    assert caught.value.reason is Reason.LEDGER_TAIL


def test_a_head_that_cannot_be_written_gives_no_receipt_and_the_charge_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path / "ledger")

    def fail(fd: int, data: bytes, offset: int) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", fail)
        with pytest.raises(LedgerError) as caught:
            ledger.charge("map", window(), 0)
    assert caught.value.reason is Reason.LEDGER_IO
    again = open_ledger(tmp_path / "ledger")
    assert again.next_frame == 2
    again.close()


class LedgerMachine(RuleBasedStateMachine):
    """Opens, charges, crashes, restores, changes settings and turns the clock, against what a ledger must remember."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.path = self.folder / "ledger"
        self.disk = Disk(self.folder)
        self.now = START
        self.newest = START
        self.configuration = bytes(32)
        self.epoch_of = self.configuration
        self.ledger: Ledger | None = None
        self.receipts: dict[int, tuple[int, int]] = {}
        self.copy: tuple[dict[str, bytes], int] | None = None
        self.used: set[tuple[bytes, int]] = set()

    @initialize()
    def begin(self) -> None:
        self._open(new_epoch=False)

    def teardown(self) -> None:
        if self.ledger:
            self.ledger.close()
        shutil.rmtree(self.folder)

    @rule(levels=st.sampled_from(["map", "state"]), frames=st.integers(1, 4), ahead=st.integers(-2, 3))
    def charge(self, levels: str, frames: int, ahead: int) -> None:
        if self.ledger is None:
            return
        first = max(0, self.ledger.next_frame + ahead)
        late = self.now >= self.newest - CLOCK_TOLERANCE_MS
        try:
            with self.disk.attached():
                receipt = self.ledger.charge(levels, window(frames), first)
        except LedgerError as error:
            self.refused(error.reason, {Reason.LEDGER_OVERSPENT} if late else OVERSPENT_OR_CLOCK)
            return
        assert late, "the clock is before the last entry"
        self.newest = max(self.newest, self.now)
        place = (self.ledger.epoch, receipt.position)
        assert place not in self.used, "a position was used again"
        self.used.add(place)
        self.receipts[receipt.position] = (first, frames)

    @rule(minutes=st.integers(-10, 60))
    def turn_the_clock(self, minutes: int) -> None:
        self.now += minutes * 60_000

    @rule(part=st.floats(0, 1), steps=st.integers(0, 4))
    def crash_in_a_charge(self, part: float, steps: int) -> None:
        if self.ledger is None:
            return
        self.disk.left = steps
        with self.disk.attached(), contextlib.suppress(PowerCut, LedgerError):
            first = self.ledger.next_frame
            receipt = self.ledger.charge("map", window(1), first)
            self.receipts[receipt.position] = (first, 1)
            self.used.add((self.ledger.epoch, receipt.position))
            self.newest = max(self.newest, self.now)
        self._abandon()
        self.disk.cut(part)

    @rule()
    def kill(self) -> None:
        self._abandon()

    @rule(new_epoch=st.booleans())
    def reopen(self, new_epoch: bool) -> None:  # noqa: FBT001 (hypothesis gives rules their arguments by name)
        if self.ledger is None:
            self._open(new_epoch=new_epoch)

    @rule(byte=st.integers(0, 255))
    def change_the_settings(self, byte: int) -> None:
        self.configuration = bytes(31) + bytes([byte % 3])

    @rule()
    def take_a_copy(self) -> None:
        if self.ledger is None:
            self.copy = {path.name: path.read_bytes() for path in self.folder.iterdir()}, max(self.receipts, default=0)

    @rule()
    def put_back_the_ledger_of_the_copy(self) -> None:
        """Of the ledger alone, as a repair of the file system might; its head stays."""
        if self.ledger is None and self.copy:
            held = read_entries(self.path)
            old = self.copy[0].get("ledger", b"")
            self.path.write_bytes(old)
            if len(read_entries(self.path)) < len(held):
                with pytest.raises(LedgerError) as caught:
                    open_ledger(self.path, lambda: self.now, configuration=self.configuration)
                assert caught.value.reason is Reason.LEDGER_TAIL
            self.path.write_bytes(b"".join(line for line in self._lines(held)))

    @invariant()
    def every_receipt_is_in_the_file(self) -> None:
        if not self.path.exists():
            assert not self.receipts
            return
        charges = {e["position"]: e for e in read_entries(self.path) if e["kind"] == "charge"}
        for position, (first, frames) in self.receipts.items():
            assert (charges[position]["first_frame"], charges[position]["frames"]) == (first, frames)

    @invariant()
    def no_frame_has_more_than_the_largest_slope(self) -> None:
        if self.path.exists():
            spent: dict[int, Fraction] = {}
            for entry in read_entries(self.path):
                for frame in range(entry.get("first_frame", 0), entry.get("first_frame", 0) + entry.get("frames", 0)):
                    spent[frame] = spent.get(frame, Fraction(0)) + Fraction(entry["slope"])
            assert max(spent.values(), default=0) <= Fraction(1, 100)

    def _open(self, *, new_epoch: bool) -> None:
        try:
            with self.disk.attached():
                self.ledger = open_ledger(
                    self.path, lambda: self.now, configuration=self.configuration, new_epoch=new_epoch
                )
        except LedgerError as error:
            self.refused(error.reason, set() if new_epoch or self.configuration == self.epoch_of else CHANGED)
            return
        if new_epoch or not read_entries(self.path)[:-1]:
            self.newest, self.epoch_of = self.now, self.configuration
        assert self.ledger.next_frame >= max((first + n for first, n in self.receipts.values()), default=0)

    def refused(self, reason: Reason, expected: AbstractSet[Reason]) -> None:
        assert reason in expected

    def _abandon(self) -> None:
        if self.ledger:
            self.disk.off = False
            self.ledger.close()
            self.ledger = None

    @staticmethod
    def _lines(entries: list[dict[str, object]]) -> list[bytes]:
        return [json.dumps(e, sort_keys=True, separators=(",", ":")).encode() + b"\n" for e in entries]


LedgerMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedgerMachine = LedgerMachine.TestCase

"""The outbox's database and its log as a power cut at any moment leaves them, opened again."""

import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.relay.bounds import Bounds
from edge.relay.outbox import Outbox
from wire.schema import Acknowledgement

EPOCH = bytes(16)
DAY = 86400.0
BOUNDS = Bounds(size=300_000, age=10 * DAY)


def envelope(position):
    return position.to_bytes(2, "big") * (500 + 300 * (position % 40))


def snapshot(box):
    """All that must be of one piece."""
    counters = box.counters()
    del counters["lived"]
    return [(row.id, row.position) for row in box.waiting()], counters, box.account().lost


class PowerCutAtAnyMoment(RuleBasedStateMachine):
    """While one thing is done, database and log are copied; the copy must be from before it or from after it."""

    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.path = self.root / "real" / "outbox.sqlite"
        self.now = 0.0
        self.box = self.opened(self.path)
        self.copies = 0

    def opened(self, path):
        return Outbox(path, bounds=BOUNDS, clock=lambda: self.now)

    def during(self, action, moment, tear):
        """Do it, with the power cut at the `moment`-th statement, and in the writing of the log."""
        before = snapshot(self.box)
        events, cuts = [0], []

        def copy(statement):
            events[0] += 1
            if events[0] == moment or statement.startswith("COMMIT"):
                cuts.append((self.path.read_bytes(), self.log()))

        old = self.log()
        self.box._database.set_trace_callback(copy)
        action()
        self.box._database.set_trace_callback(None)
        after = snapshot(self.box)
        new = self.log()
        torn = int(tear * len(new))
        for database, written in [*cuts, *((database, new[:torn] + old[torn:]) for database, _ in cuts[-1:])]:
            self.check(database, written, before, after)

    def log(self):
        path = self.path.with_name(self.path.name + "-wal")
        return path.read_bytes() if path.exists() else b""

    def check(self, database, log, before, after):
        self.copies += 1
        folder = self.root / f"copy-{self.copies}"
        folder.mkdir()
        (folder / "outbox.sqlite").write_bytes(database)
        (folder / "outbox.sqlite-wal").write_bytes(log)
        with closing(self.opened(folder / "outbox.sqlite")) as copy:
            found = snapshot(copy)
            assert found in (before, after)
            assert not list(folder.glob("*.corrupt-*"))
            for row, position in found[0]:
                assert copy.envelope(row) == envelope(position)
            for position in range(1, 61):  # whatever was there is known, and can be put again
                copy.put(EPOCH, position, envelope(position))
            assert copy.account().lost == 0
        shutil.rmtree(folder)

    @rule(position=st.integers(1, 60), moment=st.integers(1, 12), tear=st.floats(0, 1))
    def put(self, position, moment, tear):
        self.during(lambda: self.box.put(EPOCH, position, envelope(position)), moment, tear)

    @rule(since=st.integers(1, 60), length=st.integers(0, 40), moment=st.integers(1, 12), tear=st.floats(0, 1))
    def acknowledge(self, since, length, moment, tear):
        word = Acknowledgement(device="cam", epoch=EPOCH, since=since, upto=since + length, hash=bytes(32), gaps=[])
        self.during(lambda: self.box.acknowledged(word), moment, tear)

    @rule(days=st.integers(1, 6))
    def grow_old(self, days):
        self.now += days * DAY
        self.box.tick()

    @rule()
    def restart(self):
        self.box.close()
        self.box = self.opened(self.path)

    @invariant()
    def nothing_is_lost(self):
        if hasattr(self, "box"):
            assert self.box.account().lost == 0

    def teardown(self):
        if hasattr(self, "box"):
            self.box.close()
            shutil.rmtree(self.root)


TestPowerCutAtAnyMoment = PowerCutAtAnyMoment.TestCase
TestPowerCutAtAnyMoment.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.courier import Courier
from edge.relay.troubles import Troubles
from edge.spool import COUNTS, KEPT_ASIDE, Spool
from wire.schema import MAX_MESSAGE


def envelope(number):
    return b"\xd2" + number.to_bytes(4, "big")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "spool"
    spool = Spool(folder)
    spool.tidy()
    for number in (1, 2, 3):
        spool.write(spool.next(), envelope(number))
    return folder


def delivered(folder):
    got = []
    courier = Courier(got.append, Spool(folder), troubles=Troubles(lambda: 0.0))
    courier.start()
    courier.stop(5)
    return got, courier


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"not an envelope", b"\xd2" * (MAX_MESSAGE + 1)])
def test_a_damaged_file_is_put_aside_and_counted_and_the_others_are_delivered(folder, caplog, content):
    (folder / "000000000002.cose").write_bytes(content)
    got, courier = delivered(folder)
    assert got == [envelope(1), envelope(3)]
    assert courier.counts() == (3, 1, 0)
    assert (folder / "aside-000000000002.cose").read_bytes() == content
    assert "damaged and is put aside" in caplog.text


@pytest.mark.parametrize("name", ["notes.txt", "7.cose", "000000000002.cose.old", "folder", "000000000009.cose"])
def test_what_is_foreign_is_put_aside_whatever_it_is(folder, name):
    if name in ("folder", "000000000009.cose"):
        (folder / name).mkdir()
        (folder / name / "inside").touch()
    else:
        (folder / name).write_text("hello")
    got, courier = delivered(folder)
    assert got == [envelope(number) for number in (1, 2, 3)]
    assert courier.counts() == (3, 0, 0)
    assert (folder / f"aside-{name}").exists()


def test_only_the_newest_of_what_was_put_aside_is_kept(folder):
    for number in range(KEPT_ASIDE + 9):
        (folder / f"foreign-{number}").touch()
    delivered(folder)
    assert len(list(folder.glob("aside-*"))) == KEPT_ASIDE


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"made": "many"}', b'{"made": 3}', b"\xff\xff"])
def test_damaged_counts_are_said_and_the_files_still_say_how_many_were_made(folder, caplog, content):
    (folder / COUNTS).write_bytes(content)
    spool = Spool(folder)
    assert (spool.made, spool.dropped) == (3, 0)
    assert "is damaged" in caplog.text


def test_a_file_in_the_place_of_the_folder_costs_the_disk_and_nothing_else(tmp_path, caplog):
    (tmp_path / "spool").touch()
    got = []
    courier = Courier(got.append, Spool(tmp_path / "spool"), troubles=Troubles(lambda: 0.0))
    courier.start()
    courier.hand_over(envelope(1))
    assert courier.stop(5) == 0
    assert got == [envelope(1)]
    assert "in memory only" in caplog.text


class PowerCut(BaseException):
    """The machine is off."""


class PowerCutAnywhere(RuleBasedStateMachine):
    """Any call that changes the disk may be the last; what remains is opened again."""

    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.folder = self.root / "spool"
        self.made = self.dropped = 0
        self.here = []
        self.open()

    def open(self):
        self.spool = Spool(self.folder)
        self.spool.tidy()

    def survive(self, action, steps):
        """Run it until the `steps`-th change of the disk. Whether it was cut off."""
        left = [steps]
        changes = {name: getattr(os, name) for name in ("open", "write", "fsync", "unlink", "rename", "replace")}

        def counted(name):
            def call(*args, **kwargs):
                left[0] -= 1
                if left[0] == 0:
                    raise PowerCut
                return changes[name](*args, **kwargs)

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name in changes:
                patch.setattr(os, name, counted(name))
            try:
                action()
            except PowerCut:
                pass
            else:
                return False
        self.open()
        return True

    @rule(steps=st.integers(1, 12))
    def write(self, steps):
        number = self.spool.next()
        cut = self.survive(lambda: self.spool.write(number, envelope(number)), steps)
        if not cut or number in self.spool.numbers:
            self.here.append(number)
        self.made = max(self.made, number) if not cut or number in self.spool.numbers else self.made

    @precondition(lambda self: self.here)
    @rule(steps=st.integers(1, 12))
    def deliver(self, steps):
        number = self.here[0]
        cut = self.survive(lambda: self.spool.delivered(number), steps)
        if not cut or number not in self.spool.numbers:
            self.here.pop(0)

    @precondition(lambda self: self.here)
    @rule(steps=st.integers(1, 12))
    def give_up(self, steps):
        cut = self.survive(lambda: self.spool.give_up(self.here[0]), steps)
        if not cut or self.spool.dropped > self.dropped:
            self.here.pop(0)
            self.dropped += 1

    @rule()
    def restart(self):
        self.open()

    @invariant()
    def the_files_and_the_counts_agree(self):
        if hasattr(self, "spool"):
            assert self.spool.numbers == self.here
            assert [self.spool.read(number) for number in self.here] == [envelope(number) for number in self.here]
            assert (self.spool.made, self.spool.dropped) == (self.made, self.dropped)

    def teardown(self):
        if hasattr(self, "root"):
            shutil.rmtree(self.root)


TestPowerCutAnywhere = PowerCutAnywhere.TestCase
TestPowerCutAnywhere.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

import errno
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest

from edge.errors import LedgerError, Reason
from edge.ledger.command import main
from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.terms import Terms, one_pair
from wire.schema import Unit

WINDOW = Mechanism(LinearLut(255), 16, 3, 4, 10, 255 * 200)
UNIT = Unit(visits=1, seconds=600, frames=600, pixels=1024)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with two charges, closed."""
    ledger = open_ledger(tmp_path / "ledger.jsonl")
    ledger.charge("map", WINDOW, 0)
    ledger.charge("state", WINDOW, 0)
    ledger.close()
    return tmp_path / "ledger.jsonl"


def open_ledger(path: Path, terms: Terms | None = None, *, new_epoch: bool = False) -> Ledger:
    return Ledger(
        path,
        device="ward-3",
        configuration=bytes(32),
        terms=terms or one_pair(Fraction(1, 100), Fraction(1)),
        clock=lambda: 1_760_000_000_000,
        new_epoch=new_epoch,
        make_epoch=lambda: bytes([len(path.read_bytes()) % 251] * 16),
    )


def test_show_tells_of_each_epoch_what_it_promises_and_what_the_costliest_frame_cost(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "3 entries in 1 epochs" in shown
    assert "charges: map 1, state 1; frames 0 to 9" in shown
    assert "the costliest frame cost 1/100 of at most 1/100 (100.00%)" in shown
    assert "2025-10-09" in shown
    assert "got to position 3" in shown


def test_gaussian_epochs_are_told_in_their_own_terms(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_ledger(path, Terms("discrete-gaussian", UNIT, Fraction(1, 10**8), Fraction(1)), new_epoch=True).close()
    main(["show", str(path)])
    assert "ρ = 0.003072 (zCDP) for one visit shorter than 10 min" in capsys.readouterr().out
    main(["show", "--json", str(path)])
    first, second = json.loads(capsys.readouterr().out)["epochs"]
    assert (first["noise"], first["charges"], first["cost"]) == ("discrete-laplace", {"map": 1, "state": 1}, "1/100")
    assert (second["noise"], second["charges"], second["unit"]["seconds"]) == ("discrete-gaussian", {}, 600)


def test_the_entries_are_shown_as_they_are(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "--entries", str(path)])
    assert capsys.readouterr().out.encode() == path.read_bytes()


def test_verify_says_what_it_checked(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(path)]) == 0
    said = capsys.readouterr().out
    assert "the chain is whole: 3 entries, 2 charges" in said
    assert path.read_text().splitlines()[-1].split('"hash":"')[1][:64] in said


def test_a_ledger_in_use_is_read_and_a_line_that_is_being_written_is_no_error(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger(path)
    with path.open("ab") as file:
        file.write(b'{"a line that bro')
    assert main(["verify", str(path)]) == 0
    assert "17 bytes after the last entry" in capsys.readouterr().out
    ledger.close()


def test_an_export_verifies_elsewhere_and_leaves_out_what_broke_off(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"a line that bro')
    out = tmp_path / "elsewhere" / "copy.jsonl"
    out.parent.mkdir()
    assert main(["export", str(path), "--out", str(out)]) == 0
    assert out.read_bytes() == whole
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    assert "no file of marks" in capsys.readouterr().out
    assert main(["export", str(path)]) == 0
    assert capsys.readouterr().out.encode() == whole


def test_what_came_since_can_be_appended_to_an_earlier_export(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    main(["export", str(path), "--since", "2"])
    copy.write_bytes(copy.read_bytes() + capsys.readouterr().out.encode())
    assert copy.read_bytes() == path.read_bytes()
    assert main(["export", str(path), "--since", "3", "--out", str(tmp_path / "nothing")]) == 0
    assert (tmp_path / "nothing").read_bytes() == b""
    for since in ("4", "-1"):
        with pytest.raises(LedgerError, match="ends at position 3"):
            main(["export", str(path), "--since", since])


def test_an_export_never_overwrites(path: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(LedgerError, match="there already"):
        main(["export", str(path), "--out", str(tmp_path / "there")])
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(LedgerError, match="No such file"):
        main(["export", str(path), "--out", str(tmp_path / "no" / "folder")])


def test_an_export_that_breaks_off_leaves_no_file(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    there = sorted(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match="No space left"):
        main(["export", str(path), "--out", str(tmp_path / "copy")])
    assert sorted(tmp_path.iterdir()) == there


def test_damage_is_refused_and_its_line_named_and_nothing_is_written(path: Path, tmp_path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"level":"state"', b'"level":"stale"'))
    for command in (["show"], ["verify"], ["export", "--out", str(tmp_path / "out")]):
        with pytest.raises(LedgerError, match="line 3") as caught:
            main([*command, str(path)])
        assert caught.value.reason is Reason.LEDGER_CORRUPT
    assert not (tmp_path / "out").exists()


def test_a_tail_that_was_cut_off_shows_by_the_marks(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(LedgerError, match="ends at position 2, and had got to 3") as caught:
        main(["verify", str(path)])
    assert caught.value.reason is Reason.LEDGER_TAIL


def test_reading_makes_no_file(path: Path, tmp_path: Path) -> None:
    path.with_name("ledger.jsonl.head").unlink()
    main(["verify", str(path)])
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.jsonl"]


def test_a_missing_ledger_is_a_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="No such file") as caught:
        main(["show", str(tmp_path / "none")])
    assert caught.value.remedy

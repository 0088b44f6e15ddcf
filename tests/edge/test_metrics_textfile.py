import os
import stat

import pytest

from edge.metrics.capture import CaptureFigures
from edge.metrics.textfile import Textfile, resident_bytes

FIGURES = CaptureFigures(software="speckled 1.2", frames=7)


def test_the_file_is_written_whole_and_everybody_may_read_it(tmp_path):
    path = tmp_path / "speckled.prom"
    before = os.umask(0o077)
    try:
        assert Textfile(path).write(FIGURES)
    finally:
        os.umask(before)
    assert "speckled_frames_taken_total 7\n" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["speckled.prom"]


def test_a_reader_that_has_the_old_file_open_keeps_the_old_figures(tmp_path):
    path = tmp_path / "speckled.prom"
    textfile = Textfile(path)
    textfile.write(FIGURES)
    with path.open() as reader:
        textfile.write(CaptureFigures(software="speckled 1.2", frames=8))
        assert "speckled_frames_taken_total 7\n" in reader.read()
    assert "speckled_frames_taken_total 8\n" in path.read_text()


def test_a_full_disk_is_said_once_and_leaves_the_old_file(tmp_path, monkeypatch, caplog):
    path = tmp_path / "speckled.prom"
    textfile = Textfile(path)
    textfile.write(FIGURES)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        for _ in range(3):
            assert not textfile.write(FIGURES)
    assert [record.message.split(". ")[0] for record in caplog.records] == [
        f"no figures in {path}: No space left on device"
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["speckled.prom"]
    assert textfile.write(FIGURES)


def test_a_trouble_that_comes_back_is_said_again(tmp_path, caplog):
    folder = tmp_path / "textfiles"
    textfile = Textfile(folder / "speckled.prom")
    assert not textfile.write(FIGURES)
    folder.mkdir()
    assert textfile.write(FIGURES)
    (folder / "speckled.prom").unlink()
    folder.rmdir()
    assert not textfile.write(FIGURES)
    assert len(caplog.records) == 2


def test_a_link_that_somebody_laid_in_the_folder_is_not_followed(tmp_path, caplog):
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    (tmp_path / ".speckled.prom.new").symlink_to(precious)
    textfile = Textfile(tmp_path / "speckled.prom")
    textfile.write(FIGURES)
    assert precious.read_text() == "as it was"
    assert textfile.write(FIGURES)
    assert len(caplog.records) == 1


def test_the_memory_of_this_process_is_some_megabytes():
    assert 2**20 < resident_bytes() < 2**40


@pytest.mark.parametrize("content", ["", "12", "x y"])
def test_a_kernel_that_tells_nothing_about_memory_is_no_error(tmp_path, content):
    (tmp_path / "statm").write_text(content)
    assert resident_bytes(tmp_path / "statm") is None
    assert resident_bytes(tmp_path / "none") is None

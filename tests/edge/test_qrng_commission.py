import json

import pytest

from edge.devices import commissioned_credit
from edge.errors import ConfigError, EntropyUnavailable, Reason
from edge.qrng import commission
from edge.qrng.command import main
from edge.sources import EntropySettings
from wire.exit import Exit

FEW = ["--samples", "10000", "--restarts", "3"]


def test_a_report_is_written_in_three_forms_and_can_be_named_in_the_settings(tmp_path, capsys):
    assert main(["commission", "--device", "software", "--out", str(tmp_path / "new" / "report"), *FEW]) == Exit.OK
    out = capsys.readouterr().out
    folder = tmp_path / "new" / "report"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json", "report.txt"]
    assert f'[entropy] commissioned = "{folder / "report.json"}"' in out
    credit = commissioned_credit(EntropySettings(commissioned=str(folder / "report.json")))
    assert 0 < credit <= 7
    assert (folder / "report.txt").read_text().rstrip() in out


def test_json_tells_the_credit_and_where_the_report_is(tmp_path, capsys):
    assert main(["commission", "--device", "emulated:microrng", "--out", str(tmp_path), "--json", *FEW]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["credit"] <= 4
    assert told["report"] == str(tmp_path / "report.json")


def test_a_stuck_device_gets_no_credit(tmp_path, capsys):
    with pytest.raises(EntropyUnavailable, match="nothing may be credited") as caught:
        main(["commission", "--device", "emulated:microrng", "--fault", "stuck", "--out", str(tmp_path), *FEW])
    assert caught.value.exit is Exit.NO_ENTROPY
    assert json.loads((tmp_path / "report.json").read_text())["credit"] == 0
    assert "commissioned =" not in capsys.readouterr().out


def test_a_device_that_fails_while_it_is_read_ends_the_command_and_nothing_is_claimed(tmp_path):
    with pytest.raises(EntropyUnavailable) as caught:
        main(["commission", "--device", "emulated:microrng", "--fault", "eio@5000", "--out", str(tmp_path), *FEW])
    assert caught.value.reason is Reason.ENTROPY_DEVICE
    assert not (tmp_path / "report.json").exists()


def test_too_few_samples_are_refused_before_the_device_is_opened(tmp_path):
    with pytest.raises(ConfigError, match="at least 10000"):
        main(["commission", "--device", "software", "--out", str(tmp_path), "--samples", "100"])


def test_nists_tool_is_asked_only_where_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(commission, "find_tool", lambda: None)
    with pytest.raises(ConfigError, match="ea_non_iid is not on the PATH") as caught:
        main(["commission", "--device", "software", "--out", str(tmp_path / "report"), "--nist", *FEW])
    assert "leave out --nist" in caught.value.remedy
    assert not (tmp_path / "report").exists()


def test_nists_tool_that_says_nothing_of_use_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(commission, "find_tool", lambda: "/bin/true")
    with pytest.raises(ConfigError, match="--nist: ") as caught:
        main(["commission", "--device", "software", "--out", str(tmp_path / "report"), "--nist", *FEW])
    assert "ea_non_iid" in caught.value.remedy


def test_a_folder_that_cannot_be_written_is_named_before_a_sample_is_drawn(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file: File exists"):
        main(["commission", "--device", "software", "--out", str(tmp_path / "file"), *FEW])

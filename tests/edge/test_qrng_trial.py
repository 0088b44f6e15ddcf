import io
import json
import re

import pytest

from drivers.qrng.profile import SHIPPED
from drivers.qrng.software import SoftwareQrng
from edge.entropy import EntropyPool
from edge.errors import ConfigError, EntropyUnavailable, Reason
from edge.qrng import trial
from edge.qrng.account import samples_for
from edge.qrng.command import main
from edge.qrng.counted import Counted
from edge.qrng.show import Progress, duration, rate
from wire.exit import Exit

SETTINGS = """
[device]
id = "ward-3"
[camera]
driver = "synthetic"
width = 64
height = 64
[qrng]
driver = "{}"
[capture]
state = "capture"
"""


@pytest.fixture
def configured(tmp_path):
    def configured(driver="emulated-microrng", more=""):
        """The path of settings whose [qrng] has this driver, and what may stand after it; `more` ends the file."""
        (tmp_path / "capture").mkdir(exist_ok=True)
        path = tmp_path / "speckled.toml"
        path.write_text(SETTINGS.format(driver) + more)
        return str(path)

    return configured


def failing(*words):
    with pytest.raises(EntropyUnavailable) as caught:
        main(["test", *words])
    assert caught.value.exit is Exit.NO_ENTROPY
    return caught.value


def test_a_healthy_source_is_accounted_for_in_words(capsys):
    assert main(["test", "--device", "emulated:microrng", "--samples", "5000"]) == Exit.OK
    out = " ".join(capsys.readouterr().out.split())
    assert "4,096 samples passed every test" in out
    assert "4 of 8 bits of min-entropy for each sample" in out
    assert "144 samples, which count for 576 bits, make 512 bits of full entropy" in out
    assert "place map 24 h" in out
    assert re.search(r"samples of 8 bits, raw, clock [0-9.]+ MHz", out)
    assert "PASSED" in out
    assert "simulated" in out


EMULATED = ("microrng", "qcicada", "idq250", "tpm", "character", f"profile:{SHIPPED / 'microrng.toml'}")


@pytest.mark.parametrize("kind", EMULATED)
def test_every_emulated_device_can_be_tested_and_broken(kind, capsys):
    assert main(["test", "--device", f"emulated:{kind}", "--samples", "2000"]) == Exit.OK
    assert "simulated" in capsys.readouterr().out
    assert failing("--device", f"emulated:{kind}", "--fault", "bias=0.6").reason is Reason.ENTROPY_BITS
    assert failing("--device", f"emulated:{kind}", "--fault", "unplug").reason is Reason.ENTROPY_DEVICE


def test_a_biased_source_is_explained_and_refused(capsys):
    error = failing("--device", "emulated:microrng", "--fault", "bias=0.6")
    assert error.reason is Reason.ENTROPY_BITS
    assert "Check wiring and power" in error.remedy
    out = " ".join(capsys.readouterr().out.split())
    assert "start-up FAILED the bit prediction test failed" in out
    assert "to do Check wiring and power" in out
    assert re.search(r"FAILED after (4,096|8,192) samples: entropy-predictable-bits", out)  # one start-up, or two
    assert "A simple rule guessed more bits than chance allows" in out
    assert "was asked to break: bias=0.6" in out
    assert "PASSED" not in out


def test_a_source_that_breaks_later_has_passed_start_up_and_says_after_how_many_samples(capsys):
    error = failing("--device", "emulated:microrng", "--fault", "stuck@6000", "--samples", "20000", "--json")
    assert error.reason is Reason.ENTROPY_REPETITION
    told = json.loads(capsys.readouterr().out)
    assert [(step["name"], step["outcome"]) for step in told["steps"]] == [
        ("open", "ok"),
        ("start-up", "ok"),
        ("continuous", "FAILED"),
    ]
    assert told["reason"] == "entropy-repetition-count"
    assert 6000 <= told["samples"] <= 6000 + 1024
    assert told["meaning"]
    assert told["remedy"]
    assert not told["passed"]


def test_a_device_that_does_not_answer_is_not_blamed_for_its_samples(capsys):
    error = failing("--device", "emulated:microrng", "--fault", "unplug@5000")
    assert error.reason is Reason.ENTROPY_DEVICE
    assert "the samples themselves were not judged" in " ".join(capsys.readouterr().out.split())


def test_a_window_that_failed_on_the_way_is_mentioned_although_the_source_passed(capsys):
    assert main(["test", "--device", "emulated:microrng", "--fault", "repeat=64@6000+200", "--samples", "9000"]) == 0
    assert "passed every test, but for one window, and a new start-up" in " ".join(capsys.readouterr().out.split())
    assert main(["test", "--device", "emulated:microrng", "--samples", "9000"]) == 0
    assert "but for one window" not in capsys.readouterr().out


def test_every_reason_that_a_pool_fails_for_has_a_meaning():
    about_entropy = {reason for reason in Reason if reason.value.startswith("entropy-")}
    assert about_entropy - {Reason.ENTROPY_NOT_STARTED} <= set(trial.MEANING)


def test_json_tells_the_account_in_numbers(capsys):
    assert main(["test", "--device", "software", "--samples", "2000", "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert told["passed"]
    assert told["simulated"]
    assert told["credit"] == 7.0
    assert told["samples"] >= 2000
    assert told["bits_per_second"] > 0
    assert {"profile": "place", "level": "map"}.items() <= told["windows"][0].items()


ENTROPY = """
[entropy]
rate = "drbg"
partners = [{driver = "software"}]
commissioned = 3.2
"""


def test_rate_partners_and_commissioning_are_those_of_the_settings(configured, capsys):
    settings = configured(more=ENTROPY)
    assert main(["test", "--config", settings, "--samples", "2000"]) == Exit.OK
    out = " ".join(capsys.readouterr().out.split())
    assert "3.2 of 8 bits of min-entropy for each sample (the lower of claim and commissioning)" in out
    assert "computational: expanded by a DRBG, XOR software" in out
    assert "of computational randomness" in out


@pytest.mark.parametrize("rate", ["true-random", "drbg"])
@pytest.mark.parametrize("size", [1, 100, 3000, 20_000])
def test_the_samples_of_a_window_are_foretold_exactly(rate, size):
    source = Counted(SoftwareQrng(), lambda: 0.0)
    pool = EntropyPool(source, clock=lambda: 0.0, rate=rate)
    pool.start()
    before = source.samples
    pool.take(size)
    assert source.samples - before == samples_for(size, pool.provenance())


def test_no_sample_is_printed(capsys, monkeypatch):
    drawn = []

    class Watched(Counted):
        def read(self, count):
            samples = super().read(count)
            drawn.append(bytes(samples))
            return samples

    monkeypatch.setattr(trial, "Counted", Watched)
    with pytest.raises(EntropyUnavailable) as caught:
        main(["test", "--device", "emulated:microrng", "--fault", "stuck=0x5a@5000", "--samples", "9000"])
    text = "".join(capsys.readouterr()) + str(caught.value)
    for spelling in ("5a5a", "0x5a,", "5A", "ZZ", "90, 90", "5a 5a"):
        assert spelling not in text
    for read in drawn:
        assert read[:4].hex() not in text


def test_a_mark_of_failure_is_removed_after_a_pass_and_only_when_that_is_asked_for(configured, tmp_path, capsys):
    settings = configured()
    mark = tmp_path / "capture" / "entropy-failed"
    mark.write_text("entropy-repetition-count\n")
    words = ["test", "--config", settings, "--samples", "1000"]
    assert main(words) == Exit.OK
    assert mark.exists()
    assert "--clear-latch" in capsys.readouterr().out
    assert main([*words, "--clear-latch"]) == Exit.OK
    assert not mark.exists()
    assert "(entropy-repetition-count) is removed" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("fault", ["stuck", "bias=0.6", "unplug@5000"])
def test_a_mark_of_failure_stays_where_the_test_fails(configured, tmp_path, fault):
    settings = configured(f'emulated-microrng"\nfault = "{fault}')
    mark = tmp_path / "capture" / "entropy-failed"
    mark.write_text("entropy-repetition-count\n")
    failing("--config", settings, "--clear-latch")
    assert mark.exists()


def test_a_mark_is_cleared_only_for_the_source_that_is_configured_and_as_it_is_configured(configured, tmp_path):
    mark = tmp_path / "capture" / "entropy-failed"
    settings = configured()
    mark.write_text("entropy-repetition-count\n")
    for words in (["--device", "software"], ["--config", settings, "--fault", "bias=0.5"]):
        with pytest.raises(ConfigError, match="clear-latch"):
            main(["test", *words, "--clear-latch"])
    assert mark.exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_and_taken_away():
    now = iter([0.0, 1.0, 1.1])
    terminal = Terminal()
    progress = Progress(lambda: next(now), terminal)
    progress.update("250 samples", 0.25)
    progress.update("300 samples", 0.3)
    assert "25 %  250 samples, 3 s left" in terminal.getvalue()
    assert "300" not in terminal.getvalue()
    progress.clear()
    assert terminal.getvalue().endswith("\r")


def test_progress_is_silent_where_nobody_watches():
    now = iter([0.0, 1.0])
    stream = io.StringIO()
    Progress(lambda: next(now), stream).update("250 samples", 0.25)
    assert stream.getvalue() == ""


def test_times_and_speeds_are_written_for_people():
    assert [duration(s) for s in (0.0123, 12, 600, 7200, 864_000)] == ["12.3 ms", "12 s", "10 min", "2 h", "10 d"]
    assert [rate(n, "bit/s") for n in (12, 61_234, 5e6, 2e9)] == ["12 bit/s", "61.2 kbit/s", "5 Mbit/s", "2 Gbit/s"]

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np
import pytest

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from edge.entropy.estimators import commission as commission_module
from edge.entropy.estimators.commission import commission
from edge.entropy.estimators.counts import count
from edge.entropy.estimators.nist import NistResult
from edge.entropy.estimators.page import page
from edge.entropy.estimators.report import MEANING, as_json, down, text, warnings

DAY = date(2026, 11, 21)
IDENTITY = QrngIdentity("fake", "Chip <7>", sample_bits=8, credit=Fraction(7), raw=True, simulated=False)


class FakeQrng:
    """A sound source, or one that begins alike after every opening."""

    def __init__(self, identity=IDENTITY, *, alike=False, fails_at=None):
        self.identity = identity
        self.alike = alike
        self.fails_at = fails_at
        self.generator = np.random.default_rng(3)
        self.is_open = False
        self.openings = 0
        self.given = []

    def open(self):
        assert not self.is_open
        self.is_open = True
        self.openings += 1
        if self.alike:
            self.generator = np.random.default_rng(3)
        return self.identity

    def read(self, count):
        assert self.is_open
        if self.fails_at is not None and len(self.given) == self.fails_at:
            raise QrngError(QrngReason.BUS, "the bus is gone", "Plug it in.")
        got = bytearray(self.generator.integers(0, 1 << self.identity.sample_bits, count, dtype=np.uint8))
        self.given.append(got)
        return got

    def close(self):
        self.is_open = False


def run(source, **options):
    return commission(source, on=DAY, **({"samples": 10_000, "restarts": 5} | options))


@pytest.fixture(scope="module")
def found():
    return run(FakeQrng(), restarts=12)


def test_a_sound_source_is_credited_the_least_of_claim_cap_and_estimates(found):
    assert found.credit == min(
        Fraction(7), Fraction(found.assessment.entropy), Fraction(found.restart.rows), Fraction(found.restart.columns)
    )
    assert run(FakeQrng(replace(IDENTITY, credit=Fraction(3)))).credit == 3


def test_no_bit_is_credited_more_than_nine_tenths(monkeypatch, found):
    monkeypatch.setattr(commission_module, "assess", lambda *_, **__: replace(found.assessment, entropy=7.9))
    lavish = FakeQrng(replace(IDENTITY, credit=Fraction(8)))
    assert run(lavish, restarts=0).credit == Fraction(72, 10)


def test_a_source_that_begins_alike_after_a_restart_is_credited_nothing():
    found = run(FakeQrng(alike=True))
    assert found.credit == 0
    assert any("alike" in warning for warning in warnings(found))


def test_the_source_is_opened_once_and_then_once_for_each_restart_and_left_closed():
    source = FakeQrng()
    run(source)
    assert source.openings == 6
    assert not source.is_open


def test_what_was_read_is_overwritten():
    source = FakeQrng()
    run(source)
    assert not any(any(part) for part in source.given)


def test_a_source_that_fails_is_closed_and_its_error_goes_on():
    source = FakeQrng(fails_at=2)
    with pytest.raises(QrngError, match="bus"):
        run(source)
    assert not source.is_open


def test_restarts_that_would_take_too_long_are_left_out_and_the_report_says_so():
    seconds = iter(range(0, 10_000_000, 100))
    found = run(FakeQrng(), restarts=1000, clock=lambda: next(seconds))
    assert found.restart is None
    assert "minutes" in found.no_restart
    assert any("Restarts were not checked" in warning for warning in warnings(found))


def test_restarts_can_be_left_out():
    assert run(FakeQrng(), restarts=0).no_restart == "not asked for"


def test_the_tool_of_nist_sees_the_same_samples(monkeypatch):
    seen = []

    def fake(samples, sample_bits, *, tool):
        seen.append((samples.size, bool(samples.any()), sample_bits, tool))
        return NistResult("1.1.8", {"lag": 7.0}, {})

    monkeypatch.setattr(commission_module, "run_nist", fake)
    found = run(FakeQrng(), restarts=0, nist="/bin/ea")
    assert seen == [(10_000, True, 8, "/bin/ea")]
    assert "ea_non_iid 1.1.8" in text(found)


def test_progress_only_grows_and_ends_at_one():
    told = []
    run(FakeQrng(), progress=lambda _step, done: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 1


@pytest.mark.parametrize("form", [text, as_json, page])
def test_every_form_of_the_report_names_the_device_the_date_the_credit_and_the_limits(found, form):
    written = form(found).replace("&lt;", "<").replace("&gt;", ">")
    flat = " ".join(written.replace("&#x27;", "'").split())
    assert IDENTITY.model in flat
    assert "2026-11-21" in flat
    assert down(found.credit).rstrip("0") in flat
    for sentence in MEANING:
        assert sentence in flat.replace(" - ", " ")


def test_the_text_fits_a_terminal(found):
    assert max(map(len, text(found).splitlines())) <= 100


def test_a_credit_is_never_printed_above_its_value():
    assert down(Fraction(2, 3)) == "0.6666"
    assert down(7.29999) == "7.2999"


def test_the_json_document_holds_what_programs_need(found):
    document = json.loads(as_json(found))
    assert document["credit"] <= float(found.credit)
    assert document["assessment"]["entropy"] == found.assessment.entropy
    assert document["restart"]["passed"] is True
    assert sum(document["counts"]["values"]) == 10_000


def test_no_form_of_the_report_holds_more_than_counts(found):
    # 256 values, 8 positions, 64 lags and less than 100 numbers beside: nothing as long as the samples.
    assert len(as_json(found)) < 20_000
    assert len(page(found)) < 60_000


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script(found):
    markup = page(found)
    assert "<script" not in markup
    assert not re.search(r"(src|href)=|url\(|@import", markup)
    assert "Chip <7>" not in markup
    for drawing in re.findall(r"<svg.*?</svg>", markup, re.DOTALL):
        assert ET.fromstring(drawing).findall(".//rect")
    assert markup.count("<svg") == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"simulated": True}, "emulator"),
        ({"raw": False}, "conditions"),
        ({"credit": Fraction(36, 5)}, "below the claim"),
    ],
)
def test_a_reader_is_warned_of_what_makes_the_numbers_worth_less(changed, words):
    found = run(FakeQrng(replace(IDENTITY, **changed)), restarts=0)
    assert any(words in warning for warning in warnings(found))


def test_counts_are_those_of_the_samples():
    samples = np.array([0, 1, 2, 3] * 100, np.uint8)
    counts = count(samples, 2)
    assert counts.values == (100, 100, 100, 100)
    assert counts.ones == (200, 200)
    assert counts.agreement[7] == counts.compared[7] == 800 - 8

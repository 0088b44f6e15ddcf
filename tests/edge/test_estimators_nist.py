"""Estimates beside those of NIST's tool, on samples that a seeded generator makes again."""

import os
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from drivers.qrng.software import SoftwareQrng
from edge.entropy.estimators.assess import assess
from edge.entropy.estimators.commission import commission
from edge.entropy.estimators.nist import NistError, find_tool, parse, run_nist

REFERENCE = Path(__file__).with_name("estimators_nist")
SEED = 20260101
BITS = {"uniform": 8, "biased": 8, "correlated": 8, "normal": 8, "nibble": 4, "bit": 1, "lfsr": 8}
nightly = pytest.mark.skipif(not os.environ.get("SPECKLED_NIGHTLY"), reason="takes minutes: set SPECKLED_NIGHTLY=1")
with_tool = pytest.mark.skipif(find_tool() is None, reason="NIST's ea_non_iid is not on the PATH")


def make(name, count):
    """Samples as they were given to the tool; PCG64 and these methods are frozen by numpy's stream policy."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    if name == "uniform":
        return generator.integers(0, 256, count, dtype=np.uint8)
    if name == "nibble":
        return generator.integers(0, 16, count, dtype=np.uint8)
    if name == "bit":
        return (generator.random(count) < 0.6).astype(np.uint8)
    if name == "biased":
        return np.packbits(generator.random(8 * count) < 0.6)
    if name == "correlated":
        return np.packbits(np.bitwise_xor.accumulate((generator.random(8 * count) >= 0.9).astype(np.uint8)))
    if name == "normal":
        return np.clip(np.round(generator.normal(128, 20, count)), 0, 255).astype(np.uint8)
    return shift_register(count)


def shift_register(count):
    """Bytes of the 16-bit register with taps 16, 14, 13, 11, begun with 0xACE1."""
    state, bits = 0xACE1, bytearray()
    for _ in range(8 * count):
        new = (state ^ (state >> 2) ^ (state >> 3) ^ (state >> 5)) & 1
        state = (state >> 1) | (new << 15)
        bits.append(state & 1)
    return np.packbits(np.frombuffer(bits, np.uint8))


def agree(name, count):
    """Every estimate is the tool's, to the digits that matter: they are sums of millions of floats."""
    printed = parse((REFERENCE / f"{name}-{count}.txt").read_text())
    found = assess(make(name, count), BITS[name])
    assert {each.name for each in found.original if each.entropy is not None} == set(printed.original)
    assert {each.name for each in found.bitstring if each.entropy is not None} == set(printed.bitstring)
    assert printed.greatest_difference(found) < 1e-9


@pytest.mark.parametrize("name", ["biased", "bit", "lfsr", "normal"])
def test_twenty_thousand_samples_are_estimated_as_by_the_tool_of_nist(name):
    agree(name, 20_000)


@nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in BITS if name != "lfsr"])
def test_a_million_samples_are_estimated_as_by_the_tool_of_nist(name):
    agree(name, 1_000_000)


@nightly
@with_tool
@pytest.mark.timeout(1800)
def test_freshly_drawn_samples_are_estimated_as_by_the_tool_of_nist():
    found = commission(SoftwareQrng(), on=date(2026, 1, 1), restarts=0, nist=find_tool())
    assert found.nist.greatest_difference(found.assessment) < 1e-9


def fake_tool(folder, script):
    tool = folder / "ea_non_iid"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o700)
    return str(tool)


def test_the_tool_reads_a_file_that_only_this_user_can_read_and_that_is_gone_afterwards(tmp_path):
    look = f'stat -c "%a %s" "$5" > {tmp_path}/seen; echo "$5" > {tmp_path}/name; '
    answer = "echo 'Literal Most Common Value Estimate: min entropy = 7.5'"
    tool = fake_tool(tmp_path, f'[ "$1" = --version ] && exit 1; {look}{answer}')
    result = run_nist(np.zeros(100, np.uint8), 8, tool=tool)
    assert result.original == {"most common value": 7.5}
    assert result.version == "unknown"
    assert (tmp_path / "seen").read_text() == "600 100\n"
    assert not Path((tmp_path / "name").read_text().strip()).exists()


def test_the_version_of_the_tool_is_told_where_it_tells(tmp_path):
    tool = fake_tool(tmp_path, "echo noniid 1.1.8; echo 'Literal Most Common Value Estimate: min entropy = 7.5'")
    assert run_nist(np.zeros(100, np.uint8), 8, tool=tool).version == "1.1.8"


@pytest.mark.parametrize("script", ["exit 3", "sleep 20", "echo nothing"])
def test_a_tool_that_fails_is_an_error_with_a_remedy_and_leaves_no_file(tmp_path, script):
    tool = fake_tool(tmp_path, f'echo "$5" > {tmp_path}/name; exec {script}' if "sleep" in script else script)
    with pytest.raises(NistError) as caught:
        run_nist(np.zeros(100, np.uint8), 8, tool=tool, seconds=0.5 if "sleep" in script else 20)
    assert caught.value.remedy
    if "sleep" in script:
        assert not Path((tmp_path / "name").read_text().strip()).exists()


def test_a_tool_that_is_not_there_is_an_error():
    with pytest.raises(NistError, match="cannot be started"):
        run_nist(np.zeros(100, np.uint8), 8, tool="/nowhere/ea_non_iid")


def test_the_tool_is_looked_for_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tool() is None
    fake_tool(tmp_path, "true")
    assert find_tool() == shutil.which("ea_non_iid")

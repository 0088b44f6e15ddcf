"""docs/proofs/noise-first.md, Lemma 1, by looking: a process that runs as the service does is searched."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.memory import overwrite_freed_arrays
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism

Words = NDArray[np.int64]
CELL, SEED = 16, 7
SCALE = 2**55
"""So wide that no part of a sample is a word that memory holds anyway; at 2^40 one run in a hundred might meet one."""
UNIT = Path(__file__).resolve().parents[2] / "systemd" / "speckled-capture.service"
CAPTURE = """
import os, sys
import numpy as np
from edge.frame import Frame
from edge.privacy.lut import LinearLut, LogLut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.receipt import Charge, make_receipt
from edge.privacy.window import Window

rows, columns, cell, scale, seed = map(int, sys.argv[1:6])
lut, fault = sys.argv[6:]

class Pool:
    def take(self, n):
        bits = bytearray(n)
        with open("/dev/urandom", "rb", 0) as kernel:
            kernel.readinto(bits)
        return bits

class Camera:
    def read(self, plane, deadline):
        plane[...] = np.random.default_rng(seed).integers(0, 256, plane.shape, np.uint8)

reference = np.full((rows, columns), 128, np.int64)
luts = {"linear": LinearLut(255), "log": LogLut.of(255), "residual": ResidualLut(reference, 32, 255)}
mechanism = Mechanism(luts[lut], cell, rows, columns, 9, scale)
charge = Charge(level="map", epoch=bytes(16), position=1, previous=bytes(32), hash=bytes(32), first_frame=0)
window = Window(make_receipt(charge, mechanism), Noise.draw(mechanism, Pool()))
kept = window._sums.copy() if fault == "a copy of the noise" else None
print(window._sums.ctypes.data, flush=True)
sys.stdin.readline()
frame = Frame(rows * cell, columns * cell, np.uint8)
frame.fill(Camera(), 1)
window.add(frame)
if fault != "the frame is not wiped":
    frame.wipe()
print("added", flush=True)
sys.stdin.readline()
"""


def service_environment() -> dict[str, str]:
    line = next(line for line in UNIT.read_text().splitlines() if line.startswith("Environment="))
    return dict(setting.split("=", 1) for setting in line.removeprefix("Environment=").split())


class Captured:
    """A process with an open window, whose memory we read as an intruder would."""

    def __init__(self, rows: int, columns: int, lut: str, fault: str) -> None:
        arguments = [str(number) for number in (rows, columns, CELL, SCALE, SEED)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", CAPTURE, *arguments, lut, fault],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **service_environment()},
        )
        self._sums_at = int(self._said())
        self._size = 8 * rows * columns
        with self._memory() as memory:
            memory.seek(self._sums_at)
            self.noise: Words = np.frombuffer(memory.read(self._size), np.int64)

    def go_on(self) -> None:
        self._answer()
        assert self._said() == "added\n"

    def end(self) -> None:
        self._answer()
        self._process.communicate()

    def memory(self) -> Iterator[Words]:
        """All that can be written of it, less the window's sums."""
        with self._memory() as memory:
            for line in Path(f"/proc/{self._process.pid}/maps").read_text().splitlines():
                span, rights, *_ = line.split()
                begin, end = (int(edge, 16) for edge in span.split("-"))
                if rights.startswith("rw"):
                    memory.seek(begin)
                    words = np.frombuffer(bytearray(memory.read(end - begin)), np.int64)
                    if begin <= self._sums_at < end:
                        words[(self._sums_at - begin) // 8 :][: self._size // 8] = 0
                    yield words

    def _memory(self) -> io.FileIO:
        try:
            return io.FileIO(f"/proc/{self._process.pid}/mem")
        except PermissionError:
            pytest.skip("this system lets nobody read the memory of their own processes (kernel.yama.ptrace_scope)")

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _answer(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()


def occurrences(captured: Captured, wanted: Words) -> int:
    """How many 8-byte words of its memory are among those wanted, not counting zero."""
    known = np.unique(wanted[wanted != 0])
    found = 0
    for words in captured.memory():
        near = np.minimum(np.searchsorted(known, words), len(known) - 1)
        found += int((known[near] == words).sum())
    return found


def parts(captured: Captured) -> Words:
    """The noise, and what lies below a step of it, which is drawn apart (docs/proofs/noise.md, section 6)."""
    width = Mechanism(LinearLut(255), CELL, 1, 1, 9, SCALE).law.width
    noise = captured.noise
    return np.concatenate((noise, np.where(noise < 0, -1 - noise, noise) & ((1 << width) - 1)))


def pixels(rows: int, columns: int) -> Words:
    """The frame as bytes and widened to 16 bits, in words of 8 bytes: too long to be met by chance."""
    frame = np.random.default_rng(SEED).integers(0, 256, (rows * CELL, columns * CELL), np.uint8)
    return np.concatenate([frame.astype(kind).ravel().view(np.int64) for kind in (np.uint8, np.uint16)])


@pytest.fixture
def capture() -> Iterator[Callable[..., Captured]]:
    started: list[Captured] = []

    def start(rows: int, columns: int, lut: str = "linear", fault: str = "none") -> Captured:
        started.append(Captured(rows, columns, lut, fault))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.mark.parametrize(("rows", "columns", "lut"), [(9, 12, "linear"), (7, 10, "residual"), (30, 40, "log")])
def test_no_part_of_the_noise_or_of_a_frame_is_anywhere_in_memory_but_in_the_sums(
    capture: Callable[..., Captured], rows: int, columns: int, lut: str
) -> None:
    captured = capture(rows, columns, lut)
    assert occurrences(captured, parts(captured)) == 0
    captured.go_on()
    assert occurrences(captured, np.concatenate((parts(captured), pixels(rows, columns)))) == 0


def test_the_search_finds_noise_that_was_copied_and_a_frame_that_was_not_wiped(
    capture: Callable[..., Captured],
) -> None:
    captured = capture(9, 12, fault="a copy of the noise")
    assert occurrences(captured, captured.noise) >= 9 * 12
    captured = capture(9, 12, fault="the frame is not wiped")
    captured.go_on()
    assert occurrences(captured, pixels(9, 12)) >= 9 * 12 * CELL**2 // 8


@pytest.mark.parametrize("items", [1, 70, 108, 127])
def test_small_arrays_that_were_freed_are_overwritten(items: int) -> None:
    mark = 0x5EC2E7
    addresses = [array.ctypes.data for array in [np.full(items, mark, np.int64) for _ in range(7)]]
    overwrite_freed_arrays()
    with io.FileIO("/proc/self/mem") as memory:
        for address in addresses:
            memory.seek(address)
            assert mark not in np.frombuffer(memory.read(8 * items), np.int64)[2:]

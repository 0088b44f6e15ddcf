"""Exact noise beside its peers: bits a sample, samples a second, and whether they draw from the same law.

Every row is measured in this run, on one core. `bits` is what a sample takes of the source of randomness, beside the
Shannon entropy H of the law; a library that has a source of its own cannot be counted. `agrees` compares the samples
with ours in a chi-square test of two samples: the score is normal with deviation 1 where the laws are equal.
"""

import importlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.cks import CountedBits, gaussian, laplace
from benchmarks.peers.fldr import Fldr
from edge.privacy.bits import BitSource
from edge.privacy.sampling.allotment import allotment
from edge.privacy.sampling.lanes import Lanes
from edge.privacy.sampling.law import Gaussian, Laplace
from edge.privacy.sampling.sampler import Sampler, lanes_for

TABLE, WIDE, SLOW = 1 << 23, 1 << 20, 20_000
"""Samples of a table, of a wide law, and of a peer that draws one at a time."""
RUNS = 5
"""Draws of ours; the median counts, as one may meet pages of memory that were never touched."""


@dataclass(frozen=True)
class Measured:
    name: str
    per_second: float
    bits: float | None
    drawn: NDArray[np.int64]
    exact: bool = True


def sampler_costs() -> str:
    lines = [
        "Samples a second and bits a sample, one core, everything in one run. `ratio` is our speed over the peer's. A",
        "sampler that is not exact draws from a law near the one named: its ratio shows what exactness costs.",
        "",
        "| law | H, bits | sampler | bits a sample | M samples/s | ratio | exact | agrees (z) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for scale in (Fraction(8), Fraction(64), Fraction(628531200), Fraction(2**40)):
        lines += _rows(f"Laplace, t = {scale}", laplace_entropy(scale), ours(Laplace(scale)), laplace_peers(scale))
    for sigma in (Fraction(8), Fraction(1000), Fraction(2**40)):
        entropy = math.log2(sigma * math.sqrt(2 * math.pi * math.e))
        lines += _rows(f"Gaussian, σ = {sigma}", entropy, ours(Gaussian(sigma**2)), gaussian_peers(sigma))
    return "\n".join(lines)


def laplace_entropy(scale: Fraction) -> float:
    ratio = math.exp(-1 / scale)
    if scale > 10**6:
        return math.log2(2 * math.e) + math.log2(scale)
    return -math.log2((1 - ratio) / (1 + ratio)) + 2 * ratio / (1 - ratio**2) / float(scale) * math.log2(math.e)


def ours(law: Laplace | Gaussian) -> Measured:
    """The median of a few draws, each with the allotment of bits that a window would take, drawn in its time."""
    count = WIDE if law.width else TABLE
    sampler = Sampler(law)
    runs = [_draw(sampler, count) for _ in range(RUNS)]
    spent, used, drawn = sorted(runs, key=itemgetter(0))[RUNS // 2]
    return Measured("speckled", count / spent, used / count, drawn)


def _draw(sampler: Sampler, count: int) -> tuple[float, int, NDArray[np.int64]]:
    """Seconds, bits and samples of one draw."""
    source = BitSource(lambda n: bytearray(os.urandom(n)), allotment(sampler, count))
    lanes = Lanes(source, lanes_for(count))
    before = source.used
    start = time.perf_counter()
    drawn = sampler.draw(source, count, lanes)
    return time.perf_counter() - start, source.used - before, drawn


def laplace_peers(scale: Fraction) -> list[Measured]:
    peers = [_one_by_one("CKS, Algorithm 2, Python", lambda below: laplace(below, scale))]
    opendp = _opendp("make_laplace", scale)
    if opendp is not None:
        peers.append(_batch("OpenDP", opendp))
    geometric = _diffprivlib("Geometric", epsilon=float(1 / scale), sensitivity=1)
    if geometric is not None and scale < 10**6:
        peers.append(_calls("diffprivlib Geometric", geometric, exact=False))
    if scale <= 64:
        peers.append(_fldr(scale))
    generator = np.random.default_rng()
    start = time.perf_counter()
    drawn = np.rint(generator.laplace(0, float(scale), WIDE))
    peers.append(
        Measured(
            "numpy Laplace, rounded", WIDE / (time.perf_counter() - start), 64, drawn.astype(np.int64), exact=False
        )
    )
    return peers


def gaussian_peers(sigma: Fraction) -> list[Measured]:
    peers = [_one_by_one("CKS, Algorithm 3, Python", lambda below: gaussian(below, sigma**2))]
    opendp = _opendp("make_gaussian", sigma)
    if opendp is not None:
        peers.append(_batch("OpenDP", opendp))
    if sigma < 1000:
        discrete = _diffprivlib("GaussianDiscrete", epsilon=1.0, delta=1e-6, sensitivity=1)
        if discrete is not None:
            discrete._scale = float(sigma)  # noqa: SLF001 - it follows from ε and δ, and here it is chosen
            peers.append(_calls("diffprivlib GaussianDiscrete", discrete))
    return peers


def _one_by_one(name: str, sample: Callable[[Any], int]) -> Measured:
    bits = CountedBits(os.urandom)
    start = time.perf_counter()
    drawn = [sample(bits.below) for _ in range(SLOW)]
    return Measured(name, SLOW / (time.perf_counter() - start), bits.used / SLOW, np.array(drawn))


def _batch(name: str, measurement: Callable[[list[int]], list[int]]) -> Measured:
    start = time.perf_counter()
    drawn = measurement([0] * SLOW)
    return Measured(name, SLOW / (time.perf_counter() - start), None, np.array(drawn))


def _calls(name: str, mechanism: Any, *, exact: bool = True) -> Measured:
    start = time.perf_counter()
    drawn = [mechanism.randomise(0) for _ in range(SLOW)]
    return Measured(name, SLOW / (time.perf_counter() - start), None, np.array(drawn), exact)


def _fldr(scale: Fraction) -> Measured:
    """32-bit weights of the law cut off at 24 t: near it, as a roller of integer weights can only be."""
    far = int(24 * scale)
    weights = [max(1, round(math.exp(-abs(z) / scale) * 2**32)) for z in range(-far, far + 1)]
    roller = Fldr(weights)
    generator = np.random.default_rng()
    pool = np.unpackbits(np.frombuffer(generator.bytes(1 << 24), np.uint8)).view(bool)
    place = 0

    def bits(count: int) -> NDArray[np.bool_]:
        nonlocal place
        if place + count > pool.size:
            place = 0
        place += count
        return pool[place - count : place]

    start = time.perf_counter()
    drawn, used = roller.draw(bits, WIDE)
    return Measured("FLDR, numpy", WIDE / (time.perf_counter() - start), used / WIDE, drawn - far, exact=False)


def _opendp(constructor: str, scale: Fraction) -> Any:
    try:
        dp = importlib.import_module("opendp.prelude")
    except ImportError:
        return None
    dp.enable_features("contrib")
    metric = dp.l1_distance(T="i64") if constructor == "make_laplace" else dp.l2_distance(T=float)
    return getattr(dp.m, constructor)(dp.vector_domain(dp.atom_domain(T="i64")), metric, scale=float(scale))


def _diffprivlib(name: str, **options: float) -> Any:
    try:
        return getattr(importlib.import_module("diffprivlib.mechanisms"), name)(**options)
    except ImportError:
        return None


def two_sample_score(one: NDArray[np.int64], other: NDArray[np.int64], cells: int = 60) -> float:
    """The chi-square statistic of two samples over cells of about equal share, as a normal score."""
    edges = np.unique(np.quantile(one[: 1 << 18], np.linspace(0, 1, cells + 1)[1:-1], method="higher"))
    places = [
        np.bincount(np.searchsorted(edges, drawn, side="right"), minlength=edges.size + 1) for drawn in (one, other)
    ]
    first, second = (count.astype(float) for count in places)
    used = first + second > 0
    k, m = math.sqrt(second.sum() / first.sum()), math.sqrt(first.sum() / second.sum())
    statistic = ((k * first - m * second)[used] ** 2 / (first + second)[used]).sum()
    freedom = int(used.sum()) - 1
    return float((statistic - freedom) / math.sqrt(2 * freedom))


def _rows(law: str, entropy: float, mine: Measured, peers: list[Measured]) -> list[str]:
    rows = []
    for measured in (mine, *peers):
        bits = "own source" if measured.bits is None else f"{measured.bits:.2f}"
        ratio = "1" if measured is mine else f"{mine.per_second / measured.per_second:.0f}"
        score = "" if measured is mine else f"{two_sample_score(mine.drawn, measured.drawn):+.1f}"
        rows.append(
            f"| {law} | {entropy:.2f} | {measured.name} | {bits} | {measured.per_second / 1e6:.3g} | {ratio} "
            f"| {'yes' if measured.exact else 'no'} | {score} |"
        )
    return rows


if __name__ == "__main__":
    print(sampler_costs())

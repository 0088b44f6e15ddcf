"""What the audit checks, and how each finding becomes a row of its table."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor, Future, as_completed
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from audit import darkness as dark
from audit.daemon import tables_made_once
from audit.distinguish import (
    CONFIDENCE,
    EPSILON,
    EXPOSURE,
    WORST,
    Sums,
    expected_bound,
    guess_canaries,
    prove,
    releases,
    true_epsilon,
)
from audit.divergence import ORDERS, VARIANCES, compare
from audit.exact import LAWS, SHAPES, Sensitivity, Shape, Tree, bracket, exhaust, rational_ratios
from audit.golden import EXPECTED, vectors
from audit.mutate import Fate, Tried, try_all
from audit.mutations import MUTATIONS
from audit.report import Row
from audit.sensitivity import compare as compare_forms
from audit.spread import compare_with_law
from audit.terminal import Terminal
from edge.privacy.ledger import Ledger
from edge.privacy.sampling.law import Law
from edge.privacy.terms import one_pair

NAMES: Final = (
    "sensitivity",
    "ratios",
    "divergence",
    "sampler",
    "golden",
    "epsilon",
    "canaries",
    "darkness",
    "randomness",
    "statistics",
    "mutations",
)
FEWEST: Final = 1000
CHUNK: Final = 2500
TIGHT: Final = 0.95
"""Of ε: what the attacker must prove at least, or the noise is more than is said."""
CANARY_ALPHA: Final = 0.001
"""The bound of one release passes the true ε as rarely as this."""
CANARY_ROWS, CANARY_COLUMNS = 240, 320
Result = TypeVar("Result")


def sensitivity(pool: Executor, terminal: Terminal) -> list[Row]:
    """Closed forms against exhaustion: videos through windows, then the lemmas about parts of it."""
    found = _gather([pool.submit(_exhaust, shape) for shape in SHAPES], terminal)
    exposures, forms = sum(len(one.found) for one in found), compare_forms()
    return [
        Row(
            "a visit moves a release by at most R · E",
            "every pair of videos of 0, 1, 2 through real windows, against the closed form",
            f"{sum(one.pairs for one in found)} pairs of videos of {len(found)} shapes",
            f"attained at {sum(one.attained for one in found)} of {exposures} exposures",
            f"passed at {sum(one.passed for one in found)}",
            all(not one.passed and one.found[0] == one.proved[0] for one in found),
        ),
        Row(
            "closed forms of how far a presence moves sums are what a search finds",
            "Theorem 1 and Lemmas 2 to 5 of docs/proofs/sensitivity.md, each in two ways",
            f"{forms.cases} cases",
            f"{forms.equal} equal",
            f"{forms.cases} equal",
            forms.equal == forms.cases,
        ),
    ]


def ratios() -> list[Row]:
    """The law's log ratios, in rationals."""
    found = rational_ratios((1, 7, 628_531_200), 12)
    return [
        Row(
            "no release tells two sums apart by more than their distance over t",
            "log ratios of the law as exact fractions",
            f"{found.tried} releases of one cell",
            f"{found.worst} of the bound",
            "1 of the bound",
            found.holds and found.worst == 1,
        )
    ]


def divergence() -> list[Row]:
    """What zCDP of the discrete Gaussian rests on."""
    found = compare(VARIANCES, range(1, 4), ORDERS)
    return [
        Row(
            "the Rényi divergence of shifted discrete Gaussians is at most α · s² / 2σ²",
            "sums of the law as rational intervals of 900 bits, for orders from 17/16 to 64",
            f"{found.tried} triples (σ², s, α)",
            f"{found.equal} equal, {found.below} proved below",
            f"{found.above} above, {found.undecided} undecided",
            not found.above and not found.undecided,
        )
    ]


def sampler(pool: Executor, terminal: Terminal) -> list[Row]:
    """Decision trees of the real sampler."""
    found = _gather([pool.submit(_bracket, law) for law in LAWS], terminal)
    return [
        Row(
            "the sampler draws from its law exactly",
            "all strings of 16 bits through it; masses in fractions against rational bounds of the law",
            f"{len(found)} laws, {sum(tree.outputs for tree in found)} outputs",
            f"{sum(tree.holds for tree in found)} bracketed",
            f"{len(found)} laws; at most {float(max(tree.open for tree in found)):.2f} of the mass undecided",
            all(tree.holds for tree in found),
        )
    ]


def golden() -> list[Row]:
    """Fixed bits in, known hashes out."""
    found = vectors()
    same = sum(EXPECTED.get(name) == digest for name, digest in found.items())
    return [
        Row(
            "the same frames and bits give the same bytes as ever",
            "SHA-256 of samples, ledger, releases, exact parts of messages",
            f"{len(EXPECTED)} artefacts",
            f"{same} equal",
            f"{len(EXPECTED)} equal",
            found == EXPECTED,
        )
    ]


def epsilon(pool: Executor, count: int, terminal: Terminal) -> list[Row]:
    """What an attacker proves about ε from releases of two videos."""
    train = count // 5
    sums = _release_all(pool, count + train, terminal)
    proof = prove(sums[1], sums[0], train)
    low, high, promised = proof.epsilon.low, proof.epsilon.high, float(true_epsilon())
    return [
        Row(
            f"ε of {EXPOSURE} (pixel, frame) pairs is {promised:g}",
            f"frames, ledger, pool, window; Clopper-Pearson {CONFIDENCE:.0%}; "
            f"event {proof.event}, chosen on {train} other releases of each",
            f"{count} releases of each of 2 videos",
            f"{low:.4f} nat (about {expected_bound(count):.3f} expected)",
            f"{promised:g} nat promised; {high:.4f} not refuted",
            _tight(count) * promised <= low <= promised,
        )
    ]


def canaries() -> list[Row]:
    """What is proved from one release."""
    coins = np.random.default_rng().integers(0, 2, (CANARY_ROWS, CANARY_COLUMNS)).astype(np.bool_)
    found = guess_canaries(CANARY_ROWS, CANARY_COLUMNS, coins, CANARY_ALPHA)
    return [
        Row(
            f"ε of {EXPOSURE} (pixel, frame) pairs is {EPSILON}, in one release",
            f"canaries by coin in every cell, guessed back (Steinke et al. 2023); {1 - CANARY_ALPHA:.1%}",
            f"{found.canaries} canaries, {found.guesses} guessed, {found.correct} right",
            f"{found.epsilon:.4f} nat",
            f"{EPSILON} nat promised",
            0.9 * EPSILON <= found.epsilon <= EPSILON,
        )
    ]


def darkness() -> list[Row]:
    """A black and a white day."""
    found = dark.black_against_white()
    seconds = " and ".join(f"{one:.2f}" for one in found.seconds)
    return [
        Row(
            "only the numbers released depend on what is seen",
            "a black and a white video through capture: calls, sizes, entropy, log, files, messages",
            f"{found.compared} observations of {dark.FRAMES} frames",
            f"{len(found.found)} differences" + "".join(f"; {name}" for name in found.found[:3]),
            f"0 differences; took {seconds} s, told only",
            not found.found,
        )
    ]


def randomness(folder: Path) -> list[Row]:
    """The attacks on weak random numbers, in a process of their own."""
    command = [sys.executable, "-m", "audit.randomness", "--out", str(folder)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(ended.stdout)
    rows = []
    for line in ended.stdout.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[3].replace(".", "").isdigit():
            attack, noise, _, share, chance = cells
            rows.append(_undone(attack, noise, float(share), float(chance)))
    if ended.returncode or len(rows) != 4:
        rows.append(Row("the attacks on weak randomness run", "audit.randomness", "1 run", "failed", "", holds=False))
    return rows


def statistics() -> list[Row]:
    """A chi-square test of a million samples: it may fail by chance, so nothing depends on it."""
    found = compare_with_law(Fraction(8), 1_000_000)
    return [
        Row(
            "a million samples look like their law",
            f"chi-square over {found.bins} bins, t = 8",
            f"{found.samples} samples",
            f"{found.statistic:.1f}",
            f"{found.limit:.1f} in 999 of 1000 runs",
            found.statistic <= found.limit,
            gating=False,
        )
    ]


def mutations(workers: int, terminal: Terminal) -> list[Row]:
    """Every way to break the core, each caught by its test."""
    tried = try_all(MUTATIONS, lambda done, _: terminal.share(done, len(MUTATIONS)), workers)
    missed = [one for one in tried if one.fate is not Fate.CAUGHT]
    for one in missed:
        sys.stdout.write(f"{one.mutation.name}: {one.fate.value}\n{one.detail}\n")
    return [
        Row(
            "a broken core does not pass its tests",
            "each mutation in a copy of the program, against the one test that is named for it",
            f"{len(tried)} mutations",
            f"{len(tried) - len(missed)} caught" + _names(missed),
            f"{len(tried)} caught",
            not missed,
        )
    ]


def _tight(count: int) -> float:
    """What part of ε must be proved: TIGHT from 10^5 releases on; of fewer what is left four standard deviations low.

    The lower bound lies 2.24 times the sum of two deviations below ε, and itself varies by 0.75 of that sum.
    """
    return min(TIGHT, 1 - (1 + 4 * 0.75 / 2.24) * (1 - expected_bound(count)))


def _undone(attack: str, noise: str, share: float, chance: float) -> Row:
    ours = noise == "ours"
    return Row(
        "our noise is not undone by guessing it" if ours else "noise of a weak generator is undone (the attack works)",
        f"{attack}, noise {noise}",
        "76800 pixels",
        f"{share:.4f} of the pixels exact",
        f"{chance:.4f} by chance" if ours else "1 at most",
        share <= 3 * chance + 0.001 if ours else share >= 0.99,
    )


def _names(missed: Sequence[Tried]) -> str:
    return "; not: " + ", ".join(one.mutation.name for one in missed) if missed else ""


def _exhaust(shape: Shape) -> Sensitivity:
    with tempfile.TemporaryDirectory(prefix="audit-") as folder, tables_made_once():
        ledger = Ledger(
            Path(folder) / "ledger",
            device="audit",
            configuration=bytes(32),
            terms=one_pair(Fraction(10**6), Fraction(1)),
            clock=lambda: 0,
        )
        try:
            return exhaust(shape, ledger)
        finally:
            ledger.close()


def _bracket(law: Law) -> Tree:
    return bracket(law)


def _some_releases(value: int, count: int) -> tuple[int, Sums]:
    return value, releases(WORST, value, count)


def _release_all(pool: Executor, count: int, terminal: Terminal) -> dict[int, Sums]:
    """`count` releases of the empty (0) and of the visited (1) video."""
    sizes = [CHUNK] * (count // CHUNK) + [count % CHUNK] * (count % CHUNK > 0)
    parts = _gather([pool.submit(_some_releases, value, size) for size in sizes for value in (0, 1)], terminal)
    return {value: np.concatenate([sums for kind, sums in parts if kind == value]) for value in (0, 1)}


def _gather(waiting: Sequence["Future[Result]"], terminal: Terminal) -> list[Result]:
    for done, _ in enumerate(as_completed(waiting), 1):
        terminal.share(done, len(waiting))
    return [future.result() for future in waiting]

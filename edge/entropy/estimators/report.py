import json
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from math import floor
from typing import Any

from edge.entropy.estimators.assess import STANDARD, Assessment, Estimate
from edge.entropy.estimators.commission import CAP, Commissioning
from edge.entropy.estimators.nist import TOOL, NistResult

_MEANING = """
An estimate is the least of up to ten estimators, each at the lower end of its 99 % interval. Perfect samples are
therefore estimated too low: a million perfect bytes come out at 7.0 to 7.3 bits, not 8.

The estimators find patterns that they were made for. No estimate proves entropy: a cryptographic generator with a
known seed gets full marks. What is credited rests on how the device makes its noise, and is only bounded by the
estimate.

They say something of raw samples only. Tests of conditioned output, these or any others, prove nothing about the
noise behind it.

One device was measured on one day. Temperature, supply and age change a source: the continuous health tests watch
it, at the entropy that is credited. A restart here is closing and opening the device, not a power cycle.
"""
MEANING = tuple(" ".join(paragraph.split()) for paragraph in _MEANING.strip().split("\n\n"))
"""What the numbers of a report mean and do not mean; every form of it says so."""


def warnings(found: Commissioning) -> tuple[str, ...]:
    """What a reader must know before the numbers, most serious first."""
    return tuple(_warnings(found))


def _warnings(found: Commissioning) -> Iterator[str]:
    identity, assessment = found.identity, found.assessment
    if identity.simulated:
        yield "This source is software or an emulator. The report shows the form and says nothing of a device."
    if not identity.raw:
        yield "The device conditions its samples, so the estimates cannot see the noise or confirm the claim."
    if found.restart is not None and not found.restart.passed:
        yield "What follows a restart is alike from restart to restart. Nothing may be credited."
    if Fraction(assessment.entropy) < identity.credit:
        yield "The estimate is below the claim of the driver. Credit no more than the estimate."
    if assessment.samples < STANDARD:
        yield f"With fewer than {STANDARD:,} samples the estimates are lower and rougher than the standard's."
    if found.restart is None:
        yield f"Restarts were not checked: {found.no_restart}."


def down(bits: float | Fraction) -> str:
    """Bits with four decimals, rounded towards zero: a credit is never printed above its value."""
    return f"{floor(bits * 10_000) / 10_000:.4f}"


def rows(found: Commissioning) -> list[tuple[str, str, str, str]]:
    """One line for each estimator: section, name, bits per sample, bits per bit of the bit string."""
    assessment = found.assessment
    whole = {each.section: each for each in assessment.original}
    bits = {each.section: each for each in assessment.bitstring}
    known = whole | bits
    order = sorted(known, key=lambda section: [int(part) for part in section.split(".")])
    return [(each, known[each].name, _cell(whole.get(each)), _cell(bits.get(each))) for each in order]


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return "cannot say" if estimate.entropy is None else down(estimate.entropy)


def results(found: Commissioning) -> list[tuple[str, str]]:
    """What follows from the estimates, step by step."""
    assessment, identity = found.assessment, found.identity
    lines = [("lowest estimate of the samples", f"{down(assessment.h_original)} bits per sample")]
    if assessment.h_bitstring is not None:
        lines.append(("lowest estimate of the bit string", f"{down(assessment.h_bitstring)} bits per bit"))
    lines.append(("estimate", f"{down(assessment.entropy)} bits per sample, decided by {assessment.decided_by}"))
    lines.append(("claim of the driver", f"{down(identity.credit)} bits per sample"))
    lines.append(("most that is ever credited", f"{down(CAP * identity.sample_bits)} bits per sample"))
    lines.append(("restarts", _restarts(found)))
    if found.nist is not None:
        lines.append(("NIST's tool, same samples", _nist(found.nist, assessment)))
    lines.append(("may be credited", f"{down(found.credit)} bits per sample"))
    return lines


def _restarts(found: Commissioning) -> str:
    check = found.restart
    if check is None:
        return f"not checked: {found.no_restart}"
    verdict = "passed" if check.passed else "FAILED"
    said = (
        f"{verdict}: {check.restarts} restarts of {check.samples} samples; the commonest value of a row or column came "
        f"{check.largest} times, {check.cutoff} fails"
    )
    if check.rows is None or check.columns is None:
        return said
    return f"{said}; estimate by rows {down(check.rows)}, by columns {down(check.columns)}"


def _nist(nist: NistResult, assessment: Assessment) -> str:
    version = "of unknown version" if nist.version == "unknown" else nist.version
    return f"{TOOL} {version}: greatest difference of an estimate {nist.greatest_difference(assessment):.1e} bits"


def device(found: Commissioning) -> list[tuple[str, str]]:
    """What was commissioned, and on how much."""
    identity, assessment = found.identity, found.assessment
    kind = "raw" if identity.raw else "conditioned in the device"
    return [
        ("device", identity.model),
        ("driver", identity.driver + (" (simulated)" if identity.simulated else "")),
        ("date", found.on.isoformat()),
        ("samples", f"{assessment.samples:,} of {assessment.sample_bits} bits, {kind}"),
        ("different values", str(assessment.symbols)),
        (
            "bits of the bit string",
            f"{assessment.bits:,}" if assessment.bits else "none: a sample has two values at most",
        ),
    ]


def text(found: Commissioning) -> str:
    """The report for people, in lines of up to 100 characters; numbers, never samples."""
    lines = ["Commissioning of an entropy source (SP 800-90B, section 6.3)", ""]
    lines += [f"{name:<24}{value}" for name, value in device(found)]
    for warning in warnings(found):
        lines += ["", *_wrapped("! ", warning)]
    lines += ["", f"{'section':<9}{'estimator':<29}{'bits per sample':>16}{'bits per bit':>14}"]
    lines += [f"{a:<9}{b:<29}{c:>16}{d:>14}".rstrip() for a, b, c, d in rows(found)]
    lines.append("")
    for name, value in results(found):
        lines += _wrapped(f"{name:<35}", value)
    lines += ["", "What this means, and what not:"]
    for sentence in MEANING:
        lines += _wrapped("- ", sentence)
    return "\n".join(lines) + "\n"


def _wrapped(head: str, sentence: str, width: int = 100) -> list[str]:
    lines = [head]
    for word in sentence.split():
        if len(lines[-1]) + len(word) > width:
            lines.append(" " * len(head))
        lines[-1] += word + " "
    return [line.rstrip() for line in lines]


def as_json(found: Commissioning) -> str:
    """The report as one JSON document (UTF-8, keys sorted): numbers and counts, never samples."""
    identity, restart, nist = found.identity, found.restart, found.nist
    document: dict[str, Any] = {
        "date": found.on.isoformat(),
        "device": {**asdict(identity), "credit": float(identity.credit)},
        "assessment": asdict(found.assessment),
        "counts": asdict(found.counts),
        "restart": None if restart is None else {**asdict(restart), "passed": restart.passed},
        "nist": None if nist is None else asdict(nist),
        "credit": float(down(found.credit)),
        "warnings": warnings(found),
        "meaning": MEANING,
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

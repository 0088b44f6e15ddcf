"""What a third party can check of a signed observation with the device's public key alone.

Pure functions over frozen values. What needs the ledger or the table of profiles is in `edge/verify`; docs/verify.md
says what each line means.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire import loss
from wire.check import check
from wire.codec import decode, encode
from wire.cose import key_id, unverified, verify
from wire.errors import WireError, WireReason
from wire.schema import Observation, Statement
from wire.topics import Topics, parse

ROOT: Final = "speckled"
"""The root that a topic is made with where none is given: that of a device's settings as shipped."""
FIRST_CHARGE: Final = 2
"""Position 1 of a ledger begins its first epoch, so no charge has it."""

PARTS: Final = {
    "statement.slope": "slope",
    "statement.epsilon_level": "level",
    "statement.epsilon": "total",
    "statement.rho": "rho",
}
"""Parts that `wire.check` names and that have lines of their own, with the figures."""

UNKNOWABLE: Final = (
    "that the device did what it says: a signature proves who speaks, not that noise was drawn or frames were summed",
    "that the key was in this device alone, and who holds it now",
    "that the camera stayed where it was, and that the frames came from it",
    "that the entropy source is the one named, and as unpredictable as credited",
    "what else the device sent, unless the ledger is given; and that the ledger is the newest",
    "other cameras: their ε add up for whoever walks past all of them",
)


class Verdict(StrEnum):
    """What came of one check. OPEN: it could not be made with what is there."""

    HOLDS = "holds"
    FAILS = "FAILS"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, what came of it, and the figure that was recomputed or the reason, in one line."""

    name: str
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """One message. observation: None unless envelope, signature, schema and topic hold."""

    observation: Observation | None
    findings: tuple[Finding, ...]


def judge(name: str, holds: bool, text: str, otherwise: str) -> Finding:  # noqa: FBT001 (it is what is judged)
    """A finding with one text for each outcome."""
    return Finding(name, Verdict.HOLDS if holds else Verdict.FAILS, text if holds else otherwise)


def verify_message(envelope: bytes, key: Ed25519PublicKey, topic: str | None = None) -> Checked:
    """Check one signed observation. Nothing in a message that this key did not sign is reported.

    Args:
        envelope: any bytes.
        key: of the device.
        topic: where the message was received; None makes it from the device id inside, under ROOT.
    """
    found: list[Finding] = []
    stage = "envelope"
    try:
        payload = unverified(envelope)
        found.append(Finding(stage, Verdict.HOLDS, f"COSE_Sign1 in its one canonical form, {len(envelope)} bytes"))
        stage = "topic" if topic else "schema"
        signed = _observation_topic(topic) if topic else Topics(ROOT, decode(payload, Observation).device).observation
        stage = "signature"
        verify(envelope, key, signed)
        found.append(Finding(stage, Verdict.HOLDS, f"Ed25519 by key {key_id(key).hex()}"))
        stage = "schema"
        observation = decode(payload, Observation)
        found.append(Finding(stage, Verdict.HOLDS, f"an observation of version {observation.version}, canonical CBOR"))
        stage = "topic"
        _same_device(signed, observation)
        made = "" if topic else ", made from the device id inside: --topic takes the one it came on"
        found.append(Finding(stage, Verdict.HOLDS, signed + made))
    except WireError as error:
        return Checked(None, (*found, Finding(stage, Verdict.FAILS, f"{error.detail}; {error.remedy}")))
    return Checked(observation, (*found, *_content(observation)))


def labels(observation: Observation) -> tuple[str, ...]:
    """What a reader must not overlook, most serious first. Empty for real, full-entropy, pure ε."""
    statement, said = observation.statement, []
    if statement.simulated or statement.entropy.simulated:
        said.append("SIMULATED: camera, entropy or time was not real; nothing here is about a place")
    if statement.entropy.computational:
        said.append("COMPUTATIONAL: the noise is expanded by a DRBG; ε holds against those who cannot break a cipher")
    if statement.delta:
        said.append(f"δ = {exact(statement.delta)}: ε may be passed, by no more than δ in any probability")
    return tuple(said)


def verify_together(observations: list[Observation]) -> list[Finding]:
    """Whether several signed observations fit in one ledger for each device. Empty for fewer than two."""
    if len(observations) < 2:
        return []
    devices: dict[str, list[Observation]] = {}
    for observation in sorted(observations, key=lambda each: each.receipt.position):
        devices.setdefault(observation.device, []).append(observation)
    return [finding for device in sorted(devices) for finding in _history(device, devices[device])]


def exact(value: Fraction) -> str:
    """A rational with a decimal beside it where it is no integer, for people."""
    if value.denominator == 1:
        return str(value)
    decimal = f"{float(value):.6g}"
    return f"{value} ({'' if Fraction(decimal) == value else 'about '}{decimal})"


def plain(text: str) -> str:
    """Text of a message without what would move a terminal's cursor or begin a line."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _observation_topic(topic: str) -> str:
    _, kind = parse(topic)
    if kind != "observation":
        raise WireError(WireReason.TOPIC, "no observations travel on it")
    return topic


def _same_device(topic: str, observation: Observation) -> None:
    if parse(topic)[0].device != observation.device:
        raise WireError(WireReason.TOPIC, "it is that of another device than the one inside")


def _content(observation: Observation) -> Iterator[Finding]:
    statement = observation.statement
    figures: list[Finding] = []
    if statement.delta < 1 and bool(statement.delta) == _gaussian(statement):  # else `check` refuses: no ε follows
        figures = list(_figures(observation))
    yield _rules(observation, wrong={figure.name for figure in figures if figure.verdict is Verdict.FAILS})
    yield judge(
        "guarantee",
        statement.guarantee == "exposure-dp",
        f"exposure-dp by {statement.mechanism} noise on sums of {statement.frames} frames",
        f"{statement.mechanism} noise on sums of frames gives exposure-dp, and the message says {statement.guarantee}",
    )
    yield from figures
    yield _receipt(observation)


def _rules(observation: Observation, wrong: set[str]) -> Finding:
    """Of the rules of `wire.check`, which ends at the first that is broken. wrong: figures that have a failing line."""
    try:
        check(observation)
    except WireError as error:
        if PARTS.get(error.detail.partition(" ")[0]) in wrong:
            text = "a figure below is not what it should be; the rules after it were not looked at"
            return Finding("statement", Verdict.OPEN, text)
        return Finding("statement", Verdict.FAILS, error.detail)
    return Finding("statement", Verdict.HOLDS, "its numbers follow from each other, and the features are in range")


def _figures(observation: Observation) -> Iterator[Finding]:
    statement, unit = observation.statement, observation.statement.unit
    noise, delta, lut, cost_total = statement.mechanism, statement.delta, statement.lut, statement.cost_total
    slope = Fraction(lut.range, statement.scale)
    yield _figure("slope", "λ", slope, statement.slope, f"= range / scale = {lut.range} / {statement.scale}")
    cost = loss.cost(noise, slope, unit, statement.cell, statement.frames)
    pairs = f"{unit.exposure} (pixel, frame) pairs"
    for name, each, stated, where in (
        ("level", cost, statement.epsilon_level, f"at level {observation.level} alone"),
        ("total", cost_total, statement.epsilon, "over all levels, for ever"),
    ):
        how = f"{where}, for {unit.describe()}: cost {exact(each)}, {pairs}"
        yield _figure(name, "ε", loss.epsilon(noise, each, unit, delta), stated, how)
    if _gaussian(statement):
        rho = loss.zcdp(cost_total, unit)
        yield _figure(
            "rho", "ρ", rho, statement.rho, f"over all levels, for ever: half of cost {exact(cost_total)}, {pairs}"
        )


def _figure(name: str, symbol: str, recomputed: Fraction, stated: Fraction, how: str) -> Finding:
    text = f"{symbol} = {exact(recomputed)} {how}"
    return judge(name, recomputed == stated, text, f"{text}; but the message says {exact(stated)}")


def _receipt(observation: Observation) -> Finding:
    receipt = observation.receipt
    where = f"position {receipt.position} of epoch {receipt.epoch.hex()}, entry {receipt.hash.hex()[:16]}…"
    if receipt.position < FIRST_CHARGE:
        return Finding("receipt", Verdict.FAILS, f"{where}: the first entry of a ledger is no charge")
    if receipt.hash == receipt.previous or not any(receipt.previous):
        return Finding("receipt", Verdict.FAILS, f"{where}: it does not name the entry before")
    return Finding("receipt", Verdict.HOLDS, f"{where} after {receipt.previous.hex()[:16]}…")


def _history(device: str, observations: list[Observation]) -> Iterator[Finding]:
    """Of one device, by position."""
    yield _positions(device, observations)
    yield _links(device, observations)
    epochs: dict[bytes, list[Observation]] = {}
    for observation in observations:
        epochs.setdefault(observation.receipt.epoch, []).append(observation)
    for epoch, members in epochs.items():
        yield _epoch(f"{device}, epoch {epoch.hex()}", members)


def _positions(device: str, observations: list[Observation]) -> Finding:
    receipts = [observation.receipt for observation in observations]
    for earlier, later in pairwise(observations):
        if earlier.receipt.position == later.receipt.position and encode(earlier) != encode(later):
            text = f"{device}: position {later.receipt.position} was used for two messages"
            return Finding("positions", Verdict.FAILS, text)
    entries = {receipt.hash: receipt.position for receipt in receipts}
    twice = [receipt.position for receipt in receipts if entries[receipt.hash] != receipt.position]
    if twice:
        return Finding("positions", Verdict.FAILS, f"{device}: the entry at position {twice[0]} comes again")
    epochs = list(dict.fromkeys(receipt.epoch for receipt in receipts))
    order = [epochs.index(receipt.epoch) for receipt in receipts]
    if order != sorted(order):
        return Finding("positions", Verdict.FAILS, f"{device}: an epoch goes on after another has begun")
    return Finding("positions", Verdict.HOLDS, f"{device}: {len(entries)}, each used for one message")


def _links(device: str, observations: list[Observation]) -> Finding:
    receipts = [observation.receipt for observation in observations]
    pairs = [(earlier, later) for earlier, later in pairwise(receipts) if later.position == earlier.position + 1]
    for earlier, later in pairs:
        if later.previous != earlier.hash or later.epoch != earlier.epoch:
            text = f"{device}: position {later.position} does not follow the entry at {earlier.position}"
            return Finding("links", Verdict.FAILS, text)
    if not pairs:
        return Finding("links", Verdict.OPEN, f"{device}: no two are neighbours; the ledger would tell")
    return Finding("links", Verdict.HOLDS, f"{device}: {len(pairs)} of neighbours, each names the entry before it")


def _epoch(name: str, observations: list[Observation]) -> Finding:
    first = _promise(observations[0])
    for observation in observations[1:]:
        different = [part for part, value in _promise(observation).items() if value != first[part]]
        if different:
            text = f"{name}: position {observation.receipt.position} has another {different[0]}"
            return Finding("epoch", Verdict.FAILS, text)
    return Finding("epoch", Verdict.HOLDS, f"{name}: one promise in {len(observations)} of them")


def _promise(observation: Observation) -> dict[str, object]:
    """What cannot change without a new epoch."""
    names = ("mechanism", "profile", "unit", "cost_total", "epsilon", "delta", "rho", "frame_rate")
    promise: dict[str, object] = {f"statement.{name}": getattr(observation.statement, name) for name in names}
    return {**promise, "provenance.configuration": observation.provenance.configuration}


def _gaussian(statement: Statement) -> bool:
    return statement.mechanism == "discrete-gaussian"

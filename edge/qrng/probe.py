"""`speckled qrng probe`: does the device answer, and is it what it should be?"""

import time
from collections.abc import Callable
from typing import Final

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import Qrng, QrngIdentity
from edge.devices import make_qrng
from edge.entropy.buffer import wipe
from edge.errors import ConfigError, EntropyUnavailable
from edge.qrng.device import Chosen
from edge.qrng.nodes import check_node, describe_node
from edge.qrng.open import speed_of, unavailable
from edge.qrng.show import Report, rate
from edge.sources import source_node
from wire.exit import Exit

SAMPLES = 512
STEPS: Final = ("settings", "node", "driver", "link", "identity", "status", "samples")
"""In the order in which they can fail: a device that says what it is has answered, one with a status is known."""
_STEP_OF: Final = {
    QrngReason.NOT_INSTALLED: "driver",
    QrngReason.NOT_FOUND: "driver",
    QrngReason.DENIED: "driver",
    QrngReason.WRONG_DEVICE: "identity",
    QrngReason.LINK: "link",
    QrngReason.BUS: "link",
    QrngReason.SHORT: "link",
    QrngReason.UNPLUGGED: "link",
    QrngReason.IMPLAUSIBLE: "link",
    QrngReason.STATUS: "status",
    QrngReason.NOT_READY: "status",
}
_OK: Final = {
    "node": "none is needed",
    "driver": "loaded",
    "link": "the device answers",
    "identity": "no other device than the one that is named",
    "status": "no fault reported",
}


def probe(chosen: Chosen, *, as_json: bool, clock: Callable[[], float] = time.monotonic) -> int:
    """Open the source, say of each step how it went, draw SAMPLES samples, throw them away.

    Raises ConfigError or EntropyUnavailable with what the failed step said.
    """
    report = Report(as_json)
    report.title(f"Probing {chosen.name}")
    try:
        identity = _steps(report, chosen, clock)
    except (ConfigError, EntropyUnavailable) as error:
        _skip_the_rest(report)
        report.finish(device=chosen.name, answers=False, reason=error.reason.value, remedy=error.remedy)
        raise
    report.say()
    if identity.simulated:
        report.say("  No hardware: whatever is drawn from this source is marked as simulated.")
    report.say(f"  The device answers. Its randomness: speckled qrng test {chosen.option}")
    report.finish(device=chosen.name, answers=True, model=identity.model, simulated=identity.simulated)
    return Exit.OK


def _steps(report: Report, chosen: Chosen, clock: Callable[[], float]) -> QrngIdentity:
    source = _make(report, chosen)
    try:
        identity = source.open()
    except QrngError as error:
        raise _failed(report, error) from None
    try:
        kind = "raw samples" if identity.raw else "samples, perhaps conditioned by the device,"
        speed = speed_of(source)
        report.step("driver", "ok", identity.driver)
        report.step("link", "ok", _OK["link"] + (f", at a clock of {rate(speed, 'Hz')}" if speed else ""))
        report.step("identity", "ok", f"{identity.model}: {kind} of {identity.sample_bits} bits")
        report.step("status", "ok", _OK["status"])
        start = clock()
        wipe(source.read(SAMPLES))
        seconds = clock() - start
        report.step("samples", "ok", f"{SAMPLES} drawn and thrown away, {rate(SAMPLES / max(seconds, 1e-9), 'B/s')}")
    except QrngError as error:
        raise _failed(report, error, "samples") from None
    finally:
        source.close()
    return identity


def _make(report: Report, chosen: Chosen) -> Qrng:
    node = source_node(chosen.qrng)
    try:
        source = make_qrng(chosen.qrng)
        report.step("settings", "ok", "understood")
        if node is None:
            report.step("node", "ok", _OK["node"])
        else:
            report.step("node", "ok", f"{node}: {_look_at(node)}")
    except ConfigError as error:
        report.step("settings", "FAILED", error.detail, _sentence(error.remedy))
        raise
    except EntropyUnavailable as error:
        report.step("node", "FAILED", error.detail, _sentence(error.remedy))
        raise
    except QrngError as error:
        raise _failed(report, error, "node") from None
    return source


def _look_at(node: str) -> str:
    check_node(node)
    return describe_node(node)


def _failed(report: Report, error: QrngError, step: str | None = None) -> EntropyUnavailable:
    step = step or _STEP_OF.get(error.reason, "identity")
    reported = {step.name for step in report.steps}
    for name in STEPS[: STEPS.index(step)]:
        if name not in reported:
            report.step(name, "ok", _OK[name])
    report.step(step, "FAILED", str(error), error.remedy)
    return unavailable(error)


def _skip_the_rest(report: Report) -> None:
    failed = STEPS.index(report.steps[-1].name)
    for name in STEPS[failed + 1 :]:
        report.step(name, "skipped", "")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."

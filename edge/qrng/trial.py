"""`speckled qrng test`: the whole path from samples to full entropy, and what it yields."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.devices import commissioned_credit
from edge.entropy import EntropyPool, Latch, retest_and_clear
from edge.entropy.buffer import wipe
from edge.entropy.monitor import STARTUP_SAMPLES
from edge.errors import ConfigError, EntropyUnavailable, Reason
from edge.qrng.account import Measured, samples_for, show_account
from edge.qrng.counted import Counted
from edge.qrng.device import Chosen
from edge.qrng.open import make_source
from edge.qrng.show import Progress, Report, rate
from edge.sources import EmulatedSettings
from wire.exit import Exit

_CALL = 1024
"""Bytes that one call asks the pool for: the size of a small window's noise."""
_AGAIN = ", but for one window, and a new start-up: chance does that once in 2^30 windows, so test the device again"
MEANING: Final = {
    Reason.ENTROPY_START: "A bit of the samples hardly ever changes, as if one line of the bus were dead.",
    Reason.ENTROPY_REPETITION: "The source gave one value again and again: it is stuck, without power or unplugged.",
    Reason.ENTROPY_PROPORTION: "One value came far more often than chance allows: the noise is weak or swamped.",
    Reason.ENTROPY_BITS: (
        "A simple rule guessed more bits than chance allows: ones and zeros are not equally likely, or a bit follows "
        "from the one before. Noise made of them could be guessed, too."
    ),
    Reason.ENTROPY_REPLAY: "Samples came that had come before: an old buffer is served again, or a generator has a "
    "short period.",
    Reason.ENTROPY_DEVICE: "The device or its bus did not answer as it should; the samples themselves were not judged.",
    Reason.ENTROPY_CRYPTOGRAPHY: "A function that makes noise of samples gave a wrong answer to a known question: the "
    "source may be in order, this computer is not.",
    Reason.ENTROPY_LATCHED: "The source had failed before.",
}


def trial(
    chosen: Chosen,
    *,
    samples: int,
    clear_latch: bool,
    as_json: bool,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Start the pool, draw until `samples` samples have passed the tests, and print the account.

    Raises ConfigError, or EntropyUnavailable with the test that failed after the report has said what it means.
    """
    latch = _latch_to_clear(chosen) if clear_latch else _latch(chosen)
    report = Report(as_json)
    report.title(f"Testing {chosen.name}: {samples:,} samples from the device to full entropy. None of them is shown.")
    progress = Progress(clock)
    try:
        source = Counted(
            make_source(chosen.qrng),
            clock,
            lambda done: progress.update(f"{done:,} samples", done / (samples + STARTUP_SAMPLES)),
        )
    except EntropyUnavailable as error:
        report.step("open", "FAILED", error.detail, error.remedy)
        report.finish(device=chosen.name, passed=False, reason=error.reason.value, remedy=error.remedy, samples=0)
        raise
    pool = EntropyPool(
        source,
        clock=clock,
        rate=chosen.entropy.rate,
        partners=tuple(make_source(partner) for partner in chosen.entropy.partners),
        commissioned=commissioned_credit(chosen.entropy),
    )
    try:
        measured = _run(report, progress, pool, source, samples=samples, clock=clock)
        mark = latch.read() if latch is not None else None
        if clear_latch and latch is not None:
            mark = retest_and_clear(pool, latch)
    except EntropyUnavailable as error:
        progress.clear()
        _explain(report, chosen, source, error)
        raise
    finally:
        pool.stop()
        progress.clear()
    facts = show_account(report, chosen, pool.provenance(), measured)
    report.say()
    report.row("PASSED", _afterwards(latch, mark, clear_latch=clear_latch))
    report.row("", "The tests find a broken source and do not measure entropy: that is `speckled qrng commission`.")
    report.finish(device=chosen.name, passed=True, samples=measured.samples, **facts)
    return Exit.OK


def _run(
    report: Report,
    progress: Progress,
    pool: EntropyPool,
    source: Counted,
    *,
    samples: int,
    clock: Callable[[], float],
) -> Measured:
    pool.start()
    identity = source.identity
    if identity is None:
        raise TypeError("a pool that starts opens its source")
    kind = "raw" if identity.raw else "perhaps conditioned by the device"
    simulated = "; simulated: good for a trial, never for a promise" if identity.simulated else ""
    first = source.samples
    progress.clear()
    clocked = f", clock {rate(source.speed_hz, 'Hz')}" if source.speed_hz else ""
    report.step("open", "ok", f"{identity.model}: samples of {identity.sample_bits} bits, {kind}{clocked}{simulated}")
    report.step("start-up", "ok", f"{first:,} samples passed every test and were thrown away")
    began, device_before = clock(), source.seconds
    size, expected = 0, samples_for(_CALL, pool.provenance())
    while source.samples - first < samples:
        out = pool.take(_CALL)
        size += len(out)
        wipe(out)
    drawn, seconds = source.samples - first, clock() - began
    progress.clear()
    restarted = first > STARTUP_SAMPLES or drawn > size // _CALL * expected
    report.step("continuous", "ok", f"{drawn:,} samples passed every test{_AGAIN if restarted else ''}")
    return Measured(drawn, source.seconds - device_before, size, seconds)


def _explain(report: Report, chosen: Chosen, source: Counted, error: EntropyUnavailable) -> None:
    done = {step.name for step in report.steps}
    if source.identity is None:
        report.step("open", "FAILED", error.detail, error.remedy)
    elif "start-up" not in done:
        report.step("open", "ok", source.identity.model)
        report.step("start-up", "FAILED", error.detail, error.remedy)
    else:
        report.step("continuous", "FAILED", error.detail, error.remedy)
    meaning = MEANING.get(error.reason, "The source is not healthy.")
    report.say()
    report.say(f"  FAILED after {source.samples:,} samples: {error.reason.value}")
    report.say()
    report.row("meaning", meaning)
    report.row(
        "effect",
        "Nothing that was drawn here is used. With this source capture publishes nothing and ends with status 71.",
    )
    if isinstance(chosen.qrng, EmulatedSettings) and chosen.qrng.fault:
        report.row("note", f"The device is emulated, and was asked to break: {chosen.qrng.fault}.")
    report.finish(
        device=chosen.name,
        passed=False,
        reason=error.reason.value,
        detail=error.detail,
        remedy=error.remedy,
        meaning=meaning,
        samples=source.samples,
    )


def _latch(chosen: Chosen) -> Latch | None:
    return None if chosen.settings is None else Latch(Path(chosen.settings.capture.state) / "entropy-failed")


def _latch_to_clear(chosen: Chosen) -> Latch:
    latch = _latch(chosen)
    if latch is None or chosen.settings is None or chosen.qrng != chosen.settings.qrng:
        raise ConfigError(
            Reason.CONFIG,
            "--clear-latch takes the mark of a failure from a configured source, as it is configured",
            "give the settings that capture runs with, --config FILE, and no --device or --fault",
        )
    return latch


def _afterwards(latch: Latch | None, mark: str | None, *, clear_latch: bool) -> str:
    if latch is None:
        return "The source is in order."
    if mark is None:
        return "The source is in order, and no mark holds it back."
    if clear_latch:
        return f"The mark {latch.path} ({mark}) is removed: capture may use the source again."
    return f"Capture still refuses it: {latch.path} says {mark}. --clear-latch removes that after a pass."

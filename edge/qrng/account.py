"""What a tested source is worth: credit, conditioning, bits for noise."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from edge.entropy.conditioning import HmacSha512
from edge.entropy.drbg import SEED_BYTES
from edge.entropy.health import USABLE, WINDOW
from edge.qrng.device import Chosen
from edge.qrng.show import Report, duration, rate
from edge.qrng.windows import frame_of, needs
from wire.schema import Entropy

_USABLE = len(range(WINDOW)[USABLE])


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run through the whole path took.

    samples: drawn and tested, in device_seconds of the device alone. size: bytes that came out, in `seconds` all told.
    """

    samples: int
    device_seconds: float
    size: int
    seconds: float


def samples_for(size: int, entropy: Entropy) -> int:
    """Samples that are drawn for one take of `size` bytes: whole windows, seeds included."""
    full = SEED_BYTES + (0 if entropy.computational else size)
    blocks = math.ceil(full / HmacSha512.size)
    return math.ceil(blocks * samples_for_block(entropy.credit) / _USABLE) * WINDOW


def samples_for_block(credit: Fraction) -> int:
    """Samples that go into one block of the conditioning."""
    return math.ceil(HmacSha512.demand / credit)


def show_account(report: Report, chosen: Chosen, entropy: Entropy, measured: Measured) -> dict[str, Any]:
    """Print speed, entropy account and windows; returns the same as facts for JSON."""
    noise = measured.samples / max(measured.device_seconds, 1e-9)
    whole = measured.samples / max(measured.seconds, 1e-9)
    speed = 8 * measured.size / max(measured.seconds, 1e-9)
    report.say()
    report.row("device", f"{rate(noise, 'samples/s')}; {rate(whole, 'samples/s')} with tests and conditioning")
    report.row("credit", _credit(chosen, entropy))
    report.row(
        "conditioning",
        f"{entropy.conditioning}: {samples_for_block(entropy.credit)} samples, which count for {HmacSha512.demand} "
        f"bits, make {8 * HmacSha512.size} bits of full entropy; {WINDOW - _USABLE} of each {WINDOW} samples are "
        "tested and never used",
    )
    report.row("construction", entropy.describe())
    what = "computational randomness" if entropy.computational else "full entropy"
    report.row("yield", f"{rate(speed, 'bit/s')} of {what}")
    windows = _show_windows(report, chosen, entropy, whole)
    return {
        "simulated": entropy.simulated,
        "credit": float(entropy.credit),
        "construction": entropy.construction,
        "samples_per_second": noise,
        "tested_samples_per_second": whole,
        "bits_per_second": speed,
        "windows": windows,
    }


def _credit(chosen: Chosen, entropy: Entropy) -> str:
    origin = "the driver's claim" if chosen.entropy.commissioned is None else "the lower of claim and commissioning"
    return (
        f"{float(entropy.credit):g} of {entropy.sample_bits} bits of min-entropy for each sample ({origin}); the tests "
        "ask for at least as much, and do not measure it"
    )


def _show_windows(report: Report, chosen: Chosen, entropy: Entropy, speed: float) -> list[dict[str, Any]]:
    width, height, _ = frame_of(chosen.settings)
    report.say()
    report.say(f"  Noise of one window, drawn before it opens (frames of {width} x {height} pixels)")
    report.say(f"  {'profile':<12}{'level':<10}{'every':>8}{'cells':>9}{'noise':>12}{'samples':>12}{'time':>10}")
    windows = []
    for need in needs(chosen.settings):
        samples = samples_for(need.size, entropy)
        seconds = samples / speed
        windows.append(
            {
                "profile": need.profile,
                "level": need.level,
                "bytes": need.size,
                "samples": samples,
                "seconds": seconds,
            }
        )
        every = duration(need.every) if need.every else "frame"
        report.say(
            f"  {need.profile:<12}{need.level:<10}{every:>8}{need.cells:>9,}{need.size:>10,} B"
            f"{samples:>12,}{duration(seconds):>10}"
        )
    return windows

"""What a tested source is worth: credit, conditioning, bits for noise."""

import math
from typing import TYPE_CHECKING, Any

from edge.entropy.conditioning import HmacSha512
from edge.qrng.device import Chosen
from edge.qrng.show import Report, duration, rate
from edge.qrng.windows import frame_of, needs
from wire.schema import Entropy

if TYPE_CHECKING:
    from edge.qrng.trial import Measured


def show_account(report: Report, chosen: Chosen, entropy: Entropy, measured: "Measured") -> dict[str, Any]:
    """Print speed, entropy account and windows; returns the same as facts for JSON."""
    speed = 8 * measured.size / max(measured.seconds, 1e-9)
    noise = measured.samples / max(measured.device_seconds, 1e-9)
    each = measured.samples / max(measured.size, 1)
    taken = math.ceil(HmacSha512.demand / entropy.credit)
    report.say()
    report.row("device", f"{rate(noise, 'samples/s')}")
    report.row(
        "credit",
        f"{float(entropy.credit):g} of {entropy.sample_bits} bits of min-entropy for each sample, as the driver claims "
        "it; the tests expect more than that and do not measure it",
    )
    report.row(
        "conditioning",
        f"{entropy.conditioning}: {taken} samples with {HmacSha512.demand} bits of credit make {8 * HmacSha512.size} "
        f"bits of full entropy; with the samples that are only tested, {each:.2f} samples for each byte",
    )
    report.row("full entropy", f"{rate(speed, 'bit/s')}, tests and conditioning included")
    width, height, _ = frame_of(chosen.settings)
    report.say()
    report.say(f"  Noise of one window, drawn before it opens (frames of {width} x {height} pixels)")
    report.say(f"  {'profile':<12}{'level':<10}{'every':>8}{'cells':>9}{'entropy':>12}{'samples':>12}{'time':>10}")
    windows = []
    for need in needs(chosen.settings):
        seconds = 8 * need.size / speed
        windows.append({"profile": need.profile, "level": need.level, "bytes": need.size, "seconds": seconds})
        every = duration(need.every) if need.every else "frame"
        report.say(
            f"  {need.profile:<12}{need.level:<10}{every:>8}{need.cells:>9,}{need.size:>10,} B"
            f"{math.ceil(need.size * each):>12,}{duration(seconds):>10}"
        )
    return {
        "simulated": entropy.simulated,
        "credit": float(entropy.credit),
        "samples_per_second": noise,
        "full_entropy_bits_per_second": speed,
        "samples_per_byte": each,
        "windows": windows,
    }

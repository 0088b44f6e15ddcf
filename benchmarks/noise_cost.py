"""What it costs to draw the noise of a window through the whole entropy path."""

import math
import time
from fractions import Fraction

from drivers.emulated.microrng import EmulatedMicroRng
from drivers.qrng.microrng import MicroRng
from edge.entropy import EntropyPool
from edge.privacy.noise import Noise
from edge.privacy.plan import Curve, plan_for
from edge.privacy.profiles import PROFILES


class _Counting:
    """The pool, counting what is taken."""

    def __init__(self, pool: EntropyPool) -> None:
        self.pool = pool
        self.taken = 0

    def take(self, n: int) -> bytearray:
        self.taken += n
        return self.pool.take(n)


def noise_costs() -> str:
    """Time and full-entropy bits for the noise of one window of each level, at 640x480 and 1 frame/s."""
    lines = [
        "Noise of one window at 640x480, 1 frame/s, log LUT: discrete Laplace samples from the emulated chip through",
        "tests, conditioning and the exact sampler. `entropy` is the Shannon entropy of the law, log2(2 e t) bits.",
        "",
        "| profile | level | cells | scale t | time, ms | bits per sample | entropy |",
        "|---|---|---|---|---|---|---|",
    ]
    pool = EntropyPool(MicroRng(bus=EmulatedMicroRng()), clock=time.monotonic)
    pool.start()
    for name in PROFILES:
        plan = plan_for(
            PROFILES[name], width=640, height=480, max_value=255, frame_rate=Fraction(1), curve=Curve("log"), tau=32
        )
        for level in plan.levels:
            mechanism = level.mechanism(None)
            counting = _Counting(pool)
            start = time.perf_counter()
            Noise.draw(mechanism, counting)
            spent = (time.perf_counter() - start) * 1000
            cells = mechanism.rows * mechanism.columns
            bits = counting.taken * 8 / cells
            entropy = math.log2(2 * math.e * mechanism.scale)
            lines.append(
                f"| {name} | {level.name} | {cells} | {mechanism.scale} | {spent:.0f} | {bits:.0f} | {entropy:.1f} |"
            )
    pool.stop()
    return "\n".join(lines)

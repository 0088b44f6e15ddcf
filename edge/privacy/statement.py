from typing import Literal

from edge.privacy.mechanism import Mechanism
from edge.privacy.profiles import Plan
from wire.schema import Entropy, Statement


def make_statement(
    plan: Plan,
    mechanism: Mechanism,
    *,
    entropy: Entropy,
    pixel_source: Literal["raw", "luma"],
    simulated: bool,
) -> Statement:
    """What is promised of one release, in exact numbers that a reader can add up again.

    Args:
        plan: what the ledger's epoch was begun for; its slope_total is the ledger's slope_max.
        mechanism: of the release.
        entropy: where the noise came from.
        pixel_source: `raw` where the program summed sensor pixels, `luma` where an image processor is trusted.
        simulated: whether camera, entropy or time was not real.
    """
    exposure = plan.unit.exposure
    slope, slope_total = mechanism.slope, plan.slope_total
    return Statement(
        mode="speckle",
        guarantee="exposure-dp",
        mechanism="discrete-laplace",
        profile=plan.profile,
        unit=plan.unit,
        epsilon=slope_total * exposure,
        epsilon_level=slope * exposure,
        delta=0,
        slope=slope,
        slope_total=slope_total,
        scale=mechanism.scale,
        lut=mechanism.lut.spec,
        frames=mechanism.frames,
        frame_rate=plan.frame_rate,
        cell=mechanism.cell,
        rows=mechanism.rows,
        columns=mechanism.columns,
        pixel_source=pixel_source,
        entropy=entropy,
        simulated=simulated or entropy.simulated,
    )

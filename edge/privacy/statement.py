from typing import Literal

from edge.privacy.mechanism import Mechanism
from edge.privacy.plan import Plan
from wire import loss
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
        plan: what the ledger's epoch was begun for; its cost_total is the ledger's cost_max.
        mechanism: of the release.
        entropy: where the noise came from.
        pixel_source: `raw` where the program summed sensor pixels, `luma` where an image processor is trusted.
        simulated: whether camera, entropy or time was not real.
    """
    unit, noise, delta = plan.unit, mechanism.noise, plan.delta
    return Statement(
        mode="speckle",
        guarantee="exposure-dp",
        mechanism=noise,
        profile=plan.profile,
        unit=unit,
        epsilon=plan.epsilon,
        epsilon_level=loss.epsilon(noise, mechanism.cost(unit), unit, delta),
        delta=delta,
        rho=plan.rho,
        slope=mechanism.slope,
        cost_total=plan.cost_total,
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

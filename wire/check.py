"""Whether an observation's privacy statement follows from its own numbers.

What the arrays of its features must be is checked before, when they are decoded (`wire.schema.Features`).
"""

import math

from wire import loss
from wire.errors import WireError, WireReason
from wire.schema import Observation


def check(observation: Observation) -> None:
    """Recompute the statement from its parts, exactly, and look whether the map holds its cells.

    Proves that the arithmetic is right, not that the device did what it says.

    Raises:
        WireError: SCHEMA; it names the first part that does not follow, never a value.
    """
    statement, features = observation.statement, observation.features
    unit, entropy = statement.unit, statement.entropy
    noise, gaussian = statement.mechanism, statement.mechanism == "discrete-gaussian"
    if not (0 < statement.delta < 1 if gaussian else statement.delta == 0) or statement.slope <= 0:
        raise WireError(WireReason.SCHEMA, "statement.delta or statement.slope is out of range for its mechanism")
    cost = loss.cost(noise, statement.slope, unit, statement.cell, statement.frames)
    rules = {
        "statement.frame_rate": statement.frame_rate > 0,
        "statement.unit.frames": unit.frames == max(1, math.ceil(unit.seconds * statement.frame_rate)),
        "statement.slope": statement.slope * statement.scale == statement.lut.range,
        "statement.cost_total": cost <= statement.cost_total,
        "statement.epsilon_level": statement.epsilon_level == loss.epsilon(noise, cost, unit, statement.delta),
        "statement.rho": statement.rho == (loss.zcdp(statement.cost_total, unit) if gaussian else 0),
        "statement.epsilon": statement.epsilon == loss.epsilon(noise, statement.cost_total, unit, statement.delta),
        "statement.rows": statement.rows * statement.cell <= features.height,
        "statement.columns": statement.columns * statement.cell <= features.width,
        "statement.entropy.credit": 0 <= entropy.credit <= entropy.sample_bits,
        "statement.simulated": statement.simulated or not entropy.simulated,
        "statement.lut.parameter": statement.lut.name != "linear" or statement.lut.parameter == 0,
        "statement.lut.range": statement.lut.name != "residual" or statement.lut.range == 2 * statement.lut.parameter,
    }
    for part, holds in rules.items():
        if not holds:
            raise WireError(WireReason.SCHEMA, f"{part} does not follow from the rest of the message")

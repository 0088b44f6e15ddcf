"""Whether a statement is what its named LUT and profile ask for."""

from collections.abc import Iterator
from fractions import Fraction

from edge.errors import ConfigError
from edge.privacy.lut import LOG_RANGE, MAX_VALUE
from edge.privacy.plan import Curve, LevelPlan, plan_for
from edge.privacy.profiles import PROFILES, Level, Profile
from wire import loss
from wire.schema import Observation
from wire.verify import Finding, Verdict, exact, judge

ANY_DEPTH = 255
"""Of pixels. Unit, windows, grids and budgets are the same for every depth; noise is compared with the LUT's range."""


def verify_lut(observation: Observation) -> Finding:
    """Whether a LUT of this name can have this range and parameter (`edge.privacy.lut`)."""
    lut = observation.statement.lut
    rules = {
        "linear": (lut.range <= MAX_VALUE, f"range at most {MAX_VALUE}"),
        "log": (lut.range == LOG_RANGE and 1 <= lut.parameter <= MAX_VALUE, f"range {LOG_RANGE}, offset from 1"),
        "clip": (lut.range + lut.parameter <= MAX_VALUE, f"bounds within 0..{MAX_VALUE}"),
        "residual": (lut.range == 2 * lut.parameter, "range twice its τ"),
    }
    holds, rule = rules[lut.name]
    text = f"{lut.name} of range {lut.range} and parameter {lut.parameter}"
    return judge("lut", holds, f"{text}: {rule}", f"{text}: it is to have {rule}")


def verify_profile(observation: Observation) -> list[Finding]:
    """Compare a statement with what the profile that it names makes of its frame rate and size.

    The frame's own size is not in a message, only that of the map: what whole cells cover.
    """
    statement, features = observation.statement, observation.features
    profile = PROFILES.get(statement.profile)
    if profile is None:
        text = f"`{statement.profile}` is none of {', '.join(PROFILES)}: there is nothing to compare with"
        return [Finding("profile", Verdict.OPEN, text)]
    try:
        plan = plan_for(
            profile,
            width=features.width,
            height=features.height,
            max_value=ANY_DEPTH,
            frame_rate=statement.frame_rate,
            curve=Curve(),
            tau=None,
        )
    except ConfigError as error:
        return [Finding("profile", Verdict.FAILS, error.detail)]
    found = [level for level in zip(profile.levels, plan.levels, strict=True) if level[0].name == observation.level]
    if not found:
        names = ", ".join(level.name for level in profile.levels)
        text = f"`{profile.name}` has no level `{observation.level}`, only {names}"
        return [Finding("profile", Verdict.FAILS, text)]
    unit = profile.unit(statement.frame_rate)
    text = f"`{profile.name}` is for {unit.describe()}, {unit.frames} frames at {statement.frame_rate}/s"
    return [
        judge("profile", unit == statement.unit, text, f"{text}; the message has another unit"),
        *_window(observation, *found[0]),
        *_noise(observation, profile, *found[0]),
    ]


def _window(observation: Observation, level: Level, plan: LevelPlan) -> Iterator[Finding]:
    statement, features = observation.statement, observation.features
    length = f"{level.window_seconds} s at {statement.frame_rate}/s" if level.window_seconds else "one frame"
    text = f"{length} has {plan.frames} frames"
    yield judge("window", statement.frames == plan.frames, text, f"{text}; the message says {statement.frames}")
    asked, stated = (
        f"{rows} x {columns} cells of {cell} pixels"
        for rows, columns, cell in (
            (plan.rows, plan.columns, plan.cell),
            (statement.rows, statement.columns, statement.cell),
        )
    )
    text = f"a map of {features.width} x {features.height} pixels has {asked}"
    yield judge("grid", asked == stated, text, f"{text}; the message says {stated}")


def _noise(observation: Observation, profile: Profile, level: Level, plan: LevelPlan) -> Iterator[Finding]:
    statement = observation.statement
    asked = f"{profile.noise} with δ = {exact(profile.delta)}"
    stated = f"{statement.mechanism} with δ = {exact(statement.delta)}"
    yield judge(
        "mechanism", asked == stated, f"{asked}, as the profile asks for", f"{asked}; the message says {stated}"
    )
    lut_range, scale = statement.lut.range, statement.scale
    cost, more = (
        loss.cost(profile.noise, Fraction(lut_range, each), plan.unit, plan.cell, plan.frames)
        for each in (scale, max(1, scale - 1))
    )
    most = plan.cost_max
    text = f"{scale} is the smallest integer for ε = {exact(level.epsilon)} at level {level.name}"
    holds = cost <= most and (scale == 1 or more > most)
    yield judge(
        "scale", holds, text, f"{scale} is not the smallest integer for that level's ε = {exact(level.epsilon)}"
    )
    text = f"the profile has ε = {exact(profile.epsilon)} for all levels, and the message {exact(statement.epsilon)}"
    yield judge("budget", statement.epsilon <= profile.epsilon, text, text)

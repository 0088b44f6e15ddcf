"""What the `[privacy]` part of the settings promises: which profile, kept in which way."""

from fractions import Fraction
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge.errors import ConfigError, Reason
from edge.privacy.plan import Curve, Plan, ProfileRefused, plan_for
from edge.privacy.profiles import Level, Profile, named

CUSTOM = "custom"
Rational = Annotated[str, Meta(pattern=r"^[0-9]{1,20}(/[0-9]{1,20}|\.[0-9]{1,20})?$")]
Grey = Annotated[int, Meta(ge=0, le=255)]
Seconds = Annotated[int, Meta(ge=0, le=10**9)]
Pixels = Annotated[int, Meta(ge=1, le=2**26)]


class LevelSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One schedule of windows. window_seconds: 0 for single frames. cell: in pixels. epsilon: per unit."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    window_seconds: Seconds
    cell: Annotated[int, Meta(ge=1, le=8192)]
    epsilon: Rational


class CustomSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A profile of one's own. epsilon: what all levels may spend together per unit. delta: for Gaussian noise only."""

    visits: Annotated[int, Meta(ge=1, le=10**6)] = 1
    visit_seconds: Seconds
    pixels: Pixels
    epsilon: Rational
    noise: Literal["laplace", "gaussian"] = "laplace"
    delta: Rational = "0"
    levels: Annotated[list[LevelSettings], Meta(min_length=1, max_length=8)]


class PrivacySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is promised, and how it is kept.

    lut: of windows without a reference. log_offset: of `log`, in grey; half of full range where it is left out.
    clip: the darkest and the brightest grey of `clip`. residual: τ in grey, 0 for absolute windows only.
    join_levels: whether the map of a long window is joined with those of the shorter windows inside it.
    """

    profile: str = "place"
    custom: CustomSettings | None = None
    frames_per_second: Annotated[str, Meta(pattern=r"^[0-9]{1,9}(/[0-9]{1,9}|\.[0-9]{1,9})?$")] = "1"
    lut: Literal["linear", "log", "clip"] = "log"
    log_offset: Annotated[int, Meta(ge=1, le=255)] | None = None
    clip: tuple[Grey, Grey] = (0, 255)
    residual: Annotated[int, Meta(ge=0, le=127)] = 32
    fuse: Annotated[int, Meta(ge=1, le=64)] = 1
    join_levels: bool = False

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second at most, exact."""
        return Fraction(self.frames_per_second)


class PromiseRefused(ConfigError):
    """Settings that promise what cannot be kept. `key`: where they do, such as `custom.levels[1].cell`."""

    def __init__(self, key: str, detail: str, remedy: str) -> None:
        super().__init__(Reason.CONFIG, detail, remedy)
        self.key = key


def plan_of(privacy: PrivacySettings, *, width: int, height: int, max_value: int) -> Plan:
    """The plan for frames of this size, whose pixels are at most max_value.

    Raises:
        PromiseRefused: what is promised cannot be kept, or not with such frames.
    """
    rate = _rational(privacy.frames_per_second)
    if not rate:
        raise PromiseRefused("frames_per_second", "it is not a rate above zero", 'give a rate such as "1" or "1/600"')
    curve = _curve(privacy)
    profile = _profile(privacy)
    try:
        return plan_for(
            profile,
            width=width,
            height=height,
            max_value=max_value,
            frame_rate=rate,
            curve=curve,
            tau=privacy.residual or None,
        )
    except ProfileRefused as refused:
        key = "profile" if privacy.profile != CUSTOM else f"custom.levels[{refused.level}].{refused.key}"
        raise PromiseRefused(key, refused.detail, refused.remedy) from None


def _curve(privacy: PrivacySettings) -> Curve:
    low, high = privacy.clip
    if low >= high:
        raise PromiseRefused("clip", f"{low} is not below {high}", "give the darker grey first, such as [64, 192]")
    if privacy.lut == "clip" and (low, high) == (0, 255):
        raise PromiseRefused("lut", "nothing is clipped", 'add `clip = [64, 192]`, or use lut = "linear"')
    return Curve(privacy.lut, privacy.log_offset, low, high)


def _profile(privacy: PrivacySettings) -> Profile:
    if privacy.profile != CUSTOM:
        try:
            return named(privacy.profile)
        except ConfigError as error:
            raise PromiseRefused("profile", error.detail, f"{error.remedy}, {CUSTOM}") from None
    if privacy.custom is None:
        remedy = "add [privacy.custom] as docs/configuration.md shows it, or name another profile"
        raise PromiseRefused("profile", "there is no [privacy.custom]", remedy)
    return _custom(privacy.custom)


def _custom(custom: CustomSettings) -> Profile:
    total, delta = _rational(custom.epsilon), _rational(custom.delta)
    if not total:
        raise PromiseRefused("custom.epsilon", "ε is 0, which no noise gives", 'give what may be spent, such as "1"')
    gaussian = custom.noise == "gaussian"
    if gaussian and not 0 < delta < 1:
        remedy = 'use delta = "1/1000000000000", or noise = "laplace"'
        raise PromiseRefused("custom.delta", "Gaussian noise needs a δ between 0 and 1", remedy)
    if not gaussian and delta:
        raise PromiseRefused("custom.delta", "Laplace noise has no δ", 'leave it out, or use noise = "gaussian"')
    shares = [_rational(level.epsilon) for level in custom.levels]
    for index, share in enumerate(shares):
        if not share:
            key, remedy = f"custom.levels[{index}].epsilon", f'use "{total / len(shares)}", or leave the level out'
            raise PromiseRefused(key, "ε is 0, which no noise gives", remedy)
    spent = sum(shares, Fraction(0))
    if spent > total:
        fair = ", ".join(f'"{share * total / spent}"' for share in shares)
        detail = f"the levels spend ε = {spent} together, and {total} may be spent"
        raise PromiseRefused("custom.levels[0].epsilon", detail, f"use {fair} in their order, or raise custom.epsilon")
    names = [level.name for level in custom.levels]
    twice = next((index for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        remedy = f'use another, such as "{names[twice]}-{twice + 1}"'
        raise PromiseRefused(f"custom.levels[{twice}].name", "two levels have this name", remedy)
    return Profile(
        CUSTOM,
        visits=custom.visits,
        visit_seconds=custom.visit_seconds,
        pixels=custom.pixels,
        levels=tuple(
            Level(level.name, level.window_seconds, level.cell, share)
            for level, share in zip(custom.levels, shares, strict=True)
        ),
        noise="discrete-gaussian" if gaussian else "discrete-laplace",
        delta=delta,
    )


def _rational(text: str) -> Fraction:
    """0 for a division by zero too: wherever it is asked for, neither will do."""
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return Fraction(0)

"""Numbers as people read them, always rounded to the careful side, and what the card does not promise."""

import math
from fractions import Fraction
from typing import Final

from edge.card.card import Card
from edge.card.events import STANDING, Event
from edge.card.table import FARTHEST
from edge.privacy.profiles import DAY, HOUR, MINUTE

BEYOND_WORDS: Final = 7
"""ε from which the odds are given no number: e^7 is more than 1000."""

MEANING: Final = (
    "ε (epsilon) limits what anybody can learn about one event from all that this device ever publishes, whatever "
    "else they know and however they compute. Compare two recordings that differ in this event only: nothing that is "
    "published is more than e^ε times as likely with it as without it, or the other way round. So the odds that it "
    "happened, in the eyes of whoever sees it all, rise or fall by a factor of e^ε at most. ε grows with the pixels "
    "that the event covers and with the frames that it lasts, and the ε of several events add up."
)


def meaning(card: Card) -> str:
    """What ε says; with Gaussian noise what δ says too."""
    if not card.delta:
        return MEANING
    return (
        f"{MEANING} This profile has Gaussian noise: the limit may fail, with a probability of at most "
        f"δ = {rounded_up(card.delta)} for an event, and ε of one that is k times as long or as large is not simply k "
        "times as much."
    )


NOT_PROMISED: Final = {
    "Presence longer than the unit": "It costs in proportion to its time. What stays for most of a window becomes part "
    "of the map.",
    "Visits again": "Each costs anew, and ε adds up over all days, as for the cleaner. Nothing is reset at midnight.",
    "Groups of people": "They cost the sum of what each costs: five who come together, five times as much.",
    "Whatever is larger on the picture than the unit": "A bus, or somebody close to the lens, costs by its pixels.",
    "Several cameras": "Their ε add up for whoever passes all of them. This card is about one camera.",
    "Secrets that stay": "A poster, a name on a door, a whiteboard that nobody wipes become part of the map. "
    "Mask the lens.",
    "Light beyond the body": "A shadow, a reflection, glare, blur of the lens, and a lamp, curtain or door that "
    "somebody moves change more pixels than the body covers, at worst all of them. Only the body is counted here.",
    "What is not light": "Sound, radio and badges are not covered: this device has none of them, others nearby may.",
    "The memory of the running device": "Whoever breaks into the program that sees pixels reads the newest frames. "
    "What was added up before is covered by noise.",
}
"""What, and why: the same as docs/privacy.md lists."""


def rounded_up(value: Fraction, digits: int = 2) -> str:
    """A positive number with so many significant digits, never smaller than it is; whole above 10^digits."""
    if value <= 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(value))
    if places > 9:
        power = math.floor(math.log10(value))
        return f"{rounded_up(value / Fraction(10) ** power, digits)}e{power}"
    if places <= 0:
        step = 10 ** min(-places, 3)
        return f"{math.ceil(value / step) * step:,}".replace(",", " ")
    number = Fraction(math.ceil(value * 10**places), 10**places)
    return f"{float(number):.{places}f}".rstrip("0").rstrip(".")


def odds(epsilon: Fraction) -> str:
    """e^ε, rounded up."""
    if epsilon > BEYOND_WORDS:
        return "more than 1000"
    factor = math.exp(epsilon) * (1 + 1e-12)
    return f"{math.ceil(factor * 100) / 100:.2f}" if factor < 10 else str(math.ceil(factor))


def sentence(epsilon: Fraction) -> str:
    """What ε says about an event, by Bayes' rule: the odds that it happened change by a factor within e^±ε."""
    start = f"ε = {rounded_up(epsilon)}: whoever sees everything that this device ever publishes"
    if epsilon > BEYOND_WORDS:
        return f"{start} may be able to tell: the odds that it happened can change more than 1000 times."
    more, less = sure(epsilon)
    return (
        f"{start} can tell at most {odds(epsilon)} times better than before whether it happened: "
        f"who was 50 % sure before is between {less} % and {more} % sure after."
    )


def sure(epsilon: Fraction) -> tuple[int, int]:
    """Per cent that who held an event 50 % likely can end with: at most, rounded up, and at least, rounded down."""
    factor = math.exp(min(float(epsilon), 100.0)) * (1 + 1e-12)
    return math.ceil(100 * factor / (1 + factor)), math.floor(100 / (1 + factor))


def duration(seconds: int) -> str:
    """With the largest unit that divides it."""
    for size, name in ((DAY, "day"), (HOUR, "h"), (MINUTE, "min")):
        if seconds % size == 0 and seconds:
            count = seconds // size
            return f"{count} {name}{'s' if name == 'day' and count > 1 else ''}"
    return f"{seconds} s"


def metres(value: float) -> str:
    """Metres with the digits that they need."""
    return f"{value:g} m"


def from_distance(value: float | None) -> str:
    """From where on, in words."""
    if value is None:
        return f"at no distance up to {FARTHEST:g} m"
    return f"from {metres(value)}" if value else "at any distance"


def start(nearest: float | None) -> str:
    """The same for a cell of a table."""
    return f"not within {metres(FARTHEST)}" if nearest is None else metres(nearest)


def presence(event: Event) -> str:
    """How large, how close and how long, in words."""
    times = f"{event.times} times " if event.times > 1 else ""
    length = f"{times}shorter than {duration(event.seconds)}"
    if event.thing is None:
        return f"every pixel of the frame, {length}"
    return f"{event.thing.size}, no closer than {metres(event.distance)}, {length}"


def promise(card: Card) -> str:
    """The profile's own words: ε, and δ where there is one, with their unit."""
    delta = f" (with δ = {rounded_up(card.delta)})" if card.delta else ""
    return f"ε = {rounded_up(card.epsilon)}{delta} for {card.unit.describe()}"


def span(card: Card) -> str:
    """How long the unit is."""
    if card.unit.seconds == 0:
        return "one frame"
    times = f"{card.unit.visits} times " if card.unit.visits > 1 else ""
    return times + duration(card.unit.seconds)


def lead(card: Card) -> str:
    """The one sentence to remember."""
    border = dict(card.borders)[Fraction(1)]
    where = from_distance(border)
    in_proportion = "" if card.delta else " in proportion to their pixels and their time"
    return (
        f"A standing person ({STANDING.size}) in view of this camera for {span(card)} has ε of at most 1 {where}. "
        f"Whoever is closer, or stays longer, has a larger ε{in_proportion}."
    )

"""The card for a terminal, and as one JSON document."""

from textwrap import fill, wrap
from typing import Any, Final

from edge.card.card import Card
from edge.card.events import STANDING
from edge.card.table import DISTANCES
from edge.card.words import (
    NOT_PROMISED,
    duration,
    lead,
    meaning,
    metres,
    presence,
    promise,
    rounded_up,
    sentence,
    start,
)

COLUMNS: Final = 100


def text(card: Card) -> str:
    """Plain text, at most COLUMNS wide."""
    lines = [
        f"Privacy card of {card.device}, profile {card.profile}",
        fill(f"{promise(card)}.", COLUMNS),
        "",
        fill(lead(card), COLUMNS),
        "",
        fill(meaning(card), COLUMNS),
        "",
        "What that is in life",
    ]
    for event, cost in card.events:
        lines.append(f"- {event.name}")
        lines += _indented(f"{presence(event)}: {cost.pixels} pixels x {cost.frames} frames = E {cost.exposure}")
        lines += _indented(sentence(cost.epsilon))
    lines += ["", *_grid(card), "", "What this card assumes"]
    for assumption in card.assumptions:
        lines += _item(assumption)
    lines += ["", "What this card does not promise"]
    for what, why in NOT_PROMISED.items():
        lines += _item(f"{what}. {why}")
    return "\n".join(lines) + "\n"


def document(card: Card) -> dict[str, Any]:
    """What --json prints. Exact numbers are strings, such as "25/12"; lengths are metres, times seconds."""
    camera, unit = card.camera, card.unit
    return {
        "device": card.device,
        "profile": card.profile,
        "unit": {"visits": unit.visits, "seconds": unit.seconds, "frames": unit.frames, "pixels": unit.pixels},
        "epsilon": str(card.epsilon),
        "delta": str(card.delta),
        "cost_total": str(card.cost_total),
        "frames_per_second": str(card.frame_rate),
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "lens_degrees": camera.lens,
            "mounted": camera.mounted,
            "tilt_degrees": camera.tilt,
            "rim_pixels": camera.rim,
        },
        "assumptions": list(card.assumptions),
        "events": [
            {
                "name": event.name,
                "across": event.thing and event.thing.across,
                "tall": event.thing and event.thing.tall,
                "distance": event.distance,
                "seconds": event.seconds,
                "times": event.times,
                "pixels": cost.pixels,
                "frames": cost.frames,
                "exposure": cost.exposure,
                "epsilon": str(cost.epsilon),
                "sentence": sentence(cost.epsilon),
            }
            for event, cost in card.events
        ],
        "standing_person": {
            "across": STANDING.across,
            "tall": STANDING.tall,
            "distances": list(DISTANCES),
            "rows": [
                {"seconds": row.seconds, "epsilons": [str(value) for value in row.epsilons], "nearest": row.nearest}
                for row in card.rows
            ],
        },
        "not_promised": [f"{what}. {why}" for what, why in NOT_PROMISED.items()],
    }


def _grid(card: Card) -> list[str]:
    about = f"ε of a standing person ({STANDING.size}) in view of this camera, by distance and time"
    head = "".join(f"{metres(distance):>8}" for distance in DISTANCES)
    lines = [*wrap(about, COLUMNS), f"  {'':8}{head}   ε ≤ 1 from"]
    for row in card.rows:
        cells = "".join(f"{rounded_up(epsilon):>8}" for epsilon in row.epsilons)
        lines.append(f"  {duration(row.seconds):8}{cells}   {start(row.nearest)}")
    return lines


def _item(words: str) -> list[str]:
    return wrap(words, COLUMNS, initial_indent="- ", subsequent_indent="  ")


def _indented(words: str) -> list[str]:
    return wrap(words, COLUMNS, initial_indent="  ", subsequent_indent="  ")

"""The card as one page that needs nothing else: no script, no other file; light, dark, and on paper."""

from collections.abc import Iterable
from fractions import Fraction
from html import escape
from typing import Final

from edge.card.card import Card
from edge.card.events import STANDING
from edge.card.picture import BANDS, picture
from edge.card.table import DISTANCES, LIMITS, Row
from edge.card.words import (
    NOT_PROMISED,
    duration,
    lead,
    meaning,
    metres,
    odds,
    presence,
    promise,
    rounded_up,
    sentence,
    start,
    sure,
)

STYLE: Final = """
:root { color-scheme: light dark; --page: #f5f6f8; --card: #fff; --ink: #17202c; --soft: #566274; --line: #dde2e9;
  --best: #a9d8cd; --good: #d5e9c4; --some: #f8e1a4; --worst: #f1b7a8; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #0b1016; --card: #141b24; --ink: #e6ebf2;
  --soft: #9aa7b8; --line: #2b3747; --best: #14594f; --good: #37562f; --some: #6b5417; --worst: #7a3022; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 0 1rem 2rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 1.2rem 0 .2rem; } h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
p { margin: 0 0 .7rem; } .soft { color: var(--soft); } .lead { font-size: 1.1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem;
  margin: 0 0 1rem; }
figure { margin: 0 auto .6rem; max-width: 34rem; } svg { display: block; width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; padding: .4rem .55rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; font-size: .85rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.best { background: var(--best); } .good { background: var(--good); }
.some { background: var(--some); } .worst { background: var(--worst); }
.key { display: flex; flex-wrap: wrap; gap: .4rem; padding: 0; margin: 0 0 .7rem; list-style: none; font-size: .9rem; }
.key li { padding: .25rem .6rem; border-radius: .3rem; flex: 1 1 11rem; }
.events td:first-child { width: 60%; } .events small { display: block; } .scroll { overflow-x: auto; }
.grid th { white-space: nowrap; }
ul.plain { margin: 0; padding-left: 1.1rem; } ul.plain li { margin: 0 0 .35rem; }
@media (max-width: 40rem) {
  .events thead { display: none; } .events tr { display: flex; flex-wrap: wrap; border-bottom: 1px solid var(--line); }
  .events td { border: 0; } .events td:first-child { width: 100%; }
  .events .n { flex: 1; text-align: left; } .events .n::before { content: attr(data-name) " "; color: var(--soft); }
  .grid th, .grid td { padding: .3rem .4rem; }
}
@page { size: A4; margin: 14mm; }
@media print {
  :root { color-scheme: light; font-size: 10.5px; --page: #fff; }
  body { max-width: none; padding: 0; font-size: 1rem; }
  section { border: 0; padding: 0; margin: 0 0 1.2rem; } section:not(.long), tr { break-inside: avoid; }
  h2 { break-after: avoid; } figure { max-width: 78mm; } h1 { margin-top: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
""".strip()


def page(card: Card) -> str:
    """A whole HTML document."""
    title = f"Privacy card of {escape(card.device)}"
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}</style></head><body>",
            f"<header><h1>{title}</h1>",
            f'<p class="soft">Profile <b>{escape(card.profile)}</b>: {promise(card)}.</p></header>',
            "<main>",
            _section("In one picture", f'<p class="lead">{lead(card)}</p><figure>{picture(card)}</figure>{_key()}'),
            _section("What ε means", f"<p>{meaning(card).replace('^ε', '<sup>ε</sup>')}</p>"),
            _section("What that is in life", _events(card), "long"),
            _section("How far away, for how long", _grid(card)),
            _section("What this card assumes", _items(card.assumptions)),
            _section(
                "What this card does not promise", _items(f"<b>{what}.</b> {why}" for what, why in NOT_PROMISED.items())
            ),
            _section("The numbers, exactly", _exactly(card)),
            "</main></body></html>\n",
        )
    )


def _section(title: str, body: str, kind: str = "short") -> str:
    return f'<section class="{kind}"><h2>{title}</h2>\n{body}\n</section>'


def _items(texts: Iterable[str]) -> str:
    return '<ul class="plain">' + "".join(f"<li>{text}</li>" for text in texts) + "</ul>"


def _colour(epsilon: Fraction) -> str:
    """The class of a band: the same limits as in the picture."""
    return BANDS[sum(epsilon <= limit for limit in LIMITS)]


def _key() -> str:
    lowest, *between = LIMITS
    texts = [f"ε ≤ {lowest}: {_odds(lowest)}"]
    texts += [f"ε ≤ {limit}: {_odds(limit)}" for limit in between]
    texts.append(f"ε above {LIMITS[-1]}: more than that; count on nothing")
    entries = zip(reversed(BANDS), texts, strict=True)
    return '<ul class="key">' + "".join(f'<li class="{name}">{text}</li>' for name, text in entries) + "</ul>"


def _odds(limit: Fraction) -> str:
    more, less = sure(limit)
    return f"odds change {odds(limit)} times at most; 50 % becomes {less} to {more} %"


def _events(card: Card) -> str:
    lines = [
        '<table class="events"><thead><tr><th>what happens</th><th class="n">pixels</th><th class="n">frames</th>',
        f'<th class="n">E = pixels · frames</th><th class="n">ε in {escape(card.profile)}</th></tr></thead>',
    ]
    for event, cost in card.events:
        lines.append(
            f'<tr data-epsilon="{cost.epsilon}"><td><b>{event.name[:1].upper()}{event.name[1:]}</b>'
            f'<small class="soft">{presence(event)}</small><small>{sentence(cost.epsilon)}</small></td>'
            f'<td class="n" data-name="pixels">{_grouped(cost.pixels)}</td>'
            f'<td class="n" data-name="frames">{_grouped(cost.frames)}</td>'
            f'<td class="n" data-name="E">{_grouped(cost.exposure)}</td>'
            f'<td class="n {_colour(cost.epsilon)}" data-name="ε">{rounded_up(cost.epsilon)}</td></tr>'
        )
    return "\n".join(lines) + "</table>"


def _grid(card: Card) -> str:
    heads = "".join(f'<th class="n">{metres(distance)}</th>' for distance in DISTANCES)
    return (
        f"<p>ε of one standing person ({STANDING.size}) in view of this camera, no closer than the distance on top and "
        "for less than the time on the left. The second column says from which distance on ε is at most 1.</p>"
        '<div class="scroll"><table class="grid"><thead><tr><th>time</th><th class="n">ε ≤ 1 from</th>'
        f"{heads}</tr></thead>" + "".join(_grid_row(row) for row in card.rows) + "</table></div>"
    )


def _grid_row(row: Row) -> str:
    cells = "".join(f'<td class="n {_colour(epsilon)}">{rounded_up(epsilon)}</td>' for epsilon in row.epsilons)
    return f'<tr><th>{duration(row.seconds)}</th><td class="n"><b>{start(row.nearest)}</b></td>{cells}</tr>'


def _exactly(card: Card) -> str:
    unit = card.unit
    pairs = (
        f"The unit has E<sub>0</sub> = {unit.visits} · {unit.frames} · {unit.pixels} = {_grouped(unit.exposure)} pairs "
        "(visits · frames · pixels)"
    )
    rounding = (
        "Pixels are upper bounds from the geometry above, in whole pixels; E and ε are computed in whole numbers and "
        "fractions, and rounded up where they are printed."
    )
    if card.delta:
        return (
            f"<p>The windows that use one frame cost it {card.cost_total} at most. {pairs}, hence all that is "
            f"published is {card.cost_total * unit.exposure / 2}-zCDP for it, and ε = {card.epsilon} with "
            f"δ = {card.delta} (docs/proofs/accounting.md). {rounding} The noise is discrete Gaussian.</p>"
        )
    return (
        f"<p>λ<sub>total</sub> = {card.cost_total} for each (pixel, frame) pair. {pairs}, hence "
        f"ε = λ<sub>total</sub> · E<sub>0</sub> = {card.epsilon}. {rounding} The noise is discrete Laplace and there "
        "is no δ: pure differential privacy of all that is published, for ever.</p>"
    )


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")

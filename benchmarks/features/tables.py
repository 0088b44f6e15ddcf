"""Markdown of the results: for each kind of scene and level, a line per method, the controls among them."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from benchmarks.features.intervals import Interval
from benchmarks.features.levels import PROFILES, Level
from benchmarks.features.methods import CONTROLS
from benchmarks.features.peers import PEERS
from benchmarks.features.score import EACH, Row, gain

Item = TypeVar("Item")
PRODUCT = "learned-1 weighed"
VIEWS = {
    "still": "a fixed camera at another time",
    "moderate": "a moderate change of view",
    "wide": "a wide change of view",
    "light": "a fixed camera under other light",
    "all": "all views",
}


def level_of(row: Row) -> Level:
    return Level(row.cell, row.sd, row.tau)


def method_of(row: Row) -> str:
    """Whose points or vectors they are: VLAD is made of a method's descriptors."""
    return row.method.removesuffix(", VLAD")


def overview(rows: Sequence[Row]) -> str:
    """First the product beside the best peer of each row, then for each kind and view all levels side by side."""
    kinds = _each_kind(rows, (_overview, _gains, _recall, _clusters))
    return "\n\n".join(part for part in (_in_short(rows), kinds) if part)


def details(rows: Sequence[Row]) -> str:
    """For each kind of scene and view all measures of points and matches, level by level."""
    return _each_kind(rows, (_details,))


def _each_kind(rows: Sequence[Row], makers: Sequence[Callable[[Sequence[Row]], str]]) -> str:
    parts = []
    for group, view in _unique((row.group, row.view) for row in rows):
        here = [row for row in rows if (row.group, row.view) == (group, view)]
        made = [text for make in makers if (text := make(here))]
        parts += [f"## {group}: {VIEWS.get(view, view)}", *made] if made else []
    return "\n\n".join(parts)


def _in_short(rows: Sequence[Row]) -> str:
    """Correct matches and their precision of the product as a whole and of the best peer, and how many times more."""
    lines = []
    kinds = _unique((row.group, row.view) for row in rows)
    mine = [row for row in rows if row.method == PRODUCT and row.each and row.sd and not row.tau]
    for row in sorted(mine, key=lambda row: (kinds.index((row.group, row.view)), row.cell, row.sd)):
        peers = [one for one in rows if one.method in PEERS and _same_maps(one, row)]
        cells = [f"{row.group}, {row.view}", level_of(row).name]
        for kind in ("tuned", "apart") if peers else ():
            best = max(peers, key=lambda one: one.values[f"{kind} correct"].value)
            have = [
                f"{_number(one.values[f'{kind} correct'])} / {_number(one.values[f'{kind} precision'])}"
                for one in (row, best)
            ]
            cells += [have[0], f"{have[1]} {best.method}", _number(gain(row, best, kind))]
        lines += [f"| {' | '.join(cells)} |"] if peers else []
    if not lines:
        return ""
    head = f"| pairs | level | {' | '.join(f'{kind}: ours | best peer | times' for kind in ('tuned', 'apart'))} |"
    text = f"`{PRODUCT}` beside the peer that has most correct matches: correct per pair / precision."
    return "\n".join(["## In short", "", text, "", head, "|---" * 8 + "|", *lines])


def _same_maps(one: Row, other: Row) -> bool:
    return (one.group, one.view, level_of(one)) == (other.group, other.view, level_of(other))


def _overview(rows: Sequence[Row]) -> str:
    """Correct matches after verification, and their precision: a line per method, a column per level."""
    with_points = [row for row in rows if "accepted correct" in row.values]
    if not with_points:
        return ""
    text = "Correct matches per pair, verified and a cell apart / their precision. `sd 0` is the upper bound."
    return f"{text}\n\n{_side_by_side(with_points, _apart)}"


def _gains(rows: Sequence[Row]) -> str:
    """Each of our own methods against the peer that has most correct matches of the kind, level by level."""
    have = [row for row in rows if row.each]
    own = [row for row in have if row.method not in PEERS and row.method not in CONTROLS and _finds(row)]
    lines = []
    for row in own:
        peers = [one for one in have if one.method in PEERS and level_of(one) == level_of(row)]
        if peers:
            cells = [_against(row, peers, kind) for kind in EACH]
            lines.append(f"| {row.method} | {level_of(row).name} | {' | '.join(cells)} |")
    if not lines:
        return ""
    head = f"| method | level | {' | '.join(EACH)} |\n|---|---|{'---|' * len(EACH)}"
    text = "Correct matches as a multiple of those of the best peer for that kind and level, paired by place."
    return "\n".join([text, "", head, *lines])


def _finds(row: Row) -> bool:
    return row.values["matches"].value > 0


def _against(row: Row, peers: Sequence[Row], kind: str) -> str:
    def correct(one: Row) -> float:
        return one.values[f"{kind} correct"].value

    best = max(peers, key=correct)
    times = _bounded(gain(row, best, kind)) if correct(best) > 0 else "no peer has any"
    precision = [_number(one.values[f"{kind} precision"]) for one in (row, best)]
    return f"{times} ({best.method}; precision {precision[0]} against {precision[1]})"


def _apart(row: Row) -> str:
    return f"{_number(row.values['apart correct'])} / {_number(row.values['apart precision'])}"


def _details(rows: Sequence[Row]) -> str:
    """All measures of the levels, one table each."""
    parts = []
    for level in _levels(rows):
        at = [row for row in rows if level_of(row) == level and "accepted correct" in row.values]
        if not at:
            continue
        lines = [_line(row.method, [*(render(row) for _, render in COLUMNS), _clean(row, rows)]) for row in at]
        lines.append(_line(f"{CONTROLS[1]} (no points)", ["-"] * (len(COLUMNS) + 1)))
        parts.append(f"**{_title(level)}**, n = {at[0].values['correct'].n}\n\n{_table(lines)}")
    return "\n\n".join(parts)


def _recall(rows: Sequence[Row]) -> str:
    asked = [row for row in rows if "recall@1" in row.values]
    if not asked:
        return ""
    count = max(row.values["recall@1"].n for row in asked)
    text = f"Recall@1 in a gallery of {count} places, by one vector for the map (chance {1 / count:.2f}); mAP."
    made = _side_by_side(asked, lambda row: f"{_bounded(row.values['recall@1'])}; {_number(row.values['map'])}")
    return f"{text}\n\n{made}"


def _clusters(rows: Sequence[Row]) -> str:
    made = [row for row in rows if "nmi k-means" in row.values]
    if not made:
        return ""
    text = (
        "Clusters of all views, as many as places: NMI / ARI by k-means; NMI / ARI by average linkage; and the share "
        "of views that are nearest to the mean of their place's first two (few-shot). Means over seeds."
    )
    names = ("nmi k-means", "ari k-means", "nmi linkage", "ari linkage", "few-shot")

    def cell(row: Row) -> str:
        got = [_number(row.values[name]) if name in row.values else "-" for name in names]
        return f"{got[0]} / {got[1]}; {got[2]} / {got[3]}; {got[4]}"

    return f"{text}\n\n{_side_by_side(made, cell)}"


def _side_by_side(rows: Sequence[Row], render: Callable[[Row], str]) -> str:
    levels = _levels(rows)
    methods = _unique(row.method for row in rows)
    found = {(row.method, level_of(row)): row for row in rows}
    head = f"| method | {' | '.join(level.name for level in levels)} |\n|---|{'---|' * len(levels)}"
    lines = []
    for method in methods:
        cells = [render(found[method, level]) if (method, level) in found else "-" for level in levels]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join([head, *lines])


def _plain(name: str) -> Callable[[Row], str]:
    return lambda row: _number(row.values[name])


def _with(name: str) -> Callable[[Row], str]:
    return lambda row: _bounded(row.values[name])


def _both(first: str, second: str) -> Callable[[Row], str]:
    return lambda row: f"{_bounded(row.values[first])} / {_bounded(row.values[second])}"


COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("points", _plain("points")),
    ("rep 0.5 / 1", lambda row: f"{_number(row.values['rep@0.5'])} / {_bounded(row.values['rep@1'])}"),
    ("matches", _plain("matches")),
    ("correct / precision", _both("correct", "precision")),
    ("MMA@1", _plain("mma@1")),
    ("tuned: correct / precision", _both("tuned correct", "tuned precision")),
    ("best at 0.9: correct", _with("best correct")),
    ("verified: correct / precision", _both("verified correct", "verified precision")),
    ("apart: correct / precision", _both("apart correct", "apart precision")),
    ("accepted: correct / precision", _both("accepted correct", "accepted precision")),
    (
        "AUC 0.5 / 1 / 2",
        lambda row: " / ".join(_number(row.values[f"auc@{bound}"]) for bound in ("0.5", "1", "2")),
    ),
    ("accepted: same / other", _both("accepted places", "other accepted places")),
    (
        "other places: rep 1 / matches / tuned / verified / here",
        lambda row: " / ".join(
            _number(row.values[name])
            for name in ("other rep@1", "other matches", "other tuned", "other verified", "other here")
        ),
    ),
)


def _table(lines: Sequence[str]) -> str:
    names = [*(name for name, _ in COLUMNS), "without noise: apart"]
    return "\n".join([_line("method", names), f"|---|{'---|' * len(names)}", *lines])


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _clean(row: Row, rows: Sequence[Row]) -> str:
    """What the same method has on the same views without noise."""
    found = [
        one for one in rows if (one.method, one.cell, one.sd, one.tau) == (row.method, row.cell, 0, 0) and one.each
    ]
    return _apart(found[0]) if found else "-"


def _title(level: Level) -> str:
    profile = f" (`{PROFILES[level]}`)" if level in PROFILES else ""
    return f"{level.name}{profile}" + (f", noise {level.noise:.1f}" if level.tau else "")


def _levels(rows: Iterable[Row]) -> list[Level]:
    return sorted({level_of(row) for row in rows}, key=lambda level: (level.tau, level.cell, level.sd))


def _unique(values: Iterable[Item]) -> list[Item]:
    return list(dict.fromkeys(values))


def _number(interval: Interval) -> str:
    value = interval.value
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 20 else f"{value:.1f}" if abs(value) >= 2 else f"{value:.2f}"


def _bounded(interval: Interval) -> str:
    """A value with its interval."""
    if not math.isfinite(interval.value) or not math.isfinite(interval.low):
        return _number(interval)
    low, high = (Interval(end, end, end, 0) for end in (interval.low, interval.high))
    return f"{_number(interval)} [{_number(low)}, {_number(high)}]"

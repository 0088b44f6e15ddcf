"""The work, cut into tasks of one method at one level, on one or more processes."""

import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.intervals import ratio
from benchmarks.features.levels import Level
from benchmarks.features.measure import Make, Outcome, book, look, outcomes, vectors
from benchmarks.features.method import Method
from benchmarks.features.places import Place
from benchmarks.features.score import Row, Tuned, Values, each, found_again, scores, spread, tune
from benchmarks.features.vectors import Vector, clusters, few_shot, ranks

Looked = dict[str, list[dict[tuple[str, str], Vector]]]
"""Vectors by name, then by seed, then by (place, view)."""

TUNING_SEED = 1000
TUNING_OTHERS = 3
"""Other places that each tuning place is held against."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Places of one kind.

    views: that are compared with the first, and asked of the gallery of first views. tuning: places with the same views
    that thresholds and codebooks come from, and no table shows. cluster: whether clusters are made of all views.
    draws: of the noise, for a group of one place: intervals are then over draws; 0: as many as there are seeds.
    pooled: whether its places are also in one gallery with those of the other pooled groups.
    """

    name: str
    held: Sequence[Place]
    tuning: Sequence[Place]
    views: Sequence[str]
    levels: Sequence[Level]
    cluster: bool = False
    draws: int = 0
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One method at one level, on all groups that have the level."""

    method: str
    level: Level


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a method takes from tuning places at one level: a codebook, and thresholds for each view."""

    centres: NDArray[np.float32] | None
    tuned: Mapping[str, Tuned]


def tasks(groups: Sequence[Group], methods: Mapping[str, Make]) -> list[Task]:
    """Method by method, so that a run that is broken off has whole methods."""
    levels = list(dict.fromkeys(level for group in groups for level in group.levels))
    return [Task(name, level) for name in methods for level in levels]


def work(task: Task, groups: Sequence[Group], methods: Mapping[str, Make], seeds: int) -> list[Row]:
    """All rows of one task. Groups that are tuned on the same places share what is learned of them."""
    level = task.level
    method = methods[task.method](level.cell, level.noise)
    learned: dict[int, Learned] = {}
    rows, shared = [], []
    for group in groups:
        if level not in group.levels or not (level.local or _has_vector(method, group, level)):
            continue
        key = id(group.tuning)
        if key not in learned:
            views = dict.fromkeys(view for one in groups if one.tuning is group.tuning for view in one.views)
            learned[key] = learn(method, group.tuning, level, list(views))
        found, looks = measure(method, group, level, learned[key], seeds)
        rows += of_pairs(method, group, level, learned[key], found)
        rows += of_vectors(group, level, looks)
        if group.pooled:
            shared.append((group, looks))
    return rows + together(level, shared)


def together(level: Level, shared: Sequence[tuple[Group, Looked]]) -> list[Row]:
    """Rows of one gallery of all pooled groups, in the views that all of them have."""
    if len(shared) < 2:
        return []
    views = [view for view in shared[0][0].views if all(view in group.views for group, _ in shared)]
    every = Group(", ".join(group.name for group, _ in shared), (), (), views, ())
    looks = {
        name: [
            {key: vector for part in parts for key, vector in part.items() if key[1] in {"first", *views}}
            for parts in zip(*(of[name] for _, of in shared), strict=True)
        ]
        for name in shared[0][1]
        if all(name in of for _, of in shared)
    }
    return of_vectors(every, level, looks)


def learn(method: Method, places: Sequence[Place], level: Level, views: Sequence[str]) -> Learned:
    """Thresholds and codebook; what is tuned has a seed that no table has."""
    if not level.local:
        return Learned(None, {})
    seen = look(method, places, level, TUNING_SEED, views)
    pairs = list(outcomes(method, places, seen, views, TUNING_OTHERS))
    return Learned(book(method, seen, TUNING_SEED), {view: tune(_of(pairs, view)) for view in views})


def measure(method: Method, group: Group, level: Level, learned: Learned, seeds: int) -> tuple[list[Outcome], Looked]:
    """All pairs and all vectors of one group, over the seeds."""
    found: list[Outcome] = []
    looks: Looked = {}
    # Without noise, one draw is as good as many.
    for seed in range((group.draws or seeds) if level.sd else 1):
        seen = look(method, group.held, level, seed, group.views)
        if level.local:
            found += outcomes(method, group.held, seen, group.views)
        for name, made in vectors(method, seen, learned.centres).items():
            looks.setdefault(name, []).append(made)
    return found, {} if group.draws else looks


def of_pairs(method: Method, group: Group, level: Level, learned: Learned, found: Sequence[Outcome]) -> list[Row]:
    """Rows of points and matches, none for a method without points."""
    rows = []
    for view in group.views if any(one.points for one in found) else ():
        seen, tuned, by_draw = _of(found, view), learned.tuned[view], bool(group.draws)
        row = _row(group, view, level, method.name, scores(seen, tuned, by_draw=by_draw))
        rows.append(replace(row, each=each(seen, tuned, by_draw=by_draw)))
    return rows


def of_vectors(group: Group, level: Level, looks: Looked) -> list[Row]:
    """Rows of places found again and of clusters."""
    rows = []
    for name, per_seed in looks.items():
        again = {view: found_again([ranks(one, view) for one in per_seed]) for view in group.views}
        rows += [_row(group, view, level, name, values) for view, values in again.items()]
        if group.cluster:
            rows.append(_row(group, "all", level, name, grouped(per_seed, group.views)))
    return rows


def _has_vector(method: Method, group: Group, level: Level) -> bool:
    """Where cells are too large for points, only a method with a vector of its own is asked."""
    source = group.held[0].map("first", level, 0)
    return bool(len(method.describe(source.image, source.noise).vector))


def grouped(per_seed: Sequence[dict[tuple[str, str], Vector]], views: Sequence[str]) -> Values:
    """Clusters of all views, and classes by two shown views where there are others to ask about."""
    made = [clusters(looks, seed) for seed, looks in enumerate(per_seed)]
    out = {name: spread([one[name] for one in made]) for name in made[0]}
    if len(views) > 1:
        shown = ("first", views[0])
        shots = [few_shot(looks, shown, views[1:]) for looks in per_seed]
        parts = [(name, value, 1.0) for one in shots for name, value in one.items()]
        out["few-shot"] = ratio(parts)
    return out


def _of(found: Sequence[Outcome], view: str) -> list[Outcome]:
    return [one for one in found if one.view == view]


def _row(group: Group, view: str, level: Level, method: str, values: Values) -> Row:
    return Row(group.name, view, level.cell, level.sd, level.tau, method, values)


def run(
    groups: Sequence[Group], methods: Mapping[str, Make], seeds: int, processes: int = 1
) -> Iterator[tuple[Task, list[Row]]]:
    """Do all tasks, and say on stderr how far they are."""
    todo = tasks(groups, methods)
    started = time.monotonic()
    done = (_here if processes == 1 else _forked)(todo, groups, methods, seeds, processes)
    for count, (task, rows) in enumerate(done, 1):
        sys.stderr.write(f"{count}/{len(todo)} {task.method}, {task.level.name}: {time.monotonic() - started:.0f} s\n")
        yield task, rows


def _here(
    todo: Sequence[Task], groups: Sequence[Group], methods: Mapping[str, Make], seeds: int, _: int
) -> Iterator[tuple[Task, list[Row]]]:
    for task in todo:
        yield task, work(task, groups, methods, seeds)


def _forked(
    todo: Sequence[Task], groups: Sequence[Group], methods: Mapping[str, Make], seeds: int, processes: int
) -> Iterator[tuple[Task, list[Row]]]:
    """Processes are forked, so that the places, some hundred megabytes, are shared and not sent."""
    context = multiprocessing.get_context("fork")
    given: Any = context.SimpleQueue()
    results: Any = context.SimpleQueue()

    def serve() -> None:
        cv2.setNumThreads(1)
        while (index := given.get()) is not None:
            try:
                results.put((index, work(todo[index], groups, methods, seeds)))
            except Exception as error:
                results.put((index, error))
                raise

    workers = [context.Process(target=serve, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for index in [*range(len(todo)), *[None] * processes]:
        given.put(index)
    for _ in todo:
        index, rows = results.get()
        if isinstance(rows, Exception):
            raise rows
        yield todo[index], rows
    for worker in workers:
        worker.join()

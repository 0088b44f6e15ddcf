"""The work, cut into tasks of one method at one level, on one or more processes."""

import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2

from benchmarks.features.intervals import ratio
from benchmarks.features.levels import Level
from benchmarks.features.measure import Make, Outcome, book, look, outcomes, vectors
from benchmarks.features.places import Place
from benchmarks.features.score import Row, Values, found_again, scores, spread, tune
from benchmarks.features.vectors import clusters, few_shot, ranks


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Places of one kind. views: that are compared with the first, and asked of the gallery of first views.

    tuning: places that thresholds and codebooks come from, and no table shows. They have the same views. cluster:
    whether clusters are made of all views. strangers: how many of `held`, the last, only stand for other places.
    draws: of the noise; 0: as many as there are seeds. Where there are more, intervals are over draws.
    """

    name: str
    held: Sequence[Place]
    tuning: Sequence[Place]
    views: Sequence[str]
    levels: Sequence[Level]
    cluster: bool = False
    strangers: int = 0
    draws: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One method at one level of one group, by its index."""

    group: int
    method: str
    level: Level


def tasks(groups: Sequence[Group], methods: Mapping[str, Make]) -> list[Task]:
    """Method by method, so that a run that is broken off has whole methods."""
    return [
        Task(index, name, level) for name in methods for index, group in enumerate(groups) for level in group.levels
    ]


def work(task: Task, groups: Sequence[Group], methods: Mapping[str, Make], seeds: int) -> list[Row]:
    """All rows of one task."""
    group, level = groups[task.group], task.level
    method = methods[task.method](level.cell, level.noise)
    shown = look(method, group.tuning, level, 1000)
    centres = book(method, shown, 1000)
    tuned = {}
    if level.local:
        pairs = list(outcomes(method, group.tuning, shown, group.views))
        tuned = {view: tune(one for one in pairs if one.view == view) for view in group.views}
    found = []
    looks: dict[str, list[dict[tuple[str, str], Any]]] = {}
    for seed in range(group.draws or seeds):
        seen = look(method, group.held, level, seed)
        if level.local:
            found += list(outcomes(method, group.held, seen, group.views, group.strangers))
        for name, vector in vectors(method, seen, centres).items():
            looks.setdefault(name, []).append(vector)
    rows = [
        _row(group, view, level, task.method, scores(_of(found, view), tuned[view], by_draw=bool(group.draws)))
        for view in (group.views if found and any(one.points for one in found) else ())
    ]
    for name, per_seed in () if group.draws else looks.items():
        again = {view: found_again([ranks(one, view) for one in per_seed]) for view in group.views}
        rows += [_row(group, view, level, name, values) for view, values in again.items()]
        if group.cluster:
            rows.append(_row(group, "all", level, name, grouped(per_seed, group.views)))
    return rows


def grouped(per_seed: Sequence[dict[tuple[str, str], Any]], views: Sequence[str]) -> Values:
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
        sys.stderr.write(
            f"{count}/{len(todo)} {task.method}, {groups[task.group].name}, {task.level.name}: "
            f"{time.monotonic() - started:.0f} s\n"
        )
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

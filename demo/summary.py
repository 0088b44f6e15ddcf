"""What one run of the demo showed, and whether it is enough."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from collector.compare import LEANING, compare_observations
from collector.reader import Reader
from demo.room import empty_room, of_the_room
from demo.stage import DEVICE, Stage
from demo.views import newest_map
from edge.config import Settings
from edge.privacy.ledger import read_entries
from wire.features import cells, sizes
from wire.schema import Health, Observation

ROOM_SHARE = 0.8
"""At least so many of the agreeing keypoints must show the empty room."""


@dataclass(frozen=True, slots=True)
class Matched:
    """What two windows of the level with keypoints have in common. `room`: agreeing keypoints that show the room."""

    level: str
    positions: tuple[int, int]
    matches: int
    agreeing: int
    room: int
    verdict: str
    reason: str
    epsilon: Fraction
    unit: str

    @property
    def good(self) -> bool:
        """Whether keypoints agree that it is one place, and they are the room's."""
        return self.verdict == "same place" and self.agreeing > 0 and self.room >= ROOM_SHARE * self.agreeing

    def lines(self) -> list[str]:
        """For the summary."""
        first, second = self.positions
        return [
            f"  compared       positions {first} and {second} of level `{self.level}`, {LEANING} windows apart",
            f"  matched        {self.matches} keypoints, {self.agreeing} of them agree on one place: {self.verdict}",
            f"                 ({self.reason})",
            f"  of the room    {self.room} of those {self.agreeing} lie where the map looks like the empty room",
            f"  guarantee      epsilon = {self.epsilon} for {self.unit}; simulated",
        ]


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of the whole run, and the match of two of its windows, if there were enough."""

    folder: Path
    charged: int
    published: int
    verified: int
    acknowledged: int
    waiting: int
    lost: int
    matched: Matched | None

    @property
    def good(self) -> bool:
        """Whether observations were published, verified, acknowledged and matched, and the matches are the room's."""
        delivered = 0 < self.published == self.verified == self.acknowledged and self.waiting == self.lost == 0
        return delivered and self.matched is not None and self.matched.good

    def text(self) -> str:
        """The summary for people."""
        lines = [
            "",
            "Summary",
            f"  charged        {self.charged} windows in the ledger",
            f"  published      {self.published} observations",
            f"  verified       {self.verified} by signature, schema, statement and ledger order, each stored once",
            f"  acknowledged   {self.acknowledged} by the collector's signed word; {self.waiting} wait in the outbox",
            f"  lost           {self.lost} of what capture has signed, by the device's own account",
            *(self.matched.lines() if self.matched else ["  compared       nothing: the run was too short"]),
            "",
            "Passed." if self.good else f"NOT passed: see the logs in {self.folder}.",
            "",
        ]
        return "\n".join(lines)


def summarise(stage: Stage, settings: Settings, sent: Health, frames: int) -> Summary:
    """Put the device's own counters beside the ledger and the store, and compare two windows."""
    charged = sum(entry["kind"] == "charge" for entry in read_entries(stage.ledger))
    with Reader(stage.store) as reader:
        verified = sum(summary.observations for summary in reader.devices())
        pair = _two_windows(reader)
    return Summary(
        folder=stage.folder,
        charged=charged,
        published=sent.accepted,
        verified=verified,
        acknowledged=sent.acknowledged,
        waiting=sent.waiting,
        lost=sent.lost,
        matched=_match(stage, settings, frames, *pair) if pair else None,
    )


def _match(stage: Stage, settings: Settings, frames: int, older: Observation, newer: Observation) -> Matched:
    comparison = compare_observations(older, newer)
    agreeing = [j for (_, j), agrees in zip(comparison.matches, comparison.agrees, strict=True) if agrees]
    room = empty_room(settings.camera, frames, newer.statement.cell)
    private = newest_map(stage.releases / newer.level, settings.privacy.fuse)
    points = cells(newer.features, newer.statement.cell)
    found = of_the_room(points[agreeing], sizes(newer.features)[agreeing], private, room)
    return Matched(
        level=newer.level,
        positions=(older.receipt.position, newer.receipt.position),
        matches=len(comparison.matches),
        agreeing=len(agreeing),
        room=sum(found),
        verdict=comparison.verdict,
        reason=comparison.reason,
        epsilon=newer.statement.epsilon,
        unit=newer.statement.unit.describe(),
    )


def _two_windows(reader: Reader) -> tuple[Observation, Observation] | None:
    """The newest window of the finest level, which is the one with keypoints, and one that its noise does not reach."""
    pairs = []
    for level in reader.levels(DEVICE):
        rows = reader.latest(DEVICE, level, LEANING + 1)
        newer, older = reader.observation(rows[0].id), reader.observation(rows[-1].id)
        if len(rows) > LEANING and older and newer:
            pairs.append((older, newer))
    return min(pairs, key=lambda pair: pair[1].statement.cell, default=None)

"""What one run of the demo showed, and whether it is enough."""

from dataclasses import dataclass
from fractions import Fraction

from collector.compare import LEANING, compare_observations
from collector.reader import Reader
from demo.room import empty_room, of_the_room
from demo.stage import DEVICE, Stage
from demo.views import newest_map
from edge.config import Settings
from edge.privacy.ledger import read_entries
from wire.schema import Health, Observation

ROOM_SHARE = 0.8
"""At least so many of the agreeing keypoints must show the empty room."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of the run, and what two windows of the keypoint level have in common."""

    charged: int
    published: int
    verified: int
    acknowledged: int
    waiting: int
    level: str
    windows: tuple[int, int] | None
    matches: int
    agreeing: int
    room: int
    verdict: str
    reason: str
    epsilon: Fraction
    unit: str

    @property
    def good(self) -> bool:
        """Whether observations were published, verified, acknowledged and matched, and the matches are the room's."""
        delivered = 0 < self.published == self.verified == self.acknowledged and self.waiting == 0
        matched = self.verdict == "same place" and self.room >= ROOM_SHARE * self.agreeing
        return delivered and matched

    def text(self) -> str:
        """The summary for people."""
        windows = "too few windows" if self.windows is None else f"positions {self.windows[0]} and {self.windows[1]}"
        lines = [
            "",
            "Summary",
            f"  charged        {self.charged} windows in the ledger",
            f"  published      {self.published} observations",
            f"  verified       {self.verified} by signature, schema, statement and ledger order, each stored once",
            f"  acknowledged   {self.acknowledged} by the collector's signed word; {self.waiting} wait in the outbox",
            f"  compared       two windows of level `{self.level}`, far enough apart to share no noise: {windows}",
            f"  matched        {self.matches} keypoints, {self.agreeing} of them agree on one place: {self.verdict}",
            f"                 ({self.reason})",
            f"  of the room    {self.room} of those {self.agreeing} lie where the map looks like the empty room",
            f"  guarantee      epsilon = {self.epsilon} for {self.unit}; simulated",
            "",
            "Passed." if self.good else "NOT passed: see demo-run/*.log.",
            "",
        ]
        return "\n".join(lines)


def summarise(stage: Stage, settings: Settings, sent: Health, frames: int) -> Summary:
    """Put the device's own counters beside the ledger and the store, and compare two windows."""
    charged = sum(entry["kind"] == "charge" for entry in read_entries(stage.ledger))
    with Reader(stage.store) as reader:
        verified = sum(summary.observations for summary in reader.devices())
        level, pair = _two_windows(reader)
    if pair is None:
        return Summary(charged, sent.accepted, verified, sent.acknowledged, sent.waiting, level, None, 0, 0, 0,
                       "nothing to compare", "the run was too short", Fraction(0), "nothing")  # fmt: skip
    older, newer = pair
    comparison = compare_observations(older, newer)
    agreeing = [j for (_, j), agrees in zip(comparison.matches, comparison.agrees, strict=True) if agrees]
    room = empty_room(settings.camera, frames, newer.statement.cell)
    private = newest_map(stage.releases / level, settings.privacy.fuse)
    found = of_the_room(newer.features.keypoints[agreeing], private, room, newer.statement.cell)
    return Summary(
        charged=charged,
        published=sent.accepted,
        verified=verified,
        acknowledged=sent.acknowledged,
        waiting=sent.waiting,
        level=level,
        windows=(older.receipt.position, newer.receipt.position),
        matches=len(comparison.matches),
        agreeing=len(agreeing),
        room=sum(found),
        verdict=comparison.verdict,
        reason=comparison.reason,
        epsilon=newer.statement.epsilon,
        unit=newer.statement.unit.describe(),
    )


def _two_windows(reader: Reader) -> tuple[str, tuple[Observation, Observation] | None]:
    """The newest window of the finest level, which is the one with keypoints, and one that its noise does not reach."""
    best: tuple[str, tuple[Observation, Observation] | None] = ("", None)
    finest = 0
    for name in reader.levels(DEVICE):
        rows = reader.latest(DEVICE, name, LEANING + 1)
        newer, older = reader.observation(rows[0].id), reader.observation(rows[-1].id)
        if len(rows) > LEANING and newer and older and (not finest or newer.statement.cell < finest):
            finest = newer.statement.cell
            best = (name, (older, newer))
    return best

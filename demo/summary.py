"""What one run of the demo showed, and whether it is enough."""

from dataclasses import dataclass
from fractions import Fraction

from collector.compare import compare
from collector.reader import Reader
from demo.room import empty_room, of_the_room
from demo.stage import DEVICE, Stage
from edge.config import Settings
from edge.privacy.ledger import read_entries
from wire.schema import Health, Observation

ROOM_SHARE = 0.6
"""At least so many of the agreeing keypoints must be on the map of the empty room."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of the run, and what the last two windows of the keypoint level have in common."""

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
        windows = (
            "fewer than two windows" if self.windows is None else f"positions {self.windows[0]} and {self.windows[1]}"
        )
        lines = [
            "",
            "Summary",
            f"  charged        {self.charged} windows in the ledger",
            f"  published      {self.published} observations",
            f"  verified       {self.verified} by signature, schema, statement and ledger order, each stored once",
            f"  acknowledged   {self.acknowledged} by the collector's signed word; {self.waiting} wait in the outbox",
            f"  compared       the last two windows of level `{self.level}`: {windows}",
            f"  matched        {self.matches} keypoints, {self.agreeing} of them agree on one place: {self.verdict}",
            f"                 ({self.reason})",
            f"  of the room    {self.room} of those {self.agreeing} are also on the map of the empty room",
            f"  guarantee      epsilon = {self.epsilon} for {self.unit}; simulated",
            "",
            "Passed." if self.good else "NOT passed: see demo-run/*.log.",
            "",
        ]
        return "\n".join(lines)


def summarise(stage: Stage, settings: Settings, sent: Health, frames: int) -> Summary:
    """Put the device's own counters beside the ledger and the store, and compare the last two windows."""
    charged = sum(entry["kind"] == "charge" for entry in read_entries(stage.ledger))
    with Reader(stage.store) as reader:
        verified = sum(summary.observations for summary in reader.devices())
        level, pair = _last_two(reader)
    if pair is None:
        return Summary(charged, sent.accepted, verified, sent.acknowledged, sent.waiting, level, None, 0, 0, 0,
                       "nothing to compare", "the run was too short", Fraction(0), "nothing")  # fmt: skip
    older, newer = pair
    comparison = compare(older.features, newer.features)
    room = empty_room(settings.camera, frames, newer.statement.cell)
    matches, agreeing, found = of_the_room(older.features, newer.features, room)
    return Summary(
        charged=charged,
        published=sent.accepted,
        verified=verified,
        acknowledged=sent.acknowledged,
        waiting=sent.waiting,
        level=level,
        windows=(older.receipt.position, newer.receipt.position),
        matches=matches,
        agreeing=agreeing,
        room=found,
        verdict=comparison.verdict,
        reason=comparison.reason,
        epsilon=newer.statement.epsilon,
        unit=newer.statement.unit.describe(),
    )


def _last_two(reader: Reader) -> tuple[str, tuple[Observation, Observation] | None]:
    """The finest level is the one with keypoints."""
    best: tuple[str, tuple[Observation, Observation] | None] = ("", None)
    finest = 0
    for name in reader.levels(DEVICE):
        rows = reader.latest(DEVICE, name, 2)
        found = [reader.observation(row.id) for row in rows]
        newer, older = [*found, None, None][:2]
        if newer is not None and older is not None and (not finest or newer.statement.cell < finest):
            finest = newer.statement.cell
            best = (name, (older, newer))
    return best

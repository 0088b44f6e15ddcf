"""What stands below a picture: where it comes from and what is promised, in words."""

from datetime import UTC, datetime

from edge.features.map import Map
from edge.privacy.release import Release
from edge.show.read import Seen
from wire.schema import Features
from wire.verify import exact, labels, plain

Rows = tuple[tuple[str, str], ...]

LAWS = {"discrete-laplace": "discrete Laplace", "discrete-gaussian": "discrete Gaussian"}


def of_observation(seen: Seen) -> Rows:
    """Pairs of a name and a text, for an observation."""
    observation, statement = seen.observation, seen.observation.statement
    made, here = observation.provenance, statement.epsilon_level
    level = "" if here == statement.epsilon else f", of which {exact(here)} by this level alone"
    delta = f", with δ = {exact(statement.delta)}" if statement.delta else ""
    rows = [
        ("Guarantee", f"{statement.guarantee}: ε = {exact(statement.epsilon)} over all levels, for ever{level}{delta}"),
        ("Unit", f"{statement.unit.describe()}, {statement.unit.frames} frames"),
        (
            "Noise",
            f"{LAWS[statement.mechanism]} noise, {statement.entropy.describe()}, of {plain(statement.entropy.source)}",
        ),
        *_of_map(observation.features, statement.cell, statement.rows, statement.columns),
        (
            "Time",
            f"{_moment(observation.opened)} to {_moment(observation.closed)}, {statement.frames} frames",
        ),
        (
            "Device",
            f"{observation.device} with {plain(made.camera)}, {plain(made.software)}",
        ),
        ("Signature", seen.signature),
    ]
    return (*rows, *(("Caution", label) for label in labels(observation)))


def of_release(release: Release, shown: Map, features: Features) -> Rows:
    """The same for a release, which has no statement: that is made when its features are signed."""
    mechanism, charge = release.mechanism, release.receipt
    return (
        (
            "Guarantee",
            f"as its settings promise: see `speckled card`, or the message of ledger position {charge.position}",
        ),
        ("Noise", f"{LAWS[mechanism.noise]} noise of scale {mechanism.scale} on sums of {mechanism.frames} frames"),
        *_of_map(features, shown.cell, mechanism.rows, mechanism.columns),
        ("Time", f"{mechanism.frames} frames, from the ledger's frame {charge.first_frame} on"),
        ("Ledger", f"position {charge.position} of epoch {charge.epoch.hex()}"),
    )


def _of_map(features: Features, cell: int, rows: int, columns: int) -> Rows:
    releases = "one release" if len(features.fused) == 1 else f"{len(features.fused)} releases"
    model = f", network {features.model.hex()[:16]}…" if features.model else ""
    grid = f"{columns} × {rows} cells of {cell} pixels"  # noqa: RUF001 - the sign of multiplication
    return (
        ("Method", f"{plain(features.method)}{model}"),
        ("Map", f"{grid}, of {releases}; noise of one cell {features.noise:.3g} grey of 255 before denoising"),
    )


def _moment(milliseconds: int) -> str:
    """Unix time in ms in UTC, to the minute; a clock beyond the year 9999 as its number."""
    try:
        return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"

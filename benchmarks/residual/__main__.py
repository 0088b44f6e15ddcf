"""`python -m benchmarks.residual`: residual windows against absolute ones over drawn days, and when they restart."""

import argparse
import datetime as dt
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks.residual import days, follow, restart


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.residual", description=__doc__)
    parser.add_argument("--places", type=int, default=3, help="drawn places for the days")
    parser.add_argument("--changes", type=int, default=20, help="drawn places of each kind for the restart")
    parser.add_argument("--video", type=Path, help="a clip of at least 640 columns from a fixed camera, for the noise")
    parser.add_argument("--photos", type=Path, help="a folder of photographs (*.jpg), for the restart too")
    options = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "opencv-python-headless"))
    sys.stdout.write(
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {packages}\n\n## Days\n\n"
    )
    for line in days.table(range(1, options.places + 1)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    _section("Drift", follow.drift_table())
    _section("A bare wall", follow.wall_table())
    if options.video is not None:
        _section("A clip", follow.clip_table(options.video))
    _section("Restart", restart.table(options.photos, options.changes))


def _section(title: str, lines: Iterable[str]) -> None:
    sys.stdout.write(f"\n## {title}\n\n" + "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()

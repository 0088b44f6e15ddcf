"""`speckled show`: its arguments, the file that it reads and the picture that it writes."""

import argparse
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.config import load
from edge.errors import ConfigError, Reason
from edge.features.denoise import denoise
from edge.features.describe import Describer, describer
from edge.features.map import MapKeeper
from edge.privacy.release import Release
from edge.sections import FeaturesSettings
from edge.show import words
from edge.show.picture import draw
from edge.show.png import png
from edge.show.read import Seen, read
from edge.show.shapes import Drawing
from edge.show.svg import svg
from wire.exit import Exit
from wire.keys import read_public_key
from wire.settings import SettingsError
from wire.verify import plain

MOST_BYTES = 1 << 26
"""Of a file: a release of one million cells, with a reference, in hexadecimal text, and as much again."""
FORMATS = {".svg": svg, ".png": png}
PRIVATE = "PRIVATE MAP: stays on the device; only the keypoints leave it"


def main(arguments: Sequence[str]) -> int:
    """Draw one observation or release.

    Raises:
        ConfigError: the settings cannot be used, or the picture cannot be written there.
        ModelUnusable: the network that they ask for is refused.
        SettingsError: the file or the key cannot be read.
        ShowError: the file holds nothing that can be drawn, or its signature does not hold.
    """
    options = _parser().parse_args(arguments)
    out = options.out or Path(options.file.with_suffix(".svg").name)
    if out.suffix not in FORMATS:
        raise ConfigError(Reason.CONFIG, f"--out {out} ends neither in .svg nor in .png", "give it one of the two")
    key = read_public_key(options.key) if options.key else None
    found = read(_read(options.file), key, options.topic)
    if isinstance(found, Seen):
        drawing, said = of_observation(found)
    else:
        features = load(options.config, promise=False).features if options.config else FeaturesSettings()
        drawing, said = of_release(found, describer(features))
    _write(out, FORMATS[out.suffix](drawing), private=isinstance(found, Release))
    sys.stdout.write(f"wrote {out}: {said}\n")
    return Exit.OK


def of_observation(seen: Seen) -> tuple[Drawing, str]:
    """The picture of an observation, and a line on it for the terminal."""
    observation = seen.observation
    features, position = observation.features, observation.receipt.position
    number = _many(len(features.keypoints))
    drawing = draw(
        features,
        observation.statement.cell,
        title=f"{observation.device}, level {plain(observation.level)}, position {position}",
        note=f"{number}, as published; no image was",
        rows=words.of_observation(seen),
    )
    where = f"{observation.device}, level {plain(observation.level)}, position {position}"
    return drawing, f"{number} of {where}\nsignature {seen.signature}"


def of_release(release: Release, method: Describer) -> tuple[Drawing, str]:
    """The picture of a release over its private map, and a line on it for the terminal."""
    # One release says nothing of how noisy the reference of a residual one was: then it is not contradicted.
    shown = MapKeeper(fuse=1).add(release)
    features = method.describe(shown)
    number = _many(len(features.keypoints))
    where = f"level {plain(release.receipt.level)}, position {release.receipt.position}"
    drawing = draw(
        features,
        shown.cell,
        title=f"{number} of {where}",
        note=PRIVATE,
        rows=words.of_release(release, shown, features),
        image=denoise(shown),
    )
    return drawing, f"{number} of {where}\n{PRIVATE}."


def _many(keypoints: int) -> str:
    return "1 keypoint" if keypoints == 1 else f"{keypoints} keypoints"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", "name a file that can be read") from None


def _write(path: Path, content: bytes, *, private: bool) -> None:
    """A private map is for its owner's eyes: nobody else may read the file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if private and stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
            file.write(content)
    except OSError as error:
        remedy = "name a file that you may write, in a folder that exists"
        raise ConfigError(Reason.CONFIG, f"{path}: {error.strerror}", remedy) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "speckled show",
        description="draw the keypoints of an observation, or of a release over its private map",
        epilog="docs/show.md says how to read the picture.",
    )
    parser.add_argument(
        "file", type=Path, help="a message as it came from the broker, its payload, or a release of this device"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="a .svg or .png (default: FILE's name, .svg, here)")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings whose [features] describe the map of a release (default: as shipped)",
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="the device's public key: checks the signature")
    parser.add_argument("--topic", help="on which it came (default: speckled/v1/.../observation of the device inside)")
    return parser

"""`speckled card`: its arguments, and where its answer goes."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.card.card import Options, make_card
from edge.card.page import page
from edge.card.picture import picture
from edge.card.text import document, text
from edge.config import load
from edge.errors import ConfigError, Reason
from wire.exit import Exit


def main(arguments: Sequence[str]) -> int:
    """Print the card, or write it where --html and --svg say. Raises ConfigError."""
    options = _parser().parse_args(arguments)
    told = Options(
        lens=options.lens,
        mounted=options.mounted,
        tilt=options.tilt,
        frame=None if options.frame is None else _size(options.frame),
        rim=options.rim,
        profile=options.profile,
    )
    card = make_card(load(options.config), told)
    for path, content in ((options.html, page), (options.svg, picture)):
        if path is not None:
            _write(path, content(card))
    if options.json:
        sys.stdout.write(json.dumps(document(card), indent=2, ensure_ascii=False) + "\n")
    elif options.html is None and options.svg is None:
        sys.stdout.write(text(card))
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "speckled card", description="what is promised at which distance and for how long, for this camera"
    )
    default = Options()
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
    )
    parser.add_argument("--profile", help="instead of the configured one")
    parser.add_argument(
        "--lens", type=float, default=default.lens, help="horizontal angle of view in degrees (default %(default)g)"
    )
    parser.add_argument(
        "--mounted", type=float, default=default.mounted, help="metres above the floor (default %(default)g)"
    )
    parser.add_argument(
        "--tilt", type=float, default=default.tilt, help="degrees that the camera looks down (default %(default)g)"
    )
    parser.add_argument("--frame", metavar="WxH", help="pixels, where the configuration does not say")
    parser.add_argument("--rim", type=int, help="pixels round a body that change with it (default: by the stream)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the card as one page")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write its picture")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    return parser


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,4})[xX×]([0-9]{1,4})", text)  # noqa: RUF001 - people paste the sign too
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if min(size) < 16:
        raise ConfigError(Reason.CONFIG, f"--frame {text} is no size in pixels", "give one such as 640x480")
    return size


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            Reason.CONFIG, f"{path}: {error.strerror}", "name a file that you may write, in a folder that exists"
        ) from None

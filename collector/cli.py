"""The subcommands `speckled collector` and `speckled compare`."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from collector.admit import admit
from collector.compare import Comparison, compare_observations, lean
from collector.config import (
    DEVICES,
    EXAMPLE,
    PRIVATE_KEY,
    PUBLIC_KEY,
    STORE,
    KeySettings,
    MqttSettings,
    PageSettings,
    Settings,
    StoreSettings,
    load,
)
from collector.errors import ConfigError, Reason
from collector.match.verdict import Verdict
from collector.reader import Reader
from collector.reference import FORMS, Named, find, needs_store
from collector.service import make_service, now
from collector.store import Store
from wire.exit import Exit
from wire.keys import make_key_pair
from wire.service.attendance import Attendance
from wire.service.journal import begin_service
from wire.stopping import stop_on_signals

if TYPE_CHECKING:
    from collector.page import PageServer

S = TypeVar("S", MqttSettings, StoreSettings, KeySettings)

SETTINGS = "collector.toml"
STATUS: dict[Verdict, int] = {"same place": 0, "different place": 1, "not enough to tell": 2}


def collector(argv: Sequence[str]) -> int:
    """Run the collector until a signal ends it; `init`: make its keys and settings; `admit`: take a device's new key.

    Returns the exit status.

    Raises:
        CollectorError: its `exit` is the status, its text and `remedy` the line for standard error.
        SystemExit: 2, where the arguments make no sense.
    """
    action = {"init": _init, "admit": _admit}.get(argv[0] if argv else "")
    return action(argv[1:]) if action else _serve(argv)


def compare(argv: Sequence[str]) -> int:
    """Say in words whether two observations show the same place: 0 if they do, 1 if not, 2 if it cannot be told.

    Raises:
        CollectorError: its `exit` is the status, its text and `remedy` the line for standard error.
        SystemExit: 2, where the arguments make no sense.
    """
    flags = _compare_parser().parse_args(argv)
    first, second = _find_both(flags)
    comparison = compare_observations(first.observation, second.observation)
    sys.stdout.write("\n".join(_words(first, second, comparison)) + "\n")
    return STATUS[comparison.verdict]


def _serve(argv: Sequence[str]) -> int:
    settings = _settings(_serve_parser().parse_args(argv))
    begin_service("speckled-collector")
    logging.getLogger("paho").setLevel(logging.WARNING)
    stop = stop_on_signals()
    with ExitStack() as stack:
        store = Store(Path(settings.store.path), clock=now)
        stack.callback(store.close)
        service = make_service(settings, store)
        if settings.page:
            stack.enter_context(_page(settings.page, Path(settings.store.path)))
        with Attendance(os.environ, clock=time.monotonic) as attendance:
            service.run(stop, attendance)
    return Exit.OK


def _page(page: PageSettings, store: Path) -> "PageServer":
    """Imported here: a collector without a page needs no web framework."""
    try:
        from collector.page import PageServer, make_app  # noqa: PLC0415 (see above)
    except ModuleNotFoundError as error:
        remedy = "install the extra `collector`, or leave out [page]"
        raise ConfigError(Reason.PAGE, f"the page needs {error.name}", remedy) from None
    server = PageServer(make_app(store), page.host, page.port)
    logging.getLogger("speckled.collector").info("the page is at %s", server.address)
    return server


def _serve_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="speckled collector",
        description="Receive, check, store and acknowledge the observations of all enrolled devices.",
        epilog="`speckled collector init --dir DIRECTORY` makes a key pair and a settings file to begin with. "
        "A flag counts more than the settings file.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (collector.toml)")
    parser.add_argument("--broker", type=_address, metavar="HOST:PORT", help="MQTT broker")
    parser.add_argument("--protocol", choices=["5", "3.1.1"], help="MQTT version, 5 unless the broker cannot speak it")
    parser.add_argument("--root", help="root of the topics")
    parser.add_argument("--store", metavar="FILE", help="SQLite file for the observations")
    parser.add_argument("--key", metavar="FILE", help="the collector's private key")
    parser.add_argument("--keys", metavar="DIRECTORY", help="public keys of the devices, <device>.pub")
    parser.add_argument("--page", type=_address, metavar="HOST:PORT", help="serve the page here")
    return parser


def _settings(flags: argparse.Namespace) -> Settings:
    settings = load(flags.config)
    host, port = flags.broker or (None, None)
    mqtt = _replaced(settings.mqtt, host=host, port=port, protocol=flags.protocol, root=flags.root)
    store = _replaced(settings.store, path=flags.store)
    keys = _replaced(settings.keys, key=flags.key, devices=flags.keys)
    page = PageSettings(host=flags.page[0], port=flags.page[1]) if flags.page else settings.page
    try:
        mqtt = msgspec.convert(msgspec.to_builtins(mqtt), MqttSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(Reason.CONFIG, str(error), "correct the flag of that name") from None
    return Settings(mqtt=mqtt, store=store, keys=keys, page=page)


def _replaced(settings: S, **given: object) -> S:
    return msgspec.structs.replace(settings, **{name: value for name, value in given.items() if value is not None})


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"`{text}` is not host:port")
    return host.strip("[]"), int(port)


def _init(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="speckled collector init", description="Make the collector's key pair and a settings file."
    )
    parser.add_argument("--dir", type=Path, default=Path(), metavar="DIRECTORY", help="where to put them (here)")
    directory = parser.parse_args(argv).dir
    try:
        (directory / DEVICES).mkdir(parents=True, exist_ok=True)
        make_key_pair(directory / PRIVATE_KEY, directory / PUBLIC_KEY)
        with (directory / SETTINGS).open("x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except OSError as error:
        detail = f"{error.filename or directory}: {error.strerror}"
        raise ConfigError(Reason.CONFIG, detail, "choose an empty, writable directory with --dir") from None
    sys.stdout.write(
        f"{directory / PRIVATE_KEY}: keep it secret; it signs the acknowledgements\n"
        f"{directory / PUBLIC_KEY}: copy it to each device as collector.pub\n"
        f"{directory / DEVICES}: put each device's public key here as <device>.pub\n"
        f"{directory / SETTINGS}: then start `speckled collector --config {directory / SETTINGS}`\n"
    )
    return Exit.OK


def _admit(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="speckled collector admit", description="Take a device's new key, on the signed word of its old one."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="device.rotation, from the device")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (collector.toml)")
    parser.add_argument("--keys", metavar="DIRECTORY", help="public keys of the devices, <device>.pub")
    flags = parser.parse_args(argv)
    settings = load(flags.config)
    devices = Path(flags.keys or settings.keys.devices)
    done = admit(flags.file, devices)
    sys.stdout.write(
        f"{done.rotation.device}: {'admitted before' if done.again else 'admitted'}, key {done.rotation.fingerprint}\n"
        f"The old key stays good until {devices / done.rotation.device}.old.pub is removed.\n"
    )
    return Exit.OK


def _compare_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="speckled compare",
        description="Say whether two observations show the same place, and how many keypoints agree. "
        "Status 0: the same place; 1: not the same; 2: not enough to tell.",
        epilog=f"A and B are each {FORMS}.",
    )
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    parser.add_argument("--store", type=Path, metavar="FILE", help=f"the collector's store ({STORE})")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the collector's settings, which name its store")
    return parser


def _find_both(flags: argparse.Namespace) -> tuple[Named, Named]:
    if not needs_store(flags.a) and not needs_store(flags.b):
        return find(flags.a, None), find(flags.b, None)
    path = flags.store or (Path(load(flags.config).store.path) if flags.config else Path(STORE))
    with Reader(path) as reader:
        return find(flags.a, reader), find(flags.b, reader)


def _words(first: Named, second: Named, comparison: Comparison) -> list[str]:
    one, two = comparison.keypoints
    if comparison.right:
        right = sum(comparison.right)
        found = f"{right:.1f} of {len(comparison.right)} matched keypoints are expected to be right"
    else:
        found = f"{comparison.consistent} of {len(comparison.matches)} matched keypoints agree"
    lines = [
        f"{comparison.verdict}: {first.title} and {second.title}",
        f"  {found} ({one} and {two} keypoints)",
        f"  {comparison.reason}",
    ]
    if comparison.consistent:
        median, most = comparison.moved
        where = f", {comparison.geometry}" if comparison.geometry else ""
        lines.append(f"  agreeing keypoints lie {median:.1f} px apart (median), {most:.1f} px at most{where}")
    if comparison.cosine is not None:
        lines.append(f"  grid vectors: cosine {comparison.cosine:.2f}")
    if comparison.shared:
        lines.append(
            f"  warning: {comparison.shared} releases are in both maps, so they share noise and agree too well"
        )
    if lean(first.observation, second.observation):
        lines.append("  residual windows: neighbours share part of their noise, and agree a little too well")
    if any(named.observation.statement.entropy.computational for named in (first, second)):
        lines.append("  noise is computational: expanded by a DRBG")
    if any(named.observation.statement.simulated for named in (first, second)):
        lines.append("  SIMULATED: camera, entropy or time was not real")
    return lines

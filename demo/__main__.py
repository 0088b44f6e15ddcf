"""The main job on one machine without hardware: `make demo`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector.errors import CollectorError
from collector.page.app import make_app
from collector.page.live import Progress as Bar
from collector.page.server import PageServer
from collector.page.view import Panel
from demo.broker import DemoBroker, start_broker
from demo.health import HealthListener
from demo.progress import ProgressListener
from demo.stage import DEVICE, ROOT, SECONDS_PER_FRAME, Stage, set_stage
from demo.summary import summarise
from demo.views import InputView, MapView
from demo.watch import Run
from edge.config import load
from wire.exit import Exit
from wire.stopping import stop_on_signals
from wire.topics import Topics

WINDOW = 24 * 3600 // SECONDS_PER_FRAME
"""Frames of a day."""
WINDOWS_ONCE = 5
INPUT = (
    "what the camera is shown, read from the source itself, not from capture. Whoever covers more pixels than the "
    "statement names costs more than its ε, in proportion."
)
PRIVATE_MAP = (
    "from the newest release of the finest level; stays on the device. Time is compressed: a second of input at 10 "
    f"frames per second counts as {10 * SECONDS_PER_FRAME // 60} minutes, so whoever stays for several seconds is a "
    "resident, not a visitor, and shows."
)
NO_PAGE_CACHE = {"Cache-Control": "no-store"}


def main() -> int:
    """Run the demo. With --once, 0 only if observations were published, verified, acknowledged and matched."""
    options = _options()
    if options.video and not options.video.is_file():
        sys.stderr.write(f"demo: {options.video}: no such file. Name a video clip, for example VIDEO=clip.mp4.\n")
        return Exit.NO_CAMERA
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    stop = stop_on_signals()
    with ExitStack() as stack:
        broker = start_broker(folder, embedded=options.embedded_broker)
        stack.callback(broker.stop)
        frames = options.windows * WINDOW if options.once else None
        stage = set_stage(
            folder, broker, video=options.video, frames=frames, rate=options.rate, profile=options.profile
        )
        run = _start(stack, stage, broker, options)
        failed = run.follow(stop, once=options.once)
    if failed or not options.once or stop.is_set():
        return failed
    summary = summarise(stage, load(stage.device_settings), run.health.latest, run.progress.latest.frames)
    sys.stdout.write(summary.text())
    return Exit.OK if summary.good else Exit.FAILED


def _start(stack: ExitStack, stage: Stage, broker: DemoBroker, options: argparse.Namespace) -> Run:
    progress = ProgressListener(stage.folder / "status.sock")
    health = HealthListener(broker, Topics(ROOT, DEVICE))
    health.start()
    stack.callback(health.stop)
    page = stack.enter_context(_page(stage, progress, options.port))
    what = f"the clip {options.video}" if options.video else "a synthetic place with people walking through it"
    sys.stdout.write(
        f"Input: {what}. Entropy: emulated chip. Broker: {broker.name}, MQTT {broker.protocol}.\n"
        f"Time is compressed: one frame stands for {SECONDS_PER_FRAME // 60} minutes, {WINDOW} frames for a day.\n"
        f"Page: {page.address}device/{DEVICE}\n\n"
    )
    collector = stack.enter_context(
        _process(stage, "collector", ["collector", "--config", str(stage.collector_settings)])
    )
    daemon = stack.enter_context(
        _process(stage, "daemon", ["run", "--config", str(stage.device_settings)], notify=progress.address)
    )
    return Run(stage, progress, health, {"daemon": daemon, "collector": collector})


def _page(stage: Stage, progress: ProgressListener, port: int) -> PageServer:
    settings = load(stage.device_settings)
    shown = InputView(settings.camera)
    private = MapView(stage.releases, settings.privacy.fuse)

    def input_png(_: Request) -> Response:
        return Response(shown.png(progress.latest.frames), media_type="image/png", headers=NO_PAGE_CACHE)

    def map_png(_: Request) -> Response:
        return Response(private.png(), media_type="image/png", headers=NO_PAGE_CACHE)

    def bars() -> Sequence[Bar]:
        levels = progress.latest.levels.items()
        return [Bar(label=f"window of level {name}", done=done, total=size) for name, (done, size) in levels]

    app = make_app(
        stage.store,
        extra_routes=[Route("/demo/input.png", input_png), Route("/demo/map.png", map_png)],
        panels=[
            Panel("Input", INPUT, "/demo/input.png"),
            Panel("Private map", PRIVATE_MAP, "/demo/map.png"),
        ],
        progress=bars,
    )
    try:
        return PageServer(app, "127.0.0.1", port)
    except CollectorError:
        return PageServer(app, "127.0.0.1", 0)


@contextmanager
def _process(
    stage: Stage, name: str, arguments: list[str], *, notify: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "NOTIFY_SOCKET": notify} if notify else dict(os.environ)
    with (stage.folder / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", "edge", *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("make demo", description="camera to collector on one machine, without hardware")
    parser.add_argument("--once", action="store_true", help="end by itself, with a summary")
    parser.add_argument("--video", type=Path, help="play this clip instead of the synthetic place")
    parser.add_argument("--folder", type=Path, default=Path("demo-run"), help="for all files (default %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="of the page (default %(default)s; a free one if taken)")
    parser.add_argument("--rate", type=int, default=60, help="frames per second of real time (default %(default)s)")
    parser.add_argument("--windows", type=int, default=WINDOWS_ONCE, help="of the synthetic place with --once")
    parser.add_argument("--profile", default="place", help="privacy profile (default %(default)s)")
    parser.add_argument(
        "--embedded-broker", action="store_true", help="do not use mosquitto even where it is installed"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

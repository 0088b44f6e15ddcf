from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.errors import CollectorError, StoreUnavailable
from collector.page.live import Live, Progress
from collector.page.view import Panel, Viewer, decimal, factor, moment
from collector.reader import Reader

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_app(
    store_path: Path,
    *,
    extra_routes: Sequence[BaseRoute] = (),
    panels: Sequence[Panel] = (),
    progress: Callable[[], Sequence[Progress]] | None = None,
) -> Starlette:
    """The page over a store, which may not exist yet. It reads and never writes.

    Args:
        store_path: the collector's SQLite file.
        extra_routes: served beside the page, under the same headers; the demo's images come from here.
        panels: images for the strip "demo only, not published"; each is fetched again when progress is told.
        progress: called in a worker thread twice a second; what it returns is shown as bars when it changes.
    """
    live = Live(store_path, progress)
    page = _Page(store_path, [Panel(*panel) for panel in panels], progress=progress is not None)

    async def events(_request: Request) -> Response:
        return StreamingResponse(live.stream(), media_type="text/event-stream")

    routes = [
        Route("/", page.fleet),
        Route("/device/{device}", page.device),
        Route("/events", events),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        *extra_routes,
    ]
    app = Starlette(routes=routes, lifespan=live.running, middleware=[Middleware(_Headers)])
    app.state.live = live
    return app


class _Page:
    """The HTML of each address. Starlette calls these in worker threads; each opens its own reader."""

    def __init__(self, store: Path, panels: list[Panel], *, progress: bool) -> None:
        self._store = store
        self._viewer = Viewer()
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(decimal=decimal, factor=factor, moment=moment)
        self._environment.globals.update(panels=panels, progress=progress)

    def fleet(self, _request: Request) -> Response:
        return self._answer("fleet.html", lambda reader: {"devices": reader.devices(), "letters": reader.letters()})

    def device(self, request: Request) -> Response:
        name = request.path_params["device"]

        def values(reader: Reader) -> dict[str, Any]:
            return {
                "summary": reader.device(name),
                "levels": self._viewer.levels(reader, name),
                "letters": reader.letters(name),
            }

        return self._answer("device.html", values)

    def _answer(self, template: str, values: Callable[[Reader], dict[str, Any]]) -> Response:
        try:
            with Reader(self._store) as reader:
                return HTMLResponse(self._environment.get_template(template).render(values(reader)))
        except StoreUnavailable:
            return HTMLResponse(self._environment.get_template("waiting.html").render())
        except CollectorError as error:
            return HTMLResponse(self._environment.get_template("trouble.html").render(error=error), 503)


class _Headers:
    """Adds HEADERS to every response, streams included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)

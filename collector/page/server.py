import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Self

import uvicorn
from starlette.applications import Starlette

from collector.errors import Reason, Unavailable

if TYPE_CHECKING:
    from collector.page.live import Live


class PageServer:
    """Serves one application in a thread of its own."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """Take the address at once, so that a port in use is an error here and not a line in a log.

        Args:
            app: from make_app.
            host: name or address to listen on.
            port: 0 takes a free one.

        Raises:
            Unavailable: PAGE, where the address cannot be had.
        """
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            remedy = "choose another host and port in [page] or with --page"
            raise Unavailable(Reason.PAGE, f"{host}:{port}: {error.strerror}", remedy) from None
        self._live: Live = app.state.live
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        number = self._socket.getsockname()[1]
        self.address = f"http://[{host}]:{number}/" if ":" in host else f"http://{host}:{number}/"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._live.close)
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._server.serve(sockets=[self._socket])

"""A simulator ready to use: over a loopback socket, or in process through an httpx transport.

Binds nothing but the loopback address.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn

from adapters.sandbox.books import Books
from adapters.sandbox.clock import Clock
from adapters.sandbox.front import Front
from adapters.sandbox.wire import App, DroppedError, Json


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A simulator ready to be served: its app, the keys that open it, its books and clock."""

    app: Front
    credentials: dict[str, str] = field(repr=False)
    other_credentials: dict[str, dict[str, str]] = field(repr=False)
    books: Books
    clock: Clock
    shop: Callable[[dict[str, Json]], Json]

    def credentials_at(self, url: str, which: str | None = None) -> dict[str, str]:
        """Return the credentials for the address served at, or one of `other_credentials`."""
        chosen = self.credentials if which is None else self.other_credentials[which]
        return {**chosen, "domain": url}

    def transport(self) -> "InProcess":
        """Return an httpx transport that reaches the simulator without a socket."""
        return InProcess(self.app)


class InProcess(httpx.AsyncBaseTransport):
    """Reaches an app in the same process and fails like a socket: time-outs, lost connections."""

    def __init__(self, app: App) -> None:
        self._transport = httpx.ASGITransport(app)
        self._running: set[asyncio.Task[httpx.Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; the work goes on when the client's read time-out passes first."""
        limits = request.extensions.get("timeout", {})
        task = asyncio.ensure_future(self._transport.handle_async_request(request))
        self._running.add(task)
        task.add_done_callback(self._forget)
        await asyncio.wait({task}, timeout=limits.get("read"))
        if not task.done():
            raise httpx.ReadTimeout("the simulator did not answer in time", request=request)
        try:
            return task.result()
        except DroppedError as error:
            raise httpx.RemoteProtocolError(str(error), request=request) from error

    def _forget(self, task: asyncio.Task[httpx.Response]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, or an abandoned request complains when collected


class _QuietServer(uvicorn.Server):
    """A uvicorn server that leaves the signals of its process alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing: whoever started the process decides what a signal means."""
        yield


@asynccontextmanager
async def serving(app: App, port: int = 0) -> AsyncIterator[str]:
    """Serve an app on the loopback address while the context lasts; yields its address."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,  # the simulator states the time of its own clock
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = _QuietServer(config)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                break
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()

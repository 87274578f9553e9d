"""The API process: wires the application and serves it until asked to stop."""

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import structlog
import uvicorn

from api import build_app
from api.context import no_budget
from tallyport.doorbell import QueueDoorbell
from tallyport.services import Services, open_services
from tallyport.settings import Settings
from tallyport.up import listen
from tallyport.versions import require_current_database
from tallyport.wiring import Transports, open_deps

_GRACE_SECONDS = 8

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling: it would end the process before we have cleaned up."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing: `serve` decides what a signal means."""
        yield


def run_server(
    settings: Settings,
    *,
    listener: socket.socket | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the API on the settings' address, or on a socket that listens already."""
    with open_services(settings) as services:
        require_current_database(services.database_url)
        with listener or listen(settings) as listening:
            asyncio.run(_serve(settings, services, listening, on_ready))


async def _serve(
    settings: Settings,
    services: Services,
    listener: socket.socket,
    on_ready: Callable[[str], None] | None,
) -> None:
    async with open_deps(settings, services) as deps:
        doorbell = deps.doorbell
        queue = doorbell.answers if isinstance(doorbell, QueueDoorbell) else None
        transport = deps.transport
        budget = transport.budget.state if isinstance(transport, Transports) else no_budget
        config = uvicorn.Config(
            build_app(deps, deps.platforms, queue=queue, budget=budget),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="auto",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = _Server(config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _ask_to_exit, server)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        # Uvicorn has no event for it, only the attribute.
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if server.started and on_ready is not None:
            on_ready(settings.base_url)
        await task


def _ask_to_exit(server: uvicorn.Server) -> None:
    server.should_exit = True

"""The worker process: wires the runtime and works until asked to stop."""

import asyncio
import os
import signal
import socket

from reconcile.store.leases import end_of
from reconcile.worker import run_worker
from tallyport.doorbell import redis_settings
from tallyport.services import Services, open_services
from tallyport.settings import Settings
from tallyport.versions import require_current_database
from tallyport.wiring import open_deps


def run_worker_process(settings: Settings, *, replaces: int | None = None) -> None:
    """Run a worker until SIGTERM or SIGINT; what it leaves unfinished the next one goes on with.

    `replaces` is the process id of a worker on this machine that is known to have ended: what it
    held is free at once instead of when its leases run out.
    """
    with open_services(settings) as services:
        require_current_database(services.database_url)
        asyncio.run(_work(settings, services, replaces))


def worker_name(process: int) -> str:
    """Who holds a lease: this machine and a process on it."""
    return f"{socket.gethostname()}:{process}"


async def _work(settings: Settings, services: Services, replaces: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_deps(settings, services) as deps:
        if replaces is not None:
            async with deps.engine.begin() as conn:
                await end_of(conn, worker_name(replaces))
        await run_worker(
            deps,
            redis_settings(services.redis_url),
            name=worker_name(os.getpid()),
            concurrency=settings.worker_concurrency,
            stop=stop,
        )

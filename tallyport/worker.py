"""The worker process: wires the runtime and works until asked to stop."""

import asyncio
import os
import signal
import socket

from reconcile.worker import run_worker
from tallyport.doorbell import redis_settings
from tallyport.services import Services, open_services
from tallyport.settings import Settings
from tallyport.wiring import open_deps


def run_worker_process(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; what it leaves unfinished the next one goes on with."""
    with open_services(settings) as services:
        asyncio.run(_work(settings, services))


async def _work(settings: Settings, services: Services) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_deps(settings, services) as deps:
        await run_worker(
            deps,
            redis_settings(services.redis_url),
            name=f"{socket.gethostname()}:{os.getpid()}",
            concurrency=settings.worker_concurrency,
            stop=stop,
        )

"""The product's processes as the harness starts them, from a server that has everything loaded.

Each is a process of its own that runs what `tallyport serve` and `tallyport worker` run. A worker
gets short back-offs and a clock that can be shifted besides: both are handed in, as the product's
own wiring hands in its own.
"""

import asyncio
import mmap
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconcile.contract import Platform, Transport
from reconcile.deps import Deps, Recorder, TransportFactory
from reconcile.store.leases import end_of
from reconcile.worker import run_worker
from tallyport.doorbell import redis_settings
from tallyport.logs import configure_logs
from tallyport.server import run_server
from tallyport.services import Services, open_services
from tallyport.settings import Settings, load_settings
from tallyport.versions import require_current_database
from tallyport.wiring import ChannelTransport, open_deps
from tallyport.worker import worker_name

OFFSET = struct.Struct("<d")
"""How the file of the clock says its offset, in seconds."""
RETRY_BASE = timedelta(seconds=0.3)
RETRY_CAP = timedelta(seconds=2)
ACCOUNT_CHECK = timedelta(seconds=2)
_GRACE_SECONDS = 15.0

CONTEXT = multiprocessing.get_context("forkserver")
"""Starts a process in a tenth of the time: what it needs is loaded once."""
CONTEXT.set_forkserver_preload([__name__])


class ShiftedClock:
    """The time, with the offset that a file says at this moment."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            self._map = mmap.mmap(opened.fileno(), OFFSET.size, access=mmap.ACCESS_READ)

    def __call__(self) -> datetime:
        """Now."""
        (offset,) = OFFSET.unpack(self._map[: OFFSET.size])
        return datetime.now(UTC) + timedelta(seconds=offset)


@dataclass(frozen=True, slots=True)
class ShiftedTransport(ChannelTransport):
    """A channel's transport on the shifted clock."""

    clock: ShiftedClock

    def now(self) -> datetime:
        """The shifted time."""
        return self.clock()


@dataclass(frozen=True, slots=True)
class ShiftedTransports:
    """Makes the product's transports and puts them on the shifted clock."""

    made: TransportFactory
    clock: ShiftedClock

    def __call__(self, channel_id: int, platform: Platform, record: Recorder | None) -> Transport:
        """Build the transport of a channel."""
        plain = self.made(channel_id, platform, record)
        assert isinstance(plain, ChannelTransport)
        return ShiftedTransport(
            plain.http, plain.channel_id, plain.budget, plain.recorder, self.clock
        )


def _shifted(deps: Deps, clock: ShiftedClock) -> Deps:
    """What the product wired, on the shifted clock and with short back-offs."""
    tuning = replace(
        deps.tuning, retry_base=RETRY_BASE, retry_cap=RETRY_CAP, account_check=ACCOUNT_CHECK
    )
    transports = ShiftedTransports(deps.transport, clock)
    return replace(deps, clock=clock, tuning=tuning, transport=transports)


def serve(environment: Mapping[str, str], log: Path, listener: socket.socket) -> None:
    """Be the API server, on a socket that listens already."""
    run_server(_begun(environment, log), listener=listener)


def work(environment: Mapping[str, str], log: Path, clock: Path, replaces: int | None) -> None:
    """Be a worker; `replaces` is the process id of one that is known to have ended."""
    settings = _begun(environment, log)
    with open_services(settings) as services:
        require_current_database(services.database_url)
        asyncio.run(_work(settings, services, ShiftedClock(clock), replaces))


async def _work(
    settings: Settings, services: Services, clock: ShiftedClock, replaces: int | None
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_deps(settings, services) as deps:
        if replaces is not None:
            async with deps.engine.begin() as conn:
                await end_of(conn, worker_name(replaces))
        await run_worker(
            _shifted(deps, clock),
            redis_settings(services.redis_url),
            name=worker_name(os.getpid()),
            concurrency=settings.worker_concurrency,
            stop=stop,
        )


def _begun(environment: Mapping[str, str], log: Path) -> Settings:
    """The settings of this process, which from now on speaks into its log alone."""
    for name in [name for name in os.environ if "TALLYPORT_" in name]:
        del os.environ[name]
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    settings = load_settings()
    configure_logs(settings.log_level.value)
    threading.Thread(target=_end_with_harness, name="lifeline", daemon=True).start()
    return settings


def _end_with_harness() -> None:
    harness = multiprocessing.parent_process()
    assert harness is not None
    multiprocessing.connection.wait([harness.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_SECONDS)
    os._exit(1)

"""Builds what the runtime, the commands and the API are handed: the one composition root.

Everything with an outside is made here and nowhere else: the database engine, the HTTP client with
its guard, the request budget, the doorbell, the cipher. Holds no rule.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.catalogs import LAYOUTS
from adapters.http import create_client
from adapters.registry import PLATFORMS
from reconcile.budget import Budget
from reconcile.contract import BudgetObservation, Exchange, Platform
from reconcile.core.types import Value
from reconcile.deps import Deps, Recorder, Tuning
from tallyport.doorbell import QueueDoorbell
from tallyport.keys import Cipher, open_cipher
from tallyport.services import Services
from tallyport.settings import Settings

_POOL_SIZE = 10
_OVERFLOW = 10
_COMMAND_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ChannelTransport:
    """What an adapter of one channel reaches the outside through."""

    http: httpx.AsyncClient
    channel_id: int
    budget: Budget
    recorder: Recorder | None

    def now(self) -> datetime:
        """The current time, UTC."""
        return datetime.now(UTC)

    async def acquire(self, cost: float) -> None:
        """Wait for, or refuse when far from, the account's request budget."""
        await self.budget.acquire(self.channel_id, cost)

    async def learn(self, observation: BudgetObservation) -> None:
        """Tell the shared budget what an answer said about it."""
        await self.budget.learn(self.channel_id, observation)

    async def record(self, exchange: Exchange) -> None:
        """Keep a request for the log, where there is one."""
        if self.recorder is not None:
            await self.recorder(exchange)


@dataclass(frozen=True, slots=True)
class Transports:
    """Makes a transport per channel over one shared client and one shared budget."""

    http: httpx.AsyncClient
    budget: Budget

    def __call__(
        self,
        channel_id: int,
        platform: Platform,  # noqa: ARG002 - budgets are by channel on every platform so far
        record: Recorder | None,
    ) -> ChannelTransport:
        """Build the transport; `channel_id` 0 is a channel that has no row yet."""
        return ChannelTransport(self.http, channel_id, self.budget, record)


@dataclass(frozen=True, slots=True)
class FieldsCipher:
    """The cipher as the runtime wants it: JSON objects in, JSON objects out."""

    cipher: Cipher

    def encrypt(self, plain: Mapping[str, Value]) -> bytes:
        """JSON object → token."""
        return self.cipher.encrypt(plain)

    def decrypt(self, token: bytes) -> dict[str, object]:
        """Token → JSON object; raises where the key is not ours."""
        return self.cipher.decrypt_fields(token)


def tuning(settings: Settings) -> Tuning:
    """The times of the runtime, as the settings say."""
    settle = settings.settle_seconds
    return Tuning(
        lease=timedelta(seconds=settings.lease_seconds),
        slice=timedelta(seconds=settings.slice_seconds),
        sweep=timedelta(seconds=settings.sweep_seconds),
        settle=None if settle is None else timedelta(seconds=settle),
        request_timeout=timedelta(seconds=settings.http_timeout_seconds),
    )


def create_engine(database_url: str) -> AsyncEngine:
    """An engine whose connections survive a restart of the database."""
    return create_async_engine(
        database_url,
        pool_size=_POOL_SIZE,
        max_overflow=_OVERFLOW,
        pool_pre_ping=True,
        # Parameters hold credentials and customers' data: never in an error's text.
        hide_parameters=True,
        connect_args={"command_timeout": _COMMAND_SECONDS, "timeout": 10},
    )


@asynccontextmanager
async def open_deps(
    settings: Settings, services: Services, platforms: Mapping[str, Platform] = PLATFORMS
) -> AsyncIterator[Deps]:
    """Everything of one process, released at the end."""
    engine = create_engine(services.database_url)
    doorbell = QueueDoorbell(engine, services.redis_url)
    budget = Budget(services.redis_url)
    http = create_client(frozenset(settings.allowed_hosts))
    try:
        yield Deps(
            engine=engine,
            platforms=platforms,
            cipher=FieldsCipher(open_cipher(settings)),
            transport=Transports(http, budget),
            doorbell=doorbell,
            layouts=LAYOUTS,
            tuning=tuning(settings),
        )
    finally:
        await http.aclose()
        await doorbell.close()
        await budget.close()
        await engine.dispose()

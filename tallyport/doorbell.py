"""Rings for a worker through the queue; a lost ring loses nothing, the sweep finds what is due.

Holds ids only, as JSON. Must never make a command fail: Redis being away is noted, not raised.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from arq.connections import ArqRedis, RedisSettings
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.types import Side
from reconcile.store.tables import leases
from reconcile.worker import dump_job, load_job

_TIMEOUT_SECONDS = 2.0
ORDERS_AHEAD = timedelta(minutes=1)
"""Orders overtake what was queued within this time; older rings for listings keep their place."""

log = structlog.get_logger(__name__)


def redis_settings(url: str) -> RedisSettings:
    """The queue library's settings for `redis://`, `rediss://` and `unix://` addresses."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return RedisSettings.from_dsn(url)
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return RedisSettings(
        unix_socket_path=unquote(parts.path),
        database=int(database),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


class QueueDoorbell:
    """Rings through arq; connects with the first ring, and again when the connection breaks."""

    def __init__(self, engine: AsyncEngine, redis_url: str) -> None:
        self._engine = engine
        self._settings = redis_settings(redis_url)
        self._queue: ArqRedis | None = None

    async def ring(self, channel_id: int, side: Side) -> None:
        """Wake a worker for one side of a channel."""
        async with self._engine.connect() as conn:
            statement = select(leases.c.epoch).where(
                leases.c.channel_id == channel_id, leases.c.side == side
            )
            epoch = (await conn.execute(statement)).scalar_one_or_none() or 0
        # A ring with the id of a running job would be lost; the epoch rises with every lease.
        ahead = ORDERS_AHEAD if side is Side.ORDERS else None
        await self._enqueue(
            "drain",
            channel_id,
            side.value,
            job_id=f"drain:{channel_id}:{side}:{epoch}",
            ahead=ahead,
        )

    async def ring_import(self, import_id: int) -> None:
        """Wake a worker for a catalog file."""
        await self._enqueue("advance_import", import_id, job_id=None)

    async def answers(self) -> bool:
        """Whether the queue is there; without it work starts with the next sweep."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return bool(await self._connected().ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Release the connection."""
        if self._queue is not None:
            await self._queue.aclose()
            self._queue = None

    async def _enqueue(
        self,
        function: str,
        *arguments: int | str,
        job_id: str | None,
        ahead: timedelta | None = None,
    ) -> None:
        since = None if ahead is None else datetime.now(UTC) - ahead
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._connected().enqueue_job(
                    function, *arguments, _job_id=job_id, _defer_until=since
                )
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("ring_lost", function=function, error=type(error).__name__)

    def _connected(self) -> ArqRedis:
        if self._queue is None:
            known = self._settings
            self._queue = ArqRedis(
                job_serializer=dump_job,
                job_deserializer=load_job,
                host=str(known.host),
                port=known.port,
                unix_socket_path=known.unix_socket_path,
                db=known.database,
                username=known.username,
                password=known.password,
                ssl=known.ssl,
                socket_connect_timeout=_TIMEOUT_SECONDS,
            )
        return self._queue

"""The request budget of a channel's account, shared by all workers through Redis.

Nothing is assumed about a platform's limits: the budget is learnt from answers (points or requests
left, how fast they come back, blocked until). Redis lost means it restarts empty of knowledge; the
platform then says again what it allows.
"""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import redis.asyncio as aioredis
import structlog
from redis.exceptions import RedisError

from reconcile.contract import BudgetObservation, RateLimitedError

log = structlog.get_logger()

PATIENCE = 2.0
"""Waits up to so many seconds are slept through; longer ones free the worker for others."""
FORGET_AFTER = 3600
"""Seconds after which knowledge nobody renewed is dropped."""

# KEYS[1] the account's hash; ARGV: now (s), cost. Returns milliseconds to wait, 0 when taken.
_ACQUIRE = """
local b = redis.call('HMGET', KEYS[1], 'blocked', 'available', 'maximum', 'restore', 'at')
local now, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local blocked = tonumber(b[1] or '0')
if blocked > now then return math.ceil((blocked - now) * 1000) end
local available, restore = tonumber(b[2] or ''), tonumber(b[4] or '')
if available == nil or restore == nil or restore <= 0 then return 0 end
local maximum = tonumber(b[3] or '') or available
available = math.min(maximum, available + (now - tonumber(b[5])) * restore)
local need = math.min(cost, maximum)
if available < need then return math.ceil((need - available) / restore * 1000) end
redis.call('HSET', KEYS[1], 'available', tostring(available - need), 'at', tostring(now))
return 0
"""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What is known of an account's budget right now."""

    blocked_until: datetime | None
    available: float | None
    """Requests or points left, as the platform counts; None: it has not said."""


class Budget:
    """Budgets of all channels, by channel id."""

    def __init__(self, redis_url: str) -> None:
        self._redis = aioredis.Redis.from_url(redis_url, decode_responses=True, socket_timeout=2)

    @staticmethod
    def _key(channel_id: int) -> str:
        return f"tallyport:budget:{channel_id}"

    async def acquire(self, channel_id: int, cost: float) -> None:
        """Take `cost` from the budget; sleeps briefly, or raises `RateLimitedError`."""
        slept = 0.0
        while True:
            wait = await self._try(channel_id, cost)
            if wait <= 0:
                return
            if slept + wait > PATIENCE:
                raise RateLimitedError(
                    "The account's request budget is used up", retry_after=timedelta(seconds=wait)
                )
            await asyncio.sleep(wait)
            slept += wait

    async def _try(self, channel_id: int, cost: float) -> float:
        try:
            answer = await cast(
                "Awaitable[str]",
                self._redis.eval(_ACQUIRE, 1, self._key(channel_id), repr(time.time()), repr(cost)),
            )
        except (RedisError, OSError) as error:
            # Without Redis the platform itself is the limit; it answers 429 and we obey that.
            log.warning("budget unknown", channel_id=channel_id, error=type(error).__name__)
            return 0.0
        return int(answer) / 1000

    async def learn(self, channel_id: int, observation: BudgetObservation) -> None:
        """Remember what an answer said."""
        now = time.time()
        known: dict[str, str] = {}
        if observation.available is not None:
            known |= {"available": repr(observation.available), "at": repr(now)}
        if observation.maximum is not None:
            known["maximum"] = repr(observation.maximum)
        if observation.restore_per_second is not None:
            known["restore"] = repr(observation.restore_per_second)
        if observation.blocked_for is not None:
            known["blocked"] = repr(now + observation.blocked_for.total_seconds())
        if not known:
            return
        key = self._key(channel_id)
        try:
            await cast("Awaitable[int]", self._redis.hset(key, mapping=known))
            await self._redis.expire(key, FORGET_AFTER)
        except (RedisError, OSError) as error:
            log.warning("budget not shared", channel_id=channel_id, error=type(error).__name__)

    async def state(self, channel_id: int) -> BudgetState:
        """What a person is shown (T12)."""
        try:
            known = await cast(
                "Awaitable[dict[str, str]]", self._redis.hgetall(self._key(channel_id))
            )
        except (RedisError, OSError):
            return BudgetState(None, None)
        blocked = float(known.get("blocked", "0"))
        available = known.get("available")
        return BudgetState(
            blocked_until=datetime.fromtimestamp(blocked, UTC) if blocked > time.time() else None,
            available=None if available is None else float(available),
        )

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()

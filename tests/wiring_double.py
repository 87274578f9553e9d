"""What tests hand to commands and runtime instead of the real wiring."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.contract import BudgetObservation, Exchange, Platform
from reconcile.core.types import Side, Value
from reconcile.deps import Deps, Recorder, Tuning


class ReversingCipher:
    """Makes credentials unreadable at a glance; no security whatever."""

    def encrypt(self, plain: Mapping[str, Value]) -> bytes:
        """JSON object → its bytes backwards."""
        return json.dumps(dict(plain)).encode()[::-1]

    def decrypt(self, token: bytes) -> dict[str, Any]:
        """The way back."""
        return json.loads(token[::-1])  # type: ignore[no-any-return]


@dataclass
class Bell:
    """A doorbell that remembers who rang."""

    rings: list[tuple[int, Side]] = field(default_factory=list)
    imports: list[int] = field(default_factory=list)

    async def ring(self, channel_id: int, side: Side) -> None:
        """Remember the ring."""
        self.rings.append((channel_id, side))

    async def ring_import(self, import_id: int) -> None:
        """Remember the ring."""
        self.imports.append(import_id)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by


@dataclass
class DirectTransport:
    """No network and no budget: the adapter of the double needs neither."""

    clock: Callable[[], datetime]
    recorder: Recorder | None
    http: Any = None

    def now(self) -> datetime:
        """The test's time."""
        return self.clock()

    async def acquire(self, cost: float) -> None:
        """There is no budget."""

    async def learn(self, observation: BudgetObservation) -> None:
        """Nothing to learn."""

    async def record(self, exchange: Exchange) -> None:
        """Hand on to the runtime's recorder where there is one."""
        if self.recorder is not None:
            await self.recorder(exchange)


def make_deps(
    engine: AsyncEngine,
    *platforms: Platform,
    clock: Callable[[], datetime] | None = None,
    bell: Bell | None = None,
    tuning: Tuning | None = None,
) -> Deps:
    """`Deps` around a real database with everything else replaced by the doubles above."""
    time = clock or Clock()

    def transport(channel_id: int, platform: Platform, record: Recorder | None) -> DirectTransport:
        return DirectTransport(time, record)

    return Deps(
        engine=engine,
        platforms={platform.name: platform for platform in platforms},
        cipher=ReversingCipher(),
        transport=transport,
        doorbell=bell or Bell(),
        clock=time,
        tuning=tuning or Tuning(),
    )

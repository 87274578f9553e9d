"""What an adapter needs from the outside, and what it tells about its requests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from reconcile.core.types import Value


class Transport(Protocol):
    """What an adapter needs from the outside, handed in by the wiring: HTTP, time, pacing."""

    @property
    def http(self) -> Any:
        """The `httpx.AsyncClient` to use; typed Any, as the contract stays free of httpx."""
        ...

    def now(self) -> datetime:
        """The current time, UTC."""
        ...

    async def acquire(self, cost: float) -> None:
        """Wait for, or raise `RateLimitedError` when far from, the account's request budget."""
        ...

    async def learn(self, observation: "BudgetObservation") -> None:
        """Tell the shared budget what an answer said about it."""
        ...

    async def record(self, exchange: "Exchange") -> None:
        """Keep a request that may have changed something for the log (A15), already redacted."""
        ...


@dataclass(frozen=True, slots=True)
class BudgetObservation:
    """What an answer said about the account's budget."""

    available: float | None = None
    maximum: float | None = None
    restore_per_second: float | None = None
    blocked_for: timedelta | None = None
    """429 or Retry-After: nothing leaves before."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a platform that changed, or may have changed, something."""

    at: datetime
    method: str
    url: str
    request: Value
    status: int | None
    response: Value
    seconds: float
    error: str = ""

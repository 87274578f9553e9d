"""What the runtime and the commands are given by the wiring: database, platforms, time, doorbell.

One frozen object instead of globals; `tallyport` builds it, tests build it with their own parts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.contract import CatalogLayout, Platform, Transport
from reconcile.core.types import Side, Value


class Cipher(Protocol):
    """Encrypts what must not be readable in the database."""

    def encrypt(self, plain: Mapping[str, Value]) -> bytes:
        """JSON object → token."""
        ...

    def decrypt(self, token: bytes) -> dict[str, Any]:
        """Token → JSON object; raises where the key is not ours."""
        ...


class Doorbell(Protocol):
    """Wakes a worker; losing a ring loses nothing, the sweep finds what is due."""

    async def ring(self, channel_id: int, side: Side) -> None:
        """Something is due on this channel and side."""
        ...

    async def ring_import(self, import_id: int) -> None:
        """A catalog file is complete and can be imported."""
        ...


class TransportFactory(Protocol):
    """Builds what an adapter of one channel reaches the outside through."""

    def __call__(self, channel_id: int, platform: Platform, record: "Recorder | None") -> Transport:
        """`channel_id` is 0 for a channel that is being connected and has no row yet."""
        ...


class Recorder(Protocol):
    """Keeps exchanges for the log (A15)."""

    async def __call__(self, exchange: Any) -> None:
        """Store one `contract.Exchange`."""
        ...


LEASE_MARGIN = timedelta(seconds=1)
"""A lease outlasts the longest request by at least this much."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times of the runtime; chaos tests run them short."""

    lease: timedelta = timedelta(seconds=90)
    """How long a lease lasts without renewal; a request leaves only with its own time-out left."""
    slice: timedelta = timedelta(seconds=15)
    """Longest stretch of work before everything is committed and the lease is renewed."""
    sweep: timedelta = timedelta(seconds=3)
    """How often due work is looked for."""
    settle: timedelta | None = None
    """Overrides the platforms' `settle_time` where set."""
    request_timeout: timedelta = timedelta(seconds=60)
    """Longest time one request to a platform may take; slow hosts need a minute for a batch."""
    account_check: timedelta = timedelta(seconds=60)
    """A successful account check younger than this is not repeated before a run."""
    retry_base: timedelta = timedelta(seconds=2)
    """First back-off of a transient failure; doubles, with jitter, up to `retry_cap`."""
    retry_cap: timedelta = timedelta(minutes=15)
    chunk: int = 500
    """Listings planned at once; bounds memory."""
    verify_limit: int = 500
    """Absent objects read by id in one run; the others stay unproved until the next."""

    def __post_init__(self) -> None:
        if self.lease < self.request_timeout + LEASE_MARGIN:
            raise ValueError(
                f"the lease ({self.lease}) has to outlast a request ({self.request_timeout}) "
                f"by {LEASE_MARGIN}"
            )


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything with an outside, handed in."""

    engine: AsyncEngine
    platforms: Mapping[str, Platform]
    cipher: Cipher
    transport: TransportFactory
    doorbell: Doorbell
    layouts: Sequence[CatalogLayout] = ()
    """Product-CSV layouts that catalog files may have, besides our own."""
    clock: Callable[[], datetime] = _utc_now
    tuning: Tuning = field(default_factory=Tuning)

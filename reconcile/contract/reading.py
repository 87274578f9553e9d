"""What an adapter reads: the account, pages of products, objects by id."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from reconcile.core.types import RemoteListing, Value


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """Who the credentials speak for; compared before every run."""

    account_id: str
    """Stable id of the account or store; never changes for the same store."""
    name: str
    currency: str
    """ISO 4217 code in which the channel's prices are."""
    scopes: frozenset[str] = frozenset()
    """What the credentials may do, in the platform's words (`read`, `write`)."""
    version: str = ""
    features: frozenset[str] = frozenset()
    """What was detected on this very store (`global_unique_id`, `brands`)."""


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A part of a walk through all products; `cursor` is where to go on after it is stored."""

    rows: tuple[RemoteListing, ...]
    cursor: Mapping[str, Value]
    """JSON that, given back to `listings`, continues after this page."""
    is_last: bool
    total: int | None
    """Number of products (not variants) the platform last stated; None where it states none."""
    observed_at: datetime
    """When the request for this page was sent, UTC."""
    wait: timedelta | None = None
    """Ask for the next page no sooner than this (asynchronous jobs)."""
    rejected: tuple[str, ...] = ()
    """Ids of products that could not be understood; they count as seen but hold no value."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A read by id said that the object is not there."""

    reason: str
    """`Deleted` or `InTrash`."""
    message: str


ReadResult: TypeAlias = RemoteListing | Gone

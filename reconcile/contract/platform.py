"""The record of a platform: what the rest of the product knows without speaking to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconcile.contract.adapter import Adapter
from reconcile.contract.catalogs import CatalogLayout
from reconcile.contract.orders import OrderSupport
from reconcile.contract.reading import AccountInfo
from reconcile.contract.settings import Settings
from reconcile.contract.transport import Transport
from reconcile.core.actions import ActionKind
from reconcile.core.mapping import ChannelField, Template
from reconcile.core.types import Operation, Presence, Value


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier of one side that listings can be linked by."""

    name: str
    """On our side an `OurField` value; on theirs a key of `RemoteVariant.identifiers`."""
    title: str


@dataclass(frozen=True, slots=True)
class ActionSupport:
    """That a platform supports an action, and in what portions."""

    batch_size: int = 1
    """Most actions one request can carry."""


@dataclass(frozen=True, slots=True)
class PresenceForm:
    """How one presence is written and read on a platform."""

    is_readable: bool
    """The platform itself says so; otherwise `Variant.kept` with `unsellable` stands for it."""
    overwrites: frozenset[str] = frozenset()
    """Fields of group SYNC that it overwrites; they are not synchronized meanwhile."""
    write_group: str = "content"
    explanation: str = ""
    """What it means on this platform, for documentation and previews."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything the rest of the product knows of a platform without speaking to it."""

    name: str
    """Lower case, the folder's name: `woocommerce`."""
    title: str
    credentials: type[Settings]
    settings: type[Settings]
    """Settings of the channel as a whole."""
    operations: Mapping[Operation, type[Settings]]
    """Supported operations with the settings each has."""
    unsupported_operations: Mapping[Operation, str]
    """The others, with the reason and what to do instead."""
    actions: Mapping[ActionKind, ActionSupport]
    unsupported_actions: Mapping[ActionKind, str]
    our_identifiers: tuple[Identifier, ...]
    their_identifiers: tuple[Identifier, ...]
    linking_pairs: frozenset[tuple[str, str]]
    """Allowed (ours, theirs)."""
    fields: tuple[ChannelField, ...]
    templates: Mapping[Operation, Template]
    """Default mapping templates."""
    presence: Mapping[Presence, PresenceForm]
    canonical: Callable[[str, Value], Value]
    """(channel field, value) → canonical value; pure, idempotent; ValueError says what is wrong."""
    key: Callable[[str, str], str | None]
    """(identifier of ours or theirs, value) → canonical key, None where there is none."""
    settle_time: timedelta
    """After this a request that may still be at work there has ended."""
    connect: Callable[[Settings, Settings, AccountInfo | None, Transport], Adapter]
    """(credentials, channel settings, account as last checked, transport) → adapter."""
    base_url: Callable[[Settings], str]
    """Where requests of these credentials go; ValueError says what is wrong with the address."""
    manual_only: frozenset[Operation] = frozenset()
    """Operations that cannot be scheduled (feature W8)."""
    max_in_flight: int = 1
    orders: OrderSupport | None = None
    """How orders are filtered, mapped and closed; None where GET_ORDERS is unsupported."""
    catalog: CatalogLayout | None = None
    sandbox: Callable[..., Any] | None = None
    """Creates this platform's simulator (see `adapters.sandbox`); takes `image_hosts`, a frozenset
    of hosts whose pictures the simulated store can fetch, and whatever else is its own."""

    def channel_field(self, name: str) -> ChannelField | None:
        """The channel field of that name."""
        return next((item for item in self.fields if item.name == name), None)

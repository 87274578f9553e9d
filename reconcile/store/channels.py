"""Channels and their operations as the runtime and the commands read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, get_args, get_type_hints

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import AccountInfo, Adapter, Platform, Settings
from reconcile.core.types import LinkState, Operation, WritePolicy
from reconcile.deps import Deps, Recorder
from reconcile.store.page import Page, one_of, read_page, read_rows
from reconcile.store.tables import channels, listing_variants, operations


@dataclass(frozen=True, slots=True)
class Channel:
    """One connected account; credentials stay encrypted until an adapter is opened."""

    id: int
    name: str
    platform: Platform
    settings: Settings
    account: AccountInfo
    policy: WritePolicy
    is_paused: bool
    pause_reason: str | None
    pause_message: str | None
    our_identifier: str
    their_identifier: str
    buffer: int
    cap: int | None
    guard: Mapping[str, Any]
    retention_days: int | None
    """After so many days personal data of finished orders is erased; None: never."""
    mirror_complete_at: datetime | None
    account_checked_at: datetime | None
    revision: int
    removed_at: datetime | None
    secret: bytes
    """Encrypted credentials."""


@dataclass(frozen=True, slots=True)
class ChannelOperation:
    """Settings, template and schedule of one operation of one channel."""

    channel_id: int
    operation: Operation
    is_enabled: bool
    is_paused: bool
    settings: Settings
    template: Mapping[str, Any] | None
    """Stored form; None means the platform's default."""
    interval_seconds: int | None
    cron: str | None
    schedule_full: bool
    next_due_at: datetime | None
    last_finished_at: datetime | None
    cursor: Mapping[str, Any] | None = None
    """GET_ORDERS: up to when orders were seen, and how far back; None before the first poll."""


SettingsType = TypeVar("SettingsType", bound=Settings)


def settings_from(kind: type[SettingsType], stored: Mapping[str, Any]) -> SettingsType:
    """A settings dataclass from its stored JSON; names it no longer has are dropped."""
    hints = get_type_hints(kind)
    known = {item.name for item in fields(kind)}
    values = {name: value for name, value in stored.items() if name in known}
    for name, value in values.items():
        if isinstance(value, str) and Decimal in (hints[name], *get_args(hints[name])):
            values[name] = Decimal(value)
    return kind(**values)


def account_to_json(account: AccountInfo) -> dict[str, Any]:
    """The part of an account that is stored as JSON."""
    return {
        "name": account.name,
        "scopes": sorted(account.scopes),
        "version": account.version,
        "features": sorted(account.features),
    }


def _channel(row: RowMapping, platforms: Mapping[str, Platform]) -> Channel:
    platform = platforms[row["platform"]]
    account = row["account"]
    return Channel(
        id=row["id"],
        name=row["name"],
        platform=platform,
        settings=settings_from(platform.settings, row["settings"]),
        account=AccountInfo(
            account_id=row["account_id"],
            name=account.get("name", ""),
            currency=row["currency"],
            scopes=frozenset(account.get("scopes", ())),
            version=account.get("version", ""),
            features=frozenset(account.get("features", ())),
        ),
        policy=WritePolicy(row["policy"]),
        is_paused=row["paused"],
        pause_reason=row["pause_reason"],
        pause_message=row["pause_message"],
        our_identifier=row["our_identifier"],
        their_identifier=row["their_identifier"],
        buffer=row["buffer"],
        cap=row["cap"],
        guard=row["guard"],
        retention_days=row["retention_days"],
        mirror_complete_at=row["mirror_complete_at"],
        account_checked_at=row["account_checked_at"],
        revision=row["revision"],
        removed_at=row["removed_at"],
        secret=row["credentials"],
    )


async def load_channel(conn: AsyncConnection, deps: Deps, channel_id: int) -> Channel | None:
    """The channel of that id, removed ones included; None where there never was one."""
    result = await conn.execute(select(channels).where(channels.c.id == channel_id))
    row = result.mappings().one_or_none()
    return None if row is None else _channel(row, deps.platforms)


def _operation(row: RowMapping, platform: Platform) -> ChannelOperation:
    operation = Operation(row["operation"])
    return ChannelOperation(
        channel_id=row["channel_id"],
        operation=operation,
        is_enabled=row["enabled"],
        is_paused=row["paused"],
        settings=settings_from(platform.operations[operation], row["settings"]),
        template=row["template"],
        interval_seconds=row["interval_seconds"],
        cron=row["cron"],
        schedule_full=row["schedule_full"],
        next_due_at=row["next_due_at"],
        last_finished_at=row["last_finished_at"],
        cursor=row["cursor"],
    )


async def load_operations(
    conn: AsyncConnection, channel: Channel
) -> Mapping[Operation, ChannelOperation]:
    """The operations of a channel that its platform supports."""
    result = await conn.execute(select(operations).where(operations.c.channel_id == channel.id))
    return {
        Operation(row["operation"]): _operation(row, channel.platform)
        for row in result.mappings()
        if Operation(row["operation"]) in channel.platform.operations
    }


def open_adapter(deps: Deps, channel: Channel, record: Recorder | None = None) -> Adapter:
    """An adapter that speaks to the channel's account; close it with `aclose`."""
    credentials = settings_from(channel.platform.credentials, deps.cipher.decrypt(channel.secret))
    return channel.platform.connect(
        credentials,
        channel.settings,
        channel.account,
        deps.transport(channel.id, channel.platform, record),
    )


@dataclass(frozen=True, slots=True)
class ChannelFilter:
    """Which channels; None does not restrict."""

    platform: str | None = None
    name: str | None = None
    include_removed: bool = False


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """How many variants of a channel are in each link state."""

    linked: int = 0
    unlinked: int = 0
    ambiguous: int = 0
    broken: int = 0


async def list_channels(
    conn: AsyncConnection, deps: Deps, where: ChannelFilter, after: int | None, limit: int
) -> Page[Channel]:
    """Channels in the order they were connected."""
    # A channel of a platform that this installation does not have cannot be shown.
    statement = select(channels).where(channels.c.platform.in_(deps.platforms))
    if where.platform is not None:
        statement = statement.where(channels.c.platform == where.platform)
    if where.name is not None:
        statement = statement.where(channels.c.name == where.name)
    if not where.include_removed:
        statement = statement.where(channels.c.removed_at.is_(None))
    return await read_page(
        conn, statement, channels.c.id, after, limit, lambda row: _channel(row, deps.platforms)
    )


async def channels_by_ids(
    conn: AsyncConnection, deps: Deps, ids: Sequence[int]
) -> dict[int, Channel]:
    """The channels of these ids, removed ones included."""
    statement = select(channels).where(
        one_of(channels.c.id, ids), channels.c.platform.in_(deps.platforms)
    )
    rows = await read_rows(conn, statement, lambda row: _channel(row, deps.platforms))
    return {row.id: row for row in rows}


async def channel_by_name(conn: AsyncConnection, deps: Deps, name: str) -> Channel | None:
    """The channel of that name that is not removed."""
    page = await list_channels(conn, deps, ChannelFilter(name=name), None, 1)
    return page.rows[0] if page.rows else None


async def operations_by_channel(
    conn: AsyncConnection, deps: Deps, channel_ids: Sequence[int]
) -> dict[int, tuple[ChannelOperation, ...]]:
    """The supported operations of many channels, in the order of `Operation`."""
    statement = (
        select(operations, channels.c.platform)
        .join(channels, channels.c.id == operations.c.channel_id)
        .where(one_of(operations.c.channel_id, channel_ids))
    )
    order = list(Operation)
    found: dict[int, list[ChannelOperation]] = {}
    for row in (await conn.execute(statement)).mappings():
        platform = deps.platforms.get(row["platform"])
        if platform is not None and Operation(row["operation"]) in platform.operations:
            found.setdefault(row["channel_id"], []).append(_operation(row, platform))
    return {
        channel_id: tuple(sorted(rows, key=lambda row: order.index(row.operation)))
        for channel_id, rows in found.items()
    }


async def link_counts(conn: AsyncConnection, channel_ids: Sequence[int]) -> dict[int, LinkCounts]:
    """How many variants of many channels are in each link state."""
    of_state = {
        state.value.lower(): func.count().filter(listing_variants.c.link_state == state)
        for state in LinkState
    }
    statement = (
        select(
            listing_variants.c.channel_id,
            *(count.label(name) for name, count in of_state.items()),
        )
        .where(one_of(listing_variants.c.channel_id, channel_ids))
        .group_by(listing_variants.c.channel_id)
    )
    return {
        row["channel_id"]: LinkCounts(**{name: row[name] for name in of_state})
        for row in (await conn.execute(statement)).mappings()
    }

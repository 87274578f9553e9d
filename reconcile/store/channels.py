"""Channels and their operations as the runtime and the commands read them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import AccountInfo, Adapter, Platform, Settings
from reconcile.core.types import Operation, WritePolicy
from reconcile.deps import Deps, Recorder
from reconcile.store.tables import channels, operations


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


SettingsType = TypeVar("SettingsType", bound=Settings)


def settings_from(kind: type[SettingsType], stored: Mapping[str, Any]) -> SettingsType:
    """A settings dataclass from its stored JSON; names it no longer has are dropped."""
    known = {item.name for item in fields(kind)}
    return kind(**{name: value for name, value in stored.items() if name in known})


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

"""Finds what a command is about, or refuses with NOT_FOUND; what is changed is locked."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import refuse
from reconcile.contract import Platform
from reconcile.core.types import Operation
from reconcile.deps import Deps
from reconcile.store.channels import Channel, load_channel, load_operations
from reconcile.store.tables import channels


async def channel_of(
    conn: AsyncConnection, deps: Deps, channel_id: int, *, lock: bool = False
) -> Channel:
    """The channel, unless it was removed; with `lock` nobody else changes it meanwhile."""
    if lock:
        # Not the key: rows that refer to the channel are written meanwhile, by transactions that
        # may hold what this one will wait for.
        await conn.execute(
            select(channels.c.id).where(channels.c.id == channel_id).with_for_update(key_share=True)
        )
    channel = await load_channel(conn, deps, channel_id)
    if channel is None or channel.removed_at is not None:
        raise refuse("NOT_FOUND", "There is no such channel.", "channel_id")
    return channel


def require_operation(platform: Platform, operation: Operation) -> None:
    """Refuse what the platform does not support before anything is stored or queued."""
    if operation not in platform.operations:
        reason = platform.unsupported_operations.get(operation, "")
        message = f"{platform.title} does not support {operation}. {reason}".strip()
        raise refuse("UNSUPPORTED", message, "operation")


async def refuse_stopped(conn: AsyncConnection, channel: Channel, operation: Operation) -> None:
    """Refuse to queue what would not start: the channel or the operation is paused, or off."""
    if channel.is_paused:
        why = channel.pause_message or "a person paused it"
        message = f"Channel {channel.name} is paused: {why}. Resume it first."
        raise refuse("PAUSED", message, "channel_id")
    settings = (await load_operations(conn, channel))[operation]
    if not settings.is_enabled:
        message = f"{operation} is not enabled on channel {channel.name}; enable it first."
        raise refuse("DISABLED", message, "operation")
    if settings.is_paused:
        message = f"{operation} is paused on channel {channel.name}; unpause it first."
        raise refuse("PAUSED", message, "operation")

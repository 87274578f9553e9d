"""Reconnect and check: what a person does about the credentials of a channel."""

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.accounts import ask, refusal
from reconcile.commands.errors import CommandError, refuse
from reconcile.commands.lookups import channel_of
from reconcile.commands.settings import checked_settings
from reconcile.contract import AccountInfo, AdapterError, UnauthorizedError, setting_specs
from reconcile.core.types import Side, Value
from reconcile.deps import Deps
from reconcile.store.channel_state import clear, pause_channel
from reconcile.store.channels import Channel, account_to_json
from reconcile.store.tables import channels

_log = structlog.get_logger(__name__)

ACCOUNT = "Account"
"""Type of the channel condition that says what is wrong with the account."""


def account_values(deps: Deps, account: AccountInfo) -> dict[str, Any]:
    """The columns that hold who the credentials speak for."""
    return {
        "account_id": account.account_id,
        "currency": account.currency,
        "account": account_to_json(account),
        "account_checked_at": deps.clock(),
    }


async def reconnect(
    deps: Deps, channel_id: int, credentials: Mapping[str, Value], *, by: str
) -> None:
    """Replace the credentials by others of the same account; links, mappings, history stay."""
    async with deps.engine.connect() as conn:
        channel = await channel_of(conn, deps, channel_id)
    # All of them anew: earlier secrets are never sent to an address that was just typed in.
    checked = checked_settings(channel.platform.credentials, credentials, ("credentials",))
    try:
        account = await ask(
            deps, channel.platform, checked, _stored(channel), channel_id=channel_id
        )
    except AdapterError as error:
        raise refusal(channel.platform, error) from None
    if account.account_id != channel.account.account_id:
        message = (
            f"These credentials open another account ({account.name or account.account_id}) than "
            f"the one channel {channel.name} stands for; connect it as a channel of its own."
        )
        raise refuse("OTHER_ACCOUNT", message, "credentials")
    async with deps.engine.begin() as conn:
        await channel_of(conn, deps, channel_id, lock=True)
        await conn.execute(
            update(channels)
            .where(channels.c.id == channel_id)
            .values(credentials=deps.cipher.encrypt(checked))
        )
        await _accept(conn, deps, channel, account)
    _log.info("channel_reconnected", channel_id=channel_id, by=by)
    await ring_both(deps, channel_id)


def _stored(channel: Channel) -> dict[str, Any]:
    names = [spec.name for spec in setting_specs(channel.platform.settings)]
    return {name: getattr(channel.settings, name) for name in names}


async def _accept(
    conn: AsyncConnection, deps: Deps, channel: Channel, account: AccountInfo
) -> None:
    """The account answered and is the right one; a currency that changed stops the channel."""
    if account.currency != channel.account.currency:
        message = (
            f"The account's currency changed from {channel.account.currency} to "
            f"{account.currency}; prices in the old one would be wrong. Set it back, or remove "
            "the channel and connect it anew."
        )
        await pause_channel(conn, channel.id, "OtherCurrency", message)
        return
    await conn.execute(
        update(channels).where(channels.c.id == channel.id).values(account_values(deps, account))
    )
    if channel.is_paused and channel.pause_reason is not None:
        await unpause(conn, channel.id)
    await clear(conn, channel.id, ACCOUNT)


async def unpause(conn: AsyncConnection, channel_id: int) -> None:
    """Lift a pause, whoever set it."""
    await conn.execute(
        update(channels)
        .where(channels.c.id == channel_id)
        .values(paused=False, pause_reason=None, pause_message=None)
    )


async def check(deps: Deps, channel_id: int, *, by: str) -> AccountInfo:
    """Ask the platform who we are there and keep the answer; a refusal pauses the channel."""
    async with deps.engine.connect() as conn:
        channel = await channel_of(conn, deps, channel_id)
    credentials = deps.cipher.decrypt(channel.secret)
    try:
        account = await ask(
            deps,
            channel.platform,
            credentials,
            _stored(channel),
            channel_id=channel_id,
            account=channel.account,
        )
    except UnauthorizedError as error:
        async with deps.engine.begin() as conn:
            await pause_channel(conn, channel_id, "Unauthorized", error.message)
        raise refusal(channel.platform, error) from None
    except AdapterError as error:
        raise refusal(channel.platform, error) from None
    problem: CommandError | None = None
    async with deps.engine.begin() as conn:
        await channel_of(conn, deps, channel_id, lock=True)
        if account.account_id != channel.account.account_id:
            message = (
                f"The credentials now open another account ({account.name or account.account_id}); "
                "reconnect with credentials of the account this channel stands for."
            )
            await pause_channel(conn, channel_id, "OtherAccount", message)
            problem = refuse("OTHER_ACCOUNT", message)
        else:
            await _accept(conn, deps, channel, account)
    if problem is not None:
        raise problem
    _log.info("channel_checked", channel_id=channel_id, by=by)
    await ring_both(deps, channel_id)
    return account


async def ring_both(deps: Deps, channel_id: int) -> None:
    """Something may be due on either side of the channel."""
    for side in Side:
        await deps.doorbell.ring(channel_id, side)

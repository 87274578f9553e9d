"""Who answers: the store a channel was connected to, or another one at its address.

Compared before a run reads, before its rows are sent, and before anything counts as gone. What
differs pauses the channel and cannot be approved away.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import AccountInfo, Adapter
from reconcile.deps import Deps
from reconcile.store.channel_state import clear, pause_channel
from reconcile.store.channels import Channel, account_to_json


class Asking(Protocol):
    """What is about to read from a channel's platform, or to write to it."""

    deps: Deps
    channel: Channel
    adapter: Adapter
    checked_at: datetime | None
    """When it last asked whose account it is."""

    def fenced(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that commits only while the lease is ours."""
        ...


class AccountChangedError(Exception):
    """The credentials speak for another account, or its currency changed; nothing may go on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def check(work: Asking, *, asked_since: datetime | None = None) -> None:
    """Make sure that it is still the channel's account, unless that was just asked.

    With `asked_since` only an answer younger than that counts. Another account pauses the channel
    and raises.
    """
    deps, channel = work.deps, work.channel
    now = deps.clock()
    last = work.checked_at or channel.account_checked_at
    # A check of the future says that a clock was set back, and nothing of the account.
    is_young = last is not None and timedelta() <= now - last < deps.tuning.account_check
    if is_young and (asked_since is None or (last is not None and last >= asked_since)):
        return
    account = await work.adapter.check()
    difference = _difference(channel.account, account)
    async with work.fenced() as conn:
        if difference is not None:
            await pause_channel(conn, channel.id, *difference)
        else:
            await conn.execute(
                text("""
UPDATE channels SET account_checked_at = :now,
    account = account || jsonb_build_object('name', CAST(:name AS text),
                                            'version', CAST(:version AS text))
WHERE id = :id
"""),
                {
                    "now": now,
                    "id": channel.id,
                    "name": account_to_json(account)["name"],
                    "version": account.version,
                },
            )
            await clear(conn, channel.id, "Account")
    if difference is not None:
        raise AccountChangedError(*difference)
    work.checked_at = now


def _difference(before: AccountInfo, now: AccountInfo) -> tuple[str, str] | None:
    if now.account_id != before.account_id:
        return (
            "OtherAccount",
            (
                f"The address and keys now lead to another store ({now.name}) than the one this "
                "channel was connected to. Nothing is read or written; connect that store as a "
                "channel of its own, or point this one back"
            ),
        )
    if now.currency != before.currency:
        return (
            "CurrencyChanged",
            (
                f"The store's currency changed from {before.currency} to {now.currency}. Nothing "
                "is converted; change it back, or connect the store as a new channel"
            ),
        )
    return None

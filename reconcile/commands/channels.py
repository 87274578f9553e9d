"""Connect, edit, reconnect, check, pause, resume and remove channels.

Credentials are checked against the account before anything is saved, and never leave this module
but encrypted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.accounts import ask, refusal
from reconcile.commands.changes import UNSET, Unset
from reconcile.commands.channel_inputs import (
    default_pair,
    guard_from,
    name_problems,
    number_problems,
    pair_problems,
    retention_problems,
)
from reconcile.commands.credentials import (
    ACCOUNT,
    account_values,
    check,
    reconnect,
    ring_both,
    unpause,
)
from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.commands.lookups import channel_of
from reconcile.commands.settings import checked_settings
from reconcile.contract import (
    AccountInfo,
    AdapterError,
    Platform,
)
from reconcile.core.types import Side, Value, WritePolicy
from reconcile.deps import Deps
from reconcile.store.channel_state import clear
from reconcile.store.channels import Channel
from reconcile.store.deductions import release_channel
from reconcile.store.order_marks import decide_unacknowledged, plan_unsent
from reconcile.store.rekeying import rekey
from reconcile.store.staleness import mark_channel_stale, mark_undecided_dirty
from reconcile.store.tables import channels, operations

__all__ = [
    "ChannelEdit",
    "NewChannel",
    "check",
    "connect",
    "edit",
    "pause",
    "reconnect",
    "remove",
    "resume",
]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What a channel is connected with."""

    name: str
    platform: str
    credentials: Mapping[str, Value] = field(repr=False)
    settings: Mapping[str, Value] = field(default_factory=dict)
    our_identifier: str | None = None
    their_identifier: str | None = None
    policy: WritePolicy = WritePolicy.FULL
    buffer: int = 0
    cap: int | None = None
    guard: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChannelEdit:
    """What is to change; UNSET stays as it is."""

    name: str | Unset = UNSET
    settings: Mapping[str, Value] | Unset = UNSET
    """Only the stated names change."""
    buffer: int | Unset = UNSET
    cap: int | Unset | None = UNSET
    policy: WritePolicy | Unset = UNSET
    our_identifier: str | Unset = UNSET
    their_identifier: str | Unset = UNSET
    guard: Mapping[str, Value] | Unset = UNSET
    """Only the stated limits change; None takes one back to its default."""
    retention_days: int | Unset | None = UNSET
    """30, 60 or 90: personal data of orders is erased after so many days; None: it is kept."""


def _checked(
    problems: list[Problem],
    kind: Any,
    given: Mapping[str, Value],
    path: str,
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Value]:
    """Checked settings; what is wrong joins the other problems so that all are told at once."""
    try:
        return checked_settings(kind, given, (path,), earlier=earlier)
    except CommandError as error:
        problems.extend(error.problems)
        return {}


def _checked_guard(
    problems: list[Problem], given: Mapping[str, Value], earlier: Mapping[str, Any]
) -> dict[str, Value]:
    try:
        return guard_from(given, earlier)
    except CommandError as error:
        problems.extend(error.problems)
        return {}


async def connect(deps: Deps, new: NewChannel, *, by: str) -> int:
    """Check the account and save the channel; its id."""
    platform = deps.platforms.get(new.platform)
    if platform is None:
        known = ", ".join(sorted(deps.platforms))
        raise refuse("INVALID", f"There is no platform {new.platform}; known: {known}.", "platform")
    problems = [*name_problems(new.name), *number_problems(new.buffer, new.cap)]
    credentials = _checked(problems, platform.credentials, new.credentials, "credentials")
    settings = _checked(problems, platform.settings, new.settings, "settings")
    ours, theirs = default_pair(platform, new.our_identifier, new.their_identifier)
    problems += pair_problems(platform, ours, theirs)
    guard = _checked_guard(problems, new.guard, {})
    async with deps.engine.connect() as conn:
        if await _is_name_taken(conn, new.name):
            problems.append(_name_taken(new.name))
    if problems:
        raise CommandError(*problems)
    try:
        account = await ask(deps, platform, credentials, settings)
    except AdapterError as error:
        raise refusal(platform, error) from None
    values = {
        "name": new.name,
        "platform": platform.name,
        "credentials": deps.cipher.encrypt(credentials),
        "settings": settings,
        "our_identifier": ours,
        "their_identifier": theirs,
        "policy": new.policy,
        "buffer": new.buffer,
        "cap": new.cap,
        "guard": guard,
        **account_values(deps, account),
    }
    try:
        async with deps.engine.begin() as conn:
            await _refuse_same_account(conn, platform, account)
            result = await conn.execute(insert(channels).values(values).returning(channels.c.id))
            channel_id: int = result.scalar_one()
            await conn.execute(
                insert(operations),
                [
                    {"channel_id": channel_id, "operation": operation}
                    for operation in platform.operations
                ],
            )
    except IntegrityError:
        raise CommandError(_name_taken(new.name)) from None
    _log.info("channel_connected", channel_id=channel_id, platform=platform.name, by=by)
    return channel_id


def _name_taken(name: str) -> Problem:
    return Problem("CONFLICT", f"There is a channel named {name} already.", ("name",))


async def _is_name_taken(conn: AsyncConnection, name: str, besides: int = 0) -> bool:
    statement = select(channels.c.id).where(
        channels.c.name == name, channels.c.removed_at.is_(None), channels.c.id != besides
    )
    return (await conn.execute(statement)).first() is not None


async def _refuse_same_account(
    conn: AsyncConnection, platform: Platform, account: AccountInfo
) -> None:
    # Two who connect the same account at once wait for each other here.
    await conn.execute(
        text("SELECT pg_advisory_xact_lock(hashtext(:account))"),
        {"account": f"{platform.name}:{account.account_id}"},
    )
    statement = select(channels.c.name).where(
        channels.c.platform == platform.name,
        channels.c.account_id == account.account_id,
        channels.c.removed_at.is_(None),
    )
    name = (await conn.execute(statement)).scalar_one_or_none()
    if name is not None:
        message = f"This {platform.title} account is connected already, as channel {name}."
        raise refuse("CONFLICT", message, "credentials")


async def edit(deps: Deps, channel_id: int, edit: ChannelEdit, *, by: str) -> None:
    """Change what is not UNSET; what is wanted is worked out again where that follows."""
    async with deps.engine.begin() as conn:
        channel = await channel_of(conn, deps, channel_id, lock=True)
        row = (
            (await conn.execute(select(channels).where(channels.c.id == channel_id)))
            .mappings()
            .one()
        )
        values = await _edited(conn, channel, row["settings"], edit)
        changed = {name: value for name, value in values.items() if value != row[name]}
        if not changed:
            return
        # Neither changes what a plan was made from.
        if changed.keys() - {"name", "retention_days"}:
            changed["revision"] = channels.c.revision + 1
        await conn.execute(update(channels).where(channels.c.id == channel_id).values(changed))
        if {"our_identifier", "their_identifier"} & changed.keys():
            await rekey(conn, channel, values["our_identifier"], values["their_identifier"])
        if {"buffer", "cap"} & changed.keys():
            await mark_channel_stale(conn, channel_id, "ChannelEdited")
        elif changed.keys() & {"settings", "policy", "our_identifier", "their_identifier"}:
            await mark_undecided_dirty(conn, channel_id, "ChannelEdited")
        if changed.keys() & {"settings", "policy"}:
            await plan_unsent(conn, channel_id)
            await decide_unacknowledged(conn, channel_id)
    _log.info("channel_edited", channel_id=channel_id, changed=sorted(changed), by=by)
    await deps.doorbell.ring(channel_id, Side.LISTINGS)


async def _edited(
    conn: AsyncConnection, channel: Channel, settings: Mapping[str, Any], edit: ChannelEdit
) -> dict[str, Any]:
    problems: list[Problem] = []
    values: dict[str, Any] = {
        name: value
        for name in ("name", "buffer", "cap", "policy", "retention_days")
        if (value := getattr(edit, name)) is not UNSET
    }
    if edit.name is not UNSET:
        problems += name_problems(edit.name)
        if await _is_name_taken(conn, edit.name, besides=channel.id):
            problems.append(_name_taken(edit.name))
    problems += number_problems(values.get("buffer"), values.get("cap"))
    problems += retention_problems(values.get("retention_days"))
    if edit.settings is not UNSET:
        kind = channel.platform.settings
        values["settings"] = _checked(problems, kind, edit.settings, "settings", settings)
    if edit.guard is not UNSET:
        values["guard"] = _checked_guard(problems, edit.guard, channel.guard)
    if edit.our_identifier is not UNSET or edit.their_identifier is not UNSET:
        ours = channel.our_identifier if edit.our_identifier is UNSET else edit.our_identifier
        theirs = (
            channel.their_identifier if edit.their_identifier is UNSET else edit.their_identifier
        )
        problems += pair_problems(channel.platform, ours, theirs)
        values |= {"our_identifier": ours, "their_identifier": theirs}
    if problems:
        raise CommandError(*problems)
    return values


async def pause(deps: Deps, channel_id: int, *, by: str) -> None:
    """Nothing leaves for the channel, and no run starts, until it is resumed."""
    async with deps.engine.begin() as conn:
        channel = await channel_of(conn, deps, channel_id, lock=True)
        if channel.is_paused and channel.pause_reason is None:
            raise refuse("WRONG_STATE", f"Channel {channel.name} is paused already.")
        await conn.execute(
            update(channels)
            .where(channels.c.id == channel_id)
            .values(paused=True, pause_reason=None, pause_message=f"Paused by {by}")
        )


async def resume(deps: Deps, channel_id: int, *, by: str) -> None:
    """Go on; the account is checked again before anything else happens."""
    async with deps.engine.begin() as conn:
        channel = await channel_of(conn, deps, channel_id, lock=True)
        if not channel.is_paused:
            raise refuse("WRONG_STATE", f"Channel {channel.name} is not paused.")
        await unpause(conn, channel_id)
        await conn.execute(
            update(channels).where(channels.c.id == channel_id).values(account_checked_at=None)
        )
        await clear(conn, channel_id, ACCOUNT)
    _log.info("channel_resumed", channel_id=channel_id, by=by)
    await ring_both(deps, channel_id)


async def remove(deps: Deps, channel_id: int, *, by: str) -> None:
    """Forget the credentials and stop everything; history stays, the store is left as it is."""
    async with deps.engine.begin() as conn:
        # Leases before channels, as the runtime does: neither waits for the other in a circle.
        await conn.execute(text(_TAKE_AWAY), {"id": channel_id})
        await channel_of(conn, deps, channel_id, lock=True)
        now = deps.clock()
        await conn.execute(
            update(channels)
            .where(channels.c.id == channel_id)
            .values(removed_at=now, credentials=deps.cipher.encrypt({}))
        )
        for statement in _REMOVALS:
            await conn.execute(text(statement), {"id": channel_id, "by": by})
        # The last thing that locks: what its orders held back is for sale on the other channels.
        released = await release_channel(conn, channel_id)
    _log.info("channel_removed", channel_id=channel_id, by=by)
    for other in released.channel_ids:
        await deps.doorbell.ring(other, Side.LISTINGS)


# Whoever works on the channel loses the lease, and with it the right to send anything more.
_TAKE_AWAY = """
UPDATE leases SET epoch = epoch + 1, holder = NULL, expires_at = NULL WHERE channel_id = :id
"""
_REMOVALS: Sequence[str] = (
    """UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = 'ChannelRemoved',
           outcome_message = 'The channel was removed by ' || :by
       WHERE channel_id = :id AND state IN ('PLANNED', 'REFUSED', 'DUE', 'RETRYING')""",
    """UPDATE runs SET state = 'CANCELED', result = 'CANCELED', finished_at = now(),
           error_code = 'ChannelRemoved', error_message = 'The channel was removed by ' || :by
       WHERE channel_id = :id AND finished_at IS NULL""",
    "UPDATE operations SET next_due_at = NULL WHERE channel_id = :id",
    "DELETE FROM dirty WHERE channel_id = :id",
    """UPDATE imports SET state = 'CANCELED', finished_at = now() WHERE channel_id = :id
       AND state IN ('RECEIVING', 'QUEUED', 'IMPORTING')""",
    """DELETE FROM import_chunks c USING imports i
       WHERE i.id = c.import_id AND i.channel_id = :id""",
    "DELETE FROM conditions WHERE channel_id = :id",
)

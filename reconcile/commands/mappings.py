"""Set and remove shipping mappings; orders that were held for one import by themselves.

A mapping compares the exact text of the channel; the empty text can be mapped too.
"""

import structlog
from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.commands.lookups import channel_of, require_operation
from reconcile.commands.order_changes import queue_change, ring
from reconcile.core.types import Operation
from reconcile.deps import Deps
from reconcile.store.order_marks import decide_with_text
from reconcile.store.order_tables import shipping_mappings

_log = structlog.get_logger(__name__)

LONGEST_TEXT = 500
LONGEST_POLICY = 200

_SET = """
INSERT INTO shipping_mappings AS m (channel_id, text, policy, updated_by, updated_at)
VALUES (:channel_id, :text, :policy, :by, :now)
ON CONFLICT (channel_id, text) DO UPDATE SET policy = excluded.policy,
    updated_by = excluded.updated_by, updated_at = excluded.updated_at
WHERE m.policy <> excluded.policy
RETURNING id
"""


def _checked(shipping_text: str, policy: str) -> str:
    """The policy to store, unless one of the two can never be right."""
    problems = []
    if "\x00" in shipping_text or len(shipping_text) > LONGEST_TEXT:
        message = f"A shipping text has at most {LONGEST_TEXT} characters."
        problems.append(Problem("INVALID", message, ("text",)))
    chosen = policy.strip()
    if not chosen or not chosen.isprintable() or len(chosen) > LONGEST_POLICY:
        message = f"A shipping policy has a name of 1 to {LONGEST_POLICY} characters."
        problems.append(Problem("INVALID", message, ("policy",)))
    if problems:
        raise CommandError(*problems)
    return chosen


async def _changed(conn: AsyncConnection, channel_id: int, shipping_text: str) -> None:
    """Orders with this text that are not imported are decided once more, without a poll."""
    await decide_with_text(conn, channel_id, shipping_text)
    await queue_change(conn, channel_id, Operation.GET_ORDERS)


async def _changed_meanwhile(deps: Deps, channel_id: int, shipping_text: str) -> None:
    """An order that was first seen and decided just before the commit did not know of it."""
    async with deps.engine.begin() as conn:
        if await decide_with_text(conn, channel_id, shipping_text):
            await queue_change(conn, channel_id, Operation.GET_ORDERS)


async def set_mapping(
    deps: Deps, channel_id: int, shipping_text: str, policy: str, *, by: str
) -> int:
    """Ship orders with exactly this text by that policy; id of the mapping."""
    chosen = _checked(shipping_text, policy)
    given = {"channel_id": channel_id, "text": shipping_text}
    async with deps.engine.begin() as conn:
        channel = await channel_of(conn, deps, channel_id, lock=True)
        require_operation(channel.platform, Operation.GET_ORDERS)
        values = {**given, "policy": chosen, "by": by, "now": deps.clock()}
        mapping_id: int | None = (await conn.execute(text(_SET), values)).scalar_one_or_none()
        is_changed = mapping_id is not None
        if mapping_id is None:
            found = text(
                "SELECT id FROM shipping_mappings WHERE channel_id = :channel_id AND text = :text"
            )
            mapping_id = (await conn.execute(found, given)).scalar_one()
        else:
            await _changed(conn, channel_id, shipping_text)
    if is_changed:
        await _changed_meanwhile(deps, channel_id, shipping_text)
    _log.info("mapping_set", channel_id=channel_id, mapping_id=mapping_id, by=by)
    if is_changed:
        await ring(deps, channel_id)
    return mapping_id


async def remove_mapping(deps: Deps, channel_id: int, shipping_text: str, *, by: str) -> None:
    """Take the mapping of exactly this text away; what was imported with it stays."""
    async with deps.engine.begin() as conn:
        await channel_of(conn, deps, channel_id, lock=True)
        removed = await conn.execute(
            delete(shipping_mappings).where(
                shipping_mappings.c.channel_id == channel_id,
                shipping_mappings.c.text == shipping_text,
            )
        )
        if not removed.rowcount:
            said = repr(shipping_text) if shipping_text else "the empty text"
            raise refuse("NOT_FOUND", f"There is no mapping of {said} on this channel.", "text")
        await _changed(conn, channel_id, shipping_text)
    await _changed_meanwhile(deps, channel_id, shipping_text)
    _log.info("mapping_removed", channel_id=channel_id, by=by)
    await ring(deps, channel_id)

"""Marks orders that are to be decided or planned once more after a change of what holds for them.

Flags alone: runs of GET_ORDERS consume `decide`, runs of SYNC_ORDERS `fulfill`. Rows are locked in
the order of ids, as everybody does who locks several. Rows that carry the flag are locked as well:
a run may be deciding them this moment from what held before, and is about to take the flag away.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import OPERATION_ACTIONS
from reconcile.core.types import Operation

_MARK = """
WITH due AS (
    SELECT r.id FROM remote_orders r {joined}
    WHERE r.channel_id = :channel_id AND {which}
    ORDER BY r.id FOR UPDATE OF r)
UPDATE remote_orders r SET {flag} = true FROM due WHERE r.id = due.id
"""
_IMPORTED = "JOIN orders o ON o.remote_order_id = r.id"


async def decide_unimported(conn: AsyncConnection, channel_id: int) -> int:
    """Another filter may let in what one left out; how many orders that is about."""
    statement = _MARK.format(joined="", flag="decide", which="r.verdict <> 'IMPORTED'")
    return (await conn.execute(text(statement), {"channel_id": channel_id})).rowcount


async def decide_with_text(conn: AsyncConnection, channel_id: int, shipping_text: str) -> int:
    """A mapping of exactly this text came, went, or became another; of how many orders."""
    which = "r.verdict <> 'IMPORTED' AND r.shipping_keys @> ARRAY[:text]"
    statement = _MARK.format(joined="", flag="decide", which=which)
    given = {"channel_id": channel_id, "text": shipping_text}
    return (await conn.execute(text(statement), given)).rowcount


async def decide_unacknowledged(conn: AsyncConnection, channel_id: int) -> int:
    """Orders under way here that the channel was not told of; not those that are finished."""
    which = "o.acknowledged_at IS NULL AND o.status IN ('OPEN', 'PARTIALLY_SHIPPED')"
    statement = _MARK.format(joined=_IMPORTED, flag="decide", which=which)
    return (await conn.execute(text(statement), {"channel_id": channel_id})).rowcount


async def decide_untouched(conn: AsyncConnection, channel_id: int) -> int:
    """Imported orders of which nothing has left follow the channel, also in another template."""
    which = """
o.status = 'OPEN' AND r.gone IS NULL
AND NOT EXISTS (SELECT 1 FROM shipments s WHERE s.order_id = o.id AND s.state <> 'VOID')
"""
    statement = _MARK.format(joined=_IMPORTED, flag="decide", which=which)
    return (await conn.execute(text(statement), {"channel_id": channel_id})).rowcount


async def mark_named(
    conn: AsyncConnection, channel_id: int, operation: Operation, ids: Sequence[int]
) -> None:
    """A run was asked for these seen orders by name: it looks at them whether or not they moved."""
    flag = "decide" if operation is Operation.GET_ORDERS else "fulfill"
    statement = _MARK.format(joined="", flag=flag, which="r.id = ANY(:ids)")
    await conn.execute(text(statement), {"channel_id": channel_id, "ids": list(ids)})


async def plan_unsent(conn: AsyncConnection, channel_id: int) -> int:
    """Orders of which something is still to reach the channel: a shipment, or that they ended."""
    which = """
(EXISTS (SELECT 1 FROM shipments s WHERE s.order_id = o.id AND s.state = 'RECORDED')
 OR (r.stage = 'OPEN' AND r.gone IS NULL AND o.closed_there_at IS NULL
     AND o.status IN ('SHIPPED', 'CLOSED')))
"""
    statement = _MARK.format(joined=_IMPORTED, flag="fulfill", which=which)
    return (await conn.execute(text(statement), {"channel_id": channel_id})).rowcount


async def try_again(conn: AsyncConnection, channel_id: int, operation: Operation) -> None:
    """What failed for good may succeed now: how the operation writes is set otherwise."""
    await conn.execute(
        text("DELETE FROM failures WHERE channel_id = :channel_id AND action = ANY(:kinds)"),
        {
            "channel_id": channel_id,
            "kinds": [kind.value for kind in OPERATION_ACTIONS[operation]],
        },
    )

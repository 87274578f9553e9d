"""Marks orders that are to be decided or planned once more after a change of what holds for them.

Flags alone: runs of GET_ORDERS consume `decide`, runs of SYNC_ORDERS `fulfill`. Rows are locked in
the order of ids, as everybody does who locks several.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_MARK = """
WITH due AS (
    SELECT r.id FROM remote_orders r {joined}
    WHERE r.channel_id = :channel_id AND NOT r.{flag} AND {which}
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


async def plan_unsent(conn: AsyncConnection, channel_id: int) -> int:
    """Orders of which something is still to reach the channel: a shipment, or that they ended."""
    which = """
(EXISTS (SELECT 1 FROM shipments s WHERE s.order_id = o.id AND s.state = 'RECORDED')
 OR (r.stage = 'OPEN' AND r.gone IS NULL AND o.closed_there_at IS NULL
     AND o.status IN ('SHIPPED', 'CLOSED')))
"""
    statement = _MARK.format(joined=_IMPORTED, flag="fulfill", which=which)
    return (await conn.execute(text(statement), {"channel_id": channel_id})).rowcount

"""Marks orders that are to be decided or planned once more: they changed, or what holds for them.

Flags alone: runs of GET_ORDERS consume `decide`, runs of SYNC_ORDERS `fulfill`. Rows are locked in
the order of ids, as everybody does who locks several. Rows that carry the flag are locked as well:
a run may be deciding them this moment from what held before, and is about to take the flag away.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import OPERATION_ACTIONS
from reconcile.core.types import Operation

FLAGS: Mapping[Operation, str] = {Operation.GET_ORDERS: "decide", Operation.SYNC_ORDERS: "fulfill"}
"""The column in which an operation finds the orders it is to decide."""

_MARK = """
WITH due AS (
    SELECT r.id FROM remote_orders r {joined}
    WHERE r.channel_id = :channel_id AND {which}
    ORDER BY r.id FOR UPDATE OF r)
UPDATE remote_orders r SET {flag} = true FROM due WHERE r.id = due.id
"""
_IMPORTED = "JOIN orders o ON o.remote_order_id = r.id"


async def flag(conn: AsyncConnection, channel_id: int, ids: Sequence[int]) -> None:
    """Both order operations are to decide these orders once more."""
    if not ids:
        return
    statement = _MARK.format(joined="", flag="decide = true, fulfill", which="r.id = ANY(:ids)")
    given = {"channel_id": channel_id, "ids": sorted(set(ids))}
    await conn.execute(text(statement), given)


async def plan_again(conn: AsyncConnection, channel_id: int, ids: Sequence[int]) -> None:
    """SYNC_ORDERS is to look at these orders once more: our copy of them has changed."""
    if not ids:
        return
    statement = _MARK.format(joined="", flag="fulfill", which="r.id = ANY(:ids)")
    await conn.execute(text(statement), {"channel_id": channel_id, "ids": sorted(set(ids))})


async def flag_unfinished(conn: AsyncConnection, channel_id: int, operation: Operation) -> None:
    """A full run decides everything that is not finished, whether anything changed or not."""
    which = {
        Operation.GET_ORDERS: "(o.id IS NULL OR o.status IN ('OPEN', 'PARTIALLY_SHIPPED'))",
        Operation.SYNC_ORDERS: """
(o.status IN ('OPEN', 'PARTIALLY_SHIPPED', 'SHIPPED')
 OR EXISTS (SELECT 1 FROM shipments s WHERE s.order_id = o.id AND s.state = 'RECORDED'))
""",
    }[operation]
    statement = _MARK.format(joined=f"LEFT {_IMPORTED}", flag=FLAGS[operation], which=which)
    await conn.execute(text(statement), {"channel_id": channel_id})


async def flagged(
    conn: AsyncConnection,
    channel_id: int,
    operation: Operation,
    after: int,
    limit: int,
    scope: Sequence[int] | None,
) -> list[int]:
    """The next orders behind `after` that wait for a decision, all of them or of a scope."""
    result = await conn.execute(
        text(f"""
SELECT id FROM remote_orders
WHERE channel_id = :channel_id AND id > :after AND {FLAGS[operation]}
  AND (CAST(:scope AS bigint[]) IS NULL OR id = ANY(CAST(:scope AS bigint[])))
ORDER BY id LIMIT :limit
"""),  # noqa: S608 - a constant of this module
        {"channel_id": channel_id, "after": after, "limit": limit, "scope": scope},
    )
    return [row.id for row in result]


async def unflag(conn: AsyncConnection, ids: Sequence[int], operation: Operation) -> None:
    """These orders are decided; in the transaction that locked and decided them."""
    await conn.execute(
        text(f"UPDATE remote_orders SET {FLAGS[operation]} = false WHERE id = ANY(:ids)"),  # noqa: S608
        {"ids": list(ids)},
    )


async def decide_unimported(conn: AsyncConnection, channel_id: int) -> int:
    """Another filter may let in what one left out; how many orders that is about."""
    statement = _MARK.format(joined="", flag="decide", which="r.verdict <> 'IMPORTED'")
    return (await conn.execute(text(statement), {"channel_id": channel_id})).rowcount


async def decide_with_text(conn: AsyncConnection, channel_id: int, shipping_text: str) -> int:
    """A mapping of exactly this text came, went, or became another; of how many orders.

    Of imported ones those without a policy: they changed to a method that was not mapped.
    """
    which = """
r.shipping_keys @> ARRAY[:text] AND (r.verdict <> 'IMPORTED' OR EXISTS (
    SELECT 1 FROM orders o WHERE o.remote_order_id = r.id AND o.shipping_policy IS NULL
      AND NOT o.is_digital AND o.status IN ('OPEN', 'PARTIALLY_SHIPPED')))
"""
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

"""Orders in the mirror and in our records without a run, as a run would have brought them there."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import Operation
from reconcile.deps import Deps
from reconcile.store import order_copy
from reconcile.store.channels import load_channel
from reconcile.store.deductions import rewrite
from reconcile.store.order_mirror import observe
from reconcile.store.seen_orders import load_seen
from reconcile.store.templates import effective_template


async def see_orders(
    engine: AsyncEngine, channel_id: int, orders: Sequence[RemoteOrder], at: datetime
) -> list[int]:
    """The mirror takes in what was seen at that time; the ids of these, in their order."""
    async with engine.begin() as conn:
        await observe(conn, channel_id, orders, at)
        found = await conn.execute(
            text("SELECT remote_id, id FROM remote_orders WHERE channel_id = :id"),
            {"id": channel_id},
        )
        ids = {row.remote_id: row.id for row in found}
    return [ids[order.id] for order in orders]


async def copy_orders(deps: Deps, channel_id: int, ids: Sequence[int]) -> list[int]:
    """Seen orders are imported as they are, with what they deduct; the ids of ours."""
    async with deps.engine.begin() as conn:
        channel = await load_channel(conn, deps, channel_id)
        assert channel is not None
        template = effective_template(channel.platform, Operation.GET_ORDERS, None)
        seen = await load_seen(conn, channel_id, ids, lock=True)
        await order_copy.write(conn, channel, template, seen)
        await rewrite(conn, channel_id, ids)
        found = await conn.execute(
            text("SELECT remote_order_id, id FROM orders WHERE remote_order_id = ANY(:ids)"),
            {"ids": list(ids)},
        )
        ours = {row.remote_order_id: row.id for row in found}
    return [ours[number] for number in ids]

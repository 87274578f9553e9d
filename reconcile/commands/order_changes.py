"""What every command about an order does: lock it, mark it for planning, take stock along, queue.

The remote order is locked first, then the order: whoever decides about an order does it in this
order, so that two never wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import refuse
from reconcile.commands.lookups import channel_of
from reconcile.core.order_types import ImportedOrder, SeenOrder
from reconcile.core.states import RunState
from reconcile.core.types import Operation, Side
from reconcile.deps import Deps
from reconcile.store.channels import Channel
from reconcile.store.deductions import rewrite
from reconcile.store.order_tables import orders, remote_orders
from reconcile.store.seen_orders import load_seen
from reconcile.store.tables import operations, runs


@dataclass(frozen=True, slots=True)
class LockedOrder:
    """An imported order that nobody else changes before the transaction ends."""

    id: int
    remote_order_id: int
    number: str
    channel: Channel
    row: RowMapping
    seen: SeenOrder
    imported: ImportedOrder


async def lock_order(conn: AsyncConnection, deps: Deps, order_id: int) -> LockedOrder:
    """The order as it stands, locked; NOT_FOUND where there is none, or its channel was removed."""
    found = select(orders.c.channel_id, orders.c.remote_order_id).where(orders.c.id == order_id)
    known = (await conn.execute(found)).one_or_none()
    if known is None:
        raise refuse("NOT_FOUND", "There is no such order.", "order_id")
    channel = await channel_of(conn, deps, known.channel_id)
    await conn.execute(
        select(remote_orders.c.id)
        .where(remote_orders.c.id == known.remote_order_id)
        .with_for_update()
    )
    # Not the key: rows that refer to the order are written meanwhile.
    locked = select(orders).where(orders.c.id == order_id).with_for_update(key_share=True)
    row = (await conn.execute(locked)).mappings().one()
    seen = (await load_seen(conn, known.channel_id, [known.remote_order_id]))[0]
    if seen.imported is None:
        raise refuse("NOT_FOUND", "There is no such order.", "order_id")
    return LockedOrder(
        id=order_id,
        remote_order_id=known.remote_order_id,
        number=row["number"],
        channel=channel,
        row=row,
        seen=seen,
        imported=seen.imported,
    )


async def write_order(conn: AsyncConnection, order: LockedOrder, **values: Any) -> None:
    """Change columns of the order; its revision goes up."""
    await conn.execute(
        update(orders)
        .where(orders.c.id == order.id)
        .values(revision=orders.c.revision + 1, **values)
    )


async def send_again(conn: AsyncConnection, order: LockedOrder) -> None:
    """SYNC_ORDERS plans the order once more, by itself where it runs."""
    await conn.execute(
        update(remote_orders)
        .where(remote_orders.c.id == order.remote_order_id)
        .values(fulfill=True)
    )
    await queue_change(conn, order.channel.id, Operation.SYNC_ORDERS)


async def decide_again(conn: AsyncConnection, order: LockedOrder) -> None:
    """GET_ORDERS decides the order once more, by itself where it runs; asks the channel nothing."""
    await conn.execute(
        update(remote_orders).where(remote_orders.c.id == order.remote_order_id).values(decide=True)
    )
    await queue_change(conn, order.channel.id, Operation.GET_ORDERS)


async def queue_change(conn: AsyncConnection, channel_id: int, operation: Operation) -> int | None:
    """Queue a run over the orders that are marked, where the operation runs at all; its id.

    GET_ORDERS then decides and asks the channel for nothing. Many changes at once are one run.
    """
    runnable = select(operations.c.operation).where(
        operations.c.channel_id == channel_id,
        operations.c.operation == operation,
        operations.c.enabled,
        ~operations.c.paused,
    )
    if (await conn.execute(runnable)).first() is None:
        return None
    # One that is being started this moment may have looked already, so it is no use to wait for.
    waiting = (
        select(runs.c.id)
        .where(
            runs.c.channel_id == channel_id,
            runs.c.operation == operation,
            runs.c.state == RunState.QUEUED,
            runs.c.started_at.is_(None),
            runs.c.trigger == "CHANGE",
            runs.c.order_ids == [],
            ~runs.c.cancel_requested,
        )
        .limit(1)
        .with_for_update(read=True, skip_locked=True)
    )
    run_id: int | None = (await conn.execute(waiting)).scalar_one_or_none()
    if run_id is None:
        values = {
            "channel_id": channel_id,
            "operation": operation,
            "side": operation.side,
            "trigger": "CHANGE",
            "order_ids": [],
        }
        made = await conn.execute(insert(runs).values(values).returning(runs.c.id))
        run_id = made.scalar_one()
    return run_id


async def retake_stock(conn: AsyncConnection, order: LockedOrder) -> Sequence[int]:
    """Work out anew what the order takes off stock; the channels to be told by `ring`.

    The last thing in a transaction that locks rows.
    """
    rewritten = await rewrite(conn, order.channel.id, [order.remote_order_id])
    return rewritten.channel_ids


async def ring(deps: Deps, channel_id: int, stock: Sequence[int] = ()) -> None:
    """Wake workers for the orders of a channel, and for the listings whose stock has moved."""
    await deps.doorbell.ring(channel_id, Side.ORDERS)
    for other in stock:
        await deps.doorbell.ring(other, Side.LISTINGS)


_CANCEL_WAITING = """
UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = :code,
    outcome_message = :message
WHERE channel_id = :channel_id AND object_id = ANY(:names) AND kind = 'FULFILL'
  AND state IN ('PLANNED', 'REFUSED', 'DUE', 'RETRYING') AND steps = '[]'
"""
_UNDER_WAY = """
SELECT object_id FROM actions
WHERE channel_id = :channel_id AND object_id = ANY(:names) AND kind = 'FULFILL'
  AND state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')
"""


async def call_back(
    conn: AsyncConnection, channel_id: int, shipment_ids: Sequence[str], code: str, message: str
) -> frozenset[str]:
    """Cancel what has not left for the channel yet; the shipments of which something has."""
    names = [f"shipment:{shipment_id}" for shipment_id in shipment_ids]
    given = {"channel_id": channel_id, "names": names}
    await conn.execute(text(_CANCEL_WAITING), {**given, "code": code, "message": message})
    rows = await conn.execute(text(_UNDER_WAY), given)
    return frozenset(row.object_id.removeprefix("shipment:") for row in rows)

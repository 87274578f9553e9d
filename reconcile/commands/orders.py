"""Hold, release and close imported orders, and look for one that was never seen.

Shipping stands in `shipments`; both are imported from here. Nothing is sent from here.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import refuse
from reconcile.commands.lookups import channel_of, refuse_stopped, require_operation
from reconcile.commands.order_changes import (
    call_back,
    decide_again,
    lock_order,
    retake_stock,
    ring,
    send_again,
    write_order,
)
from reconcile.commands.runs import RequestedRun
from reconcile.commands.shipments import NewShipment, NewShipmentLine, ship, void_shipment
from reconcile.core.order_types import OrderStatus, ShipmentState
from reconcile.core.shipped import status_of
from reconcile.core.types import Operation, Side
from reconcile.deps import Deps
from reconcile.store import order_copy
from reconcile.store.channels import load_operations
from reconcile.store.order_tables import orders
from reconcile.store.tables import channels, runs
from reconcile.store.templates import effective_template

__all__ = [
    "HELD_BY_PERSON",
    "NewShipment",
    "NewShipmentLine",
    "close",
    "hold",
    "order_named",
    "release",
    "request_lookup",
    "ship",
    "void_shipment",
]

_log = structlog.get_logger(__name__)

HELD_BY_PERSON = "HeldByPerson"
"""Code of the hold that a person puts on an order."""
LOOKUP_EVERY = timedelta(minutes=10)
"""A number is looked for no more often than this, however often it is asked for."""
_NO_HOLD: Mapping[str, None] = dict.fromkeys(("hold_code", "hold_message", "hold_by", "held_at"))
LONGEST_REASON = 500
LONGEST_NUMBER = 100


async def order_named(deps: Deps, number: str, channel_id: int | None = None) -> int:
    """The imported order that people call so; refused where it is none, or more than one."""
    async with deps.engine.connect() as conn:
        statement = (
            select(orders.c.id, channels.c.name)
            .join(channels, channels.c.id == orders.c.channel_id)
            .where(orders.c.number == number, channels.c.removed_at.is_(None))
            .order_by(orders.c.id)
            .limit(11)
        )
        if channel_id is not None:
            statement = statement.where(orders.c.channel_id == channel_id)
        found = (await conn.execute(statement)).all()
    if not found:
        message = f"No order {number} was imported; explain it to see why."
        raise refuse("NOT_FOUND", message, "number")
    if len(found) > 1:
        named = ", ".join(dict.fromkeys(row.name for row in found))
        message = (
            f"There are several orders {number}, on: {named}. Name the channel, or the order by "
            "its id."
        )
        raise refuse("AMBIGUOUS", message, "number")
    order_id: int = found[0].id
    return order_id


async def hold(deps: Deps, order_id: int, reason: str, *, by: str) -> None:
    """Let nothing more of the order leave until it is released; what has left stays."""
    said = reason.strip()
    if not said or not said.isprintable() or len(said) > LONGEST_REASON:
        message = f"Say why, in one line of at most {LONGEST_REASON} characters."
        raise refuse("INVALID", message, "reason")
    async with deps.engine.begin() as conn:
        order = await lock_order(conn, deps, order_id)
        if order.imported.status in (OrderStatus.CANCELED, OrderStatus.CLOSED):
            message = f"Order {order.number} is {order.imported.status.lower()}; nothing leaves."
            raise refuse("WRONG_STATE", message, "order_id")
        standing = order.imported.hold
        # A hold of the rules goes away by itself, so a person may put one in its place.
        if standing is not None and standing.by is not None:
            message = f"Order {order.number} is on hold already: {standing.message}"
            raise refuse("WRONG_STATE", message, "order_id")
        await write_order(
            conn,
            order,
            hold_code=HELD_BY_PERSON,
            hold_message=said,
            hold_by=by,
            held_at=deps.clock(),
        )
        recorded = [
            item.id for item in order.imported.shipments if item.state is ShipmentState.RECORDED
        ]
        await call_back(
            conn,
            order.channel.id,
            recorded,
            "OrderOnHold",
            f"The order was put on hold by {by} before this was sent",
        )
        await decide_again(conn, order)
        await send_again(conn, order)
    _log.info("order_held", order_id=order_id, by=by)
    await ring(deps, order.channel.id)


async def release(deps: Deps, order_id: int, *, by: str) -> None:
    """Let the order go on, as the channel was seen to hold it: what differs there is accepted."""
    async with deps.engine.begin() as conn:
        order = await lock_order(conn, deps, order_id)
        if order.imported.hold is None:
            raise refuse("WRONG_STATE", f"Order {order.number} is not on hold.", "order_id")
        await write_order(conn, order, **_NO_HOLD)
        operations = await load_operations(conn, order.channel)
        template = effective_template(
            order.channel.platform,
            Operation.GET_ORDERS,
            operations[Operation.GET_ORDERS].template,
        )
        await order_copy.write(conn, order.channel, template, [order.seen])
        accepted = await lock_order(conn, deps, order_id)
        remote = order.seen.remote
        status = status_of(accepted.imported, remote, order.seen.gone)
        values: dict[str, Any] = {"status": status}
        if status is OrderStatus.CANCELED and order.row["canceled_at"] is None:
            values["canceled_at"] = remote.ended_at or deps.clock()
        await write_order(conn, order, **values)
        await decide_again(conn, order)
        await send_again(conn, order)
        stock = await retake_stock(conn, order)
    _log.info("order_released", order_id=order_id, by=by)
    await ring(deps, order.channel.id, stock)


async def close(deps: Deps, order_id: int, *, by: str) -> None:
    """Be done with the order: nothing more of it is shipped, nothing is taken off stock for it."""
    async with deps.engine.begin() as conn:
        order = await lock_order(conn, deps, order_id)
        if order.imported.status is OrderStatus.CLOSED:
            raise refuse("WRONG_STATE", f"Order {order.number} is closed already.", "order_id")
        await write_order(
            conn,
            order,
            status=OrderStatus.CLOSED,
            closed_at=deps.clock(),
            closed_by=by,
            **_NO_HOLD,
        )
        await decide_again(conn, order)
        await send_again(conn, order)
        stock = await retake_stock(conn, order)
    _log.info("order_closed", order_id=order_id, by=by)
    await ring(deps, order.channel.id, stock)


async def request_lookup(deps: Deps, channel_id: int, number: str, *, by: str) -> RequestedRun:
    """Look for an order on the channel by its number; one look-up of it in ten minutes."""
    wanted = number.strip()
    if not wanted or not wanted.isprintable() or len(wanted) > LONGEST_NUMBER:
        message = f"An order number has 1 to {LONGEST_NUMBER} characters."
        raise refuse("INVALID", message, "number")
    async with deps.engine.begin() as conn:
        channel = await channel_of(conn, deps, channel_id, lock=True)
        require_operation(channel.platform, Operation.GET_ORDERS)
        run_id = await _looked_up(conn, deps, channel_id, wanted)
        is_new = run_id is None
        if run_id is None:
            await refuse_stopped(conn, channel, Operation.GET_ORDERS)
            values = {
                "channel_id": channel_id,
                "operation": Operation.GET_ORDERS,
                "side": Side.ORDERS,
                "trigger": "PERSON",
                "lookup": wanted,
                "created_at": deps.clock(),
                "requested_by": by,
            }
            made = await conn.execute(insert(runs).values(values).returning(runs.c.id))
            run_id = made.scalar_one()
    _log.info("order_lookup_requested", channel_id=channel_id, run_id=run_id, is_new=is_new, by=by)
    await ring(deps, channel_id)
    return RequestedRun(run_id, is_new)


async def _looked_up(conn: AsyncConnection, deps: Deps, channel_id: int, number: str) -> int | None:
    """The look-up of this number that is under way or was asked for a moment ago."""
    recent = runs.c.created_at > deps.clock() - LOOKUP_EVERY
    statement = (
        select(runs.c.id)
        .where(
            runs.c.channel_id == channel_id,
            runs.c.operation == Operation.GET_ORDERS,
            runs.c.lookup == number,
            ~runs.c.cancel_requested,
            or_(runs.c.finished_at.is_(None), recent),
        )
        .order_by(runs.c.id.desc())
        .limit(1)
    )
    run_id: int | None = (await conn.execute(statement)).scalar_one_or_none()
    return run_id

"""Orders of connected channels as the mirror takes them in, with what leaves of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.remote_order_types import (
    Address,
    OrderStage,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.types import RemoteRef
from reconcile.store.deductions import Rewritten, rewrite
from tests.seen_orders import see_orders

DAY = timedelta(days=1)
T0 = datetime(2026, 10, 1, 12, tzinfo=UTC)
"""When what is stated in these tests is stated; hours are counted from here."""


def at(hours: float) -> datetime:
    """So many hours after T0."""
    return T0 + timedelta(hours=hours)


def line(
    sku: str | None, units: int = 1, *, key: str = "1", canceled: int = 0, ref: str | None = None
) -> RemoteOrderLine:
    """A line of so many units."""
    found = None if ref is None else RemoteRef(ref)
    return RemoteOrderLine(key, sku, f"Title of {sku}", units, canceled, found, unit_price="1.00")


def order(
    number: str,
    *lines: RemoteOrderLine,
    hours: float = 1,
    stage: OrderStage = OrderStage.OPEN,
    **values: Any,
) -> RemoteOrder:
    """A paid order of that number, placed so many hours after T0."""
    given: dict[str, Any] = {
        "status": "processing",
        "currency": "EUR",
        "total": "1.00",
        "created_at": at(hours),
        "ship_to": Address("Ada", "Example", line1="1 Example Street", city="Paris", country="FR"),
        "shipping": (ShippingText(("flat_rate",), "Flat rate"),),
        **values,
    }
    return RemoteOrder(id=f"r{number}", number=number, stage=stage, lines=lines, **given)


async def see(
    engine: AsyncEngine, channel_id: int, *orders: RemoteOrder, hours: float = 1
) -> list[int]:
    """The mirror takes in orders; the ids of these, in their order."""
    return await see_orders(engine, channel_id, orders, at(hours))


async def deduct(engine: AsyncEngine, channel_id: int, ids: Sequence[int]) -> Rewritten:
    """Write what these orders deduct."""
    async with engine.begin() as conn:
        return await rewrite(conn, channel_id, ids)


async def sell(
    engine: AsyncEngine, channel_id: int, *orders: RemoteOrder, hours: float = 1
) -> Rewritten:
    """See orders and write what they deduct, as a poll does."""
    return await deduct(engine, channel_id, await see(engine, channel_id, *orders, hours=hours))


async def import_order(engine: AsyncEngine, remote_order_id: int) -> int:
    """Pretend that an order was imported as it is; its id here."""
    async with engine.begin() as conn:
        order_id = (
            await conn.execute(
                text("""
INSERT INTO orders (channel_id, remote_order_id, number, currency, ordered_at, personal)
SELECT channel_id, id, number, currency, ordered_at, personal FROM remote_orders WHERE id = :id
RETURNING id
"""),
                {"id": remote_order_id},
            )
        ).scalar_one()
        await conn.execute(
            text("""
INSERT INTO order_lines (order_id, remote_line_id, position, sku, title, quantity, canceled)
SELECT :order_id, l.id, l.position, l.sku, l.title, l.quantity, l.canceled
FROM remote_orders r, ROWS FROM (jsonb_to_recordset(r.lines) AS (id text, sku text, title text,
    quantity integer, canceled integer)) WITH ORDINALITY
    AS l(id, sku, title, quantity, canceled, position)
WHERE r.id = :id
"""),
            {"id": remote_order_id, "order_id": order_id},
        )
        await conn.execute(
            text("UPDATE remote_orders SET verdict = 'IMPORTED' WHERE id = :id"),
            {"id": remote_order_id},
        )
    return int(order_id)


async def ship(engine: AsyncEngine, order_id: int, units: Mapping[str, int], hours: float) -> None:
    """Record a shipment of ours: line → units, so many hours after T0."""
    async with engine.begin() as conn:
        given = {"order_id": order_id, "at": at(hours)}
        shipment_id = (
            await conn.execute(
                text("""
INSERT INTO shipments (channel_id, order_id, shipped_at)
SELECT channel_id, id, :at FROM orders WHERE id = :order_id RETURNING id
"""),
                given,
            )
        ).scalar_one()
        for key, quantity in units.items():
            await conn.execute(
                text("""
INSERT INTO shipment_lines (shipment_id, order_line_id, quantity)
SELECT :shipment_id, id, :quantity FROM order_lines
WHERE order_id = :order_id AND remote_line_id = :key
"""),
                {
                    "shipment_id": shipment_id,
                    "order_id": order_id,
                    "key": key,
                    "quantity": quantity,
                },
            )
        await conn.execute(
            text("UPDATE orders SET last_shipped_at = :at WHERE id = :order_id"), given
        )

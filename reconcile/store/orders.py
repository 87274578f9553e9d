"""Reads of imported orders: lists with filters, loaders for many ids, their lines. Writes nothing.

Personal data leaves the database through `OrderPersonal` alone, which stands in no repr.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.order_types import OrderStatus, OurOrderField, ShipmentState
from reconcile.core.remote_order_types import Address, PaymentStatus
from reconcile.core.types import Value
from reconcile.store.order_codec import exact
from reconcile.store.order_tables import order_lines, orders, shipment_lines, shipments
from reconcile.store.page import Page, grouped, one_of, read_page, read_rows
from reconcile.store.tables import channels


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which imported orders; None does not restrict."""

    channel_id: int | None = None
    status: OrderStatus | None = None
    number: str | None = None
    """Compared exactly; a number is not unique."""
    is_on_hold: bool | None = None


@dataclass(frozen=True, slots=True)
class MissingData:
    """A field that an imported order lacks, and why (T13)."""

    field: OurOrderField
    cause: str
    """DISABLED by the template, EMPTY on the channel, or WITHHELD by it."""
    message: str


@dataclass(frozen=True, slots=True)
class OrderHold:
    """Why nothing more of an order leaves until it is released."""

    code: str
    message: str
    by: str | None
    """None: the rules did."""
    since: datetime | None


@dataclass(frozen=True, slots=True)
class OrderPersonal:
    """What is known of the customer; all empty once it was erased."""

    email: str | None = field(default=None, repr=False)
    billing_address: Address | None = field(default=None, repr=False)
    shipping_address: Address | None = field(default=None, repr=False)
    note: str | None = field(default=None, repr=False)
    custom_fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    line_custom_fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """Their id of the line → name → text."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One imported order."""

    id: int
    channel_id: int
    remote_order_id: int
    number: str
    status: OrderStatus
    currency: str
    total: str | None
    payment: PaymentStatus
    ordered_at: datetime
    shipping_text: str | None
    shipping_key: str | None
    shipping_policy: str | None
    is_digital: bool
    missing: tuple[MissingData, ...]
    personal: OrderPersonal
    erased_at: datetime | None
    hold: OrderHold | None
    imported_at: datetime
    acknowledged_at: datetime | None
    canceled_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    closed_there_at: datetime | None
    last_shipped_at: datetime | None
    revision: int


@dataclass(frozen=True, slots=True)
class OrderLineRow:
    """One line of an imported order with how much of it has left."""

    id: int
    order_id: int
    remote_line_id: str
    position: int
    sku: str | None
    title: str
    quantity: int
    canceled: int
    shipped: int
    """By any shipment that is not void, ours or theirs."""
    unit_price: str | None
    total: str | None
    weight: Value
    is_digital: bool
    variant_id: int | None

    @property
    def remaining(self) -> int:
        """Units that can still leave."""
        return 0 if self.is_digital else max(0, self.quantity - self.canceled - self.shipped)

    @property
    def is_linked(self) -> bool:
        """Whether the line is of a listing of ours."""
        return self.variant_id is not None


def address_from(stored: Mapping[str, str] | None) -> Address | None:
    """A stored address; None where there is none."""
    return None if not stored else Address(**stored)


def _personal(stored: Mapping[str, Any] | None) -> OrderPersonal:
    values = stored or {}
    return OrderPersonal(
        email=values.get(OurOrderField.EMAIL) or None,
        billing_address=address_from(values.get(OurOrderField.BILLING_ADDRESS)),
        shipping_address=address_from(values.get(OurOrderField.SHIPPING_ADDRESS)),
        note=values.get(OurOrderField.NOTE) or None,
        custom_fields=values.get(OurOrderField.CUSTOM_FIELDS) or {},
        line_custom_fields=values.get(OurOrderField.LINE_CUSTOM_FIELDS) or {},
    )


def _hold(row: RowMapping) -> OrderHold | None:
    if row["hold_code"] is None:
        return None
    return OrderHold(row["hold_code"], row["hold_message"] or "", row["hold_by"], row["held_at"])


def _order(row: RowMapping) -> OrderRow:
    return OrderRow(
        id=row["id"],
        channel_id=row["channel_id"],
        remote_order_id=row["remote_order_id"],
        number=row["number"],
        status=OrderStatus(row["status"]),
        currency=row["currency"],
        total=exact(row["total"]),
        payment=PaymentStatus(row["payment"]),
        ordered_at=row["ordered_at"],
        shipping_text=row["shipping_text"],
        shipping_key=row["shipping_key"],
        shipping_policy=row["shipping_policy"],
        is_digital=row["is_digital"],
        missing=tuple(
            MissingData(OurOrderField(item["field"]), item["cause"], item["message"])
            for item in row["missing"]
        ),
        personal=_personal(row["personal"]),
        erased_at=row["erased_at"],
        hold=_hold(row),
        imported_at=row["imported_at"],
        acknowledged_at=row["acknowledged_at"],
        canceled_at=row["canceled_at"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        closed_there_at=row["closed_there_at"],
        last_shipped_at=row["last_shipped_at"],
        revision=row["revision"],
    )


def kept_channels() -> Select[Any]:
    """Channels whose orders are shown unasked: a removed one's are history."""
    return select(channels.c.id).where(channels.c.removed_at.is_(None))


def _tests(where: OrderFilter) -> list[ColumnElement[bool]]:
    if where.channel_id is not None:
        found = [orders.c.channel_id == where.channel_id]
    else:
        found = [orders.c.channel_id.in_(kept_channels())]
    if where.status is not None:
        found.append(orders.c.status == where.status)
    if where.number is not None:
        found.append(orders.c.number == where.number)
    if where.is_on_hold is not None:
        held = orders.c.hold_code.is_not(None)
        found.append(held if where.is_on_hold else ~held)
    return found


async def list_orders(
    conn: AsyncConnection, where: OrderFilter, after: int | None, limit: int
) -> Page[OrderRow]:
    """Imported orders, the one imported last first."""
    statement = select(orders).where(*_tests(where))
    return await read_page(conn, statement, orders.c.id, after, limit, _order, newest_first=True)


async def count_orders(conn: AsyncConnection, where: OrderFilter) -> int:
    """How many imported orders the filter lets through."""
    statement = select(func.count()).select_from(orders).where(*_tests(where))
    return int((await conn.execute(statement)).scalar_one())


async def orders_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, OrderRow]:
    """The imported orders of these ids."""
    rows = await read_rows(conn, select(orders).where(one_of(orders.c.id, ids)), _order)
    return {row.id: row for row in rows}


async def orders_by_remote_order(
    conn: AsyncConnection, remote_order_ids: Sequence[int]
) -> dict[int, OrderRow]:
    """What was imported of these remote orders, by remote order."""
    statement = select(orders).where(one_of(orders.c.remote_order_id, remote_order_ids))
    return {row.remote_order_id: row for row in await read_rows(conn, statement, _order)}


def _order_line(row: RowMapping) -> OrderLineRow:
    values = {name: row[name] for name in OrderLineRow.__dataclass_fields__}
    values["unit_price"] = exact(row["unit_price"])
    values["total"] = exact(row["total"])
    return OrderLineRow(**values)


def _select_lines() -> Select[Any]:
    shipped = (
        select(func.coalesce(func.sum(shipment_lines.c.quantity), 0))
        .join(shipments, shipments.c.id == shipment_lines.c.shipment_id)
        .where(
            shipment_lines.c.order_line_id == order_lines.c.id,
            shipments.c.state != ShipmentState.VOID,
        )
        .scalar_subquery()
    )
    return select(order_lines, shipped.label("shipped"))


async def lines_of(
    conn: AsyncConnection, order_ids: Sequence[int]
) -> dict[int, tuple[OrderLineRow, ...]]:
    """All lines of many orders, in their order."""
    statement = (
        _select_lines()
        .where(one_of(order_lines.c.order_id, order_ids))
        .order_by(order_lines.c.order_id, order_lines.c.position, order_lines.c.id)
    )
    return grouped(await read_rows(conn, statement, _order_line), lambda row: row.order_id)


async def lines_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, OrderLineRow]:
    """The order lines of these ids."""
    rows = await read_rows(conn, _select_lines().where(one_of(order_lines.c.id, ids)), _order_line)
    return {row.id: row for row in rows}

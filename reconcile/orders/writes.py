"""Building what an adapter gets (`contract.OrderWrite`) from action rows and current records."""

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import OrderWrite, ShipmentLine, ShipmentWrite, Step
from reconcile.core.actions import OPERATION_ACTIONS, POLICY_ACTIONS, ActionKind
from reconcile.core.fulfilling import completes
from reconcile.core.mapping import Template
from reconcile.core.order_content import shipment_values
from reconcile.core.order_types import (
    ImportedOrder,
    SeenOrder,
    Shipment,
    ShipmentField,
    ShipmentState,
)
from reconcile.core.orders import hold_of
from reconcile.core.shipped import is_canceled
from reconcile.core.types import Operation
from reconcile.orders.context import order_context
from reconcile.store.actions import LOOK_FIRST, UNWATCHED
from reconcile.store.channels import Channel, ChannelOperation, load_operations
from reconcile.store.seen_orders import load_seen

OPERATIONS: Mapping[ActionKind, Operation] = {
    kind: operation
    for operation in (Operation.GET_ORDERS, Operation.SYNC_ORDERS)
    for kind in OPERATION_ACTIONS[operation]
}
"""Which operation's settings an action on an order is carried out with."""


async def build_order_writes(
    conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
) -> Sequence[OrderWrite]:
    """One write per action row, in the same order; a few statements for all of them."""
    if not rows:
        return []
    orders = await _orders(conn, channel, rows)
    operations = await load_operations(conn, channel)
    template = order_context(channel, operations).shipment_template
    return [_write(row, orders[row["order_id"]], operations, template) for row in rows]


async def _orders(
    conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
) -> Mapping[int, SeenOrder]:
    ids = sorted({row["order_id"] for row in rows})
    return {int(order.id): order for order in await load_seen(conn, channel.id, ids)}


def _write(
    row: RowMapping,
    order: SeenOrder,
    operations: Mapping[Operation, ChannelOperation],
    template: Template,
) -> OrderWrite:
    kind = ActionKind(row["kind"])
    operation = operations.get(OPERATIONS[kind])
    shipment = None
    is_complete = False
    if order.imported is not None and row["shipment_id"] is not None:
        found = _shipment(order.imported, row["shipment_id"])
        if found is not None:
            shipment = _shipment_write(order.imported, found, template)
            is_complete = completes(order, found.id)
    return OrderWrite(
        key=row["key"],
        kind=kind,
        order_id=order.remote.id,
        number=order.remote.number,
        shipment=shipment,
        is_complete=is_complete,
        settings=None if operation is None else operation.settings,
        aspects=order.remote.aspects,
        steps=tuple(
            Step(row["key"], item["name"], item["remote_id"], item["detail"])
            for item in row["steps"]
        ),
    )


def _shipment(order: ImportedOrder, shipment_id: int) -> Shipment | None:
    return next((item for item in order.shipments if item.id == str(shipment_id)), None)


def _shipment_write(order: ImportedOrder, shipment: Shipment, template: Template) -> ShipmentWrite:
    values = shipment_values(shipment, template).values
    titles = {line.remote_id: line for line in order.lines}
    return ShipmentWrite(
        id=shipment.id,
        lines=tuple(
            ShipmentLine(line_id, titles[line_id].sku or "", titles[line_id].title, units)
            for line_id, units in sorted(shipment.lines.items())
            if line_id in titles
        ),
        shipped_at=shipment.shipped_at,
        tracking_number=str(values.get(ShipmentField.TRACKING_NUMBER) or ""),
        carrier=str(values.get(ShipmentField.CARRIER) or ""),
        service=str(values.get(ShipmentField.SERVICE) or ""),
        tracking_url=str(values.get(ShipmentField.TRACKING_URL) or ""),
        notify_customer=bool(values.get(ShipmentField.NOTIFY_CUSTOMER)),
        remote_ids=shipment.remote_ids,
        siblings=frozenset(item.id for item in order.shipments) - {shipment.id},
    )


async def outdated_orders(
    conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
) -> Mapping[int, str]:
    """Action id → why it must not be sent any more as planned.

    An action that an earlier request has begun is finished all the same.
    """
    fresh = [row for row in rows if not row["steps"]]
    if not fresh:
        return {}
    allowed = POLICY_ACTIONS[channel.policy]
    orders = await _orders(conn, channel, fresh)
    moved: dict[int, str] = {}
    for row in fresh:
        kind = ActionKind(row["kind"])
        order = orders.get(row["order_id"])
        if UNWATCHED in row["revisions"]:
            moved[row["id"]] = LOOK_FIRST
        elif kind not in allowed:
            moved[row["id"]] = "The channel's write policy does not allow it any more"
        elif order is None or order.imported is None:
            moved[row["id"]] = "The order is not there any more"
        elif kind is ActionKind.FULFILL:
            reason = _unshippable(order, order.imported, row["shipment_id"])
            if reason:
                moved[row["id"]] = reason
        elif kind is ActionKind.CLOSE and order.imported.is_closed_there:
            moved[row["id"]] = "The order is closed there already"
    return moved


def _unshippable(order: SeenOrder, imported: ImportedOrder, shipment_id: int) -> str:
    shipment = _shipment(imported, shipment_id)
    if shipment is None or shipment.state is not ShipmentState.RECORDED:
        return "The shipment was taken back or is on the channel already"
    if order.unreadable:
        return "What the order looks like now could not be understood"
    hold = hold_of(order)
    if hold is not None:
        return f"The order is on hold: {hold.message}"
    if is_canceled(order):
        return "The order was canceled on the channel"
    return ""

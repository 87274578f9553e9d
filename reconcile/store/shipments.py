"""Reads of shipments with their lines, and why one is not on the channel yet. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.order_types import ShipmentOrigin, ShipmentState
from reconcile.store.page import grouped


@dataclass(frozen=True, slots=True)
class ShippedLine:
    """Units of one order line in a shipment."""

    line_id: int
    """Ours, of the order line."""
    quantity: int


@dataclass(frozen=True, slots=True)
class ShipmentRow:
    """What left, or is recorded to leave, together."""

    id: int
    channel_id: int
    order_id: int
    origin: ShipmentOrigin
    state: ShipmentState
    reference: str | None
    tracking_number: str
    carrier: str
    service: str
    tracking_url: str
    notify_customer: bool
    shipped_at: datetime
    remote_ids: tuple[str, ...]
    created_by: str | None
    created_at: datetime
    pushed_at: datetime | None
    revision: int
    lines: tuple[ShippedLine, ...]
    message: str
    """How its way to the channel stands, in words; empty where there is nothing to say."""


_SHIPMENTS = """
SELECT s.id, s.channel_id, s.order_id, s.origin, s.state, s.reference, s.tracking_number,
       s.carrier, s.service, s.tracking_url, s.notify_customer, s.shipped_at, s.remote_ids,
       s.created_by, s.created_at, s.pushed_at, s.revision, p.units,
       a.state AS action_state, a.message AS action_message, a.outcome_message,
       f.message AS failure, c.message AS waits
FROM shipments s
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(order_line_id, quantity) ORDER BY order_line_id) AS units
    FROM shipment_lines WHERE shipment_id = s.id) p ON true
LEFT JOIN LATERAL (
    SELECT state, message, outcome_message FROM actions
    WHERE object_id = 'shipment:' || s.id ORDER BY id DESC LIMIT 1) a ON true
LEFT JOIN LATERAL (
    SELECT message FROM failures WHERE object_id = 'shipment:' || s.id ORDER BY at DESC LIMIT 1
    ) f ON true
LEFT JOIN LATERAL (
    SELECT c.message FROM orders o JOIN conditions c ON c.object_kind = 'order'
        AND c.object_id = o.remote_order_id AND c.type = 'SYNC_ORDERS'
        -- What failed is said of the shipment that did.
        AND c.reason <> 'FailedBefore'
    WHERE o.id = s.order_id AND s.state = 'RECORDED') c ON true
"""
_NOT_THERE = frozenset({None, "CANCELED"})
_UNDER_WAY = frozenset({"DUE", "SENDING"})


def _message(row: RowMapping) -> str:
    """The failure before the last action, which was planned before it and says less.

    Where no action is left, what the last decision about the order says.
    """
    if row["state"] != ShipmentState.RECORDED or row["origin"] != ShipmentOrigin.OURS:
        return ""
    said: str = row["outcome_message"] or row["action_message"] or ""
    if row["failure"] is not None:
        return f"It failed: {row['failure']}"
    if row["action_state"] in _NOT_THERE:
        return row["waits"] or "It is sent with the next run of SYNC_ORDERS."
    if row["action_state"] in _UNDER_WAY:
        return "It is on its way to the channel."
    return said


def _shipment(row: RowMapping) -> ShipmentRow:
    values: dict[str, Any] = {
        name: row[name]
        for name in ShipmentRow.__dataclass_fields__
        if name not in ("lines", "message")
    }
    values["origin"] = ShipmentOrigin(row["origin"])
    values["state"] = ShipmentState(row["state"])
    values["remote_ids"] = tuple(row["remote_ids"])
    lines = tuple(ShippedLine(*item) for item in row["units"] or ())
    return ShipmentRow(**values, lines=lines, message=_message(row))


async def shipments_of(
    conn: AsyncConnection, order_ids: Sequence[int]
) -> dict[int, tuple[ShipmentRow, ...]]:
    """All shipments of many orders, in the order they were recorded; one statement."""
    result = await conn.execute(
        text(f"{_SHIPMENTS} WHERE s.order_id = ANY(:ids) ORDER BY s.order_id, s.id"),
        {"ids": list(order_ids)},
    )
    rows = [_shipment(row) for row in result.mappings()]
    return grouped(rows, lambda row: row.order_id)


async def shipments_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, ShipmentRow]:
    """The shipments of these ids."""
    result = await conn.execute(text(f"{_SHIPMENTS} WHERE s.id = ANY(:ids)"), {"ids": list(ids)})
    return {row["id"]: _shipment(row) for row in result.mappings()}

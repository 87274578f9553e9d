"""Orders as values ↔ orders as columns: the one place that knows both forms.

Personal data goes into the `personal` column and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping

from reconcile.core.remote_order_types import (
    Address,
    Impediment,
    OrderStage,
    OrderVerdict,
    PaymentStatus,
    RemoteFulfillment,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.types import RemoteRef


def remote_order_json(order: RemoteOrder) -> dict[str, Any]:
    """The columns of `remote_orders` that an observation fills, as JSON."""
    return {
        "remote_id": order.id,
        "number": order.number,
        "stage": order.stage,
        "status": order.status,
        "payment": order.payment,
        "currency": order.currency,
        "total": order.total or None,
        "ordered_at": order.created_at,
        "modified_at": order.modified_at,
        "ended_at": order.ended_at,
        "lines": [_line_json(line) for line in order.lines],
        "shipping": [{"keys": list(text.keys), "title": text.title} for text in order.shipping],
        "shipping_keys": shipping_keys(order),
        "fulfillments": [_fulfillment_json(item) for item in order.fulfillments],
        "is_digital": order.is_digital,
        "facets": {name: list(values) for name, values in order.facets.items()},
        "impediments": [
            {"verdict": item.verdict, "code": item.code, "message": item.message}
            for item in order.impediments
        ],
        "withheld": dict(order.withheld),
        "aspects": dict(order.aspects),
        "personal": personal_json(order),
    }


def shipping_keys(order: RemoteOrder) -> list[str]:
    """Every text a shipping mapping could be about; the empty one where the order names none."""
    keys = [key for text in order.shipping for key in text.keys]
    if not keys and not order.is_digital:
        return [""]
    return list(dict.fromkeys(keys))


def personal_json(order: RemoteOrder) -> dict[str, Any]:
    """What retention erases of an order that was seen."""
    return {
        "email": order.email,
        "billing": None if order.billing is None else asdict(order.billing),
        "ship_to": None if order.ship_to is None else asdict(order.ship_to),
        "note": order.note,
        "custom": dict(order.custom),
        "lines": {line.id: dict(line.custom) for line in order.lines if line.custom},
    }


def _line_json(line: RemoteOrderLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "canceled": line.canceled,
        "parent": line.ref.listing if line.ref else None,
        "variant": line.ref.variant if line.ref else None,
        "unit_price": line.unit_price,
        "total": line.total,
        "weight": line.weight,
        "is_digital": line.is_digital,
    }


def _fulfillment_json(item: RemoteFulfillment) -> dict[str, Any]:
    return {
        "id": item.id,
        "lines": None if item.lines is None else dict(item.lines),
        "tracking_number": item.tracking_number,
        "carrier": item.carrier,
        "tracking_url": item.tracking_url,
        "shipped_at": item.shipped_at,
    }


def remote_order(row: RowMapping | Mapping[str, Any]) -> RemoteOrder:
    """An order as it was last seen, out of its row; erased personal data is simply not there."""
    personal: Mapping[str, Any] = row["personal"] or {}
    of_lines: Mapping[str, Mapping[str, str]] = personal.get("lines") or {}
    return RemoteOrder(
        id=row["remote_id"],
        number=row["number"],
        stage=OrderStage(row["stage"]),
        status=row["status"],
        currency=row["currency"],
        total=exact(row["total"]) or "",
        created_at=row["ordered_at"],
        modified_at=row["modified_at"],
        ended_at=row["ended_at"],
        payment=PaymentStatus(row["payment"]),
        lines=tuple(_line(item, of_lines.get(item["id"], {})) for item in row["lines"]),
        shipping=tuple(
            ShippingText(tuple(item["keys"]), item["title"]) for item in row["shipping"]
        ),
        fulfillments=tuple(_fulfillment(item) for item in row["fulfillments"]),
        email=personal.get("email", ""),
        billing=_address(personal.get("billing")),
        ship_to=_address(personal.get("ship_to")),
        note=personal.get("note", ""),
        custom=personal.get("custom", {}),
        is_digital=row["is_digital"],
        facets={name: tuple(values) for name, values in row["facets"].items()},
        impediments=tuple(
            Impediment(OrderVerdict(item["verdict"]), item["code"], item["message"])
            for item in row["impediments"]
        ),
        withheld=row["withheld"],
        aspects=row["aspects"],
    )


def exact(value: Decimal | None) -> str | None:
    """A stored amount as exact text, with the digits it was stored with."""
    return None if value is None else format(value, "f")


def _address(stored: Mapping[str, str] | None) -> Address | None:
    return None if stored is None else Address(**stored)


def _line(item: Mapping[str, Any], custom: Mapping[str, str]) -> RemoteOrderLine:
    ref = None if item["parent"] is None else RemoteRef(item["parent"], item["variant"])
    return RemoteOrderLine(
        id=item["id"],
        sku=item["sku"],
        title=item["title"],
        quantity=item["quantity"],
        canceled=item["canceled"],
        ref=ref,
        unit_price=item["unit_price"],
        total=item["total"],
        weight=item["weight"],
        custom=custom,
        is_digital=item["is_digital"],
    )


def _fulfillment(item: Mapping[str, Any]) -> RemoteFulfillment:
    at = item["shipped_at"]
    return RemoteFulfillment(
        id=item["id"],
        lines=item["lines"],
        tracking_number=item["tracking_number"],
        carrier=item["carrier"],
        tracking_url=item["tracking_url"],
        shipped_at=None if at is None else datetime.fromisoformat(at),
    )

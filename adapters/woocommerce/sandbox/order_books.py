"""What the books show of an order. No address, no e-mail and no name of a person is among it."""

from collections.abc import Mapping
from datetime import UTC

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.ordering import (
    Fulfillment,
    Line,
    Order,
    Refund,
    Tracking,
    written,
)
from adapters.woocommerce.sandbox.providers import shown_provider


def order_facts(order: Order, items: Mapping[int, Item]) -> Json:
    """Return what the books show of an order."""
    return {
        "id": order.id,
        "number": order.shown_number,
        "status": order.status,
        "total": written(order.total),
        "currency": order.currency,
        "date_modified": order.modified.astimezone(UTC).isoformat(),
        "lines": [_line(line, items) for line in order.lines],
        "notes": [
            {"id": n.id, "text": n.text, "customer": n.for_customer, "author": n.author, "by": n.by}
            for n in order.notes
        ],
        "refunds": [_refund(refund) for refund in order.refunds],
        "fulfillments": [_fulfillment(f) for f in order.fulfillments if f.deleted is None],
        "trackings": [_tracking(row) for row in order.trackings],
    }


def units_of(fulfillment: Fulfillment) -> dict[int, int]:
    """Return the units of each line that a fulfillment is about."""
    units: dict[int, int] = {}
    for meta in fulfillment.meta:
        rows = meta.value if meta.key == "_items" and isinstance(meta.value, list) else []
        for row in rows:
            if isinstance(row, dict):
                line_id = id_of(row.get("item_id"))
                units[line_id] = units.get(line_id, 0) + id_of(row.get("qty"))
    return units


def _line(line: Line, items: Mapping[int, Item]) -> Json:
    item = items.get(line.variation_id or line.product_id)
    return {
        "id": line.id,
        "sku": item.sku if item is not None else None,
        "name": line.name,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "quantity": line.quantity,
        "total": written(line.total),
    }


def _refund(refund: Refund) -> Json:
    units: Json = {str(part.line.id): part.quantity for part in refund.lines}
    return {"id": refund.id, "amount": written(refund.amount), "by": refund.by, "lines": units}


def _tracking(row: Tracking) -> Json:
    provider, link = shown_provider(row)
    return {
        "tracking_id": row.id,
        "tracking_number": row.number,
        "provider": provider,
        "link": link,
        "date_shipped": row.shipped.date().isoformat(),
        "by": row.by,
    }


def _fulfillment(shown: Fulfillment) -> Json:
    meta: dict[str, Json] = {entry.key: entry.value for entry in shown.meta}
    units: Json = {str(line_id): quantity for line_id, quantity in units_of(shown).items()}
    return {
        "id": shown.id,
        "status": shown.status,
        "is_fulfilled": shown.is_fulfilled,
        "items": units,
        "tracking_number": meta.get("_tracking_number"),
        "provider": meta.get("_shipment_provider"),
        "tracking_url": meta.get("_tracking_url"),
        "meta": meta,
        "notified": shown.told,
        "by": shown.by,
    }

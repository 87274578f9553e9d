"""Tells a store of a shipment by WooCommerce's own order fulfillments, where they are enabled.

A fulfillment says which lines left. It is found again by metadata of ours.
"""

from adapters.http import Json
from adapters.woocommerce import wire
from adapters.woocommerce.order_client import OrderClient
from adapters.woocommerce.walk import number
from reconcile.contract import Effect, ShipmentWrite, UnexpectedResponseError

_MARK = "_tallyport_shipment"
_TRACKING = "_tracking_number"


class Fulfillments:
    """Shipments as fulfillments of the order."""

    name = "fulfillment"
    needs_number = ""
    missing = (
        "Order fulfillments are not enabled on the store (WooCommerce → Settings → Advanced → "
        "Features); enable them there, or choose another place for tracking in the settings of "
        "SYNC_ORDERS"
    )

    def __init__(self, client: OrderClient) -> None:
        self._client = client

    def route(self, order_id: int) -> str:
        """What the log calls the request."""
        return f"POST /orders/{order_id}/fulfillments"

    async def find(self, order_id: int, shipment: ShipmentWrite) -> str | None:
        """Id of the fulfillment with our mark, else of one that nobody here remembers."""
        rows = await self._client.listed(f"/orders/{order_id}/fulfillments", "fulfillments")
        found = [row for row in rows if _is_about(row, shipment)]
        found = found or [row for row in rows if _is_forgotten(row, shipment)]
        return str(min(wire.integer(row, "id") for row in found)) if found else None

    async def write(self, order_id: int, shipment: ShipmentWrite) -> str:
        """Create the fulfillment; the customer is told if the shipment says so."""
        items: list[Json] = [
            {"item_id": number(line.line_id), "qty": line.quantity} for line in shipment.lines
        ]
        said: dict[str, Json] = {
            "_items": items,
            _TRACKING: shipment.tracking_number,
            "_shipment_provider": shipment.carrier,
            "_tracking_url": shipment.tracking_url,
            _MARK: shipment.id,
        }
        meta: list[Json] = [{"key": key, "value": value} for key, value in said.items() if value]
        body: Json = {
            "status": "fulfilled",
            "is_fulfilled": True,
            "meta_data": meta,
            "notify_customer": shipment.notify_customer,
        }
        row = await self._client.create(f"/orders/{order_id}/fulfillments", body, "fulfillment")
        try:
            return str(wire.integer(row, "id"))
        except wire.ShapeError as error:
            message = "The store answered without the id of the fulfillment it created"
            raise UnexpectedResponseError(message, effect=Effect.POSSIBLE) from error


def _is_about(row: wire.Row, shipment: ShipmentWrite) -> bool:
    """Whether a fulfillment is this shipment: our mark, the same number, the same lines."""
    meta = _meta(row)
    theirs = {wire.text(item, "item_id") for item in wire.rows(meta, "_items")}
    ours = {line.line_id for line in shipment.lines}
    is_same = _has_number(meta, shipment) and theirs in (set(), ours)
    return str(meta.get(_MARK) or "") == shipment.id and is_same


def _is_forgotten(row: wire.Row, shipment: ShipmentWrite) -> bool:
    """Whether a fulfillment is that of a shipment our records have lost, in the same words."""
    meta = _meta(row)
    mark = str(meta.get(_MARK) or "")
    theirs = {
        wire.text(item, "item_id"): wire.text(item, "qty") for item in wire.rows(meta, "_items")
    }
    ours = {line.line_id: str(line.quantity) for line in shipment.lines}
    is_lost = mark.isdecimal() and mark not in shipment.siblings | {shipment.id}
    return is_lost and _has_number(meta, shipment) and theirs == ours


def _meta(row: wire.Row) -> dict[str, Json]:
    return {str(item.get("key")): item.get("value") for item in wire.rows(row, "meta_data")}


def _has_number(meta: wire.Row, shipment: ShipmentWrite) -> bool:
    return str(meta.get(_TRACKING) or "").strip() == shipment.tracking_number.strip()

"""Where tracking goes in WooCommerce: a desk whose store has what the chosen way needs."""

from collections.abc import Mapping
from typing import Any

from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.order_hands import Placed
from tests.features.stores import WooStore

WAYS: Mapping[str, Mapping[str, Any]] = {
    "note": {},
    "shipment_tracking": {"shipment_tracking": True},
    "fulfillments": {"fulfillments": True},
}
"""Where tracking goes → what the store has to have for it."""


def desk_by(open_shop: Open, way: str = "note", **options: Any) -> Desk[WooStore]:
    """Open a stocked desk whose shipments go that way."""
    shop = open_shop("woocommerce", **{**WAYS[way], **options})
    shop.connect()
    desk: Desk[WooStore] = Desk(shop)
    desk.map("flat_rate")
    desk.settings("sync-orders", tracking=way)
    desk.stock(MUG=50, CUP=50)
    return desk


def imported(desk: Desk[Any], *lines: tuple[str, int], **words: Any) -> Placed:
    """Place an order, of two mugs and a cup where nothing else is said, and import it."""
    order = desk.place(*(lines or (("MUG", 2), ("CUP", 1))), **words)
    desk.poll(result="SUCCEEDED")
    return order

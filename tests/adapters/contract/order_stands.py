"""How the order part of the contract suite gets a store it can fill with orders and look into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox
from adapters.woocommerce.settings import SyncOrdersSettings
from reconcile.contract import Adapter
from reconcile.core.actions import ActionKind
from reconcile.core.remote_order_types import OrderStage
from tests.adapters.shops import PlainTransport, WooShop

PERSON = {
    "first_name": "Plantedname",
    "last_name": "Plantedlast",
    "address_1": "7 Planted Street",
    "city": "Plantedcity",
    "postcode": "PL4NT",
    "country": "FR",
    "phone": "+33 555 7777",
}
"""Personal data that must not be found where it does not belong."""
PLANTED = (
    *(value for value in PERSON.values() if value != "FR"),
    "planted@example.com",
    "Secretly",
)


@dataclass(frozen=True)
class OrderStand:
    """One platform's store of orders."""

    adapter: Callable[[], Adapter]
    with_wrong_login: Callable[[], Adapter]
    fault: Callable[..., None]
    requests: Callable[[], Mapping[str, int]]
    forget: Callable[[], None]
    settle: Callable[[], Any]
    transport: PlainTransport
    place: Callable[[int], list[str]]
    """Places so many plain orders at once and gives their ids."""
    place_in: Callable[[OrderStage], str]
    """Places an order that has come to this stage."""
    delete: Callable[[str], Any]
    written: Callable[[str], dict[str, int]]
    """How much of each kind we wrote about an order: notes, trackings, fulfillments."""
    list_path: str
    write_paths: Mapping[tuple[ActionKind, str], str]
    """(action, way) → part of the path of the request that carries the effect."""
    settings: Mapping[str, Any]
    """Ways to be told of shipments → settings of SYNC_ORDERS."""
    per_page: int
    is_person_shown: bool = True
    """Whether the platform shows whom an order is for."""


def woocommerce() -> OrderStand:
    """A WooCommerce store with every way of tracking, and one product to buy."""
    product = {"name": "Mug", "sku": "MUG", "regular_price": "5.00"}
    options = SandboxOptions(products=[product], fulfillments=True, shipment_tracking=True)
    shop = WooShop(create_sandbox(options))
    words: dict[str, Any] = {
        "sku": "MUG",
        "quantity": 3,
        "billing": {**PERSON, "email": "planted@example.com"},
        "shipping": PERSON,
        "customer_note": "Secretly",
    }
    statuses = {
        OrderStage.DRAFT: "checkout-draft",
        OrderStage.OPEN: "processing",
        OrderStage.COMPLETED: "completed",
        OrderStage.CANCELED: "cancelled",
    }

    def place(count: int) -> list[str]:
        answer: Any = shop.sandbox.shop({"do": "orders", "count": count, **words})
        return [str(order_id) for order_id in answer["ids"]]

    def place_in(stage: OrderStage) -> str:
        order: Any = shop.sandbox.shop({"do": "buy", **words, "status": statuses[stage]})
        return str(order["id"])

    def written(order_id: str) -> dict[str, int]:
        (order,) = [row for row in shop.holdings("orders") if row["id"] == int(order_id)]
        kinds = ("notes", "trackings", "fulfillments")
        return {kind: sum(row["by"] == "api" for row in order[kind]) for kind in kinds}

    ways = {"note": "/notes", "shipment_tracking": "/shipment-trackings"}
    paths = {**ways, "fulfillments": "/fulfillments"}
    return OrderStand(
        adapter=shop.adapter,
        with_wrong_login=lambda: shop.adapter(consumer_secret="cs_wrong"),
        fault=shop.fault,
        requests=lambda: shop.requests,
        forget=shop.forget,
        settle=shop.sandbox.app.settle,
        transport=shop.transport,
        place=place,
        place_in=place_in,
        delete=lambda order_id: shop.sandbox.shop({"do": "delete", "order": int(order_id)}),
        written=written,
        list_path="/orders",
        write_paths={
            **{(ActionKind.FULFILL, way): path for way, path in paths.items()},
            **{(ActionKind.CLOSE, way): "/orders/" for way in paths},
        },
        settings={way: SyncOrdersSettings(tracking=way, complete_shipped=True) for way in paths},
        per_page=100,
    )


ORDER_STANDS: Mapping[str, Callable[[], OrderStand]] = {"woocommerce": woocommerce}
"""Platform name → its stand."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

"""How the contract suite gets a store of each platform that it can seed, break and look into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconcile.contract import Adapter
from reconcile.core.actions import ActionKind
from tests.adapters.shops import PlainTransport, WooShop


@dataclass(frozen=True)
class Stand:
    """One platform's store, with what the suite must know of its routes."""

    adapter: Callable[..., Adapter]
    """A new adapter; `which="read_only"` with a key that may only read."""
    with_wrong_login: Callable[[], Adapter]
    fault: Callable[..., None]
    heal: Callable[[], None]
    shop: Callable[[dict[str, Any]], Any]
    """The merchant's hand: {"do": "delete", "sku": ...}."""
    requests: Callable[[], Mapping[str, int]]
    forget: Callable[[], None]
    settle: Callable[[], Any]
    transport: PlainTransport
    read_path: str
    write_paths: Mapping[ActionKind, str]
    """Part of the path of the request that carries the effect."""
    secrets: tuple[str, ...]
    skus: Callable[[], list[str]]
    """All SKUs the store holds."""


def woocommerce(products: int, variable: int, batch_size: int) -> Stand:
    """A WooCommerce store with simple and variable products: SKUs S-0…, V-0-S, V-0-M…."""
    simple: list[dict[str, Any]] = [
        {
            "name": f"Simple {n}",
            "sku": f"S-{n}",
            "regular_price": "5.00",
            "manage_stock": True,
            "stock_quantity": 3,
        }
        for n in range(products)
    ]
    many: list[dict[str, Any]] = [
        {
            "name": f"Variable {n}",
            "type": "variable",
            "attributes": [{"name": "Size", "options": ["S", "M"], "variation": True}],
            "variations": [
                {
                    "sku": f"V-{n}-{size}",
                    "regular_price": "7",
                    "attributes": [{"name": "Size", "option": size}],
                }
                for size in "SM"
            ],
        }
        for n in range(variable)
    ]
    shop = WooShop.open([*simple, *many], batch_size=batch_size)
    return Stand(
        adapter=shop.adapter,
        with_wrong_login=lambda: shop.adapter(consumer_secret="cs_wrong"),
        fault=shop.fault,
        heal=shop.heal,
        shop=shop.sandbox.shop,
        requests=lambda: shop.requests,
        forget=shop.forget,
        settle=shop.sandbox.app.settle,
        transport=shop.transport,
        read_path="/products",
        write_paths=dict.fromkeys(ActionKind, "/batch"),
        secrets=tuple(shop.sandbox.credentials.values()),
        skus=lambda: [
            item["sku"] for kind in ("products", "variations") for item in shop.holdings(kind)
        ],
    )


STANDS: Mapping[str, Callable[[int, int, int], Stand]] = {"woocommerce": woocommerce}
"""Platform name → its stand: (simple products, variable products, rows per request)."""

"""A simulated store to sell from, and what is done and seen at its counter."""

from typing import Any

import httpx

from adapters.sandbox import Sandbox
from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox

BASE = "https://shop.example"
API = "/wp-json/wc/v3"
Json = Any  # bodies are whatever the simulated store says

PRODUCTS: list[dict[str, Json]] = [
    {
        "name": "Mug",
        "sku": "MUG",
        "regular_price": "5",
        "manage_stock": True,
        "stock_quantity": 30,
    },
    {"name": "Pot", "sku": "POT", "regular_price": "7"},
    {"name": "Guide", "sku": "PDF", "virtual": True, "downloadable": True, "regular_price": "2"},
]


def make(**options: Json) -> Sandbox:
    """Make a store with a mug, a pot and a guide to read."""
    return create_sandbox(SandboxOptions(products=PRODUCTS, **options))


def client_of(sandbox: Sandbox, which: str | None = None) -> httpx.AsyncClient:
    """Return a client with one of the store's keys, in process."""
    keys = sandbox.credentials if which is None else sandbox.other_credentials[which]
    auth = (keys["consumer_key"], keys["consumer_secret"])
    return httpx.AsyncClient(transport=sandbox.transport(), base_url=BASE + API, auth=auth)


def done(sandbox: Sandbox, what: str, **words: Json) -> Json:
    """Let the shopkeeper do something."""
    return sandbox.shop({"do": what, **words})


def held(sandbox: Sandbox, order_id: int) -> Json:
    """Return what the books say of an order."""
    holdings: Json = sandbox.books.report()["holdings"]
    return next(row for row in holdings["orders"] if row["id"] == order_id)


def stock_of(sandbox: Sandbox, sku: str) -> Json:
    """Return the quantity the books say of a product."""
    holdings: Json = sandbox.books.report()["holdings"]
    return next(row["stock_quantity"] for row in holdings["products"] if row["sku"] == sku)

"""The books of the test platform: products in memory, the requests it was asked, planned faults."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconcile.contract import (
    AdapterError,
    Effect,
    UnavailableError,
)
from reconcile.core.remote_order_types import RemoteOrderLine
from tests.order_double import StoreOrder


@dataclass
class StoreVariant:
    """What the store holds for one sellable object."""

    sku: str | None
    price: str | None = None
    quantity: int | None = None
    barcode: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    id: str = ""
    """Empty for a product without options."""


@dataclass
class StoreProduct:
    """One product of the store."""

    id: str
    title: str
    variants: list[StoreVariant]
    description: str = ""
    images: dict[str, str] = field(default_factory=dict)
    status: str = "publish"
    """`publish`, `draft` (hidden) or `trash` (gone)."""


def variant(
    sku: str | None,
    price: str | None = None,
    quantity: int | None = None,
    barcode: str | None = None,
    options: tuple[tuple[str, str], ...] = (),
) -> StoreVariant:
    """A variant for `DoubleStore.add`."""
    return StoreVariant(sku, price, quantity, barcode, options)


@dataclass
class Fault:
    """Makes one call fail, before or after its effect."""

    call: str
    """Start of the request's name: `sync`, `listings`, `check`, or empty for any."""
    error: Exception
    after_effect: bool = False


@dataclass
class DoubleStore:
    """The books of one store; tests read and change them freely."""

    account_id: str = "account-main"
    currency: str = "EUR"
    secret: str = "right"
    products: dict[str, StoreProduct] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """Name of every request in order: `check`, `listings`, `sync 3` (rows), ..."""
    faults: deque[Fault] = field(default_factory=deque)
    orders: dict[str, StoreOrder] = field(default_factory=dict)
    last_id: int = 100

    def new_id(self) -> str:
        """The next id of this store."""
        self.last_id += 1
        return str(self.last_id)

    def add(self, title: str, *variants: StoreVariant, status: str = "publish") -> StoreProduct:
        """Put a product on the store behind the product's back; several variants have options."""
        product = StoreProduct(self.new_id(), title, list(variants), status=status)
        if len(variants) > 1 or variants[0].options:
            for item in variants:
                item.id = self.new_id()
        self.products[product.id] = product
        return product

    def order(
        self, *lines: RemoteOrderLine, at: datetime, number: str = "", **fields: Any
    ) -> StoreOrder:
        """A shopper orders, or the merchant puts an order in."""
        key = self.new_id()
        made = StoreOrder(key, number or key, list(lines), at, at)
        for name, value in fields.items():
            setattr(made, name, value)
        self.orders[key] = made
        return made

    def fail(self, error: Exception, call: str = "", *, after_effect: bool = False) -> None:
        """Make the next matching request fail."""
        self.faults.append(Fault(call, error, after_effect))

    def by_sku(self, sku: str) -> tuple[StoreProduct, StoreVariant]:
        """The one variant with this SKU; KeyError where there is none."""
        for product in self.products.values():
            for item in product.variants:
                if item.sku == sku and product.status != "trash":
                    return product, item
        raise KeyError(sku)

    def delete(self, sku: str) -> None:
        """Delete a variant, and its product when it was the last."""
        product, item = self.by_sku(sku)
        product.variants.remove(item)
        if not product.variants:
            del self.products[product.id]

    def writes(self) -> list[str]:
        """Requests that were meant to change something."""
        reads = ("check", "listings", "read", "confirm", "orders", "find_order")
        return [request for request in self.requests if not request.startswith(reads)]


def timed_out(*, effect: Effect = Effect.POSSIBLE) -> AdapterError:
    """The error of a write whose answer never came."""
    return UnavailableError("The store did not answer.", effect=effect)

"""What the demo needs of a sandbox store, whatever its platform: its books, and a merchant's hand.

Reads the simulator's control routes, never the platform's API: what our adapter claims is compared
with what the store itself holds. One `Store` class per platform; `STORES` lists them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

import httpx

Ref: TypeAlias = tuple[str, str | None]
"""Their ids of a sellable object: the product, and the variant where the product has some."""


@dataclass(frozen=True, slots=True)
class Held:
    """One sellable object as the store's books show it."""

    ref: Ref
    sku: str
    price: Decimal | None
    quantity: int | None
    is_buyable: bool
    """Visible and not sold out."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that the API did to a sellable object of the store."""

    kind: str
    """create, update or delete"""
    ref: Ref
    sku: str
    changed: frozenset[str]
    """Of an update, what changed: price, quantity, availability, other."""
    at: datetime
    """By the store's clock, which is that of this machine."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One sellable form of a product."""

    sku: str
    price: Decimal
    quantity: int
    options: tuple[tuple[str, str], ...] = ()
    """Names and values, such as Size L; none where the product has one form."""


@dataclass(frozen=True, slots=True)
class Goods:
    """A product to put on the store's shelf by hand."""

    title: str
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Sale:
    """What a shopper orders."""

    units: tuple[tuple[str | None, int], ...]
    """SKUs and how many; None: a line typed by hand, without a product."""
    shipping: str
    """One of the store's shipping texts."""
    days_ago: int = 0
    is_paid: bool = True


@dataclass(frozen=True, slots=True)
class StoreOrder:
    """An order as the store's books show it."""

    id: str
    number: str
    told: tuple[str, ...]
    """What the API has told of shipments, in whichever way: each with its tracking number."""


class Store(Protocol):
    """One sandbox store."""

    def held(self) -> Mapping[Ref, Held]:
        """Every sellable object the store holds now."""
        ...

    def serial(self) -> int:
        """Where the books are now; effects after it are later."""
        ...

    def effects(self, since: int) -> Sequence[Effect]:
        """What the API (not the merchant) did after `since`."""
        ...

    def requests(self) -> int:
        """Requests the store was asked in all."""
        ...

    def add(self, goods: Goods) -> None:
        """The merchant adds a product in the store."""
        ...

    def delete(self, sku: str) -> None:
        """The merchant deletes a product in the store."""
        ...

    @property
    def shipping_texts(self) -> Sequence[str]:
        """Three texts that orders of the store can name, as a mapping compares them."""
        ...

    def sell(self, sale: Sale) -> str:
        """A shopper orders; the id of the order."""
        ...

    def cancel(self, order_id: str) -> None:
        """The shopper cancels an order."""
        ...

    def orders(self) -> Mapping[str, StoreOrder]:
        """Every order the store holds, by id."""
        ...


class _Control:
    """The control routes all simulators share."""

    def __init__(self, url: str) -> None:
        self._url = url

    def books(self, since: int = 0) -> dict[str, Any]:
        response = httpx.get(f"{self._url}/_books", params={"since": since}, timeout=30.0)
        answer: dict[str, Any] = response.json()
        return answer

    def shop(self, order: Mapping[str, Any]) -> dict[str, Any]:
        response = httpx.post(f"{self._url}/_shop", json=dict(order), timeout=30.0)
        if response.is_error:
            raise ValueError(f"the store refused the merchant: {response.text}")
        answer: dict[str, Any] = response.json()
        return answer


_FAR = 2**62
"""A serial no book ever reaches: asks for the counts without the log."""


class WooCommerceStore:
    """The books and the back office of a simulated WooCommerce store."""

    def __init__(self, url: str) -> None:
        self._control = _Control(url)

    def held(self) -> Mapping[Ref, Held]:
        """Simple products and variations; a variable product itself is not sold."""
        holdings = self._control.books(_FAR)["holdings"]
        parents = {row["id"]: row for row in holdings["products"]}
        held: dict[Ref, Held] = {}
        for row in [*holdings["products"], *holdings["variations"]]:
            if row.get("type") == "variable":
                continue
            shown = parents.get(row["parent_id"], row)
            reference = _woo_ref(row)
            held[reference] = Held(
                ref=reference,
                sku=str(row["sku"]),
                price=Decimal(row["regular_price"]) if row["regular_price"] else None,
                quantity=row["stock_quantity"] if row["manage_stock"] is True else None,
                is_buyable=row["stock_status"] != "outofstock"
                and all(part["status"] == "publish" for part in (row, shown))
                and shown.get("catalog_visibility", "visible") != "hidden",
            )
        return held

    def serial(self) -> int:
        """Where the books are now."""
        return int(self._control.books(_FAR)["serial"])

    def effects(self, since: int) -> Sequence[Effect]:
        """What came in through the REST API."""
        return [
            Effect(
                kind=row["effect"],
                ref=_woo_ref(row),
                sku=str(row["sku"]),
                changed=frozenset(_WOO_FIELDS.get(name, "other") for name in row.get("fields", {})),
                at=datetime.fromisoformat(row["at"]),
            )
            for row in self._control.books(since)["effects"]
            if row["by"] == "api" and row["kind"] in {"product", "variation"}
        ]

    def requests(self) -> int:
        """Requests the store was asked in all."""
        return int(self._control.books(_FAR)["requests"]["total"])

    def add(self, goods: Goods) -> None:
        """Add a simple product, or a variable one where it has options."""
        fields: dict[str, Any] = {"name": goods.title, "status": "publish"}
        first = goods.units[0]
        if first.options:
            fields["type"] = "variable"
            fields["attributes"] = [
                {
                    "name": name,
                    "variation": True,
                    "visible": True,
                    "options": list(
                        dict.fromkeys(dict(unit.options)[name] for unit in goods.units)
                    ),
                }
                for name, _ in first.options
            ]
            fields["variations"] = [
                _woo_unit(unit)
                | {"attributes": [{"name": name, "option": value} for name, value in unit.options]}
                for unit in goods.units
            ]
        else:
            fields |= {"type": "simple"} | _woo_unit(first)
        self._control.shop({"do": "create", "fields": fields})

    def delete(self, sku: str) -> None:
        """Delete a product for good."""
        self._control.shop({"do": "delete", "sku": sku})

    @property
    def shipping_texts(self) -> Sequence[str]:
        """Ids of shipping methods."""
        return ("flat_rate", "local_pickup", "bicycle_courier")

    def sell(self, sale: Sale) -> str:
        """Buy; what is not paid waits for its payment."""
        order: dict[str, Any] = {
            "do": "buy",
            "lines": [
                {"sku": sku, "quantity": number}
                if sku is not None
                else {"name": "Typed by hand", "quantity": number, "total": "5.00"}
                for sku, number in sale.units
            ],
            "shipping_method": {
                "method_id": sale.shipping,
                "title": sale.shipping.replace("_", " ").capitalize(),
            },
            "status": "processing" if sale.is_paid else "pending",
        }
        if sale.days_ago:
            at = datetime.now(UTC) - timedelta(days=sale.days_ago)
            order["ordered_at"] = at.isoformat(timespec="seconds")
        return str(self._control.shop(order)["id"])

    def cancel(self, order_id: str) -> None:
        """Cancel an order; its goods go back on the shelf."""
        self._control.shop({"do": "cancel", "order": int(order_id)})

    def orders(self) -> Mapping[str, StoreOrder]:
        """Orders with the notes that came in through the REST API."""
        return {
            str(row["id"]): StoreOrder(
                id=str(row["id"]),
                number=str(row["number"]),
                told=tuple(note["text"] for note in row["notes"] if note["by"] == "api"),
            )
            for row in self._control.books(_FAR)["holdings"]["orders"]
        }


_WOO_FIELDS = {
    "regular_price": "price",
    "price": "price",
    "stock_quantity": "quantity",
    "stock_status": "availability",
    "backorders": "availability",
    "manage_stock": "availability",
    "status": "availability",
    "catalog_visibility": "availability",
}


def _woo_unit(unit: Unit) -> dict[str, Any]:
    return {
        "sku": unit.sku,
        "regular_price": str(unit.price),
        "manage_stock": True,
        "stock_quantity": unit.quantity,
    }


def _woo_ref(row: Mapping[str, Any]) -> Ref:
    parent = row["parent_id"]
    return (str(parent), str(row["id"])) if parent else (str(row["id"]), None)


STORES: Mapping[str, type[WooCommerceStore]] = {"woocommerce": WooCommerceStore}
"""How the demo reads the books of each platform's sandbox."""

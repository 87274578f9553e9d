"""Simulated stores: their books, a merchant's hand, and a saboteur's.

Speaks to the control routes only. One class per platform; `STORES` lists them. What is generic
(`Shelf`) is enough for the rows of group A; a platform's own rows use its own class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import httpx

from tests.features.loopback import Loopback
from tests.features.order_hands import OrderHand, WooOrders


@dataclass(frozen=True, slots=True)
class Held:
    """One sellable object as the store holds it."""

    product: str
    variant: str | None
    sku: str
    price: Decimal | None
    quantity: int | None
    is_buyable: bool


class Shelf(Protocol):
    """What every simulated store can be asked and told, whatever its platform."""

    platform: str
    url: str

    @property
    def orders(self) -> OrderHand:
        """Its orders: what shoppers and the merchant do, and the books."""
        ...

    def credentials(self) -> Mapping[str, str]:
        """What opens it, by field."""
        ...

    def wrong_credentials(self) -> Mapping[str, str]:
        """What has the right form and opens nothing."""
        ...

    def add(
        self,
        sku: str,
        *,
        price: str = "10.00",
        quantity: int | None = 5,
        title: str = "",
        options: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """The merchant adds a product; with options, a variant `sku-VALUE` for each value."""
        ...

    def reprice(self, sku: str, price: str) -> None:
        """The merchant changes a price."""
        ...

    def delete(self, sku: str) -> None:
        """The merchant deletes for good."""
        ...

    def held(self) -> Mapping[str, Held]:
        """What is on sale, by SKU."""
        ...

    def serial(self) -> int:
        """Where the books are now."""
        ...

    def effects(self, since: int = 0) -> Sequence[Mapping[str, Any]]:
        """What the API did to products and variants after `since`."""
        ...

    def requests(self, since: int = 0) -> Sequence[Mapping[str, Any]]:
        """What the API was asked after `since`."""
        ...

    def fault(self, effect: str, **order: Any) -> None:
        """Let requests fail; `match` parts and details of the simulator's `/_faults`."""
        ...

    def heal(self) -> None:
        """No more faults."""
        ...

    def close(self) -> None:
        """Close it for good."""
        ...


class WooStore:
    """A simulated WooCommerce store."""

    platform = "woocommerce"

    def __init__(self, loopback: Loopback, **options: Any) -> None:
        # Here: the harness starts a store through its public maker and knows no more of it.
        from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox

        self._sandbox = create_sandbox(SandboxOptions(**options))
        self._served = loopback.serve(self._sandbox.app)
        self.url = self._served.url
        self._http = httpx.Client(base_url=self.url, timeout=30.0)
        self._orders = WooOrders(self.shop, lambda: self.books(2**62))

    @property
    def orders(self) -> WooOrders:
        """Its orders."""
        return self._orders

    def credentials(self) -> Mapping[str, str]:
        """Keys that may read and write."""
        return self._sandbox.credentials_at(self.url)

    def keys(self, which: str) -> Mapping[str, str]:
        """Other keys of the store: read_only or write_only."""
        return self._sandbox.credentials_at(self.url, which)

    def wrong_credentials(self) -> Mapping[str, str]:
        """A consumer secret that is not the key's."""
        return {**self.credentials(), "consumer_secret": "cs_" + "9" * 40}

    def add(
        self,
        sku: str,
        *,
        price: str = "10.00",
        quantity: int | None = 5,
        title: str = "",
        options: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Add a simple product, or a variable one with a variation per value of its one option."""
        fields: dict[str, Any] = {"name": title or sku, "status": "publish"}
        stock = {} if quantity is None else {"manage_stock": True, "stock_quantity": quantity}
        if not options:
            self.create({**fields, "sku": sku, "regular_price": price, **stock})
            return
        [(name, values)] = options.items()
        self.create(
            {
                **fields,
                "type": "variable",
                "sku": sku,
                "attributes": [
                    {"name": name, "variation": True, "visible": True, "options": list(values)}
                ],
                "variations": [
                    {
                        "sku": f"{sku}-{value}",
                        "regular_price": price,
                        "attributes": [{"name": name, "option": value}],
                        **stock,
                    }
                    for value in values
                ],
            }
        )

    def create(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The merchant creates a product with these very fields."""
        return self.shop({"do": "create", "fields": dict(fields)})

    def change(self, sku: str, **fields: Any) -> None:
        """The merchant changes fields."""
        self.shop({"do": "update", "sku": sku, "fields": fields})

    def reprice(self, sku: str, price: str) -> None:
        """The merchant changes a price."""
        self.change(sku, regular_price=price)

    def delete(self, sku: str) -> None:
        """The merchant deletes for good."""
        self.shop({"do": "delete", "sku": sku})

    def trash(self, sku: str) -> None:
        """The merchant moves a product to the trash."""
        self.shop({"do": "trash", "sku": sku})

    def shop(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give an order in the back office."""
        response = self._http.post("/_shop", json=dict(order))
        assert response.is_success, response.text
        answer: Mapping[str, Any] = response.json()
        return answer

    def books(self, since: int = 0) -> Mapping[str, Any]:
        """The books, with log and effects after `since`."""
        answer: Mapping[str, Any] = self._http.get("/_books", params={"since": since}).json()
        return answer

    def products(self) -> Mapping[str, Mapping[str, Any]]:
        """Products and variations as the store keeps them, by SKU."""
        holdings = self.books(2**62)["holdings"]
        return {
            row["sku"]: row
            for row in [*holdings["products"], *holdings["variations"]]
            if row.get("status") != "trash"
        }

    def held(self) -> Mapping[str, Held]:
        """Simple products and variations that are not in the trash."""
        found = {}
        for sku, row in self.products().items():
            if row.get("type") == "variable":
                continue
            parent = row["parent_id"]
            found[sku] = Held(
                product=str(parent or row["id"]),
                variant=str(row["id"]) if parent else None,
                sku=sku,
                price=Decimal(row["regular_price"]) if row["regular_price"] else None,
                quantity=row["stock_quantity"] if row["manage_stock"] is True else None,
                is_buyable=row["stock_status"] != "outofstock" and row["status"] == "publish",
            )
        return found

    def serial(self) -> int:
        """Where the books are now."""
        return int(self.books(2**62)["serial"])

    def effects(self, since: int = 0) -> Sequence[Mapping[str, Any]]:
        """What came in through the REST API, to products and variations."""
        return [
            row
            for row in self.books(since)["effects"]
            if row["by"] == "api" and row["kind"] in {"product", "variation"}
        ]

    def requests(self, since: int = 0) -> Sequence[Mapping[str, Any]]:
        """Every request that came in."""
        log: Sequence[Mapping[str, Any]] = self.books(since)["log"]
        return log

    def fault(self, effect: str, **order: Any) -> None:
        """Let requests fail."""
        response = self._http.post("/_faults", json={"effect": effect, **order})
        assert response.is_success, response.text

    def heal(self) -> None:
        """No more faults."""
        self._http.delete("/_faults")

    def struck(self) -> int:
        """How many requests the faults have hit."""
        return sum(row["done"] for row in _rows(self._http.get("/_faults").json()))

    def close(self) -> None:
        """Close it for good."""
        self._http.close()
        self._served.close()


def _rows(answer: Any) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = answer["faults"] if isinstance(answer, dict) else answer
    return rows


STORES: Mapping[str, type[WooStore]] = {WooStore.platform: WooStore}
"""Platform → how its simulator is started and read."""

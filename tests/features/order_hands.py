"""What shoppers and the merchant do to orders in a simulated store, and what its books say of them.

Speaks to the control routes only. `OrderHand` is what the rows of group A need on every platform;
a platform's own rows use its own class.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeAlias

Ask: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Gives one order in the back office and returns its answer."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as the store took it."""

    id: str
    number: str
    lines: tuple[str, ...]
    """The store's ids of the lines, in their order."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the store was told of one shipment, in whichever way."""

    id: str
    text: str
    """All it says, as text."""
    units: Mapping[str, int]
    """The store's line → units; empty where the way does not say."""


class OrderHand(Protocol):
    """What can be done to the orders of every simulated store, whatever its platform."""

    def place(
        self,
        *lines: tuple[str, int],
        shipping: str | None = "flat_rate:1",
        days_ago: float = 0,
        is_paid: bool = True,
        number: str | None = None,
    ) -> Placed:
        """A shopper orders these SKUs."""
        ...

    def cancel(self, order: Placed) -> None:
        """The merchant cancels an order."""
        ...

    def delete(self, order: Placed) -> None:
        """The merchant deletes an order for good."""
        ...

    def told(self, order: Placed) -> Sequence[Told]:
        """What the API told the store of shipments of an order."""
        ...

    def all(self) -> Mapping[str, Mapping[str, Any]]:
        """Every order the store holds, by number."""
        ...


class WooOrders:
    """Orders of a simulated WooCommerce store."""

    def __init__(self, ask: Ask, books: Callable[[], Mapping[str, Any]]) -> None:
        self._ask = ask
        self._books = books

    # --- shoppers

    def place(
        self,
        *lines: tuple[str, int],
        shipping: str | None = "flat_rate:1",
        days_ago: float = 0,
        is_paid: bool = True,
        number: str | None = None,
    ) -> Placed:
        """Order these SKUs."""
        words: dict[str, Any] = {
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
            "shipping_method": shipping,
            "status": "processing" if is_paid else "pending",
        }
        if days_ago:
            words["ordered_at"] = moment(days_ago)
        if number is not None:
            words["number"] = number
        return self.buy(**words)

    def buy(self, **words: Any) -> Placed:
        """Order in the words of the simulator."""
        shown = self._ask({"do": "buy", **words})
        lines = tuple(str(line["id"]) for line in shown["line_items"])
        return Placed(str(shown["id"]), str(shown["number"]), lines)

    def many(self, count: int, **words: Any) -> Sequence[int]:
        """Place many orders that are alike; their ids."""
        ids: Sequence[int] = self._ask({"do": "orders", "count": count, **words})["ids"]
        return ids

    # --- the merchant

    def pay(self, order: Placed) -> None:
        """Note that it was paid."""
        self._do("pay", order)

    def cancel(self, order: Placed) -> None:
        """Cancel it."""
        self._do("cancel", order)

    def refund(self, order: Placed, **words: Any) -> None:
        """Pay back all of it, or the units or the amount named."""
        self._do("refund", order, **words)

    def edit(self, order: Placed, **words: Any) -> None:
        """Change lines, addresses, method or status."""
        self._do("edit", order, **words)

    def touch(self, order: Placed) -> None:
        """Open and save it without a change."""
        self._do("touch", order)

    def ship(self, order: Placed, **words: Any) -> None:
        """Ship it by hand, without us."""
        self._do("ship", order, **words)

    def trash(self, order: Placed) -> None:
        """Move it to the trash."""
        self._do("trash", order)

    def delete(self, order: Placed) -> None:
        """Delete it for good."""
        self._do("delete", order)

    def _do(self, what: str, order: Placed, **words: Any) -> None:
        self._ask({"do": what, "order": int(order.id), **words})

    # --- the books

    def all(self) -> Mapping[str, Mapping[str, Any]]:
        """Every order the store holds, by number."""
        return {str(row["number"]): row for row in self._books()["holdings"]["orders"]}

    def book(self, order: Placed) -> Mapping[str, Any]:
        """What the books hold of one order."""
        return self.all()[order.number]

    def notes(self, order: Placed) -> Sequence[Mapping[str, Any]]:
        """Notes that came in through the API, oldest first."""
        rows = [row for row in self.book(order)["notes"] if row["by"] == "api"]
        return sorted(rows, key=lambda row: int(row["id"]))

    def trackings(self, order: Placed) -> Sequence[Mapping[str, Any]]:
        """Rows of the Shipment Tracking plugin that came in through the API."""
        return [row for row in self.book(order)["trackings"] if row["by"] == "api"]

    def fulfillments(self, order: Placed) -> Sequence[Mapping[str, Any]]:
        """Fulfillments that came in through the API."""
        return [row for row in self.book(order)["fulfillments"] if row["by"] == "api"]

    def told(self, order: Placed) -> Sequence[Told]:
        """What the API told the store of shipments of an order, in all three ways."""
        return [
            *(Told(f"note:{row['id']}", str(row["text"]), {}) for row in self.notes(order)),
            *(
                Told(f"tracking:{row['tracking_id']}", str(dict(row)), {})
                for row in self.trackings(order)
            ),
            *(
                Told(f"fulfillment:{row['id']}", str(dict(row)), dict(row["items"]))
                for row in self.fulfillments(order)
            ),
        ]


def moment(days_ago: float) -> str:
    """So many days ago, as the simulator and the command line read it."""
    return (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%S")

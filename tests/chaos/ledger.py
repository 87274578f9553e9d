"""What the world should come to: everything that was stated, bought and shipped in a scenario.

Pure. It knows the rule of quantities by heart and asks nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.features.order_hands import Placed


@dataclass(slots=True)
class Wish:
    """One sellable thing as we want it on one store."""

    sku: str
    listing: str
    price: str
    was_there: bool
    """On the store before the channel was connected."""
    presence: str = "LISTED"
    is_listed_here: bool = False
    """We have a listing of it."""
    is_deleted_there: bool = False
    """The merchant deleted it when it was linked."""


@dataclass(slots=True)
class Sent:
    """A shipment that the API took."""

    tracking: str
    units: Mapping[str, int]
    """SKU → units."""
    shipped_at: datetime


@dataclass(slots=True)
class Bought:
    """An order on a store."""

    placed: Placed
    units: dict[str, int]
    """SKU → units."""
    is_canceled: bool = False
    sent: list[Sent] = field(default_factory=list)

    def left(self, sku: str) -> int:
        """Units not shipped."""
        return self.units.get(sku, 0) - sum(each.units.get(sku, 0) for each in self.sent)

    @property
    def is_shipped(self) -> bool:
        """Whether nothing is left to ship."""
        return not any(self.left(sku) for sku in self.units)


@dataclass(slots=True)
class Page:
    """One store and its channel."""

    name: str
    buffer: int
    wishes: dict[str, Wish] = field(default_factory=dict)
    orders: list[Bought] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    """SKUs that the merchant changed on the store: only a full run sees that."""


@dataclass(slots=True)
class Ledger:
    """All stores of a scenario, and what was counted."""

    pages: list[Page] = field(default_factory=list)
    counted: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """SKU → units on hand, and when."""

    def quantity(self, page: Page, sku: str) -> int | None:
        """What the channel should be told: stated, less deducted, less buffer; None: not stated."""
        if sku not in self.counted:
            return None
        stated, as_of = self.counted[sku]
        return max(0, stated - self._deducted(sku, as_of) - page.buffer)

    def _deducted(self, sku: str, as_of: datetime) -> int:
        """Units that had not left when they were counted, of the orders of all stores."""
        total = 0
        for order in (order for page in self.pages for order in page.orders):
            if not order.is_canceled:
                total += order.left(sku)
            for sent in order.sent:
                if sent.shipped_at > as_of:
                    total += sent.units.get(sku, 0)
        return total


def open_orders(orders: Sequence[Bought]) -> Sequence[Bought]:
    """Orders of which something can still be shipped."""
    return [order for order in orders if not order.is_canceled and not order.is_shipped]

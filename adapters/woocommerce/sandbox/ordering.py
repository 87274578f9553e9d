"""Orders as the simulated store keeps them: plain records, sums, and the words of the statuses."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.items import Meta, Note
from adapters.woocommerce.sandbox.text import decimal

STATUS_NAMES = {
    "pending": "Pending payment",
    "processing": "Processing",
    "on-hold": "On hold",
    "completed": "Completed",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
    "failed": "Failed",
    "checkout-draft": "Draft",
}
REDUCING = ("processing", "on-hold", "completed")
RESTORING = ("cancelled", "pending")
PAID = ("processing", "completed")
CENT = Decimal("0.01")
ADDRESS = (
    *("first_name", "last_name", "company", "address_1", "address_2", "city", "state"),
    *("postcode", "country"),
)


@dataclass(slots=True)
class Line:
    """One line of an order; `reduced` is what it has taken off the stock, if it took anything."""

    id: int
    name: str = ""
    product_id: int = 0
    variation_id: int = 0
    quantity: int = 1
    subtotal: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    tax_class: str = ""
    chosen: list[tuple[int, str, str, str]] = field(default_factory=list)
    meta: list[Meta] = field(default_factory=list)
    reduced: int | None = None
    reduced_id: int = 0


@dataclass(slots=True)
class Shipping:
    """One shipping line of an order."""

    id: int
    method_id: str
    method_title: str = ""
    instance_id: str = ""
    total: Decimal = Decimal(0)


@dataclass(slots=True)
class Fee:
    """One fee of an order."""

    id: int
    name: str
    total: Decimal = Decimal(0)


@dataclass(slots=True)
class RefundLine:
    """The units and the money given back of one line, as positive numbers."""

    id: int
    line: Line
    quantity: int
    total: Decimal
    meta_id: int


@dataclass(slots=True)
class Refund:
    """Money given back; `by` is who did it."""

    id: int
    amount: Decimal
    reason: str
    created: datetime
    partial: bool
    lines: list[RefundLine] = field(default_factory=list)
    by: str = "system"


@dataclass(slots=True)
class Fulfillment:
    """A fulfillment of the store's own feature; what it ships is among its custom fields."""

    id: int
    updated: datetime
    status: str = "unfulfilled"
    is_fulfilled: bool = False
    meta: list[Meta] = field(default_factory=list)
    deleted: datetime | None = None
    told: bool = False
    by: str = "api"


@dataclass(slots=True)
class Tracking:
    """A row of the Shipment Tracking plugin, which keeps the provider as a slug or as free text."""

    id: str
    number: str
    provider: str
    custom_provider: str
    custom_link: str
    shipped: datetime
    by: str = "api"


@dataclass(slots=True)
class Order:
    """An order; addresses and texts are kept as sent, `number` only where it is not the id."""

    id: int
    created: datetime
    modified: datetime
    status: str = "pending"
    key: str = ""
    number: str = ""
    currency: str = ""
    texts: dict[str, Json] = field(default_factory=dict)
    billing: dict[str, str] = field(default_factory=dict)
    shipping: dict[str, str] = field(default_factory=dict)
    customer_id: int = 0
    paid: datetime | None = None
    completed: datetime | None = None
    total: Decimal = Decimal(0)
    lines: list[Line] = field(default_factory=list)
    shipping_lines: list[Shipping] = field(default_factory=list)
    fees: list[Fee] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    meta: list[Meta] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)
    trackings: list[Tracking] = field(default_factory=list)
    untrashed: str = ""

    def add_up(self) -> None:
        """Make the total follow the lines."""
        amounts = [line.total for line in self.lines]
        amounts += [part.total for part in self.shipping_lines]
        amounts += [fee.total for fee in self.fees]
        self.total = sum(amounts, Decimal(0))

    @property
    def refundable(self) -> Decimal:
        """What has not been given back yet."""
        return self.total - sum((refund.amount for refund in self.refunds), Decimal(0))

    @property
    def shown_number(self) -> str:
        """The number people know the order by: the id, unless a plugin gives another."""
        return self.number or str(self.id)

    @property
    def has_reduced(self) -> bool:
        """Whether any line has taken something off the stock."""
        return any(line.reduced is not None for line in self.lines)


def amount_of(value: Json) -> Decimal:
    """Read a sent amount; what is no number counts as nothing."""
    try:
        return Decimal(str(decimal(value)) or "0")
    except InvalidOperation:
        return Decimal(0)


def written(amount: Decimal) -> str:
    """Write an amount with two decimals."""
    return str(amount.quantize(CENT))

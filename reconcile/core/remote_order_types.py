"""A channel's orders as they were seen: frozen values and closed enums, which adapters fill.

Data only, no method acts. What is ours of an order stands in `order_types`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconcile.core.types import NO_FIELDS, Fields, RemoteRef, Value


class OrderStage(StrEnum):
    """What a remote order's own status means to the rules."""

    DRAFT = "DRAFT"
    """The checkout is not finished: nobody has ordered anything yet."""
    OPEN = "OPEN"
    """Ordered, paid or not; what has not left is to be shipped once the filters let it in."""
    COMPLETED = "COMPLETED"
    """The channel itself says that all of it has left."""
    CANCELED = "CANCELED"
    """Canceled, refunded whole or failed: nothing more is to be shipped."""


class PaymentStatus(StrEnum):
    """How far an order is paid."""

    UNPAID = "UNPAID"
    AUTHORIZED = "AUTHORIZED"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"
    UNKNOWN = "UNKNOWN"


class OrderVerdict(StrEnum):
    """What became of an order that was seen."""

    PENDING = "PENDING"
    """Seen and not decided yet."""
    IMPORTED = "IMPORTED"
    SKIPPED = "SKIPPED"
    """A filter leaves it out."""
    HELD = "HELD"
    """It imports by itself once the cause is mended."""
    UNSAVABLE = "UNSAVABLE"
    """It lacks what no order can be without; judged again when it changes there."""


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address as the channel holds it; empty text where it holds nothing."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    """ISO 3166-1 alpha-2 where the channel has it."""
    phone: str = ""

    def __repr__(self) -> str:
        """Personal data stands in no repr."""
        return "Address(…)"


@dataclass(frozen=True, slots=True)
class RemoteOrderLine:
    """One line of an order as last seen."""

    id: str
    sku: str | None
    """None where the store has none, or the product is gone."""
    title: str
    quantity: int
    """Units ordered; never negative."""
    canceled: int = 0
    """Units of these that will not leave any more: refunded or removed before they were shipped."""
    ref: RemoteRef | None = None
    """The product on the store, as far as the line names it."""
    unit_price: str | None = None
    """Exact, after discount, before tax, in the order's currency."""
    total: str | None = None
    weight: Value = None
    """`{"value": "1.5", "unit": "kg"}` of one unit."""
    custom: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Personalization and the like; personal data."""
    is_digital: bool = False
    """Nothing is shipped for it."""


@dataclass(frozen=True, slots=True)
class RemoteFulfillment:
    """A shipment as the channel holds it."""

    id: str
    lines: Mapping[str, int] | None = None
    """Line id → units; None where the channel does not say which (a bare tracking number)."""
    tracking_number: str = ""
    carrier: str = ""
    tracking_url: str = ""
    shipped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShippingText:
    """How one shipping method of an order is called on the channel."""

    keys: tuple[str, ...]
    """What a shipping mapping is looked up with, the most specific first; "" is the empty text."""
    title: str = ""
    """As the customer saw it; free text."""


@dataclass(frozen=True, slots=True)
class Impediment:
    """Something the channel says of an order that keeps it from being imported, whatever we set."""

    verdict: OrderVerdict
    """SKIPPED, HELD or UNSAVABLE."""
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RemoteOrder:
    """One order as the channel was last seen to hold it."""

    id: str
    number: str
    """What people call it; not unique, and not the id."""
    stage: OrderStage
    status: str
    """The platform's own word."""
    currency: str
    total: str
    """Exact decimal text, in `currency`."""
    created_at: datetime
    modified_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was completed or canceled there."""
    payment: PaymentStatus = PaymentStatus.UNKNOWN
    lines: tuple[RemoteOrderLine, ...] = ()
    shipping: tuple[ShippingText, ...] = ()
    """Empty where the order names no shipping method: then the empty text counts."""
    fulfillments: tuple[RemoteFulfillment, ...] = ()
    email: str = field(default="", repr=False)
    billing: Address | None = None
    ship_to: Address | None = None
    """Where it goes, after the platform's own fallback to the billing address; None: nowhere."""
    note: str = field(default="", repr=False)
    custom: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_digital: bool = False
    """Nothing of it is shipped."""
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the filters compare, in the platform's words: `{"status": ("processing",)}`."""
    impediments: tuple[Impediment, ...] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)
    """`OurOrderField` → why the platform does not show it to us (scope, protected data)."""
    aspects: Fields = NO_FIELDS
    """What the platform needs to know to write it later."""

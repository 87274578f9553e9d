"""The vocabulary of orders as frozen values and closed enums; data only, no method acts.

Three things are kept apart: what a channel was seen to hold (`RemoteOrder`), what we have imported
of it (`ImportedOrder`), and what left or is to leave (`Shipment`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconcile.core.actions import ActionKind, Plan
from reconcile.core.mapping import Template
from reconcile.core.types import NO_FIELDS, Failure, Fields, RemoteRef, Value, WritePolicy


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


class OrderStatus(StrEnum):
    """Where an imported order stands here."""

    OPEN = "OPEN"
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
    SHIPPED = "SHIPPED"
    CANCELED = "CANCELED"
    CLOSED = "CLOSED"
    """A person closed it: nothing more is shipped and nothing of it is deducted."""


class ShipmentOrigin(StrEnum):
    """Who shipped."""

    OURS = "OURS"
    """Recorded here; it is to reach the channel."""
    CHANNEL = "CHANNEL"
    """Seen on the channel; it counts as shipped and is never sent."""


class ShipmentState(StrEnum):
    """How far a shipment has come."""

    RECORDED = "RECORDED"
    """Ours, not on the channel yet."""
    PUSHED = "PUSHED"
    """On the channel."""
    VOID = "VOID"
    """Taken back before it reached the channel; it counts for nothing."""


class CloseWhen(StrEnum):
    """What makes an order due to be closed on the channel."""

    SHIPPED = "SHIPPED"
    """All of it has left and every shipment of ours is on the channel."""
    CLOSED_HERE = "CLOSED_HERE"
    """A person closed it here, shipped or not."""


class OurOrderField(StrEnum):
    """What an imported order can carry besides what the rules need; a template turns each off."""

    EMAIL = "email"
    BILLING_ADDRESS = "billing_address"
    SHIPPING_ADDRESS = "shipping_address"
    NOTE = "note"
    """What the customer wrote."""
    SHIPPING_TEXT = "shipping_text"
    """The name of the shipping method as the customer saw it."""
    PAYMENT_STATUS = "payment_status"
    TOTAL = "total"
    CUSTOM_FIELDS = "custom_fields"
    LINE_CUSTOM_FIELDS = "line_custom_fields"
    LINE_WEIGHT = "line_weight"


PERSONAL_FIELDS = frozenset(
    {
        OurOrderField.EMAIL,
        OurOrderField.BILLING_ADDRESS,
        OurOrderField.SHIPPING_ADDRESS,
        OurOrderField.NOTE,
        OurOrderField.CUSTOM_FIELDS,
        OurOrderField.LINE_CUSTOM_FIELDS,
    }
)
"""Fields that retention erases (feature A20)."""


class ShipmentField(StrEnum):
    """What a shipment can tell a channel; a template of SYNC_ORDERS turns each off."""

    TRACKING_NUMBER = "tracking_number"
    CARRIER = "carrier"
    SERVICE = "service"
    TRACKING_URL = "tracking_url"
    NOTIFY_CUSTOMER = "notify_customer"


# --- seen -----------------------------------------------------------------------------------


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


# --- rules ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderFacet:
    """A property by which a platform's orders can be left out."""

    name: str
    """Key of `RemoteOrder.facets` and of `OrderFilter.accepted`."""
    title: str
    """For messages: `order status`."""
    code: str
    """Of the decision that leaves an order out: `StatusNotSelected`."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders GET_ORDERS imports, made from the operation's settings."""

    accepted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Facet → accepted values; a facet that is missing or empty accepts all."""
    days: int | None = 14
    """Orders created more than so many days before we first saw them are too old; None: never."""


# --- ours -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order as imported."""

    id: str
    remote_id: str
    """Id of the line on the channel."""
    sku: str | None
    """Our SKU of the linked listing, else the channel's."""
    title: str
    quantity: int
    canceled: int = 0
    is_digital: bool = False
    variant_id: str | None = None
    """The listing variant it is of; None: the line is imported and marked unlinked."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """What left, or is recorded to leave, together."""

    id: str
    origin: ShipmentOrigin
    state: ShipmentState
    lines: Mapping[str, int]
    """Id of the line on the channel → units; of a CHANNEL shipment that names no lines, empty."""
    shipped_at: datetime
    tracking_number: str = ""
    carrier: str = ""
    service: str = ""
    tracking_url: str = ""
    notify_customer: bool = False
    remote_ids: tuple[str, ...] = ()
    """What it became on the channel."""
    busy: str | None = None
    """State of an unfinished FULFILL of it."""
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing more of an order leaves until a person releases it."""

    code: str
    message: str
    by: str | None = None
    """Who put it on hold; None: the rules did."""


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """What we hold of an order since it was imported."""

    id: str
    status: OrderStatus
    lines: tuple[OrderLine, ...]
    imprint: Fields
    """What was imported of everything that matters once something leaves: see `orders.imprint`."""
    shipments: tuple[Shipment, ...] = ()
    hold: Hold | None = None
    is_acknowledged: bool = False
    is_closed_there: bool = False
    """A CLOSE of ours went through."""


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """One remote order with everything a decision about it needs."""

    id: str
    """Ours, of the remote order: what actions and conditions name."""
    remote: RemoteOrder
    first_seen_at: datetime
    gone: str | None = None
    """Reason code once a read by id said so (`Deleted`, `InTrash`)."""
    is_erased: bool = False
    """Its personal data was erased: addresses are neither asked for nor compared any more."""
    unreadable: str = ""
    """Why its data could not be understood; then nothing else of `remote` but ids is to be read."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """Shipping mapping: key → our shipping policy; at least the keys of this order that are."""
    skus: Mapping[str, str] = field(default_factory=dict)
    """Line id → SKU of the listing variant the line is of; absent where there is none."""
    imported: ImportedOrder | None = None
    busy: Mapping[str, str] = field(default_factory=dict)
    """Write group → state of an unfinished action on the order."""
    failures: tuple[Failure, ...] = ()
    revision: int = 0


_ALL = OrderFilter()
_EMPTY = Template()
_NOTHING = Plan()


@dataclass(frozen=True, slots=True)
class OrderContext:
    """Everything a decision about orders depends on that is not in the order itself."""

    channel_id: str
    channel_title: str = "the channel"
    currency: str = ""
    policy: WritePolicy = WritePolicy.FULL
    supported: frozenset[ActionKind] = frozenset()
    unsupported: Mapping[ActionKind, str] = field(default_factory=dict)
    facets: tuple[OrderFacet, ...] = ()
    filter: OrderFilter = _ALL
    acknowledges: bool = False
    """Imported orders are acknowledged on the channel; False leaves no decision either."""
    closes: frozenset[CloseWhen] = frozenset()
    partial_shipments: bool = True
    """False: the channel takes one shipment of the whole order, so parts wait."""
    import_template: Template = _EMPTY
    """Of GET_ORDERS: their field → ours."""
    shipment_template: Template = _EMPTY
    """Of SYNC_ORDERS: our field of a shipment → theirs."""


@dataclass(frozen=True, slots=True)
class OrderDecision:
    """What became of a seen order, and why; good enough to show as it is."""

    verdict: OrderVerdict
    code: str
    message: str
    inputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """The decision about one order with the actions and decisions that follow from it."""

    decision: OrderDecision
    plan: Plan = _NOTHING


@dataclass(frozen=True, slots=True)
class DeductedUnits:
    """Units of one order line that are taken off what is stated, until they are counted as left."""

    line_id: str
    sku: str
    units: int
    ordered_at: datetime
    left_at: datetime | None
    """When they left; None: they are still on the shelf."""


class Basis(StrEnum):
    """What a stated quantity counts."""

    ON_HAND = "ON_HAND"
    """What lies on the shelf: units that had not left at `as_of` are deducted."""
    NET_OF_ORDERS = "NET_OF_ORDERS"
    """Already net of orders: units of orders created after `as_of` are deducted."""

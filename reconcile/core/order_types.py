"""The vocabulary of orders of ours as frozen values and closed enums; data only, no method acts.

Three things are kept apart: what a channel was seen to hold (`remote_order_types.RemoteOrder`),
what we have imported of it (`ImportedOrder`), and what left or is to leave (`Shipment`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconcile.core.actions import ActionKind, Plan
from reconcile.core.mapping import Template
from reconcile.core.remote_order_types import OrderVerdict, RemoteOrder
from reconcile.core.types import Failure, Fields, Value, WritePolicy


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
    """What was imported of all that matters once something leaves: see `imprinting.imprint`."""
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

"""The order side of the contract: what is read, what is written, what a platform declares.

Pages of orders and single orders are `core.order_types.RemoteOrder`; a write is an `OrderWrite`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from reconcile.contract.reading import Gone
from reconcile.contract.settings import Settings
from reconcile.contract.writing import Step
from reconcile.core.actions import ActionKind
from reconcile.core.order_types import (
    CloseWhen,
    OrderFacet,
    OrderFilter,
    OurOrderField,
    ShipmentField,
)
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import NO_FIELDS, Fields, Value

# --- reading --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderWindow:
    """Which orders a poll is about: all that changed at or after a moment, whatever their status.

    The caller has taken the overlap off already. Drafts of checkouts may be left out.
    """

    modified_since: datetime


@dataclass(frozen=True, slots=True)
class RejectedOrder:
    """An order that could not be understood; it is kept and shown, with what is wrong."""

    id: str
    number: str
    message: str
    """Names the field and what is wrong with it; no personal data."""


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A part of a poll; `cursor` is where to go on after it is stored."""

    rows: tuple[RemoteOrder, ...]
    cursor: Mapping[str, Value]
    """JSON that, given back to `orders` with the same window, continues after this page."""
    is_last: bool
    total: int | None
    """Number of orders in the window the platform last stated; None where it states none."""
    observed_at: datetime
    """When the request for this page was sent, UTC."""
    wait: timedelta | None = None
    """Ask for the next page no sooner than this (asynchronous jobs)."""
    rejected: tuple[RejectedOrder, ...] = ()


OrderReadResult: TypeAlias = "RemoteOrder | RejectedOrder | Gone"

# --- writing --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    """Units of one order line that left together."""

    line_id: str
    """Id of the line on the channel."""
    sku: str
    title: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ShipmentWrite:
    """One shipment as the channel is to be told of it; what a template turns off is empty."""

    id: str
    """Ours: what a note names, so that it can be found again."""
    lines: tuple[ShipmentLine, ...]
    shipped_at: datetime
    tracking_number: str = ""
    carrier: str = ""
    service: str = ""
    tracking_url: str = ""
    notify_customer: bool = False
    remote_ids: tuple[str, ...] = ()
    """What an earlier push of it became there."""
    siblings: frozenset[str] = frozenset()
    """Ids of the order's other shipments; what the store says of any other id nobody here knows."""


@dataclass(frozen=True, slots=True)
class OrderWrite:
    """One action on an order as an adapter gets it: ACKNOWLEDGE, FULFILL or CLOSE."""

    key: str
    kind: ActionKind
    order_id: str
    """Id of the order on the channel."""
    number: str
    shipment: ShipmentWrite | None = None
    """FULFILL: what left."""
    is_complete: bool = False
    """With this shipment all of the order has left."""
    settings: Any = None
    """Settings of the operation: GET_ORDERS for ACKNOWLEDGE, SYNC_ORDERS for the others."""
    aspects: Fields = NO_FIELDS
    """`RemoteOrder.aspects` as last seen."""
    steps: tuple[Step, ...] = ()

    def step(self, name: str) -> Step | None:
        """The recorded step of that name, if an earlier try got that far."""
        return next((step for step in self.steps if step.name == name), None)


# --- the platform's part --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderField:
    """One field of a platform's order that a template of GET_ORDERS may bring over."""

    theirs: str
    """The platform's name: the source of a rule."""
    ours: OurOrderField
    """The target of a rule."""
    title: str


@dataclass(frozen=True, slots=True)
class ShipmentFieldForm:
    """One field of a shipment that a platform takes: target of a rule of SYNC_ORDERS."""

    ours: ShipmentField
    theirs: str
    title: str


def _never(_: Settings) -> bool:
    return False


def _no_trigger(_: Settings) -> frozenset[CloseWhen]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class OrderSupport:
    """How orders of a platform are filtered, mapped, shipped and closed."""

    facets: tuple[OrderFacet, ...]
    filter: Callable[[Settings], OrderFilter]
    """Settings of GET_ORDERS → which orders are imported."""
    fields: tuple[OrderField, ...]
    shipment_fields: tuple[ShipmentFieldForm, ...]
    shipping_text: str
    """What a shipping mapping compares, for people: `method id, such as flat_rate`."""
    acknowledges: Callable[[Settings], bool] = _never
    """Settings of GET_ORDERS → whether imported orders are acknowledged."""
    closes: Callable[[Settings], frozenset[CloseWhen]] = _no_trigger
    """Settings of SYNC_ORDERS → what makes an order due to be closed there."""
    partial_shipments: bool = True
    overlap: timedelta = field(default=timedelta(minutes=10))
    """A poll begins so long before the last one did: clocks differ, and commits come late."""

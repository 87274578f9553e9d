"""One order, imported and in order, and its channel; tests change one thing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconcile.core.actions import ActionKind
from reconcile.core.imprinting import imprint
from reconcile.core.order_types import (
    ImportedOrder,
    OrderContext,
    OrderFacet,
    OrderFilter,
    OrderLine,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.remote_order_types import (
    Address,
    OrderStage,
    PaymentStatus,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)

SECRET = "PRIV"  # in every personal value, and nowhere else
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SENT_KINDS = (ActionKind.ACKNOWLEDGE, ActionKind.FULFILL, ActionKind.CLOSE)
STATUS = OrderFacet("status", "order status", "StatusNotSelected")


def address(street: str = "1") -> Address:
    """Where an order goes; every part of it is recognizable."""
    return Address(
        first_name=f"{SECRET}-first",
        last_name=f"{SECRET}-last",
        line1=f"{SECRET}-street-{street}",
        city=f"{SECRET}-city",
        postal_code=f"{SECRET}-code",
        country="DE",
        phone=f"{SECRET}-phone",
    )


def line(number: int = 1, quantity: int = 3, **changed: Any) -> RemoteOrderLine:
    """A line with a SKU and something the customer had printed on it."""
    plain = RemoteOrderLine(
        id=f"l{number}",
        sku=f"S{number}",
        title=f"Shirt {number}",
        quantity=quantity,
        custom={"engraving": f"{SECRET}-engraving"},
    )
    return replace(plain, **changed)


def remote(*lines: RemoteOrderLine, **changed: Any) -> RemoteOrder:
    """An open, paid order with a flat rate; of one line unless others are given."""
    plain = RemoteOrder(
        id="77",
        number="1001",
        stage=OrderStage.OPEN,
        status="processing",
        currency="EUR",
        total="9.90",
        created_at=NOW - DAY,
        modified_at=NOW,
        payment=PaymentStatus.PAID,
        lines=lines or (line(),),
        shipping=(ShippingText(("flat_rate:3", "flat_rate"), "Flat rate"),),
        email=f"{SECRET}@example.org",
        billing=address("billing"),
        ship_to=address(),
        note=f"{SECRET}-note",
        custom={"gift": f"{SECRET}-gift"},
        facets={"status": ("processing",)},
    )
    return replace(plain, **changed)


def seen(order: RemoteOrder | None = None, **changed: Any) -> SeenOrder:
    """The order as it was seen the first time, its shipping method mapped."""
    plain = SeenOrder(
        id="7",
        remote=remote() if order is None else order,
        first_seen_at=NOW,
        policies={"flat_rate": "Parcel"},
    )
    return replace(plain, **changed)


def imported(
    order: RemoteOrder | None = None, *shipments: Shipment, **changed: Any
) -> ImportedOrder:
    """Our copy of an order, made from it as it is."""
    of = remote() if order is None else order
    plain = ImportedOrder(
        id="5",
        status=OrderStatus.OPEN,
        lines=tuple(
            OrderLine(
                id=f"o{item.id}",
                remote_id=item.id,
                sku=item.sku,
                title=item.title,
                quantity=item.quantity,
                canceled=item.canceled,
                is_digital=item.is_digital,
            )
            for item in of.lines
        ),
        imprint=imprint(of),
        shipments=shipments,
    )
    return replace(plain, **changed)


def shipment(number: int = 1, units: int = 1, **changed: Any) -> Shipment:
    """Units of the first line, recorded here and not on the channel yet."""
    plain = Shipment(
        id=str(number),
        origin=ShipmentOrigin.OURS,
        state=ShipmentState.RECORDED,
        lines={"l1": units},
        shipped_at=NOW,
        tracking_number=f"T{number}",
    )
    return replace(plain, **changed)


def kept(
    order: RemoteOrder | None = None,
    *shipments: Shipment,
    now: RemoteOrder | None = None,
    of: dict[str, Any] | None = None,
    **changed: Any,
) -> SeenOrder:
    """An order that was imported as `order` and looks like `now` by now."""
    before = remote() if order is None else order
    copy = imported(before, *shipments, **(of or {}))
    return seen(before if now is None else now, imported=copy, **changed)


def context(**changed: Any) -> OrderContext:
    """A channel that can do everything, under FULL, importing what is being processed."""
    plain = OrderContext(
        channel_id="1",
        channel_title="Main",
        currency="EUR",
        supported=frozenset(SENT_KINDS),
        facets=(STATUS,),
        filter=OrderFilter({"status": frozenset({"processing"})}),
    )
    return replace(plain, **changed)

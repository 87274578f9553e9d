"""Random orders, random channels, and a small model that plays the runtime, the store and a person.

Alphabets are small on purpose, so that lines collide, shipments meet edits, and every corner of the
rules is met within a hundred examples.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from reconcile.core.actions import Action, ActionKind
from reconcile.core.imprinting import imprint
from reconcile.core.order_types import (
    CloseWhen,
    Hold,
    ImportedOrder,
    OrderContext,
    OrderFilter,
    OrderLine,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.orders import follows
from reconcile.core.remote_order_types import (
    Impediment,
    OrderStage,
    OrderVerdict,
    RemoteFulfillment,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.shipped import channel_shipments, status_of
from reconcile.core.types import Value, WritePolicy
from tests.reconcile.core.order_samples import (
    NOW,
    SECRET,
    SENT_KINDS,
    STATUS,
    address,
    remote,
    seen,
)

thorough = settings(
    max_examples=min(500, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

rarely = st.integers(0, 9).map(lambda number: number == 7)
small = st.integers(0, 3)
moments = st.integers(-40, 5).map(lambda days: NOW + timedelta(days=days))
statuses: Mapping[OrderStage, str] = {
    OrderStage.DRAFT: "checkout-draft",
    OrderStage.OPEN: "processing",
    OrderStage.COMPLETED: "completed",
    OrderStage.CANCELED: "cancelled",
}
impediments = st.builds(
    Impediment,
    st.sampled_from((OrderVerdict.SKIPPED, OrderVerdict.HELD, OrderVerdict.UNSAVABLE)),
    st.sampled_from(("FulfilledElsewhere", "Scheduled", "NoLocation")),
    st.just("the platform's reason in words"),
)


@st.composite
def lines(draw: st.DrawFn, number: int) -> RemoteOrderLine:
    """A line of an order, with and without a SKU, some units canceled."""
    return RemoteOrderLine(
        id=f"l{number}",
        sku=None if draw(rarely) else draw(st.sampled_from(("A", "B"))),
        title=f"Shirt {number}",
        quantity=draw(st.integers(0, 4)),
        canceled=draw(st.sampled_from((0, 0, 0, 1))),
        custom={"engraving": f"{SECRET}-{number}"},
        is_digital=draw(rarely),
    )


@st.composite
def fulfillments(draw: st.DrawFn, number: int) -> RemoteFulfillment:
    """A shipment of the store's own; sometimes a bare tracking number, sometimes of no line."""
    named = draw(st.dictionaries(st.sampled_from(("l0", "l1", "l9")), small, max_size=2))
    return RemoteFulfillment(
        id=f"f{number}",
        lines=None if draw(rarely) else named,
        tracking_number=draw(st.sampled_from(("", "T1", "X1"))),
        shipped_at=None if draw(rarely) else draw(moments),
    )


@st.composite
def remote_orders(draw: st.DrawFn) -> RemoteOrder:
    """Any order a store may hold."""
    stage = draw(st.sampled_from((*[OrderStage.OPEN] * 5, *OrderStage)))
    texts = st.sampled_from(
        (
            ShippingText(("flat_rate:3", "flat_rate"), "Flat rate"),
            ShippingText(("pickup",), "Pickup"),
            ShippingText(("",)),
        )
    )
    return remote(
        *(draw(lines(number)) for number in range(draw(st.integers(1, 3)))),
        stage=stage,
        status=statuses[stage],
        facets={"status": (statuses[stage],)},
        currency=draw(st.sampled_from(("EUR", "EUR", "USD"))),
        created_at=draw(moments),
        modified_at=draw(st.none() | moments),
        ended_at=draw(st.none() | moments),
        shipping=tuple(draw(st.lists(texts, max_size=2))),
        fulfillments=tuple(draw(fulfillments(number)) for number in range(draw(st.integers(0, 2)))),
        ship_to=None if draw(rarely) else address(draw(st.sampled_from("12"))),
        is_digital=draw(rarely),
        impediments=tuple(draw(st.lists(impediments, max_size=1))) if draw(rarely) else (),
    )


@st.composite
def seen_orders(draw: st.DrawFn) -> SeenOrder:
    """Any order as first seen, not imported."""
    return seen(
        draw(remote_orders()),
        gone=draw(st.sampled_from(("Deleted", "InTrash"))) if draw(rarely) else None,
        unreadable="total: no number" if draw(rarely) else "",
        is_erased=draw(rarely),
        policies=draw(
            st.sampled_from(
                ({"flat_rate": "Parcel", "": "Letter", "pickup": "None"}, {"": "Letter"}, {})
            )
        ),
        skus=draw(st.dictionaries(st.sampled_from(("l0", "l1")), st.just("OURS"), max_size=2)),
    )


@st.composite
def contexts(draw: st.DrawFn) -> OrderContext:
    """Any channel under any settings."""
    selected = draw(st.frozensets(st.sampled_from(sorted(statuses.values()))))
    return OrderContext(
        channel_id="1",
        channel_title="Main",
        currency="EUR",
        policy=draw(st.sampled_from((*[WritePolicy.FULL] * 4, *WritePolicy))),
        supported=frozenset(SENT_KINDS) if not draw(rarely) else frozenset(),
        facets=(STATUS,),
        filter=OrderFilter({"status": selected}, draw(st.sampled_from((14, 30, None)))),
        acknowledges=draw(st.booleans()),
        closes=draw(st.frozensets(st.sampled_from(CloseWhen))),
        partial_shipments=not draw(rarely),
    )


# --- the runtime ----------------------------------------------------------------------------


def apply(order: SeenOrder, action: Action) -> SeenOrder:
    """The order after an action that succeeded; nothing is read from the channel meanwhile."""
    match action.kind:
        case ActionKind.IMPORT_ORDER:
            return _import(order, action)
        case ActionKind.ACKNOWLEDGE:
            return with_changes(order, is_acknowledged=True)
        case ActionKind.CLOSE:
            return with_changes(order, is_closed_there=True)
        case ActionKind.FULFILL:
            return pushed(order, action.shipment_id)
        case _:
            raise AssertionError(action.kind)


def pushed(order: SeenOrder, shipment_id: str) -> SeenOrder:
    """The shipment is on the channel, under an id of its own."""
    return changed_shipment(
        order,
        shipment_id,
        state=ShipmentState.PUSHED,
        busy=None,
        remote_ids=(f"ours-{shipment_id}",),
    )


def changed_shipment(order: SeenOrder, shipment_id: str, **changed: object) -> SeenOrder:
    """The order with one shipment changed."""
    assert order.imported is not None
    shipments = tuple(
        replace(item, **changed) if item.id == shipment_id else item  # type: ignore[arg-type]
        for item in order.imported.shipments
    )
    return with_changes(order, shipments=shipments)


def with_changes(order: SeenOrder, **changed: object) -> SeenOrder:
    """The order with something of our copy changed, and the status that follows from it."""
    assert order.imported is not None
    copy = replace(order.imported, **changed)  # type: ignore[arg-type]
    return replace(order, imported=with_status(order, copy))


def with_status(order: SeenOrder, copy: ImportedOrder) -> ImportedOrder:
    """The copy with the status that follows from everything else."""
    return replace(copy, status=status_of(copy, order.remote, order.gone))


def _import(order: SeenOrder, action: Action) -> SeenOrder:
    theirs = tuple(
        Shipment(
            id=f"9{item.id}",
            origin=ShipmentOrigin.CHANNEL,
            state=ShipmentState.PUSHED,
            lines=item.lines or {},
            shipped_at=item.shipped_at or NOW,
            tracking_number=item.tracking_number,
            remote_ids=(item.id,),
        )
        for item in channel_shipments(order)
    )
    copy = order.imported
    match action.reason.code:
        case "NewOrder":
            assert copy is None
            copy = ImportedOrder("5", OrderStatus.OPEN, copied_lines(order), seen_imprint(order))
        case "FollowsChannel":
            assert follows(order)
            copy = replace(_copy(copy), lines=copied_lines(order), imprint=seen_imprint(order))
        case "HoldsBack" | "HoldEnds" | "ShippedThere":
            copy = _copy(copy)
        case other:
            raise AssertionError(other)
    for change in action.changes:
        if change.field == "hold":
            held = change.after
            assert held is None or isinstance(held, dict)
            copy = replace(
                copy,
                hold=None if held is None else Hold(str(held["code"]), str(held["message"])),
            )
    copy = replace(copy, shipments=(*copy.shipments, *theirs))
    return replace(order, imported=with_status(order, copy))


def _copy(copy: ImportedOrder | None) -> ImportedOrder:
    assert copy is not None
    return copy


def seen_imprint(order: SeenOrder) -> dict[str, Value]:
    """The imprint of what is seen."""
    return dict(imprint(order.remote, order.gone))


def copied_lines(order: SeenOrder) -> tuple[OrderLine, ...]:
    """Lines of ours made from what is seen."""
    return tuple(
        OrderLine(
            id=f"o{item.id}",
            remote_id=item.id,
            sku=order.skus.get(item.id) or item.sku,
            title=item.title,
            quantity=item.quantity,
            canceled=item.canceled,
            is_digital=item.is_digital or order.remote.is_digital,
        )
        for item in order.remote.lines
    )

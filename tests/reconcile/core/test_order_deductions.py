"""From orders to quantities: what is sold is taken off, and shipping it puts nothing back."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.actions import ActionKind
from reconcile.core.deducting import Basis, DeductedUnits, counts, deducted, deductions_of
from reconcile.core.fulfilling import check_shipment, shippable
from reconcile.core.order_types import (
    OrderContext,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.orders import plan_order
from reconcile.core.remote_order_types import OrderStage, RemoteFulfillment
from reconcile.core.stock import (
    OrderedUnits,
    explain_basis,
    explain_deductions,
    wanted_quantity,
)
from tests.reconcile.core.order_samples import (
    DAY,
    HOUR,
    NOW,
    kept,
    line,
    remote,
    seen,
    shipment,
)
from tests.reconcile.core.order_story import Step, stories, told
from tests.reconcile.core.order_worlds import apply, contexts, moments, seen_orders, thorough

ON_HAND, NET = Basis.ON_HAND, Basis.NET_OF_ORDERS
bases = st.sampled_from(tuple(Basis))
units = st.integers(0, 12)
LATER = NOW + 10 * DAY


@thorough
@given(st.lists(seen_orders(), max_size=4), bases, moments, units, units, st.none() | units)
def test_wanted_lies_between_zero_and_what_is_stated(
    orders: list[SeenOrder], basis: Basis, as_of: datetime, stated: int, buffer: int, cap: int
) -> None:
    """No order makes a quantity negative, and none raises it above the statement."""
    taken = sum(deducted(deductions_of(order), basis, as_of) for order in orders)
    assert taken >= 0
    quantity = wanted_quantity(stated, taken, buffer, cap, None).quantity
    assert quantity is not None
    assert 0 <= quantity <= stated


@thorough
@given(seen_orders(), contexts(), stories, bases, moments)
def test_deductions_are_positive_portions_of_known_skus(
    order: SeenOrder, context: OrderContext, story: list[Step], basis: Basis, as_of: datetime
) -> None:
    """Whatever happens, each portion has units, a SKU and the time of the order."""
    portions = deductions_of(told(order, context, story).seen)
    assert all(item.units > 0 and item.sku.strip() for item in portions)
    assert all(item.ordered_at == order.remote.created_at for item in portions)
    assert deducted(portions, basis, as_of) == deducted(tuple(reversed(portions)), basis, as_of)
    places = [(item.line_id, item.left_at) for item in portions]
    assert len(places) == len(set(places))


@thorough
@given(seen_orders(), contexts(), stories)
def test_deciding_changes_no_deduction(
    order: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """Units are taken off because an order was seen, not because it was imported."""
    made = told(order, context, story).seen
    before = deductions_of(made)
    for action in plan_order(made, context).plan.actions:
        if action.kind is ActionKind.IMPORT_ORDER:
            made = apply(made, action)
    assert deductions_of(made) == before


@thorough
@given(seen_orders(), contexts(), stories, bases, st.integers(-5, 0))
def test_shipping_raises_no_quantity(
    order: SeenOrder, context: OrderContext, story: list[Step], basis: Basis, days: int
) -> None:
    """What leaves after the statement was counted on the shelf by it, and stays taken off."""
    made = told(order, context, story)
    imported = made.seen.imported
    if imported is None or check_shipment(made.seen, None, "", without_tracking=True):
        return
    as_of = NOW + days * DAY
    leaving = Shipment(
        "99",
        ShipmentOrigin.OURS,
        ShipmentState.RECORDED,
        shippable(made.seen),
        made.now,
    )
    copy = replace(imported, shipments=(*imported.shipments, leaving))
    shipped = replace(made.seen, imported=copy)
    before = deducted(deductions_of(made.seen), basis, as_of)
    assert deducted(deductions_of(shipped), basis, as_of) >= before


@thorough
@given(seen_orders(), bases, st.integers(-5, 0))
def test_what_the_store_ships_raises_no_quantity(order: SeenOrder, basis: Basis, days: int) -> None:
    """A fulfillment of the store's own, or its word that all has left, puts nothing back."""
    as_of = NOW + days * DAY
    before = replace(
        order, gone=None, remote=replace(order.remote, stage=OrderStage.OPEN, fulfillments=())
    )
    at = NOW + HOUR
    left = {item.id: max(0, item.quantity - item.canceled) for item in before.remote.lines}
    completed = replace(before.remote, stage=OrderStage.COMPLETED, ended_at=at)
    fulfilled = replace(before.remote, fulfillments=(RemoteFulfillment("f1", left, shipped_at=at),))
    taken = deducted(deductions_of(before), basis, as_of)
    for after in (completed, fulfilled):
        assert deducted(deductions_of(replace(before, remote=after)), basis, as_of) >= taken


@given(st.integers(1, 5), bases, units, units)
def test_a_sale_lowers_what_others_are_told(
    sold: int, basis: Basis, buffer: int, spare: int
) -> None:
    """An order that is seen after the statement lowers the quantity at once, held or not."""
    stated = sold + buffer + spare
    order = seen(remote(line(quantity=sold)), policies={})
    taken = deducted(deductions_of(order), basis, NOW - 2 * DAY)
    before = wanted_quantity(stated, 0, buffer, None, None).quantity
    after = wanted_quantity(stated, taken, buffer, None, None).quantity
    assert (before, after) == (sold + spare, spare)


SHIPPED = shipment(units=1, shipped_at=NOW)
CANCELED = remote(stage=OrderStage.CANCELED)
CASES: dict[str, tuple[SeenOrder, list[tuple[int, datetime | None]]]] = {
    "open": (seen(), [(3, None)]),
    "held": (seen(policies={}), [(3, None)]),
    "some units canceled": (seen(remote(line(canceled=1))), [(2, None)]),
    "a draft": (seen(remote(stage=OrderStage.DRAFT)), []),
    "canceled": (seen(CANCELED), []),
    "gone": (seen(gone="Deleted"), []),
    "completed there": (
        seen(remote(stage=OrderStage.COMPLETED, ended_at=NOW - HOUR)),
        [(3, NOW - HOUR)],
    ),
    "completed there, nobody knows when": (
        seen(remote(stage=OrderStage.COMPLETED)),
        [(3, NOW)],
    ),
    "one unit shipped by us": (kept(None, SHIPPED), [(2, None), (1, NOW)]),
    "one unit shipped and taken back": (
        kept(None, replace(SHIPPED, state=ShipmentState.VOID)),
        [(3, None)],
    ),
    "canceled after a shipment": (kept(None, SHIPPED, now=CANCELED), [(1, NOW)]),
    "closed here": (kept(None, SHIPPED, of={"status": OrderStatus.CLOSED}), [(1, NOW)]),
    "the line was removed after a shipment": (
        kept(None, SHIPPED, now=remote(line(2, quantity=4))),
        [(1, NOW), (4, None)],
    ),
    "digital": (seen(remote(line(is_digital=True))), [(3, NOW - DAY)]),
    "no SKU": (seen(remote(line(sku=None))), []),
    "a blank SKU": (seen(remote(line(sku=" "))), []),
    "shipped there, no line named": (
        seen(remote(fulfillments=(RemoteFulfillment("f1", None, "X1"),))),
        [(3, None)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_deducted(name: str) -> None:
    """The rows of the table come out."""
    order, expected = CASES[name]
    assert [(item.units, item.left_at) for item in deductions_of(order)] == expected


def test_the_sku_is_that_of_the_linked_variant() -> None:
    """Our SKU goes before the line's own."""
    assert deductions_of(seen())[0].sku == "S1"
    assert deductions_of(seen(skus={"l1": "OURS"}))[0].sku == "OURS"


@pytest.mark.parametrize(
    ("basis", "ordered", "left", "is_counted"),
    [
        (ON_HAND, -9, None, True),
        (ON_HAND, -9, 1, True),
        (ON_HAND, -9, 0, False),
        (ON_HAND, -9, -1, False),
        (NET, 1, None, True),
        (NET, 0, None, False),
        (NET, -1, 1, False),
        (NET, 1, 2, True),
    ],
)
def test_what_a_statement_counts(
    basis: Basis, ordered: int, left: int | None, is_counted: bool
) -> None:
    """On hand looks at when units left, net of orders at when they were ordered."""
    left_at = None if left is None else NOW + left * HOUR
    portion = DeductedUnits("l1", "A", 2, NOW + ordered * HOUR, left_at)
    assert counts(portion, basis, NOW) is is_counted
    assert deducted([portion], basis, NOW) == (2 if is_counted else 0)


def _ordered(number: int, left_at: datetime | None = None) -> OrderedUnits:
    at = NOW + timedelta(minutes=number)
    return OrderedUnits(str(1000 + number), "Main", DeductedUnits("l1", "A", number, at, left_at))


def test_the_explanation_goes_down_to_the_orders() -> None:
    """The rule in words, then the newest orders it counts, then how many more there are."""
    said = explain_deductions(
        [_ordered(1), _ordered(2, LATER), _ordered(3, NOW - DAY), _ordered(4)], ON_HAND, NOW, 2
    )
    assert said == (
        explain_basis(ON_HAND, NOW),
        "Order 1004 on Main: 4 units, not shipped",
        "Order 1002 on Main: 2 units, left on 2026-11-30 12:00 UTC, after the statement",
        "And 1 unit of 1 more order line",
    )
    assert "on hand on 2026-11-20 12:00 UTC" in said[0]
    net = explain_deductions([_ordered(1), _ordered(-1)], NET, NOW)
    assert net == (
        explain_basis(NET, NOW),
        "Order 1001 on Main: 1 unit, ordered on 2026-11-20 12:01 UTC",
    )
    assert "net of orders" in net[0]

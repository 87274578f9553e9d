"""Shipments and closing by examples: what is sent, what waits, what a person may ship."""

from dataclasses import dataclass, replace

import pytest

from reconcile.core.actions import ActionKind, Outcome, Standing
from reconcile.core.fulfilling import check_shipment, completes, plan_fulfillment, shippable
from reconcile.core.order_types import (
    CloseWhen,
    Hold,
    OrderContext,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentState,
)
from reconcile.core.remote_order_types import OrderStage, RemoteFulfillment, RemoteOrder
from reconcile.core.shipped import channel_shipments, remaining, status_of
from reconcile.core.types import Failure, WritePolicy
from tests.reconcile.core.order_samples import (
    HOUR,
    NOW,
    context,
    imported,
    kept,
    line,
    remote,
    seen,
    shipment,
)

PLAIN = context()
ACTION, IN_ORDER = Standing.ACTION, Standing.IN_ORDER
WAITING, ATTENTION = Standing.WAITING, Standing.ATTENTION
PUSHED = shipment(state=ShipmentState.PUSHED, remote_ids=("ours-1",))
ALL = replace(PUSHED, lines={"l1": 3})
CANCELED = remote(stage=OrderStage.CANCELED)
DIGITAL = remote(line(is_digital=True))
TWO = remote(line(), line(2, quantity=1))
HELD = {"hold": Hold("HeldByPerson", "call first", "ann")}
RULES = {"hold": Hold("ChangedAfterShipment", "it changed")}
CLOSED = {"status": OrderStatus.CLOSED}
WHOLE = context(partial_shipments=False)


def theirs(units: int | None = 1, **changed: object) -> RemoteFulfillment:
    """A fulfillment of the store's own."""
    named = None if units is None else {"l1": units}
    return replace(RemoteFulfillment("f1", named), **changed)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Example:
    """A shipment, what becomes of it, and words its sentence must hold."""

    code: str
    standing: Standing
    words: str
    order: SeenOrder
    on: OrderContext = PLAIN


EXAMPLES = (
    Example("ShipmentRecorded", ACTION, "1 unit left", kept(None, shipment())),
    Example("ShipmentRecorded", ACTION, "1 unit", kept(None, shipment(), of=CLOSED)),
    # What a person closed is not held for what changed there since.
    Example(
        "ShipmentRecorded",
        ACTION,
        "1 unit",
        kept(None, shipment(), of=CLOSED, now=remote(line(quantity=5))),
    ),
    Example("OrderOnHold", WAITING, "call first", kept(None, shipment(), of=HELD)),
    Example("OrderOnHold", ATTENTION, "it changed", kept(None, shipment(), of=RULES)),
    # The difference was seen and not decided yet: nothing leaves meanwhile.
    Example("OrderOnHold", ATTENTION, "→ 5", kept(None, shipment(), now=remote(line(quantity=5)))),
    Example("OrderOnHold", ATTENTION, "canceled", kept(None, shipment(), now=CANCELED)),
    Example("OrderCanceled", ATTENTION, "outranks", kept(CANCELED, shipment())),
    Example("NotUnderstood", ATTENTION, "total", kept(None, shipment(), unreadable="total: no")),
    Example("BeyondOrdered", ATTENTION, "4 units, and 3 are left", kept(None, shipment(units=4))),
    Example("BeyondOrdered", ATTENTION, "2 are left", kept(None, PUSHED, shipment(2, 3))),
    Example(
        "BeyondOrdered", ATTENTION, "1 are left", kept(remote(line(canceled=2)), shipment(units=2))
    ),
    Example(
        "BeyondOrdered",
        ATTENTION,
        "1 are left",
        kept(None, shipment(units=2), now=remote(fulfillments=(theirs(2),))),
    ),
    Example("Unfinished", WAITING, "not finished", kept(None, shipment(busy="SENDING"))),
    Example("Unfinished", WAITING, "being confirmed", kept(None, shipment(busy="UNKNOWN"))),
    Example("PartsWait", WAITING, "2 units that are left", kept(None, shipment()), WHOLE),
    Example("ShipmentRecorded", ACTION, "3 units", kept(None, shipment(units=3)), WHOLE),
    Example(
        "Unsupported",
        ATTENTION,
        "Main does not",
        kept(None, shipment()),
        context(supported=frozenset()),
    ),
    Example(
        "PolicyForbids",
        ATTENTION,
        "OBSERVE",
        kept(None, shipment()),
        context(policy=WritePolicy.OBSERVE),
    ),
)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_a_shipment_is_sent_or_says_why_not(number: int) -> None:
    """The code, the standing and the words of the table come out for the last shipment."""
    example = EXAMPLES[number]
    plan = plan_fulfillment(example.order, example.on)
    said = [item for item in plan.decisions if item.action is ActionKind.FULFILL][-1]
    assert (said.code, said.standing) == (example.code, example.standing)
    assert example.words in said.message
    assert said.shipment_id
    sent = [item.shipment_id for item in plan.actions if item.kind is ActionKind.FULFILL]
    assert (said.shipment_id in sent) is (example.standing is ACTION)
    if example.code == "PolicyForbids":
        assert said.outcome is Outcome.SKIPPED
        assert [item.shipment_id for item, _ in plan.skipped] == ["1"]


def test_what_is_sent_names_lines_and_tracking() -> None:
    """One action per shipment, on the shipment, keyed by what it holds."""
    order = kept(TWO, shipment(), shipment(2, 2, lines={"l1": 2, "l2": 1}))
    plan = plan_fulfillment(order, context())
    assert [item.object_id for item in plan.actions] == ["shipment:1", "shipment:2"]
    changes = {item.field: item.after for item in plan.actions[1].changes}
    assert changes == {"order": "77", "lines.l1": 2, "lines.l2": 1, "tracking_number": "T2"}
    other = plan_fulfillment(kept(TWO, shipment(tracking_number="T9")), context())
    assert other.actions[0].key != plan.actions[0].key


def test_of_two_that_are_too_much_the_first_goes() -> None:
    """Two shipments that together are more than what is left do not block each other."""
    order = kept(None, shipment(1, 2), shipment(2, 2))
    plan = plan_fulfillment(order, context())
    assert [item.shipment_id for item in plan.actions] == ["1"]
    assert [item.code for item in plan.decisions] == ["ShipmentRecorded", "BeyondOrdered"]


def test_what_may_be_counted_twice_waits() -> None:
    """While one is under way, a fulfillment seen may be it: the next one is no error yet."""
    order = kept(
        None,
        shipment(1, 2, busy="UNKNOWN", tracking_number=""),
        shipment(2, 1),
        now=remote(fulfillments=(theirs(2),)),
    )
    assert [item.code for item in plan_fulfillment(order, context()).decisions] == [
        "Unfinished",
        "Unfinished",
    ]


def test_a_shipment_that_failed_for_good_is_not_repeated() -> None:
    """The same input is tried once; another tracking number or another order is another input."""
    action = plan_fulfillment(kept(None, shipment()), context()).actions[0]
    failure = Failure("FULFILL", action.input_hash, "Rejected", "the platform said no")
    failed = shipment(failures=(failure,))
    plan = plan_fulfillment(kept(None, failed), context())
    assert plan.actions == ()
    assert plan.decisions[0].code == "FailedBefore"
    assert "the platform said no" in plan.decisions[0].message
    for other in (
        kept(None, replace(failed, tracking_number="T9")),
        kept(None, failed, now=remote(status="on-hold")),
    ):
        assert len(plan_fulfillment(other, context()).actions) == 1


def test_parts_are_sent_once_all_has_left() -> None:
    """A channel that takes no parts gets them all then, and the last one completes the order."""
    order = kept(None, shipment(1, 1), shipment(2, 2))
    assert [item.shipment_id for item in plan_fulfillment(order, WHOLE).actions] == ["1", "2"]
    assert (completes(order, "1"), completes(order, "2")) == (False, True)
    part = kept(None, shipment(1, 1))
    assert not completes(part, "1")
    assert not completes(seen(), "1")


def test_nothing_to_send_is_said_too() -> None:
    """An imported order without a shipment to send has a decision; one not imported has none."""
    assert plan_fulfillment(seen(), context()).decisions == ()
    (said,) = plan_fulfillment(kept(), context()).decisions
    assert (said.code, said.standing) == ("NothingShipped", IN_ORDER)
    assert "3 units are left" in said.message
    (said,) = plan_fulfillment(kept(None, PUSHED), context()).decisions
    assert (said.code, said.standing) == ("ShipmentsThere", IN_ORDER)


SHIPPED = context(closes=frozenset({CloseWhen.SHIPPED}))
BOTH = context(closes=frozenset(CloseWhen))


@pytest.mark.parametrize(
    ("order", "on", "code"),
    [
        (kept(None, ALL), SHIPPED, "AllShipped"),
        (kept(None, ALL), context(), None),
        (kept(None, PUSHED), SHIPPED, None),
        (kept(None, shipment(units=3)), SHIPPED, None),
        (kept(None, ALL, of={"is_closed_there": True}), SHIPPED, None),
        (kept(CANCELED, ALL), BOTH, None),
        (kept(None, ALL, gone="Deleted"), BOTH, None),
        (kept(DIGITAL), SHIPPED, None),
        (kept(of=CLOSED), SHIPPED, None),
        (kept(of=CLOSED), BOTH, "ClosedHere"),
        (kept(None, shipment(), of=CLOSED), BOTH, "ShipmentsFirst"),
        (kept(None, shipment(busy="UNKNOWN"), of=CLOSED), BOTH, "ShipmentsFirst"),
        (kept(None, shipment(units=9), of=CLOSED), BOTH, "ClosedHere"),
        (kept(None, ALL, of=HELD), SHIPPED, "OrderOnHold"),
        (kept(None, ALL, busy={"close": "SENDING"}), SHIPPED, "Unfinished"),
        (kept(None, ALL), replace(SHIPPED, policy=WritePolicy.OBSERVE), "PolicyForbids"),
    ],
)
def test_closing(order: SeenOrder, on: OrderContext, code: str | None) -> None:
    """An order is closed there once, when all of it is there or a person has closed it here."""
    plan = plan_fulfillment(order, on)
    said = [item.code for item in plan.decisions if item.action is ActionKind.CLOSE]
    assert said == ([] if code is None else [code])
    acts = ActionKind.CLOSE in {item.kind for item in plan.actions}
    assert acts is (code in ("AllShipped", "ClosedHere"))


@pytest.mark.parametrize(
    ("order", "lines", "codes"),
    [
        (kept(), {"l1": 3}, []),
        (kept(), None, []),
        (kept(None, PUSHED), {"l1": 2}, []),
        (kept(TWO), {"l1": 0, "l2": 1}, []),
        (seen(), None, ["NotImported"]),
        (kept(), {}, ["NothingToShip"]),
        (kept(), {"l1": 0}, ["NothingToShip"]),
        (kept(None, ALL), None, ["NothingToShip"]),
        (kept(), {"l7": 1}, ["UnknownLine"]),
        (kept(), {"l1": 4}, ["BeyondOrdered"]),
        (kept(), {"l1": -1}, ["BeyondOrdered"]),
        (kept(None, PUSHED), {"l1": 3}, ["BeyondOrdered"]),
        (kept(TWO), {"l1": 4, "l2": 2}, ["BeyondOrdered", "BeyondOrdered"]),
        (kept(now=remote(line(quantity=2))), {"l1": 3}, ["BeyondOrdered"]),
        (kept(now=remote(fulfillments=(theirs(2),))), {"l1": 2}, ["BeyondOrdered"]),
        (kept(DIGITAL), None, ["Digital"]),
        (kept(remote(is_digital=True)), None, ["Digital"]),
        (kept(remote(line(), line(2, is_digital=True))), {"l2": 1}, ["Digital"]),
        (kept(CANCELED), None, ["OrderCanceled"]),
        (kept(now=CANCELED), None, ["OrderCanceled"]),
        (kept(gone="Deleted"), None, ["OrderCanceled"]),
        (kept(of=CLOSED), None, ["OrderClosed"]),
        (kept(of=HELD), None, ["OrderOnHold"]),
        (kept(None, PUSHED, now=remote(line(quantity=9))), None, ["OrderOnHold"]),
    ],
)
def test_what_a_person_may_ship(
    order: SeenOrder, lines: dict[str, int] | None, codes: list[str]
) -> None:
    """The refusals of the table come out, all of them at once."""
    reasons = check_shipment(order, lines, "T1", without_tracking=False)
    assert [item.code for item in reasons] == codes
    assert all(item.message for item in reasons)


def test_the_refusal_names_the_numbers() -> None:
    """How many were asked for, how many are left, how many were ordered."""
    (said,) = check_shipment(kept(None, PUSHED), {"l1": 3}, "T1", without_tracking=False)
    assert said.message == "Shirt 1: 3 units named, 2 left of 3 ordered"


@pytest.mark.parametrize(
    ("number", "without", "codes"),
    [
        ("T1", False, []),
        ("", True, []),
        ("", False, ["TrackingMissing"]),
        (" ", False, ["TrackingMissing"]),
    ],
)
def test_an_empty_tracking_number_is_said_on_purpose(
    number: str, without: bool, codes: list[str]
) -> None:
    """A shipment without tracking is possible, and never an accident."""
    reasons = check_shipment(kept(), None, number, without_tracking=without)
    assert [item.code for item in reasons] == codes


def test_what_remains() -> None:
    """Shipments of either side count, those taken back do not, digital lines are left out."""
    order = remote(line(canceled=1), line(2, is_digital=True))
    assert remaining(imported(order)) == {"l1": 2}
    assert remaining(imported(order, PUSHED)) == {"l1": 1}
    assert remaining(imported(order, shipment(units=9))) == {"l1": 0}
    assert remaining(imported(order, shipment(state=ShipmentState.VOID))) == {"l1": 2}
    assert shippable(kept(order, PUSHED)) == {"l1": 1}
    assert shippable(seen()) == {}


@pytest.mark.parametrize(
    ("order", "shipments", "gone", "status"),
    [
        (remote(), (), None, OrderStatus.OPEN),
        (remote(), (PUSHED,), None, OrderStatus.PARTIALLY_SHIPPED),
        (remote(), (ALL,), None, OrderStatus.SHIPPED),
        (remote(), (replace(ALL, state=ShipmentState.VOID),), None, OrderStatus.OPEN),
        (CANCELED, (), None, OrderStatus.CANCELED),
        (CANCELED, (PUSHED,), None, OrderStatus.CANCELED),
        (CANCELED, (ALL,), None, OrderStatus.SHIPPED),
        (remote(), (), "InTrash", OrderStatus.CANCELED),
        (DIGITAL, (), None, OrderStatus.OPEN),
        (replace(DIGITAL, stage=OrderStage.COMPLETED), (), None, OrderStatus.SHIPPED),
        (
            remote(is_digital=True, stage=OrderStage.COMPLETED),
            (),
            None,
            OrderStatus.SHIPPED,
        ),
    ],
)
def test_where_an_order_stands(
    order: RemoteOrder, shipments: tuple[Shipment, ...], gone: str | None, status: OrderStatus
) -> None:
    """The status follows from what has left and what the channel says."""
    assert status_of(imported(order, *shipments), order, gone) is status
    closed = imported(order, *shipments, status=OrderStatus.CLOSED)
    assert status_of(closed, order, gone) is OrderStatus.CLOSED


DONE = {"stage": OrderStage.COMPLETED, "ended_at": NOW - HOUR}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (seen(), []),
        (seen(remote(fulfillments=(theirs(),))), [("f1", {"l1": 1})]),
        (seen(remote(fulfillments=(theirs(None),))), [("f1", {})]),
        (seen(remote(**DONE)), [("completed", {"l1": 3})]),
        (
            seen(remote(fulfillments=(theirs(),), **DONE)),
            [("f1", {"l1": 1}), ("completed", {"l1": 2})],
        ),
        (kept(None, PUSHED, now=remote(**DONE)), [("completed", {"l1": 2})]),
        (kept(None, ALL, now=remote(**DONE)), []),
        (kept(None, shipment(units=3), now=remote(**DONE)), []),
        (kept(None, PUSHED, now=remote(line(canceled=1), **DONE)), [("completed", {"l1": 1})]),
        (kept(None, PUSHED, now=remote(line(quantity=9), **DONE)), [("completed", {"l1": 2})]),
        (kept(now=remote(line(quantity=9), **DONE)), [("completed", {"l1": 9})]),
        (
            kept(None, replace(PUSHED, remote_ids=("completed",)), now=remote(**DONE)),
            [("completed-2", {"l1": 2})],
        ),
        (kept(now=remote(**DONE), of=CLOSED), []),
        (kept(now=remote(**DONE), gone="Deleted"), []),
        (kept(None, PUSHED, now=remote(fulfillments=(theirs(id="ours-1"),))), []),
        (kept(None, shipment(), now=remote(fulfillments=(theirs(tracking_number=" t1 "),))), []),
        (
            kept(None, shipment(), now=remote(fulfillments=(theirs(2, tracking_number="T1"),))),
            [("f1", {"l1": 2})],
        ),
        (
            kept(None, shipment(busy="UNKNOWN"), now=remote(fulfillments=(theirs(),))),
            [],
        ),
        (
            kept(
                None,
                PUSHED,
                now=remote(
                    fulfillments=(
                        theirs(id="ours-1", tracking_number="T1"),
                        theirs(tracking_number="T1"),
                    )
                ),
            ),
            [("f1", {"l1": 1})],
        ),
    ],
)
def test_what_the_channel_shipped_itself(
    order: SeenOrder, expected: list[tuple[str, dict[str, int]]]
) -> None:
    """Theirs that are new, none of ours, and the rest of what the channel calls completed."""
    found = channel_shipments(order)
    assert [(item.id, item.lines) for item in found] == expected
    assert all(item.shipped_at is not None for item in found)

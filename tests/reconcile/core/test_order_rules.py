"""Every decision about an order by an example: the verdict, the code, what the sentence names."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from reconcile.core.actions import Action, ActionKind
from reconcile.core.imprinting import differences, imprint
from reconcile.core.order_codes import OrderCode
from reconcile.core.order_filters import shipping_policy
from reconcile.core.order_types import (
    Hold,
    OrderContext,
    OrderFilter,
    OrderPlan,
    OrderStatus,
    SeenOrder,
    ShipmentState,
)
from reconcile.core.orders import follows, hold_of, plan_order
from reconcile.core.remote_order_types import (
    Impediment,
    OrderStage,
    OrderVerdict,
    RemoteFulfillment,
    RemoteOrder,
    ShippingText,
)
from reconcile.core.types import Failure, WritePolicy
from tests.reconcile.core.order_samples import (
    DAY,
    NOW,
    address,
    context,
    imported,
    kept,
    line,
    remote,
    seen,
    shipment,
)

PLAIN = context()
IMPORTED, SKIPPED = OrderVerdict.IMPORTED, OrderVerdict.SKIPPED
HELD, UNSAVABLE = OrderVerdict.HELD, OrderVerdict.UNSAVABLE
CANCELED = {
    "stage": OrderStage.CANCELED,
    "status": "cancelled",
    "facets": {"status": ("cancelled",)},
}
PICKUP = (ShippingText(("local_pickup:7", "local_pickup"), "Pick it up"),)


def _stopped(verdict: OrderVerdict) -> tuple[Impediment, ...]:
    return (Impediment(verdict, "FulfilledElsewhere", "a warehouse ships it"),)


@dataclass(frozen=True)
class Example:
    """An order, what becomes of it, and words its sentence must hold."""

    verdict: OrderVerdict
    code: str
    words: str
    order: SeenOrder
    on: OrderContext = PLAIN


EXAMPLES = (
    Example(IMPORTED, "NewOrder", "with Parcel", seen()),
    Example(UNSAVABLE, "NotUnderstood", "total: no", seen(unreadable="total: no number")),
    Example(SKIPPED, "DeletedThere", "read by id", seen(gone="Deleted")),
    Example(SKIPPED, "InTrash", "trash", seen(gone="InTrash")),
    Example(
        SKIPPED, "IncompleteCheckout", "draft", seen(remote(stage=OrderStage.DRAFT, status="draft"))
    ),
    Example(
        SKIPPED, "FulfilledElsewhere", "warehouse", seen(remote(impediments=_stopped(SKIPPED)))
    ),
    Example(
        SKIPPED,
        "StatusNotSelected",
        "is on-hold; imported are processing. Change the filter of GET_ORDERS (order status)",
        seen(remote(facets={"status": ("on-hold",)})),
    ),
    Example(SKIPPED, "StatusNotSelected", "has no order status", seen(remote(facets={}))),
    Example(
        SKIPPED,
        "StatusNotSelected",
        "canceled",
        seen(remote(**CANCELED)),
        context(filter=OrderFilter()),
    ),
    Example(
        SKIPPED,
        "CanceledThere",
        "canceled",
        seen(remote(**CANCELED)),
        context(filter=OrderFilter(), facets=()),
    ),
    Example(
        IMPORTED,
        "NewOrder",
        "1001",
        seen(remote(**CANCELED)),
        context(filter=OrderFilter({"status": frozenset({"cancelled"})})),
    ),
    Example(
        SKIPPED,
        "TooOld",
        "created on 2026-11-05 and first seen on 2026-11-20; imported are orders that are at most "
        "14 days old",
        seen(remote(created_at=NOW - 15 * DAY)),
    ),
    Example(IMPORTED, "NewOrder", "1001", seen(remote(created_at=NOW - 14 * DAY))),
    Example(
        IMPORTED,
        "NewOrder",
        "1001",
        seen(remote(created_at=NOW - 99 * DAY)),
        context(filter=OrderFilter(days=None)),
    ),
    Example(UNSAVABLE, "FulfilledElsewhere", "ware", seen(remote(impediments=_stopped(UNSAVABLE)))),
    Example(IMPORTED, "NewOrder", "nothing of it", seen(remote(is_digital=True), policies={})),
    Example(IMPORTED, "NewOrder", "nothing of it", seen(remote(line(quantity=0)), policies={})),
    Example(IMPORTED, "NewOrder", "nothing of it", seen(replace(remote(), lines=()), policies={})),
    Example(IMPORTED, "NewOrder", "nothing of it", seen(remote(ship_to=None, is_digital=True))),
    Example(UNSAVABLE, "MissingAddress", "no address", seen(remote(ship_to=None))),
    Example(
        UNSAVABLE,
        "MissingAddress",
        "not shown to us: the scope",
        seen(remote(ship_to=None, withheld={"shipping_address": "the scope is missing"})),
    ),
    Example(IMPORTED, "NewOrder", "Parcel", seen(remote(ship_to=None), is_erased=True)),
    Example(
        UNSAVABLE,
        "MissingSku",
        "line 2 (Shirt 2)",
        seen(remote(line(), line(2, sku=None), line(3, sku=None, quantity=0))),
    ),
    Example(UNSAVABLE, "MissingSku", "line 1", seen(remote(line(sku="  ")))),
    Example(IMPORTED, "NewOrder", "1001", seen(remote(line(sku=None)), skus={"l1": "OURS"})),
    Example(IMPORTED, "NewOrder", "1001", seen(remote(line(), line(2, sku=None, is_digital=True)))),
    Example(HELD, "FulfilledElsewhere", "warehouse", seen(remote(impediments=_stopped(HELD)))),
    Example(
        HELD,
        "FulfilledElsewhere",
        "warehouse",
        seen(remote(impediments=_stopped(HELD), is_digital=True)),
    ),
    Example(
        HELD,
        "UnmappedShipping",
        'shipping method "local_pickup:7" or "local_pickup" ("Pick it up") of Main has no shipping '
        "policy of ours. Map it with `mappings set`",
        seen(remote(shipping=PICKUP)),
    ),
    Example(HELD, "UnmappedShipping", "the empty text", seen(remote(shipping=()))),
    Example(
        HELD,
        "UnmappedShipping",
        "local_pickup",
        seen(remote(shipping=(*remote().shipping, *PICKUP))),
    ),
    Example(
        IMPORTED, "NewOrder", "with Letter", seen(remote(shipping=()), policies={"": "Letter"})
    ),
    Example(
        IMPORTED,
        "NewOrder",
        "It is in USD, the channel sells in EUR; nothing is ever converted",
        seen(remote(currency="USD")),
    ),
)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_order_that_is_not_imported(number: int) -> None:
    """The verdict, the code and the words of the table come out, and an import has an action."""
    example = EXAMPLES[number]
    made = plan_order(example.order, example.on)
    assert (made.decision.verdict, made.decision.code) == (example.verdict, example.code)
    assert example.words in made.decision.message
    assert [item.kind for item in made.plan.actions] == (
        [ActionKind.IMPORT_ORDER] if example.verdict is IMPORTED else []
    )


def test_the_first_rule_that_speaks_decides() -> None:
    """What is gone is not judged by filters, and filters go before what an order lacks."""
    worst = replace(
        remote(line(sku=None), ship_to=None, shipping=PICKUP, created_at=NOW - 99 * DAY),
        facets={"status": ("on-hold",)},
    )
    orders = (
        seen(worst, gone="Deleted"),
        seen(worst),
        seen(replace(worst, facets=remote().facets)),
        seen(replace(worst, facets=remote().facets, created_at=NOW)),
        seen(replace(worst, facets=remote().facets, created_at=NOW, ship_to=address())),
        seen(remote(shipping=PICKUP)),
    )
    said = [plan_order(order, context()).decision.code for order in orders]
    assert said == [
        "DeletedThere",
        "StatusNotSelected",
        "TooOld",
        "MissingAddress",
        "MissingSku",
        "UnmappedShipping",
    ]


def test_the_window_looks_at_first_sight_only() -> None:
    """An order seen in time is imported however late its mapping comes."""
    order = seen(remote(created_at=NOW - 10 * DAY, modified_at=NOW + 90 * DAY))
    assert plan_order(order, context()).decision.verdict is IMPORTED


def test_the_most_specific_key_wins() -> None:
    """Of one method the first key that is mapped counts; of several methods the first method."""
    both = {"flat_rate": "Parcel", "flat_rate:3": "Express", "local_pickup": "None"}
    assert shipping_policy(remote(), both) == ("flat_rate:3", "Express")
    assert shipping_policy(remote(), {"flat_rate": "Parcel"}) == ("flat_rate", "Parcel")
    several = remote(shipping=(*PICKUP, *remote().shipping))
    assert shipping_policy(several, both) == ("local_pickup", "None")
    assert shipping_policy(several, {"flat_rate": "Parcel"}) is None
    assert shipping_policy(remote(is_digital=True), both) is None


def _changed(order: SeenOrder, on: OrderContext | None = None) -> tuple[OrderPlan, Action | None]:
    made = plan_order(order, context() if on is None else on)
    imports = [item for item in made.plan.actions if item.kind is ActionKind.IMPORT_ORDER]
    assert made.decision.verdict is IMPORTED
    return made, imports[0] if imports else None


PUSHED = shipment(state=ShipmentState.PUSHED, remote_ids=("ours-1",))
RULES = Hold(OrderCode.CHANGED_AFTER_SHIPMENT.value, "it changed")
PERSON = Hold("HeldByPerson", "call first", "ann")
MORE = remote(line(quantity=5))


@dataclass(frozen=True)
class After:
    """An imported order, the reason of the action that follows, and words of its sentence."""

    code: str
    words: str
    order: SeenOrder
    acts: bool = True


AFTER = (
    After("Imported", "agrees", kept(), acts=False),
    After("Imported", "agrees", kept(None, PUSHED), acts=False),
    After("Imported", "agrees", kept(now=remote(note="PRIV-other", total="1")), acts=False),
    After("FollowsChannel", "Shirt 1: units ordered 3 → 5", kept(now=MORE)),
    After("FollowsChannel", "units canceled 0 → 1", kept(now=remote(line(canceled=1)))),
    After("FollowsChannel", "Shirt 2 (3 units) was added", kept(now=remote(line(), line(2)))),
    After(
        "FollowsChannel",
        "Shirt 2 (3 units) was removed",
        kept(remote(line(), line(2)), now=remote()),
    ),
    After("FollowsChannel", "delivery address", kept(now=remote(ship_to=address("2")))),
    After("FollowsChannel", "shipping method", kept(now=remote(shipping=PICKUP))),
    After("FollowsChannel", "from EUR to USD", kept(now=remote(currency="USD"))),
    After("FollowsChannel", "it is canceled", kept(now=remote(**CANCELED))),
    After("FollowsChannel", "it is canceled", kept(gone="Deleted")),
    After(
        "FollowsChannel",
        "no longer canceled",
        kept(remote(**CANCELED), now=remote(), of={"status": OrderStatus.CANCELED}),
    ),
    After("FollowsChannel", "→ 5", kept(None, replace(PUSHED, state=ShipmentState.VOID), now=MORE)),
    After("FollowsChannel", "→ 5", kept(now=MORE, of={"hold": PERSON})),
    After(
        "HoldsBack", "changed there after something had left: Shirt 1", kept(None, PUSHED, now=MORE)
    ),
    After("HoldsBack", "→ 5", kept(None, shipment(), now=MORE)),
    After("HoldsBack", "is canceled there", kept(None, PUSHED, now=remote(**CANCELED))),
    After("HoldsBack", "trash or deleted", kept(None, PUSHED, gone="InTrash")),
    After("HoldsBack", "→ 5", kept(None, PUSHED, now=MORE, of={"hold": RULES})),
    After(
        "HoldsBack",
        "→ 5",
        kept(now=replace(MORE, fulfillments=(RemoteFulfillment("f1", {"l1": 1}),))),
    ),
    After("HoldEnds", "no longer so", kept(None, PUSHED, of={"hold": RULES})),
    After("OnHold", "by a person: call first", kept(of={"hold": PERSON}), acts=False),
    After("OnHold", "→ 5", kept(None, PUSHED, now=MORE, of={"hold": PERSON}), acts=False),
    After(
        "ShippedThere",
        "1 shipment of Main's own",
        kept(now=remote(fulfillments=(RemoteFulfillment("f1", {"l1": 1}),))),
    ),
    After("ShippedThere", "1 shipment", kept(now=remote(stage=OrderStage.COMPLETED))),
    After(
        "ShippedThere",
        "1 shipment",
        kept(
            now=remote(fulfillments=(RemoteFulfillment("f1", {"l1": 1}),)),
            of={"status": OrderStatus.CLOSED},
        ),
    ),
    After(
        "Imported",
        "closed here",
        kept(None, PUSHED, now=MORE, of={"status": OrderStatus.CLOSED}),
        acts=False,
    ),
    After("NotUnderstood", "total: no", kept(unreadable="total: no number"), acts=False),
    After("Imported", "agrees", kept(now=remote(ship_to=None), is_erased=True), acts=False),
)


@pytest.mark.parametrize("number", range(len(AFTER)))
def test_an_order_that_is_imported(number: int) -> None:
    """Untouched it follows the channel; with a shipment it goes on hold with the difference."""
    example = AFTER[number]
    made, action = _changed(example.order)
    assert made.decision.code == example.code
    assert example.words in made.decision.message
    assert (action is not None) is example.acts
    if action is not None:
        assert action.reason.code == example.code
        assert action.object_id == "order:7"


def test_a_hold_carries_the_difference() -> None:
    """The hold is among the changes, with its code and sentence; an ending hold has none."""
    _, action = _changed(kept(None, PUSHED, now=remote(**CANCELED)))
    assert action is not None
    hold = next(item for item in action.changes if item.field == "hold")
    assert isinstance(hold.after, dict)
    assert hold.after["code"] == "CanceledAfterShipment"
    _, action = _changed(kept(None, PUSHED, of={"hold": RULES}))
    assert action is not None
    assert [(item.field, item.after) for item in action.changes] == [("hold", None)]
    _, action = _changed(kept(now=MORE, of={"hold": RULES}))
    assert action is not None
    assert action.reason.code == "FollowsChannel"
    assert ("hold", None) in [(item.field, item.after) for item in action.changes]


def test_a_release_accepts_what_is_seen() -> None:
    """With the imprint of what is seen, the same difference holds nothing any more."""
    canceled = remote(**CANCELED)
    order = kept(None, PUSHED, now=canceled)
    assert hold_of(order) is not None
    assert hold_of(replace(order, unreadable="total: no")) is None
    assert hold_of(replace(order, imported=None)) is None
    accepted = replace(order, imported=imported(canceled, PUSHED))
    assert hold_of(accepted) is None
    assert _changed(accepted)[1] is None
    gone = kept(None, PUSHED, gone="Deleted")
    copy = imported(None, PUSHED, imprint=imprint(remote(), "Deleted"))
    assert _changed(replace(gone, imported=copy))[1] is None


def test_the_imprint_holds_no_address() -> None:
    """An address stands as its digest, and a difference in it as that it changed."""
    before, now = imprint(remote()), imprint(remote(ship_to=address("2")))
    assert "PRIV" not in repr(before)
    assert [(item.field, item.before, item.after) for item in differences(before, now)] == [
        ("ship_to", "as imported", "changed")
    ]
    assert differences(before, imprint(remote())) == ()


def test_many_differences_are_not_all_said() -> None:
    """A sentence stays readable; the numbers stand in the changes."""
    many = [line(number) for number in range(1, 12)]
    more = [replace(item, quantity=9) for item in many]
    made, action = _changed(kept(remote(*many), now=remote(*more)))
    assert "and 5 more" in made.decision.message
    assert action is not None
    assert len(action.changes) == 11


ACKNOWLEDGING = context(acknowledges=True)


@pytest.mark.parametrize(
    ("order", "on", "code"),
    [
        (kept(), ACKNOWLEDGING, "Acknowledge"),
        (kept(), context(), None),
        (seen(), ACKNOWLEDGING, None),
        (kept(of={"is_acknowledged": True}), ACKNOWLEDGING, None),
        (kept(gone="Deleted"), ACKNOWLEDGING, None),
        (kept(busy={"acknowledge": "SENDING"}), ACKNOWLEDGING, "Unfinished"),
        (kept(), replace(ACKNOWLEDGING, policy=WritePolicy.OBSERVE), "PolicyForbids"),
        (kept(), replace(ACKNOWLEDGING, supported=frozenset()), "Unsupported"),
    ],
)
def test_acknowledging(order: SeenOrder, on: OrderContext, code: str | None) -> None:
    """Imported orders are acknowledged once where that is set; elsewhere nothing is even said."""
    plan = plan_order(order, on).plan
    said = [item.code for item in plan.decisions if item.action is ActionKind.ACKNOWLEDGE]
    assert said == ([] if code is None else [code])
    acts = [item.kind for item in plan.actions]
    assert (ActionKind.ACKNOWLEDGE in acts) is (code == "Acknowledge")


def test_an_acknowledgment_that_failed_for_good_is_not_repeated() -> None:
    """The same input is tried once; another status of the order makes it another input."""
    action = plan_order(kept(), ACKNOWLEDGING).plan.actions[0]
    failure = Failure("ACKNOWLEDGE", action.input_hash, "Rejected", "the platform said no")
    plan = plan_order(kept(failures=(failure,)), ACKNOWLEDGING).plan
    assert plan.actions == ()
    assert plan.decisions[-1].code == "FailedBefore"
    changed = kept(now=remote(status="on-hold"), failures=(failure,))
    assert len(plan_order(changed, ACKNOWLEDGING).plan.actions) == 1


def test_nothing_but_an_untouched_order_follows_whole() -> None:
    """Once something has left or a person closed it, our copy stands."""
    assert follows(kept())
    assert not follows(seen())
    assert not follows(kept(None, PUSHED))
    assert not follows(kept(of={"status": OrderStatus.CLOSED}))
    assert not follows(kept(unreadable="total: no number"))


def _same(make: Callable[[], RemoteOrder]) -> bool:
    first, second = (plan_order(seen(make()), context()).plan.actions[0] for _ in range(2))
    return (first.key, first.input_hash) == (second.key, second.input_hash)


def test_equal_orders_have_equal_keys() -> None:
    """The key of an import says which order, and what of it."""
    assert _same(remote)
    one, other = (plan_order(seen(item), context()).plan.actions[0] for item in (remote(), MORE))
    assert one.key != other.key


@pytest.mark.parametrize(
    "now", [remote(**CANCELED), remote(line(canceled=3)), remote(line(quantity=2))]
)
def test_what_has_left_whole_is_not_held(now: RemoteOrder) -> None:
    """A return, a refund or a clean-up there stops nothing, for nothing more can leave."""
    order = kept(None, replace(PUSHED, lines={"l1": 3}), now=now)
    assert hold_of(order) is None
    assert _changed(order)[1] is None
    recorded = kept(None, shipment(units=3), now=now)
    assert hold_of(recorded) is not None

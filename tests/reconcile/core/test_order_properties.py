"""What holds for every order, every channel, and every sequence of days, good and bad."""

import json
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.actions import ActionKind, Decision, Plan
from reconcile.core.fulfilling import plan_fulfillment, shippable
from reconcile.core.keys import canonical_json
from reconcile.core.mapping import Template
from reconcile.core.order_content import order_content
from reconcile.core.order_types import (
    CloseWhen,
    OrderContext,
    OrderFilter,
    OrderStatus,
    OurOrderField,
    SeenOrder,
    ShipmentState,
)
from reconcile.core.orders import plan_order
from reconcile.core.remote_order_types import OrderStage, OrderVerdict, RemoteOrder
from reconcile.core.shipped import channel_shipments, remaining
from reconcile.core.types import WritePolicy
from tests.reconcile.core.order_samples import SECRET, SENT_KINDS, remote
from tests.reconcile.core.order_samples import context as plain_context
from tests.reconcile.core.order_samples import seen as plain_seen
from tests.reconcile.core.order_story import Step, Story, stories, told
from tests.reconcile.core.order_worlds import contexts, seen_orders, thorough

WILLING = OrderFilter(days=None)


def _willing(seen: SeenOrder, context: OrderContext) -> tuple[SeenOrder, OrderContext]:
    """The same order without what keeps it from being imported, on a channel that can do all."""
    remote = replace(
        seen.remote,
        stage=OrderStage.OPEN,
        impediments=(),
        is_digital=False,
        fulfillments=seen.remote.fulfillments[:1],
        lines=tuple(
            replace(line, quantity=line.quantity + 1, is_digital=False)
            for line in seen.remote.lines
        ),
    )
    made = replace(
        seen,
        remote=remote,
        unreadable="",
        gone=None,
        is_erased=True,
        skus={line.id: "OURS" for line in remote.lines},
        policies={"flat_rate": "Parcel", "": "Letter", "pickup": "None"},
    )
    able = replace(
        context, filter=WILLING, policy=WritePolicy.FULL, supported=frozenset(SENT_KINDS)
    )
    return made, able


@thorough
@given(seen_orders(), contexts())
def test_every_order_has_one_verdict_and_a_reason(seen: SeenOrder, context: OrderContext) -> None:
    """An order is imported, or it is not and says why; never both and never neither."""
    made = plan_order(seen, context)
    imports = [item for item in made.plan.actions if item.kind is ActionKind.IMPORT_ORDER]
    assert made.decision.verdict is not OrderVerdict.PENDING
    assert (made.decision.verdict is OrderVerdict.IMPORTED) is (len(imports) == 1)
    assert made.decision.code
    assert made.decision.message.strip()


@thorough
@given(seen_orders(), contexts(), stories)
def test_an_imported_order_stays_imported(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """Whatever happens after the import, the verdict stays, with a reason."""
    made = told(seen, context, story)
    decision = plan_order(made.seen, context).decision
    assert decision.message.strip()
    if made.seen.imported is not None:
        assert decision.verdict is OrderVerdict.IMPORTED


@thorough
@given(seen_orders(), contexts(), stories)
def test_nothing_is_shipped_twice_nor_beyond_what_was_ordered(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """Over any sequence of days no shipment has its effect twice; the model checks each sending."""
    made = told(*_willing(seen, context), [("decide", 0, 0), *story])
    assert all(count == 1 for count in made.sent.values())


@thorough
@given(seen_orders(), contexts(), stories)
def test_plans_come_to_rest(seen: SeenOrder, context: OrderContext, story: list[Step]) -> None:
    """Once the store stands still, a few rounds end in a plan without actions."""
    made = told(seen, context, story)
    made.poll()
    for _ in range(5):
        made._confirm()
        if not made.plans_of():
            return
        made.decide()
        made.sync()
        made.poll()
    raise AssertionError(f"still planning: {made.plans_of()}")


@thorough
@given(seen_orders(), contexts(), stories)
def test_what_was_decided_is_not_decided_again(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """A plan that was applied leaves no IMPORT_ORDER, and a sending that went no second one."""
    made = told(seen, context, story)
    made.decide()
    again = plan_order(made.seen, context).plan.actions
    assert all(item.kind is not ActionKind.IMPORT_ORDER for item in again)
    sent = made.sync()
    keys = {item.key for item in made.plans_of()}
    assert keys.isdisjoint(item.key for item in sent)
    assert all(item.kind is not ActionKind.FULFILL for item in made.plans_of())


@thorough
@given(seen_orders(), contexts(), stories)
def test_what_is_shipped_there_is_recorded_once(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """No fulfillment becomes two shipments, and one of ours never becomes theirs."""
    made = told(*_willing(seen, context), [("decide", 0, 0), *story])
    made.poll()
    made._confirm()
    made.decide()
    if made.seen.imported is None:
        return
    ids = [one for item in made.seen.imported.shipments for one in item.remote_ids]
    assert len(ids) == len(set(ids))
    assert channel_shipments(made.seen) == ()


@thorough
@given(seen_orders(), contexts(), stories, stories)
def test_a_shipment_seen_before_its_outcome_is_known_stays_ours(
    seen: SeenOrder, context: OrderContext, story: list[Step], rest: list[Step]
) -> None:
    """It got there, nobody knows, and the store shows it: nothing is shipped or recorded twice."""
    lost: list[Step] = [("ship", 0, 1), ("sync", 1, 0), ("poll", 0, 0), ("decide", 0, 0)]
    days = [("decide", 0, 0), *story[:5], *lost, *rest]
    made = told(*_willing(seen, context), days)
    made._confirm()
    made.poll()
    made.decide()
    assert all(count == 1 for count in made.sent.values())
    assert made.seen.imported is not None
    ids = [one for item in made.seen.imported.shipments for one in item.remote_ids]
    assert len(ids) == len(set(ids))


@thorough
@given(seen_orders(), contexts(), stories)
def test_what_remains_is_never_negative(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """What may be shipped is never more than what remains, and that never more than ordered."""
    made = told(*_willing(seen, context), [("decide", 0, 0), *story])
    if made.seen.imported is None:
        return
    left = remaining(made.seen.imported)
    ordered = {line.remote_id: line.quantity for line in made.seen.imported.lines}
    assert all(0 <= units <= ordered[line] for line, units in left.items())
    assert all(0 < units <= left[line] for line, units in shippable(made.seen).items())


@thorough
@given(seen_orders(), contexts(), stories)
def test_a_shipment_taken_back_is_never_sent(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """FULFILL is of recorded shipments alone."""
    made = told(*_willing(seen, context), [("decide", 0, 0), *story])
    for action in plan_fulfillment(made.seen, made.context).actions:
        if action.kind is ActionKind.FULFILL:
            assert made.shipment(action.shipment_id).state is ShipmentState.RECORDED


@thorough
@given(seen_orders(), contexts(), stories)
def test_a_refused_channel_gets_nothing(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """In shadow mode nothing is planned that is sent; our own records change all the same."""
    made = told(seen, replace(context, policy=WritePolicy.OBSERVE), story)
    assert all(item.kind.is_local for item in made.plans_of())
    assert not made.sent


@thorough
@given(seen_orders(), contexts(), stories)
def test_no_personal_value_stands_in_a_plan(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """Neither reasons, nor inputs, nor changes, nor any repr hold personal data."""
    for order in (seen, told(*_willing(seen, context), [("decide", 0, 0), *story]).seen):
        made = plan_order(order, context)
        told_all = (made, plan_fulfillment(order, context), channel_shipments(order))
        fields = {field.value: field for field in OurOrderField}
        assert SECRET not in repr(told_all)
        assert SECRET not in repr(order)
        assert SECRET not in repr(order_content(order.remote, Template(), fields))


@thorough
@given(seen_orders(), contexts(), stories)
def test_decisions_are_json(seen: SeenOrder, context: OrderContext, story: list[Step]) -> None:
    """Inputs and changes can be stored as they are, and hold no float."""
    made = told(seen, context, story).seen
    planned = plan_order(made, context)
    canonical_json(dict(planned.decision.inputs))
    for decision in _decisions(planned.plan, plan_fulfillment(made, context)):
        canonical_json(dict(decision.inputs))
        assert json.dumps([decision.code, decision.message])
        assert type(decision.code) is str
        assert decision.message.strip()
        assert decision.order_id == made.id


@thorough
@given(seen_orders(), contexts(), stories, st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(
    seen: SeenOrder, context: OrderContext, story: list[Step], random: Random
) -> None:
    """Lines, shipments and fulfillments in another order make the same plan; so do equal inputs."""
    made = told(seen, context, story).seen
    other = replace(made, remote=_shuffled(made, random))
    if made.imported is not None:
        lines, shipments = list(made.imported.lines), list(made.imported.shipments)
        random.shuffle(lines)
        random.shuffle(shipments)
        copy = replace(made.imported, lines=tuple(lines), shipments=tuple(shipments))
        other = replace(other, imported=copy)
    assert plan_order(made, context) == plan_order(made, context)
    assert _keys(made, context) == _keys(other, context)


def _shuffled(seen: SeenOrder, random: Random) -> RemoteOrder:
    lines, fulfillments = list(seen.remote.lines), list(seen.remote.fulfillments)
    random.shuffle(lines)
    random.shuffle(fulfillments)
    return replace(seen.remote, lines=tuple(lines), fulfillments=tuple(fulfillments))


def _keys(seen: SeenOrder, context: OrderContext) -> list[tuple[str, str, str]]:
    plans = (plan_order(seen, context).plan, plan_fulfillment(seen, context))
    return [(item.key, item.input_hash, item.kind) for plan in plans for item in plan.actions]


def _decisions(*plans: Plan) -> list[Decision]:
    return [item for plan in plans for item in plan.decisions]


@thorough
@given(seen_orders(), contexts(), stories)
def test_parts_wait_where_no_parts_are_taken(
    seen: SeenOrder, context: OrderContext, story: list[Step]
) -> None:
    """A channel that takes one shipment of the whole gets none before all of it has left."""
    able, on = _willing(seen, context)
    made = told(able, replace(on, partial_shipments=False), [("decide", 0, 0), *story])
    sent = plan_fulfillment(made.seen, made.context).actions
    if any(item.kind is ActionKind.FULFILL for item in sent):
        assert made.seen.imported is not None
        assert not shippable(made.seen)


def test_the_model_gets_somewhere() -> None:
    """An order is imported, shipped in two parts and closed there; the model plays along."""
    story = Story(plain_seen(), plain_context(closes=frozenset({CloseWhen.SHIPPED})), remote())
    story.decide()
    for _ in range(3):
        story.take(("ship", 1, 1))
        story.sync()
        story.poll()
    assert story.seen.imported is not None
    assert story.seen.imported.status is OrderStatus.SHIPPED
    assert not story.seen.imported.is_closed_there
    story.sync()
    assert story.seen.imported.is_closed_there
    assert sum(story.sent.values()) == 3
    assert story.plans_of() == ()

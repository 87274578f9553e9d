"""Planning GET_ORDERS: what becomes of an order that was seen, and of our copy of it afterwards.

Pure. Before the import the filters decide; after it the verdict stays, and what changed there is
either followed or, once something has left, held against a person's word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reconcile.core.actions import ActionKind, Change, Reason, Standing
from reconcile.core.imprinting import differences, imprint, in_words
from reconcile.core.keys import changes_value
from reconcile.core.order_codes import OrderCode
from reconcile.core.order_filters import facts, judge, shipping_policy
from reconcile.core.order_gate import OrderDraft, Subject
from reconcile.core.order_types import (
    Hold,
    ImportedOrder,
    OrderContext,
    OrderDecision,
    OrderPlan,
    OrderStatus,
    SeenOrder,
)
from reconcile.core.remote_order_types import OrderVerdict, RemoteFulfillment
from reconcile.core.shipped import channel_shipments, has_left, may_leave, units_seen
from reconcile.core.types import Value

_ORDER = "order"
_ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True, slots=True)
class _Look:
    """What is seen now, compared with what was imported."""

    changes: tuple[Change, ...]
    hold: Hold | None
    """What the rules hold it for; None where they do not."""


def plan_order(seen: SeenOrder, context: OrderContext) -> OrderPlan:
    """The one verdict on an order, with what is to be done about our copy of it.

    IMPORT_ORDER changes our own records only, so neither policy nor an unfinished action matters.
    """
    draft = OrderDraft(context)
    if seen.imported is None:
        decision = judge(seen, context)
        if decision.verdict is OrderVerdict.IMPORTED:
            _import(draft, seen, decision)
        else:
            standing = _STANDINGS[decision.verdict]
            reason = Reason(decision.code, decision.message)
            draft.say(Subject(seen.id), reason, standing, decision.inputs)
        return OrderPlan(decision, draft.plan())
    if seen.unreadable:
        message = (
            f"Imported; what the order looks like now could not be understood: {seen.unreadable}"
        )
        reason = Reason(OrderCode.NOT_UNDERSTOOD.value, message)
        draft.say(Subject(seen.id), reason, Standing.ATTENTION)
        return OrderPlan(OrderDecision(OrderVerdict.IMPORTED, reason.code, message), draft.plan())
    decision = _follow(draft, seen, seen.imported, context)
    _acknowledge(draft, seen, seen.imported, context)
    return OrderPlan(decision, draft.plan())


def follows(seen: SeenOrder) -> bool:
    """Whether our copy may follow the channel whole: nothing has left and nobody closed it."""
    order = seen.imported
    return (
        order is not None
        and not seen.unreadable
        and order.status is not OrderStatus.CLOSED
        and not has_left(seen)
    )


def hold_of(seen: SeenOrder) -> Hold | None:
    """The hold that counts: the recorded one, or what the rules say of what is seen now."""
    if seen.imported is None:
        return None
    if seen.imported.hold is not None or seen.unreadable:
        return seen.imported.hold
    return _look(seen, seen.imported).hold


_STANDINGS = {
    OrderVerdict.PENDING: Standing.WAITING,
    OrderVerdict.IMPORTED: Standing.IN_ORDER,
    OrderVerdict.SKIPPED: Standing.IN_ORDER,
    OrderVerdict.HELD: Standing.ATTENTION,
    OrderVerdict.UNSAVABLE: Standing.ATTENTION,
}


def _import(draft: OrderDraft, seen: SeenOrder, decision: OrderDecision) -> None:
    remote = seen.remote
    mapped = shipping_policy(remote, seen.policies)
    values: dict[str, Value] = {
        "number": remote.number,
        "total": remote.total,
        "currency": remote.currency,
        "shipping_policy": None if mapped is None else mapped[1],
        "units": sum(units_seen(remote).values()),
        "lines": imprint(remote)["lines"],
    }
    changes = [Change(name, None, value) for name, value in values.items() if value is not None]
    draft.intend(
        ActionKind.IMPORT_ORDER,
        Subject(seen.id),
        _ORDER,
        Reason(decision.code, decision.message),
        changes=[*changes, *_recorded(channel_shipments(seen))],
        inputs=decision.inputs,
    )


def _look(seen: SeenOrder, order: ImportedOrder) -> _Look:
    now = dict(imprint(seen.remote, seen.gone))
    if seen.is_erased:
        # The address is not there to be compared; that it was erased is no change of the order.
        now["ship_to"] = order.imprint.get("ship_to")
    changes = differences(order.imprint, now)
    if not changes or not has_left(seen) or order.status is OrderStatus.CLOSED:
        return _Look(changes, None)
    if not may_leave(seen):
        # Returns and refunds of what has left whole, or a clean-up there: there is nothing to stop.
        return _Look((), None)
    is_canceled = any(item.field == "canceled" and item.after is True for item in changes)
    said = in_words(changes, _titles(seen, order))
    if is_canceled:
        why = "in the trash or deleted" if seen.gone else "canceled"
        message = f"The order is {why} there after something had left: {said}."
        code = OrderCode.CANCELED_AFTER_SHIPMENT
    else:
        message = f"The order changed there after something had left: {said}."
        code = OrderCode.CHANGED_AFTER_SHIPMENT
    message += " Nothing more leaves until it is released, which accepts what is there now."
    return _Look(changes, Hold(code.value, message))


def _follow(
    draft: OrderDraft, seen: SeenOrder, order: ImportedOrder, context: OrderContext
) -> OrderDecision:
    """What our copy has to take over, as at most one action, and how the order stands."""
    theirs = channel_shipments(seen)
    held, shipped = order.hold, _recorded(theirs)
    recorded = f"{_shipments(len(theirs))} of {context.channel_title}'s own recorded."
    if order.status is OrderStatus.CLOSED:
        if shipped:
            return _do(draft, seen, OrderCode.SHIPPED_THERE, recorded, shipped)
        message = "Imported, and closed here by a person: nothing more of it is done."
        return _stay(draft, seen, OrderCode.IMPORTED, message, Standing.IN_ORDER)
    look = _look(seen, order)
    is_by_rules = held is not None and held.by is None
    if look.hold is not None and (held is None or (is_by_rules and held != look.hold)):
        change = Change("hold", _as_value(held), _as_value(look.hold))
        code, message = OrderCode.HOLDS_BACK, look.hold.message
        return _do(draft, seen, code, message, [*look.changes, change, *shipped])
    ending = [Change("hold", _as_value(held), None)] if is_by_rules and look.hold is None else []
    if look.changes and look.hold is None:
        message = (
            f"The order changed on {context.channel_title} before anything left, and our copy "
            f"follows: {in_words(look.changes, _titles(seen, order))}."
        )
        changes = [*look.changes, *ending, *shipped]
        return _do(draft, seen, OrderCode.FOLLOWS_CHANNEL, message, changes)
    if ending:
        message = "What the order was held for is no longer so; it goes on."
        return _do(draft, seen, OrderCode.HOLD_ENDS, message, [*ending, *shipped])
    if shipped:
        return _do(draft, seen, OrderCode.SHIPPED_THERE, recorded, shipped)
    if held is not None:
        by = "by the rules" if held.by is None else "by a person"
        message = f"Imported, and on hold {by}: {held.message}"
        if look.hold is not None and not is_by_rules:
            message += f" Besides: {look.hold.message}"
        return _stay(draft, seen, OrderCode.ON_HOLD, message, Standing.ATTENTION)
    message = f"Imported; our copy agrees with {context.channel_title}."
    return _stay(draft, seen, OrderCode.IMPORTED, message, Standing.IN_ORDER)


def _acknowledge(
    draft: OrderDraft, seen: SeenOrder, order: ImportedOrder, context: OrderContext
) -> None:
    if not context.acknowledges or order.is_acknowledged or seen.gone is not None:
        return
    message = f"The order is imported, and {context.channel_title} is to know."
    draft.intend(
        ActionKind.ACKNOWLEDGE,
        Subject(seen.id, busy=seen.busy.get(_ACKNOWLEDGE), failures=seen.failures),
        _ACKNOWLEDGE,
        Reason(OrderCode.ACKNOWLEDGED.value, message),
        basis=[seen.remote.id, seen.remote.status],
    )


def _do(
    draft: OrderDraft, seen: SeenOrder, code: OrderCode, message: str, changes: Sequence[Change]
) -> OrderDecision:
    reason = Reason(code.value, message)
    inputs = {**facts(seen), "changes": changes_value(changes)}
    draft.intend(
        ActionKind.IMPORT_ORDER, Subject(seen.id), _ORDER, reason, changes=changes, inputs=inputs
    )
    return OrderDecision(OrderVerdict.IMPORTED, code.value, message, inputs)


def _stay(
    draft: OrderDraft, seen: SeenOrder, code: OrderCode, message: str, standing: Standing
) -> OrderDecision:
    inputs = facts(seen)
    draft.say(Subject(seen.id), Reason(code.value, message), standing, inputs)
    return OrderDecision(OrderVerdict.IMPORTED, code.value, message, inputs)


def _titles(seen: SeenOrder, order: ImportedOrder) -> dict[str, str]:
    titles = {line.remote_id: line.title for line in order.lines}
    titles.update({line.id: line.title for line in seen.remote.lines if line.title})
    return titles


def _recorded(theirs: Sequence[RemoteFulfillment]) -> list[Change]:
    return [Change(f"shipments.{item.id}", None, dict(item.lines or {})) for item in theirs]


def _shipments(count: int) -> str:
    return "1 shipment" if count == 1 else f"{count} shipments"


def _as_value(hold: Hold | None) -> Value:
    return None if hold is None else {"code": hold.code, "message": hold.message}

"""Planning SYNC_ORDERS: which shipments reach the channel, when an order is closed there.

Pure. Nothing is sent twice and nothing beyond what was ordered; a cancellation and a hold outrank
every shipment. Also here: whether a person may ship what they ask for.
"""

from collections import Counter
from collections.abc import Mapping

from reconcile.core.actions import ActionKind, Change, Plan, Reason, Standing
from reconcile.core.order_codes import OrderCode
from reconcile.core.order_content import shipment_values
from reconcile.core.order_gate import OrderDraft, Subject
from reconcile.core.order_types import (
    CloseWhen,
    ImportedOrder,
    OrderContext,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.orders import hold_of
from reconcile.core.shipped import (
    channel_shipments,
    fulfillments_of_theirs,
    is_canceled,
    ships,
    standing,
    units_ordered,
    units_seen,
    units_shipped,
)
from reconcile.core.types import Value
from reconcile.core.wording import in_units

_FULFILL = "fulfill"
_CLOSE = "close"


def plan_fulfillment(seen: SeenOrder, context: OrderContext) -> Plan:
    """What SYNC_ORDERS sends about an imported order; an order not imported has no plan.

    A channel that takes no parts gets the shipments of an order one after the other once all of
    it has left. Shipments of an order that a person closed still go: they have left.
    """
    draft = OrderDraft(context)
    order = seen.imported
    if order is None:
        return draft.plan()
    room = _room(seen, order)
    ours = [item for item in standing(order) if item.origin is ShipmentOrigin.OURS]
    recorded = [item for item in ours if item.state is ShipmentState.RECORDED]
    for shipment in recorded:
        _plan_shipment(draft, seen, order, shipment, context, room)
    if not recorded:
        _say_nothing_to_send(draft, seen, order, ours)
    _plan_close(draft, seen, order, recorded, context)
    return draft.plan()


def completes(seen: SeenOrder, shipment_id: str) -> bool:
    """Whether with this shipment, the last one to be sent, all of the order has left."""
    order = seen.imported
    if order is None or any(_left(seen, order).values()):
        return False
    waiting = [
        item.id
        for item in standing(order)
        if item.origin is ShipmentOrigin.OURS and item.state is ShipmentState.RECORDED
    ]
    return waiting[-1:] == [shipment_id]


def shippable(seen: SeenOrder) -> Mapping[str, int]:
    """Line of the channel → units a person may ship now; lines with nothing left are not there.

    Where our copy and what is seen disagree, the smaller number counts.
    """
    if seen.imported is None:
        return {}
    left = _left(seen, seen.imported)
    return {line: units for line, units in sorted(left.items()) if units}


def check_shipment(
    seen: SeenOrder,
    lines: Mapping[str, int] | None,
    tracking_number: str,
    without_tracking: bool,
) -> tuple[Reason, ...]:
    """Everything that keeps a person from shipping these units; `None` stands for all that is left.

    Empty where the shipment may be recorded.
    """
    refused = _check_order(seen)
    if refused is not None or seen.imported is None:
        return (refused,) if refused is not None else ()
    reasons = _check_units(seen, seen.imported, lines)
    if not tracking_number.strip() and not without_tracking:
        message = "The tracking number is empty; say explicitly that there is none, or give it"
        reasons = [*reasons, Reason(OrderCode.TRACKING_MISSING.value, message)]
    return tuple(reasons)


def _check_order(seen: SeenOrder) -> Reason | None:
    order = seen.imported
    if order is None:
        return Reason(
            OrderCode.NOT_IMPORTED.value, "The order is not imported, so nothing of it is shipped"
        )
    if is_canceled(seen) or order.status is OrderStatus.CANCELED:
        return Reason(
            OrderCode.ORDER_CANCELED.value, "The order is canceled; nothing more of it is shipped"
        )
    if order.status is OrderStatus.CLOSED:
        return Reason(
            OrderCode.ORDER_CLOSED.value, "The order was closed here; nothing more of it is shipped"
        )
    hold = hold_of(seen)
    if hold is not None:
        message = f"The order is on hold; release it first. {hold.message}"
        return Reason(OrderCode.ORDER_ON_HOLD.value, message)
    if order.lines and (seen.remote.is_digital or not units_ordered(order)):
        return Reason(OrderCode.DIGITAL.value, "The order is digital: nothing of it is shipped")
    return None


def _check_units(
    seen: SeenOrder, order: ImportedOrder, lines: Mapping[str, int] | None
) -> list[Reason]:
    left = shippable(seen)
    if lines is None:
        lines = left
    if not any(lines.values()):
        message = (
            f"There is nothing to ship: {in_units(sum(left.values()))} of the order left, and "
            "none is named"
        )
        if not left:
            message = "There is nothing to ship: all of the order has left"
        return [Reason(OrderCode.NOTHING_TO_SHIP.value, message)]
    known = {line.remote_id: line for line in order.lines}
    reasons: list[Reason] = []
    for line_id, units in sorted(lines.items()):
        line = known.get(line_id)
        if line is None:
            message = f"The order has no line {line_id}"
            reasons.append(Reason(OrderCode.UNKNOWN_LINE.value, message))
        elif line.is_digital and units:
            message = f"{line.title or line_id} is digital: nothing of it is shipped"
            reasons.append(Reason(OrderCode.DIGITAL.value, message))
        elif units < 0 or units > left.get(line_id, 0):
            message = (
                f"{line.title or line_id}: {in_units(units)} named, {left.get(line_id, 0)} left of "
                f"{line.quantity} ordered"
            )
            if units < 0:
                message = f"{line.title or line_id}: a negative number of units cannot be shipped"
            reasons.append(Reason(OrderCode.BEYOND_ORDERED.value, message))
    return reasons


def _left(seen: SeenOrder, order: ImportedOrder) -> dict[str, int]:
    """Line → units that have not left, by whichever of our copy and what is seen says less."""
    shipped = units_shipped(order)
    for item in channel_shipments(seen):
        shipped.update(item.lines or {})
    now = units_seen(seen.remote)
    return {
        line: max(0, min(units, now.get(line, 0)) - shipped[line])
        for line, units in units_ordered(order).items()
    }


def _room(seen: SeenOrder, order: ImportedOrder) -> Counter[str]:
    """Line → units that could still be sent if nothing were recorded here that is not there."""
    now = units_seen(seen.remote)
    room = Counter(
        {line: min(units, now.get(line, 0)) for line, units in units_ordered(order).items()}
    )
    for item in fulfillments_of_theirs(seen):
        room.subtract(item.lines or {})
    for shipment in standing(order):
        if shipment.state is ShipmentState.PUSHED or shipment.busy is not None:
            room.subtract(shipment.lines)
    return room


def _plan_shipment(
    draft: OrderDraft,
    seen: SeenOrder,
    order: ImportedOrder,
    shipment: Shipment,
    context: OrderContext,
    room: Counter[str],
) -> None:
    """Send one shipment, or say why it stays; what it takes is taken off the room."""
    subject = Subject(seen.id, shipment.id, shipment.busy, shipment.failures)
    content = shipment_values(shipment, context.shipment_template)
    inputs: dict[str, Value] = {
        "lines": dict(sorted(shipment.lines.items())),
        "shipped_at": shipment.shipped_at.isoformat(),
        "turned_off": [item.value for item in content.turned_off],
    }
    stopped = _stopped(seen, order)
    if stopped is not None:
        reason, standing_ = stopped
        draft.say(subject, reason, standing_, inputs, action=ActionKind.FULFILL)
        return
    beyond = {line: units for line, units in shipment.lines.items() if units > room[line]}
    if shipment.busy is None:
        if beyond:
            _say_beyond(draft, subject, order, _beyond(order, beyond, room), inputs)
            return
        room.subtract(shipment.lines)
    wait = None
    if not context.partial_shipments and any(_left(seen, order).values()):
        message = (
            f"{context.channel_title} takes an order as a whole; the shipment waits until the "
            f"{sum(_left(seen, order).values())} units that are left are shipped too."
        )
        wait = Reason(OrderCode.PARTS_WAIT.value, message)
    units = sum(shipment.lines.values())
    message = f"{in_units(units)} left and {context.channel_title} is to know."
    draft.intend(
        ActionKind.FULFILL,
        subject,
        _FULFILL,
        Reason(OrderCode.SHIPMENT_RECORDED.value, message),
        changes=[
            Change("order", None, seen.remote.id),
            *(Change(f"lines.{line}", None, count) for line, count in shipment.lines.items()),
            *(Change(name.value, None, value) for name, value in content.values.items()),
        ],
        # A failure ends when the order changes there: its status, or what is to be shipped of it.
        basis=[seen.remote.status, seen.remote.stage.value, dict(units_seen(seen.remote))],
        inputs=inputs,
        wait=wait,
    )


def _stopped(seen: SeenOrder, order: ImportedOrder) -> tuple[Reason, Standing] | None:
    if seen.unreadable:
        message = (
            "What the order looks like now could not be understood, so nothing of it is sent: "
            f"{seen.unreadable}"
        )
        return Reason(OrderCode.NOT_UNDERSTOOD.value, message), Standing.ATTENTION
    hold = hold_of(seen)
    if hold is not None:
        message = f"The order is on hold: {hold.message} The shipment waits until it is released."
        standing_ = Standing.ATTENTION if hold.by is None else Standing.WAITING
        return Reason(OrderCode.ORDER_ON_HOLD.value, message), standing_
    if is_canceled(seen) or order.status is OrderStatus.CANCELED:
        message = (
            "The order is canceled there or gone, and a cancellation outranks a shipment. Take "
            "the shipment back with `orders void`, or restore the order there."
        )
        return Reason(OrderCode.ORDER_CANCELED.value, message), Standing.ATTENTION
    return None


def _say_beyond(
    draft: OrderDraft,
    subject: Subject,
    order: ImportedOrder,
    reason: Reason,
    inputs: Mapping[str, Value],
) -> None:
    standing_ = Standing.ATTENTION
    if any(item.busy is not None for item in order.shipments):
        # What is under way may be among the fulfillments seen, and would be counted twice.
        message = "Another shipment of the order is under way; this one is decided after that"
        reason, standing_ = Reason(OrderCode.UNFINISHED.value, message), Standing.WAITING
    draft.say(subject, reason, standing_, inputs, action=ActionKind.FULFILL)


def _beyond(order: ImportedOrder, beyond: Mapping[str, int], room: Mapping[str, int]) -> Reason:
    titles = {line.remote_id: line.title or line.remote_id for line in order.lines}
    said = [
        f"{titles.get(line, line)}: {units} units, and {max(0, room[line])} are left to be shipped"
        for line, units in sorted(beyond.items())
    ]
    message = (
        f"The shipment is more than is left of the order. {'; '.join(said)}. Take it back with "
        "`orders void` and ship what is right."
    )
    return Reason(OrderCode.BEYOND_ORDERED.value, message)


def _say_nothing_to_send(
    draft: OrderDraft, seen: SeenOrder, order: ImportedOrder, ours: list[Shipment]
) -> None:
    left = sum(_left(seen, order).values())
    if ours:
        count = "The shipment is" if len(ours) == 1 else f"All {len(ours)} shipments are"
        reason = Reason(
            OrderCode.SHIPMENTS_THERE.value,
            f"{count} on the channel; {in_units(left)} of the order are left.",
        )
    else:
        reason = Reason(
            OrderCode.NOTHING_SHIPPED.value,
            f"Nothing of the order was shipped here; {in_units(left)} are left.",
        )
    draft.say(Subject(seen.id), reason, Standing.IN_ORDER)


def _plan_close(
    draft: OrderDraft,
    seen: SeenOrder,
    order: ImportedOrder,
    recorded: list[Shipment],
    context: OrderContext,
) -> None:
    if order.is_closed_there or seen.unreadable or is_canceled(seen):
        return
    subject = Subject(seen.id, busy=seen.busy.get(_CLOSE), failures=seen.failures)
    reason = _due_to_close(seen, order, recorded, context)
    if reason is None:
        return
    hold = hold_of(seen)
    if hold is not None and order.status is not OrderStatus.CLOSED:
        message = f"The order is on hold: {hold.message} It is closed there once it is released."
        standing_ = Standing.ATTENTION if hold.by is None else Standing.WAITING
        held = Reason(OrderCode.ORDER_ON_HOLD.value, message)
        draft.say(subject, held, standing_, action=ActionKind.CLOSE)
        return
    if ActionKind.FULFILL in draft.kinds or any(item.busy is not None for item in recorded):
        message = "The order is closed there once its shipments are there."
        first = Reason(OrderCode.SHIPMENTS_FIRST.value, message)
        draft.say(subject, first, Standing.WAITING, action=ActionKind.CLOSE)
        return
    draft.intend(
        ActionKind.CLOSE,
        subject,
        _CLOSE,
        reason,
        changes=[Change("closed", None, True)],
        basis=[seen.remote.id, seen.remote.status, order.status is OrderStatus.CLOSED],
    )


def _due_to_close(
    seen: SeenOrder, order: ImportedOrder, recorded: list[Shipment], context: OrderContext
) -> Reason | None:
    if CloseWhen.CLOSED_HERE in context.closes and order.status is OrderStatus.CLOSED:
        message = f"The order was closed here, and {context.channel_title} is to know."
        return Reason(OrderCode.CLOSED_HERE.value, message)
    is_shipped = (
        CloseWhen.SHIPPED in context.closes
        and ships(seen.remote)
        and order.status not in (OrderStatus.CANCELED, OrderStatus.CLOSED)
        and bool(standing(order))
        and not recorded
        and not any(_left(seen, order).values())
    )
    if not is_shipped:
        return None
    message = "All of the order has left and every shipment is there."
    return Reason(OrderCode.ALL_SHIPPED.value, message)

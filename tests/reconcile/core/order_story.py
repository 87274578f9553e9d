"""A story of one order: the store, the runtime and a person take turns, in any sequence.

The model checks every shipment at the moment it is sent: nothing twice, nothing canceled, nothing
beyond what is known to be ordered.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from reconcile.core.actions import Action, ActionKind
from reconcile.core.fulfilling import check_shipment, plan_fulfillment, shippable
from reconcile.core.order_types import (
    Hold,
    OrderContext,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.orders import plan_order
from reconcile.core.remote_order_types import (
    OrderStage,
    RemoteFulfillment,
    RemoteOrder,
    RemoteOrderLine,
)
from tests.reconcile.core.order_samples import NOW, SECRET, address
from tests.reconcile.core.order_worlds import (
    apply,
    changed_shipment,
    copied_lines,
    pushed,
    seen_imprint,
    small,
    with_changes,
    with_status,
)

MINUTE = timedelta(minutes=1)

Step = tuple[str, int, int]
steps: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(
        (
            *("ship", "sync") * 5,
            *("poll", "decide", "edit") * 3,
            *("release",) * 2,
            *("confirm", "hold", "void", "close", "theirs"),
        )
    ),
    st.integers(0, 7),
    small,
)
stories = st.integers(0, 24).flatmap(lambda least: st.lists(steps, min_size=least, max_size=25))


@dataclass
class Story:
    """An order on its channel (`truth`), as we know it (`seen`), and what was really sent."""

    seen: SeenOrder
    context: OrderContext
    truth: RemoteOrder
    gone: str | None = None
    sent: Counter[str] = field(default_factory=Counter)
    """Shipment → how often its effect was had on the channel."""
    now: datetime = NOW

    def plans_of(self) -> tuple[Action, ...]:
        """What both operations would do now."""
        decided = plan_order(self.seen, self.context).plan.actions
        return (*decided, *plan_fulfillment(self.seen, self.context).actions)

    def take(self, step: Step) -> None:
        """One thing happens."""
        name, which, count = step
        self.now += MINUTE
        getattr(self, f"_{name}")(which, count)

    def poll(self) -> None:
        """We look at the order."""
        self.seen = replace(self.seen, remote=self.truth, gone=self.gone)
        if self.seen.imported is not None:
            copy = with_status(self.seen, self.seen.imported)
            self.seen = replace(self.seen, imported=copy)

    def decide(self) -> tuple[Action, ...]:
        """GET_ORDERS decides, and all of it succeeds."""
        actions = plan_order(self.seen, self.context).plan.actions
        for action in actions:
            self.seen = apply(self.seen, action)
        return actions

    def sync(self, fate: int = 0) -> tuple[Action, ...]:
        """SYNC_ORDERS sends: it works, or nobody can tell whether it did (1: it did, 2: not)."""
        actions = plan_fulfillment(self.seen, self.context).actions
        for action in actions:
            if action.kind is not ActionKind.FULFILL:
                self.seen = apply(self.seen, action)
                continue
            self._check(action)
            if fate != 2:
                self.arrive(action.shipment_id)
            if fate in (1, 2):
                self.seen = changed_shipment(self.seen, action.shipment_id, busy="UNKNOWN")
            else:
                self.seen = apply(self.seen, action)
        return actions

    def arrive(self, shipment_id: str) -> None:
        """The store has the shipment, as a fulfillment under an id of its own."""
        self.sent[shipment_id] += 1
        item = self.shipment(shipment_id)
        self.truth = replace(
            self.truth,
            fulfillments=(
                *self.truth.fulfillments,
                RemoteFulfillment(
                    f"ours-{shipment_id}",
                    dict(item.lines),
                    item.tracking_number,
                    shipped_at=item.shipped_at,
                ),
            ),
        )

    def shipment(self, shipment_id: str) -> Shipment:
        """One of the shipments we know."""
        assert self.seen.imported is not None
        return next(item for item in self.seen.imported.shipments if item.id == shipment_id)

    def ours(self, state: ShipmentState) -> list[Shipment]:
        """Our shipments in that state with nothing under way."""
        if self.seen.imported is None:
            return []
        return [
            item
            for item in self.seen.imported.shipments
            if item.origin is ShipmentOrigin.OURS and item.state is state and item.busy is None
        ]

    def _check(self, action: Action) -> None:
        """Nothing is sent twice, nothing canceled, nothing beyond what is known to be ordered."""
        order = self.seen.imported
        assert order is not None
        assert self.sent[action.shipment_id] == 0
        assert self.seen.gone is None
        assert self.seen.remote.stage is not OrderStage.CANCELED
        assert order.hold is None
        total: Counter[str] = Counter(self.shipment(action.shipment_id).lines)
        recorded = {one for item in order.shipments for one in item.remote_ids}
        for item in order.shipments:
            if item.origin is ShipmentOrigin.CHANNEL or self.sent[item.id]:
                total.update(item.lines)
        ours = {f"ours-{item.id}" for item in order.shipments}
        numbers = {item.tracking_number for item in order.shipments if item.tracking_number}
        for theirs in self.seen.remote.fulfillments:
            if theirs.id in recorded | ours or theirs.tracking_number in numbers:
                continue
            total.update(theirs.lines or {})
        limits = {line.id: line.quantity - line.canceled for line in self.seen.remote.lines}
        for line, units in self.shipment(action.shipment_id).lines.items():
            assert units > 0
            assert total[line] <= limits.get(line, 0)

    def _poll(self, *_: int) -> None:
        self.poll()

    def _decide(self, *_: int) -> None:
        self.decide()

    def _sync(self, fate: int, _: int) -> None:
        self.sync(fate)

    def _ship(self, which: int, count: int) -> None:
        left = shippable(self.seen)
        wish: dict[str, int] | None = dict.fromkeys(list(left)[:count], 1)
        if which == 7:
            wish = None
        elif which > 4:
            wish = {f"l{which % 3}": count}
        if check_shipment(self.seen, wish, "", without_tracking=True):
            return
        order = self.seen.imported
        assert order is not None
        units = {line: n for line, n in (left if wish is None else wish).items() if n}
        assert units
        number = str(len(order.shipments) + 1)
        made = Shipment(
            number,
            ShipmentOrigin.OURS,
            ShipmentState.RECORDED,
            units,
            self.now,
            tracking_number=f"T{number}" if which % 2 else "",
        )
        self.seen = with_changes(self.seen, shipments=(*order.shipments, made))

    def _confirm(self, *_: int) -> None:
        if self.seen.imported is None:
            return
        for item in self.seen.imported.shipments:
            if item.busy is None:
                continue
            if self.sent[item.id]:
                self.seen = pushed(self.seen, item.id)
            else:
                self.seen = changed_shipment(self.seen, item.id, busy=None)

    def _edit(self, which: int, count: int) -> None:
        order = self.truth
        first = order.lines[0] if order.lines else RemoteOrderLine("l0", "A", "Shirt 0", 1)
        match which:
            case 0:
                order = replace(order, lines=(replace(first, quantity=count), *order.lines[1:]))
            case 1:
                order = replace(order, lines=(replace(first, canceled=count), *order.lines[1:]))
            case 2:
                order = replace(order, ship_to=address(str(count)))
            case 3:
                order = replace(order, lines=order.lines[1:] if count else (first, *order.lines))
                order = replace(
                    order, lines=tuple({item.id: item for item in order.lines}.values())
                )
            case 4 | 5:
                stage = (OrderStage.OPEN, *OrderStage)[count]
                order = replace(order, stage=stage, ended_at=self.now)
            case 6:
                self.gone = "InTrash" if count == 3 else None
            case _:
                order = replace(order, note=f"{SECRET}-{count}", modified_at=self.now)
        self.truth = order

    def _theirs(self, which: int, count: int) -> None:
        made = RemoteFulfillment(
            f"f{len(self.truth.fulfillments)}{which}",
            None if which == 0 else {f"l{which % 2}": count},
            f"T{count}" if which == 2 else "",
        )
        self.truth = replace(self.truth, fulfillments=(*self.truth.fulfillments, made))

    def _hold(self, *_: int) -> None:
        if self.seen.imported is not None and self.seen.imported.hold is None:
            self.seen = with_changes(self.seen, hold=Hold("ByPerson", "call first", "ann"))

    def _release(self, *_: int) -> None:
        if self.seen.imported is not None and self.seen.imported.hold is not None:
            self.seen = with_changes(
                self.seen, hold=None, lines=copied_lines(self.seen), imprint=seen_imprint(self.seen)
            )

    def _void(self, which: int, _: int) -> None:
        items = self.ours(ShipmentState.RECORDED)
        if items:
            chosen = items[which % len(items)]
            self.seen = changed_shipment(self.seen, chosen.id, state=ShipmentState.VOID)

    def _close(self, which: int, _: int) -> None:
        if self.seen.imported is not None and which == 3:
            copy = replace(self.seen.imported, status=OrderStatus.CLOSED)
            self.seen = replace(self.seen, imported=copy)


def told(seen_order: SeenOrder, context: OrderContext, story: list[Step]) -> Story:
    """Everything of a story happened."""
    made = Story(seen_order, context, seen_order.remote, seen_order.gone)
    for step in story:
        made.take(step)
    return made

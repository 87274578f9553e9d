"""Random orders, random channels, and a small model that plays the runtime, the store and a person.

Alphabets are small on purpose, so that lines collide, shipments meet edits, and every corner of the
rules is met within a hundred examples.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from reconcile.core.actions import Action, ActionKind
from reconcile.core.fulfilling import (
    channel_shipments,
    check_shipment,
    plan_fulfillment,
    shippable,
    status_of,
)
from reconcile.core.order_types import (
    CloseWhen,
    Hold,
    Impediment,
    ImportedOrder,
    OrderContext,
    OrderFilter,
    OrderLine,
    OrderStage,
    OrderStatus,
    OrderVerdict,
    RemoteFulfillment,
    RemoteOrder,
    RemoteOrderLine,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
    ShippingText,
)
from reconcile.core.orders import follows, imprint, plan_order
from reconcile.core.types import WritePolicy
from tests.reconcile.core.order_samples import (
    NOW,
    SECRET,
    SENT_KINDS,
    STATUS,
    address,
    remote,
    seen,
)

MINUTE = timedelta(minutes=1)

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
        fulfillments=tuple(
            draw(fulfillments(number)) for number in range(draw(st.integers(0, 2)))
        ),
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
            return _with(order, is_acknowledged=True)
        case ActionKind.CLOSE:
            return _with(order, is_closed_there=True)
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
    return _with(order, shipments=shipments)


def _with(order: SeenOrder, **changed: object) -> SeenOrder:
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
            copy = ImportedOrder("5", OrderStatus.OPEN, _lines(order), _imprint(order))
        case "FollowsChannel":
            assert follows(order)
            copy = replace(_copy(copy), lines=_lines(order), imprint=_imprint(order))
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


def _imprint(order: SeenOrder) -> dict[str, object]:
    return dict(imprint(order.remote, order.gone))


def _lines(order: SeenOrder) -> tuple[OrderLine, ...]:
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


# --- a story --------------------------------------------------------------------------------

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
        wish: dict[str, int] | None = {line: 1 for line in list(left)[:count]}
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
        self.seen = _with(self.seen, shipments=(*order.shipments, made))

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
                order = replace(order, lines=tuple({item.id: item for item in order.lines}.values()))
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
            self.seen = _with(self.seen, hold=Hold("ByPerson", "call first", "ann"))

    def _release(self, *_: int) -> None:
        if self.seen.imported is not None and self.seen.imported.hold is not None:
            self.seen = _with(
                self.seen, hold=None, lines=_lines(self.seen), imprint=_imprint(self.seen)
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

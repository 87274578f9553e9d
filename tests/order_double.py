"""The order side of the test platform: orders in a `DoubleStore`, as a store reads and writes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconcile.contract import (
    Confirmation,
    ConfirmState,
    Gone,
    OrderField,
    OrderPage,
    OrderReadResult,
    OrderSupport,
    OrderWindow,
    OrderWrite,
    Progress,
    Result,
    Sending,
    Settings,
    ShipmentFieldForm,
    setting,
)
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.mapping import MappingRule, Template
from reconcile.core.order_types import (
    CloseWhen,
    OrderFacet,
    OrderFilter,
    OurOrderField,
    ShipmentField,
)
from reconcile.core.remote_order_types import (
    Address,
    OrderStage,
    PaymentStatus,
    RemoteFulfillment,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.types import Operation, RemoteRef, Value

ORDER_PAGE_SIZE = 10
HOME = Address("Ada", "Lovelace", "", "12 St James's Square", "", "London", "", "SW1Y", "GB", "+44")


@dataclass(frozen=True, slots=True)
class GetOrdersSettings:
    """Settings of importing orders."""

    statuses: str = setting("Statuses", "Separated by commas; empty: all", default="open")
    days: int = setting("Days", "0: without limit", default=14)
    mark: bool = setting("Mark", "Mark imported orders", default=False)


@dataclass(frozen=True, slots=True)
class SyncOrdersSettings:
    """Settings of sending shipments."""

    complete: bool = setting("Complete", "Complete what has left", default=False)


@dataclass
class StoreOrder:
    """One order of the store."""

    id: str
    number: str
    lines: list[RemoteOrderLine]
    created_at: datetime
    modified_at: datetime
    status: str = "open"
    """open, pending, canceled, completed, draft, trash"""
    shipping: tuple[ShippingText, ...] = (ShippingText(("ground",), "Ground shipping"),)
    ship_to: Address | None = HOME
    email: str = "ada@personal.example"
    note: str = "Leave it with the neighbor Byron"
    currency: str = "EUR"
    is_digital: bool = False
    fulfillments: list[RemoteFulfillment] = field(default_factory=list)
    marks: int = 0
    notes: list[str] = field(default_factory=list)
    """One entry per shipment that was written: a repeat would show."""


STAGES = {
    "open": OrderStage.OPEN,
    "pending": OrderStage.OPEN,
    "canceled": OrderStage.CANCELED,
    "completed": OrderStage.COMPLETED,
    "draft": OrderStage.DRAFT,
}


def line(
    number: str,
    sku: str | None,
    quantity: int = 1,
    *,
    ref: RemoteRef | None = None,
    canceled: int = 0,
    is_digital: bool = False,
) -> RemoteOrderLine:
    """A line of an order."""
    return RemoteOrderLine(
        id=number,
        sku=sku,
        title=f"Title of {sku}",
        quantity=quantity,
        canceled=canceled,
        ref=ref,
        unit_price="10.00",
        total=f"{10 * quantity}.00",
        custom={"engraving": "For Augusta"},
        is_digital=is_digital,
    )


def seen(order: StoreOrder) -> RemoteOrder:
    """The order as the API of the store shows it."""
    return RemoteOrder(
        id=order.id,
        number=order.number,
        stage=STAGES[order.status],
        status=order.status,
        currency=order.currency,
        total=f"{sum(10 * item.quantity for item in order.lines)}.00",
        created_at=order.created_at,
        modified_at=order.modified_at,
        ended_at=order.modified_at if order.status in ("canceled", "completed") else None,
        payment=PaymentStatus.UNPAID if order.status == "pending" else PaymentStatus.PAID,
        lines=tuple(order.lines),
        shipping=order.shipping,
        fulfillments=tuple(order.fulfillments),
        email=order.email,
        billing=order.ship_to,
        ship_to=order.ship_to,
        note=order.note,
        custom={"gift": "Happy birthday Annabella"},
        is_digital=order.is_digital,
        facets={"status": (order.status,)},
    )


def _filter(settings: Settings) -> OrderFilter:
    assert isinstance(settings, GetOrdersSettings)
    wanted = frozenset(name.strip() for name in settings.statuses.split(",") if name.strip())
    return OrderFilter({"status": wanted}, settings.days or None)


def _marks(settings: Settings) -> bool:
    assert isinstance(settings, GetOrdersSettings)
    return settings.mark


def _closes(settings: Settings) -> frozenset[CloseWhen]:
    assert isinstance(settings, SyncOrdersSettings)
    return frozenset({CloseWhen.SHIPPED}) if settings.complete else frozenset()


ORDER_FIELDS = tuple(OrderField(f"their_{name}", name, name.capitalize()) for name in OurOrderField)
SHIPMENT_FIELDS = tuple(
    ShipmentFieldForm(name, f"their_{name}", name.capitalize()) for name in ShipmentField
)
ORDER_SUPPORT = OrderSupport(
    facets=(OrderFacet("status", "order status", "StatusNotSelected"),),
    filter=_filter,
    fields=ORDER_FIELDS,
    shipment_fields=SHIPMENT_FIELDS,
    shipping_text="method id",
    acknowledges=_marks,
    closes=_closes,
)
ORDER_TEMPLATES = {
    Operation.GET_ORDERS: Template(
        tuple(MappingRule(item.theirs, item.ours.value) for item in ORDER_FIELDS)
    ),
    Operation.SYNC_ORDERS: Template(
        tuple(MappingRule(item.ours.value, item.theirs) for item in SHIPMENT_FIELDS)
    ),
}

Ask = Callable[..., Awaitable[None]]


class OrderDesk:
    """What the double's adapter does with orders; `ask` counts the request and may fail."""

    def __init__(self, orders: Callable[[], dict[str, StoreOrder]], ask: Ask) -> None:
        self._orders = orders
        self._ask = ask

    async def walk(
        self, window: OrderWindow, cursor: Mapping[str, Value] | None, now: Callable[[], datetime]
    ) -> AsyncIterator[OrderPage]:
        """Ten orders a page, in id order."""
        last = int(str(cursor["after"])) if cursor else 0
        while True:
            at = now()
            await self._ask("orders")
            kept = [
                order
                for order in self._orders().values()
                if order.status != "trash" and order.modified_at >= window.modified_since
            ]
            rest = sorted((o for o in kept if int(o.id) > last), key=lambda o: int(o.id))
            page = rest[:ORDER_PAGE_SIZE]
            is_last = len(rest) <= ORDER_PAGE_SIZE
            last = int(page[-1].id) if page else last
            yield OrderPage(
                rows=tuple(seen(order) for order in page),
                cursor={"after": last},
                is_last=is_last,
                total=len(kept),
                observed_at=at,
            )
            if is_last:
                return

    async def read(self, ids: Sequence[str]) -> Mapping[str, OrderReadResult]:
        """All in one request."""
        await self._ask(f"read_orders {len(ids)}")
        return {key: self._read(key) for key in ids}

    def _read(self, key: str) -> OrderReadResult:
        order = self._orders().get(key)
        if order is None:
            return Gone("Deleted", "The store no longer has it.")
        if order.status == "trash":
            return Gone("InTrash", "The order is in the store's trash.")
        return seen(order)

    async def find(self, number: str) -> Sequence[RemoteOrder]:
        """Orders of that number."""
        await self._ask("find_order")
        return [
            seen(order)
            for order in self._orders().values()
            if order.number == number and order.status != "trash"
        ]

    async def send(self, kind: ActionKind, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """One request per order; what is there already is found."""
        for write in writes:
            yield Sending((write.key,), f"POST /orders/{kind.lower()}")
            await self._ask(f"{kind.lower()} {write.number}")
            result = self._applied(kind, write)
            await self._ask(f"{kind.lower()} {write.number}", after_effect=True)
            yield result

    def _applied(self, kind: ActionKind, write: OrderWrite) -> Result:
        order = self._orders().get(write.order_id)
        if order is None or order.status == "trash":
            return Result(write.key, Outcome.FAILED, "Gone", "The store no longer has the order.")
        found = Result(write.key, Outcome.NO_OP, observed_orders=(seen(order),))
        match kind:
            case ActionKind.ACKNOWLEDGE:
                order.marks += 1
            case ActionKind.CLOSE:
                if order.status == "completed":
                    return found
                order.status = "completed"
            case _:
                assert write.shipment is not None
                mark = f"shipment {write.shipment.id}"
                if mark in order.notes:
                    return replace(found, remote_ids=(f"note:{mark}",))
                order.notes.append(mark)
                if write.shipment.tracking_number == "BAD":
                    order.notes.remove(mark)
                    return Result(
                        write.key, Outcome.FAILED, "bad_tracking", "Not a tracking number."
                    )
                return Result(
                    write.key,
                    Outcome.APPLIED,
                    observed_orders=(seen(order),),
                    remote_ids=(f"note:{mark}",),
                )
        return Result(write.key, Outcome.APPLIED, observed_orders=(seen(order),))

    async def confirm(self, writes: Sequence[OrderWrite]) -> Mapping[str, Confirmation]:
        """Look at the notes and the status."""
        await self._ask(f"confirm {len(writes)}")
        answers = {}
        for write in writes:
            order = self._orders().get(write.order_id)
            mark = f"shipment {write.shipment.id}" if write.shipment else ""
            done = order is not None and (
                mark in order.notes
                if write.kind is ActionKind.FULFILL
                else order.marks > 0
                if write.kind is ActionKind.ACKNOWLEDGE
                else order.status == "completed"
            )
            result = Result(
                write.key, Outcome.APPLIED, remote_ids=(f"note:{mark}",) if mark else ()
            )
            answers[write.key] = Confirmation(
                ConfirmState.DONE if done else ConfirmState.NOT_DONE,
                "the store's books",
                result if done else None,
            )
        return answers

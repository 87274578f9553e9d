"""Mutations of orders: hold, release, ship by hand, void a shipment, close, look a number up."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import strawberry
from strawberry.types.field import StrawberryField

from api.access import MutationPayload, mutation
from api.context import Context, Info
from api.ids import BadIdError, Kind, number_of
from api.orders import Order, order_by_id
from api.runs import Run, run_by_id
from api.shipments import Shipment, shipment_by_id
from reconcile.commands import orders as commands
from reconcile.commands.errors import refuse
from reconcile.commands.orders import NewShipment, NewShipmentLine


@strawberry.type
class OrderPayload(MutationPayload):
    """The order as it is now."""

    order: Order | None = None


async def _payload(context: Context, number: int) -> OrderPayload:
    context.forget()
    return OrderPayload(order=await order_by_id(context, number))


@strawberry.input
class OrderHoldInput:
    """An order, and why nothing more of it is to leave."""

    order: strawberry.ID
    reason: str = strawberry.field(description="For people; shown until it is released.")


@mutation(
    OrderPayload,
    OrderHoldInput,
    description="Put an order on hold: nothing more of it is sent to the channel.",
)
async def order_hold(info: Info, given: OrderHoldInput) -> OrderPayload:
    """Hold an order."""
    context = info.context
    number = number_of(given.order, Kind.ORDER)
    await commands.hold(context.deps, number, given.reason, by=context.principal.by)
    return await _payload(context, number)


@strawberry.input
class OrderIdInput:
    """An imported order."""

    order: strawberry.ID


def _simple(
    name: str, command: Callable[..., Awaitable[None]], description: str
) -> StrawberryField:
    async def resolve(info: Info, given: OrderIdInput) -> OrderPayload:
        context = info.context
        number = number_of(given.order, Kind.ORDER)
        await command(context.deps, number, by=context.principal.by)
        return await _payload(context, number)

    resolve.__name__ = name
    return mutation(OrderPayload, OrderIdInput, description=description)(resolve)


@strawberry.input
class OrderShipLineInput:
    """Units of one line."""

    line: strawberry.ID = strawberry.field(description="Id of an OrderLine.")
    quantity: int


@strawberry.input
class OrderShipInput:
    """What left, and how it can be tracked."""

    order: strawberry.ID
    lines: list[OrderShipLineInput] | None = strawberry.field(
        default=None, description="Left out: all that remains."
    )
    tracking_number: str = ""
    without_tracking: bool = strawberry.field(
        default=False, description="There is none; without this an empty one is refused."
    )
    carrier: str = ""
    service: str = ""
    tracking_url: str = ""
    notify_customer: bool = strawberry.field(
        default=False, description="Let the channel tell the customer, where it can."
    )
    shipped_at: datetime | None = strawberry.field(default=None, description="Default: now.")
    reference: str | None = strawberry.field(
        default=None,
        description="Your own id: the same one again gives the same shipment back, not another.",
    )


@strawberry.type
class OrderShipPayload(MutationPayload):
    """The shipment, and the order as it is now."""

    shipment: Shipment | None = None
    order: Order | None = None


@mutation(
    OrderShipPayload,
    OrderShipInput,
    description="Record that units of an order left; the channel is told by the next SYNC_ORDERS. "
    "More than remains is refused.",
)
async def order_ship(info: Info, given: OrderShipInput) -> OrderShipPayload:
    """Ship by hand."""
    context = info.context
    number = number_of(given.order, Kind.ORDER)
    new = NewShipment(
        order_id=number,
        lines=None
        if given.lines is None
        else [
            NewShipmentLine(line_id=_line(each.line, index), quantity=each.quantity)
            for index, each in enumerate(given.lines)
        ],
        tracking_number=given.tracking_number,
        without_tracking=given.without_tracking,
        carrier=given.carrier,
        service=given.service,
        tracking_url=given.tracking_url,
        notify_customer=given.notify_customer,
        shipped_at=_moment(given.shipped_at),
        reference=given.reference,
    )
    made = await commands.ship(context.deps, new, by=context.principal.by)
    context.forget()
    return OrderShipPayload(
        shipment=await shipment_by_id(context, made), order=await order_by_id(context, number)
    )


def _line(given: str, index: int) -> int:
    """The number of an order line; says which of many ids is none."""
    try:
        return number_of(given, Kind.ORDER_LINE)
    except BadIdError as error:
        raise refuse("BAD_ID", error.message, "lines", str(index), "line_id") from None


def _moment(given: datetime | None) -> datetime | None:
    """A moment in UTC; without a time zone it is left to the command, which says so."""
    if given is None or given.tzinfo is None:
        return given
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise refuse("INVALID", "This is before the first year.", "shipped_at") from None


@strawberry.input
class ShipmentVoidInput:
    """A shipment of ours that has not reached the channel."""

    shipment: strawberry.ID


@strawberry.type
class ShipmentPayload(MutationPayload):
    """The shipment as it is now."""

    shipment: Shipment | None = None


@mutation(
    ShipmentPayload,
    ShipmentVoidInput,
    description="Take a shipment back that is not on the channel yet; its units can be shipped "
    "again.",
)
async def shipment_void(info: Info, given: ShipmentVoidInput) -> ShipmentPayload:
    """Void a shipment."""
    context = info.context
    number = number_of(given.shipment, Kind.SHIPMENT)
    await commands.void_shipment(context.deps, number, by=context.principal.by)
    context.forget()
    return ShipmentPayload(shipment=await shipment_by_id(context, number))


@strawberry.input
class OrderLookupInput:
    """An order number to ask the channel for."""

    channel: strawberry.ID
    number: str


@strawberry.type
class OrderLookupPayload(MutationPayload):
    """The run that asks; a look-up of the last ten minutes is given again."""

    run: Run | None = None
    is_new: bool | None = None


@mutation(
    OrderLookupPayload,
    OrderLookupInput,
    description="Ask the channel for an order by its number and decide on it.",
)
async def order_lookup(info: Info, given: OrderLookupInput) -> OrderLookupPayload:
    """Look a number up."""
    context = info.context
    channel_id = number_of(given.channel, Kind.CHANNEL)
    made = await commands.request_lookup(
        context.deps, channel_id, given.number, by=context.principal.by
    )
    context.forget()
    return OrderLookupPayload(run=await run_by_id(context, made.run_id), is_new=made.is_new)


MUTATIONS: tuple[StrawberryField, ...] = (
    order_hold,
    _simple(
        "order_release",
        commands.release,
        "Release a hold; what the channel holds now is taken as it is.",
    ),
    order_ship,
    shipment_void,
    _simple(
        "order_close",
        commands.close,
        "Close an order here: nothing more of it is shipped, and nothing more deducted.",
    ),
    order_lookup,
)

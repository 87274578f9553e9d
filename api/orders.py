"""Orders: what we hold of the channels' orders since they were imported."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.context import Context, Info
from api.faults import UserFaultError
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Condition, Node
from api.order_values import (
    Address,
    Hold,
    MissingField,
    Retention,
    address_of,
    custom_fields_of,
)
from api.paging import After, Connection, First, connection, page_request
from api.shipments import OrderLine, Shipment
from reconcile.core.order_types import OrderStatus
from reconcile.core.remote_order_types import PaymentStatus
from reconcile.store.orders import OrderFilter, OrderRow, count_orders, list_orders

if TYPE_CHECKING:
    from api.channels import Channel
    from api.order_explain import OrderMatch
    from api.remote_orders import RemoteOrder


@strawberry.type(description="An imported order.")
class Order(Node):
    """Ours, beside the RemoteOrder it was imported from."""

    row: strawberry.Private[OrderRow]
    number: str = strawberry.field(description="What people call it; not unique.")
    status: OrderStatus
    currency: str
    total: str | None = strawberry.field(description="Exact, in `currency`; nothing is converted.")
    payment: PaymentStatus
    ordered_at: datetime
    imported_at: datetime
    shipping_text: str | None = strawberry.field(description="As the customer saw it.")
    shipping_policy: str | None = strawberry.field(
        description="Ours, by the shipping mapping; null: nothing is to be shipped."
    )
    is_digital: bool
    email: str | None
    billing_address: Address | None
    shipping_address: Address | None
    note: str | None
    custom_fields: JSON
    missing_fields: list[MissingField]
    hold: Hold | None
    acknowledged_at: datetime | None
    canceled_at: datetime | None
    closed_at: datetime | None = strawberry.field(description="When a person closed it here.")
    closed_by: str | None
    last_shipped_at: datetime | None
    revision: int

    @classmethod
    def from_row(cls, row: OrderRow) -> "Order":
        """The order as the API shows it."""
        personal = row.personal
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.ORDER, row.id)),
            number=row.number,
            status=row.status,
            currency=row.currency,
            total=row.total,
            payment=row.payment,
            ordered_at=row.ordered_at,
            imported_at=row.imported_at,
            shipping_text=row.shipping_text,
            shipping_policy=row.shipping_policy,
            is_digital=row.is_digital,
            email=personal.email,
            billing_address=address_of(personal.billing_address),
            shipping_address=address_of(personal.shipping_address),
            note=personal.note,
            custom_fields=custom_fields_of(personal.custom_fields),
            missing_fields=[MissingField.from_row(each) for each in row.missing],
            hold=None if row.hold is None else Hold.from_row(row.hold),
            acknowledged_at=row.acknowledged_at,
            canceled_at=row.canceled_at,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            last_shipped_at=row.last_shipped_at,
            revision=row.revision,
        )

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel it came from."""
        return await edges.channel(info.context, self.row.channel_id)

    @resolver(description="The order as the channel was last seen to hold it.")
    async def remote_order(
        self, info: Info
    ) -> Annotated["RemoteOrder", strawberry.lazy("api.remote_orders")] | None:
        """Theirs."""
        return await edges.remote_order(info.context, self.row.remote_order_id)

    @resolver(description="Its lines, in the order of the channel.")
    async def lines(self, info: Info) -> list[OrderLine]:
        """Each line with what has left and what remains."""
        rows = await info.context.load.order_lines.load(self.row.id)
        return [OrderLine.from_row(row) for row in rows]

    @resolver(description="What left or is to leave, in the order it was recorded.")
    async def shipments(self, info: Info) -> list[Shipment]:
        """Ours and theirs, void ones included."""
        rows = await info.context.load.shipments.load(self.row.id)
        return [Shipment.from_row(row) for row in rows]

    @resolver(description="The last decisions about it, one per operation.")
    async def conditions(self, info: Info) -> list[Condition]:
        """Its conditions."""
        rows = await info.context.load.order_conditions.load(self.row.remote_order_id)
        return [Condition.from_row(row) for row in rows]

    @resolver(description="When its personal data is erased, or why it is kept.")
    async def retention(self, info: Info) -> Retention | None:
        """Feature A20."""
        return await edges.retention(info.context, self.row.id)

    @resolver(
        description="Rule by rule: why it stands as it does, and what happens next. Runs the "
        "planner, so ask for it on few orders at once."
    )
    async def explain(
        self, info: Info
    ) -> Annotated["OrderMatch", strawberry.lazy("api.order_explain")] | None:
        """Why it is as it is."""
        return await edges.order_match(info.context, self.row.remote_order_id)


async def order_by_id(context: Context, number: int) -> Order | None:
    """The order of that number, if there is one."""
    row = await context.load.order.load(number)
    return None if row is None else Order.from_row(row)


@strawberry.input(description="Which orders.")
class OrderFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    status: OrderStatus | None = None
    number: str | None = None
    is_on_hold: bool | None = None

    def chosen(self) -> OrderFilter:
        """The filter as the store takes it."""
        return OrderFilter(
            channel_id=None if self.channel is None else number_of(self.channel, Kind.CHANNEL),
            status=self.status,
            number=self.number,
            is_on_hold=self.is_on_hold,
        )


@resolver(description="Imported orders, newest first; `remoteOrders` has all that were seen.")
async def orders(
    info: Info, first: First = 25, after: After = None, where: OrderFilterInput | None = None
) -> Connection[Order]:
    """A page of orders."""
    request = page_request(first, after)
    chosen = (where or OrderFilterInput()).chosen()
    page = await info.context.reads(list_orders, chosen, request.after, request.first)

    async def count() -> int:
        return await info.context.reads(count_orders, chosen)

    return connection(
        [(row.id, Order.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
        count=count,
    )


@resolver(
    description="One imported order: by id, or by channel and number, which is not unique on every "
    "platform: of several, the newest."
)
async def order(
    info: Info,
    id: strawberry.ID | None = None,  # noqa: A002 - its name in GraphQL
    channel: strawberry.ID | None = None,
    number: str | None = None,
) -> Order | None:
    """The order, or null."""
    if id is not None and channel is None and number is None:
        return await order_by_id(info.context, number_of(id, Kind.ORDER))
    if id is not None or channel is None or number is None:
        raise UserFaultError("Give either `id`, or `channel` and `number`.", code="BAD_ARGUMENTS")
    where = OrderFilter(channel_id=number_of(channel, Kind.CHANNEL), number=number)
    page = await info.context.reads(list_orders, where, None, 1)
    return Order.from_row(page.rows[0]) if page.rows else None

"""Remote orders: what a channel was seen to hold, and what became of each, always with why."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.context import Context, Info
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Condition, Node
from api.order_values import (
    Address,
    Fulfillment,
    OrderShippingText,
    Retention,
    address_of,
    custom_fields_of,
)
from api.paging import After, Connection, First, connection, page_request
from api.scalars import as_json
from reconcile.core.remote_order_types import OrderStage, OrderVerdict, PaymentStatus
from reconcile.core.remote_order_types import RemoteOrderLine as RemoteOrderLineValue
from reconcile.store.remote_orders import OrderCounts as OrderCountsRow
from reconcile.store.remote_orders import (
    RemoteOrderFilter,
    RemoteOrderRow,
    count_remote_orders,
    list_remote_orders,
)
from reconcile.store.retention import retention_of_remote

if TYPE_CHECKING:
    from api.channels import Channel
    from api.order_explain import OrderMatch
    from api.orders import Order


@strawberry.type(description="One line of an order as last seen on the channel.")
class RemoteOrderLine:
    """Their line."""

    remote_id: str = strawberry.field(description="The channel's id of the line.")
    sku: str | None = strawberry.field(description="Null: the store has none.")
    title: str
    quantity: int
    canceled: int
    unit_price: str | None
    total: str | None
    weight: JSON | None
    is_digital: bool
    custom_fields: JSON = strawberry.field(description="By name; empty once they were erased.")

    @classmethod
    def from_value(cls, value: RemoteOrderLineValue) -> "RemoteOrderLine":
        """The line as the API shows it."""
        return cls(
            remote_id=value.id,
            sku=value.sku,
            title=value.title,
            quantity=value.quantity,
            canceled=value.canceled,
            unit_price=value.unit_price,
            total=value.total,
            weight=as_json(value.weight),
            is_digital=value.is_digital,
            custom_fields=custom_fields_of(value.custom),
        )


@strawberry.type(description="One order as the channel was last seen to hold it.")
class RemoteOrder(Node):
    """Theirs, with the decision about it."""

    row: strawberry.Private[RemoteOrderRow]
    remote_id: str = strawberry.field(description="The channel's id of the order.")
    number: str = strawberry.field(description="What people call it; not unique.")
    stage: OrderStage
    status: str = strawberry.field(description="The platform's own word.")
    payment: PaymentStatus
    currency: str
    total: str | None = strawberry.field(description="Exact, in `currency`.")
    ordered_at: datetime
    modified_at: datetime | None
    ended_at: datetime | None = strawberry.field(description="Completed or canceled there.")
    first_seen_at: datetime
    observed_at: datetime
    gone: str | None = strawberry.field(description="Why it is gone: Deleted or InTrash.")
    unreadable: str | None = strawberry.field(
        description="Why it could not be understood; then only its ids are to be relied on."
    )
    verdict: OrderVerdict
    reason: str = strawberry.field(description="CamelCase code of the decision.")
    message: str
    inputs: JSON = strawberry.field(description="What the decision was made from.")
    since: datetime | None
    is_digital: bool
    lines: list[RemoteOrderLine]
    shipping_texts: list[OrderShippingText] = strawberry.field(
        description="Empty: the order names no shipping method; then the empty text counts."
    )
    fulfillments: list[Fulfillment]
    email: str | None
    billing_address: Address | None
    shipping_address: Address | None
    note: str | None
    custom_fields: JSON
    personal_data_erased_at: datetime | None

    @classmethod
    def from_row(cls, row: RemoteOrderRow) -> "RemoteOrder":
        """The remote order as the API shows it."""
        seen = row.seen
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.REMOTE_ORDER, row.id)),
            remote_id=seen.id,
            number=seen.number,
            stage=seen.stage,
            status=seen.status,
            payment=seen.payment,
            currency=seen.currency,
            total=seen.total or None,
            ordered_at=seen.created_at,
            modified_at=seen.modified_at,
            ended_at=seen.ended_at,
            first_seen_at=row.first_seen_at,
            observed_at=row.observed_at,
            gone=row.gone,
            unreadable=row.unreadable,
            verdict=row.verdict,
            reason=row.reason,
            message=row.message,
            inputs=as_json(row.inputs) or JSON({}),
            since=row.since,
            is_digital=seen.is_digital,
            lines=[RemoteOrderLine.from_value(line) for line in seen.lines],
            shipping_texts=[OrderShippingText.from_value(each) for each in seen.shipping],
            fulfillments=[Fulfillment.from_value(each) for each in seen.fulfillments],
            email=seen.email or None,
            billing_address=address_of(seen.billing),
            shipping_address=address_of(seen.ship_to),
            note=seen.note or None,
            custom_fields=custom_fields_of(seen.custom),
            personal_data_erased_at=row.erased_at,
        )

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel it is on."""
        return await edges.channel(info.context, self.row.channel_id)

    @resolver(description="What was imported of it.")
    async def order(self, info: Info) -> Annotated["Order", strawberry.lazy("api.orders")] | None:
        """Our order, where there is one."""
        return await edges.order(info.context, self.row.order_id)

    @resolver(description="The last decisions about it, one per operation.")
    async def conditions(self, info: Info) -> list[Condition]:
        """Its conditions."""
        rows = await info.context.load.order_conditions.load(self.row.id)
        return [Condition.from_row(row) for row in rows]

    @resolver(description="When its personal data is erased, or why it is kept.")
    async def retention(self, info: Info) -> Retention | None:
        """Feature A20; an imported order keeps both together."""
        if self.row.order_id is not None:
            return await edges.retention(info.context, self.row.order_id)
        channel = await info.context.load.channel.load(self.row.channel_id)
        return Retention.from_value(
            retention_of_remote(
                None if channel is None else channel.retention_days,
                verdict=self.row.verdict,
                modified_at=self.row.seen.modified_at,
                ordered_at=self.row.seen.created_at,
                erased_at=self.row.erased_at,
            )
        )

    @resolver(
        description="Rule by rule: why it stands as it does, and what happens next. Runs the "
        "planner, so ask for it on few orders at once."
    )
    async def explain(
        self, info: Info
    ) -> Annotated["OrderMatch", strawberry.lazy("api.order_explain")] | None:
        """Why it is imported or not."""
        return await edges.order_match(info.context, self.row.id)


async def remote_order_by_id(context: Context, number: int) -> RemoteOrder | None:
    """The remote order of that number, if there is one."""
    row = await context.load.remote_order.load(number)
    return None if row is None else RemoteOrder.from_row(row)


@strawberry.input(description="Which remote orders.")
class RemoteOrderFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    verdict: OrderVerdict | None = None
    reason: str | None = strawberry.field(default=None, description="Code of the decision.")
    number: str | None = None
    needs_attention: bool | None = strawberry.field(
        default=None,
        description="Whether something of it waits for a person: it cannot be imported as it is, "
        "a shipment does not reach the channel, the rules put it on hold.",
    )

    def chosen(self) -> RemoteOrderFilter:
        """The filter as the store takes it."""
        return RemoteOrderFilter(
            channel_id=None if self.channel is None else number_of(self.channel, Kind.CHANNEL),
            verdict=self.verdict,
            reason=self.reason,
            number=self.number,
            needs_attention=self.needs_attention,
        )


@resolver(description="Orders as the channels were seen to hold them, newest first.")
async def remote_orders(
    info: Info, first: First = 25, after: After = None, where: RemoteOrderFilterInput | None = None
) -> Connection[RemoteOrder]:
    """A page of what was seen, imported or not."""
    request = page_request(first, after)
    chosen = (where or RemoteOrderFilterInput()).chosen()
    page = await info.context.reads(list_remote_orders, chosen, request.after, request.first)

    async def count() -> int:
        return await info.context.reads(count_remote_orders, chosen)

    return connection(
        [(row.id, RemoteOrder.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
        count=count,
    )


@strawberry.type(
    description="The orders seen on a channel by what became of them; all but `onHold` add up to "
    "every order seen."
)
class OrderCounts:
    """Orders by verdict."""

    pending: int = strawberry.field(description="Seen and not decided yet.")
    imported: int
    held: int
    skipped: int
    unsavable: int
    on_hold: int = strawberry.field(
        description="Imported ones of which nothing more leaves until a person releases them."
    )


@resolver(description="How many orders of a channel were imported, held, skipped, unsavable.")
async def order_counts(info: Info, channel: strawberry.ID) -> OrderCounts | None:
    """Counts, or null where there is no such channel."""
    number = number_of(channel, Kind.CHANNEL)
    if await info.context.load.channel.load(number) is None:
        return None
    found = await info.context.load.order_counts.load(number)
    counts = found or OrderCountsRow()
    return OrderCounts(
        pending=counts.pending,
        imported=counts.imported,
        held=counts.held,
        skipped=counts.skipped,
        unsavable=counts.unsavable,
        on_hold=counts.on_hold,
    )

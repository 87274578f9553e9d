"""Order lines and shipments: what was ordered, what of it has left, and how far that has come."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.context import Context, Info
from api.fields import resolver
from api.ids import Kind, encode
from api.nodes import Condition, Node
from api.order_values import custom_fields_of
from api.scalars import as_json
from reconcile.core.order_types import ShipmentOrigin, ShipmentState
from reconcile.store.orders import OrderLineRow
from reconcile.store.shipments import ShipmentRow, ShippedLine

if TYPE_CHECKING:
    from api.orders import Order
    from api.variants import ListingVariant


@strawberry.type(description="One line of an imported order.")
class OrderLine(Node):
    """A line with how much of it has left."""

    row: strawberry.Private[OrderLineRow]
    remote_id: str = strawberry.field(description="The channel's id of the line.")
    sku: str | None = strawberry.field(
        description="Ours where the line is linked, else the channel's."
    )
    title: str
    quantity: int = strawberry.field(description="Units ordered.")
    canceled: int = strawberry.field(description="Units of these that will not leave any more.")
    shipped: int = strawberry.field(description="Units that have left, here or on the channel.")
    remaining: int = strawberry.field(description="Units that can still be shipped.")
    unit_price: str | None = strawberry.field(
        description="Exact, after discount, before tax, in the order's currency."
    )
    total: str | None
    weight: JSON | None = strawberry.field(
        description='Of one unit: `{"value": "1.5", "unit": "kg"}`.'
    )
    is_digital: bool = strawberry.field(description="Nothing is shipped for it.")
    is_linked: bool = strawberry.field(description="No: it is of no listing of ours.")

    @classmethod
    def from_row(cls, row: OrderLineRow) -> "OrderLine":
        """The line as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.ORDER_LINE, row.id)),
            remote_id=row.remote_line_id,
            sku=row.sku,
            title=row.title,
            quantity=row.quantity,
            canceled=row.canceled,
            shipped=row.shipped,
            remaining=row.remaining,
            unit_price=row.unit_price,
            total=row.total,
            weight=as_json(row.weight),
            is_digital=row.is_digital,
            is_linked=row.is_linked,
        )

    @resolver(description="Personalization and the like, by name; empty once it was erased.")
    async def custom_fields(self, info: Info) -> JSON:
        """What the customer stated for this line."""
        order = await info.context.load.order.load(self.row.order_id)
        fields = {} if order is None else order.personal.line_custom_fields
        return custom_fields_of(fields.get(self.row.remote_line_id))

    @resolver(description="The listing variant it is of.")
    async def variant(
        self, info: Info
    ) -> Annotated["ListingVariant", strawberry.lazy("api.variants")] | None:
        """Our variant, where the line is linked."""
        return await edges.variant(info.context, self.row.variant_id)

    @resolver()
    async def order(self, info: Info) -> Annotated["Order", strawberry.lazy("api.orders")] | None:
        """The order it belongs to."""
        return await edges.order(info.context, self.row.order_id)


@strawberry.type(description="Units of one order line in a shipment.")
class ShipmentLine:
    """A line and how many."""

    row: strawberry.Private[ShippedLine]
    order_id: strawberry.Private[int]
    quantity: int

    @resolver()
    async def line(self, info: Info) -> OrderLine | None:
        """The order's line."""
        # The order's lines are read for all orders at once, and usually are there already.
        lines = await info.context.load.order_lines.load(self.order_id)
        found = next((each for each in lines if each.id == self.row.line_id), None)
        return None if found is None else OrderLine.from_row(found)


@strawberry.type(description="What left, or is recorded to leave, together.")
class Shipment(Node):
    """A shipment of ours, or one that was seen on the channel."""

    row: strawberry.Private[ShipmentRow]
    origin: ShipmentOrigin
    state: ShipmentState
    tracking_number: str
    carrier: str
    service: str
    tracking_url: str
    notify_customer: bool
    shipped_at: datetime
    lines: list[ShipmentLine] = strawberry.field(
        description="Empty: the channel does not say what was in it."
    )
    remote_ids: list[str] = strawberry.field(description="What it became on the channel.")
    reference: str | None = strawberry.field(
        description="The caller's own id; the same one again gives this shipment back."
    )
    created_by: str | None
    created_at: datetime
    pushed_at: datetime | None = strawberry.field(description="When it reached the channel.")
    message: str = strawberry.field(
        description="How its way to the channel stands; empty where there is nothing to say."
    )

    @classmethod
    def from_row(cls, row: ShipmentRow) -> "Shipment":
        """The shipment as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.SHIPMENT, row.id)),
            origin=row.origin,
            state=row.state,
            tracking_number=row.tracking_number,
            carrier=row.carrier,
            service=row.service,
            tracking_url=row.tracking_url,
            notify_customer=row.notify_customer,
            shipped_at=row.shipped_at,
            lines=[
                ShipmentLine(row=line, order_id=row.order_id, quantity=line.quantity)
                for line in row.lines
            ],
            remote_ids=list(row.remote_ids),
            reference=row.reference,
            created_by=row.created_by,
            created_at=row.created_at,
            pushed_at=row.pushed_at,
            message=row.message,
        )

    @resolver()
    async def order(self, info: Info) -> Annotated["Order", strawberry.lazy("api.orders")] | None:
        """The order it is of."""
        return await edges.order(info.context, self.row.order_id)

    @resolver(description="The last decisions about it, one per operation.")
    async def conditions(self, info: Info) -> list[Condition]:
        """Its conditions."""
        rows = await info.context.load.shipment_conditions.load(self.row.id)
        return [Condition.from_row(row) for row in rows]


async def line_by_id(context: Context, number: int) -> OrderLine | None:
    """The order line of that number, if there is one."""
    row = await context.load.order_line.load(number)
    return None if row is None else OrderLine.from_row(row)


async def shipment_by_id(context: Context, number: int) -> Shipment | None:
    """The shipment of that number, if there is one."""
    row = await context.load.shipment.load(number)
    return None if row is None else Shipment.from_row(row)

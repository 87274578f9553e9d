"""Shipping mappings, and the shipping texts of the channels that want one."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api import edges
from api.context import Context, Info
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Node
from api.paging import After, Connection, First, connection, page_request
from reconcile.store.shipping import (
    ShippingMappingRow,
    ShippingTextRow,
    TextFilter,
    list_mappings,
    list_texts,
)

if TYPE_CHECKING:
    from api.channels import Channel


@strawberry.type(description="A channel's shipping text and the shipping policy of ours it means.")
class ShippingMapping(Node):
    """Feature A8: compared exactly."""

    row: strawberry.Private[ShippingMappingRow]
    text: str = strawberry.field(description="As the channel has it; empty: orders without one.")
    policy: str
    updated_by: str | None
    updated_at: datetime

    @classmethod
    def from_row(cls, row: ShippingMappingRow) -> "ShippingMapping":
        """The mapping as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.SHIPPING_MAPPING, row.id)),
            text=row.text,
            policy=row.policy,
            updated_by=row.updated_by,
            updated_at=row.updated_at,
        )

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel it is for."""
        return await edges.channel(info.context, self.row.channel_id)


@strawberry.type(description="A shipping text that orders of a channel were seen with.")
class ShippingText(Node):
    """What a shipping mapping can be made for."""

    row: strawberry.Private[ShippingTextRow]
    text: str = strawberry.field(description="What a mapping compares.")
    title: str = strawberry.field(description="As a customer saw it.")
    first_seen_at: datetime
    last_seen_at: datetime
    policy: str | None = strawberry.field(description="Null: not mapped.")
    held_orders: int = strawberry.field(description="Held orders that have it.")

    @classmethod
    def from_row(cls, row: ShippingTextRow) -> "ShippingText":
        """The text as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.SHIPPING_TEXT, row.id)),
            text=row.text,
            title=row.title,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            policy=row.policy,
            held_orders=row.held_orders,
        )

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel whose orders have it."""
        return await edges.channel(info.context, self.row.channel_id)


async def mapping_by_id(context: Context, number: int) -> ShippingMapping | None:
    """The mapping of that number, if there is one."""
    row = await context.load.shipping_mapping.load(number)
    return None if row is None else ShippingMapping.from_row(row)


async def text_by_id(context: Context, number: int) -> ShippingText | None:
    """The text of that number, if there is one."""
    row = await context.load.shipping_text.load(number)
    return None if row is None else ShippingText.from_row(row)


@strawberry.input(description="Which shipping mappings.")
class ShippingMappingFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None


@resolver(description="Which shipping text of a channel means which shipping policy of ours.")
async def shipping_mappings(
    info: Info,
    first: First = 25,
    after: After = None,
    where: ShippingMappingFilterInput | None = None,
) -> Connection[ShippingMapping]:
    """A page of mappings."""
    request = page_request(first, after)
    channel = None if where is None else where.channel
    page = await info.context.reads(
        list_mappings,
        None if channel is None else number_of(channel, Kind.CHANNEL),
        request.after,
        request.first,
    )
    return connection(
        [(row.id, ShippingMapping.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )


@strawberry.input(description="Which shipping texts.")
class ShippingTextFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    is_mapped: bool | None = None


@resolver(description="Shipping texts that orders were seen with, mapped or not.")
async def shipping_texts(
    info: Info, first: First = 25, after: After = None, where: ShippingTextFilterInput | None = None
) -> Connection[ShippingText]:
    """A page of texts."""
    request = page_request(first, after)
    where = where or ShippingTextFilterInput()
    chosen = TextFilter(
        channel_id=None if where.channel is None else number_of(where.channel, Kind.CHANNEL),
        is_mapped=where.is_mapped,
    )
    page = await info.context.reads(list_texts, chosen, request.after, request.first)
    return connection(
        [(row.id, ShippingText.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )

"""Conditions across objects: everything that needs attention, with its reason, in one list."""

from typing import Annotated

import strawberry

from api.channels import Channel
from api.context import Info
from api.fields import resolver
from api.ids import Kind, number_of
from api.listings import Listing
from api.nodes import Condition
from api.paging import After, Connection, First, connection, page_request
from api.remote_orders import RemoteOrder
from api.shipments import Shipment
from api.variants import ListingVariant
from reconcile.core.actions import Standing
from reconcile.store.conditions import ConditionFilter, ConditionRow, list_conditions

ConditionObject = Annotated[
    Channel | Listing | ListingVariant | RemoteOrder | Shipment,
    strawberry.union("ConditionObject", description="What a condition can be about."),
]


@strawberry.type(description="A condition with the object it is about.")
class ObjectCondition:
    """A decision about a channel, a listing, a variant, an order or a shipment."""

    row: strawberry.Private[ConditionRow]
    condition: Condition

    @resolver(description="What it is about.")
    async def object(self, info: Info) -> ConditionObject | None:
        """The channel, listing, variant, remote order or shipment."""
        load = info.context.load
        match self.row.object_kind:
            case "channel":
                channel = await load.channel.load(self.row.object_id)
                return None if channel is None else Channel.from_row(channel)
            case "listing":
                listing = await load.listing.load(self.row.object_id)
                return None if listing is None else Listing.from_row(listing)
            case "order":
                remote = await load.remote_order.load(self.row.object_id)
                return None if remote is None else RemoteOrder.from_row(remote)
            case "shipment":
                shipment = await load.shipment.load(self.row.object_id)
                return None if shipment is None else Shipment.from_row(shipment)
            case _:
                variant = await load.variant.load(self.row.object_id)
                return None if variant is None else ListingVariant.from_row(variant)


@strawberry.input(description="Which conditions.")
class ConditionFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    status: Standing | None = None
    reason: str | None = None


@resolver(description="Stored decisions; with status ATTENTION, what waits for a person.")
async def conditions(
    info: Info, first: First = 25, after: After = None, where: ConditionFilterInput | None = None
) -> Connection[ObjectCondition]:
    """A page of conditions."""
    request = page_request(first, after)
    where = where or ConditionFilterInput()
    chosen = ConditionFilter(
        channel_id=None if where.channel is None else number_of(where.channel, Kind.CHANNEL),
        status=where.status,
        reason=where.reason,
    )
    page = await info.context.reads(list_conditions, chosen, request.after, request.first)
    return connection(
        [
            (row.id, ObjectCondition(row=row, condition=Condition.from_row(row)))
            for row in page.rows
        ],
        request=request,
        has_next=page.has_next,
    )

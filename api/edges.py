"""From an object to its neighbors: the graph is circular, the modules of its types must not be.

Each type names its neighbors lazily; their classes are fetched here, when an edge is followed.
"""
# ruff: noqa: PLC0415 - imports at the top would be the very circle that this module opens

from typing import TYPE_CHECKING

from api.context import Context
from api.paging import PageRequest
from reconcile.store.deduction_reads import DeductionRow
from reconcile.store.listings import VariantRow
from reconcile.store.page import Page
from reconcile.store.runs import RunRow

if TYPE_CHECKING:
    from api.channels import Channel
    from api.explain import Explanation
    from api.items import Item
    from api.listings import Listing
    from api.order_explain import OrderMatch
    from api.order_values import Retention
    from api.orders import Order
    from api.paging import Connection
    from api.quantities import Deduction
    from api.remote_orders import RemoteOrder
    from api.runs import Run
    from api.shipments import Shipment
    from api.variants import ListingVariant


async def channel(context: Context, number: int) -> "Channel | None":
    """The channel of that number, if there is one."""
    from api.channels import Channel

    row = await context.load.channel.load(number)
    return None if row is None else Channel.from_row(row)


async def listing(context: Context, number: int | None) -> "Listing | None":
    """The listing of that number, if there is one."""
    from api.listings import Listing

    row = None if number is None else await context.load.listing.load(number)
    return None if row is None else Listing.from_row(row)


async def variant(context: Context, number: int | None) -> "ListingVariant | None":
    """The variant of that number, if there is one."""
    from api.variants import ListingVariant

    row = None if number is None else await context.load.variant.load(number)
    return None if row is None else ListingVariant.from_row(row)


def variant_from(row: VariantRow) -> "ListingVariant":
    """The variant of a row."""
    from api.variants import ListingVariant

    return ListingVariant.from_row(row)


async def item(context: Context, sku: str) -> "Item | None":
    """The item of that SKU, if there is one."""
    from api.items import Item

    row = await context.load.item_by_sku.load(sku)
    return None if row is None else Item.from_row(row)


async def run(context: Context, number: int | None) -> "Run | None":
    """The run of that number, if there is one."""
    from api.runs import Run

    row = None if number is None else await context.load.run.load(number)
    return None if row is None else Run.from_row(row)


def run_from(row: RunRow) -> "Run":
    """The run of a row."""
    from api.runs import Run

    return Run.from_row(row)


async def explanation(context: Context, variant_id: int) -> "Explanation | None":
    """Why a variant is as it is; runs the planner."""
    from api.explain import Explanation
    from reconcile.explain import explain

    found = await explain(context.deps, variant_id)
    return None if found is None else Explanation.from_value(found)


async def order(context: Context, number: int | None) -> "Order | None":
    """The imported order of that number, if there is one."""
    from api.orders import Order

    row = None if number is None else await context.load.order.load(number)
    return None if row is None else Order.from_row(row)


async def order_of(context: Context, remote_order_id: int | None) -> "Order | None":
    """What was imported of a remote order, if anything was."""
    from api.orders import Order

    row = (
        None
        if remote_order_id is None
        else await context.load.order_of_remote.load(remote_order_id)
    )
    return None if row is None else Order.from_row(row)


async def remote_order(context: Context, number: int | None) -> "RemoteOrder | None":
    """The remote order of that number, if there is one."""
    from api.remote_orders import RemoteOrder

    row = None if number is None else await context.load.remote_order.load(number)
    return None if row is None else RemoteOrder.from_row(row)


async def shipment(context: Context, number: int | None) -> "Shipment | None":
    """The shipment of that number, if there is one."""
    from api.shipments import Shipment

    row = None if number is None else await context.load.shipment.load(number)
    return None if row is None else Shipment.from_row(row)


async def retention(context: Context, order_id: int) -> "Retention | None":
    """When the personal data of an imported order is erased, by its channel's setting."""
    from api.order_values import Retention
    from reconcile.store.retention import retention_of

    row = await context.load.order.load(order_id)
    if row is None:
        return None
    kept_for = await context.load.channel.load(row.channel_id)
    return Retention.from_value(
        retention_of(
            None if kept_for is None else kept_for.retention_days,
            status=row.status,
            last_shipped_at=row.last_shipped_at,
            canceled_at=row.canceled_at,
            erased_at=row.erased_at,
        )
    )


async def order_match(context: Context, remote_order_id: int) -> "OrderMatch | None":
    """Why an order that was seen stands as it does; runs the planner."""
    from api.order_explain import OrderMatch
    from reconcile.order_explain import explain_remote_order

    found = await explain_remote_order(context.deps, remote_order_id)
    return None if found is None else OrderMatch.from_value(found)


def deductions_from(page: Page[DeductionRow], request: PageRequest) -> "Connection[Deduction]":
    """A page of deductions."""
    from api.quantities import deductions_from

    return deductions_from(page, request)

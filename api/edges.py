"""From an object to its neighbors: the graph is circular, the modules of its types must not be.

Each type names its neighbors lazily; their classes are fetched here, when an edge is followed.
"""
# ruff: noqa: PLC0415 - imports at the top would be the very circle that this module opens

from typing import TYPE_CHECKING

from api.context import Context
from reconcile.store.listings import VariantRow
from reconcile.store.runs import RunRow

if TYPE_CHECKING:
    from api.channels import Channel
    from api.explain import Explanation
    from api.items import Item
    from api.listings import Listing
    from api.runs import Run
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

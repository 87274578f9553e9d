"""Items: SKUs with the stated quantity that the listings of all channels share."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api import edges
from api.context import Context, Info
from api.enums import Basis
from api.fields import resolver
from api.ids import Kind, encode
from api.nodes import Node
from api.paging import After, Connection, First, connection, page_request
from reconcile.store.items import ItemFilter, ItemRow, list_items

if TYPE_CHECKING:
    from api.quantities import Deduction
    from api.variants import ListingVariant


@strawberry.type(description="A SKU with its stated quantity.")
class Item(Node):
    """What is stated once for all channels."""

    row: strawberry.Private[ItemRow]
    sku: str
    stated: int | None = strawberry.field(description="Null: no statement, which is not zero.")
    as_of: datetime | None
    basis: Basis
    source: str | None
    stated_by: str | None
    revision: int
    updated_at: datetime

    @classmethod
    def from_row(cls, row: ItemRow) -> "Item":
        """The item as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.ITEM, row.id)),
            sku=row.sku,
            stated=row.stated,
            as_of=row.as_of,
            basis=Basis(row.basis),
            source=row.source,
            stated_by=row.stated_by,
            revision=row.revision,
            updated_at=row.updated_at,
        )

    @resolver(description="The variants of its SKU, one per channel at most.")
    async def variants(
        self, info: Info
    ) -> list[Annotated["ListingVariant", strawberry.lazy("api.variants")]]:
        """Where it is offered."""
        rows = await info.context.load.variants_by_sku.load(self.row.sku)
        return [edges.variant_from(row) for row in rows]

    @resolver(description="Units of orders, of all channels, that are taken off what is stated.")
    async def deducted(self, info: Info) -> int:
        """What has been sold and still counts."""
        return await info.context.load.deducted.load(self.row.id) or 0

    @resolver(description="What orders take off it, newest first; also what no longer counts.")
    async def deductions(
        self, info: Info, first: First = 25, after: After = None
    ) -> Connection[Annotated["Deduction", strawberry.lazy("api.quantities")]]:
        """A page of its deductions."""
        request = page_request(first, after)
        page = await info.context.load.deductions.load((self.row.id, request))
        return edges.deductions_from(page, request)


async def item_by_id(context: Context, number: int) -> Item | None:
    """The item of that number, if there is one."""
    row = await context.load.item.load(number)
    return None if row is None else Item.from_row(row)


@strawberry.input(description="Which items.")
class ItemFilterInput:
    """Conditions that all hold."""

    sku: str | None = None
    sku_prefix: str | None = None


@resolver(description="SKUs with their stated quantities.")
async def items(
    info: Info, first: First = 25, after: After = None, where: ItemFilterInput | None = None
) -> Connection[Item]:
    """A page of items."""
    request = page_request(first, after)
    where = where or ItemFilterInput()
    page = await info.context.reads(
        list_items,
        ItemFilter(sku=where.sku, sku_prefix=where.sku_prefix),
        request.after,
        request.first,
    )
    return connection(
        [(row.id, Item.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )


@resolver(description="One item, by SKU.")
async def item(info: Info, sku: str) -> Item | None:
    """The item, or null."""
    row = await info.context.load.item_by_sku.load(sku)
    return None if row is None else Item.from_row(row)

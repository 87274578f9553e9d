"""How a channel's quantity comes about: what is stated, what orders take off, what is kept back."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api import edges
from api.context import Info
from api.enums import Basis
from api.fields import resolver
from api.paging import After, Connection, First, PageRequest, connection, page_request
from reconcile.stock_explain import QuantityExplanation as QuantityExplanationValue
from reconcile.stock_explain import item_explanation
from reconcile.store.deduction_reads import DeductionRow, deductions_of_item
from reconcile.store.page import Page

if TYPE_CHECKING:
    from api.channels import Channel
    from api.items import Item
    from api.remote_orders import RemoteOrder
    from api.variants import ListingVariant


@strawberry.type(description="How the quantity a channel is told comes about, down to the orders.")
class QuantityExplanation:
    """What is stated, less what orders take off, less the buffer; at most the cap."""

    value: int | None = strawberry.field(
        description="As `wanted`.", deprecation_reason="Ask for `wanted`."
    )
    wanted: int | None = strawberry.field(description="Null: unknown, which is not zero.")
    stated: int | None = strawberry.field(description="Null: no statement, which is not zero.")
    source: str | None = strawberry.field(description="Who or what stated it.")
    as_of: datetime | None
    basis: Basis
    is_own: bool = strawberry.field(
        description="The listing variant states a quantity of its own instead of the item's."
    )
    deducted: int = strawberry.field(description="Units of orders that are taken off.")
    buffer: int
    cap: int | None
    steps: list[str] = strawberry.field(description="The sum in words, down to the orders.")

    @classmethod
    def from_value(cls, value: QuantityExplanationValue) -> "QuantityExplanation":
        """The explanation as the API shows it."""
        return cls(
            value=value.wanted,
            wanted=value.wanted,
            stated=value.stated,
            source=value.source,
            as_of=value.as_of,
            basis=Basis(value.basis),
            is_own=value.is_own,
            deducted=value.deducted,
            buffer=value.buffer,
            cap=value.cap,
            steps=list(value.steps),
        )


@strawberry.type(description="Units of an order that are, or were, taken off a stated quantity.")
class Deduction:
    """Part of an order line of any channel."""

    row: strawberry.Private[DeductionRow]
    units: int
    sku: str
    ordered_at: datetime
    left_at: datetime | None = strawberry.field(description="Null: still on the shelf.")
    counts: bool = strawberry.field(description="It is taken off what is stated now.")

    @classmethod
    def from_row(cls, row: DeductionRow) -> "Deduction":
        """The deduction as the API shows it."""
        return cls(
            row=row,
            units=row.units,
            sku=row.sku,
            ordered_at=row.ordered_at,
            left_at=row.left_at,
            counts=row.counts,
        )

    @resolver(description="The order it is of, imported or not.")
    async def remote_order(
        self, info: Info
    ) -> Annotated["RemoteOrder", strawberry.lazy("api.remote_orders")] | None:
        """Theirs."""
        return await edges.remote_order(info.context, self.row.remote_order_id)


def deductions_from(page: Page[DeductionRow], request: PageRequest) -> Connection[Deduction]:
    """A page of deductions as the API shows it."""
    return connection(
        [(row.id, Deduction.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )


@strawberry.type(description="What one channel is told of an item.")
class ItemOnChannel:
    """The item's listing variant there, and its quantity."""

    channel_id: strawberry.Private[int]
    variant_id: strawberry.Private[int]
    quantity_explanation: QuantityExplanation

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel."""
        return await edges.channel(info.context, self.channel_id)

    @resolver()
    async def variant(
        self, info: Info
    ) -> Annotated["ListingVariant", strawberry.lazy("api.variants")] | None:
        """The listing variant of the SKU."""
        return await edges.variant(info.context, self.variant_id)


@strawberry.type(description="Why each channel is told what it is told of a SKU.")
class ItemExplanation:
    """Feature A22: what is stated, what orders take off, what each channel gets."""

    sku: str
    deducted: int = strawberry.field(description="Units of orders taken off what is stated.")
    channels: list[ItemOnChannel]

    @resolver(description="Null: nobody has stated a quantity of the SKU yet.")
    async def item(self, info: Info) -> Annotated["Item", strawberry.lazy("api.items")] | None:
        """The item."""
        return await edges.item(info.context, self.sku)

    @resolver(description="What orders take off, newest first; those that no longer count too.")
    async def deductions(
        self, info: Info, first: First = 25, after: After = None
    ) -> Connection[Deduction]:
        """A page of the deductions of the SKU."""
        request = page_request(first, after)
        page = await info.context.reads(deductions_of_item, self.sku, request.after, request.first)
        return deductions_from(page, request)


@resolver(
    description="How what each channel is told of a SKU comes about, down to the orders; null "
    "where the SKU was neither stated nor listed nor ordered."
)
async def item_explain(info: Info, sku: str) -> ItemExplanation | None:
    """The explanation, or null."""
    found = await info.context.reads.at_once(item_explanation, info.context.deps, sku)
    if found is None:
        return None
    return ItemExplanation(
        sku=found.sku,
        deducted=found.deducted,
        channels=[
            ItemOnChannel(
                channel_id=each.channel_id,
                variant_id=each.variant_id,
                quantity_explanation=QuantityExplanation.from_value(each.quantity),
            )
            for each in found.channels
        ],
    )

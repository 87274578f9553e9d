"""Listing variants: what is wanted, what was seen, how they are linked, and why."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.context import Context, Info
from api.explain import Explanation
from api.faults import UserFaultError
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.listings import ListingField, WithheldValue, fields_of
from api.nodes import Condition, Node
from api.quantities import QuantityExplanation
from api.remotes import Candidates, Option, RemoteVariant, options_of
from api.scalars import as_json
from reconcile.core.actions import Standing
from reconcile.core.types import LinkState, Presence, SeenPresence, SyncStatus
from reconcile.store.listings import VariantRow, find_variant

if TYPE_CHECKING:
    from api.channels import Channel
    from api.items import Item
    from api.listings import Listing


@strawberry.type(description="How a variant stands to an object of the channel.")
class Link:
    """Our variant and theirs."""

    row: strawberry.Private[VariantRow]
    state: LinkState
    is_held: bool = strawberry.field(
        description="A person unlinked it; it is not linked or published until that person acts."
    )
    key: str | None = strawberry.field(description="Our value of the linking identifier.")
    origin: str | None = strawberry.field(description="KEY, PERSON, PUBLISH or IMPORT.")
    reason: str | None
    message: str | None
    linked_at: datetime | None

    @resolver(description="The linked object; kept when the link is BROKEN.")
    async def remote(self, info: Info) -> RemoteVariant | None:
        """Their variant as last seen."""
        if self.row.remote_variant_id is None:
            return None
        found = await info.context.load.remote.load(self.row.remote_variant_id)
        return None if found is None else RemoteVariant.from_row(found)


@strawberry.type(description="One of the channel's fields: wanted and seen.")
class FieldState:
    """A field of the channel, compared."""

    field: str
    wanted: JSON | None
    seen: JSON | None
    is_in_sync: bool | None = strawberry.field(description="Null: nothing was seen.")


@strawberry.type(description="One sellable form of a listing, with a SKU.")
class ListingVariant(Node):
    """A variant of a listing."""

    row: strawberry.Private[VariantRow]
    sku: str
    position: int
    options: list[Option]
    presence: Presence = strawberry.field(description="Where we want it to be.")
    is_presence_stated: bool = strawberry.field(
        description="Someone asked for it; without that, what the store hides stays hidden."
    )
    seen_presence: SeenPresence
    sync_status: SyncStatus
    is_paused: bool
    is_recomputing: bool = strawberry.field(
        description="What is wanted is about to be computed again."
    )
    wanted: JSON = strawberry.field(description="What the channel should hold, by its field.")
    content: JSON
    revision: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_row(cls, row: VariantRow) -> "ListingVariant":
        """The variant as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.VARIANT, row.id)),
            sku=row.sku,
            position=row.position,
            options=options_of(row.options),
            presence=row.presence,
            is_presence_stated=row.is_asserted,
            seen_presence=row.seen_presence,
            sync_status=row.sync_status,
            is_paused=row.is_paused,
            is_recomputing=row.is_stale,
            wanted=as_json(row.wanted) or JSON({}),
            content=as_json(row.content) or JSON({}),
            revision=row.revision,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel it is for."""
        return await edges.channel(info.context, self.row.channel_id)

    @resolver()
    async def listing(
        self, info: Info
    ) -> Annotated["Listing", strawberry.lazy("api.listings")] | None:
        """The listing it belongs to."""
        return await edges.listing(info.context, self.row.listing_id)

    @resolver(description="The SKU with its stated quantity, shared by all channels.")
    async def item(self, info: Info) -> Annotated["Item", strawberry.lazy("api.items")] | None:
        """The item of its SKU."""
        return await edges.item(info.context, self.row.sku)

    @resolver(description="Our fields at variant level.")
    def fields(self) -> list[ListingField]:
        """Values with their sources."""
        return fields_of(self.row.fields, self.row.sources)

    @resolver(description="Wanted values that are not sent.")
    def withheld(self) -> list[WithheldValue]:
        """What is held back, and why."""
        return [WithheldValue.from_value(each) for each in self.row.withheld]

    @resolver(description="How it stands to an object of the channel.")
    def link(self) -> Link:
        """Its link."""
        row = self.row
        return Link(
            row=row,
            state=row.link_state,
            is_held=row.link_hold,
            key=row.link_key,
            origin=row.link_origin,
            reason=row.link_reason,
            message=row.link_message,
            linked_at=row.linked_at,
        )

    @resolver(description="Prices and quantity, wanted and seen, field by field.")
    async def values(self, info: Info) -> list[FieldState]:
        """Each field that is wanted or seen."""
        remote = None
        if self.row.remote_variant_id is not None:
            remote = await info.context.load.remote.load(self.row.remote_variant_id)
        seen = {} if remote is None else remote.seen
        wanted = self.row.wanted
        return [
            FieldState(
                field=name,
                wanted=as_json(wanted.get(name)),
                seen=as_json(seen.get(name)),
                is_in_sync=seen[name] == wanted[name] if name in seen and name in wanted else None,
            )
            for name in dict.fromkeys([*wanted, *seen])
        ]

    @resolver(description="What it was compared with to find a link.")
    async def candidates(self, info: Info) -> Candidates | None:
        """Candidates for a link."""
        found = await info.context.load.candidates.load(self.row.id)
        return None if found is None else Candidates.from_row(found)

    @resolver(description="The last decisions about it, one per operation.")
    async def conditions(self, info: Info) -> list[Condition]:
        """Its conditions."""
        rows = await info.context.load.variant_conditions.load(self.row.id)
        return [Condition.from_row(row) for row in rows]

    @resolver(description="Whether something does not happen until a person acts.")
    async def needs_attention(self, info: Info) -> bool:
        """True with a condition of status ATTENTION."""
        rows = await info.context.load.variant_conditions.load(self.row.id)
        return any(row.status == Standing.ATTENTION for row in rows)

    @resolver(
        description="How the quantity it is to have comes about, down to the orders.",
    )
    async def quantity_explanation(self, info: Info) -> QuantityExplanation | None:
        """The sum of what is stated, deducted and kept back."""
        found = await info.context.load.quantity.load(self.row.id)
        return None if found is None else QuantityExplanation.from_value(found)

    @resolver(
        description="For each operation: inputs, rule, decision, what happens next and when. Runs "
        "the planner, so ask for it on few variants at once."
    )
    async def explain(self, info: Info) -> Explanation | None:
        """Why it is as it is."""
        return await edges.explanation(info.context, self.row.id)


async def variant_by_id(context: Context, number: int) -> ListingVariant | None:
    """The variant of that number, if there is one."""
    row = await context.load.variant.load(number)
    return None if row is None else ListingVariant.from_row(row)


@resolver(description="One variant: by id, or by channel and SKU.")
async def variant(
    info: Info,
    id: strawberry.ID | None = None,  # noqa: A002 - its name in GraphQL
    channel: strawberry.ID | None = None,
    sku: str | None = None,
) -> ListingVariant | None:
    """The variant, or null."""
    if id is not None and channel is None and sku is None:
        return await variant_by_id(info.context, number_of(id, Kind.VARIANT))
    if id is not None or channel is None or sku is None:
        raise UserFaultError("Give either `id`, or `channel` and `sku`.", code="BAD_ARGUMENTS")
    row = await info.context.reads(find_variant, number_of(channel, Kind.CHANNEL), sku)
    return None if row is None else ListingVariant.from_row(row)

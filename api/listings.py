"""Listings: our wish for one product on one channel, with a state derived from its variants."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.context import Context, Info
from api.faults import UserFaultError
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Condition, Node
from api.paging import After, Connection, First, connection, page_request
from api.scalars import as_json
from reconcile.core.types import LinkState, Presence, SyncStatus, Withheld
from reconcile.store.listings import ListingFilter as ListingFilterRow
from reconcile.store.listings import (
    ListingRow,
    ListingSummary,
    count_listings,
    find_listing,
    list_listings,
)

if TYPE_CHECKING:
    from api.channels import Channel
    from api.explain import Explanation
    from api.variants import ListingVariant


@strawberry.type(description="One of our fields: its value, and who stated it when and how.")
class ListingField:
    """A value with its source."""

    name: str
    value: JSON | None
    source: str | None = strawberry.field(description="FILE, API, IMPORT or RULE.")
    stated_at: datetime | None
    stated_by: str | None


def fields_of(values: Mapping[str, Any], sources: Mapping[str, Any]) -> list[ListingField]:
    """Our fields with their sources (JSON from the store, hence `Any`)."""
    made: list[ListingField] = []
    for name, value in values.items():
        source = sources.get(name) or {}
        at = source.get("at")
        made.append(
            ListingField(
                name=name,
                value=as_json(value),
                source=source.get("source"),
                stated_at=datetime.fromisoformat(at) if at else None,
                stated_by=source.get("by"),
            )
        )
    return made


@strawberry.type(description="A wanted value that is not sent, and why.")
class WithheldValue:
    """A field of the channel with the reason."""

    field: str
    reason: str
    message: str

    @classmethod
    def from_value(cls, value: Withheld) -> "WithheldValue":
        """The withheld value as the API shows it."""
        return cls(field=value.field, reason=value.reason, message=value.message)


@strawberry.type(description="The variants of a listing, counted by what they are.")
class VariantCounts:
    """What a listing's state is derived from."""

    variants: int
    linked: int
    unlinked: int
    ambiguous: int
    broken: int
    in_sync: int
    out_of_sync: int
    unknown: int
    paused: int


def _link_state(counts: ListingSummary) -> LinkState:
    if counts.broken:
        return LinkState.BROKEN
    if counts.ambiguous:
        return LinkState.AMBIGUOUS
    return LinkState.UNLINKED if counts.unlinked or not counts.variants else LinkState.LINKED


def _sync_status(counts: ListingSummary) -> SyncStatus:
    if counts.out_of_sync:
        return SyncStatus.OUT_OF_SYNC
    return SyncStatus.UNKNOWN if counts.unknown or not counts.variants else SyncStatus.IN_SYNC


@strawberry.type(description="Our wish for one product on one channel.")
class Listing(Node):
    """A listing with its variants."""

    row: strawberry.Private[ListingRow]
    sku: str = strawberry.field(description="Parent SKU; of a simple listing its variant's.")
    title: str
    option_names: list[str]
    revision: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_row(cls, row: ListingRow) -> "Listing":
        """The listing as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.LISTING, row.id)),
            sku=row.sku,
            title=row.title,
            option_names=list(row.option_names),
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

    @resolver(description="Our fields at listing level.")
    def fields(self) -> list[ListingField]:
        """Values with their sources."""
        return fields_of(self.row.fields, self.row.sources)

    @resolver(description="What the channel should hold at listing level.")
    def content(self) -> JSON:
        """Wanted content by field of the channel."""
        return as_json(self.row.content) or JSON({})

    @resolver(description="Wanted values that are not sent.")
    def withheld(self) -> list[WithheldValue]:
        """What is held back, and why."""
        return [WithheldValue.from_value(each) for each in self.row.withheld]

    @resolver(description="Its variants; a product without options has one.")
    async def variants(
        self, info: Info, first: First = 25, after: After = None
    ) -> Connection[Annotated["ListingVariant", strawberry.lazy("api.variants")]]:
        """A page of its variants."""
        request = page_request(first, after)
        page = await info.context.load.variants.load((self.row.id, request))

        async def count() -> int:
            return (await self._summary(info)).variants

        return connection(
            [(row.id, edges.variant_from(row)) for row in page.rows],
            request=request,
            has_next=page.has_next,
            count=count,
        )

    async def _summary(self, info: Info) -> ListingSummary:
        found = await info.context.load.summary.load(self.row.id)
        return found or ListingSummary(0, 0, 0, 0, 0, 0, 0, 0, 0)

    @resolver(description="Its variants, counted.")
    async def counts(self, info: Info) -> VariantCounts:
        """Variants by link, sync status and pause."""
        found = await self._summary(info)
        return VariantCounts(
            variants=found.variants,
            linked=found.linked,
            unlinked=found.unlinked,
            ambiguous=found.ambiguous,
            broken=found.broken,
            in_sync=found.in_sync,
            out_of_sync=found.out_of_sync,
            unknown=found.unknown,
            paused=found.paused,
        )

    @resolver(description="The worst of its variants' links.")
    async def link_state(self, info: Info) -> LinkState:
        """Broken before ambiguous before unlinked before linked."""
        return _link_state(await self._summary(info))

    @resolver(description="The worst of its variants' sync status.")
    async def sync_status(self, info: Info) -> SyncStatus:
        """Out of sync before unknown before in sync."""
        return _sync_status(await self._summary(info))

    @resolver(description="Decisions about the listing as a whole.")
    async def conditions(self, info: Info) -> list[Condition]:
        """Its conditions, one per type."""
        rows = await info.context.load.listing_conditions.load(self.row.id)
        return [Condition.from_row(row) for row in rows]

    @resolver(
        description="The explanations of its first variants. Runs the planner for each, so ask for "
        "it on few listings at once."
    )
    async def explain(
        self, info: Info, first: First = 5
    ) -> list[Annotated["Explanation", strawberry.lazy("api.explain")]]:
        """Why it is as it is, variant by variant."""
        request = page_request(first, None)
        page = await info.context.load.variants.load((self.row.id, request))
        found = [await edges.explanation(info.context, row.id) for row in page.rows]
        return [each for each in found if each is not None]


async def listing_by_id(context: Context, number: int) -> Listing | None:
    """The listing of that number, if there is one."""
    row = await context.load.listing.load(number)
    return None if row is None else Listing.from_row(row)


@strawberry.input(description="Which listings; one whose variant meets a condition meets it.")
class ListingFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    sku: str | None = strawberry.field(
        default=None, description="SKU of the listing or of one of its variants."
    )
    sku_prefix: str | None = None
    title_contains: str | None = None
    link_state: LinkState | None = None
    presence: Presence | None = None
    sync_status: SyncStatus | None = None
    reason: str | None = strawberry.field(default=None, description="Reason code of a condition.")
    is_paused: bool | None = None
    needs_attention: bool | None = None

    def chosen(self) -> ListingFilterRow:
        """The filter as the store takes it."""
        return ListingFilterRow(
            channel_id=None if self.channel is None else number_of(self.channel, Kind.CHANNEL),
            sku=self.sku,
            sku_prefix=self.sku_prefix,
            title_contains=self.title_contains,
            link_state=self.link_state,
            presence=self.presence,
            sync_status=self.sync_status,
            reason=self.reason,
            is_paused=self.is_paused,
            needs_attention=self.needs_attention,
        )


@resolver(description="Listings of all channels, or those a filter chooses.")
async def listings(
    info: Info, first: First = 25, after: After = None, where: ListingFilterInput | None = None
) -> Connection[Listing]:
    """A page of listings."""
    request = page_request(first, after)
    chosen = (where or ListingFilterInput()).chosen()
    page = await info.context.reads(list_listings, chosen, request.after, request.first)

    async def count() -> int:
        return await info.context.reads(count_listings, chosen)

    return connection(
        [(row.id, Listing.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
        count=count,
    )


@resolver(description="One listing: by id, or by channel and SKU (its own or a variant's).")
async def listing(
    info: Info,
    id: strawberry.ID | None = None,  # noqa: A002 - its name in GraphQL
    channel: strawberry.ID | None = None,
    sku: str | None = None,
) -> Listing | None:
    """The listing, or null."""
    if id is not None and channel is None and sku is None:
        return await listing_by_id(info.context, number_of(id, Kind.LISTING))
    if id is not None or channel is None or sku is None:
        raise UserFaultError("Give either `id`, or `channel` and `sku`.", code="BAD_ARGUMENTS")
    row = await info.context.reads(find_listing, number_of(channel, Kind.CHANNEL), sku)
    return None if row is None else Listing.from_row(row)

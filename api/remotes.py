"""What a channel was last seen to hold: the mirror, and candidates for a link."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.context import Info
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Node
from api.paging import After, Connection, First, connection, page_request
from api.scalars import as_json
from reconcile.core.types import SeenPresence
from reconcile.store.links import CandidateRow
from reconcile.store.links import Candidates as CandidatesRow
from reconcile.store.remotes import RemoteFilter, RemoteVariantRow, list_remote_variants

if TYPE_CHECKING:
    from api.variants import ListingVariant


@strawberry.type(description="One option of a variant, such as Color: Red.")
class Option:
    """An option name with its value."""

    name: str
    value: str


def options_of(pairs: tuple[tuple[str, str], ...]) -> list[Option]:
    """Options in their order."""
    return [Option(name=name, value=value) for name, value in pairs]


@strawberry.type(description="One sellable object of a channel as it was last seen.")
class RemoteVariant(Node):
    """Their variant, or their product where it has no variants."""

    row: strawberry.Private[RemoteVariantRow]
    remote_parent: str = strawberry.field(description="Their id of the product.")
    remote_variant: str | None = strawberry.field(description="Their id of the variant.")
    title: str
    sku: str | None
    presence: SeenPresence
    seen: JSON = strawberry.field(description="Prices and quantity, by field of the channel.")
    content: JSON
    identifiers: JSON = strawberry.field(description="What can be compared, by identifier.")
    options: list[Option]
    is_absent: bool = strawberry.field(
        description="Missing from the last complete listing, not yet proved gone."
    )
    gone: str | None = strawberry.field(description="Why it is gone: Deleted or InTrash.")
    observed_at: datetime

    @classmethod
    def from_row(cls, row: RemoteVariantRow) -> "RemoteVariant":
        """The remote variant as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.REMOTE_VARIANT, row.id)),
            remote_parent=row.parent,
            remote_variant=row.variant,
            title=row.title,
            sku=row.sku,
            presence=row.presence,
            seen=as_json(row.seen) or JSON({}),
            content=as_json(row.content) or JSON({}),
            identifiers=as_json(row.identifiers) or JSON({}),
            options=options_of(row.options),
            is_absent=row.is_absent,
            gone=row.gone,
            observed_at=row.observed_at,
        )

    @resolver(description="The variant of ours that is linked to it.")
    async def linked_to(
        self, info: Info
    ) -> Annotated["ListingVariant", strawberry.lazy("api.variants")] | None:
        """Our variant, where there is one."""
        return await edges.variant(info.context, self.row.claimed_by)


@strawberry.type(description="A remote object that was compared with one of our variants.")
class Candidate:
    """A possible link."""

    row: strawberry.Private[CandidateRow]
    id: strawberry.ID = strawberry.field(description="Id of the RemoteVariant.")
    remote_parent: str
    remote_variant: str | None
    title: str
    sku: str | None
    key: str | None = strawberry.field(description="Value of the identifier that was compared.")
    claimed_by_sku: str | None = strawberry.field(
        description="Our SKU that is linked to it; a claimed object is no candidate."
    )
    difference: str = strawberry.field(description="How its key differs from ours; empty: equal.")

    @classmethod
    def from_row(cls, row: CandidateRow) -> "Candidate":
        """The candidate as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.REMOTE_VARIANT, row.remote_variant_id)),
            remote_parent=row.parent,
            remote_variant=row.variant,
            title=row.title,
            sku=row.sku,
            key=row.key,
            claimed_by_sku=row.claimed_by_sku,
            difference=row.difference,
        )


@strawberry.type(description="What a variant was compared with, and what was found.")
class Candidates:
    """Feature T2: why a listing does or does not link."""

    our_identifier: str
    their_identifier: str
    key: str | None = strawberry.field(description="Our value; null: ours has none.")
    free: list[Candidate] = strawberry.field(description="Equal keys that nothing claims.")
    claimed: list[Candidate] = strawberry.field(description="Equal keys, linked to another.")
    nearest: list[Candidate] = strawberry.field(description="Keys that nearly equal ours.")
    rivals: list[str] = strawberry.field(description="Other SKUs of ours with the same key.")
    message: str

    @classmethod
    def from_row(cls, row: CandidatesRow) -> "Candidates":
        """The candidates as the API shows them."""
        return cls(
            our_identifier=row.our_identifier,
            their_identifier=row.their_identifier,
            key=row.key,
            free=[Candidate.from_row(each) for each in row.free],
            claimed=[Candidate.from_row(each) for each in row.claimed],
            nearest=[Candidate.from_row(each) for each in row.nearest],
            rivals=list(row.rivals),
            message=row.message,
        )


@strawberry.input(description="Which remote variants.")
class RemoteVariantFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID
    is_linked: bool | None = None
    sku: str | None = None


@resolver(description="What a channel was last seen to hold.")
async def remote_variants(
    info: Info, where: RemoteVariantFilterInput, first: First = 25, after: After = None
) -> Connection[RemoteVariant]:
    """A page of the mirror."""
    request = page_request(first, after)
    chosen = RemoteFilter(
        channel_id=number_of(where.channel, Kind.CHANNEL),
        is_linked=where.is_linked,
        sku=where.sku,
    )
    page = await info.context.reads(list_remote_variants, chosen, request.after, request.first)
    return connection(
        [(row.id, RemoteVariant.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )

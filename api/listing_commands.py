"""Mutations of listings: create and edit, and in bulk pause, hide, delist and their opposites."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from api.access import MutationPayload, mutation
from api.context import Context, Info
from api.faults import UserError, user_errors
from api.ids import BadIdError, Kind, decode, number_of
from api.listings import Listing, ListingFilterInput, listing_by_id
from api.nodes import Node
from api.variants import ListingVariant
from reconcile.commands import listings as commands
from reconcile.commands.errors import Problem, refuse
from reconcile.commands.listings import (
    ListingDraft,
    TargetResult,
    Targets,
    VariantDraft,
)
from reconcile.core.types import Presence, Value
from reconcile.deps import Deps
from reconcile.store.listings import listings_by_ids, variants_by_ids


@strawberry.input
class OptionInput:
    """An option name with its value."""

    name: str
    value: str


@strawberry.input
class VariantInput:
    """One variant of a listing."""

    sku: str
    id: strawberry.ID | None = strawberry.field(
        default=None, description="Given: this one, whose SKU may change."
    )
    fields: JSON | None = strawberry.field(
        default=None, description="As in `ListingUpsertInput.fields`."
    )
    options: list[OptionInput] | None = None
    presence: Presence | None = None
    is_paused: bool | None = None

    def draft(self) -> VariantDraft:
        """The variant as the command takes it."""
        return VariantDraft(
            sku=self.sku,
            fields=_fields(self.fields),
            options=None
            if self.options is None
            else [(option.name, option.value) for option in self.options],
            presence=self.presence,
            paused=self.is_paused,
            id=None if self.id is None else number_of(self.id, Kind.VARIANT),
        )


@strawberry.input
class ListingUpsertInput:
    """A listing to create, or to change where its SKU or id is known."""

    channel: strawberry.ID
    sku: str
    id: strawberry.ID | None = strawberry.field(
        default=None, description="Given: this one, whose SKU may change."
    )
    fields: JSON | None = strawberry.field(
        default=None,
        description='Our fields by name: `{"title": "Mug", "list_price": {"amount": "9.90", '
        '"currency": "EUR"}}`. A missing name is no statement; null takes the value away.',
    )
    option_names: list[str] | None = None
    variants: list[VariantInput] = strawberry.field(
        default_factory=list, description="None: one variant with the listing's SKU."
    )


def _fields(given: object) -> Mapping[str, Value]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise refuse("INVALID", "`fields` is an object of values by field name.", "fields")
    return given


@strawberry.type
class ListingUpsertPayload(MutationPayload):
    """The listing as it is now."""

    listing: Listing | None = None
    is_new: bool | None = None
    is_changed: bool | None = None


@mutation(
    ListingUpsertPayload,
    ListingUpsertInput,
    description="Create or change one listing; only what is stated changes.",
)
async def listing_upsert(info: Info, given: ListingUpsertInput) -> ListingUpsertPayload:
    """Create or change a listing."""
    context = info.context
    draft = ListingDraft(
        sku=given.sku,
        fields=_fields(given.fields),
        option_names=given.option_names,
        variants=[variant.draft() for variant in given.variants],
        id=None if given.id is None else number_of(given.id, Kind.LISTING),
    )
    made = await commands.upsert(
        context.deps,
        number_of(given.channel, Kind.CHANNEL),
        draft,
        by=context.principal.by,
    )
    return ListingUpsertPayload(
        listing=await listing_by_id(context, made.listing_id),
        is_new=made.is_new,
        is_changed=made.is_changed,
    )


@strawberry.input
class ListingTargetsInput:
    """Listings or variants, at most 1,000 ids; a listing stands for all its variants."""

    ids: list[strawberry.ID]


@strawberry.type(description="What became of one of the ids.")
class ListingTargetResult:
    """A listing or variant, and whether it changed."""

    id: strawberry.ID
    node: Node | None
    changed_variants: int = strawberry.field(description="0: it was so already, or was refused.")
    user_errors: list[UserError]


@strawberry.type
class ListingTargetsPayload(MutationPayload):
    """One result per id, in the order given."""

    results: list[ListingTargetResult] | None = None


Command = Callable[..., Awaitable[Sequence[TargetResult]]]


def _bulk(name: str, command: Command, description: str) -> StrawberryField:
    """A mutation that does the same to many listings or variants."""

    async def resolve(info: Info, given: ListingTargetsInput) -> ListingTargetsPayload:
        context = info.context
        targets, bad = _targets(given.ids)
        found = await command(context.deps, targets, by=context.principal.by)
        context.forget()
        known = {(result.kind, result.id): result for result in found}
        nodes = await _nodes(context, targets)
        results: list[ListingTargetResult] = []
        for index, text in enumerate(given.ids):
            if index in bad:
                results.append(_refused(text, bad[index], index))
                continue
            kind, number = decode(text, Kind.LISTING, Kind.VARIANT)
            result = known["listing" if kind is Kind.LISTING else "variant", number]
            results.append(_result(text, index, result, nodes[kind].get(number)))
        return ListingTargetsPayload(
            results=results,
            user_errors=[error for result in results for error in result.user_errors],
        )

    resolve.__name__ = name
    return mutation(ListingTargetsPayload, ListingTargetsInput, description=description)(resolve)


def _targets(ids: Sequence[str]) -> tuple[Targets, dict[int, Problem]]:
    listings: dict[int, None] = {}
    variants: dict[int, None] = {}
    bad: dict[int, Problem] = {}
    for index, text in enumerate(ids):
        try:
            kind, number = decode(text, Kind.LISTING, Kind.VARIANT)
        except BadIdError as error:
            bad[index] = Problem("BAD_ID", error.message)
            continue
        (listings if kind is Kind.LISTING else variants)[number] = None
    return Targets(listing_ids=tuple(listings), variant_ids=tuple(variants)), bad


def _at(problem: Problem, index: int) -> list[UserError]:
    return user_errors([Problem(problem.code, problem.message, ("ids", str(index)))])


def _refused(text: str, problem: Problem, index: int) -> ListingTargetResult:
    return ListingTargetResult(
        id=strawberry.ID(text), node=None, changed_variants=0, user_errors=_at(problem, index)
    )


async def _nodes(
    context: Context, targets: Targets
) -> Mapping[Kind, Mapping[int, Listing | ListingVariant]]:
    """The objects of the command as they are now, in one statement per kind."""
    listings = await context.reads(listings_by_ids, targets.listing_ids)
    variants = await context.reads(variants_by_ids, targets.variant_ids)
    return {
        Kind.LISTING: {number: Listing.from_row(row) for number, row in listings.items()},
        Kind.VARIANT: {number: ListingVariant.from_row(row) for number, row in variants.items()},
    }


def _result(text: str, index: int, result: TargetResult, node: Node | None) -> ListingTargetResult:
    return ListingTargetResult(
        id=strawberry.ID(text),
        node=node,
        changed_variants=len(result.changed_variant_ids),
        user_errors=[] if result.problem is None else _at(result.problem, index),
    )


@strawberry.input
class ListingMatchingInput:
    """All listings of a channel that a filter chooses."""

    where: ListingFilterInput


@strawberry.type
class ListingMatchingPayload(MutationPayload):
    """How many variants changed."""

    changed_variants: int | None = None


def _matching(
    name: str, command: Callable[..., Awaitable[int]], description: str
) -> StrawberryField:
    async def resolve(info: Info, given: ListingMatchingInput) -> ListingMatchingPayload:
        if given.where.channel is None:
            raise refuse("MISSING", "Say which channel.", "where", "channel")
        deps: Deps = info.context.deps
        changed = await command(deps, given.where.chosen(), by=info.context.principal.by)
        return ListingMatchingPayload(changed_variants=changed)

    resolve.__name__ = name
    return mutation(ListingMatchingPayload, ListingMatchingInput, description=description)(resolve)


MUTATIONS: tuple[StrawberryField, ...] = (
    listing_upsert,
    _bulk("listing_pause", commands.pause, "Pause: nothing leaves, hide and delist included."),
    _bulk("listing_unpause", commands.unpause, "Let paused listings or variants go on."),
    _bulk("listing_hide", commands.hide, "Want them hidden; the next sync hides them."),
    _bulk(
        "listing_unhide", commands.unhide, "Want them back; only what is hidden can be unhidden."
    ),
    _bulk("listing_delist", commands.delist, "Want them gone from the channel."),
    _bulk("listing_relist", commands.relist, "Want them listed again after delisting."),
    _matching("listing_pause_matching", commands.pause_matching, "Pause what a filter chooses."),
    _matching(
        "listing_unpause_matching", commands.unpause_matching, "Unpause what a filter chooses."
    ),
)

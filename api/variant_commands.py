"""Mutations of links: link by hand, unlink, link again by key, publish anew."""

from collections.abc import Awaitable, Callable

import strawberry
from strawberry.types.field import StrawberryField

from api.access import MutationPayload, mutation
from api.context import Context, Info
from api.ids import Kind, number_of
from api.variants import ListingVariant, variant_by_id
from reconcile.commands import links as commands
from reconcile.commands.errors import refuse


@strawberry.type
class VariantPayload(MutationPayload):
    """The variant as it is now."""

    variant: ListingVariant | None = None


@strawberry.input(
    description="Our variant and theirs: by id of the RemoteVariant, or by the platform's ids."
)
class VariantLinkInput:
    """A link made by hand."""

    id: strawberry.ID
    remote: strawberry.ID | None = strawberry.field(
        default=None, description="Id of a RemoteVariant or Candidate."
    )
    remote_parent: str | None = strawberry.field(
        default=None, description="The platform's id of the product."
    )
    remote_variant: str | None = strawberry.field(
        default=None, description="The platform's id of the variant, where it has some."
    )


@mutation(
    VariantPayload,
    VariantLinkInput,
    description="Link a variant by hand; refused where another variant holds the remote one.",
)
async def variant_link(info: Info, given: VariantLinkInput) -> VariantPayload:
    """Link a variant."""
    context = info.context
    number = number_of(given.id, Kind.VARIANT)
    parent, variant = given.remote_parent, given.remote_variant
    if given.remote is not None:
        row = await context.load.remote.load(number_of(given.remote, Kind.REMOTE_VARIANT))
        if row is None:
            raise refuse("NOT_FOUND", "There is no remote variant with this id.", "remote")
        parent, variant = row.parent, row.variant
    if parent is None:
        raise refuse("MISSING", "Say what to link to: `remote`, or `remoteParent`.", "remote")
    await commands.link(context.deps, number, parent, variant, by=context.principal.by)
    return await _payload(context, number)


@strawberry.input
class VariantIdInput:
    """A variant."""

    id: strawberry.ID


async def _payload(context: Context, number: int) -> VariantPayload:
    context.forget()
    return VariantPayload(variant=await variant_by_id(context, number))


def _simple(
    name: str, command: Callable[..., Awaitable[None]], description: str
) -> StrawberryField:
    async def resolve(info: Info, given: VariantIdInput) -> VariantPayload:
        context = info.context
        number = number_of(given.id, Kind.VARIANT)
        await command(context.deps, number, by=context.principal.by)
        return await _payload(context, number)

    resolve.__name__ = name
    return mutation(VariantPayload, VariantIdInput, description=description)(resolve)


MUTATIONS: tuple[StrawberryField, ...] = (
    variant_link,
    _simple(
        "variant_unlink",
        commands.unlink,
        "Unlink; it is not linked again by itself. Of a broken or ambiguous link: free it.",
    ),
    _simple(
        "variant_relink",
        commands.relink,
        "Let the next run link it by its key again.",
    ),
    _simple(
        "variant_republish",
        commands.republish,
        "Publish it anew with the next publish run, after a broken link or a delisting.",
    ),
)

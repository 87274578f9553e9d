"""Create and edit listings; pause, hide, delist and their opposites, in bulk.

What is edited gets a new revision and is planned again; nothing is sent from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.catalog.items import split_levels
from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.commands.listing_inputs import checked_fields, checked_sku
from reconcile.commands.lookups import channel_of
from reconcile.commands.targets import (
    TargetResult,
    Targets,
    delist,
    hide,
    pause,
    pause_matching,
    relist,
    unhide,
    unpause,
    unpause_matching,
)
from reconcile.core.types import Presence, Side, Value
from reconcile.deps import Deps
from reconcile.stated import Origin, StatedListing, StatedVariant
from reconcile.store.channels import Channel
from reconcile.store.stating import StatedProblem, write_listings
from reconcile.store.tables import listing_variants, listings

__all__ = [
    "ListingDraft",
    "TargetResult",
    "Targets",
    "Upserted",
    "VariantDraft",
    "delist",
    "hide",
    "pause",
    "pause_matching",
    "relist",
    "unhide",
    "unpause",
    "unpause_matching",
    "upsert",
]

_log = structlog.get_logger(__name__)

MOST_VARIANTS = 2048


@dataclass(frozen=True, slots=True)
class VariantDraft:
    """What is stated about one variant; a missing name is no statement, None takes a value away."""

    sku: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    options: Sequence[tuple[str, str]] | None = None
    presence: Presence | None = None
    paused: bool | None = None
    id: int | None = None
    """Given: that variant, whose SKU may change by this."""


@dataclass(frozen=True, slots=True)
class ListingDraft:
    """What is stated about one listing; without variants it is a simple one with its own SKU."""

    sku: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    option_names: Sequence[str] | None = None
    variants: Sequence[VariantDraft] = ()
    id: int | None = None
    """Given: that listing, whose SKU may change by this."""


@dataclass(frozen=True, slots=True)
class Upserted:
    """The listing, and whether anything of it is new."""

    listing_id: int
    is_new: bool
    is_changed: bool


async def upsert(
    deps: Deps, channel_id: int, draft: ListingDraft, *, by: str, source: str = "API"
) -> Upserted:
    """Create the listing, or merge what is stated into the one with that id or SKU."""
    try:
        async with deps.engine.begin() as conn:
            channel = await channel_of(conn, deps, channel_id)
            stated = await _stated(conn, channel, draft)
            origin = Origin(source, by, deps.clock())
            result = (await write_listings(conn, channel, [stated], origin))[0]
            if result.problems or result.listing_id is None:
                raise CommandError(*map(_problem, result.problems))
    except IntegrityError:
        message = f"Another listing of this channel has SKU {draft.sku}."
        raise refuse("CONFLICT", message, "sku") from None
    _log.info("listing_stated", listing_id=result.listing_id, is_new=result.is_new, by=by)
    if result.is_changed:
        await deps.doorbell.ring(channel_id, Side.LISTINGS)
    return Upserted(result.listing_id, result.is_new, result.is_changed)


def _problem(problem: StatedProblem) -> Problem:
    code = "NOT_FOUND" if problem.code == "NoSuchVariant" else "CONFLICT"
    name = "id" if problem.code == "NoSuchVariant" else "sku"
    return Problem(code, f"{problem.message}.", ("variants", str(problem.position), name))


async def _stated(conn: AsyncConnection, channel: Channel, draft: ListingDraft) -> StatedListing:
    if draft.id is not None:
        found = select(listings.c.id).where(
            listings.c.id == draft.id, listings.c.channel_id == channel.id
        )
        if (await conn.execute(found)).first() is None:
            raise refuse("NOT_FOUND", "There is no such listing on this channel.", "id")
    if len(draft.variants) > MOST_VARIANTS:
        raise refuse("TOO_MANY", f"A listing has at most {MOST_VARIANTS} variants.", "variants")
    currency = channel.account.currency
    problems = checked_sku(draft.sku, ())
    if not draft.variants and (only := await _only_variant(conn, channel.id, draft)) is not None:
        fields, wrong = checked_fields(draft.fields, currency, ("fields",), of_variant=True)
        own, of_variant = split_levels(fields)
        variants = [replace(only, fields=of_variant)]
    else:
        own, wrong = checked_fields(draft.fields, currency, ("fields",), of_variant=False)
        variants = []
        for index, variant in enumerate(draft.variants):
            path = ("variants", str(index))
            problems += checked_sku(variant.sku, path)
            values, bad = checked_fields(
                variant.fields, currency, (*path, "fields"), of_variant=True
            )
            problems += bad
            variants.append(_variant(variant, values))
    if problems or wrong:
        raise CommandError(*problems, *wrong)
    names = draft.option_names
    if names is None and any(variant.options for variant in draft.variants):
        names = list(
            dict.fromkeys(name for variant in draft.variants for name, _ in variant.options or ())
        )
    return StatedListing(
        sku=draft.sku, fields=own, option_names=names, variants=variants, id=draft.id
    )


def _variant(draft: VariantDraft, fields: Mapping[str, Value]) -> StatedVariant:
    return StatedVariant(
        sku=draft.sku,
        fields=fields,
        options=draft.options,
        presence=draft.presence,
        paused=draft.paused,
        id=draft.id,
    )


async def _only_variant(
    conn: AsyncConnection, channel_id: int, draft: ListingDraft
) -> StatedVariant | None:
    """The one variant of a simple listing, or of a new one; None where there are several."""
    of_listing = select(listings.c.id).where(
        listings.c.channel_id == channel_id,
        listings.c.sku == draft.sku if draft.id is None else listings.c.id == draft.id,
    )
    statement = (
        select(listing_variants.c.id, listing_variants.c.sku, listings.c.sku.label("parent"))
        .join(listings, listings.c.id == listing_variants.c.listing_id)
        .where(listing_variants.c.listing_id.in_(of_listing))
    )
    rows: Sequence[Any] = (await conn.execute(statement.limit(2))).all()
    if not rows:
        return StatedVariant(draft.sku)
    if len(rows) > 1:
        return None
    # The one variant of a simple listing bears the listing's SKU, also when that changes.
    is_simple = rows[0].sku == rows[0].parent
    return StatedVariant(draft.sku if is_simple else rows[0].sku, id=rows[0].id)

"""Commands on many variants at once: pause, hide, delist and back, each id with its own answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
import structlog
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import Problem, refuse
from reconcile.commands.lookups import channel_of
from reconcile.commands.variants import LockedVariant, lock_variants
from reconcile.core.states import Command, check_command
from reconcile.core.types import Side
from reconcile.deps import Deps
from reconcile.stated import Origin
from reconcile.store.actions import mark_dirty
from reconcile.store.listings import ListingFilter, listing_conditions, variant_conditions
from reconcile.store.tables import listing_variants, listings, remote_variants

_log = structlog.get_logger(__name__)

MOST = 1000
"""Ids in one command."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Listings, each standing for all its variants, and single variants."""

    listing_ids: Sequence[int] = ()
    variant_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What became of one id."""

    kind: str
    """listing or variant."""
    id: int
    changed_variant_ids: tuple[int, ...] = ()
    problem: Problem | None = None


_CHANGES: Mapping[Command, str] = {
    Command.PAUSE: "paused = true",
    Command.UNPAUSE: "paused = false",
    Command.HIDE: "presence = 'HIDDEN', asserted = true",
    Command.UNHIDE: "presence = 'LISTED', asserted = true",
    Command.DELIST: "presence = 'DELISTED', asserted = true",
    Command.RELIST: "presence = 'LISTED', asserted = true",
}


async def pause(deps: Deps, targets: Targets, *, by: str) -> tuple[TargetResult, ...]:
    """Nothing leaves for these variants until they are unpaused, hiding and delisting included."""
    return await _command(deps, Command.PAUSE, targets, by)


async def unpause(deps: Deps, targets: Targets, *, by: str) -> tuple[TargetResult, ...]:
    """Go on with paused variants."""
    return await _command(deps, Command.UNPAUSE, targets, by)


async def hide(deps: Deps, targets: Targets, *, by: str) -> tuple[TargetResult, ...]:
    """Want these variants hidden; the next sync hides them."""
    return await _command(deps, Command.HIDE, targets, by)


async def unhide(deps: Deps, targets: Targets, *, by: str) -> tuple[TargetResult, ...]:
    """Want hidden variants back; only what is hidden can be unhidden."""
    return await _command(deps, Command.UNHIDE, targets, by)


async def delist(deps: Deps, targets: Targets, *, by: str) -> tuple[TargetResult, ...]:
    """Want these variants gone from the channel; the next sync removes them."""
    return await _command(deps, Command.DELIST, targets, by)


async def relist(deps: Deps, targets: Targets, *, by: str) -> tuple[TargetResult, ...]:
    """Want delisted variants for sale again; publishing makes new ones where they are gone."""
    return await _command(deps, Command.RELIST, targets, by)


async def _command(
    deps: Deps, command: Command, targets: Targets, by: str
) -> tuple[TargetResult, ...]:
    if len(targets.listing_ids) + len(targets.variant_ids) > MOST:
        raise refuse("TOO_MANY", f"At most {MOST} ids at once.", "listing_ids")
    async with deps.engine.begin() as conn:
        found = await lock_variants(conn, targets.listing_ids, targets.variant_ids)
        by_listing: dict[int, list[LockedVariant]] = {}
        for variant in found:
            by_listing.setdefault(variant.listing_id, []).append(variant)
        by_id = {variant.id: [variant] for variant in found}
        results = [
            _decide("listing", listing_id, command, by_listing.get(listing_id, ()))
            for listing_id in targets.listing_ids
        ] + [
            _decide("variant", variant_id, command, by_id.get(variant_id, ()))
            for variant_id in targets.variant_ids
        ]
        changed = {variant_id for result in results for variant_id in result.changed_variant_ids}
        channel_ids = await _apply(
            conn, deps, command, [variant for variant in found if variant.id in changed], by
        )
    _log.info("variants_commanded", command=command.value, variants=len(changed), by=by)
    for channel_id in channel_ids:
        await deps.doorbell.ring(channel_id, Side.LISTINGS)
    return tuple(results)


def _decide(
    kind: str, target_id: int, command: Command, variants: Sequence[LockedVariant]
) -> TargetResult:
    """A listing takes the command for those of its variants that can, unless none can."""
    path = (f"{kind}_ids",)
    if not variants:
        problem = Problem("NOT_FOUND", f"There is no such {kind}.", path)
        return TargetResult(kind, target_id, problem=problem)
    refusals = [(variant.id, check_command(command, variant.core)) for variant in variants]
    able = tuple(variant_id for variant_id, refusal in refusals if refusal is None)
    reasons = [refusal for _, refusal in refusals if refusal is not None]
    if not able:
        problem = Problem("WRONG_STATE", f"{reasons[0].message}.", path)
        return TargetResult(kind, target_id, problem=problem)
    return TargetResult(kind, target_id, able)


async def _apply(
    conn: AsyncConnection,
    deps: Deps,
    command: Command,
    variants: Sequence[LockedVariant],
    by: str,
) -> Sequence[int]:
    """Change the variants and make their listings due; the channels concerned."""
    if not variants:
        return ()
    is_presence = command not in (Command.PAUSE, Command.UNPAUSE)
    mark = Origin("API", by, deps.clock()).mark()
    await conn.execute(
        text(f"""
UPDATE listing_variants SET {_CHANGES[command]}, stale = stale OR :is_presence,
    sources = CASE WHEN :is_presence THEN sources || CAST(:sources AS jsonb) ELSE sources END,
    revision = revision + 1, updated_at = :now
WHERE id = ANY(:ids)
"""),  # noqa: S608 - one of the constants above
        {
            "ids": [variant.id for variant in variants],
            "is_presence": is_presence,
            "sources": orjson.dumps({"presence": mark}).decode(),
            "now": deps.clock(),
        },
    )
    by_channel: dict[int, list[int]] = {}
    for variant in variants:
        by_channel.setdefault(variant.channel_id, []).append(variant.listing_id)
    for channel_id, listing_ids in by_channel.items():
        await mark_dirty(conn, channel_id, listing_ids, command.value)
    return sorted(by_channel)


async def pause_matching(deps: Deps, where: ListingFilter, *, by: str) -> int:
    """Pause all variants that the filter lets through; how many that were."""
    return await _matching(deps, Command.PAUSE, where, by)


async def unpause_matching(deps: Deps, where: ListingFilter, *, by: str) -> int:
    """Unpause all variants that the filter lets through; how many that were."""
    return await _matching(deps, Command.UNPAUSE, where, by)


async def _matching(deps: Deps, command: Command, where: ListingFilter, by: str) -> int:
    """Set-based, so that a whole channel is one statement; what is as wanted stays untouched."""
    if where.channel_id is None:
        raise refuse("INVALID", "Say of which channel.", "channel_id")
    paused = command is Command.PAUSE
    async with deps.engine.begin() as conn:
        await channel_of(conn, deps, where.channel_id)
        of_listings = select(listings.c.id).where(*listing_conditions(where))
        # The mirror is joined in, because the sync status is a comparison with it.
        chosen = (
            select(listing_variants.c.id)
            .select_from(
                listing_variants.outerjoin(
                    remote_variants, remote_variants.c.id == listing_variants.c.remote_variant_id
                )
            )
            .where(
                listing_variants.c.listing_id.in_(of_listings),
                listing_variants.c.paused.is_(not paused),
                *variant_conditions(where),
            )
            .order_by(listing_variants.c.id)
            .with_for_update(of=listing_variants)
        )
        statement = (
            update(listing_variants)
            .where(listing_variants.c.id.in_(chosen))
            .values(
                paused=paused,
                revision=listing_variants.c.revision + 1,
                updated_at=deps.clock(),
            )
            .returning(listing_variants.c.listing_id)
        )
        touched = (await conn.execute(statement)).scalars().all()
        if touched:
            await mark_dirty(conn, where.channel_id, touched, command.value)
    _log.info("variants_commanded", command=command.value, variants=len(touched), by=by)
    await deps.doorbell.ring(where.channel_id, Side.LISTINGS)
    return len(touched)

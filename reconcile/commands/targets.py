"""Commands on many variants at once: pause, hide, delist and back, each id with its own answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import structlog
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import Problem, refuse
from reconcile.core.states import Command, check_command
from reconcile.core.types import LinkState, Presence, Side
from reconcile.deps import Deps
from reconcile.store.actions import mark_dirty
from reconcile.store.listings import ListingFilter, listing_conditions, variant_conditions
from reconcile.store.listing_rows import select_variants
from reconcile.store.tables import listing_variants, listings
from reconcile.store.variants import core_variant

_log = structlog.get_logger(__name__)

MOST = 1000
"""Ids in one command."""
_PORTION = 5000


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
        rows = await _locked(conn, targets)
        results = [
            _decide(
                "listing", listing_id, command, [r for r in rows if r["listing_id"] == listing_id]
            )
            for listing_id in targets.listing_ids
        ] + [
            _decide("variant", variant_id, command, [r for r in rows if r["id"] == variant_id])
            for variant_id in targets.variant_ids
        ]
        changed = {variant_id for result in results for variant_id in result.changed_variant_ids}
        channel_ids = await _apply(conn, command, [r for r in rows if r["id"] in changed], deps, by)
    _log.info("variants_commanded", command=command.value, variants=len(changed), by=by)
    for channel_id in channel_ids:
        await deps.doorbell.ring(channel_id, Side.LISTINGS)
    return tuple(results)


async def _locked(conn: AsyncConnection, targets: Targets) -> Sequence[RowMapping]:
    """The variants that the ids stand for, on channels that were not removed, with the mirror."""
    result = await conn.execute(
        text("""
SELECT v.*, c.removed_at, r.presence AS remote_presence, r.unsellable AS remote_unsellable,
       r.parent, r.variant AS remote_variant, r.sku AS remote_sku, r.gone, r.absent
FROM listing_variants v
JOIN channels c ON c.id = v.channel_id AND c.removed_at IS NULL
LEFT JOIN remote_variants r ON r.id = v.remote_variant_id
WHERE v.listing_id = ANY(:listing_ids) OR v.id = ANY(:variant_ids)
ORDER BY v.id FOR UPDATE OF v
"""),
        {"listing_ids": list(targets.listing_ids), "variant_ids": list(targets.variant_ids)},
    )
    return result.mappings().all()


def _decide(
    kind: str, target_id: int, command: Command, rows: Sequence[RowMapping]
) -> TargetResult:
    """A listing takes the command for those of its variants that can, unless none can."""
    if not rows:
        problem = Problem("NOT_FOUND", f"There is no such {kind}.", (f"{kind}_ids",))
        return TargetResult(kind, target_id, problem=problem)
    refusals = {row["id"]: check_command(command, core_variant(row)) for row in rows}
    able = tuple(variant_id for variant_id, refusal in refusals.items() if refusal is None)
    if not able:
        first = next(refusal for refusal in refusals.values() if refusal is not None)
        problem = Problem("WRONG_STATE", f"{first.message}.", (f"{kind}_ids",))
        return TargetResult(kind, target_id, problem=problem)
    return TargetResult(kind, target_id, able)

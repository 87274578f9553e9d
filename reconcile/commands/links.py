"""Link, unlink, relink and republish single variants by hand; what a person links stays linked."""

import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import CommandError, refuse
from reconcile.commands.variants import LockedVariant, lock_variant
from reconcile.core.states import Command, check_command
from reconcile.core.types import LinkState, Side
from reconcile.deps import Deps
from reconcile.store.actions import mark_dirty
from reconcile.store.tables import listing_variants, remote_variants

_log = structlog.get_logger(__name__)


def _check(command: Command, variant: LockedVariant) -> None:
    reason = check_command(command, variant.core)
    if reason is not None:
        raise refuse("WRONG_STATE", f"{reason.message}.", "variant_id")


async def _changed(conn: AsyncConnection, variant: LockedVariant, reason: str) -> None:
    """What was decided about the variant no longer holds; plan its listing again."""
    await conn.execute(
        text("""
DELETE FROM conditions WHERE (object_kind = 'variant' AND object_id = :variant_id)
    OR (object_kind = 'listing' AND object_id = :listing_id)
"""),
        {"variant_id": variant.id, "listing_id": variant.listing_id},
    )
    await mark_dirty(conn, variant.channel_id, [variant.listing_id], reason)


def _taken(sku: str) -> CommandError:
    message = f"The object is linked to {sku} already; unlink that one first."
    return refuse("CONFLICT", message, "remote_parent")


async def link(
    deps: Deps, variant_id: int, remote_parent: str, remote_variant: str | None, *, by: str
) -> None:
    """Link the variant to an object of the channel by its ids, whatever their identifiers say."""
    try:
        async with deps.engine.begin() as conn:
            variant = await lock_variant(conn, variant_id)
            _check(Command.LINK, variant)
            statement = select(remote_variants).where(
                remote_variants.c.channel_id == variant.channel_id,
                remote_variants.c.parent == remote_parent,
                remote_variants.c.variant == (remote_variant or ""),
            )
            remote = (await conn.execute(statement)).mappings().one_or_none()
            if remote is None or remote["gone"] is not None:
                message = (
                    "The channel was not seen to hold this object; give its product id, and its "
                    "variant id where it has variants, or run LINK_LISTINGS fully first."
                )
                raise refuse("NOT_FOUND", message, "remote_parent")
            owner = await conn.execute(
                select(listing_variants.c.sku).where(
                    listing_variants.c.remote_variant_id == remote["id"],
                    listing_variants.c.link_state == LinkState.LINKED,
                )
            )
            if (sku := owner.scalar_one_or_none()) is not None:
                raise _taken(sku)
            await conn.execute(
                text("""
UPDATE listing_variants SET link_state = 'LINKED', remote_variant_id = :remote_id,
    link_hold = false, link_origin = 'PERSON', link_reason = NULL, link_message = :message,
    linked_at = :now, kept = NULL, accepted = '{}', stale = true, revision = revision + 1
WHERE id = :id
"""),
                {
                    "id": variant.id,
                    "remote_id": remote["id"],
                    "message": f"Linked by {by}",
                    "now": deps.clock(),
                },
            )
            await _changed(conn, variant, "Linked")
    except IntegrityError:
        raise _taken("another variant") from None
    _log.info("variant_linked", variant_id=variant_id, by=by)
    await deps.doorbell.ring(variant.channel_id, Side.LISTINGS)


_UNLINK = """
UPDATE listing_variants SET link_state = 'UNLINKED', link_hold = :hold, remote_variant_id = NULL,
    link_origin = NULL, link_reason = :reason, link_message = :message, linked_at = NULL,
    was = CASE WHEN link_state IN ('LINKED', 'BROKEN') THEN 'NOT_LISTED' ELSE was END,
    kept = NULL, accepted = '{}', stale = true, revision = revision + 1
WHERE id = :id
"""


async def _free(
    conn: AsyncConnection, variant: LockedVariant, reason: str, message: str, *, hold: bool
) -> None:
    await conn.execute(
        text(_UNLINK),
        {
            "id": variant.id,
            "hold": hold,
            "reason": reason,
            "message": message,
        },
    )
    await _changed(conn, variant, reason)


async def _cancel_waiting(conn: AsyncConnection, variant: LockedVariant) -> None:
    """What was not sent yet would go to an object that is not ours any more."""
    await conn.execute(
        text("""
UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = 'Unlinked',
    outcome_message = 'The variant was unlinked before this was sent'
WHERE channel_id = :channel_id AND object_id = :object_id
  AND state IN ('PLANNED', 'REFUSED', 'DUE', 'RETRYING')
"""),
        {"channel_id": variant.channel_id, "object_id": f"variant:{variant.id}"},
    )


async def unlink(deps: Deps, variant_id: int, *, by: str) -> None:
    """Take the link away; a linked variant stays unlinked until a person acts, a broken is free."""
    async with deps.engine.begin() as conn:
        variant = await lock_variant(conn, variant_id)
        if variant.core.link is not LinkState.AMBIGUOUS:
            _check(Command.UNLINK, variant)
        is_linked = variant.core.link is LinkState.LINKED
        await _cancel_waiting(conn, variant)
        reason = "UnlinkedByPerson" if is_linked else "Freed"
        await _free(conn, variant, reason, f"Unlinked by {by}", hold=is_linked)
    _log.info("variant_unlinked", variant_id=variant_id, by=by)
    await deps.doorbell.ring(variant.channel_id, Side.LISTINGS)


async def relink(deps: Deps, variant_id: int, *, by: str) -> None:
    """Let the variant link by its identifier again; the next run does it."""
    async with deps.engine.begin() as conn:
        variant = await lock_variant(conn, variant_id)
        if variant.core.link is LinkState.LINKED:
            message = f"{variant.core.sku} is linked; unlink it first."
            raise refuse("WRONG_STATE", message, "variant_id")
        await _free(conn, variant, "Relink", f"To be linked again, by {by}", hold=False)
    _log.info("variant_relinked", variant_id=variant_id, by=by)
    await deps.doorbell.ring(variant.channel_id, Side.LISTINGS)


async def republish(deps: Deps, variant_id: int, *, by: str) -> None:
    """Let go of what was deleted or unlinked, so that publishing makes it anew."""
    async with deps.engine.begin() as conn:
        variant = await lock_variant(conn, variant_id)
        _check(Command.REPUBLISH, variant)
        await _free(conn, variant, "Republish", f"To be published again, by {by}", hold=False)
    _log.info("variant_republished", variant_id=variant_id, by=by)
    await deps.doorbell.ring(variant.channel_id, Side.LISTINGS)

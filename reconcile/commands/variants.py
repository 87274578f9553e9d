"""Locks the variants a command is about and gives what the core's state tables ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import refuse
from reconcile.core.types import (
    LinkState,
    Presence,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Variant,
)


@dataclass(frozen=True, slots=True)
class LockedVariant:
    """One variant, locked until the transaction ends."""

    id: int
    listing_id: int
    channel_id: int
    remote_variant_id: int | None
    link_key: str | None
    core: Variant
    """Without values: only what commands are checked against."""


async def lock_variants(
    conn: AsyncConnection, listing_ids: Sequence[int], variant_ids: Sequence[int]
) -> Sequence[LockedVariant]:
    """All variants of these listings and these variants, of channels that were not removed."""
    result = await conn.execute(
        text("""
SELECT v.id, v.listing_id, v.channel_id, v.sku, v.presence, v.paused, v.link_state, v.link_hold,
       v.link_key, v.kept, v.remote_variant_id, r.presence AS seen_presence, r.parent, r.variant,
       r.sku AS remote_sku, r.unsellable, r.gone
FROM listing_variants v
JOIN channels c ON c.id = v.channel_id AND c.removed_at IS NULL
LEFT JOIN remote_variants r ON r.id = v.remote_variant_id
WHERE v.listing_id = ANY(:listing_ids) OR v.id = ANY(:variant_ids)
ORDER BY v.id FOR UPDATE OF v
"""),
        {"listing_ids": list(listing_ids), "variant_ids": list(variant_ids)},
    )
    rows = result.mappings().all()
    busy: dict[str, dict[str, str]] = {}
    for row in await conn.execute(
        text("""
SELECT object_id, write_group, state FROM actions
WHERE object_id = ANY(:ids) AND state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')
"""),
        {"ids": [f"variant:{row['id']}" for row in rows]},
    ):
        busy.setdefault(row.object_id, {})[row.write_group] = row.state
    return [
        LockedVariant(
            id=row["id"],
            listing_id=row["listing_id"],
            channel_id=row["channel_id"],
            remote_variant_id=row["remote_variant_id"],
            link_key=row["link_key"],
            core=Variant(
                id=str(row["id"]),
                sku=row["sku"],
                presence=Presence(row["presence"]),
                paused=row["paused"],
                link=LinkState(row["link_state"]),
                link_hold=row["link_hold"],
                remote=_remote(row),
                kept=row["kept"],
                busy=busy.get(f"variant:{row['id']}", {}),
            ),
        )
        for row in rows
    ]


def _remote(row: RowMapping) -> RemoteVariant | None:
    if row["parent"] is None:
        return None
    return RemoteVariant(
        ref=RemoteRef(row["parent"], row["variant"] or None),
        sku=row["remote_sku"],
        presence=SeenPresence(row["seen_presence"]),
        seen={},
        unsellable=row["unsellable"],
        gone=row["gone"],
    )


async def lock_variant(conn: AsyncConnection, variant_id: int) -> LockedVariant:
    """One variant, or NOT_FOUND."""
    found = await lock_variants(conn, (), (variant_id,))
    if not found:
        raise refuse("NOT_FOUND", "There is no such variant.", "variant_id")
    return found[0]

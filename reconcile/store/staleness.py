"""Marks what has to be worked out and planned again after a change of what we want.

`stale` on a variant: `wanted` no longer follows from our values. `dirty` rows: the next partial
runs look at the listing. Both are consumed by the runtime.

Writers lock items before listings before variants, each in the order of ids, so that none waits for
another in a circle.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store import dirt

_DIRTY = """
INSERT INTO dirty (channel_id, operation, listing_id, reason)
SELECT o.channel_id, o.operation, l.id, :reason
FROM ({listings}) AS l
JOIN operations o ON o.channel_id = l.channel_id
 AND o.operation IN ('SYNC_LISTINGS', 'PUBLISH_LISTINGS', 'LINK_LISTINGS')
"""


async def mark_channel_stale(conn: AsyncConnection, channel_id: int, reason: str) -> None:
    """Everything wanted on a channel has to be worked out again."""
    await dirt.hold(conn, [channel_id])
    await conn.execute(
        text("UPDATE listing_variants SET stale = true WHERE channel_id = :id AND NOT stale"),
        {"id": channel_id},
    )
    source = "SELECT id, channel_id FROM listings WHERE channel_id = :id"
    await conn.execute(text(_DIRTY.format(listings=source)), {"id": channel_id, "reason": reason})


async def mark_undecided_dirty(conn: AsyncConnection, channel_id: int, reason: str) -> None:
    """What did not simply agree last time may be decided otherwise now (policy, settings, keys)."""
    await dirt.hold(conn, [channel_id])
    source = (
        "SELECT DISTINCT listing_id AS id, channel_id FROM listing_variants "
        "WHERE channel_id = :id AND (flagged OR link_state <> 'LINKED')"
    )
    await conn.execute(text(_DIRTY.format(listings=source)), {"id": channel_id, "reason": reason})


async def mark_skus_stale(conn: AsyncConnection, skus: Sequence[str], reason: str) -> Sequence[int]:
    """The stated quantity of these SKUs changed, on every channel; the channels concerned."""
    result = await conn.execute(
        text("""
WITH locked AS (
    SELECT v.id FROM listing_variants v JOIN channels c ON c.id = v.channel_id
    WHERE c.removed_at IS NULL AND v.sku = ANY(:skus) ORDER BY v.id FOR UPDATE OF v)
UPDATE listing_variants v SET stale = true, revision = v.revision + 1
FROM locked WHERE v.id = locked.id
RETURNING v.channel_id, v.listing_id
"""),
        {"skus": list(skus)},
    )
    touched = result.all()
    await dirt.hold(conn, [row.channel_id for row in touched])
    source = (
        "SELECT l.id, l.channel_id FROM listings l WHERE l.id = ANY(CAST(:listing_ids AS bigint[]))"
    )
    await conn.execute(
        text(_DIRTY.format(listings=source)),
        {"listing_ids": sorted({row.listing_id for row in touched}), "reason": reason},
    )
    return sorted({row.channel_id for row in touched})

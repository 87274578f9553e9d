"""Dirt: which listings the next partial runs have to look at, written by edits, consumed by runs.

A run takes note of where the dirt ends before it looks at anything, and removes only what lay there
then: what is edited while it works stays for the next one. Ids are given out before transactions
commit, so writers hold a shared lock of the channel and taking note waits for them; otherwise a row
with a lower id could appear behind the end and be removed unseen.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK_SPACE = 2
"""First key of the advisory locks; the second is the channel."""


async def hold(conn: AsyncConnection, channel_ids: Sequence[int]) -> None:
    """Until this transaction ends, no run takes note of where the dirt of these channels ends."""
    await conn.execute(
        text("""
SELECT pg_advisory_xact_lock_shared(:space, CAST(c.id AS integer))
FROM unnest(CAST(:ids AS bigint[])) AS c(id)
"""),
        {"space": _LOCK_SPACE, "ids": sorted(set(channel_ids))},
    )


async def end(conn: AsyncConnection, channel_id: int, operation: str) -> int:
    """The last dirt there is, all of it committed; in a transaction that has written no dirt."""
    await conn.execute(
        text("SELECT pg_advisory_xact_lock(:space, CAST(:id AS integer))"),
        {"space": _LOCK_SPACE, "id": channel_id},
    )
    result = await conn.execute(
        text("""
SELECT coalesce(max(id), 0) FROM dirty WHERE channel_id = :channel_id AND operation = :operation
"""),
        {"channel_id": channel_id, "operation": operation},
    )
    return int(result.scalar_one())


async def consume(
    conn: AsyncConnection, channel_id: int, operation: str, up_to: int, run_id: int | None
) -> None:
    """Remove dirt up to there; with a run, only that of the listings it has decided."""
    await conn.execute(
        text("""
DELETE FROM dirty d
WHERE d.channel_id = :channel_id AND d.operation = :operation AND d.id <= :end
  AND (CAST(:run_id AS bigint) IS NULL OR EXISTS (
    SELECT 1 FROM run_candidates c WHERE c.run_id = :run_id AND c.listing_id = d.listing_id))
"""),
        {"channel_id": channel_id, "operation": operation, "end": up_to, "run_id": run_id},
    )

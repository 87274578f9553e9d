"""A listing's own quantity stated again at the same number: what left before no longer counts.

Only when it was stated moves; nothing else of the listing changes, and nothing is planned again
unless orders count otherwise since then.
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.stated import Origin


async def count_anew(
    conn: AsyncConnection, variant_ids: Sequence[int], origin: Origin
) -> list[int]:
    """Note the new moment; the listings for which orders take off another sum by it."""
    if not variant_ids:
        return []
    result = await conn.execute(
        text("""
WITH was AS (
    SELECT v.id, EXISTS (
        SELECT 1 FROM deductions d WHERE d.sku = v.sku AND d.channel_id = v.channel_id
          AND d.left_at > coalesce(CAST(v.sources #>> '{quantity,at}' AS timestamptz), v.created_at)
          AND d.left_at <= :at) AS is_due
    FROM listing_variants v WHERE v.id = ANY(:ids) ORDER BY v.id FOR UPDATE OF v)
UPDATE listing_variants v SET
    sources = jsonb_set(v.sources, '{quantity}', CAST(:mark AS jsonb)),
    stale = v.stale OR was.is_due,
    revision = v.revision + CASE WHEN was.is_due THEN 1 ELSE 0 END
FROM was WHERE was.id = v.id
RETURNING v.listing_id, was.is_due
"""),
        {
            "ids": sorted(variant_ids),
            "at": origin.at,
            "mark": orjson.dumps(origin.mark()).decode(),
        },
    )
    return sorted({row.listing_id for row in result if row.is_due})

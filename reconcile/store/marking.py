"""Marking in SQL: which listings a run has to decide, as rows, so that it can go on anywhere.

`mark_candidates` is one set operation over stored canonical values: what it does not mark holds
nothing to decide. A property test compares it with the planner's specification.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import Operation

# The comparison every operation shares: link, presence and values of group SYNC. Listings whose
# variants pass none of these tests hold nothing to decide.
DIFFERS = """
   v.flagged OR v.link_state <> 'LINKED' OR r.id IS NULL OR r.absent OR r.gone IS NOT NULL
OR NOT r.seen @> v.wanted
OR v.presence = 'DELISTED' OR r.presence = 'DELISTED'
OR (v.presence = 'LISTED' AND (v.kept IS NOT NULL OR r.presence = 'HIDDEN'))
OR (v.presence = 'HIDDEN' AND r.presence <> 'HIDDEN' AND NOT (v.kept IS NOT NULL AND r.unsellable))
OR (v.withheld <> '[]' AND v.withheld @? '$[*] ? (@.reason != "NoValue" && @.reason != "Hidden")')
"""

# Content holds lists, where containment is not equality (a removed image would go unnoticed).
CONTENT_DIFFERS = """
   EXISTS (SELECT 1 FROM jsonb_each(l.content) w WHERE p.content -> w.key IS DISTINCT FROM w.value)
OR EXISTS (SELECT 1 FROM jsonb_each(v.content) w WHERE r.content -> w.key IS DISTINCT FROM w.value)
OR l.withheld @? '$[*] ? (@.reason != "NoValue" && @.reason != "Hidden")'
"""

# Listings of which two variants are linked to objects of different products.
ELSEWHERE = """
   EXISTS (SELECT 1 FROM listing_variants s
           JOIN remote_variants o ON o.id = s.remote_variant_id
           WHERE s.listing_id = v.listing_id AND s.link_state = 'LINKED' AND o.parent <> r.parent)
"""

# What an import that overwrites compares, and rows of the product that nothing of ours is linked
# to. Our SKU is who a variant is for us; its options and its quantity are kept beside its fields.
IMPORT_DIFFERS = """
   EXISTS (SELECT 1 FROM jsonb_each(p.import_fields) w
           WHERE w.key NOT IN ('sku', 'options') AND w.value <> 'null'
             AND l.fields -> w.key IS DISTINCT FROM w.value)
OR (p.import_fields ? 'options' AND p.import_fields -> 'options' <> l.option_names)
OR EXISTS (SELECT 1 FROM jsonb_each(r.import_fields) w
           WHERE w.key NOT IN ('sku', 'options', 'quantity') AND w.value <> 'null'
             AND v.fields -> w.key IS DISTINCT FROM w.value)
OR (r.import_fields ? 'options' AND r.import_fields -> 'options' <> v.options)
OR (r.import_fields ? 'quantity' AND r.import_fields -> 'quantity' IS DISTINCT FROM coalesce(
        v.fields -> 'quantity', (SELECT to_jsonb(i.stated) FROM items i WHERE i.sku = v.sku)))
OR EXISTS (SELECT 1 FROM remote_variants n
           WHERE n.remote_listing_id = r.remote_listing_id AND n.gone IS NULL
             AND NOT EXISTS (SELECT 1 FROM listing_variants c
                             WHERE c.remote_variant_id = n.id AND c.link_state = 'LINKED'
                               AND c.listing_id = v.listing_id))
"""

PAIRS = """
SELECT DISTINCT v.listing_id
FROM listing_variants v
LEFT JOIN remote_variants r ON r.id = v.remote_variant_id
WHERE v.channel_id = :channel_id AND ({differs})
"""

CONTENT_PAIRS = """
SELECT DISTINCT v.listing_id
FROM listing_variants v
JOIN listings l ON l.id = v.listing_id
LEFT JOIN remote_variants r ON r.id = v.remote_variant_id
LEFT JOIN remote_listings p ON p.id = r.remote_listing_id
WHERE v.channel_id = :channel_id AND ({differs} OR {content})
"""


def pairing_sql(operation: Operation) -> str:
    """The query that finds the listings in which an operation may have something to decide."""
    match operation:
        case Operation.PUBLISH_LISTINGS:
            content = f"{CONTENT_DIFFERS} OR {ELSEWHERE}"
            return CONTENT_PAIRS.format(differs=DIFFERS, content=content)
        case Operation.IMPORT_LISTINGS:
            return CONTENT_PAIRS.format(differs=DIFFERS, content=IMPORT_DIFFERS)
        case _:
            return PAIRS.format(differs=DIFFERS)


async def mark_candidates(
    conn: AsyncConnection, run_id: int, channel_id: int, operation: Operation
) -> int:
    """Store the listings with a difference as what this full run has to decide."""
    insert = "INSERT INTO run_candidates (run_id, listing_id) SELECT :run_id, c.listing_id "
    source = pairing_sql(operation)
    result = await conn.execute(
        text(insert + "FROM (" + source + ") c ON CONFLICT DO NOTHING"),
        {"run_id": run_id, "channel_id": channel_id},
    )
    return result.rowcount


async def mark_scope(
    conn: AsyncConnection, run_id: int, channel_id: int, scope: Sequence[int]
) -> int:
    """Store exactly these listings, as far as they exist, as what the run has to decide."""
    result = await conn.execute(
        text("""
INSERT INTO run_candidates (run_id, listing_id)
SELECT :run_id, id FROM listings WHERE channel_id = :channel_id AND id = ANY(:scope)
ON CONFLICT DO NOTHING
"""),
        {"run_id": run_id, "channel_id": channel_id, "scope": list(scope)},
    )
    return result.rowcount


async def mark_dirty_scope(
    conn: AsyncConnection, run_id: int, channel_id: int, operation: str
) -> int:
    """Store the dirty listings of an operation as what a partial run has to decide."""
    result = await conn.execute(
        text("""
INSERT INTO run_candidates (run_id, listing_id)
SELECT DISTINCT CAST(:run_id AS bigint), d.listing_id FROM dirty d
JOIN listings l ON l.id = d.listing_id
WHERE d.channel_id = :channel_id AND d.operation = :operation
ON CONFLICT DO NOTHING
"""),
        {"run_id": run_id, "channel_id": channel_id, "operation": operation},
    )
    return result.rowcount


async def mark_linked(conn: AsyncConnection, run_id: int, number: int, after: int) -> int:
    """What this run has just linked is decided once more, in the round of that number.

    `after` is the last action of the round before: what was linked by then was decided already.
    """
    result = await conn.execute(
        text("""
INSERT INTO run_candidates AS c (run_id, listing_id, round)
SELECT DISTINCT CAST(:run_id AS bigint), a.listing_id, CAST(:number AS integer) FROM actions a
JOIN run_candidates p ON p.run_id = a.run_id AND p.listing_id = a.listing_id
WHERE a.run_id = :run_id AND a.id > :after AND a.kind = 'LINK' AND a.state = 'APPLIED'
  AND p.round = :number - 1
ON CONFLICT (run_id, listing_id) DO UPDATE SET round = excluded.round
"""),
        {"run_id": run_id, "number": number, "after": after},
    )
    return result.rowcount


async def next_candidates(
    conn: AsyncConnection, run_id: int, number: int, after: int, limit: int
) -> Sequence[int]:
    """The following listing ids of a run's round, in order."""
    result = await conn.execute(
        text("""
SELECT listing_id FROM run_candidates
WHERE run_id = :run_id AND round = :number AND listing_id > :after
ORDER BY listing_id LIMIT :limit
"""),
        {"run_id": run_id, "number": number, "after": after, "limit": limit},
    )
    return [row.listing_id for row in result]

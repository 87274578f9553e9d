"""Pairing in SQL: which listings may need something, and the pairs they are decided from.

`mark_candidates` is one set operation over stored canonical values; only what it marks is loaded as
core values. A property test checks that planning the marked listings gives the plan that
`reconcile.core.listings.plan_world` gives for the whole world.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.importing import Match
from reconcile.core.types import (
    Candidate,
    Failure,
    LinkState,
    Listing,
    Operation,
    OurField,
    Presence,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Variant,
    Withheld,
    ZeroCause,
)

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


async def mark_linked(conn: AsyncConnection, run_id: int, number: int) -> int:
    """What this run has just linked is decided once more, in the round of that number."""
    result = await conn.execute(
        text("""
INSERT INTO run_candidates AS c (run_id, listing_id, round)
SELECT DISTINCT CAST(:run_id AS bigint), a.listing_id, CAST(:number AS integer) FROM actions a
JOIN run_candidates p ON p.run_id = a.run_id AND p.listing_id = a.listing_id
WHERE a.run_id = :run_id AND a.kind = 'LINK' AND a.state = 'APPLIED' AND p.round = :number - 1
ON CONFLICT (run_id, listing_id) DO UPDATE SET round = excluded.round
"""),
        {"run_id": run_id, "number": number},
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


def _options(stored: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in stored)


def _withheld(
    stored: Sequence[Mapping[str, str]], fields: AbstractSet[str]
) -> tuple[Withheld, ...]:
    return tuple(
        Withheld(item["field"], item["reason"], item["message"])
        for item in stored
        if item["field"] in fields
    )


def remote_variant(row: RowMapping) -> RemoteVariant:
    """A row of the mirror as a core value."""
    return RemoteVariant(
        ref=RemoteRef(row["parent"], row["variant"] or None),
        sku=row["sku"],
        presence=SeenPresence(row["presence"]),
        seen=row["seen"],
        content=row["content"],
        identifiers=row["identifiers"],
        options=_options(row["options"]),
        import_fields=row["import_fields"],
        aspects=row["aspects"],
        unsellable=row["unsellable"],
        absent=row["absent"],
        gone=row["gone"],
    )


def remote_listing(row: RowMapping, variants: Sequence[RemoteVariant]) -> RemoteListing:
    """A product of the mirror with these variants as a core value."""
    return RemoteListing(
        id=row["remote_id"],
        title=row["title"],
        presence=SeenPresence(row["presence"]),
        variants=tuple(variants),
        content=row["content"],
        import_fields=row["import_fields"],
        aspects=row["aspects"],
        modified_at=row["modified_at"],
    )


async def _rows(conn: AsyncConnection, sql: str, **parameters: Any) -> Sequence[RowMapping]:
    return (await conn.execute(text(sql), parameters)).mappings().all()


async def load_remote_listings(
    conn: AsyncConnection, ids: Sequence[int]
) -> Mapping[int, RemoteListing]:
    """Products of the mirror by mirror id, with all their variants that are not tombstones."""
    if not ids:
        return {}
    variants: dict[int, list[RemoteVariant]] = defaultdict(list)
    for row in await _rows(
        conn,
        "SELECT * FROM remote_variants WHERE remote_listing_id = ANY(:ids) AND gone IS NULL "
        "ORDER BY id",
        ids=list(ids),
    ):
        variants[row["remote_listing_id"]].append(remote_variant(row))
    return {
        row["id"]: remote_listing(row, variants[row["id"]])
        for row in await _rows(
            conn, "SELECT * FROM remote_listings WHERE id = ANY(:ids)", ids=list(ids)
        )
    }


async def load_listings(
    conn: AsyncConnection, channel_id: int, ids: Sequence[int], fields: AbstractSet[str]
) -> Sequence[Listing]:
    """Our listings with everything decisions are made from, in the order of their ids.

    `fields` are the channel fields the operation is about: what is withheld of others is not its
    business. A constant number of statements, whatever the number of listings.
    """
    wanted_ids = list(ids)
    variant_rows = await _rows(
        conn,
        """
SELECT v.*, i.stated FROM listing_variants v LEFT JOIN items i ON i.sku = v.sku
WHERE v.listing_id = ANY(:ids) ORDER BY v.position, v.id
""",
        ids=wanted_ids,
    )
    mirror_ids = [row["remote_variant_id"] for row in variant_rows if row["remote_variant_id"]]
    mirror = {
        row["id"]: row
        for row in await _rows(
            conn, "SELECT * FROM remote_variants WHERE id = ANY(:ids)", ids=mirror_ids
        )
    }
    products = await load_remote_listings(
        conn, sorted({row["remote_listing_id"] for row in mirror.values()})
    )
    open_rows = [row for row in variant_rows if row["link_state"] in ("UNLINKED", "AMBIGUOUS")]
    keys = sorted({row["link_key"] for row in open_rows if row["link_key"] is not None})
    candidates = await _candidates(conn, channel_id, keys)
    rivals = await _rivals(conn, channel_id, keys)
    object_ids = [f"variant:{row['id']}" for row in variant_rows]
    object_ids += [f"listing:{listing_id}" for listing_id in wanted_ids]
    busy = await _busy(conn, channel_id, object_ids)
    failures = await _failures(conn, object_ids)

    variants: dict[int, list[Variant]] = defaultdict(list)
    product_of: dict[int, RemoteListing] = {}
    for row in variant_rows:
        seen = mirror.get(row["remote_variant_id"])
        if seen is not None and row["link_state"] in ("LINKED", "BROKEN"):
            product = products.get(seen["remote_listing_id"])
            if product is not None and row["link_state"] == "LINKED":
                product_of.setdefault(row["listing_id"], product)
        key = row["link_key"]
        is_open = row["link_state"] in ("UNLINKED", "AMBIGUOUS")
        variants[row["listing_id"]].append(
            Variant(
                id=str(row["id"]),
                sku=row["sku"],
                presence=Presence(row["presence"]),
                asserted=row["asserted"],
                paused=row["paused"],
                link=LinkState(row["link_state"]),
                link_hold=row["link_hold"],
                link_key=key,
                remote=None if seen is None or is_open else remote_variant(seen),
                kept=row["kept"],
                was=SeenPresence(row["was"]),
                wanted=row["wanted"],
                content=row["content"],
                withheld=_withheld(row["withheld"], fields),
                zero_cause=ZeroCause(row["zero_cause"]),
                options=_options(row["options"]),
                own=_own(row),
                candidates=tuple(candidates[key]) if is_open and key is not None else (),
                rivals=tuple(
                    sku
                    for variant_id, sku in (rivals[key] if is_open and key is not None else ())
                    if variant_id != row["id"]
                ),
                busy=busy[f"variant:{row['id']}"],
                failures=tuple(failures[f"variant:{row['id']}"]),
                revision=row["revision"],
            )
        )
    return [
        Listing(
            id=str(row["id"]),
            title=row["title"],
            variants=tuple(variants[row["id"]]),
            content=row["content"],
            option_names=tuple(row["option_names"]),
            withheld=_withheld(row["withheld"], fields),
            own={**row["fields"], OurField.OPTIONS.value: row["option_names"]},
            remote=product_of.get(row["id"]),
            busy=busy[f"listing:{row['id']}"],
            failures=tuple(failures[f"listing:{row['id']}"]),
            revision=row["revision"],
        )
        for row in await _rows(
            conn, "SELECT * FROM listings WHERE id = ANY(:ids) ORDER BY id", ids=wanted_ids
        )
    ]


def _own(row: RowMapping) -> dict[str, Any]:
    """What is ours of a variant in our vocabulary, wherever it is kept."""
    own = {**row["fields"], OurField.OPTIONS.value: row["options"]}
    if row["stated"] is not None:
        own.setdefault(OurField.QUANTITY.value, row["stated"])
    return own


async def _candidates(
    conn: AsyncConnection, channel_id: int, keys: Sequence[str]
) -> Mapping[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for row in await _rows(
        conn,
        """
SELECT r.link_key, r.parent, r.variant, r.sku, p.title, c.id AS claimed_by
FROM remote_variants r
JOIN remote_listings p ON p.id = r.remote_listing_id
LEFT JOIN listing_variants c ON c.remote_variant_id = r.id AND c.link_state = 'LINKED'
WHERE r.channel_id = :channel_id AND r.link_key = ANY(:keys) AND NOT r.absent AND r.gone IS NULL
ORDER BY r.parent, r.variant
""",
        channel_id=channel_id,
        keys=list(keys),
    ):
        claimed = row["claimed_by"]
        found[row["link_key"]].append(
            Candidate(
                ref=RemoteRef(row["parent"], row["variant"] or None),
                title=row["title"],
                sku=row["sku"],
                claimed_by=None if claimed is None else str(claimed),
            )
        )
    return found


async def _rivals(
    conn: AsyncConnection, channel_id: int, keys: Sequence[str]
) -> Mapping[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in await _rows(
        conn,
        """
SELECT link_key, id, sku FROM listing_variants
WHERE channel_id = :channel_id AND link_key = ANY(:keys)
  AND link_state IN ('UNLINKED', 'AMBIGUOUS') AND NOT link_hold AND presence <> 'DELISTED'
ORDER BY id
""",
        channel_id=channel_id,
        keys=list(keys),
    ):
        found[row["link_key"]].append((row["id"], row["sku"]))
    return found


async def _busy(
    conn: AsyncConnection, channel_id: int, object_ids: Sequence[str]
) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in await _rows(
        conn,
        """
SELECT object_id, write_group, state FROM actions
WHERE channel_id = :channel_id AND object_id = ANY(:object_ids)
  AND state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')
""",
        channel_id=channel_id,
        object_ids=list(object_ids),
    ):
        found[row["object_id"]][row["write_group"]] = row["state"]
    return found


async def _failures(
    conn: AsyncConnection, object_ids: Sequence[str]
) -> Mapping[str, list[Failure]]:
    found: dict[str, list[Failure]] = defaultdict(list)
    for row in await _rows(
        conn,
        "SELECT * FROM failures WHERE object_id = ANY(:object_ids)",
        object_ids=list(object_ids),
    ):
        found[row["object_id"]].append(
            Failure(row["action"], row["input_hash"], row["reason"], row["message"])
        )
    return found


async def matches_of(
    conn: AsyncConnection, channel_id: int, products: Sequence[int]
) -> tuple[Mapping[str, Sequence[Match]], frozenset[str]]:
    """For products of the mirror: their id → ours with the keys of their rows; duplicate keys."""
    found: dict[str, list[Match]] = defaultdict(list)
    for row in await _rows(
        conn,
        """
SELECT r.parent, r.variant, v.id, v.listing_id, v.sku, v.link_state,
       v.link_key IS NOT NULL AND NOT v.link_hold AND v.presence <> 'DELISTED'
           AND v.link_state IN ('UNLINKED', 'AMBIGUOUS') AS contends,
       c.parent AS linked_parent, c.variant AS linked_variant
FROM remote_variants r
JOIN listing_variants v ON v.channel_id = r.channel_id AND v.link_key = r.link_key
LEFT JOIN remote_variants c ON c.id = v.remote_variant_id
WHERE r.remote_listing_id = ANY(:ids) AND r.gone IS NULL AND NOT r.absent
ORDER BY v.id
""",
        ids=list(products),
    ):
        is_open = row["link_state"] in ("UNLINKED", "AMBIGUOUS")
        linked = None
        if not is_open and row["linked_parent"] is not None:
            linked = RemoteRef(row["linked_parent"], row["linked_variant"] or None)
        found[row["parent"]].append(
            Match(
                ref=RemoteRef(row["parent"], row["variant"] or None),
                listing_id=str(row["listing_id"]),
                variant_id=str(row["id"]),
                sku=row["sku"],
                linked_to=linked,
                contends=row["contends"],
            )
        )
    duplicates = await _rows(
        conn,
        """
SELECT o.link_key FROM remote_variants o
WHERE o.channel_id = :channel_id AND o.gone IS NULL AND NOT o.absent AND o.link_key IN (
    SELECT link_key FROM remote_variants WHERE remote_listing_id = ANY(:ids))
  AND NOT EXISTS (SELECT 1 FROM listing_variants c
                  WHERE c.remote_variant_id = o.id AND c.link_state = 'LINKED')
GROUP BY o.link_key HAVING count(*) > 1
""",
        channel_id=channel_id,
        ids=list(products),
    )
    return found, frozenset(row["link_key"] for row in duplicates)


async def unclaimed_products(
    conn: AsyncConnection, channel_id: int, after: int, limit: int
) -> Sequence[int]:
    """Mirror ids of products present on the channel of which no variant is linked, in order."""
    rows = await _rows(
        conn,
        """
SELECT p.id FROM remote_listings p
WHERE p.channel_id = :channel_id AND p.id > :after AND p.gone IS NULL AND NOT p.absent
  AND NOT EXISTS (SELECT 1 FROM remote_variants r
      JOIN listing_variants v ON v.remote_variant_id = r.id AND v.link_state = 'LINKED'
      WHERE r.remote_listing_id = p.id)
ORDER BY p.id LIMIT :limit
""",
        channel_id=channel_id,
        after=after,
        limit=limit,
    )
    return [row["id"] for row in rows]

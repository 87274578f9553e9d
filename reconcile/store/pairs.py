"""Pairing in SQL: our listings as core values, each with what it is linked to or could be.

Only what `reconcile.store.marking` found is loaded. A property test checks that planning it gives
the plan that `reconcile.core.listings.plan_world` gives for the whole world.
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

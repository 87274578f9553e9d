"""The mirror: what a channel was last seen to hold, one row per product and per variant.

An older observation never overwrites a newer one, gone rows stay as tombstones, and a revision
moves only when something that decisions depend on has changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import Gone
from reconcile.core.types import RemoteListing, RemoteRef, RemoteVariant
from reconcile.store.tables import remote_listings, remote_variants

_UPSERT_LISTINGS = text("""
INSERT INTO remote_listings AS m (channel_id, remote_id, title, presence, content, import_fields,
       aspects, modified_at, observed_at, snapshot)
SELECT :channel_id, r.remote_id, r.title, r.presence, r.content, r.import_fields, r.aspects,
       r.modified_at, :observed_at, :snapshot
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_id text, title text, presence text,
     content jsonb, import_fields jsonb, aspects jsonb, modified_at timestamptz)
ON CONFLICT (channel_id, remote_id) DO UPDATE SET
    title = excluded.title, presence = excluded.presence, aspects = excluded.aspects,
    content = CASE WHEN :has_content THEN excluded.content ELSE m.content END,
    import_fields = CASE WHEN :has_content THEN excluded.import_fields ELSE m.import_fields END,
    modified_at = excluded.modified_at, observed_at = excluded.observed_at,
    snapshot = coalesce(excluded.snapshot, m.snapshot), absent = false, gone = NULL, gone_at = NULL
WHERE m.observed_at <= excluded.observed_at
""")

_KNOW_LISTINGS = text("""
INSERT INTO remote_listings (channel_id, remote_id, title, presence, observed_at)
SELECT :channel_id, r.remote_id, r.title, r.presence, :observed_at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_id text, title text, presence text)
ON CONFLICT (channel_id, remote_id) DO NOTHING
""")

_UPSERT_VARIANTS = """
INSERT INTO remote_variants AS m (channel_id, remote_listing_id, parent, variant, sku, presence,
       seen, content, identifiers, link_key, options, import_fields, aspects, unsellable,
       observed_at)
SELECT :channel_id, p.id, r.parent, r.variant, r.sku, r.presence, r.seen, r.content,
       r.identifiers, r.identifiers ->> :identifier, r.options, r.import_fields, r.aspects,
       r.unsellable,
       :observed_at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(parent text, variant text, sku text,
     presence text, seen jsonb, content jsonb, identifiers jsonb, options jsonb,
     import_fields jsonb, aspects jsonb, unsellable boolean)
JOIN remote_listings p ON p.channel_id = :channel_id AND p.remote_id = r.parent
ON CONFLICT (channel_id, parent, variant) DO UPDATE SET
    presence = excluded.presence, seen = excluded.seen, aspects = excluded.aspects,
    unsellable = excluded.unsellable, observed_at = excluded.observed_at,
    absent = false, gone = NULL, {whole}
    revision = m.revision + CASE WHEN m.gone IS NULL AND
        (m.presence, m.seen, {compared} m.unsellable) IS NOT DISTINCT FROM
        (excluded.presence, excluded.seen, {compared_with} excluded.unsellable) THEN 0 ELSE 1 END
WHERE m.observed_at <= excluded.observed_at
"""
_WHOLE = """
    sku = excluded.sku, identifiers = excluded.identifiers, link_key = excluded.link_key,
    options = excluded.options, remote_listing_id = excluded.remote_listing_id,
    content = CASE WHEN :has_content THEN excluded.content ELSE m.content END,
    import_fields = CASE WHEN :has_content THEN excluded.import_fields ELSE m.import_fields END,
"""
_UPSERT_WHOLE = text(
    _UPSERT_VARIANTS.format(
        whole=_WHOLE,
        compared="m.identifiers, m.options, m.content,",
        compared_with="excluded.identifiers, excluded.options, "
        "CASE WHEN :has_content THEN excluded.content ELSE m.content END,",
    )
)
_UPSERT_PARTIAL = text(_UPSERT_VARIANTS.format(whole="", compared="", compared_with=""))

_MARK_UNNAMED = text("""
UPDATE remote_variants v SET absent = true, revision = revision + 1
FROM remote_listings p
WHERE p.id = v.remote_listing_id AND p.channel_id = :channel_id AND p.remote_id = ANY(:parents)
  AND NOT v.absent AND v.gone IS NULL AND v.observed_at < :observed_at
  AND (v.parent, v.variant) NOT IN (
    SELECT r.parent, r.variant
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(parent text, variant text))
""")


def _json(value: object) -> str:
    return orjson.dumps(value, default=_plain).decode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not a canonical value: {type(value).__name__}")


def _listing_row(row: RemoteListing) -> dict[str, Any]:
    return {
        "remote_id": row.id,
        "title": row.title,
        "presence": row.presence,
        "content": dict(row.content),
        "import_fields": dict(row.import_fields),
        "aspects": dict(row.aspects),
        "modified_at": row.modified_at,
    }


def _variant_row(row: RemoteVariant) -> dict[str, Any]:
    return {
        "parent": row.ref.listing,
        "variant": row.ref.variant or "",
        "sku": row.sku,
        "presence": row.presence,
        "seen": dict(row.seen),
        "content": dict(row.content),
        "identifiers": dict(row.identifiers),
        "options": [list(option) for option in row.options],
        "import_fields": dict(row.import_fields),
        "aspects": dict(row.aspects),
        "unsellable": row.unsellable,
    }


async def observe(
    conn: AsyncConnection,
    channel_id: int,
    identifier: str,
    rows: Iterable[RemoteListing],
    observed_at: datetime,
    snapshot: int | None = None,
) -> None:
    """Store what was seen at `observed_at`; `identifier` is the channel's linking identifier.

    `snapshot` is the full run the rows belong to, None for anything that is not a walk.
    """
    rows = list(rows)
    shared = {"channel_id": channel_id, "observed_at": observed_at}
    for has_content in (True, False):
        # Answers to several actions can show one product; the last of them is the newest.
        named_once = {r.id: r for r in rows if not r.is_partial and r.has_content is has_content}
        whole = list(named_once.values())
        if not whole:
            continue
        named = _json([_listing_row(row) for row in whole])
        read = {**shared, "has_content": has_content}
        await conn.execute(_UPSERT_LISTINGS, {**read, "rows": named, "snapshot": snapshot})
        once = {v.ref: v for row in whole for v in row.variants}
        variants = _json([_variant_row(v) for v in once.values()])
        await conn.execute(_UPSERT_WHOLE, {**read, "rows": variants, "identifier": identifier})
        parents = [row.id for row in whole]
        await conn.execute(_MARK_UNNAMED, {**shared, "rows": variants, "parents": parents})
    partial = [row for row in rows if row.is_partial]
    if partial:
        known = _json([_listing_row(row) for row in partial])
        await conn.execute(_KNOW_LISTINGS, {**shared, "rows": known})
        seen_once = {v.ref: v for row in partial for v in row.variants}
        variants = _json([_variant_row(v) for v in seen_once.values()])
        await conn.execute(_UPSERT_PARTIAL, {**shared, "rows": variants, "identifier": identifier})


async def keep(conn: AsyncConnection, channel_id: int, ids: Sequence[str], snapshot: int) -> int:
    """Products that a walk showed and nobody understood are there: how many of them are known.

    What was seen of them before stays; absent they are not.
    """
    if not ids:
        return 0
    result = await conn.execute(
        update(remote_listings)
        .where(
            remote_listings.c.channel_id == channel_id, remote_listings.c.remote_id.in_(list(ids))
        )
        .values(snapshot=snapshot)
    )
    return int(result.rowcount)


async def mark_gone(
    conn: AsyncConnection, channel_id: int, gone: Mapping[RemoteRef, Gone], observed_at: datetime
) -> None:
    """Turn objects that a read by id proved to be gone into tombstones.

    A reference without a variant is the whole product and takes its variants along.
    """
    for ref, proof in gone.items():
        condition = (
            remote_variants.c.channel_id == channel_id,
            remote_variants.c.parent == ref.listing,
            remote_variants.c.observed_at <= observed_at,
            remote_variants.c.gone.is_(None),
        )
        statement = update(remote_variants).where(*condition)
        if ref.variant is not None:
            statement = statement.where(remote_variants.c.variant == ref.variant)
        await conn.execute(
            statement.values(
                gone=proof.reason,
                presence="NOT_LISTED",
                observed_at=observed_at,
                revision=remote_variants.c.revision + 1,
            )
        )
        if ref.variant is None:
            await conn.execute(
                update(remote_listings)
                .where(
                    remote_listings.c.channel_id == channel_id,
                    remote_listings.c.remote_id == ref.listing,
                    remote_listings.c.observed_at <= observed_at,
                )
                .values(
                    gone=proof.reason,
                    gone_at=observed_at,
                    presence="NOT_LISTED",
                    observed_at=observed_at,
                )
            )


async def count_snapshot(conn: AsyncConnection, channel_id: int, snapshot: int) -> int:
    """How many products a walk has seen so far, each once."""
    result = await conn.execute(
        select(func.count()).where(
            remote_listings.c.channel_id == channel_id, remote_listings.c.snapshot == snapshot
        )
    )
    return int(result.scalar_one())


async def mark_absent(
    conn: AsyncConnection, channel_id: int, snapshot: int, started_at: datetime
) -> int:
    """After a complete walk: what it did not see is absent, a candidate that is still unproved.

    Returns how many products that are.
    """
    result = await conn.execute(
        text("""
WITH missing AS (
    UPDATE remote_listings SET absent = true
    WHERE channel_id = :channel_id AND snapshot IS DISTINCT FROM :snapshot AND gone IS NULL
      AND observed_at < :started_at
    RETURNING id),
marked AS (
    UPDATE remote_variants v SET absent = true, revision = revision + 1
    FROM missing WHERE v.remote_listing_id = missing.id AND NOT v.absent AND v.gone IS NULL)
SELECT count(*) FROM missing
"""),
        {"channel_id": channel_id, "snapshot": snapshot, "started_at": started_at},
    )
    return int(result.scalar_one())


async def absent_linked(
    conn: AsyncConnection, channel_id: int, after: int, limit: int
) -> Sequence[tuple[int, RemoteRef]]:
    """Linked objects that are absent and not yet read by id: (mirror id, reference) in order."""
    result = await conn.execute(
        text("""
SELECT r.id, r.parent, r.variant FROM remote_variants r
JOIN listing_variants v ON v.remote_variant_id = r.id AND v.link_state = 'LINKED'
WHERE r.channel_id = :channel_id AND r.absent AND r.gone IS NULL AND r.id > :after
ORDER BY r.id LIMIT :limit
"""),
        {"channel_id": channel_id, "after": after, "limit": limit},
    )
    return [(row.id, RemoteRef(row.parent, row.variant or None)) for row in result]


async def linked_refs(
    conn: AsyncConnection, run_id: int, after: tuple[int, int], limit: int
) -> Sequence[tuple[tuple[int, int], RemoteRef]]:
    """What a run's candidates are linked to: ((listing id, mirror id), reference) in order.

    In the order of the candidates, so that going on costs no more than beginning.
    """
    result = await conn.execute(
        text("""
SELECT c.listing_id, r.id, r.parent, r.variant FROM run_candidates c
JOIN listing_variants v ON v.listing_id = c.listing_id
JOIN remote_variants r ON r.id = v.remote_variant_id
WHERE c.run_id = :run_id AND c.listing_id >= :listing_id
  AND (c.listing_id, r.id) > (:listing_id, :mirror_id)
  AND v.link_state = 'LINKED' AND r.gone IS NULL
ORDER BY c.listing_id, r.id LIMIT :limit
"""),
        {"run_id": run_id, "listing_id": after[0], "mirror_id": after[1], "limit": limit},
    )
    return [
        ((row.listing_id, row.id), RemoteRef(row.parent, row.variant or None)) for row in result
    ]

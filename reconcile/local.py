"""Actions that change only our own records: LINK, BREAK_LINK and IMPORT.

They run in the transaction that the caller fenced; nothing leaves for a platform.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import ActionKind
from reconcile.core.types import OurField
from reconcile.store import actions as action_rows
from reconcile.store.channels import Channel
from reconcile.store.keys import our_key

_IN_COLUMNS = frozenset({OurField.SKU.value, OurField.OPTIONS.value})
"""What a variant keeps beside its fields."""

LOCAL_ORDER = (ActionKind.BREAK_LINK, ActionKind.LINK, ActionKind.IMPORT)


async def planned_rows(
    conn: AsyncConnection, run_id: int, kind: ActionKind, limit: int, *, only_approved: bool
) -> Sequence[RowMapping]:
    """Planned rows of one kind, in plan order; of an approved plan those a person approved."""
    result = await conn.execute(
        text("""
SELECT * FROM actions WHERE run_id = :run_id AND kind = :kind AND state = 'PLANNED'
  AND (approved OR NOT :only_approved)
ORDER BY id LIMIT :limit
"""),
        {"run_id": run_id, "kind": kind, "limit": limit, "only_approved": only_approved},
    )
    return result.mappings().all()


async def apply_local(
    conn: AsyncConnection,
    channel: Channel,
    kind: ActionKind,
    rows: Sequence[RowMapping],
    *,
    pause_new: bool,
    now: datetime,
) -> None:
    """Carry out planned rows of one local kind; what the world no longer allows becomes STALE."""
    match kind:
        case ActionKind.LINK:
            done = await _link(conn, channel, rows)
        case ActionKind.BREAK_LINK:
            done = await _break(conn, rows)
        case ActionKind.IMPORT:
            done = await _import(conn, channel, rows, pause_new=pause_new, now=now)
        case _:
            raise ValueError(f"{kind} is not an action on our own records")
    await action_rows.finish(conn, sorted(done), "APPLIED", "", "")
    await action_rows.finish(
        conn,
        [row["id"] for row in rows if row["id"] not in done],
        "STALE",
        "WorldMoved",
        "The listing or the product changed after this was planned; it is planned again",
    )
    variants = [row["variant_id"] for row in rows if row["id"] in done and row["variant_id"]]
    await conn.execute(
        text("DELETE FROM conditions WHERE object_kind = 'variant' AND object_id = ANY(:ids)"),
        {"ids": variants},
    )
    await action_rows.mark_dirty(
        conn,
        channel.id,
        [row["listing_id"] for row in rows if row["listing_id"]],
        kind.value,
    )


async def _link(conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]) -> set[int]:
    result = await conn.execute(
        text("""
UPDATE listing_variants v SET link_state = 'LINKED', remote_variant_id = r.id,
    link_origin = 'KEY', link_reason = NULL, link_message = NULL, linked_at = now(),
    kept = NULL, accepted = '{}', stale = true, flagged = false, revision = v.revision + 1
FROM actions a JOIN remote_variants r ON r.channel_id = a.channel_id
    AND r.parent = a.remote_parent AND r.variant = a.remote_variant
WHERE a.id = ANY(:ids) AND v.id = a.variant_id AND v.channel_id = :channel_id
  AND v.link_state IN ('UNLINKED', 'AMBIGUOUS') AND NOT v.link_hold
  AND r.gone IS NULL AND NOT r.absent AND r.link_key = v.link_key
  AND NOT EXISTS (SELECT 1 FROM listing_variants c
                  WHERE c.remote_variant_id = r.id AND c.link_state = 'LINKED')
RETURNING a.id
"""),
        {"ids": [row["id"] for row in rows], "channel_id": channel.id},
    )
    return {row.id for row in result}


async def _break(conn: AsyncConnection, rows: Sequence[RowMapping]) -> set[int]:
    """Record that linked objects are gone; where delisting was wanted, that it has ended."""
    result = await conn.execute(
        text("""
UPDATE listing_variants v SET
    link_state = CASE WHEN a.reason = 'Delisted' THEN 'UNLINKED' ELSE 'BROKEN' END,
    was = CASE WHEN a.reason = 'Delisted' THEN 'DELISTED' ELSE v.was END,
    remote_variant_id = CASE WHEN a.reason = 'Delisted' THEN NULL ELSE v.remote_variant_id END,
    link_reason = CASE WHEN a.reason = 'Delisted' THEN NULL ELSE a.reason END,
    link_message = CASE WHEN a.reason = 'Delisted' THEN NULL ELSE a.message END,
    kept = NULL, flagged = false, revision = v.revision + 1
FROM actions a
WHERE a.id = ANY(:ids) AND v.id = a.variant_id AND v.link_state IN ('LINKED', 'BROKEN')
  AND EXISTS (SELECT 1 FROM remote_variants r
              WHERE r.id = v.remote_variant_id AND r.gone IS NOT NULL)
RETURNING a.id
"""),
        {"ids": [row["id"] for row in rows]},
    )
    return {row.id for row in result}


# --- imports --------------------------------------------------------------------------------


def _by_owner(row: RowMapping) -> Mapping[str | None, dict[str, Any]]:
    """Their variant id (ours where a listing is overwritten; None: the product) → new values."""
    values: dict[str | None, dict[str, Any]] = defaultdict(dict)
    for change in row["changes"]:
        values[change["variant_id"]][change["field"]] = change["after"]
    return values


def _sources(fields: Mapping[str, Any], now: datetime) -> dict[str, dict[str, str]]:
    return {name: {"source": "IMPORT", "at": now.isoformat(), "by": "import"} for name in fields}


async def _import(
    conn: AsyncConnection,
    channel: Channel,
    rows: Sequence[RowMapping],
    *,
    pause_new: bool,
    now: datetime,
) -> set[int]:
    await _lock(conn, rows)
    done = set()
    for row in rows:
        if row["listing_id"] is None:
            is_done = await _create(conn, channel, row, pause_new=pause_new, now=now)
        else:
            is_done = await _overwrite(conn, row, now)
        if is_done:
            done.add(row["id"])
    return done


async def _lock(conn: AsyncConnection, rows: Sequence[RowMapping]) -> None:
    """Items, then listings, then variants, each by id, as everybody locks them.

    One product at a time would lock them in turn, and wait in a circle with a page of orders.
    """
    listing_ids = [row["listing_id"] for row in rows if row["listing_id"] is not None]
    ours = await conn.execute(
        text("SELECT DISTINCT sku FROM listing_variants WHERE listing_id = ANY(:ids)"),
        {"ids": listing_ids},
    )
    skus = {row.sku for row in ours}
    for row in rows:
        skus |= {str(each["after"]) for each in row["changes"] if each["field"] == OurField.SKU}
    for statement in (
        "SELECT id FROM items WHERE sku = ANY(:skus) ORDER BY id FOR UPDATE",
        "SELECT id FROM listings WHERE id = ANY(:ids) ORDER BY id FOR UPDATE",
        "SELECT id FROM listing_variants WHERE sku = ANY(:skus) ORDER BY id FOR UPDATE",
    ):
        await conn.execute(text(statement), {"skus": sorted(skus), "ids": listing_ids})


async def _create(
    conn: AsyncConnection, channel: Channel, row: RowMapping, *, pause_new: bool, now: datetime
) -> bool:
    """A listing of ours from a product of theirs, each variant linked to what it came from."""
    values = dict(_by_owner(row))
    product = values.pop(None, {})
    remotes = (
        await conn.execute(
            text("""
SELECT r.* FROM remote_variants r
WHERE r.channel_id = :channel_id AND r.parent = :parent AND r.gone IS NULL AND NOT r.absent
  AND NOT EXISTS (SELECT 1 FROM listing_variants c
                  WHERE c.remote_variant_id = r.id AND c.link_state = 'LINKED')
ORDER BY r.id
"""),
            {"channel_id": channel.id, "parent": row["remote_parent"]},
        )
    ).mappings()
    found = [
        (remote, values[remote["variant"] or remote["parent"]])
        for remote in remotes
        if (remote["variant"] or remote["parent"]) in values
    ]
    skus = [fields.get(OurField.SKU) or f"remote-{remote['id']}" for remote, fields in found]
    if not found:
        return False
    parent_sku = product.pop(OurField.SKU.value, None) or skus[0]
    product.pop(OurField.OPTIONS.value, None)
    shared = product if len(found) == 1 else {}
    taken = await conn.execute(
        text("""
SELECT 1 FROM listing_variants WHERE channel_id = :channel_id AND sku = ANY(:skus)
UNION ALL SELECT 1 FROM listings WHERE channel_id = :channel_id AND sku = :parent LIMIT 1
"""),
        {"channel_id": channel.id, "skus": skus, "parent": parent_sku},
    )
    if taken.first() is not None:
        return False
    names = list(dict.fromkeys(name for remote, _ in found for name, _ in remote["options"]))
    listing_id = (
        await conn.execute(
            text("""
INSERT INTO listings (channel_id, sku, title, fields, sources, option_names)
VALUES (:channel_id, :sku, :title, CAST(:fields AS jsonb), CAST(:sources AS jsonb),
        CAST(:names AS jsonb)) RETURNING id
"""),
            {
                "channel_id": channel.id,
                "sku": parent_sku,
                "title": str(product.get(OurField.TITLE) or parent_sku),
                "fields": orjson.dumps(product).decode(),
                "sources": orjson.dumps(_sources(product, now)).decode(),
                "names": orjson.dumps(names).decode(),
            },
        )
    ).scalar_one()
    for position, ((remote, fields), sku) in enumerate(zip(found, skus, strict=True)):
        own = {name: value for name, value in fields.items() if name not in _IN_COLUMNS}
        quantity = own.pop(OurField.QUANTITY.value, None)
        await _state_quantity(conn, sku, quantity, remote["observed_at"])
        await conn.execute(
            text("""
INSERT INTO listing_variants (channel_id, listing_id, position, sku, fields, sources, options,
    paused, presence, link_state, link_key, link_origin, linked_at, remote_variant_id, was)
VALUES (:channel_id, :listing_id, :position, :sku, CAST(:fields AS jsonb),
    CAST(:sources AS jsonb), CAST(:options AS jsonb), :paused, :presence, 'LINKED', :key,
    'IMPORT', now(), :remote_variant_id, 'NOT_LISTED')
"""),
            {
                "channel_id": channel.id,
                "listing_id": listing_id,
                "position": position,
                "sku": sku,
                "fields": orjson.dumps(own).decode(),
                "sources": orjson.dumps(_sources(own, now)).decode(),
                "options": orjson.dumps(remote["options"]).decode(),
                "paused": pause_new,
                # What the shop hides stays hidden: the import takes over what it finds.
                "presence": "HIDDEN" if remote["presence"] == "HIDDEN" else "LISTED",
                "key": our_key(channel.platform, channel.our_identifier, sku, own, shared),
                "remote_variant_id": remote["id"],
            },
        )
    await conn.execute(
        text("UPDATE actions SET listing_id = :listing_id WHERE id = :id"),
        {"listing_id": listing_id, "id": row["id"]},
    )
    await action_rows.mark_dirty(conn, channel.id, [listing_id], "Imported")
    return True


async def _state_quantity(
    conn: AsyncConnection,
    sku: str,
    quantity: int | None,
    seen_at: datetime,
    *,
    overwrite: bool = False,
) -> None:
    """An imported quantity is a statement about the item, unless somebody has stated one.

    A store has taken its orders off what it shows: only later ones are still to be deducted.
    """
    if quantity is None:
        return
    await conn.execute(
        text("""
INSERT INTO items AS i (sku, stated, as_of, basis, source, stated_by)
VALUES (:sku, :stated, :seen_at, 'NET_OF_ORDERS', 'IMPORT', 'import')
ON CONFLICT (sku) DO UPDATE SET stated = excluded.stated, as_of = excluded.as_of,
    basis = excluded.basis, source = excluded.source, stated_by = excluded.stated_by,
    revision = i.revision + 1,
    updated_at = now()
WHERE i.stated IS NULL OR :overwrite
"""),
        {"sku": sku, "stated": max(0, quantity), "seen_at": seen_at, "overwrite": overwrite},
    )
    await conn.execute(
        text("UPDATE listing_variants SET stale = true WHERE sku = :sku"), {"sku": sku}
    )


async def _overwrite(conn: AsyncConnection, row: RowMapping, now: datetime) -> bool:
    """Bring the channel's values over ours, field by field, each with its new source.

    Not where ours were stated anew after the plan: nobody has seen what would be overwritten.
    """
    held = await conn.execute(
        text(
            "SELECT id, revision FROM listing_variants WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"
        ),
        {"ids": list(row["variant_ids"])},
    )
    now_held = {str(variant.id): variant.revision for variant in held}
    planned = {name: value for name, value in row["revisions"].items() if name != "remote"}
    if any(now_held.get(name) != revision for name, revision in planned.items()):
        return False
    values = dict(_by_owner(row))
    product = values.pop(None, {})
    product.pop(OurField.SKU.value, None)
    names = product.pop(OurField.OPTIONS.value, None)
    await conn.execute(
        text("""
UPDATE listings SET fields = fields || CAST(:fields AS jsonb),
    sources = sources || CAST(:sources AS jsonb),
    option_names = coalesce(CAST(:names AS jsonb), option_names),
    title = coalesce(CAST(:fields AS jsonb) ->> 'title', title),
    revision = revision + 1, updated_at = now()
WHERE id = :id
"""),
        {
            "id": row["listing_id"],
            "fields": orjson.dumps(product).decode(),
            "sources": orjson.dumps(_sources(product, now)).decode(),
            "names": None if names is None else orjson.dumps(names).decode(),
        },
    )
    for variant_id, fields in values.items():
        await _overwrite_variant(conn, int(variant_id or 0), dict(fields), now)
    await conn.execute(
        text("UPDATE listing_variants SET stale = true WHERE listing_id = :id"),
        {"id": row["listing_id"]},
    )
    return True


async def _overwrite_variant(
    conn: AsyncConnection, variant_id: int, own: dict[str, Any], now: datetime
) -> None:
    quantity = own.get(OurField.QUANTITY.value)
    options = own.pop(OurField.OPTIONS.value, None)
    found = await conn.execute(
        text("""
SELECT v.sku, v.fields, coalesce(r.observed_at, now()) AS seen_at
FROM listing_variants v LEFT JOIN remote_variants r ON r.id = v.remote_variant_id
WHERE v.id = :id FOR UPDATE OF v
"""),
        {"id": variant_id},
    )
    held = found.one_or_none()
    if held is None:
        return
    if OurField.QUANTITY not in held.fields:
        # The item states it, not this listing; where the listing states its own, that is replaced.
        own.pop(OurField.QUANTITY.value, None)
        await _state_quantity(conn, held.sku, quantity, held.seen_at, overwrite=True)
    await conn.execute(
        text("""
UPDATE listing_variants SET fields = fields || CAST(:fields AS jsonb),
    sources = sources || CAST(:sources AS jsonb),
    options = coalesce(CAST(:options AS jsonb), options),
    revision = revision + 1, updated_at = now()
WHERE id = :id
"""),
        {
            "id": variant_id,
            "fields": orjson.dumps(own).decode(),
            "sources": orjson.dumps(_sources(own, now)).decode(),
            "options": None if options is None else orjson.dumps(options).decode(),
        },
    )

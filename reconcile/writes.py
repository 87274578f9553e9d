"""Building what an adapter gets (`contract.Write`) from action rows and the current records."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import Step, VariantWrite, Write
from reconcile.core.actions import POLICY_ACTIONS, ActionKind
from reconcile.core.mapping import ChannelField
from reconcile.core.types import FieldGroup, Presence, RemoteRef, Value
from reconcile.store.actions import LOOK_FIRST, UNWATCHED
from reconcile.store.channels import Channel

WHOLE = frozenset({ActionKind.PUBLISH, ActionKind.OVERWRITE})
"""Actions of the whole listing, built from the records; the others from their changes."""


def _sent(stored: Mapping[str, Any], accepted: Mapping[str, Any]) -> dict[str, Value]:
    """Values as they are to be sent, where the stored form is the one the platform made of them."""
    return {
        name: accepted[name]["sent"]
        if name in accepted and accepted[name]["seen"] == value
        else value
        for name, value in stored.items()
    }


def _steps(row: RowMapping) -> tuple[Step, ...]:
    return tuple(
        Step(row["key"], item["name"], item["remote_id"], item["detail"]) for item in row["steps"]
    )


def _changed(
    row: RowMapping, fields: Mapping[str, ChannelField], group: FieldGroup
) -> dict[str | None, dict[str, Value]]:
    """Variant id (None: the listing) → field → new value, of one field group."""
    changed: dict[str | None, dict[str, Value]] = defaultdict(dict)
    for change in row["changes"]:
        field = fields.get(change["field"])
        if field is not None and field.group is group:
            changed[change.get("variant_id")][change["field"]] = change["after"]
    return changed


def _variant(
    row: RowMapping,
    variant: Mapping[str, Any],
    fields: Mapping[str, ChannelField],
    kind: ActionKind,
) -> VariantWrite:
    sync: dict[str, Value] = {}
    content: dict[str, Value] = {}
    if kind is ActionKind.PUBLISH:
        sync = dict(variant["wanted"])
        content = _sent(variant["content"], variant["accepted"])
    elif kind is ActionKind.OVERWRITE:
        changed = _changed(row, fields, FieldGroup.CONTENT)[str(variant["id"])]
        content = _sent(changed, variant["accepted"])
    else:
        changed_sync = _changed(row, fields, FieldGroup.SYNC)
        sync = changed_sync[None] | changed_sync[str(variant["id"])]
    return VariantWrite(
        id=str(variant["id"]),
        sku=variant["sku"],
        ref=_ref(row, variant),
        sync=sync,
        content=content,
        options=tuple((name, value) for name, value in variant["options"]),
        presence=Presence(variant["presence"]),
        kept=variant["kept"],
        seen=variant["seen"] or {},
        aspects=variant["aspects"] or {},
    )


def _ref(row: RowMapping, variant: Mapping[str, Any]) -> RemoteRef | None:
    """The object an action was planned for, wherever the link leads by now.

    The outcome of a request may be looked up after the link has ended.
    """
    if row["variant_id"] is not None and row["remote_parent"] is not None:
        return RemoteRef(row["remote_parent"], row["remote_variant"] or None)
    if variant["parent"] is None:
        return None
    return RemoteRef(variant["parent"], variant["variant"] or None)


async def build_writes(
    conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
) -> Sequence[Write]:
    """One write per action row, in the same order; a few statements for all of them."""
    fields = {item.name: item for item in channel.platform.fields}
    variant_ids = sorted(
        {row["variant_id"] for row in rows if row["variant_id"]}
        | {variant_id for row in rows for variant_id in row["variant_ids"]}
    )
    variants = {
        row["id"]: row
        for row in (
            await conn.execute(
                text("""
SELECT v.*, r.parent, r.variant, r.seen, r.aspects FROM listing_variants v
LEFT JOIN remote_variants r ON r.id = v.remote_variant_id WHERE v.id = ANY(:ids)
"""),
                {"ids": variant_ids},
            )
        ).mappings()
    }
    listings = {
        row["id"]: row
        for row in (
            await conn.execute(
                text("SELECT * FROM listings WHERE id = ANY(:ids)"),
                {"ids": sorted({row["listing_id"] for row in rows if row["listing_id"]})},
            )
        ).mappings()
    }
    products = {
        row["remote_id"]: row
        for row in (
            await conn.execute(
                text("""
SELECT * FROM remote_listings WHERE channel_id = :channel_id AND remote_id = ANY(:ids)
"""),
                {
                    "channel_id": channel.id,
                    "ids": sorted({row["remote_parent"] for row in rows if row["remote_parent"]}),
                },
            )
        ).mappings()
    }
    ended = await _ended_links(conn, channel, rows, variants)
    known: dict[int, Any] = {**variants, **ended}
    return [_write(row, fields, known, listings, products) for row in rows]


async def _ended_links(
    conn: AsyncConnection,
    channel: Channel,
    rows: Sequence[RowMapping],
    variants: Mapping[int, RowMapping],
) -> Mapping[int, Mapping[str, Any]]:
    """Variants whose product a DELIST ended and whose link ended before its outcome was known.

    Which of them was which object of the product no longer matters: all of it was to go.
    """
    lost = [
        row
        for row in rows
        if row["kind"] == ActionKind.DELIST
        and row["variant_id"] is None
        and any(i in variants and variants[i]["parent"] is None for i in row["variant_ids"])
    ]
    if not lost:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    for item in await conn.execute(
        text("""
SELECT parent, variant FROM remote_variants
WHERE channel_id = :channel_id AND parent = ANY(:parents) ORDER BY id
"""),
        {"channel_id": channel.id, "parents": [row["remote_parent"] for row in lost]},
    ):
        found[item.parent].append(item.variant)
    return {
        variant_id: {**variants[variant_id], "parent": row["remote_parent"], "variant": variant}
        for row in lost
        for variant_id, variant in zip(
            row["variant_ids"], found[row["remote_parent"]], strict=False
        )
        if variant_id in variants
    }


def _write(
    row: RowMapping,
    fields: Mapping[str, ChannelField],
    variants: Mapping[int, Mapping[str, Any]],
    listings: Mapping[int, RowMapping],
    products: Mapping[str, RowMapping],
) -> Write:
    kind = ActionKind(row["kind"])
    listing = listings[row["listing_id"]]
    product = products.get(row["remote_parent"] or "")
    ids = [row["variant_id"]] if row["variant_id"] else list(row["variant_ids"])
    content: dict[str, Value] = {}
    if kind is ActionKind.PUBLISH:
        content = _sent(listing["content"], listing["accepted"])
    elif kind is ActionKind.OVERWRITE:
        content = _sent(_changed(row, fields, FieldGroup.CONTENT)[None], listing["accepted"])
    variant_skus = {variants[variant_id]["sku"] for variant_id in ids if variant_id in variants}
    return Write(
        key=row["key"],
        kind=kind,
        listing_id=str(row["listing_id"]),
        remote_id=row["remote_parent"],
        variants=tuple(
            _variant(row, variants[variant_id], fields, kind)
            for variant_id in ids
            if variant_id in variants
        ),
        content=content,
        seen_content={} if product is None else product["content"],
        option_names=tuple(listing["option_names"]),
        aspects={} if product is None else product["aspects"],
        media=listing["media"],
        sku="" if listing["sku"] in variant_skus else listing["sku"],
        ends_product=kind is ActionKind.DELIST and row["variant_id"] is None,
        steps=_steps(row),
    )


async def outdated(
    conn: AsyncConnection, channel: Channel, rows: Sequence[RowMapping]
) -> Mapping[int, str]:
    """Actions whose object or policy changed on our side after the plan: id → what moved.

    What has begun goes on to its end.
    """
    ids = [row["id"] for row in rows]
    result = await conn.execute(
        text("""
SELECT a.id,
    bool_or(v.id IS NULL) AS is_missing,
    bool_or(v.revision <> (a.revisions -> v.id::text)::bigint) AS is_changed,
    bool_or(v.paused) AS is_paused
FROM actions a
CROSS JOIN LATERAL unnest(CASE WHEN a.variant_id IS NULL THEN a.variant_ids
                               ELSE ARRAY[a.variant_id] END) AS w(id)
LEFT JOIN listing_variants v ON v.id = w.id
WHERE a.id = ANY(:ids) AND a.steps = '[]' GROUP BY a.id
"""),
        {"ids": ids},
    )
    forbidden = [
        row
        for row in rows
        if not row["steps"] and row["kind"] not in POLICY_ACTIONS[channel.policy]
    ]
    message = f"The channel's write policy became {channel.policy.value} after this was planned"
    moved = {row["id"]: message for row in forbidden}
    fresh = [row for row in rows if not row["steps"]]
    moved |= {row["id"]: LOOK_FIRST for row in fresh if UNWATCHED in row["revisions"]}
    for row in result:
        if row.is_missing:
            moved[row.id] = "The listing was removed after this was planned"
        elif row.is_paused:
            moved[row.id] = "The listing was paused after this was planned"
        elif row.is_changed:
            moved[row.id] = "The listing was changed after this was planned; it is planned again"
    return moved

"""Computing what each channel should hold, whenever something it depends on has changed.

Edits only mark variants `stale`; here their wanted values are computed once, in canonical form, and
stored, so that being in sync is a comparison of stored values.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.mapping import Template, Wanted, wanted
from reconcile.core.stock import StockDecision, wanted_quantity
from reconcile.core.types import Level, Operation, Presence, Value, Withheld
from reconcile.store.channels import Channel, ChannelOperation
from reconcile.store.deduction_reads import deducted_of_variants
from reconcile.store.templates import effective_template


def templates_of(
    channel: Channel, operations: Mapping[Operation, ChannelOperation]
) -> Mapping[Operation, Template]:
    """The templates in force for what is compared: SYNC_LISTINGS and PUBLISH_LISTINGS."""
    return {
        operation: effective_template(
            channel.platform,
            operation,
            operations[operation].template if operation in operations else None,
        )
        for operation in (Operation.SYNC_LISTINGS, Operation.PUBLISH_LISTINGS)
        if operation in channel.platform.operations
    }


def stock_of(
    channel: Channel, variant: RowMapping, stated: int | None, deducted: int
) -> StockDecision:
    """The quantity a channel is told for a variant, after what orders take off."""
    return wanted_quantity(
        stated=stated,
        deducted=deducted,
        buffer=channel.buffer,
        cap=channel.cap,
        own=variant["fields"].get("quantity"),
    )


def compute(
    channel: Channel,
    templates: Mapping[Operation, Template],
    listing: Mapping[str, Any],
    variant: RowMapping,
    quantity: int | None,
) -> Wanted:
    """What this channel should hold of one variant and, at listing level, of its listing.

    Group SYNC comes from the template of SYNC_LISTINGS, group CONTENT from PUBLISH_LISTINGS.
    """
    fields = {item.name: item for item in channel.platform.fields}
    hidden = channel.platform.presence.get(Presence.HIDDEN)
    parts = {
        operation: wanted(
            template,
            fields,
            listing["fields"],
            variant["fields"],
            quantity,
            channel.account.currency,
            channel.platform.canonical,
            Presence(variant["presence"]),
            frozenset() if hidden is None else hidden.overwrites,
            operation,
        )
        for operation, template in templates.items()
    }
    sync = parts.get(Operation.SYNC_LISTINGS, Wanted())
    publish = parts.get(Operation.PUBLISH_LISTINGS, Wanted())
    return Wanted(
        sync=sync.sync,
        listing_content=publish.listing_content,
        variant_content=publish.variant_content,
        withheld=tuple(dict.fromkeys((*sync.withheld, *publish.withheld))),
    )


def _expected(values: Mapping[str, Value], accepted: Mapping[str, Any]) -> dict[str, Any]:
    """The form the platform made of what was sent, as long as ours is unchanged.

    What it does not show at all (seen: null) is left out of the comparison until ours changes.
    """
    expected: dict[str, Any] = {}
    for name, value in values.items():
        taken = accepted.get(name)
        if taken is None or taken["sent"] != value:
            expected[name] = value
        elif taken["seen"] is not None:
            expected[name] = taken["seen"]
    return expected


def _withheld(items: Sequence[Withheld]) -> list[dict[str, str]]:
    return [{"field": item.field, "reason": item.reason, "message": item.message} for item in items]


def _of_level(values: Wanted, channel: Channel, level: Level) -> Sequence[Withheld]:
    named = {item.name for item in channel.platform.fields if item.level is level}
    return [item for item in values.withheld if item.field in named]


async def refresh_wanted(
    conn: AsyncConnection,
    channel: Channel,
    operations: Mapping[Operation, ChannelOperation],
    limit: int,
) -> int:
    """Compute up to `limit` stale variants of a channel; returns how many there were."""
    found = await conn.execute(
        text("""
SELECT id, listing_id FROM listing_variants WHERE channel_id = :channel_id AND stale
ORDER BY id LIMIT :limit
"""),
        {"channel_id": channel.id, "limit": limit},
    )
    stale = found.all()
    if not stale:
        return 0
    ids = [row.id for row in stale]
    # Locked first, listings before variants as edits do, and read by a statement of its own: one
    # that waits for an edit would see the variant as it is after the edit, and what it is joined
    # with as it was before.
    for table, named in (
        ("listings", {row.listing_id for row in stale}),
        ("listing_variants", ids),
    ):
        await conn.execute(
            text(f"SELECT id FROM {table} WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"),  # noqa: S608
            {"ids": sorted(named)},
        )
    rows = (
        (
            await conn.execute(
                text("""
SELECT v.id, v.listing_id, v.sku, v.fields, v.presence, v.wanted, v.content, v.accepted, v.revision,
       l.fields AS listing_fields, l.accepted AS listing_accepted, i.stated
FROM listing_variants v
JOIN listings l ON l.id = v.listing_id
LEFT JOIN items i ON i.sku = v.sku
WHERE v.id = ANY(:ids)
ORDER BY v.id
"""),
                {"ids": ids},
            )
        )
        .mappings()
        .all()
    )
    deducted = await deducted_of_variants(conn, ids)
    templates = templates_of(channel, operations)
    updates: list[dict[str, Any]] = []
    contents: dict[int, Wanted] = {}
    accepted: dict[int, Mapping[str, Any]] = defaultdict(dict)
    for row in rows:
        updates.append(_update(channel, templates, row, deducted[row["id"]], contents))
        accepted[row["listing_id"]] = row["listing_accepted"]
    await conn.execute(
        text("""
UPDATE listing_variants v SET wanted = r.wanted, content = r.content, withheld = r.withheld,
    zero_cause = r.zero_cause, stale = false,
    revision = v.revision + CASE
        WHEN (v.wanted, v.content, v.withheld, v.zero_cause) IS DISTINCT FROM
             (r.wanted, r.content, r.withheld, r.zero_cause) THEN 1 ELSE 0 END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, wanted jsonb, content jsonb,
    withheld jsonb, zero_cause text)
WHERE v.id = r.id
"""),
        {"rows": orjson.dumps(updates).decode()},
    )
    listing_rows = [
        {
            "id": listing_id,
            "content": _expected(values.listing_content, accepted[listing_id]),
            "withheld": _withheld(_of_level(values, channel, Level.LISTING)),
        }
        for listing_id, values in contents.items()
    ]
    await conn.execute(
        text("""
UPDATE listings l SET content = r.content, withheld = r.withheld, revision = l.revision + 1
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, content jsonb, withheld jsonb)
WHERE l.id = r.id AND (l.content, l.withheld) IS DISTINCT FROM (r.content, r.withheld)
"""),
        {"rows": orjson.dumps(listing_rows).decode()},
    )
    return len(rows)


def _update(
    channel: Channel,
    templates: Mapping[Operation, Template],
    row: RowMapping,
    deducted: int,
    contents: dict[int, Wanted],
) -> dict[str, Any]:
    stock = stock_of(channel, row, row["stated"], deducted)
    values = compute(channel, templates, {"fields": row["listing_fields"]}, row, stock.quantity)
    contents[row["listing_id"]] = values
    return {
        "id": row["id"],
        "wanted": dict(values.sync),
        "content": _expected(values.variant_content, row["accepted"]),
        "withheld": _withheld(_of_level(values, channel, Level.VARIANT)),
        "zero_cause": stock.zero_cause,
    }

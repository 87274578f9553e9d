"""Writes statements about listings set-based: what is new is inserted, what differs is updated.

A portion costs a constant number of SQL statements. Rows that already hold what is stated are not
touched: no new revision, nothing to plan again. Both the API and catalog imports write here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import OurField, Presence
from reconcile.stated import (
    Origin,
    StatedListing,
    StatedVariant,
    changed_names,
    merged,
    restated,
)
from reconcile.store.actions import mark_dirty
from reconcile.store.channels import Channel
from reconcile.store.counting import count_anew
from reconcile.store.keys import our_key


@dataclass(frozen=True, slots=True)
class StatedProblem:
    """Something stated that could not be written."""

    line: int
    sku: str
    code: str
    message: str
    position: int
    """Of the variant within its listing."""


@dataclass(slots=True)
class StatedResult:
    """What became of one stated listing."""

    listing_id: int | None = None
    """None: nothing of it could be written."""
    is_new: bool = False
    is_changed: bool = False
    variant_ids: list[int] = field(default_factory=list)
    """Of the variants it names, in their order."""
    problems: list[StatedProblem] = field(default_factory=list)


@dataclass(slots=True)
class _Variant:
    """A variant while statements are merged into it; without an id it is to be inserted."""

    id: int | None
    sku: str
    position: int
    fields: dict[str, Any]
    sources: dict[str, Any]
    options: list[list[str]]
    presence: str
    asserted: bool
    paused: bool
    link_key: str | None
    is_changed: bool = False
    is_counted: bool = False
    """Its own quantity was stated again, at the same number."""


@dataclass(slots=True)
class _Listing:
    """A listing while statements are merged into it."""

    id: int | None
    sku: str
    fields: dict[str, Any]
    sources: dict[str, Any]
    option_names: list[str]
    variants: dict[str, _Variant] = field(default_factory=dict)
    """By SKU."""
    is_changed: bool = False
    """Something of the listing itself."""


async def write_listings(
    conn: AsyncConnection, channel: Channel, stated: Sequence[StatedListing], origin: Origin
) -> list[StatedResult]:
    """Merge statements into the listings of a channel; one result per statement, in order."""
    # Whoever else states listings of this channel waits, so that both see each other's.
    await conn.execute(
        text("SELECT pg_advisory_xact_lock(1, CAST(:id AS integer))"), {"id": channel.id}
    )
    held = await _load(conn, channel.id, stated)
    results = [_merge(held, item, origin) for item in stated]
    pairs = [result for result in results if result.listing is not None]
    touched = {id(item.listing): item.listing for item in pairs if item.listing is not None}
    for listing in touched.values():
        _rekey(channel, listing)
    # Asked before inserting, which gives new rows their id and takes their mark.
    changed = [listing for listing in touched.values() if _is_dirty(listing)]
    await _insert(conn, channel.id, list(touched.values()))
    await _update(conn, list(touched.values()), origin)
    dirty = [listing.id for listing in changed if listing.id is not None]
    counted = [
        variant.id
        for listing in touched.values()
        for variant in listing.variants.values()
        if variant.is_counted and not variant.is_changed and variant.id is not None
    ]
    dirty += await count_anew(conn, counted, origin)
    if dirty:
        await mark_dirty(conn, channel.id, dirty, "Edited")
    return [item.finished() for item in results]


def _is_dirty(listing: _Listing) -> bool:
    return listing.is_changed or any(item.is_changed for item in listing.variants.values())


@dataclass(slots=True)
class _Merged:
    """One statement with the row it went into."""

    result: StatedResult
    listing: _Listing | None = None
    variants: list[_Variant] = field(default_factory=list)

    def finished(self) -> StatedResult:
        """The result once all rows have ids."""
        if self.listing is not None:
            self.result.listing_id = self.listing.id
            self.result.variant_ids = [item.id for item in self.variants if item.id is not None]
        return self.result


@dataclass(slots=True)
class _Held:
    """The rows that statements of a portion can be about."""

    by_id: dict[int, _Listing]
    by_sku: dict[str, _Listing]
    owner: dict[str, _Listing]
    """Listing by the SKU of one of its variants."""
    variants: dict[int, _Variant]


async def _load(conn: AsyncConnection, channel_id: int, stated: Sequence[StatedListing]) -> _Held:
    result = await conn.execute(
        text("""
SELECT id, sku, fields, sources, option_names FROM listings
WHERE channel_id = :channel_id AND id IN (
    SELECT id FROM listings WHERE channel_id = :channel_id AND sku = ANY(:skus)
    UNION ALL SELECT unnest(CAST(:ids AS bigint[]))
    UNION ALL SELECT listing_id FROM listing_variants
    WHERE channel_id = :channel_id AND sku = ANY(:variant_skus)
    UNION ALL SELECT listing_id FROM listing_variants
    WHERE channel_id = :channel_id AND id = ANY(:variant_ids))
ORDER BY id FOR UPDATE
"""),
        {
            "channel_id": channel_id,
            "skus": [item.sku for item in stated],
            "ids": [item.id for item in stated if item.id is not None],
            "variant_skus": [variant.sku for item in stated for variant in item.variants],
            "variant_ids": [
                variant.id for item in stated for variant in item.variants if variant.id is not None
            ],
        },
    )
    by_id = {
        row["id"]: _Listing(
            id=row["id"],
            sku=row["sku"],
            fields=row["fields"],
            sources=row["sources"],
            option_names=list(row["option_names"]),
        )
        for row in result.mappings()
    }
    held = _Held(by_id, {item.sku: item for item in by_id.values()}, {}, {})
    rows = await conn.execute(
        text("""
SELECT id, listing_id, position, sku, fields, sources, options, presence, asserted, paused, link_key
FROM listing_variants WHERE listing_id = ANY(:ids) ORDER BY id FOR UPDATE
"""),
        {"ids": list(by_id)},
    )
    for row in rows.mappings():
        listing, variant = by_id[row["listing_id"]], _held_variant(row)
        listing.variants[variant.sku] = variant
        held.owner[variant.sku] = listing
        held.variants[row["id"]] = variant
    return held


def _held_variant(row: RowMapping) -> _Variant:
    return _Variant(
        id=row["id"],
        sku=row["sku"],
        position=row["position"],
        fields=row["fields"],
        sources=row["sources"],
        options=[list(option) for option in row["options"]],
        presence=row["presence"],
        asserted=row["asserted"],
        paused=row["paused"],
        link_key=row["link_key"],
    )


def _merge(held: _Held, stated: StatedListing, origin: Origin) -> _Merged:
    merging = _Merged(StatedResult())
    listing = held.by_sku.get(stated.sku) if stated.id is None else held.by_id.get(stated.id)
    is_new = listing is None
    if listing is None:
        listing = _Listing(None, stated.sku, {}, {}, [])
    for position, variant in enumerate(stated.variants):
        found = _merge_variant(held, listing, variant, origin, merging.result, position)
        if found is not None:
            merging.variants.append(found)
    if is_new and not listing.variants:
        return merging
    if stated.sku != listing.sku:
        held.by_sku.pop(listing.sku, None)
        listing.sku, listing.is_changed = stated.sku, True
    held.by_sku[listing.sku] = listing
    _merge_fields(listing, stated, origin)
    merging.listing = listing
    merging.result.is_new = is_new
    merging.result.is_changed = is_new or _is_dirty(listing)
    return merging


def _merge_fields(listing: _Listing, stated: StatedListing, origin: Origin) -> None:
    after = merged(listing.fields, stated.fields)
    if names := changed_names(listing.fields, after):
        listing.sources = restated(listing.sources, names, after, origin)
        listing.fields, listing.is_changed = after, True
    if stated.option_names is not None:
        # Names that variants outside this statement use stay, behind the stated ones.
        used = {name for item in listing.variants.values() for name, _ in item.options}
        stated_names = list(stated.option_names)
        names = stated_names + [
            name for name in listing.option_names if name in used and name not in stated_names
        ]
        if names != listing.option_names:
            listing.option_names, listing.is_changed = names, True


def _merge_variant(
    held: _Held,
    listing: _Listing,
    stated: StatedVariant,
    origin: Origin,
    result: StatedResult,
    position: int,
) -> _Variant | None:
    owner = held.owner.get(stated.sku)
    variant = listing.variants.get(stated.sku)
    if stated.id is not None:
        variant = held.variants.get(stated.id)
        if variant is None or listing.variants.get(variant.sku) is not variant:
            message = f"There is no variant {stated.id} in listing {listing.sku}"
            result.problems.append(
                StatedProblem(stated.line, stated.sku, "NoSuchVariant", message, position)
            )
            return None
    if owner is not None and (owner is not listing or listing.variants[stated.sku] is not variant):
        message = f"SKU {stated.sku} belongs to listing {owner.sku}, not to {listing.sku}"
        code = "SkuUnderOtherParent" if owner is not listing else "DuplicateSku"
        result.problems.append(StatedProblem(stated.line, stated.sku, code, message, position))
        return None
    if variant is None:
        variant = _Variant(
            id=None,
            sku=stated.sku,
            position=len(listing.variants),
            fields={},
            sources={},
            options=[],
            presence=Presence.LISTED,
            asserted=False,
            paused=origin.pause_new,
            link_key=None,
            is_changed=True,
        )
    elif variant.sku != stated.sku:
        del listing.variants[variant.sku]
        held.owner.pop(variant.sku, None)
        variant.sku, variant.is_changed = stated.sku, True
    listing.variants[stated.sku] = variant
    held.owner[stated.sku] = listing
    _merge_values(variant, stated, origin)
    return variant


def _merge_values(variant: _Variant, stated: StatedVariant, origin: Origin) -> None:
    after = merged(variant.fields, stated.fields)
    if names := changed_names(variant.fields, after):
        variant.sources = restated(variant.sources, names, after, origin)
        variant.fields, variant.is_changed = after, True
    quantity = OurField.QUANTITY.value
    if stated.fields.get(quantity) is not None and quantity not in names:
        # Counted anew: what left before no longer counts, though the number is the same.
        variant.sources = restated(variant.sources, [quantity], after, origin)
        variant.is_counted = True
    if stated.options is not None:
        options = [list(option) for option in stated.options]
        if options != variant.options:
            variant.options, variant.is_changed = options, True
    if stated.presence is not None and (
        stated.presence != variant.presence or not variant.asserted
    ):
        variant.presence, variant.asserted, variant.is_changed = stated.presence, True, True
        variant.sources = {**variant.sources, "presence": origin.mark()}
    if stated.paused is not None and stated.paused != variant.paused:
        variant.paused, variant.is_changed = stated.paused, True


def _rekey(channel: Channel, listing: _Listing) -> None:
    shared = listing.fields if len(listing.variants) == 1 else {}
    for variant in listing.variants.values():
        key = our_key(channel.platform, channel.our_identifier, variant.sku, variant.fields, shared)
        if key != variant.link_key:
            variant.link_key, variant.is_changed = key, True


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()


def _listing_json(listing: _Listing) -> dict[str, Any]:
    return {
        "id": listing.id,
        "sku": listing.sku,
        "title": listing.fields.get(OurField.TITLE, ""),
        "fields": listing.fields,
        "sources": listing.sources,
        "option_names": listing.option_names,
    }


def _variant_json(listing: _Listing, variant: _Variant) -> dict[str, Any]:
    return {
        "id": variant.id,
        "listing_id": listing.id,
        "position": variant.position,
        "sku": variant.sku,
        "fields": variant.fields,
        "sources": variant.sources,
        "options": variant.options,
        "presence": variant.presence,
        "asserted": variant.asserted,
        "paused": variant.paused,
        "link_key": variant.link_key,
    }


_LISTING_RECORD = "id bigint, sku text, title text, fields jsonb, sources jsonb, option_names jsonb"
_VARIANT_RECORD = (
    "id bigint, listing_id bigint, position integer, sku text, fields jsonb, sources jsonb, "
    "options jsonb, presence text, asserted boolean, paused boolean, link_key text"
)


async def _insert(conn: AsyncConnection, channel_id: int, touched: Sequence[_Listing]) -> None:
    new = {listing.sku: listing for listing in touched if listing.id is None}
    if new:
        rows = [_listing_json(listing) for listing in new.values()]
        result = await conn.execute(
            text(f"""
INSERT INTO listings (channel_id, sku, title, fields, sources, option_names)
SELECT :channel_id, r.sku, r.title, r.fields, r.sources, r.option_names
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({_LISTING_RECORD})
RETURNING id, sku
"""),  # noqa: S608 - a constant of this module is put in
            {
                "channel_id": channel_id,
                "rows": _json([_listing_json(item) for item in new.values()]),
            },
        )
        for row in result:
            new[row.sku].id = row.id
            # All of it was written just now.
            new[row.sku].is_changed = False
    missing = {
        variant.sku: (listing, variant)
        for listing in touched
        for variant in listing.variants.values()
        if variant.id is None
    }
    if missing:
        rows = [_variant_json(listing, variant) for listing, variant in missing.values()]
        result = await conn.execute(
            text(f"""
INSERT INTO listing_variants (channel_id, listing_id, position, sku, fields, sources, options,
    presence, asserted, paused, link_key)
SELECT :channel_id, r.listing_id, r.position, r.sku, r.fields, r.sources, r.options, r.presence,
    r.asserted, r.paused, r.link_key
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({_VARIANT_RECORD})
RETURNING id, sku
"""),  # noqa: S608
            {"channel_id": channel_id, "rows": _json(rows)},
        )
        for row in result:
            missing[row.sku][1].id = row.id
            missing[row.sku][1].is_changed = False


async def _update(conn: AsyncConnection, touched: Sequence[_Listing], origin: Origin) -> None:
    listings = [_listing_json(listing) for listing in touched if listing.is_changed]
    if listings:
        # What the listing states counts for each of its variants.
        await conn.execute(
            text(f"""
WITH r AS (SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({_LISTING_RECORD})),
written AS (
    UPDATE listings l SET sku = r.sku, title = r.title, fields = r.fields, sources = r.sources,
        option_names = r.option_names, revision = l.revision + 1, updated_at = :at
    FROM r WHERE l.id = r.id)
UPDATE listing_variants v SET stale = true, revision = v.revision + 1
FROM r WHERE v.listing_id = r.id AND NOT v.stale
"""),  # noqa: S608
            {"rows": _json(listings), "at": origin.at},
        )
    variants = [
        _variant_json(listing, variant)
        for listing in touched
        for variant in listing.variants.values()
        if variant.is_changed
    ]
    if variants:
        await conn.execute(
            text(f"""
UPDATE listing_variants v SET sku = r.sku, fields = r.fields, sources = r.sources,
    options = r.options, presence = r.presence, asserted = r.asserted, paused = r.paused,
    link_key = r.link_key, stale = true, revision = v.revision + 1, updated_at = :at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({_VARIANT_RECORD})
WHERE v.id = r.id AND (v.sku, v.fields, v.options, v.presence, v.asserted, v.paused, v.link_key)
    IS DISTINCT FROM (r.sku, r.fields, r.options, r.presence, r.asserted, r.paused, r.link_key)
"""),  # noqa: S608
            {"rows": _json(variants), "at": origin.at},
        )

"""Random worlds as rows: a world of the core's strategies inserted into the real tables."""

from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import (
    Fields,
    Listing,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    Variant,
    Withheld,
)
from reconcile.core.world import World

CHANNEL_ID = 1
RUN_ID = 1

_CHANNEL = """
INSERT INTO channels (id, name, platform, credentials, account_id, currency, our_identifier,
    their_identifier)
VALUES (1, 'Main', 'double', '', 'account-main', 'EUR', 'sku', 'sku')
"""
_RUN = """
INSERT INTO runs (id, channel_id, operation, side, trigger)
VALUES (1, 1, 'SYNC_LISTINGS', 'LISTINGS', 'PERSON')
"""


async def insert_channel(conn: AsyncConnection) -> None:
    """The channel and the run that everything else hangs off."""
    await conn.execute(text(_CHANNEL))
    await conn.execute(text(_RUN))


def numbered(world: World) -> World:
    """The same world with ids as the tables have them; listings without variants left out.

    In the tables every listing has a variant: one without options has exactly one.
    """
    listings = []
    links = {}
    for number, listing in enumerate(world.listings, start=1):
        variants = []
        for position, variant in enumerate(listing.variants):
            new_id = f"{number}{position}"
            if variant.id in world.links:
                links[new_id] = world.links[variant.id]
            variants.append(replace(variant, id=new_id, sku=f"SKU-{new_id}"))
        if variants:
            listings.append(replace(listing, id=str(number), variants=tuple(variants)))
    return World(tuple(listings), world.mirror, links)


def _fields(values: Fields) -> dict[str, Any]:
    return dict(values)


def _withheld(items: tuple[Withheld, ...]) -> list[dict[str, str]]:
    return [{"field": item.field, "reason": item.reason, "message": item.message} for item in items]


def _product(number: int, product: RemoteListing) -> dict[str, Any]:
    return {
        "id": number,
        "channel_id": CHANNEL_ID,
        "remote_id": product.id,
        "title": product.title,
        "presence": product.presence,
        "content": _fields(product.content),
        "import_fields": _fields(product.import_fields),
        "aspects": {},
        "observed_at": "2026-01-01T00:00:00Z",
        "absent": False,
    }


def _object(number: int, product: int, row: RemoteVariant) -> dict[str, Any]:
    return {
        "id": number,
        "channel_id": CHANNEL_ID,
        "remote_listing_id": product,
        "parent": row.ref.listing,
        "variant": row.ref.variant or "",
        "sku": row.sku,
        "presence": row.presence,
        "seen": _fields(row.seen),
        "content": _fields(row.content),
        "identifiers": dict(row.identifiers),
        "link_key": row.identifiers.get("sku"),
        "options": [list(option) for option in row.options],
        "import_fields": _fields(row.import_fields),
        "aspects": {},
        "unsellable": row.unsellable,
        "absent": row.absent,
        "gone": row.gone,
        "observed_at": "2026-01-01T00:00:00Z",
        "revision": 1,
    }


def _listing(listing: Listing) -> dict[str, Any]:
    return {
        "id": int(listing.id),
        "channel_id": CHANNEL_ID,
        "sku": f"LISTING-{listing.id}",
        "title": listing.title,
        "fields": _fields(listing.own),
        "sources": {},
        "option_names": list(listing.option_names),
        "content": _fields(listing.content),
        "withheld": _withheld(listing.withheld),
        "accepted": {},
        "media": {},
        "revision": listing.revision,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def _variant(
    listing: Listing, position: int, variant: Variant, remote_id: int | None
) -> dict[str, Any]:
    return {
        "id": int(variant.id),
        "channel_id": CHANNEL_ID,
        "listing_id": int(listing.id),
        "position": position,
        "sku": variant.sku,
        "fields": _fields(variant.own),
        "sources": {},
        "options": [list(option) for option in variant.options],
        "presence": variant.presence,
        "asserted": variant.asserted,
        "paused": variant.paused,
        "link_state": variant.link,
        "link_hold": variant.link_hold,
        "link_key": variant.link_key,
        "remote_variant_id": remote_id,
        "kept": None if variant.kept is None else _fields(variant.kept),
        "was": variant.was,
        "wanted": _fields(variant.wanted),
        "content": _fields(variant.content),
        "withheld": _withheld(variant.withheld),
        "accepted": {},
        "zero_cause": variant.zero_cause,
        "stale": False,
        "flagged": False,
        "revision": variant.revision,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def _busy(object_id: str, group: str, state: str) -> dict[str, Any]:
    return {
        "channel_id": CHANNEL_ID,
        "run_id": RUN_ID,
        "kind": "SYNC",
        "object_id": object_id,
        "write_group": group,
        "key": f"{object_id}:{group}",
        "input_hash": "",
        "lane": 1,
        "state": state,
        "reason": "Differs",
        "message": "",
    }


async def _insert(conn: AsyncConnection, table: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    names = ", ".join(rows[0])
    await conn.execute(
        text(
            f"INSERT INTO {table} ({names}) SELECT {names} "  # noqa: S608 - names of this module
            f"FROM jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb))"
        ),
        {"rows": orjson.dumps(rows).decode()},
    )


async def insert_world(conn: AsyncConnection, world: World) -> None:
    """Insert a numbered world; a handful of statements, whatever its size."""
    objects: dict[RemoteRef, int] = {}
    products = []
    object_rows = []
    for number, product in enumerate(world.mirror, start=1):
        products.append(_product(number, product))
        for row in product.variants:
            objects[row.ref] = len(objects) + 1
            object_rows.append(_object(objects[row.ref], number, row))
    await _insert(conn, "remote_listings", products)
    await _insert(conn, "remote_variants", object_rows)
    await _insert(conn, "listings", [_listing(listing) for listing in world.listings])
    variants = []
    busy = []
    failures = []
    for listing in world.listings:
        held = [(f"listing:{listing.id}", listing.busy, listing.failures)]
        for position, variant in enumerate(listing.variants):
            ref = world.links.get(variant.id)
            remote_id = None if ref is None else objects.get(ref)
            variants.append(_variant(listing, position, variant, remote_id))
            held.append((f"variant:{variant.id}", variant.busy, variant.failures))
        for object_id, states, failed in held:
            busy += [_busy(object_id, group, state) for group, state in states.items()]
            failures += [
                {
                    "channel_id": CHANNEL_ID,
                    "object_id": object_id,
                    "action": failure.action,
                    "write_group": f"group {number}",
                    "input_hash": failure.input_hash,
                    "reason": failure.reason,
                    "message": failure.message,
                }
                for number, failure in enumerate(failed)
            ]
    await _insert(conn, "listing_variants", variants)
    await _insert(conn, "actions", busy)
    await _insert(conn, "failures", failures)

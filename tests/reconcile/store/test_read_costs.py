"""What a page costs PostgreSQL does not grow with what is stored, only with what is shown."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.deps import Deps
from reconcile.stated import StatedListing, StatedVariant
from reconcile.store import stating
from reconcile.store.action_reads import ActionFilter, list_actions
from reconcile.store.attempts import (
    AttemptFilter,
    attempt_pages,
    attempts_by_action,
    list_attempts,
)
from reconcile.store.conditions import ConditionFilter, attention_counts, list_conditions
from reconcile.store.items import ItemFilter, list_items
from reconcile.store.listings import (
    ListingFilter,
    count_listings,
    find_listing,
    list_listings,
    listing_summaries,
    variants_by_sku,
    variants_pages,
)
from reconcile.store.remotes import RemoteFilter, list_remote_variants
from tests.reconcile.commands.shop import Shop

pytestmark = pytest.mark.anyio

OBJECTS = 20_000
MOST_BLOCKS = 320
"""Of 8 kB; reading one of the tables through takes more."""

FILL = (
    """INSERT INTO listings (id, channel_id, sku, title)
       SELECT i, :channel, 'P-' || i, 'Title ' || i FROM generate_series(1, :objects) i""",
    """INSERT INTO remote_listings (id, channel_id, remote_id, presence, observed_at)
       SELECT i, :channel, i, 'LISTED', now() FROM generate_series(1, :objects) i""",
    """INSERT INTO remote_variants (id, channel_id, remote_listing_id, parent, sku, presence,
           seen, identifiers, link_key, observed_at)
       SELECT i, :channel, i, i, 'S-' || i, 'LISTED', '{"price": "9.9"}', '{}', 'S-' || i, now()
       FROM generate_series(1, :objects) i""",
    """INSERT INTO listing_variants (id, channel_id, listing_id, sku, link_state, link_key,
           remote_variant_id, wanted, stale)
       SELECT i, :channel, i, 'S-' || i, 'LINKED', 'S-' || i, i, '{"price": "9.9"}', false
       FROM generate_series(1, :objects) i""",
    """INSERT INTO items (sku, stated) SELECT 'S-' || i, 1 FROM generate_series(1, :objects) i""",
    """INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, message)
       SELECT :channel, 'variant', i, 'SYNC_LISTINGS',
              CASE WHEN i % 1000 = 0 THEN 'ATTENTION' ELSE 'WAITING' END,
              CASE WHEN i % 1000 = 0 THEN 'Rejected' ELSE 'Paused' END, 'm'
       FROM generate_series(1, :objects) i""",
    """INSERT INTO runs (id, channel_id, operation, side, trigger)
       SELECT i, :channel, 'SYNC_LISTINGS', 'LISTINGS', 'PERSON' FROM generate_series(1, 201) i""",
    """INSERT INTO actions (id, channel_id, run_id, kind, object_id, write_group, listing_id,
           variant_id, key, input_hash, lane, state, reason, message)
       SELECT i, :channel, 1 + i / 100, 'SYNC', 'variant:' || i, 'price', i, i, 'k', 'h', 1,
              'APPLIED', 'Differs', 'm' FROM generate_series(1, :objects) i""",
    """INSERT INTO attempts (channel_id, run_id, action_ids, at, method, url, milliseconds)
       SELECT :channel, 1 + i / 100, ARRAY[i], now(), 'POST', '/', 5
       FROM generate_series(1, :objects) i""",
)

Read = Callable[[AsyncConnection, int], Awaitable[Any]]


def _listings(**where: Any) -> Read:
    return lambda conn, channel: list_listings(
        conn, ListingFilter(channel_id=channel, **where), None, 50
    )


READS: dict[str, Read] = {
    "a page": _listings(),
    "a SKU": _listings(sku="S-15000"),
    "a prefix": _listings(sku_prefix="S-1500"),
    "no such prefix": _listings(sku_prefix="ZZ"),
    "attention": _listings(needs_attention=True),
    "no attention": _listings(needs_attention=False),
    "a reason": _listings(reason="Rejected"),
    "no such reason": _listings(reason="Nope"),
    "how many need attention": lambda conn, channel: count_listings(
        conn, ListingFilter(channel_id=channel, needs_attention=True)
    ),
    "a listing": lambda conn, channel: find_listing(conn, channel, "S-15000"),
    "variants": lambda conn, _: variants_pages(conn, range(15000, 15050), None, 25),
    "summaries": lambda conn, _: listing_summaries(conn, range(15000, 15050)),
    "variants of SKUs": lambda conn, _: variants_by_sku(conn, [f"S-{n}" for n in range(50)]),
    "actions of a listing": lambda conn, _: list_actions(
        conn, ActionFilter(listing_id=15000), None, 50
    ),
    "actions of a variant": lambda conn, _: list_actions(
        conn, ActionFilter(variant_id=15000), None, 50
    ),
    "attempts of a run": lambda conn, _: list_attempts(conn, AttemptFilter(run_id=7), None, 50),
    "attempts of runs": lambda conn, _: attempt_pages(conn, range(1, 26), None, 5),
    "attempts of an action": lambda conn, _: list_attempts(
        conn, AttemptFilter(action_id=7), None, 50
    ),
    "attempts of actions": lambda conn, _: attempts_by_action(conn, range(1, 51)),
    "what needs a person": lambda conn, channel: list_conditions(
        conn, ConditionFilter(channel_id=channel, status="ATTENTION"), None, 50
    ),
    "why": lambda conn, channel: attention_counts(conn, [channel]),
    "a remote SKU": lambda conn, channel: list_remote_variants(
        conn, RemoteFilter(channel, sku="S-15000"), None, 50
    ),
    "what a portion of a file is about": lambda conn, channel: stating._load(
        conn, channel, [StatedListing("P-15000", {}, None, [StatedVariant("S-15001")])]
    ),
    "items": lambda conn, _: list_items(conn, ItemFilter(sku_prefix="S-1500"), None, 50),
}


async def test_pages_read_what_they_show(shop: Shop) -> None:
    """Each read visits a bounded number of blocks among tens of thousands of objects."""
    async with shop.deps.engine.connect() as conn:
        for statement in FILL:
            given = {"channel": shop.channel_id, "objects": OBJECTS}
            names = {name: given[name] for name in given if f":{name}" in statement}
            await conn.execute(text(statement), names)
        await conn.commit()
    analyzing = shop.deps.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with analyzing.connect() as conn:
        await conn.execute(text("VACUUM ANALYZE"))

    costs = {name: await _blocks(shop.deps, read, shop.channel_id) for name, read in READS.items()}

    assert {name: cost for name, cost in costs.items() if cost > MOST_BLOCKS} == {}


async def _blocks(deps: Deps, read: Read, channel_id: int) -> int:
    """How many blocks of tables and indexes the statements of a read look at."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    async with deps.engine.connect() as conn:
        event.listen(deps.engine.sync_engine, "before_cursor_execute", note)
        try:
            await read(conn, channel_id)
        finally:
            event.remove(deps.engine.sync_engine, "before_cursor_execute", note)
        blocks = 0
        for statement, parameters in seen:
            told = await conn.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters
            )
            plan = told.scalar_one()[0]["Plan"]
            blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return blocks

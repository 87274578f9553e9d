"""Commands and the runtime lock the same rows; none of them waits for another in a circle."""

import asyncio

import pytest
from sqlalchemy import text

from reconcile.commands.channels import ChannelEdit, edit
from reconcile.commands.items import Statement, StatementOutcome, set_quantities
from reconcile.store.actions import mark_dirty
from tests.reconcile.commands.shop import Shop

pytestmark = pytest.mark.anyio


async def _until_someone_waits(shop: Shop) -> None:
    question = text("""
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
""")
    for _ in range(200):
        async with shop.deps.engine.connect() as conn:
            waiting = await conn.execute(question)
            if waiting.scalar_one():
                return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


async def test_editing_a_channel_lets_who_has_its_variants_write(shop: Shop) -> None:
    """An edit that waits for a variant does not keep its owner from marking the listing dirty."""
    listing_id = await shop.listing("MUG", "9.90")
    async with shop.deps.engine.begin() as conn:
        await conn.execute(text("UPDATE listing_variants SET stale = false"))

    async with shop.deps.engine.begin() as conn:
        await conn.execute(text("SELECT id FROM listing_variants FOR UPDATE"))
        editing = asyncio.create_task(
            edit(shop.deps, shop.channel_id, ChannelEdit(buffer=2), by="test")
        )
        await _until_someone_waits(shop)
        await conn.execute(text("SET LOCAL lock_timeout = '2s'"))
        await mark_dirty(conn, shop.channel_id, [listing_id], "Edited")
    await asyncio.wait_for(editing, 5)

    assert (await shop.channel()).buffer == 2


async def test_an_older_statement_that_loses_a_race_is_told_so(shop: Shop) -> None:
    """Two state a new SKU at once: the older one, which had to wait, gets the item and OLDER."""
    now = shop.clock()
    async with shop.deps.engine.begin() as conn:
        await conn.execute(
            text("INSERT INTO items (sku, stated, as_of) VALUES ('MUG', 7, :at)"), {"at": now}
        )
        stating = asyncio.create_task(
            set_quantities(
                shop.deps, [Statement("MUG", 3, now.replace(year=now.year - 1))], by="test"
            )
        )
        await _until_someone_waits(shop)
    (result,) = await asyncio.wait_for(stating, 5)

    assert result.outcome is StatementOutcome.OLDER
    assert result.item_id > 0

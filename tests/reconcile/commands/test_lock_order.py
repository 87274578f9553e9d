"""Commands and the runtime lock the same rows; none of them waits for another in a circle."""

import asyncio

import pytest
from sqlalchemy import text

from reconcile.commands.channels import ChannelEdit, edit
from reconcile.commands.items import Statement, StatementOutcome, set_quantities
from reconcile.commands.mappings import set_mapping
from reconcile.commands.operations import configure
from reconcile.commands.order_changes import queue_change
from reconcile.commands.orders import NewShipment, ship
from reconcile.core.types import Operation
from reconcile.store.actions import mark_dirty
from tests.order_double import line
from tests.reconcile.commands.order_shop import flags, see, sell, take_in
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


async def test_another_filter_waits_for_who_has_an_order(order_shop: Shop) -> None:
    """Who holds an order queues its run meanwhile, though the channel is being configured."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    await see(shop, sell(shop, line("1", "MUG")))
    async with shop.deps.engine.begin() as conn:
        await conn.execute(text("SELECT id FROM remote_orders ORDER BY id FOR UPDATE"))
        setting = {"statuses": "open,pending"}
        configuring = asyncio.create_task(
            configure(shop.deps, shop.channel_id, Operation.GET_ORDERS, settings=setting, by="test")
        )
        await _until_someone_waits(shop)
        shipping = asyncio.create_task(
            ship(shop.deps, NewShipment(order_id, tracking_number="T"), by="test")
        )
        await conn.execute(text("SET LOCAL lock_timeout = '2s'"))
        await queue_change(conn, shop.channel_id, Operation.SYNC_ORDERS)
    await asyncio.wait_for(asyncio.gather(configuring, shipping), 10)
    assert (await flags(shop, order_id))[1]


async def test_a_mapping_reaches_an_order_that_is_being_decided(order_shop: Shop) -> None:
    """A run that decided without it and takes the mark away meanwhile does not lose it."""
    shop = order_shop
    (remote_id,) = await see(shop, sell(shop, line("1", "MUG")))
    async with shop.deps.engine.begin() as conn:
        await conn.execute(text("SELECT id FROM remote_orders FOR UPDATE"))
        mapping = asyncio.create_task(
            set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="test")
        )
        await _until_someone_waits(shop)
        await conn.execute(text("UPDATE remote_orders SET verdict = 'HELD', decide = false"))
    await asyncio.wait_for(mapping, 10)
    rows = await shop.rows("SELECT id FROM remote_orders WHERE decide")
    assert [row["id"] for row in rows] == [remote_id]

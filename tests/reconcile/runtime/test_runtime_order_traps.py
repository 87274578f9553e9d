"""What could be lost, doubled or left lying between the two operations over orders."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.mappings import remove_mapping, set_mapping
from reconcile.contract import Effect, Gone, RejectedOrder
from reconcile.core.remote_order_types import RemoteFulfillment, ShippingText
from reconcile.core.types import RemoteRef
from reconcile.store import order_marks, order_mirror
from reconcile.store.channels import load_channel, load_operations
from reconcile.store.deductions import resolve_again
from reconcile.wanted import refresh_wanted
from tests.order_double import line, seen
from tests.reconcile.runtime.order_stage import GET, SEND, OrderStage, order_stage
from tests.store_double import timed_out

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(engine: AsyncEngine) -> OrderStage:
    """A connected shop with one shipping method mapped."""
    made = order_stage(engine)
    await made.open()
    return made


async def _pause(shop: OrderStage, operation: str, *, paused: bool) -> None:
    await shop.stage.change(
        "UPDATE operations SET paused = :paused WHERE operation = :operation",
        paused=paused,
        operation=operation,
    )


async def test_a_shipment_goes_when_the_hold_ends_after_its_plan(shop: OrderStage) -> None:
    """SYNC_ORDERS saw the mended order before GET_ORDERS did: the shipment is not left lying."""
    order = shop.order(line("1", "A", 3))
    await shop.get()
    await shop.ship(order, {"1": 1})
    await shop.settle()
    await _pause(shop, SEND, paused=True)
    await shop.ship(order, {"1": 1}, tracking_number="TRACK2")
    shop.touch(order, lines=[line("1", "A", 4)])
    await shop.get()
    assert (await shop.ours(order))["hold_code"] == "ChangedAfterShipment"
    await _pause(shop, SEND, paused=False)
    shop.touch(order, lines=[line("1", "A", 3)])
    await shop.send(full=True)
    assert len(order.notes) == 1, "still on hold, as far as was decided"
    await shop.get()
    assert (await shop.ours(order))["hold_code"] is None
    await shop.send()
    assert len(order.notes) == 2


async def test_an_order_shipped_there_is_closed_whoever_looks_first(shop: OrderStage) -> None:
    """What GET_ORDERS records as shipped there is looked at by SYNC_ORDERS once more."""
    await shop.settings(SEND, complete=True)
    order = shop.order(line("1", "A", 2))
    await shop.get()
    shop.touch(order, fulfillments=[RemoteFulfillment("f1", {"1": 2})])
    await shop.send(full=True)
    await shop.get()
    assert (await shop.ours(order))["status"] == "SHIPPED"
    await shop.send()
    assert order.status == "completed"


async def test_a_mapping_taken_away_leaves_what_was_imported_with_it(shop: OrderStage) -> None:
    """An untouched order follows the channel, and keeps its shipping policy all the same."""
    order = shop.order(line("1", "A", 2))
    await shop.get()
    await remove_mapping(shop.stage.deps, shop.channel_id, "ground", by="test")
    shop.touch(order, lines=[line("1", "A", 3)])
    await shop.get()
    ours = await shop.ours(order)
    assert (ours["shipping_key"], ours["shipping_policy"]) == ("ground", "Standard")


async def test_another_method_gets_its_policy_once_mapped(shop: OrderStage) -> None:
    """An imported order that now goes another way has no policy until that way is mapped."""
    order = shop.order(line("1", "A", 2))
    await shop.get()
    shop.touch(order, shipping=(ShippingText(("drone",), "By drone"),))
    await shop.get()
    assert (await shop.ours(order))["shipping_policy"] is None
    await set_mapping(shop.stage.deps, shop.channel_id, "drone", "Air", by="test")
    await shop.settle()
    assert (await shop.ours(order))["shipping_policy"] == "Air"


async def test_an_unlinked_line_stays_deducted(shop: OrderStage) -> None:
    """A line without a SKU was imported by its link; the link goes, and the sale does not."""
    await shop.stage.offer("MUG", "10", 12)
    await shop.stage.change(
        "INSERT INTO remote_listings (channel_id, remote_id, presence, observed_at)"
        " VALUES (:id, 'p1', 'LISTED', now())",
        id=shop.channel_id,
    )
    await shop.stage.change(
        "INSERT INTO remote_variants (channel_id, remote_listing_id, parent, presence, observed_at)"
        " SELECT channel_id, id, remote_id, 'LISTED', now() FROM remote_listings"
    )
    await shop.stage.change(
        "UPDATE listing_variants SET link_state = 'LINKED',"
        " remote_variant_id = (SELECT id FROM remote_variants)"
    )
    order = shop.order(line("1", None, 3, ref=RemoteRef("p1")))
    await shop.get()
    assert (await shop.ours(order))["status"] == "OPEN"
    units = "SELECT coalesce(sum(units), 0) FROM deductions WHERE sku = 'MUG'"
    assert await shop.stage.value(units) == 3
    await shop.stage.change(
        "UPDATE listing_variants SET link_state = 'UNLINKED', remote_variant_id = NULL"
    )
    shop.touch(order, note="Ring twice")
    await shop.get()
    assert await shop.stage.value(units) == 3
    async with shop.stage.deps.engine.connect() as conn:
        assert await resolve_again(conn, shop.channel_id) == ()


async def test_links_are_followed_in_portions(shop: OrderStage) -> None:
    """Linking a catalog concerns every open order; a SKU of blanks is none, and never settles."""
    for _ in range(3):
        shop.order(line("1", "A"), line("2", "  "))
    await shop.get()
    async with shop.stage.deps.engine.connect() as conn:
        assert await resolve_again(conn, shop.channel_id) == ()
    await shop.stage.change("UPDATE deductions SET sku = 'B'")
    async with shop.stage.deps.engine.connect() as conn:
        found = await resolve_again(conn, shop.channel_id)
        assert await resolve_again(conn, shop.channel_id, limit=2) == found[:2]
        assert await resolve_again(conn, shop.channel_id, found[1], 2) == found[2:]
    await shop.get()
    assert await shop.stage.value("SELECT count(*) FROM deductions WHERE sku = 'A'") == 3


async def test_what_stays_unreadable_lets_others_be_looked_at(engine: AsyncEngine) -> None:
    """It was looked at all the same; and an order that is there again is gone no more."""
    shop = order_stage(engine)
    await shop.open()
    order = shop.order(line("1", "A", 2))
    await shop.get()
    now = shop.stage.clock()
    rejected = [RejectedOrder(order.id, order.number, "no total")]
    async with engine.begin() as conn:
        await order_mirror.keep_rejected(conn, shop.channel_id, rejected, now)
        await order_mirror.mark_gone(
            conn, shop.channel_id, {order.id: Gone("InTrash", "thrown away")}, now
        )
        at = now + timedelta(hours=7)
        await order_mirror.keep_rejected(conn, shop.channel_id, rejected, at)
    (row,) = await shop.stage.rows("SELECT * FROM remote_orders")
    assert (row["observed_at"], row["gone"]) == (at, None)
    assert row["decide"]


async def test_two_pages_at_once_wait_for_each_other_in_no_circle(shop: OrderStage) -> None:
    """Both sides of a channel take in the same new orders, each in the order it got them."""
    engine, now = shop.stage.deps.engine, shop.stage.clock()
    first, second = (seen(shop.order(line("1", "A"), days_ago=days)) for days in (2, 1))

    async def take() -> None:
        async with engine.begin() as conn:
            await order_mirror.observe(conn, shop.channel_id, [second, first], now)

    async with engine.begin() as conn:
        await order_mirror.observe(conn, shop.channel_id, [first], now)
        taking = asyncio.create_task(take())
        await asyncio.sleep(0.3)
        await conn.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
        await order_mirror.observe(conn, shop.channel_id, [second], now)
    await asyncio.wait_for(taking, 5)
    assert await shop.stage.value("SELECT count(*) FROM remote_orders") == 2


async def test_a_full_run_starts_beside_a_page(shop: OrderStage) -> None:
    """Marking everything that is unfinished locks orders in the order in which pages do."""
    engine = shop.stage.deps.engine
    orders = [shop.order(line("1", "A")) for _ in range(3)]
    await shop.get()
    # Rows that were written again stand behind the others on disk.
    await shop.stage.change(
        "UPDATE remote_orders SET message = repeat('x', 3000) WHERE remote_id = :id",
        id=orders[0].id,
    )
    ids = [row["id"] for row in await shop.stage.rows("SELECT id FROM remote_orders ORDER BY id")]

    async def mark() -> None:
        async with engine.begin() as conn:
            await order_marks.flag_unfinished(conn, shop.channel_id, GET)

    async with engine.begin() as conn:
        await conn.execute(
            text("SELECT id FROM remote_orders WHERE id = :id FOR UPDATE"), {"id": ids[0]}
        )
        marking = asyncio.create_task(mark())
        await asyncio.sleep(0.3)
        await conn.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
        await conn.execute(
            text("SELECT id FROM remote_orders WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"),
            {"ids": ids},
        )
    await asyncio.wait_for(marking, 5)


async def test_a_read_that_finds_some_gone_waits_in_no_circle(shop: OrderStage) -> None:
    """What is there and what is gone is locked together, in the order in which pages lock."""
    engine = shop.stage.deps.engine
    first, second = shop.order(line("1", "A")), shop.order(line("1", "A"))
    shop.stage.clock.advance(timedelta(hours=1))
    await shop.get()
    first.status = "trash"
    ids = [row["id"] for row in await shop.stage.rows("SELECT id FROM remote_orders ORDER BY id")]
    # No poll has shown them lately: both are read by their ids.
    shop.stage.clock.advance(timedelta(hours=7))
    await shop.stage.ask(GET)
    async with engine.begin() as conn:
        await conn.execute(
            text("SELECT id FROM remote_orders WHERE id = :id FOR UPDATE"), {"id": ids[0]}
        )
        reading = asyncio.create_task(shop.settle())
        await asyncio.sleep(0.5)
        await conn.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
        await conn.execute(
            text("SELECT id FROM remote_orders WHERE id = :id FOR UPDATE"), {"id": ids[1]}
        )
    await asyncio.wait_for(reading, 10)
    assert (await shop.ours(first))["status"] == "CANCELED"
    assert (await shop.ours(second))["status"] == "OPEN"


async def test_nothing_goes_to_an_order_nobody_understands_any_more(shop: OrderStage) -> None:
    """It was planned while the order was readable; what came between stops it, and it is kept."""
    order = shop.order(line("1", "A"))
    await shop.get()
    shop.store.fail(timed_out(effect=Effect.NONE), "fulfill")
    await shop.ship(order)
    await shop.settle()
    async with shop.stage.deps.engine.begin() as conn:
        await order_mirror.keep_rejected(
            conn,
            shop.channel_id,
            [RejectedOrder(order.id, order.number, "no total")],
            shop.stage.clock(),
        )
    shop.stage.clock.advance(timedelta(minutes=5))
    await shop.settle()
    assert order.notes == []
    assert await shop.shipments(order) == [("OURS", "RECORDED")]
    shop.touch(order)
    await shop.get()
    await shop.send()
    assert len(order.notes) == 1


async def test_wanted_values_wait_for_edits_in_no_circle(shop: OrderStage) -> None:
    """Who edits has the listing and then its variants; so has who works out what is wanted."""
    stage = shop.stage
    listing_id = await stage.offer("MUG", "10", 5)

    async def refresh() -> int:
        async with stage.deps.engine.begin() as conn:
            channel = await load_channel(conn, stage.deps, stage.channel_id)
            assert channel is not None
            return await refresh_wanted(conn, channel, await load_operations(conn, channel), 10)

    async with stage.deps.engine.begin() as conn:
        given = {"id": listing_id}
        await conn.execute(text("SELECT id FROM listings WHERE id = :id FOR UPDATE"), given)
        refreshing = asyncio.create_task(refresh())
        await asyncio.sleep(0.3)
        await conn.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
        await conn.execute(
            text("SELECT id FROM listing_variants WHERE listing_id = :id FOR UPDATE"), given
        )
    assert await asyncio.wait_for(refreshing, 5) == 1
    assert (await stage.variant("MUG")).wanted["quantity"] == 5


async def test_a_fulfillment_shown_twice_is_one(shop: OrderStage) -> None:
    """Two of one id would stop every order of the run, and count units twice."""
    twice = RemoteFulfillment("f1", {"1": 1})
    order = shop.order(line("1", "A", 2), fulfillments=[twice, twice])
    other = shop.order(line("1", "A"))
    await shop.get()
    assert (await shop.ours(order))["status"] == "PARTIALLY_SHIPPED"
    assert await shop.shipments(order) == [("CHANNEL", "PUSHED")]
    assert (await shop.ours(other))["status"] == "OPEN"

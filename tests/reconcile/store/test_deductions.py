"""Deductions follow the orders, and set the other channels going when it matters to them."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, text

from reconcile.commands.channels import NewChannel, connect
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.operations import Interval, schedule
from reconcile.core.remote_order_types import OrderStage
from reconcile.core.types import Operation
from reconcile.store.deduction_reads import (
    deducted_now,
    deducted_of_items,
    deduction_pages,
    deductions_of_item,
)
from reconcile.store.deductions import Rewritten, release_channel, resolve_again
from tests.reconcile.commands.shop import Shop
from tests.reconcile.store.sold import at, deduct, import_order, line, order, see, sell, ship

pytestmark = pytest.mark.anyio

SYNC = Operation.SYNC_LISTINGS


@dataclass
class Town:
    """Two channels, each with a listing of MUG; 12 are stated on hand as of T0."""

    shop: Shop
    main: int
    market: int

    async def sell(self, *orders: Any, hours: float = 1) -> Rewritten:
        """The main channel shows orders."""
        return await sell(self.shop.deps.engine, self.main, *orders, hours=hours)

    async def rows(self) -> list[tuple[str, int, datetime | None]]:
        """What is deducted: SKU, units, when they left."""
        found = await self.shop.rows(
            "SELECT sku, units, left_at FROM deductions ORDER BY sku, left_at NULLS FIRST, units"
        )
        return [(row["sku"], row["units"], row["left_at"]) for row in found]

    async def stale(self) -> set[int]:
        """The channels with a variant whose wanted values have to be worked out."""
        found = await self.shop.rows("SELECT channel_id FROM listing_variants WHERE stale")
        return {row["channel_id"] for row in found}

    async def deducted(self, sku: str = "MUG") -> int:
        """Units that are taken off now."""
        async with self.shop.deps.engine.connect() as conn:
            return (await deducted_now(conn, [sku])).get(sku, 0)

    async def queued(self) -> list[tuple[int, str]]:
        """The runs that wait to start: channel and trigger."""
        found = await self.shop.rows("SELECT * FROM runs WHERE state = 'QUEUED' ORDER BY id")
        return [(row["channel_id"], row["trigger"]) for row in found]


@pytest.fixture
async def town(shop: Shop) -> Town:
    """Return two channels that both sell MUG, at rest."""
    main = shop.channel_id
    await shop.listing("MUG", "9.90")
    other = NewChannel("Market", "double", {"store": "other", "secret": "right"})
    market = shop.channel_id = await connect(shop.deps, other, by="test")
    await shop.listing("MUG", "9.90")
    shop.channel_id = main
    await set_quantities(shop.deps, [Statement("MUG", 12, at(0))], by="test")
    await shop.settle()
    return Town(shop, main, market)


async def test_a_sale_is_deducted_and_both_channels_are_due(town: Town) -> None:
    """An order that was seen lowers what every channel with its SKU is told."""
    result = await town.sell(order("1001", line("MUG", 2)))
    assert result.skus == ("MUG",)
    assert await town.rows() == [("MUG", 2, None)]
    assert await town.deducted() == 2
    assert await town.stale() == {town.main, town.market}
    assert len(await town.shop.dirty()) == 2


async def test_seen_again_changes_nothing(town: Town) -> None:
    """The same order once more writes nothing and makes nothing due."""
    await town.sell(order("1001", line("MUG", 2)))
    await town.shop.settle()
    (before,) = await town.shop.rows("SELECT * FROM deductions")
    assert await town.sell(order("1001", line("MUG", 2)), hours=2) == Rewritten()
    assert await town.shop.rows("SELECT * FROM deductions") == [before]
    assert await town.stale() == set()


async def test_what_leaves_after_the_statement_changes_nothing(town: Town) -> None:
    """Units that leave later than they were counted are deducted as before; nobody is due."""
    (remote_id,) = await see(town.shop.deps.engine, town.main, order("1001", line("MUG", 3)))
    await deduct(town.shop.deps.engine, town.main, [remote_id])
    order_id = await import_order(town.shop.deps.engine, remote_id)
    await town.shop.settle()
    await ship(town.shop.deps.engine, order_id, {"1": 2}, hours=5)
    assert await deduct(town.shop.deps.engine, town.main, [remote_id]) == Rewritten()
    assert await town.rows() == [("MUG", 1, None), ("MUG", 2, at(5))]
    assert await town.deducted() == 3
    assert await town.stale() == set()


async def test_what_had_left_before_the_statement_is_no_longer_deducted(town: Town) -> None:
    """A shipment that was told late lay before the count: its units were counted as gone."""
    sold = order("1001", line("MUG", 3), hours=-9)
    (remote_id,) = await see(town.shop.deps.engine, town.main, sold)
    await deduct(town.shop.deps.engine, town.main, [remote_id])
    order_id = await import_order(town.shop.deps.engine, remote_id)
    await town.shop.settle()
    await ship(town.shop.deps.engine, order_id, {"1": 2}, hours=-5)
    result = await deduct(town.shop.deps.engine, town.main, [remote_id])
    assert result.skus == ("MUG",)
    assert await town.deducted() == 1
    assert await town.stale() == {town.main, town.market}


async def test_nothing_leaves_before_it_was_ordered(town: Town) -> None:
    """A shipment dated before its order, and before the statement, raises no quantity."""
    engine = town.shop.deps.engine
    (remote_id,) = await see(engine, town.main, order("1001", line("MUG", 2), hours=3))
    await deduct(engine, town.main, [remote_id])
    order_id = await import_order(engine, remote_id)
    await ship(engine, order_id, {"1": 2}, hours=-48)
    assert await deduct(engine, town.main, [remote_id]) == Rewritten()
    assert await town.rows() == [("MUG", 2, at(3))]
    assert await town.deducted() == 2


async def test_a_canceled_order_gives_its_units_back(town: Town) -> None:
    """What was canceled is for sale again everywhere."""
    await town.sell(order("1001", line("MUG", 2)))
    await town.shop.settle()
    gone = order("1001", line("MUG", 2), stage=OrderStage.CANCELED, status="cancelled")
    assert (await town.sell(gone, hours=2)).skus == ("MUG",)
    assert await town.rows() == []
    assert await town.stale() == {town.main, town.market}


async def test_a_line_that_changes(town: Town) -> None:
    """More units, another SKU: what is deducted is what the order says now."""
    await town.sell(order("1001", line("MUG", 2)))
    assert (await town.sell(order("1001", line("MUG", 3)), hours=2)).skus == ("MUG",)
    assert await town.rows() == [("MUG", 3, None)]
    await town.shop.settle()
    # Nobody has stated CUP: nothing there is told another quantity.
    assert (await town.sell(order("1001", line("CUP", 3)), hours=3)).skus == ("MUG",)
    assert await town.rows() == [("CUP", 3, None)]


async def test_net_of_orders(town: Town) -> None:
    """A statement that is net of orders is lowered by later orders only, shipped or not."""
    statement = Statement("MUG", 12, at(2), basis="NET_OF_ORDERS")
    await set_quantities(town.shop.deps, [statement], by="test")
    await town.shop.settle()
    assert await town.sell(order("1001", line("MUG", 2), hours=1), hours=1) == Rewritten()
    assert await town.stale() == set()
    assert (await town.sell(order("1002", line("MUG", 3), hours=3), hours=3)).skus == ("MUG",)
    assert await town.deducted() == 3


async def test_syncs_that_run_by_themselves_are_queued_once(town: Town) -> None:
    """A sale queues a partial sync where there is a schedule, and no second while it waits."""
    await schedule(town.shop.deps, town.market, SYNC, Interval(3600), by="test")
    assert (await town.sell(order("1001", line("MUG")))).channel_ids == (town.market,)
    assert await town.queued() == [(town.market, "CHANGE")]
    assert (await town.sell(order("1002", line("MUG")))).channel_ids == (town.market,)
    assert await town.queued() == [(town.market, "CHANGE")]
    await town.shop.rows("UPDATE runs SET started_at = now(), state = 'FETCHING'")
    await town.sell(order("1003", line("MUG")))
    assert await town.queued() == [(town.market, "CHANGE")]


@pytest.mark.parametrize(
    "stop",
    [
        "UPDATE operations SET enabled = false",
        "UPDATE operations SET paused = true",
        "UPDATE channels SET paused = true",
    ],
)
async def test_no_sync_is_queued_where_none_may_run(town: Town, stop: str) -> None:
    """What is switched off or paused stays so; the listings are dirty for later."""
    await schedule(town.shop.deps, town.market, SYNC, Interval(3600), by="test")
    await town.shop.rows(stop)
    assert (await town.sell(order("1001", line("MUG")))).channel_ids == ()
    assert await town.queued() == []
    assert len(await town.shop.dirty()) == 2


async def test_only_its_own_channel_lowers_a_listings_own_quantity(town: Town) -> None:
    """A listing that states its own quantity is lowered by the orders of its channel alone."""
    town.shop.channel_id = town.market
    await town.shop.listing("POT", "5.00", quantity=4)
    await town.shop.settle()
    own_at = town.shop.clock()
    hours = (own_at - at(0)).total_seconds() / 3600 + 1
    sold = order("1001", line("POT", 1), hours=hours)
    assert (await town.sell(sold)).skus == ()
    engine = town.shop.deps.engine
    assert (await sell(engine, town.market, replace(sold, id="m1"), hours=hours)).skus == ("POT",)


async def test_an_order_without_sku_or_link_deducts_nothing(town: Town) -> None:
    """A line that names no product of ours is nobody's unit."""
    assert await town.sell(order("1001", line(None, 2))) == Rewritten()
    assert await town.rows() == []


async def test_a_link_tells_whose_units_they_are(town: Town) -> None:
    """A line whose product gets linked, or loses its link, is deducted from that listing's SKU."""
    engine = town.shop.deps.engine
    await town.sell(order("1001", line(None, 2, ref="p1")), order("1002", line("MUG", 1)))
    assert await town.rows() == [("MUG", 1, None)]
    await town.shop.rows(
        """
INSERT INTO remote_listings (channel_id, remote_id, presence, observed_at)
VALUES (:id, 'p1', 'LISTED', now())
""",
        id=town.main,
    )
    await town.shop.rows(
        """
INSERT INTO remote_variants (channel_id, remote_listing_id, parent, presence, observed_at)
SELECT channel_id, id, remote_id, 'LISTED', now() FROM remote_listings
"""
    )
    await town.shop.rows(
        """
UPDATE listing_variants SET link_state = 'LINKED',
    remote_variant_id = (SELECT id FROM remote_variants) WHERE channel_id = :id
""",
        id=town.main,
    )
    async with engine.connect() as conn:
        again = await resolve_again(conn, town.main)
    assert len(again) == 1
    assert (await deduct(engine, town.main, again)).skus == ("MUG",)
    assert await town.rows() == [("MUG", 1, None), ("MUG", 2, None)]
    async with engine.connect() as conn:
        assert await resolve_again(conn, town.main) == ()
    await town.shop.rows(
        "UPDATE listing_variants SET link_state = 'UNLINKED', link_key = NULL, "
        "remote_variant_id = NULL"
    )
    async with engine.connect() as conn:
        assert await resolve_again(conn, town.main) == again
    await deduct(engine, town.main, again)
    assert await town.rows() == [("MUG", 1, None)]


async def test_a_store_that_forgot_a_sku_is_remembered_for(town: Town) -> None:
    """A line of a product that is gone since has the SKU that the product was last seen with."""
    engine = town.shop.deps.engine
    ids = await see(engine, town.main, order("1001", line(None, 2, ref="p1")))
    await town.shop.rows(
        """
INSERT INTO remote_listings (channel_id, remote_id, presence, observed_at, gone)
VALUES (:id, 'p1', 'DELISTED', now(), 'Deleted')
""",
        id=town.main,
    )
    await town.shop.rows(
        """
INSERT INTO remote_variants (channel_id, remote_listing_id, parent, sku, presence, observed_at,
    gone)
SELECT channel_id, id, remote_id, 'MUG', 'DELISTED', now(), 'Deleted' FROM remote_listings
"""
    )
    async with engine.connect() as conn:
        assert await resolve_again(conn, town.main) == tuple(ids)
    assert (await deduct(engine, town.main, ids)).skus == ("MUG",)
    async with engine.connect() as conn:
        assert await resolve_again(conn, town.main) == ()


async def test_what_was_written_resolves_to_the_same(town: Town) -> None:
    """No order is named again for what is as it should be: digital, closed, shipped, no SKU."""
    engine = town.shop.deps.engine
    ids = await see(
        engine,
        town.main,
        order("1", replace(line("MUG", 2), is_digital=True)),
        order("2", line("MUG", 2), line(None, 1, key="2")),
        order("3", line("MUG", 2, canceled=2), line("CUP", 0, key="2")),
        order("4", line("MUG", 2, canceled=1)),
        order("5", line("MUG", 2), is_digital=True),
        order("6", line("MUG", 2), stage=OrderStage.DRAFT),
        order("7", line("MUG", 2)),
        order("8", line("MUG", 1, ref="nowhere")),
    )
    closed = await import_order(engine, ids[1])
    await town.shop.rows("UPDATE orders SET status = 'CLOSED' WHERE id = :id", id=closed)
    left = await import_order(engine, ids[6])
    await ship(engine, left, {"1": 2}, hours=5)
    await deduct(engine, town.main, ids)
    async with engine.connect() as conn:
        assert await resolve_again(conn, town.main) == ()


async def test_a_removed_channel_keeps_only_what_has_left(town: Town) -> None:
    """Units on the shelf are for sale again once their channel is gone; what left stays gone."""
    engine = town.shop.deps.engine
    (remote_id,) = await see(engine, town.main, order("1001", line("MUG", 3)))
    order_id = await import_order(engine, remote_id)
    await ship(engine, order_id, {"1": 1}, hours=5)
    await deduct(engine, town.main, [remote_id])
    await town.shop.settle()
    async with engine.begin() as conn:
        await conn.execute(
            text("UPDATE channels SET removed_at = now() WHERE id = :id"), {"id": town.main}
        )
        assert (await release_channel(conn, town.main)).skus == ("MUG",)
    assert await town.rows() == [("MUG", 1, at(5))]
    assert await town.stale() == {town.market}
    assert await deduct(engine, town.main, [remote_id]) == Rewritten()


async def test_any_number_of_orders_costs_the_same_statements(town: Town) -> None:
    """A page of fifty orders is deducted in as many statements as one of two."""
    engine = town.shop.deps.engine
    counts = []
    for first, size in ((1000, 2), (2000, 50)):
        orders = [order(str(first + n), line("MUG"), line("CUP", key="2")) for n in range(size)]
        ids = await see(engine, town.main, *orders)
        seen: list[str] = []

        def count(*arguments: Any, seen: list[str] = seen) -> None:
            seen.append(arguments[2])

        event.listen(engine.sync_engine, "before_cursor_execute", count)
        await deduct(engine, town.main, ids)
        event.remove(engine.sync_engine, "before_cursor_execute", count)
        counts.append(len(seen))
    assert counts[0] == counts[1]
    assert await town.deducted() == 52


async def test_channels_that_sell_the_same_at_once_do_not_block_each_other(town: Town) -> None:
    """Two channels whose pages name the same SKUs in another order both get through."""
    engine = town.shop.deps.engine
    skus = [f"S{number:02d}" for number in range(20)]
    for channel_id in (town.main, town.market):
        town.shop.channel_id = channel_id
        for sku in skus:
            await town.shop.listing(sku, "1.00")
    await set_quantities(town.shop.deps, [Statement(sku, 9, at(0)) for sku in skus], by="test")
    for turn in range(5):
        ids = [
            await see(
                engine,
                channel_id,
                *(order(f"{turn}-{n}", line(sku)) for n, sku in enumerate(named)),
            )
            for channel_id, named in ((town.main, skus), (town.market, skus[::-1]))
        ]
        await asyncio.wait_for(
            asyncio.gather(deduct(engine, town.main, ids[0]), deduct(engine, town.market, ids[1])),
            20,
        )
    assert await town.deducted("S07") == 10


async def test_one_order_seen_by_two_workers_is_deducted_once(town: Town) -> None:
    """Two transactions that write the same orders leave each unit deducted once."""
    engine = town.shop.deps.engine
    ids = await see(engine, town.main, order("1001", line("MUG", 2)), order("1002", line("MUG")))
    await asyncio.gather(*(deduct(engine, town.main, ids) for _ in range(3)))
    assert await town.deducted() == 3


async def test_deductions_are_listed_newest_first(town: Town) -> None:
    """A page names order and channel, and says which rows still count."""
    engine = town.shop.deps.engine
    ids = await see(
        engine, town.main, *(order(str(n), line("MUG", n), hours=-9) for n in (1, 2, 3))
    )
    order_id = await import_order(engine, ids[0])
    await ship(engine, order_id, {"1": 1}, hours=-1)
    await deduct(engine, town.main, ids)
    async with engine.connect() as conn:
        page = await deductions_of_item(conn, "MUG", None, 2)
        rest = await deductions_of_item(conn, "MUG", page.rows[-1].id, 2)
        (item,) = await town.shop.rows("SELECT id FROM items")
        pages = await deduction_pages(conn, [item["id"]], None, 2)
        sums = await deducted_of_items(conn, [item["id"]])
    assert (page.has_next, rest.has_next) == (True, False)
    found = [(row.number, row.units, row.counts) for row in (*page.rows, *rest.rows)]
    assert sorted(found) == [("1", 1, False), ("2", 2, True), ("3", 3, True)]
    assert {row.channel_name for row in page.rows} == {"Main"}
    assert pages == {item["id"]: page}
    assert sums == {item["id"]: 5}

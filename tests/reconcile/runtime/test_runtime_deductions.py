"""A sale on one channel reaches the others, and every quantity is explained down to the orders."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import ChannelEdit, NewChannel, connect, edit
from reconcile.commands.items import Statement, StatementOutcome, set_quantities
from reconcile.commands.operations import Interval, schedule
from reconcile.core.deducting import Basis
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import Side
from reconcile.explain import explain
from reconcile.stock_explain import (
    ItemExplanation,
    QuantityExplanation,
    item_explanation,
    quantity_explanations,
)
from reconcile.store.deductions import Rewritten
from reconcile.worker import drain_until_idle
from tests.order_double import ORDER_SUPPORT
from tests.order_double import line as shop_line
from tests.platform_double import double_platform
from tests.reconcile.runtime.order_stage import OrderStage
from tests.reconcile.runtime.stage import PUBLISH, SYNC, Stage, make_stage
from tests.reconcile.store.sold import at, deduct, import_order, line, order, see, sell, ship
from tests.store_double import DoubleStore, variant

pytestmark = pytest.mark.anyio

MINUS = "\N{MINUS SIGN}"


class Street:
    """A stage with a second channel, Market, whose own store is `other`."""

    def __init__(self, stage: Stage, other: DoubleStore) -> None:
        self.stage, self.other = stage, other
        self.main = self.market = 0

    async def open(self) -> None:
        """Connect both channels and bring MUG, of which 12 are stated, onto both stores."""
        await self.stage.connect()
        self.main = self.stage.channel_id
        new = NewChannel("Market", "double", {"store": "other", "secret": "right"})
        self.market = await connect(self.stage.deps, new, by="test")
        await set_quantities(self.stage.deps, [Statement("MUG", 12, at(0))], by="me")
        for store, channel_id in ((self.stage.store, self.main), (self.other, self.market)):
            store.add("Mug", variant("MUG", "1", 1))
            self.stage.channel_id = channel_id
            await self.stage.offer("MUG", "1")
            await self.stage.run(SYNC, full=True)
        self.stage.channel_id = self.main

    async def sell(self, *orders: RemoteOrder, hours: float = 1) -> Rewritten:
        """The main channel shows orders, as a poll does."""
        return await sell(self.stage.deps.engine, self.main, *orders, hours=hours)

    async def sync(self) -> tuple[int | None, int | None]:
        """Both channels sync what is due; what their stores hold of MUG then."""
        for channel_id in (self.main, self.market):
            self.stage.channel_id = channel_id
            await self.stage.run(SYNC)
        self.stage.channel_id = self.main
        return self.held()

    def held(self) -> tuple[int | None, int | None]:
        """What the stores hold of MUG: main, market."""
        return self.stage.store.by_sku("MUG")[1].quantity, self.other.by_sku("MUG")[1].quantity

    async def told(self, channel_id: int, sku: str = "MUG") -> QuantityExplanation:
        """Why a channel is told its quantity of a SKU."""
        (row,) = await self.stage.rows(
            "SELECT id FROM listing_variants WHERE channel_id = :id AND sku = :sku",
            id=channel_id,
            sku=sku,
        )
        async with self.stage.deps.engine.connect() as conn:
            return (await quantity_explanations(conn, self.stage.deps, [row["id"]]))[row["id"]]

    async def item(self, sku: str) -> ItemExplanation | None:
        """Why all channels are told what they are told of a SKU."""
        async with self.stage.deps.engine.connect() as conn:
            return await item_explanation(conn, self.stage.deps, sku)


@pytest.fixture
async def street(engine: AsyncEngine) -> Street:
    """Return two channels that both hold 12 of MUG."""
    store, other = DoubleStore(), DoubleStore(account_id="account-other")
    platform = double_platform({"main": store, "other": other})
    made = Street(make_stage(engine, platform=platform, store=store), other)
    await made.open()
    return made


async def test_a_sale_lowers_the_other_channel_before_anything_else(street: Street) -> None:
    """Whatever was sold on one store, the other holds so many less after its next sync."""
    assert street.held() == (12, 12)
    await street.sell(order("1001", line("MUG", 5)))
    assert await street.sync() == (7, 7)
    await street.sell(order("1002", line("MUG", 9)), hours=2)
    assert await street.sync() == (0, 0)


async def test_a_sale_starts_the_sync_where_syncs_run_by_themselves(street: Street) -> None:
    """With a schedule nobody has to wait for it: the run is there and sends the new quantity."""
    await schedule(street.stage.deps, street.market, SYNC, Interval(3600), by="test")
    result = await street.sell(order("1001", line("MUG", 5)))
    assert result.channel_ids == (street.market,)
    await drain_until_idle(street.stage.deps, street.market, Side.LISTINGS)
    assert street.held() == (12, 7)
    run = (await street.stage.rows("SELECT * FROM runs ORDER BY id DESC LIMIT 1"))[0]
    assert (run["trigger"], run["result"], run["is_full"]) == ("CHANGE", "SUCCEEDED", False)


async def test_sales_statements_and_syncs_at_once(street: Street) -> None:
    """Nobody waits for another in a circle, and in the end both stores hold what is left."""
    stage, engine = street.stage, street.stage.deps.engine
    skus = ["MUG", *(f"S{number}" for number in range(8))]
    for store, channel_id in ((stage.store, street.main), (street.other, street.market)):
        stage.channel_id = channel_id
        for sku in skus[1:]:
            store.add(sku, variant(sku, "1", 1))
            await stage.offer(sku, "1")
        await stage.run(SYNC, full=True)
    stage.channel_id = street.main

    async def state(turn: int, named: list[str]) -> None:
        await set_quantities(
            stage.deps, [Statement(sku, 90 + turn, at(turn / 10)) for sku in named], by="me"
        )

    for turn in range(4):
        pages = [
            [order(f"{turn}-{n}", line(sku), hours=50) for n, sku in enumerate(named)]
            for named in (skus, skus[::-1])
        ]
        for channel_id in (street.main, street.market):
            stage.channel_id = channel_id
            await stage.ask(SYNC)
        stage.channel_id = street.main
        work = asyncio.gather(
            sell(engine, street.main, *pages[0], hours=50),
            sell(engine, street.market, *pages[1], hours=50),
            state(turn, skus),
            state(turn + 1, skus[::-1]),
            *(drain_until_idle(stage.deps, each) for each in (street.main, street.market)),
        )
        await asyncio.wait_for(work, 30)
    await street.sync()
    held = {
        (sku, store.by_sku(sku)[1].quantity)
        for sku in skus
        for store in (stage.store, street.other)
    }
    assert held == {(sku, 94 - 8) for sku in skus}


async def test_one_poll_and_one_sync(engine: AsyncEngine) -> None:
    """A sale seen by a poll is on the other store after its sync, without anybody asking for it."""
    store, other = DoubleStore(), DoubleStore(account_id="account-other")
    platform = double_platform({"main": store, "other": other}, orders=ORDER_SUPPORT)
    main = OrderStage(make_stage(engine, platform=platform, store=store))
    await main.open_as("main")
    market = OrderStage(make_stage(engine, platform=platform, store=other))
    await market.open_as("other")
    await set_quantities(main.stage.deps, [Statement("MUG", 12)], by="me")
    for each in (main, market):
        each.store.add("Mug", variant("MUG", "1", 1))
        await each.stage.offer("MUG", "1")
        await each.stage.run(SYNC, full=True)
        await schedule(each.stage.deps, each.channel_id, SYNC, Interval(3600), by="test")
    sold = main.order(shop_line("1", "MUG", 5))
    await main.get()
    await market.settle()
    assert other.by_sku("MUG")[1].quantity == 7
    await main.ship(sold, {"1": 2})
    await main.send()
    for each in (main, market):
        await each.settle()
        await each.stage.run(SYNC)
        assert each.store.by_sku("MUG")[1].quantity == 7
    main.touch(sold, status="canceled")
    await main.get()
    await market.settle()
    assert other.by_sku("MUG")[1].quantity == 10


async def test_shipping_raises_nothing(street: Street) -> None:
    """Goods that leave were sold before: no store is told more than the day before."""
    engine = street.stage.deps.engine
    (remote_id,) = await see(engine, street.main, order("1001", line("MUG", 5)))
    await deduct(engine, street.main, [remote_id])
    assert await street.sync() == (7, 7)
    order_id = await import_order(engine, remote_id)
    for hours, units in ((5, 2), (6, 3)):
        await ship(engine, order_id, {"1": units}, hours)
        assert await deduct(engine, street.main, [remote_id]) == Rewritten()
        assert await street.sync() == (7, 7)
    told = await street.told(street.market)
    assert told.steps[0] == f"12 stated {MINUS} 5 deducted by orders = 7"
    assert "after the statement" in told.steps[-1]


async def test_counted_again_at_the_same_quantity(street: Street) -> None:
    """12 were counted again after 5 of the first 12 had left: 12 are for sale, not 7."""
    engine = street.stage.deps.engine
    (remote_id,) = await see(engine, street.main, order("1001", line("MUG", 5)))
    order_id = await import_order(engine, remote_id)
    await ship(engine, order_id, {"1": 5}, hours=5)
    await deduct(engine, street.main, [remote_id])
    assert await street.sync() == (7, 7)
    (result,) = await set_quantities(street.stage.deps, [Statement("MUG", 12, at(6))], by="me")
    assert result.outcome is StatementOutcome.UNCHANGED
    assert await street.sync() == (12, 12)
    await set_quantities(street.stage.deps, [Statement("MUG", 12, at(7))], by="me")
    assert await street.stage.value("SELECT count(*) FROM listing_variants WHERE stale") == 0


async def test_a_quantity_of_its_own_counted_again(street: Street) -> None:
    """A listing's own quantity stated again at the same number starts to count anew as well."""
    stage, engine = street.stage, street.stage.deps.engine
    await stage.offer("MUG", quantity=6)
    now = (stage.clock() - at(0)).total_seconds() / 3600
    (remote_id,) = await see(engine, street.main, order("1001", line("MUG", 5)), hours=now)
    order_id = await import_order(engine, remote_id)
    await ship(engine, order_id, {"1": 5}, hours=now + 1)
    await deduct(engine, street.main, [remote_id])
    assert (await street.sync())[0] == 1
    stage.clock.advance(timedelta(hours=2))
    await stage.offer("MUG", quantity=6)
    assert (await street.sync())[0] == 6
    revision = (await stage.variant("MUG")).revision
    stage.clock.advance(timedelta(hours=2))
    await stage.offer("MUG", quantity=6)
    assert (await stage.variant("MUG")).revision == revision
    assert (await street.told(street.main)).is_own


async def test_a_quantity_is_explained_down_to_the_orders(street: Street) -> None:
    """12 stated less 5 deducted less 4 buffer = 3, and then each order with what it takes."""
    stage = street.stage
    await edit(stage.deps, street.market, ChannelEdit(buffer=4, cap=2), by="test")
    await street.sell(order("1001", line("MUG", 2)), order("1002", line("MUG", 3), hours=2))
    told = await street.told(street.market)
    assert (told.stated, told.deducted, told.buffer, told.cap, told.wanted) == (12, 5, 4, 2, 2)
    assert (told.source, told.as_of, told.basis, told.is_own) == (
        "API (me)",
        at(0),
        Basis.ON_HAND,
        False,
    )
    assert told.steps[0] == f"12 stated {MINUS} 5 deducted by orders {MINUS} 4 buffer = 3"
    assert told.steps[-2:] == (
        "Order 1002 on Main: 3 units, not shipped",
        "Order 1001 on Main: 2 units, not shipped",
    )
    found = await explain(stage.deps, (await stage.variant("MUG")).id)
    assert found is not None
    assert found.quantity == await street.told(street.main)
    assert found.quantity.wanted == 7


async def test_many_orders_are_counted_not_listed(street: Street) -> None:
    """An explanation names the latest orders and says how many more there are."""
    await street.sell(*(order(str(1000 + n), line("MUG")) for n in range(27)))
    told = await street.told(street.main)
    assert told.deducted == 27
    assert sum(step.startswith("Order ") for step in told.steps) == 20
    assert told.steps[-1] == "And 7 units of earlier orders"
    assert told.wanted == 0


async def test_an_item_is_explained_for_all_channels(street: Street) -> None:
    """What is stated and deducted once, and what comes of it on each channel."""
    await edit(street.stage.deps, street.market, ChannelEdit(buffer=4), by="test")
    await street.sell(order("1001", line("MUG", 5)))
    found = await street.item("MUG")
    assert found is not None
    assert (found.sku, found.deducted) == ("MUG", 5)
    assert {(each.channel_id, each.quantity.wanted) for each in found.channels} == {
        (street.main, 7),
        (street.market, 3),
    }
    assert await street.item("NOTHING") is None
    await street.sell(order("1002", line("CUP", 1)))
    ordered = await street.item("CUP")
    assert ordered is not None
    assert (ordered.item_id, ordered.channels) == (None, ())


async def test_nothing_stated_stays_nothing(street: Street) -> None:
    """Orders of a SKU that nobody has stated take nothing off: unknown is not zero."""
    await street.stage.offer("CUP", "2")
    await street.stage.run(PUBLISH)
    await street.sell(order("1001", line("CUP", 1)))
    told = await street.told(street.main, "CUP")
    assert (told.stated, told.wanted) == (None, None)
    assert len(told.steps) == 1

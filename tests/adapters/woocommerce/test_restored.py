"""A database restored beside a WooCommerce store that went on: found there, never told twice."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.registry import PLATFORMS
from adapters.sandbox import Sandbox
from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox
from reconcile.commands.channels import NewChannel, connect
from reconcile.commands.mappings import set_mapping
from reconcile.contract import Platform
from reconcile.core.types import LinkState
from reconcile.deps import Deps, Recorder
from tests.order_double import StoreOrder
from tests.reconcile.runtime.order_stage import GET, SEND, OrderStage
from tests.reconcile.runtime.stage import (
    PUBLISH,
    SYNC,
    Hook,
    HookedTransport,
    ShiftedClock,
    Stage,
)
from tests.restoring import dump
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps

pytestmark = pytest.mark.anyio

WAYS = ("note", "shipment_tracking", "fulfillments")
LATER = timedelta(hours=3)


@dataclass(frozen=True)
class Woo:
    """A channel on a simulated store that has every way to tell of a shipment."""

    sandbox: Sandbox
    desk: OrderStage

    def on(self, deps: Deps) -> OrderStage:
        """The same store, hours later, seen from the restored database."""
        self.desk.stage.clock.advance(LATER)
        return OrderStage(replace(self.desk.stage, deps=deps))

    def held(self, kind: str) -> list[Mapping[str, Any]]:
        """What the store holds."""
        report: Any = self.sandbox.books.report()
        return list(report["holdings"][kind])

    def told(self) -> int:
        """How often the store was told of a shipment."""
        (order,) = self.held("orders")
        kinds = ("notes", "trackings", "fulfillments")
        return sum(row["by"] == "api" for kind in kinds for row in order[kind])

    def writes(self) -> list[str]:
        """Routes of the requests that were meant to change something."""
        return [route for route in self.sandbox.books.by_route if not route.startswith("GET ")]

    async def ordered(self, way: str) -> StoreOrder:
        """An imported order of two mugs whose shipments go that way."""
        await self.desk.settings(SEND, tracking=way)
        words = {"lines": [{"sku": "MUG", "quantity": 2}], "status": "processing"}
        shown: Any = self.sandbox.shop({"do": "buy", "shipping_method": "flat_rate:1", **words})
        await self.desk.run(GET)
        now = datetime.now(UTC)
        return StoreOrder(str(shown["id"]), str(shown["number"]), [], now, now)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on this test's own database."""
    made = create_async_engine(database_url, pool_size=3)
    try:
        yield made
    finally:
        await made.dispose()


@pytest.fixture
async def woo(engine: AsyncEngine) -> Woo:
    """Return a channel with one product on both sides, in agreement."""
    mug = {"name": "Title of MUG", "sku": "MUG", "regular_price": "10"}
    stocked = {**mug, "status": "publish", "manage_stock": True, "stock_quantity": 5}
    sandbox = create_sandbox(
        SandboxOptions(products=(stocked,), fulfillments=True, shipment_tracking=True)
    )
    http = httpx.AsyncClient(transport=sandbox.transport())
    clock, bell = ShiftedClock(), Bell()

    def transport(channel_id: int, platform: Platform, record: Recorder | None) -> HookedTransport:
        return HookedTransport(clock, record, http)

    deps = make_deps(engine, PLATFORMS["woocommerce"], clock=clock, bell=bell)
    stage = Stage(replace(deps, transport=transport), DoubleStore(), clock, bell, Hook())
    wish = NewChannel("Main", "woocommerce", sandbox.credentials_at("https://shop.example"))
    stage.channel_id = await connect(stage.deps, wish, by="test")
    await set_mapping(stage.deps, stage.channel_id, "flat_rate", "Standard", by="test")
    await stage.offer("MUG", "10")
    assert (await stage.run(SYNC, full=True))["result"] == "SUCCEEDED"
    return Woo(sandbox, OrderStage(stage))


@pytest.mark.parametrize("way", WAYS)
async def test_a_shipment_of_the_copy_that_was_sent_since_is_found(woo: Woo, way: str) -> None:
    """Recorded in the copy, told since: the store is looked at, and not told once more."""
    order = await woo.ordered(way)
    await woo.desk.ship(order, tracking_number="1Z9")
    copy = await dump(woo.desk.stage.deps)
    await woo.desk.settle()
    assert woo.told() == 1

    async with copy.restored() as deps:
        later = woo.on(deps)
        await later.settle()
        await later.send(full=True)

        assert woo.told() == 1
        # By whichever hand: all of the order has left, once.
        assert (await later.ours(order))["status"] == "SHIPPED"


@pytest.mark.parametrize("way", WAYS)
async def test_a_shipment_that_the_copy_does_not_know_is_not_told_twice(woo: Woo, way: str) -> None:
    """Shipped and told after the copy: found when the same is recorded again."""
    order = await woo.ordered(way)
    copy = await dump(woo.desk.stage.deps)
    await woo.desk.ship(order, tracking_number="1Z9", carrier="UPS")
    await woo.desk.settle()
    assert woo.told() == 1

    async with copy.restored() as deps:
        later = woo.on(deps)
        await later.get()
        await later.ship(order, tracking_number="1Z9", carrier="UPS")
        await later.settle()
        await later.send(full=True)

        assert woo.told() == 1
        assert (await later.ours(order))["status"] == "SHIPPED"


async def test_another_parcel_of_the_order_is_told(woo: Woo) -> None:
    """What differs from what the store was told is another shipment, and leaves."""
    order = await woo.ordered("note")
    line_id = (await woo.desk.lines(order))[0]["remote_line_id"]
    copy = await dump(woo.desk.stage.deps)
    await woo.desk.ship(order, {line_id: 1}, tracking_number="1Z-LOST")
    await woo.desk.settle()

    async with copy.restored() as deps:
        later = woo.on(deps)
        await later.ship(order, {line_id: 1}, tracking_number="1Z-NEW")
        await later.settle()

        assert woo.told() == 2
        assert await later.shipments(order) == [("OURS", "PUSHED")]


async def test_a_product_published_since_is_linked(woo: Woo) -> None:
    """Wanted in the copy, made since: one product, linked to the listing that wanted it."""
    stage = woo.desk.stage
    await stage.offer("NEW", "7", 2)
    copy = await dump(stage.deps)
    assert (await stage.run(PUBLISH, full=True))["result"] == "SUCCEEDED"
    woo.sandbox.books.reset()

    async with copy.restored() as deps:
        later = woo.on(deps).stage
        await later.run(PUBLISH)

        assert [row["sku"] for row in woo.held("products")].count("NEW") == 1
        assert woo.writes() == []
        assert (await later.variant("NEW")).link_state is LinkState.LINKED


async def test_what_shoppers_took_since_is_not_written_back(woo: Woo) -> None:
    """The first sync sees orders of after the copy before it works out a quantity."""
    stage = woo.desk.stage
    await woo.desk.get()
    await stage.offer("MUG", quantity=5)
    assert (await stage.run(SYNC))["result"] == "SUCCEEDED"
    copy = await dump(stage.deps)
    woo.sandbox.shop({"do": "buy", "lines": [{"sku": "MUG", "quantity": 2}]})
    woo.sandbox.books.reset()

    async with copy.restored() as deps:
        later = woo.on(deps).stage
        await later.run(SYNC)

        (mug,) = woo.held("products")
        assert mug["stock_quantity"] == 3
        assert woo.writes() == []

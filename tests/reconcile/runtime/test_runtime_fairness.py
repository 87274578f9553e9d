"""Turns: whatever one channel is busy with, another one's shipment waits for one request of it.

Counted in requests between the moment a shipment is due and the moment it is sent, with a worker
that has a single slot and the real queue.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from reconcile.commands.runs import RunRequest, request_run
from reconcile.contract import UnavailableError
from reconcile.deps import Tuning
from reconcile.worker import run_worker
from tallyport.doorbell import QueueDoorbell, redis_settings
from tests.order_double import ORDER_SUPPORT, StoreOrder, line
from tests.platform_double import double_platform
from tests.reconcile.runtime.order_stage import GET, OrderStage
from tests.reconcile.runtime.stage import SYNC, make_stage
from tests.store_double import DoubleStore, timed_out, variant

pytestmark = pytest.mark.anyio

ONE_BATCH = 1
BATCH = 2
PRODUCTS = 60
PACE = 0.01
"""Seconds a request takes; there is time for the others to be heard of."""
A_LONG_SLICE = timedelta(seconds=10)
"""Longer than all requests of a busy channel together: nobody waits for its end."""


@dataclass
class Told(list[str]):
    """The requests of one store, told to a journal of all."""

    store: str
    journal: list[str] = field(default_factory=list)

    def append(self, request: str) -> None:
        """Remember and tell."""
        super().append(request)
        self.journal.append(f"{self.store}: {request}")


@dataclass
class Street:
    """Two stores next to each other, a channel for each, and one worker."""

    busy: OrderStage
    quick: OrderStage
    journal: list[str]
    order: StoreOrder

    async def while_busy(self, is_busy: Callable[[str], bool]) -> int:
        """Ship once the busy store was asked three such things; its requests before the sending."""
        hook = self.busy.stage.hook
        shipped = asyncio.Event()
        due_at = 0

        async def before_request() -> None:
            nonlocal due_at
            await asyncio.sleep(PACE)
            if not shipped.is_set() and sum(map(is_busy, self.journal)) >= 3:
                shipped.set()
                await self.quick.ship(self.order)
                due_at = len(self.journal)

        hook.before_request = before_request
        for _ in range(1000):
            if self.order.notes:
                break
            await asyncio.sleep(0.01)
        assert self.order.notes, "the shipment was never sent"
        sent_at = next(
            n for n, said in enumerate(self.journal) if said.startswith("quick: fulfill")
        )
        return sum(said.startswith("busy") for said in self.journal[due_at:sent_at])


@pytest.fixture
async def wide_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine with connections enough for a worker and those who command it."""
    made = create_async_engine(database_url, pool_size=8)
    try:
        yield made
    finally:
        await made.dispose()


@pytest.fixture
async def street(wide_engine: AsyncEngine, redis_url: str) -> AsyncIterator[Street]:
    """Yield two channels: one about to be busy, one with an order that can be shipped."""
    stores = {"busy": DoubleStore(), "quick": DoubleStore(account_id="account-quick")}
    platform = double_platform(stores, batch_size=BATCH, orders=ORDER_SUPPORT)
    stages = []
    for name, store in stores.items():
        made = make_stage(wide_engine, platform=platform, store=store)
        made.deps = replace(made.deps, tuning=Tuning(slice=A_LONG_SLICE))
        stages.append(OrderStage(made))
        await stages[-1].open_as(name)
    busy, quick = stages
    order = quick.order(line("1", "MUG"))
    await quick.get()
    journal: list[str] = []
    for name, store in stores.items():
        store.requests = Told(name, journal)
    bell = QueueDoorbell(wide_engine, redis_url)
    for stage in stages:
        stage.stage.deps = replace(stage.stage.deps, doorbell=bell)
    try:
        yield Street(busy, quick, journal, order)
    finally:
        await bell.close()


@asynccontextmanager
async def _one_slot(street: Street, redis_url: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    deps = street.busy.stage.deps
    worker = asyncio.create_task(
        run_worker(deps, redis_settings(redis_url), name="w", concurrency=1, stop=stop)
    )
    try:
        yield
    finally:
        stop.set()
        await worker


async def _raise_prices(street: Street) -> list[str]:
    skus = await street.busy.stage.linked(PRODUCTS)
    for sku in skus:
        await street.busy.stage.offer(sku, "12")
    return skus


async def _ask(stage: OrderStage, request: RunRequest) -> None:
    await request_run(stage.stage.deps, stage.channel_id, request, by="test")


async def test_while_another_channel_sends(street: Street, redis_url: str) -> None:
    """Thirty batches are due on the other channel; one of them leaves before the shipment."""
    await _raise_prices(street)
    await _ask(street.busy, RunRequest(SYNC))
    async with _one_slot(street, redis_url):
        waited = await street.while_busy(lambda said: said.startswith("busy: sync"))
    assert waited <= ONE_BATCH, "\n".join(street.journal)


async def test_while_another_channel_is_read(street: Street, redis_url: str) -> None:
    """A walk through all products of the other channel ends after the page under way."""
    for number in range(PRODUCTS * 5):
        street.busy.store.add(f"P{number}", variant(f"P{number}", "1", 1))
    await _ask(street.busy, RunRequest(SYNC, full=True))
    async with _one_slot(street, redis_url):
        waited = await street.while_busy(lambda said: said.startswith("busy: listings"))
    assert waited <= ONE_BATCH, "\n".join(street.journal)


async def test_while_another_store_is_dead(street: Street, redis_url: str) -> None:
    """Of a store that answers nothing one request is waited for, however much is due there."""
    await _raise_prices(street)
    for _ in range(PRODUCTS * 20):
        street.busy.store.fail(timed_out(), "sync")
        street.busy.store.fail(UnavailableError("The store did not answer."), "confirm")
    await _ask(street.busy, RunRequest(SYNC))
    async with _one_slot(street, redis_url):
        waited = await street.while_busy(lambda said: said.startswith("busy: sync"))
    assert waited <= ONE_BATCH, "\n".join(street.journal)


async def test_while_another_channel_ships_as_well(street: Street, redis_url: str) -> None:
    """Shipments of two channels take turns: forty due on one do not go before one of the other."""
    orders = [street.busy.order(line("1", "MUG")) for _ in range(40)]
    await street.busy.get()
    for order in orders:
        await street.busy.ship(order)
    async with _one_slot(street, redis_url):
        waited = await street.while_busy(lambda said: said.startswith("busy: fulfill"))
    assert waited <= ONE_BATCH, "\n".join(street.journal)


async def test_while_orders_of_another_channel_are_polled(street: Street, redis_url: str) -> None:
    """A poll of thirty pages ends its turn after the page under way, and goes on afterwards."""
    orders = [street.busy.order(line("1", "MUG")) for _ in range(300)]
    await _ask(street.busy, RunRequest(GET))
    async with _one_slot(street, redis_url):
        waited = await street.while_busy(lambda said: said.startswith("busy: orders"))
        for _ in range(1000):
            if await street.busy.stage.value("SELECT count(*) FROM orders") > len(orders):
                break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("not all orders were imported in ten seconds")
    assert waited <= ONE_BATCH, "\n".join(street.journal)


async def test_who_gave_way_goes_on(street: Street, redis_url: str) -> None:
    """A channel that gave its slot up finishes what it had begun, and nothing of it twice."""
    skus = await _raise_prices(street)
    await _ask(street.busy, RunRequest(SYNC))
    async with _one_slot(street, redis_url):
        await street.while_busy(lambda said: said.startswith("busy: sync"))
        for _ in range(1000):
            if not await street.busy.stage.rows("SELECT 1 FROM runs WHERE finished_at IS NULL"):
                break
            await asyncio.sleep(0.01)
    assert {street.busy.store.by_sku(sku)[1].price for sku in skus} == {"12"}
    assert street.busy.store.writes() == [f"sync {BATCH}"] * (PRODUCTS // BATCH)
    assert street.quick.store.writes() == [f"fulfill {street.order.number}"]


async def test_a_quantity_overtakes_prices(street: Street) -> None:
    """Lanes hold: a quantity stated while prices are being sent leaves before the next of them."""
    stage = street.busy.stage
    skus = await _raise_prices(street)
    stage.deps = replace(stage.deps, doorbell=stage.bell)
    sold_at = 0

    async def sell_out() -> None:
        nonlocal sold_at
        if not sold_at and len(street.busy.store.writes()) == 3:
            sold_at = 3
            await stage.offer(skus[-1], quantity=1)
            await stage.ask(SYNC)

    stage.hook.before_request = sell_out
    await stage.run(SYNC)
    kinds = await stage.rows(
        "SELECT lane, sent_at FROM actions WHERE kind = 'SYNC' ORDER BY sent_at, id"
    )
    lanes = [row["lane"] for row in kinds]
    place = lanes.index(1)
    assert place // BATCH <= 3 + ONE_BATCH, lanes
    assert stage.store.by_sku(skus[-1])[1].quantity == 1


async def test_free_slots_are_not_given_up(street: Street, redis_url: str) -> None:
    """With slots left for the orders nobody stops: all channels are served side by side."""
    await _raise_prices(street)
    await _ask(street.busy, RunRequest(SYNC))
    stop = asyncio.Event()
    worker = asyncio.create_task(
        run_worker(
            street.busy.stage.deps, redis_settings(redis_url), name="w", concurrency=4, stop=stop
        )
    )
    try:
        await street.while_busy(lambda said: said.startswith("busy: sync"))
    finally:
        stop.set()
        await worker
    holders = await street.busy.stage.value(
        "SELECT count(DISTINCT epoch) FROM actions WHERE kind = 'SYNC' AND epoch IS NOT NULL"
    )
    assert holders == 1, "one slice sent everything that was sent"

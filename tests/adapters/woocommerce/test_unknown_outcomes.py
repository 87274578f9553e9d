"""From UNKNOWN to a final state: every write of WooCommerce, its effect done, not done, done late.

The runtime on real PostgreSQL with the adapter on the simulated store. Between both stands a wire
that swallows the answer of one write, with the effect as the case has it.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
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
from reconcile.core.types import LinkState, Operation, Presence
from reconcile.deps import Recorder
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
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps

pytestmark = pytest.mark.anyio

LOOK = timedelta(seconds=6)
"""The first look at an unknown outcome has come."""
SETTLE = timedelta(minutes=2, seconds=1)
"""What has not happened by then counts as not done."""


class Fate(StrEnum):
    """What became of the request whose answer was lost."""

    DONE = "done"
    NOT_DONE = "not done"
    LATE = "done late, within the settle time"
    TOO_LATE = "done after the settle time, when it had been sent again"


class Wire(httpx.AsyncBaseTransport):
    """A line to the store that loses the answer of one write."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._line = sandbox.transport()
        self._fate: Fate | None = None
        self._but = ""
        self._held: list[httpx.Request] = []
        self.writes: list[str] = []
        """Writes that the store has carried out, as method and path."""

    def lose(self, fate: Fate, *, but: str = "") -> None:
        """Lose the answer of the next write whose path does not end like this."""
        self._fate, self._but = fate, but
        self.writes.clear()

    async def release(self) -> None:
        """Let the store carry out what it was still at work on."""
        held, self._held = self._held, []
        for request in held:
            await self._carried(request)

    async def _carried(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.url.path}")
        return await self._line.handle_async_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, unless this is the one."""
        fate = self._fate
        is_other = bool(self._but) and request.url.path.endswith(self._but)
        if fate is None or request.method == "GET" or is_other:
            return await self._carried(request)
        self._fate = None
        if fate is Fate.DONE:
            await self._carried(request)
        elif fate is not Fate.NOT_DONE:
            self._held.append(request)
        raise httpx.ReadTimeout("the answer was lost", request=request)


@dataclass
class WooStage:
    """A channel on a simulated WooCommerce store, with the wire between both."""

    sandbox: Sandbox
    wire: Wire
    stage: Stage
    orders: OrderStage = field(init=False)

    def __post_init__(self) -> None:
        """Share the stage with the order side."""
        self.orders = OrderStage(self.stage)

    async def linked(self, sku: str = "MUG") -> None:
        """One product on both sides, in agreement."""
        fields = {
            "name": f"Title of {sku}",
            "sku": sku,
            "status": "publish",
            "regular_price": "10",
            "manage_stock": True,
            "stock_quantity": 5,
        }
        self.sandbox.shop({"do": "create", "fields": fields})
        await self.stage.offer(sku, "10", 5)
        assert (await self.stage.run(SYNC, full=True))["result"] == "SUCCEEDED"

    async def ordered(self, way: str, *, complete: bool = False) -> StoreOrder:
        """An imported order whose shipments go that way."""
        await self.linked()
        await set_mapping(
            self.stage.deps, self.stage.channel_id, "flat_rate", "Standard", by="test"
        )
        await self.orders.settings(SEND, tracking=way, complete_shipped=complete)
        shown: Any = self.sandbox.shop(
            {
                "do": "buy",
                "lines": [{"sku": "MUG", "quantity": 2}],
                "shipping_method": "flat_rate:1",
                "status": "processing",
            }
        )
        await self.orders.run(GET)
        now = datetime.now(UTC)
        return StoreOrder(str(shown["id"]), str(shown["number"]), [], now, now)

    def held(self, kind: str = "products") -> list[Mapping[str, Any]]:
        """What the store holds."""
        report: Any = self.sandbox.books.report()
        return list(report["holdings"][kind])

    def product(self, sku: str = "MUG") -> Mapping[str, Any]:
        """The only product with that SKU."""
        (found,) = [row for row in self.held() if row["sku"] == sku]
        return found

    def told(self) -> int:
        """How often the store was told of a shipment."""
        (order,) = self.held("orders")
        return sum(
            row["by"] == "api"
            for kind in ("notes", "trackings", "fulfillments")
            for row in order[kind]
        )


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on this test's own database."""
    made = create_async_engine(database_url, pool_size=3)
    try:
        yield made
    finally:
        await made.dispose()


async def _open(engine: AsyncEngine, **options: Any) -> WooStage:
    sandbox = create_sandbox(SandboxOptions(**options))
    wire = Wire(sandbox)
    http = httpx.AsyncClient(transport=wire)
    clock, bell = ShiftedClock(), Bell()

    def transport(channel_id: int, platform: Platform, record: Recorder | None) -> HookedTransport:
        return HookedTransport(clock, record, http)

    deps = make_deps(engine, PLATFORMS["woocommerce"], clock=clock, bell=bell)
    stage = Stage(replace(deps, transport=transport), DoubleStore(), clock, bell, Hook())
    credentials = sandbox.credentials_at("https://shop.example")
    wish = NewChannel("Main", "woocommerce", credentials)
    stage.channel_id = await connect(stage.deps, wish, by="test")
    return WooStage(sandbox, wire, stage)


async def _prepare(woo: WooStage, write: str) -> Operation:
    """Come to where exactly this write is due; the operation that sends it."""
    stage = woo.stage
    match write:
        case "PUBLISH":
            await stage.offer("NEW", "7", 2)
            return PUBLISH
        case "OVERWRITE":
            await woo.orders.settings(PUBLISH, overwrite=True)
            await woo.linked()
            await stage.run(PUBLISH, full=True)
            await stage.offer("MUG", title="A better title")
            return PUBLISH
        case "SYNC":
            await woo.linked()
            await stage.offer("MUG", "12", 4)
        case "HIDE":
            await woo.linked()
            await stage.offer("MUG", presence=Presence.HIDDEN)
        case "UNHIDE":
            await woo.linked()
            await stage.offer("MUG", presence=Presence.HIDDEN)
            await stage.run(SYNC)
            await stage.offer("MUG", presence=Presence.LISTED)
        case "DELIST":
            await woo.linked()
            await stage.offer("MUG", presence=Presence.DELISTED)
        case "CLOSE":
            order = await woo.ordered("note", complete=True)
            await woo.orders.ship(order, tracking_number="1Z")
            return SEND
        case _:
            order = await woo.ordered(write.removeprefix("FULFILL by "))
            await woo.orders.ship(order, tracking_number="1Z", carrier="UPS")
            return SEND
    return SYNC


def _options(write: str) -> dict[str, Any]:
    way = write.removeprefix("FULFILL by ")
    return {way: True} if way in ("shipment_tracking", "fulfillments") else {}


async def _came_true(woo: WooStage, write: str, fate: Fate) -> None:
    """What was wanted stands on the store, once."""
    match write:
        case "PUBLISH":
            assert [row["sku"] for row in woo.held()] == ["NEW"]
            assert (await woo.stage.variant("NEW")).link_state is LinkState.LINKED
        case "OVERWRITE":
            assert woo.product()["name"] == "A better title"
        case "SYNC":
            assert (woo.product()["regular_price"], woo.product()["stock_quantity"]) == ("12", 4)
        case "HIDE":
            assert woo.product()["stock_quantity"] == 0
            assert (await woo.stage.variant("MUG")).kept
        case "UNHIDE":
            assert woo.product()["stock_quantity"] == 5
            assert (await woo.stage.variant("MUG")).kept is None
        case "DELIST":
            assert woo.held() == []
            assert (await woo.stage.variant("MUG")).link_state is LinkState.UNLINKED
        case "CLOSE":
            assert [order["status"] for order in woo.held("orders")] == ["completed"]
            assert woo.told() == 1
        case _:
            # No way has a key that a store would refuse a second time. What is done after the
            # settle time is the one case that no client can tell from not done.
            assert woo.told() == (2 if fate is Fate.TOO_LATE else 1)


WRITES = (
    "PUBLISH",
    "OVERWRITE",
    "SYNC",
    "HIDE",
    "UNHIDE",
    "DELIST",
    "FULFILL by note",
    "FULFILL by shipment_tracking",
    "FULFILL by fulfillments",
    "CLOSE",
)


@pytest.mark.parametrize("fate", Fate, ids=lambda fate: fate.name)
@pytest.mark.parametrize("write", WRITES)
async def test_an_unknown_outcome_comes_to_an_end(
    engine: AsyncEngine, write: str, fate: Fate
) -> None:
    """UNKNOWN, looked up, final with its reason: wanted once, there once, nothing after it."""
    woo = await _open(engine, **_options(write))
    operation = await _prepare(woo, write)
    kind = write.split(maxsplit=1)[0]

    woo.wire.lose(fate, but="/notes" if write == "CLOSE" else "")
    run_id = (await woo.orders.run(operation))["id"]
    assert await _state(woo, kind) == "UNKNOWN"

    woo.stage.clock.advance(LOOK)
    await woo.orders.settle()
    assert await _state(woo, kind) == ("APPLIED" if fate is Fate.DONE else "UNKNOWN")
    if fate is Fate.LATE:
        await woo.wire.release()
    woo.stage.clock.advance(SETTLE)
    await woo.orders.settle()
    assert await _state(woo, kind) == "APPLIED"
    if fate is Fate.TOO_LATE:
        await woo.wire.release()

    run = await woo.stage.run_row(run_id)
    assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED"), dict(run)
    await _came_true(woo, write, fate)
    sent = [each for each in woo.wire.writes if write != "CLOSE" or not each.endswith("/notes")]
    assert len(sent) == (2 if fate is Fate.TOO_LATE else 1), woo.wire.writes
    woo.wire.writes.clear()
    for again in (operation, SYNC):
        assert (await woo.orders.run(again, full=True))["result"] == "SUCCEEDED"
    assert woo.wire.writes == []
    await _came_true(woo, write, fate)


async def _state(woo: WooStage, kind: str) -> str:
    rows = [row for row in await woo.stage.actions() if row["kind"] == kind]
    last = rows[-1]
    assert last["state"] != "FAILED" or last["outcome_message"]
    return str(last["state"])

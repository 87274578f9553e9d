"""A channel of the test platform on real PostgreSQL, with everything a runtime test acts on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import NewChannel, connect
from reconcile.commands.runs import RunRequest, request_run
from reconcile.contract import Platform
from reconcile.core.types import Operation, Presence, Side, Value, WritePolicy
from reconcile.deps import Deps, Recorder, Tuning
from reconcile.stated import Origin, StatedListing, StatedVariant
from reconcile.store.channels import load_channel
from reconcile.store.listing_rows import VariantRow
from reconcile.store.listings import find_variant
from reconcile.store.stating import write_listings
from reconcile.worker import drain, drain_until_idle
from tests.platform_double import double_platform
from tests.store_double import DoubleStore, variant
from tests.wiring_double import Bell, DirectTransport, make_deps

IMPORT, LINK, SYNC, PUBLISH = (
    Operation.IMPORT_LISTINGS,
    Operation.LINK_LISTINGS,
    Operation.SYNC_LISTINGS,
    Operation.PUBLISH_LISTINGS,
)


@dataclass
class ShiftedClock:
    """The real time plus what a test lets pass; the database's own clock runs beside it."""

    shift: timedelta = timedelta()

    def __call__(self) -> datetime:
        """The time it shows."""
        return datetime.now(UTC) + self.shift

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.shift += by


@dataclass
class Hook:
    """What a test does whenever a request is about to leave."""

    before_request: Callable[[], Awaitable[None]] | None = None


@dataclass
class HookedTransport(DirectTransport):
    """The transport of the doubles with a hook in front of every request."""

    hook: Hook = field(default_factory=Hook)

    async def acquire(self, cost: float) -> None:
        """Do what the test wants done now, whatever the request costs."""
        del cost
        if self.hook.before_request is not None:
            await self.hook.before_request()


@dataclass
class Stage:
    """One store, one channel, and the runtime that works on it."""

    deps: Deps
    store: DoubleStore
    clock: ShiftedClock
    bell: Bell
    hook: Hook
    channel_id: int = 0

    async def connect(
        self, policy: WritePolicy = WritePolicy.FULL, guard: Mapping[str, Value] | None = None
    ) -> None:
        """Connect the store as this stage's channel."""
        self.channel_id = await connect(
            self.deps,
            NewChannel(
                "Main",
                "double",
                {"store": "main", "secret": "right"},
                policy=policy,
                guard=guard or {},
            ),
            by="test",
        )

    # --- our side ---------------------------------------------------------------------------

    async def state(self, *stated: StatedListing) -> list[int]:
        """State listings the way the API and imports do; their ids."""
        async with self.deps.engine.begin() as conn:
            channel = await load_channel(conn, self.deps, self.channel_id)
            assert channel is not None
            results = await write_listings(
                conn, channel, stated, Origin("API", "test", self.clock())
            )
        assert all(not result.problems for result in results), results
        return [result.listing_id or 0 for result in results]

    async def offer(
        self,
        sku: str,
        price: str | None = None,
        quantity: int | None = None,
        *,
        presence: Presence | None = None,
        paused: bool | None = None,
        currency: str = "EUR",
        **fields: Value,
    ) -> int:
        """State a simple listing; what is None is left as it is. Its listing id."""
        own: dict[str, Value] = {}
        if price is not None:
            own["list_price"] = {"amount": price, "currency": currency}
        if quantity is not None:
            own["quantity"] = quantity
        variant = StatedVariant(sku, own, presence=presence, paused=paused)
        shared = {"title": f"Title of {sku}", **fields}
        return (await self.state(StatedListing(sku, shared, variants=[variant])))[0]

    async def variant(self, sku: str) -> VariantRow:
        """One of our variants as stored."""
        async with self.deps.engine.connect() as conn:
            found = await find_variant(conn, self.channel_id, sku)
        assert found is not None
        return found

    # --- runs -------------------------------------------------------------------------------

    async def ask(
        self,
        operation: Operation,
        *,
        full: bool = False,
        plan_only: bool = False,
        listing_ids: Sequence[int] | None = None,
    ) -> int:
        """Queue a run without working on it; its id."""
        request = RunRequest(operation, full, plan_only, listing_ids)
        return (await request_run(self.deps, self.channel_id, request, by="test")).run_id

    async def run(
        self,
        operation: Operation,
        *,
        full: bool = False,
        plan_only: bool = False,
        listing_ids: Sequence[int] | None = None,
    ) -> RowMapping:
        """Queue a run and work until nothing is due; the run as it then stands."""
        run_id = await self.ask(operation, full=full, plan_only=plan_only, listing_ids=listing_ids)
        await self.settle()
        return await self.run_row(run_id)

    async def settle(self) -> None:
        """Work until nothing is due now."""
        await drain_until_idle(self.deps, self.channel_id)

    async def linked(self, count: int, price: str = "10", quantity: int = 5) -> list[str]:
        """So many products on both sides, linked and in sync; their SKUs."""
        skus = [f"S{number:04d}" for number in range(count)]
        for sku in skus:
            self.store.add(f"Title of {sku}", variant(sku, price, quantity))
        await self.state(
            *(
                StatedListing(
                    sku,
                    {"title": f"Title of {sku}"},
                    variants=[
                        StatedVariant(
                            sku,
                            {
                                "list_price": {"amount": price, "currency": "EUR"},
                                "quantity": quantity,
                            },
                        )
                    ],
                )
                for sku in skus
            )
        )
        run = await self.run(SYNC, full=True)
        assert run["result"] == "SUCCEEDED", dict(run)
        self.store.requests.clear()
        return skus

    async def slice(self) -> bool:
        """Work for one slice; True when there is more to do."""
        return await drain(self.deps, self.channel_id, Side.LISTINGS, "test")

    async def run_row(self, run_id: int) -> RowMapping:
        """A run as it stands."""
        return (await self.rows("SELECT * FROM runs WHERE id = :id", id=run_id))[0]

    async def actions(self, run_id: int | None = None) -> list[RowMapping]:
        """Recorded actions in plan order, of one run or of all."""
        return await self.rows(
            "SELECT * FROM actions WHERE CAST(:id AS bigint) IS NULL OR run_id = :id ORDER BY id",
            id=run_id,
        )

    async def states(self, run_id: int | None = None) -> list[tuple[str, str]]:
        """Kind and state of every action."""
        return [(row["kind"], row["state"]) for row in await self.actions(run_id)]

    async def conditions(self, kind: str) -> list[tuple[str, str, str]]:
        """Type, status and reason of every condition of `channel`, `listing` or `variant`s."""
        rows = await self.rows(
            "SELECT * FROM conditions WHERE object_kind = :kind ORDER BY object_id, type", kind=kind
        )
        return [(row["type"], row["status"], row["reason"]) for row in rows]

    # --- the database -----------------------------------------------------------------------

    async def rows(self, sql: str, **values: Any) -> list[RowMapping]:
        """What a query yields."""
        async with self.deps.engine.connect() as conn:
            return list((await conn.execute(text(sql), values)).mappings())

    async def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row."""
        async with self.deps.engine.connect() as conn:
            return (await conn.execute(text(sql), values)).scalar_one()

    async def change(self, sql: str, **values: Any) -> None:
        """Change rows behind the runtime's back."""
        async with self.deps.engine.begin() as conn:
            await conn.execute(text(sql), values)


def make_stage(
    engine: AsyncEngine,
    *,
    tuning: Tuning | None = None,
    batch_size: int = 100,
    platform: Platform | None = None,
    store: DoubleStore | None = None,
) -> Stage:
    """A stage whose channel is not connected yet."""
    store = store or DoubleStore()
    clock = ShiftedClock()
    bell = Bell()
    chosen = platform or double_platform({"main": store}, batch_size=batch_size)
    hook = Hook()

    def transport(channel_id: int, platform: Platform, record: Recorder | None) -> HookedTransport:
        return HookedTransport(clock, record, hook=hook)

    deps = make_deps(engine, chosen, clock=clock, bell=bell, tuning=tuning)
    return Stage(replace(deps, transport=transport), store, clock, bell, hook)

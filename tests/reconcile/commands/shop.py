"""A connected channel of the test platform and the few things tests of commands do with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import NewChannel, connect
from reconcile.commands.errors import CommandError
from reconcile.commands.listings import ListingDraft, upsert
from reconcile.core.types import Value
from reconcile.deps import Deps
from reconcile.store.channels import Channel, load_channel
from reconcile.store.listing_rows import VariantRow
from reconcile.store.listings import find_variant
from reconcile.store.mirror import observe
from tests.adapter_double import DoubleAdapter
from tests.platform_double import double_platform
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, DirectTransport, make_deps


@dataclass
class MovingClock:
    """The real time plus what a test lets pass."""

    shift: timedelta = timedelta()

    def __call__(self) -> datetime:
        """The time it shows."""
        return datetime.now(UTC) + self.shift


@dataclass
class Shop:
    """One store, its channel, and what rang."""

    deps: Deps
    store: DoubleStore
    other: DoubleStore
    bell: Bell
    clock: MovingClock
    channel_id: int = 0

    async def listing(self, sku: str, price: str | None = None, **fields: Value) -> int:
        """State a simple listing; its id."""
        own: dict[str, Value] = {"title": f"Title of {sku}", **fields}
        if price is not None:
            own["list_price"] = price
        draft = ListingDraft(sku, own)
        return (await upsert(self.deps, self.channel_id, draft, by="test")).listing_id

    async def channel(self) -> Channel:
        """The channel as stored."""
        async with self.deps.engine.connect() as conn:
            found = await load_channel(conn, self.deps, self.channel_id)
        assert found is not None
        return found

    async def variant(self, sku: str) -> VariantRow:
        """A variant as stored."""
        async with self.deps.engine.connect() as conn:
            found = await find_variant(conn, self.channel_id, sku)
        assert found is not None
        return found

    async def see(self) -> None:
        """Bring what the store holds into the mirror."""
        channel = await self.channel()
        credentials: Any = channel.platform.credentials("main", self.store.secret)
        adapter = channel.platform.connect(
            credentials, channel.settings, channel.account, DirectTransport(self.clock, None)
        )
        assert isinstance(adapter, DoubleAdapter)
        async for page in adapter.listings(None):
            async with self.deps.engine.begin() as conn:
                await observe(
                    conn, channel.id, channel.their_identifier, page.rows, page.observed_at
                )

    async def rows(self, sql: str, **parameters: Any) -> Sequence[RowMapping]:
        """What the database says."""
        async with self.deps.engine.begin() as conn:
            result = await conn.execute(text(sql), parameters)
            return result.mappings().all() if result.returns_rows else []

    async def dirty(self) -> set[int]:
        """The listings that the next partial sync looks at."""
        found = await self.rows("SELECT listing_id FROM dirty WHERE operation = 'SYNC_LISTINGS'")
        return {row["listing_id"] for row in found}

    async def settle(self) -> None:
        """Pretend that the runtime has worked everything out."""
        await self.rows("DELETE FROM dirty")
        await self.rows("UPDATE listing_variants SET stale = false")


def codes(error: CommandError) -> list[tuple[str, tuple[str, ...]]]:
    """The problems of a refusal, without their sentences."""
    return [(problem.code, problem.path) for problem in error.problems]


def make_shop(engine: AsyncEngine) -> Shop:
    """Two stores that nobody is connected to yet."""
    store, other = DoubleStore(), DoubleStore(account_id="account-other", currency="USD")
    platform = double_platform({"main": store, "other": other})
    bell, clock = Bell(), MovingClock()
    deps = make_deps(engine, platform, clock=clock, bell=bell)
    return Shop(deps, store, other, bell, clock)


RIGHT: Mapping[str, Value] = {"store": "main", "secret": "right"}


async def connect_shop(shop: Shop, name: str = "Main") -> int:
    """Connect the shop's first store."""
    shop.channel_id = await connect(shop.deps, NewChannel(name, "double", RIGHT), by="test")
    return shop.channel_id

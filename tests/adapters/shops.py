"""A simulated store with an adapter on it, for the tests of adapters: no socket, no clock."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from adapters.registry import PLATFORMS
from adapters.sandbox import Sandbox
from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox
from adapters.woocommerce.settings import ChannelSettings, Credentials
from reconcile.contract import (
    AccountInfo,
    Adapter,
    BudgetObservation,
    Exchange,
    Progress,
    Result,
    Sending,
    Step,
    VariantWrite,
    Write,
)
from reconcile.core.actions import ActionKind
from reconcile.core.types import RemoteListing, RemoteVariant

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class PlainTransport:
    """A `contract.Transport` that keeps what it is told; time moves on by itself."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._now = datetime.now(UTC)
        self.records: list[Exchange] = []
        self.learned: list[BudgetObservation] = []
        self.acquired = 0.0

    @property
    def http(self) -> httpx.AsyncClient:
        """The client."""
        return self._http

    def now(self) -> datetime:
        """A little later with every look."""
        self._now += timedelta(milliseconds=1)
        return self._now

    async def acquire(self, cost: float) -> None:
        """Count."""
        self.acquired += cost

    async def learn(self, observation: BudgetObservation) -> None:
        """Keep."""
        self.learned.append(observation)

    async def record(self, exchange: Exchange) -> None:
        """Keep."""
        self.records.append(exchange)


@dataclass
class WooShop:
    """A WooCommerce store, seeded, with an adapter that has been connected to it."""

    sandbox: Sandbox
    url: str = "https://shop.example"
    settings: Mapping[str, Any] = field(default_factory=dict)
    known: AccountInfo | None = None
    transport: PlainTransport = field(init=False)

    def __post_init__(self) -> None:
        """Make the transport."""
        self.transport = PlainTransport(httpx.AsyncClient(transport=self.sandbox.transport()))

    @classmethod
    def open(
        cls,
        products: Sequence[Mapping[str, Any]] = (),
        *,
        options: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> "WooShop":
        """A store with these products; settings are the channel's."""
        chosen = SandboxOptions(products=tuple(products), **(options or {}))
        known = AccountInfo(
            account_id="shop.example",
            name="shop.example",
            currency="EUR",
            scopes=frozenset({"read", "write"}),
            features=frozenset({"brands", "global_unique_id", "modified_after"}),
        )
        return cls(create_sandbox(chosen), settings=settings, known=known)

    def adapter(self, which: str | None = None, **changes: Any) -> Adapter:
        """A new adapter, with one of the store's other keys if named."""
        credentials = {**self.sandbox.credentials_at(self.url, which), **changes}
        return PLATFORMS["woocommerce"].connect(
            Credentials(**credentials), ChannelSettings(**self.settings), self.known, self.transport
        )

    def fault(self, effect: str, **order: Any) -> None:
        """Order the store to fail."""
        from adapters.sandbox.faults import Fault

        self.sandbox.app.faults.append(Fault.parse({"effect": effect, **order}))

    def heal(self) -> None:
        """Take back all orders to fail."""
        self.sandbox.app.faults.clear()

    @property
    def requests(self) -> dict[str, int]:
        """Requests by route since the last `forget`."""
        return {
            route.replace("/wp-json/wc/v3", ""): count
            for route, count in self.sandbox.books.by_route.items()
        }

    def forget(self) -> None:
        """Start counting requests anew."""
        self.sandbox.books.reset()

    def holdings(self, kind: str = "products") -> list[dict[str, Any]]:
        """What the store holds: products or variations."""
        held: Any = self.sandbox.books.report()["holdings"]
        return list(held[kind])

    def held(self, sku: str) -> dict[str, Any]:
        """The one object with that SKU."""
        (found,) = [
            item
            for kind in ("products", "variations")
            for item in self.holdings(kind)
            if item["sku"] == sku
        ]
        return dict(found)


async def everything(adapter: Adapter) -> dict[str, RemoteListing]:
    """All products by id."""
    return {row.id: row async for page in adapter.listings(None) for row in page.rows}


async def variants(adapter: Adapter) -> dict[str, tuple[RemoteListing, RemoteVariant]]:
    """All variants that have a SKU, by SKU."""
    listings = (await everything(adapter)).values()
    return {item.sku: (row, item) for row in listings for item in row.variants if item.sku}


def write_of(
    kind: ActionKind, seen: tuple[RemoteListing, RemoteVariant], **of_variant: Any
) -> Write:
    """An action on one variant that has been seen."""
    listing, variant = seen
    return Write(
        key=f"{kind}:{variant.ref.listing}:{variant.ref.variant}",
        kind=kind,
        listing_id=f"l{listing.id}",
        remote_id=listing.id,
        variants=(
            VariantWrite(
                id=f"v{variant.ref.listing}-{variant.ref.variant}",
                sku=variant.sku or "",
                ref=variant.ref,
                seen=variant.seen,
                aspects=variant.aspects,
                **of_variant,
            ),
        ),
        aspects=listing.aspects,
    )


@dataclass(frozen=True)
class Told:
    """All that a write told, checked for the promises every write makes."""

    progress: tuple[Progress, ...]

    @property
    def results(self) -> dict[str, Result]:
        """Results by key."""
        return {item.key: item for item in self.progress if isinstance(item, Result)}

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps in order."""
        return tuple(item for item in self.progress if isinstance(item, Step))

    @property
    def sendings(self) -> tuple[Sending, ...]:
        """Announcements of requests, in order."""
        return tuple(item for item in self.progress if isinstance(item, Sending))

    @property
    def result(self) -> Result:
        """The only result."""
        (found,) = self.results.values()
        return found


async def tell(writes: Sequence[Write], progress: AsyncIterator[Progress]) -> Told:
    """Run a write to its end: exactly one result per action, every one of ours."""
    found = Told(tuple([item async for item in progress]))
    keys = [item.key for item in found.progress if isinstance(item, Result)]
    assert sorted(keys) == sorted(write.key for write in writes)
    return found


async def tell_until_error(
    progress: AsyncIterator[Progress],
) -> tuple[Told, Exception | None]:
    """Run a write until it ends or raises."""
    seen: list[Progress] = []
    try:
        async for item in progress:
            seen.append(item)  # noqa: PERF401 - what came before the error counts
    except Exception as error:  # noqa: BLE001 - what was raised is what the test looks at
        return Told(tuple(seen)), error
    return Told(tuple(seen)), None


def new_listing(
    name: str, *skus: str, content: Mapping[str, Any] | None = None, **of_write: Any
) -> Write:
    """A PUBLISH of a listing: simple with one SKU, else with the option Size."""
    many = len(skus) > 1
    return Write(
        key=f"PUBLISH:{name}",
        kind=ActionKind.PUBLISH,
        listing_id=f"listing-{name}",
        remote_id=None,
        variants=tuple(
            VariantWrite(
                id=f"own-{sku}",
                sku=sku,
                sync={"regular_price": "9.5", "stock_quantity": 4},
                options=(("Size", f"Size {number}"),) if many else (),
            )
            for number, sku in enumerate(skus)
        ),
        content={"name": name, **(content or {})},
        option_names=("Size",) if many else (),
        **of_write,
    )

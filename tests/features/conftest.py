"""Fixtures of the feature tests.

One live instance per session, a fresh store and channel per test.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from adapters.registry import PLATFORMS
from tallyport.client import ApiClient
from tests.features.desk import Desk
from tests.features.live import Instance
from tests.features.loopback import Loopback
from tests.features.shops import Shop
from tests.features.stores import STORES, Shelf, WooStore

Open: TypeAlias = Callable[..., Shop[Any]]
"""Opens one more shop; options are those of the platform's simulator."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known by which a test names the rows it stands for."""
    config.addinivalue_line("markers", "feature(*ids): rows of tests/features.toml")
    config.addinivalue_line("markers", "needs(*kinds): actions the platform has to declare")


@pytest.fixture(scope="session")
def loopback() -> Iterator[Loopback]:
    """Serve stores from this process."""
    with Loopback() as serving:
        yield serving


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Run one Tallyport for all feature tests, as `tallyport up` does."""
    running = Instance(tmp_path_factory.mktemp("live"))
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def scheduled(
    instance: Instance,
    api: ApiClient,
    loopback: Loopback,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop[WooStore]]:
    """A shop whose sync has been on the shortest schedule since the session began."""
    shop = Shop(instance, api, WooStore(loopback), tmp_path_factory.mktemp("scheduled"))
    shop.connect()
    shop.add("MUG", price="9.00", quantity=5)
    shop.list_ours({"sku": "MUG", "list_price": "12.00", "quantity": 5})
    shop.done("channel", "schedule", shop.name, "sync", "--every", "60s", "--full")
    yield shop
    instance.cli("channel", "remove", shop.name, "--yes")
    shop.store.close()


@pytest.fixture(autouse=True)
def told_log(request: pytest.FixtureRequest, instance: Instance) -> Iterator[None]:
    """Show what the instance logged during a test; pytest prints it where the test fails."""
    if any("scheduled" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("scheduled")  # its minute passes while the other tests run
    before = len(instance.log)
    yield
    sys.stderr.write(instance.log[before:][-8000:])


@pytest.fixture(scope="session")
def api(instance: Instance) -> Iterator[ApiClient]:
    """Speak to the instance as an admin."""
    with instance.client() as client:
        yield client


@pytest.fixture(params=sorted(PLATFORMS))
def platform(request: pytest.FixtureRequest) -> str:
    """Name each platform in turn: rows of group A hold on every one, as far as it declares."""
    name = str(request.param)
    for marker in request.node.iter_markers("needs"):
        if missing := [kind for kind in marker.args if kind not in PLATFORMS[name].actions]:
            pytest.skip(f"{name} declares that it cannot {', '.join(missing)}")
    return name


@pytest.fixture
def open_shop(
    instance: Instance, api: ApiClient, loopback: Loopback, tmp_path: Path
) -> Iterator[Open]:
    """Open shops that are closed at the end of the test."""
    opened: list[Shop[Shelf]] = []

    def open_one(platform: str = "woocommerce", **options: Any) -> Shop[Any]:
        shop: Shop[Any] = Shop(instance, api, STORES[platform](loopback, **options), tmp_path)
        opened.append(shop)
        return shop

    yield open_one
    for shop in opened:
        # Removed, so that no sweep ever asks a store that is closed.
        instance.cli("channel", "remove", shop.name, "--yes")
        shop.store.close()


@pytest.fixture
def shop(platform: str, open_shop: Open) -> Shop[Any]:
    """Open a connected, empty store of each platform."""
    opened = open_shop(platform)
    opened.connect()
    return opened


@pytest.fixture
def woo(open_shop: Open) -> Shop[WooStore]:
    """Open a connected, empty WooCommerce store."""
    opened = open_shop("woocommerce")
    opened.connect()
    return opened


@pytest.fixture
def desk(shop: Shop[Any]) -> Desk[Any]:
    """Open the order desk of an empty store of each platform that has orders."""
    return _mapped(shop)


@pytest.fixture
def woo_desk(woo: Shop[WooStore]) -> Desk[WooStore]:
    """Open the order desk of an empty WooCommerce store."""
    return _mapped(woo)


def _mapped(shop: Shop[Any]) -> Desk[Any]:
    opened: Desk[Any] = Desk(shop)
    opened.map("flat_rate")
    return opened

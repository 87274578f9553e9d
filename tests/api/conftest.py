"""The API over a real database and the platform double, asked the way clients ask: over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from reconcile.commands.tokens import Scope
from reconcile.deps import Deps
from tests.api.asking import Client, client_for
from tests.platform_double import double_platform
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on this test's database."""
    made = create_async_engine(database_url)
    yield made
    await made.dispose()


@pytest.fixture
def store() -> DoubleStore:
    """Return the store behind the test platform."""
    return DoubleStore()


@pytest.fixture
def bell() -> Bell:
    """Return the doorbell that the commands ring."""
    return Bell()


@pytest.fixture
def deps(engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Deps:
    """Return the parts an application is built of."""
    return make_deps(
        engine,
        double_platform({"main": store, "other": DoubleStore("account-2")}),
        bell=bell,
        clock=now,
    )


def now() -> datetime:
    """The real time: the database's own clock decides when a run is due."""
    return datetime.now(UTC)


@pytest.fixture
async def api(deps: Deps) -> AsyncIterator[Client]:
    """Yield a client whose token may do everything."""
    async with client_for(deps, Scope.ADMIN) as client:
        yield client

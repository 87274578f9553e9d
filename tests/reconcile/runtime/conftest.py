"""Fixtures of the runtime's tests: a database of the test's own, and a connected channel."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.reconcile.runtime.stage import Stage, make_stage


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on this test's own database."""
    made = create_async_engine(database_url, pool_size=3)
    try:
        yield made
    finally:
        await made.dispose()


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    """Return a connected channel of an empty store."""
    made = make_stage(engine)
    await made.connect()
    return made

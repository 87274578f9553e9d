"""Fixtures for tests of commands and reads: stores, and a channel connected to one of them."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.reconcile.commands.order_shop import make_order_shop
from tests.reconcile.commands.shop import Shop, connect_shop, make_shop


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[Shop]:
    """Yield stores without a channel."""
    engine = create_async_engine(database_url, pool_size=3)
    try:
        yield make_shop(engine)
    finally:
        await engine.dispose()


@pytest.fixture
async def shop(stores: Shop) -> Shop:
    """Return stores of which the first is connected."""
    await connect_shop(stores)
    stores.bell.rings.clear()
    return stores


@pytest.fixture
async def order_shop(database_url: str) -> AsyncIterator[Shop]:
    """Yield a shop with orders whose first store is connected."""
    engine = create_async_engine(database_url, pool_size=4)
    try:
        made = make_order_shop(engine)
        await connect_shop(made)
        made.bell.rings.clear()
        yield made
    finally:
        await engine.dispose()

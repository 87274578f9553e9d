"""Long catalog files are imported in slices, and read once however many slices that takes."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from reconcile.catalog.items import CatalogItem
from reconcile.commands import imports as commands
from reconcile.contract import CatalogRow
from reconcile.core.types import OurField
from reconcile.deps import Deps, Tuning
from reconcile.imports import advance_import
from reconcile.store.imports import imports_by_ids
from reconcile.store.listings import ListingFilter, count_listings
from tests.reconcile.commands.shop import Shop, connect_shop, make_shop

pytestmark = pytest.mark.anyio

ROWS = 2100


class CountingLayout:
    """A layout of one SKU a line that counts the lines it was asked for."""

    name = "counting"
    title = "Counting CSV"

    def __init__(self) -> None:
        self.lines = 0

    def recognizes(self, header: Sequence[str]) -> bool:
        """Every header will do."""
        return bool(header)

    def read(self, header: Sequence[str], rows: Any, currency: str) -> Iterator[CatalogItem]:
        """One listing per line."""
        assert header
        assert currency
        for row in rows:
            self.lines += 1
            fields = {OurField.SKU: row.cells[0], OurField.TITLE: "Title"}
            yield CatalogRow(row.line, fields, ((row.line, {OurField.SKU: row.cells[0]}),))


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    """Yield a connected channel without listings."""
    engine = create_async_engine(database_url, pool_size=3)
    try:
        made = make_shop(engine)
        await connect_shop(made)
        yield made
    finally:
        await engine.dispose()


async def _handed_in(deps: Deps, channel_id: int) -> int:
    import_id = await commands.begin(deps, channel_id, "file.csv", by="me")
    data = "code\n" + "".join(f"SKU-{number}\n" for number in range(ROWS))
    await commands.append(deps, import_id, 0, data.encode())
    await commands.finish(deps, import_id)
    return import_id


async def _state(deps: Deps, import_id: int) -> tuple[str, int, int]:
    async with deps.engine.connect() as conn:
        row = (await imports_by_ids(conn, [import_id]))[import_id]
        listings = await count_listings(conn, ListingFilter())
    return str(row.state), row.rows_done, listings


async def test_a_file_is_read_once(shop: Shop) -> None:
    """Slices that end after every portion go on where the last one stopped."""
    layout = CountingLayout()
    deps = replace(shop.deps, layouts=(layout,), tuning=Tuning(slice=timedelta()))
    import_id = await _handed_in(deps, shop.channel_id)

    slices = 1
    while await advance_import(deps, import_id):
        slices += 1

    assert slices > ROWS // 500
    assert await _state(deps, import_id) == ("DONE", ROWS, ROWS)
    assert layout.lines == ROWS


async def test_another_worker_goes_on(shop: Shop) -> None:
    """Two workers that take turns import each row once, each with a file of its own."""
    layout = CountingLayout()
    deps = replace(shop.deps, layouts=(layout,), tuning=Tuning(slice=timedelta()))
    other_engine = create_async_engine(shop.deps.engine.url)
    other = replace(deps, engine=other_engine)
    import_id = await _handed_in(deps, shop.channel_id)

    try:
        for turn in range(100):
            if not await advance_import((deps, other)[turn % 2], import_id):
                break
    finally:
        await other_engine.dispose()

    assert await _state(deps, import_id) == ("DONE", ROWS, ROWS)
    assert layout.lines <= 2 * ROWS


async def test_what_was_not_committed_is_read_again(shop: Shop) -> None:
    """A portion that was taken back is imported by the next slice."""
    layout = CountingLayout()
    deps = replace(shop.deps, layouts=(layout,), tuning=Tuning(slice=timedelta()))
    import_id = await _handed_in(deps, shop.channel_id)
    await advance_import(deps, import_id)
    await advance_import(deps, import_id)

    async with deps.engine.begin() as conn:
        await conn.execute(text("UPDATE imports SET rows_done = 500"))
        await conn.execute(text("DELETE FROM listings WHERE sku = 'SKU-700'"))
    while await advance_import(deps, import_id):
        pass

    assert (await _state(deps, import_id))[0] == "DONE"
    assert (await _state(deps, import_id))[2] == ROWS

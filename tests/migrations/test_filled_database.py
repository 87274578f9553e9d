"""Migrations on a database that has been worked with: nothing is in the way, nothing lost."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from reconcile.commands import imports as file_imports
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.tokens import Scope, create
from reconcile.core.types import Presence
from reconcile.deps import Tuning
from reconcile.imports import advance_import
from reconcile.store import sweeping
from reconcile.store.tables import metadata
from tallyport import migrate
from tests.order_double import line
from tests.reconcile.runtime.order_stage import OrderStage, order_stage
from tests.reconcile.runtime.stage import PUBLISH, SYNC
from tests.store_double import timed_out, variant

Found = TypeVar("Found")

ORDER_TABLES = frozenset(
    {
        "deductions",
        "order_lines",
        "orders",
        "remote_orders",
        "shipment_lines",
        "shipments",
        "shipping_mappings",
        "shipping_texts",
    }
)
"""What revision 0002 has brought."""
OF_ORDERS: Mapping[str, str] = {
    "actions": "kind IN ('IMPORT_ORDER', 'ACKNOWLEDGE', 'FULFILL', 'CLOSE')",
    "attempts": "run_id IN (SELECT id FROM runs WHERE side = 'ORDERS')",
    "conditions": "object_kind = 'order'",
    "failures": "object_id LIKE 'order:%' OR object_id LIKE 'shipment:%'",
    "leases": "side = 'ORDERS'",
    "operations": "operation IN ('GET_ORDERS', 'SYNC_ORDERS')",
    "runs": "side = 'ORDERS'",
}
"""Rows about orders in tables of revision 0001, which does not know what they mean."""

CATALOG = "sku,title,list_price,quantity\nBOWL,Bowl,4.00,3\nJUG,Jug,not a price,1\n"


def _in(database_url: str, work: Callable[[AsyncEngine], Awaitable[Found]]) -> Found:
    async def run() -> Found:
        engine = create_async_engine(database_url, poolclass=NullPool)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


async def _fill(engine: AsyncEngine) -> OrderStage:
    """A shop in the middle of its work: every table has rows, made by the product itself."""
    desk = order_stage(engine)
    await desk.open()
    stage, store = desk.stage, desk.store
    await stage.linked(12)
    await set_quantities(stage.deps, [Statement("S0000", 9)], by="test")
    await stage.offer("S0001", "666")  # refused by the store: a failure that is remembered
    await stage.offer("NEW", "3", 1)
    await stage.run(SYNC)
    store.fail(timed_out(), "publish")
    await stage.run(PUBLISH)
    order = desk.order(line("1", "S0000", 2), line("2", "S0002", 1))
    desk.order(line("1", "S0000"), ship_to=None)
    await desk.get()
    await desk.ship(order, {"1": 1})
    await desk.settle()
    await desk.ship(order, {"1": 1}, tracking_number="BAD")
    await desk.settle()
    await create(stage.deps, "frontend", [Scope.READ], by="test")
    for data in (CATALOG, CATALOG.replace("BOWL", "POT")):
        given = {"replace_with": Presence.HIDDEN, "pause_new": False, "by": "test"}
        number = await file_imports.begin(stage.deps, desk.channel_id, "catalog.csv", **given)
        await file_imports.append(stage.deps, number, 0, data.encode())
        if "BOWL" in data:
            await file_imports.finish(stage.deps, number)
            while await advance_import(stage.deps, number):
                pass
        else:
            await file_imports.finish(stage.deps, number)
            short = replace(stage.deps, tuning=Tuning(slice=timedelta()))
            assert await advance_import(short, number)  # one stretch of it, and then no more
    store.add("Late", variant("LATE", "1", 1))
    async with engine.begin() as conn:
        await sweeping.beat(conn, "a worker")
    return desk


async def _counts(engine: AsyncEngine, where: Mapping[str, str] | None = None) -> dict[str, int]:
    """Table → rows; with `where`, only those it names."""
    names = metadata.tables if where is None else where
    async with engine.connect() as conn:
        return {
            name: (
                await conn.execute(
                    text(f"SELECT count(*) FROM {name} WHERE {(where or {}).get(name, 'true')}")  # noqa: S608
                )
            ).scalar_one()
            for name in names
        }


async def _rows(engine: AsyncEngine) -> dict[str, list[Any]]:
    """Table of 0001 → its rows, of those that are not about orders, without newer columns."""
    newer = {"cursor", "order_ids", "lookup", "order_id", "shipment_id", "retention_days"}
    found: dict[str, list[Any]] = {}
    async with engine.connect() as conn:
        for name, table in metadata.tables.items():
            if name in ORDER_TABLES:
                continue
            columns = ", ".join(c.name for c in table.columns if c.name not in newer)
            which = f"NOT ({OF_ORDERS.get(name, 'false')})"
            result = await conn.execute(
                text(f"SELECT {columns} FROM {name} WHERE {which} ORDER BY 1, 2")  # noqa: S608
            )
            found[name] = [tuple(row) for row in result]
    return found


def _empty(counts: Mapping[str, int]) -> Sequence[str]:
    return sorted(name for name, number in counts.items() if not number)


def test_a_filled_database_goes_down_and_up(database_url: str) -> None:
    """To nothing and back with rows in every table: no constraint is in the way."""
    _in(database_url, _fill)
    assert _empty(_in(database_url, _counts)) == []

    migrate.downgrade(database_url)
    assert migrate.current(database_url) is None
    migrate.upgrade(database_url)

    assert not any(_in(database_url, _counts).values())


def test_a_filled_database_of_0001_keeps_its_rows(database_url: str) -> None:
    """Down to 0001 goes what is about orders, and nothing else; up again all of 0001 is there."""
    _in(database_url, _fill)
    before = _in(database_url, _rows)

    migrate.downgrade(database_url, "0001")
    left = _in(database_url, lambda engine: _counts(engine, OF_ORDERS))
    assert not any(left.values()), left
    migrate.upgrade(database_url)

    after = _in(database_url, _rows)
    assert [name for name in before if before[name] != after[name]] == []
    assert not any(_in(database_url, _counts)[name] for name in ORDER_TABLES)


def test_a_channel_of_before_orders_can_get_them_after_the_upgrade(database_url: str) -> None:
    """A channel that was connected under 0001 has the operations of 0002, and works on."""

    async def fill_and_go_on(engine: AsyncEngine) -> None:
        desk = await _fill(engine)
        await asyncio.to_thread(migrate.downgrade, database_url, "0001")
        await asyncio.to_thread(migrate.upgrade, database_url)

        await desk.settle()
        assert (await desk.run(SYNC, full=True))["finished_at"] is not None
        run = await desk.get(full=True)
        assert run["error_code"] is None
        assert len(await desk.verdicts()) == 2

    _in(database_url, fill_and_go_on)


def test_what_a_filled_database_was_about_to_do_it_does_not(database_url: str) -> None:
    """Distrusted in the middle of its work: nothing is sent unseen, all of it comes to an end."""

    async def distrust(engine: AsyncEngine) -> None:
        desk = await _fill(engine)
        old = {row["id"] for row in await desk.stage.actions() if row["finished_at"] is None}
        assert old
        await asyncio.to_thread(migrate.distrust_all, database_url)
        desk.store.requests.clear()
        desk.stage.clock.advance(timedelta(hours=3))

        await desk.settle()
        for operation in (PUBLISH, SYNC):
            assert (await desk.run(operation))["finished_at"] is not None
        listed = desk.store.requests.index("listings")
        assert all(desk.store.requests.index(name) > listed for name in desk.store.writes())
        ends = {row["id"]: row["state"] for row in await desk.stage.actions()}
        assert {ends[number] for number in old} <= {"STALE", "APPLIED", "NO_OP"}
        assert [item.title for item in desk.store.products.values()].count("Title of NEW") == 1

    _in(database_url, distrust)

"""A worker killed at any commit while it works on orders, and what pages of orders cost."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.mappings import set_mapping
from tests.order_double import StoreOrder, line
from tests.reconcile.runtime.killing import Killer, killing
from tests.reconcile.runtime.order_stage import GET, SEND, OrderStage, order_stage

pytestmark = pytest.mark.anyio

EVERY = 9
"""One in so many commits is killed here; all of them take minutes."""


async def _scene(engine: AsyncEngine, name: str) -> tuple[OrderStage, list[StoreOrder]]:
    """A shop with orders of every fate, one of them shipped in part."""
    shop = order_stage(engine, name=name)
    shop.store.account_id = f"account-{name}"
    await shop.open_as(name)
    await shop.settings(GET, mark=True)
    await shop.settings(SEND, complete=True)
    first = shop.order(line("1", "A", 2), number="first")
    await shop.get()
    await shop.stage.change(
        "UPDATE operations SET paused = true WHERE operation = 'SYNC_ORDERS' AND channel_id = :id",
        id=shop.channel_id,
    )
    await shop.ship(first, {"1": 1})
    await shop.ship(first, {"1": 1}, tracking_number="TRACK2")
    orders = [first]
    orders += [shop.order(line("1", "A"), number=f"plain {number}") for number in range(12)]
    orders.append(shop.order(line("1", None), number="no sku"))
    orders.append(shop.order(line("1", "A"), number="old", days_ago=99))
    await shop.stage.change(
        "UPDATE operations SET paused = false WHERE operation = 'SYNC_ORDERS' AND channel_id = :id",
        id=shop.channel_id,
    )
    shop.store.requests.clear()
    return shop, orders


async def _life(shop: OrderStage, killer: Killer) -> None:
    """Both operations; a killed worker is followed by another."""
    for operation in (GET, SEND):
        await shop.stage.ask(operation, full=True)
        for _ in range(4):
            try:
                with killing(shop.stage.deps.engine, killer):
                    await shop.settle()
            except asyncio.CancelledError:
                killer.at = None
                await shop.stage.change("UPDATE leases SET expires_at = now() - interval '1 s'")
                continue
            shop.stage.clock.advance(timedelta(minutes=5))


async def _ends(shop: OrderStage, orders: list[StoreOrder]) -> object:
    """What both sides hold in the end."""
    given = {"id": shop.channel_id}
    theirs = [(order.number, order.status, len(order.notes), order.marks > 0) for order in orders]
    seen = await shop.stage.rows(
        "SELECT number, verdict, reason, decide FROM remote_orders WHERE channel_id = :id"
        " ORDER BY number",
        **given,
    )
    ours = await shop.stage.rows(
        "SELECT number, status, hold_code FROM orders WHERE channel_id = :id ORDER BY number",
        **given,
    )
    shipments = await shop.stage.rows(
        "SELECT origin, state, count(*) FROM shipments WHERE channel_id = :id GROUP BY 1, 2",
        **given,
    )
    units = await shop.stage.value(
        "SELECT sum(units) FROM deductions WHERE channel_id = :id", **given
    )
    return theirs, [[dict(row) for row in part] for part in (seen, ours, shipments)], units


@pytest.mark.parametrize("first", [2, 4])
async def test_killed_before_any_commit(engine: AsyncEngine, first: int) -> None:
    """Orders, shipments and books end up the same; nothing was imported or shipped twice."""
    calm, orders = await _scene(engine, "calm")
    counting = Killer(None)
    await _life(calm, counting)
    expected = await _ends(calm, orders)
    assert orders[0].status == "completed"
    assert Counter(order.marks for order in orders)[1] == 13
    for at in range(first, counting.commits, EVERY):
        shop, others = await _scene(engine, f"killed at {at}")
        await _life(shop, Killer(at))
        assert await _ends(shop, others) == expected, at


async def test_statements_per_page_are_constant(engine: AsyncEngine) -> None:
    """A page, a chunk of decisions and an import cost the same statements for 1 order as for 9."""

    async def cost(orders: int) -> int:
        shop = order_stage(engine, name=f"of {orders}")
        shop.store.account_id = f"account-{orders}"
        await shop.open_as(f"of {orders}")
        for _ in range(orders):
            shop.order(line("1", "A"), line("2", "B", 2))
        statements = 0

        def count(*_: Any) -> None:
            nonlocal statements
            statements += 1

        event.listen(engine.sync_engine, "before_cursor_execute", count)
        try:
            await shop.get()
        finally:
            event.remove(engine.sync_engine, "before_cursor_execute", count)
        assert (
            await shop.stage.value(
                "SELECT count(*) FROM orders WHERE channel_id = :id", id=shop.channel_id
            )
            == orders
        )
        return statements

    assert await cost(1) == await cost(9)


async def test_mapped_while_the_run_polls(engine: AsyncEngine) -> None:
    """A mapping that is set between two pages is not lost, whichever orders are stored by then."""
    shop = order_stage(engine)
    await shop.open(mapped=())
    for _ in range(15):
        shop.order(line("1", "A"))

    async def map_on_second_page() -> None:
        if shop.store.requests.count("orders") == 1:
            shop.stage.hook.before_request = None
            await set_mapping(shop.stage.deps, shop.channel_id, "ground", "Standard", by="test")

    shop.stage.hook.before_request = map_on_second_page
    run = await shop.get()
    assert run["state"] == "REPORTED"
    assert shop.stage.hook.before_request is None
    assert await shop.stage.value("SELECT count(*) FROM orders") == 15

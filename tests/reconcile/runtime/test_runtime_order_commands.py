"""What people do to orders, through the runtime to the store's books and back."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.orders import hold, release, void_shipment
from reconcile.order_explain import OrderMatch, explain_remote_order
from tests.order_double import StoreOrder, line
from tests.reconcile.runtime.order_stage import OrderStage, order_stage
from tests.store_double import timed_out

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(engine: AsyncEngine) -> OrderStage:
    """Return a connected store with orders."""
    made = order_stage(engine)
    await made.open()
    return made


async def explained(shop: OrderStage, order: StoreOrder) -> OrderMatch:
    """What is said of the order."""
    row = await shop.ours(order)
    found = await explain_remote_order(shop.stage.deps, row["remote_order_id"])
    assert found is not None
    return found


async def test_a_held_order_ships_when_it_is_released(shop: OrderStage) -> None:
    """What was recorded before the hold waits, and leaves by itself after the release."""
    order = shop.order(line("1", "MUG", 2))
    await shop.get()
    order_id = (await shop.ours(order))["id"]
    await shop.ship(order, {"1": 1})
    await hold(shop.stage.deps, order_id, "look at it", by="ann")
    await shop.send()
    assert order.notes == []
    assert any("hold" in step for step in (await explained(shop, order)).steps)

    await release(shop.stage.deps, order_id, by="ann")
    await shop.settle()
    assert len(order.notes) == 1
    assert any("on the channel since" in step for step in (await explained(shop, order)).steps)


async def test_what_was_taken_back_never_leaves(shop: OrderStage) -> None:
    """Neither what waits to be planned nor what was planned; its units ship another way."""
    order = shop.order(line("1", "MUG", 2))
    await shop.get()
    wrong = await shop.ship(order, {"1": 2})
    await void_shipment(shop.stage.deps, wrong, by="ann")
    right = await shop.ship(order, {"1": 1}, tracking_number="TRACK2")
    await shop.settle()
    assert order.notes == [f"shipment {right}"]
    row = await shop.ours(order)
    assert row["status"] == "PARTIALLY_SHIPPED"


async def test_a_release_accepts_an_edit_for_good(shop: OrderStage) -> None:
    """Held for an edit after a shipment; released, it ships what is ordered now, once."""
    order = shop.order(line("1", "MUG", 2))
    await shop.get()
    await shop.ship(order, {"1": 1})
    await shop.settle()
    shop.touch(order, lines=[line("1", "MUG", 5)])
    await shop.get()
    row = await shop.ours(order)
    assert row["hold_code"] == "ChangedAfterShipment"

    await release(shop.stage.deps, row["id"], by="ann")
    await shop.settle()
    await shop.get(full=True)
    row = await shop.ours(order)
    assert (row["hold_code"], row["status"]) == (None, "PARTIALLY_SHIPPED")
    await shop.ship(order, tracking_number="TRACK2")
    await shop.settle()
    assert len(order.notes) == 2
    assert (await shop.ours(order))["status"] == "SHIPPED"
    said = (await explained(shop, order)).steps
    assert any("5 units ordered, 5 shipped, 0 left" in step for step in said)


async def test_a_hold_after_an_unknown_outcome_repeats_nothing(shop: OrderStage) -> None:
    """The store answered late: what is there stays there, and is not sent once more."""
    order = shop.order(line("1", "MUG", 2))
    await shop.get()
    await shop.ship(order)
    shop.store.fail(timed_out(), "fulfill", after_effect=True)
    await shop.settle()
    order_id = (await shop.ours(order))["id"]
    await hold(shop.stage.deps, order_id, "look at it", by="ann")
    await release(shop.stage.deps, order_id, by="ann")
    await shop.send()
    assert len(order.notes) == 1

"""Orders through the runtime: polled, decided, imported, followed, shipped, closed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.errors import CommandError
from reconcile.commands.mappings import set_mapping
from reconcile.commands.orders import close, release, request_lookup, void_shipment
from reconcile.core.remote_order_types import RemoteFulfillment, ShippingText
from reconcile.core.types import Operation, WritePolicy
from tests.order_double import line
from tests.reconcile.runtime.order_stage import GET, SEND, OrderStage, order_stage
from tests.store_double import timed_out, variant

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(engine: AsyncEngine) -> OrderStage:
    """A connected shop with one shipping method mapped."""
    made = order_stage(engine)
    await made.open()
    return made


# --- importing --------------------------------------------------------------------------------


async def test_every_seen_order_has_a_verdict(shop: OrderStage) -> None:
    """Imported, held, skipped or unsavable: whatever the store shows is accounted for."""
    plain = shop.order(line("1", "A"))
    unmapped = shop.order(line("1", "A"), shipping=(ShippingText(("drone",), "By drone"),))
    shop.order(line("1", None))
    shop.order(line("1", "A"), days_ago=30)
    shop.order(line("1", "A"), status="pending")
    shop.order(line("1", "A"), status="draft")
    shop.order(line("1", "A"), ship_to=None)
    run = await shop.get()
    found = [verdict for verdict, _ in (await shop.verdicts()).values()]
    reasons = [reason for _, reason in (await shop.verdicts()).values()]
    assert found == [
        "IMPORTED", "HELD", "UNSAVABLE", "SKIPPED", "SKIPPED", "SKIPPED", "UNSAVABLE",
    ]  # fmt: skip
    assert reasons[1:] == [
        "UnmappedShipping", "MissingSku", "TooOld", "StatusNotSelected", "IncompleteCheckout",
        "MissingAddress",
    ]  # fmt: skip
    assert run["result"] == "PARTIAL"
    assert run["counts"]["orders_imported"] == 1
    assert run["counts"]["orders_held"] == 1
    assert run["counts"]["reasons"]["TooOld"] == 1
    ours = await shop.ours(plain)
    assert (ours["status"], ours["shipping_policy"]) == ("OPEN", "Standard")
    assert ours["personal"]["email"] == "ada@personal.example"
    conditions = await shop.stage.rows("SELECT * FROM conditions WHERE object_kind = 'order'")
    assert {row["reason"] for row in conditions} == {
        "UnmappedShipping", "MissingSku", "MissingAddress",
    }  # fmt: skip
    assert unmapped.number not in str(
        [dict(row) for row in await shop.stage.rows("SELECT * FROM orders")]
    )


async def test_held_order_imports_by_itself_once_mapped(shop: OrderStage) -> None:
    """The mapping alone is enough: no request to the store, no command."""
    order = shop.order(line("1", "A"), shipping=(ShippingText(("drone:4", "drone"), "Drone"),))
    await shop.get()
    shop.store.requests.clear()
    await set_mapping(shop.stage.deps, shop.channel_id, "drone", "Air", by="test")
    await shop.settle()
    assert (await shop.verdicts())[order.number][0] == "IMPORTED"
    assert (await shop.ours(order))["shipping_policy"] == "Air"
    assert shop.store.requests == []
    assert await shop.stage.rows("SELECT 1 FROM conditions WHERE object_kind = 'order'") == []


async def test_polled_by_modified_with_overlap(shop: OrderStage) -> None:
    """The second poll asks for what changed; an order that only then was paid is imported."""
    order = shop.order(line("1", "A"), status="pending")
    for _ in range(24):
        shop.order(line("1", "A"))
    shop.stage.clock.advance(timedelta(minutes=30))
    await shop.get()
    assert shop.store.requests.count("orders") == 3
    shop.store.requests.clear()
    shop.stage.clock.advance(timedelta(hours=1))
    shop.touch(order, status="open")
    run = await shop.get()
    assert run["counts"]["orders_seen"] == 1
    assert shop.store.requests == ["check", "orders"]
    assert (await shop.verdicts())[order.number] == ("IMPORTED", "Imported")


async def test_the_window_counts_from_first_sight(shop: OrderStage) -> None:
    """An order that is paid three weeks after it was seen is not too old."""
    order = shop.order(line("1", "A"), status="pending")
    await shop.get()
    shop.stage.clock.advance(timedelta(days=21))
    shop.touch(order, status="open")
    await shop.get()
    assert (await shop.verdicts())[order.number][0] == "IMPORTED"


async def test_more_days_look_further_back(shop: OrderStage) -> None:
    """When the filter's reach grows, the next poll looks at all of it."""
    order = shop.order(line("1", "A"), days_ago=40)
    order.modified_at = order.created_at
    await shop.get()
    assert await shop.verdicts() == {}
    await shop.settings(GET, days=60)
    await shop.get()
    assert (await shop.verdicts())[order.number][0] == "IMPORTED"


async def test_a_lookup_finds_what_no_poll_saw(shop: OrderStage) -> None:
    """An old order is read by its number, and then says why it is not imported."""
    order = shop.order(line("1", "A"), days_ago=90, number="A-77")
    order.modified_at = order.created_at
    await shop.get()
    assert await shop.verdicts() == {}
    first = await request_lookup(shop.stage.deps, shop.channel_id, "A-77", by="test")
    await shop.settle()
    assert await shop.verdicts() == {"A-77": ("SKIPPED", "TooOld")}
    assert (await shop.stage.run_row(first.run_id))["counts"]["orders_found"] == 1
    nothing = await request_lookup(shop.stage.deps, shop.channel_id, "A-78", by="test")
    await shop.settle()
    row = await shop.stage.run_row(nothing.run_id)
    assert (row["state"], row["counts"]["orders_found"]) == ("REPORTED", 0)


async def test_a_preview_imports_nothing(shop: OrderStage) -> None:
    """A plan says what would be imported; the next run does it."""
    order = shop.order(line("1", "A"))
    run = await shop.get(plan_only=True)
    assert run["state"] == "PLANNED"
    assert await shop.stage.states(run["id"]) == [("IMPORT_ORDER", "PLANNED")]
    assert await shop.stage.rows("SELECT 1 FROM orders") == []
    await shop.get()
    assert (await shop.ours(order))["status"] == "OPEN"


async def test_imported_once_by_two_workers(shop: OrderStage) -> None:
    """Slices of two holders alternate; every order is one order."""
    for _ in range(25):
        shop.order(line("1", "A"))
    run_id = await shop.stage.ask(GET)
    holders = ["one", "two"] * 200
    while (await shop.stage.run_row(run_id))["finished_at"] is None:
        await shop.slice(holders.pop())
    assert await shop.stage.value("SELECT count(*) FROM orders") == 25
    assert (await shop.stage.run_row(run_id))["counts"]["orders_imported"] == 25


async def test_acknowledged_after_the_import(shop: OrderStage) -> None:
    """Where the channel wants a mark it gets one, in the same run and once."""
    await shop.settings(GET, mark=True)
    order = shop.order(line("1", "A"))
    run = await shop.get()
    assert ("ACKNOWLEDGE", "APPLIED") in await shop.stage.states(run["id"])
    await shop.get(full=True)
    assert order.marks == 1


# --- after the import -------------------------------------------------------------------------


async def test_an_untouched_order_follows_the_channel(shop: OrderStage) -> None:
    """An edit before anything left changes our copy."""
    order = shop.order(line("1", "A", 2), line("2", "B", 1))
    await shop.get()
    shop.stage.clock.advance(timedelta(minutes=5))
    shop.touch(order, lines=[line("1", "A", 5), line("3", "C", 1)])
    await shop.get()
    lines = {row["remote_line_id"]: row for row in await shop.lines(order)}
    assert lines["1"]["quantity"] == 5
    assert lines["2"]["canceled"] == lines["2"]["quantity"] == 1
    assert lines["3"]["sku"] == "C"
    assert (await shop.ours(order))["hold_code"] is None


async def test_an_edit_after_a_shipment_puts_it_on_hold(shop: OrderStage) -> None:
    """Nothing more leaves until a person releases it; then what is seen holds."""
    order = shop.order(line("1", "A", 3))
    await shop.get()
    await shop.ship(order, {"1": 1})
    await shop.send()
    shop.stage.clock.advance(timedelta(minutes=5))
    shop.touch(order, lines=[line("1", "A", 2)])
    await shop.get()
    ours = await shop.ours(order)
    assert ours["hold_code"] == "ChangedAfterShipment"
    condition = await shop.stage.rows("SELECT * FROM conditions WHERE object_kind = 'order'")
    assert [(row["status"], row["reason"]) for row in condition] == [("ATTENTION", "OnHold")]
    run = (await shop.stage.rows("SELECT * FROM runs ORDER BY id DESC LIMIT 1"))[0]
    assert (run["result"], run["counts"]["attention"]) == ("PARTIAL", 1)
    assert (await shop.lines(order))[0]["quantity"] == 3
    await release(shop.stage.deps, ours["id"], by="test")
    await shop.settle()
    assert (await shop.ours(order))["hold_code"] is None
    assert (await shop.lines(order))[0]["quantity"] == 2
    await shop.get(full=True)
    assert (await shop.ours(order))["hold_code"] is None


@pytest.mark.parametrize("how", ["canceled", "trash", "deleted"])
async def test_canceled_or_deleted_before_anything_left(shop: OrderStage, how: str) -> None:
    """A cancellation outranks a shipment that was recorded and not sent."""
    order = shop.order(line("1", "A", 3))
    await shop.get()
    await shop.stage.change("UPDATE operations SET paused = true WHERE operation = 'SYNC_ORDERS'")
    await shop.ship(order)
    await shop.stage.change("UPDATE operations SET paused = false WHERE operation = 'SYNC_ORDERS'")
    shop.stage.clock.advance(timedelta(minutes=5))
    if how == "deleted":
        del shop.store.orders[order.id]
    else:
        shop.touch(order, status=how)
    await shop.send()
    assert order.notes == []
    assert await shop.shipments(order) == [("OURS", "RECORDED")]
    await shop.get(full=True)
    condition = await shop.stage.rows(
        "SELECT * FROM conditions WHERE object_kind = 'order' AND type = 'SYNC_ORDERS'"
    )
    assert [row["reason"] for row in condition] == ["OrderOnHold"]
    assert (await shop.ours(order))["hold_code"] == "CanceledAfterShipment"


async def test_shipped_on_the_channel_counts(shop: OrderStage) -> None:
    """What the merchant ships there is not shipped again from here."""
    order = shop.order(line("1", "A", 3))
    await shop.get()
    shop.stage.clock.advance(timedelta(minutes=5))
    shop.touch(
        order, fulfillments=[RemoteFulfillment("F9", {"1": 2}, "T", "DHL", "", shop.stage.clock())]
    )
    await shop.get()
    assert await shop.shipments(order) == [("CHANNEL", "PUSHED")]
    assert (await shop.ours(order))["status"] == "PARTIALLY_SHIPPED"
    await shop.ship(order)
    await shop.send()
    assert (await shop.ours(order))["status"] == "SHIPPED"
    newest = await shop.stage.value("SELECT max(id) FROM shipments")
    assert order.notes == [f"shipment {newest}"]


async def test_completed_there_by_mistake(shop: OrderStage) -> None:
    """Once the order is open again, a person may take back what was concluded from its status."""
    order = shop.order(line("1", "A", 3))
    await shop.get()
    shop.stage.clock.advance(timedelta(minutes=5))
    shop.touch(order, status="completed")
    await shop.get()
    shipment = int(await shop.stage.value("SELECT id FROM shipments"))
    with pytest.raises(CommandError, match="made on the channel"):
        await void_shipment(shop.stage.deps, shipment, by="test")
    shop.stage.clock.advance(timedelta(minutes=5))
    shop.touch(order, status="open")
    await shop.get()
    assert (await shop.ours(order))["status"] == "SHIPPED"
    await void_shipment(shop.stage.deps, shipment, by="test")
    await shop.get(full=True)
    assert await shop.shipments(order) == [("CHANNEL", "VOID")]
    assert (await shop.ours(order))["status"] == "OPEN"
    await shop.ship(order)
    await shop.settle()
    assert len(order.notes) == 1


# --- shipping ---------------------------------------------------------------------------------


async def test_one_order_in_two_parts(shop: OrderStage) -> None:
    """Each part reaches the channel once, by itself, and the order is complete after both."""
    order = shop.order(line("1", "A", 2), line("2", "B", 1))
    await shop.get()
    await shop.ship(order, {"1": 1})
    await shop.settle()
    assert (await shop.ours(order))["status"] == "PARTIALLY_SHIPPED"
    assert len(order.notes) == 1
    await shop.ship(order)
    await shop.settle()
    assert (await shop.ours(order))["status"] == "SHIPPED"
    assert len(order.notes) == 2
    await shop.send(full=True)
    assert len(order.notes) == 2
    assert await shop.shipments(order) == [("OURS", "PUSHED")] * 2


@pytest.mark.parametrize("after_effect", [False, True])
async def test_unknown_outcome_of_a_shipment(shop: OrderStage, *, after_effect: bool) -> None:
    """A lost answer is looked up; the note is there once, whether it had been written or not."""
    order = shop.order(line("1", "A"))
    await shop.get()
    shop.store.fail(timed_out(), "fulfill", after_effect=after_effect)
    await shop.ship(order)
    await shop.settle()
    for _ in range(4):
        shop.stage.clock.advance(timedelta(minutes=3))
        await shop.settle()
    assert len(order.notes) == 1
    assert await shop.shipments(order) == [("OURS", "PUSHED")]


async def test_a_refused_shipment_is_not_repeated(shop: OrderStage) -> None:
    """A permanent failure is bound to its input, and says so."""
    order = shop.order(line("1", "A"))
    await shop.get()
    await shop.ship(order, tracking_number="BAD")
    await shop.settle()
    shop.store.requests.clear()
    run = await shop.send(full=True)
    assert not [name for name in shop.store.requests if name.startswith("fulfill")]
    assert run["result"] == "PARTIAL"
    rows = await shop.stage.rows("SELECT * FROM conditions WHERE object_kind = 'order'")
    assert [row["reason"] for row in rows] == ["FailedBefore"]


async def test_shadow_mode_sends_nothing(shop: OrderStage) -> None:
    """OBSERVE plans the shipment and shows it; importing goes on."""
    await shop.stage.change("UPDATE channels SET policy = 'OBSERVE', revision = revision + 1")
    assert WritePolicy.OBSERVE
    order = shop.order(line("1", "A"))
    await shop.get()
    await shop.ship(order)
    await shop.settle()
    assert order.notes == []
    assert ("FULFILL", "SKIPPED") in await shop.stage.states()


async def test_closed_on_the_channel_when_all_has_left(shop: OrderStage) -> None:
    """With the setting a shipped order is completed there, once."""
    await shop.settings(SEND, complete=True)
    order = shop.order(line("1", "A"))
    await shop.get()
    await shop.ship(order)
    await shop.settle()
    await shop.send()
    assert order.status == "completed"
    assert await shop.shipments(order) == [("OURS", "PUSHED")]
    await shop.get(full=True)
    await shop.send(full=True)
    assert [name for name in shop.store.requests if name.startswith("close")] == [
        f"close {order.number}"
    ]


async def test_an_order_closed_here_ships_nothing(shop: OrderStage) -> None:
    """A person ends it; nothing more leaves and nothing is deducted."""
    order = shop.order(line("1", "A"))
    await shop.get()
    assert await shop.stage.value("SELECT sum(units) FROM deductions") == 1
    await close(shop.stage.deps, (await shop.ours(order))["id"], by="test")
    await shop.settle()
    assert (await shop.ours(order))["status"] == "CLOSED"
    assert await shop.stage.value("SELECT coalesce(sum(units), 0) FROM deductions") == 0


# --- stock ------------------------------------------------------------------------------------


async def test_a_sync_never_writes_back_what_was_just_bought(shop: OrderStage) -> None:
    """The store sold two that no poll has seen: the sync looks at the orders first."""
    shop.store.add("Mug", variant("MUG", "5", 10))
    await shop.stage.offer("MUG", "5", 10)
    await shop.get()
    await shop.stage.run(Operation.SYNC_LISTINGS, full=True)
    shop.stage.clock.advance(timedelta(hours=1))
    _, item = shop.store.by_sku("MUG")
    item.quantity = 8
    shop.order(replace(line("1", "MUG", 2)))
    await shop.stage.offer("MUG", "6", 10)
    shop.store.requests.clear()
    await shop.stage.run(Operation.SYNC_LISTINGS)
    assert item.quantity == 8
    assert item.price == "6"
    assert shop.store.requests.count("orders") == 1


async def test_an_acknowledgment_that_fails_is_said_on_the_order(shop: OrderStage) -> None:
    """Nothing decides the order again in that run, so its failure stands there at once."""
    await shop.settings(GET, mark=True)
    order = shop.order(line("1", "A"))

    async def trash_once_imported() -> None:
        if await shop.stage.rows("SELECT id FROM orders"):
            shop.touch(order, status="trash")

    shop.stage.hook.before_request = trash_once_imported
    await shop.get()

    said = await shop.stage.rows(
        "SELECT type, status, reason FROM conditions WHERE object_kind = 'order'"
    )
    assert [(row["type"], row["status"], row["reason"]) for row in said] == [
        ("GET_ORDERS", "ATTENTION", "Gone")
    ]

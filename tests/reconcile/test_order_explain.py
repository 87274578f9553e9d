"""Why an order was not imported (A10), what became of one that was, and what comes next."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from reconcile.commands.channels import ChannelEdit, edit, pause
from reconcile.commands.mappings import set_mapping
from reconcile.commands.operations import Interval, configure, schedule, template_set
from reconcile.commands.orders import NewShipment, hold, request_lookup, ship
from reconcile.core.mapping import MappingRule, Template
from reconcile.core.remote_order_types import OrderVerdict, ShippingText
from reconcile.core.types import Operation
from reconcile.order_explain import (
    OrderExplanation,
    OrderMatch,
    explain_order,
    explain_remote_order,
)
from tests.order_double import StoreOrder, line
from tests.reconcile.commands.order_shop import PERSONAL, make_order_shop, see, sell, take_in
from tests.reconcile.commands.shop import Shop, connect_shop

pytestmark = pytest.mark.anyio

GET, SYNC = Operation.GET_ORDERS, Operation.SYNC_ORDERS


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    """Yield a channel with orders, a worker, and a listing."""
    engine = create_async_engine(database_url, pool_size=3)
    try:
        made = make_order_shop(engine)
        await connect_shop(made)
        await made.listing("MUG", "9.90")
        await made.rows("INSERT INTO workers VALUES ('w', now(), now())")
        yield made
    finally:
        await engine.dispose()


async def explained(shop: Shop, number: str) -> OrderExplanation:
    """The explanation of a number."""
    found = await explain_order(shop.deps, shop.channel_id, number)
    assert found is not None
    return found


async def match(shop: Shop, order: StoreOrder) -> OrderMatch:
    """The explanation of the one order of its number."""
    (found,) = (await explained(shop, order.number)).matches
    assert await explain_remote_order(shop.deps, found.remote_order_id) == found
    text = repr(found)
    assert [word for word in PERSONAL if word in text] == []
    return found


def has(found: OrderMatch, *parts: str) -> bool:
    """Whether one step says all of this."""
    return any(all(part in step for part in parts) for step in found.steps)


async def test_an_order_that_will_be_imported(shop: Shop) -> None:
    """Each rule says that it passes."""
    await set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="me")
    order = sell(shop, line("1", "MUG", 2), line("2", "TEA"), number="1001")
    await see(shop, order)
    found = await match(shop, order)
    assert (found.verdict, found.code) == (OrderVerdict.IMPORTED, "NewOrder")
    assert has(found, "Order 1001 on Main", "status open")
    assert has(found, "Order status: open", "among what is imported")
    assert has(found, "within 14 days")
    assert has(found, "has a shipping address")
    assert has(found, "Line 1", "2 units", "SKU MUG", "of a listing of ours")
    assert has(found, "Line 2", "SKU TEA", "unlinked")
    assert has(found, "Shipping text ground", "shipped by Standard")
    assert has(found, "Decision: IMPORTED")
    assert has(found, "not decided yet")
    assert [item.operation for item in found.next] == [GET, SYNC]


async def test_why_an_order_is_left_out(shop: Shop) -> None:
    """Status, age, mapping, SKU, address, currency: each with what to change."""
    now = shop.clock()
    pending = sell(shop, line("1", "MUG"), number="1", status="pending")
    old = sell(shop, line("1", "MUG"), number="2", at=now - timedelta(days=15))
    express = ShippingText(("express:2", "express"), "By noon")
    unmapped = sell(shop, line("1", "MUG"), number="3", shipping=(express,))
    nameless = sell(shop, line("1", None), number="4")
    nowhere = sell(shop, line("1", "MUG"), number="5", ship_to=None)
    foreign = sell(shop, line("1", "MUG"), number="6", currency="USD", shipping=())
    digital = sell(shop, line("1", "MUG", is_digital=True), number="7", is_digital=True)
    await set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="me")
    await see(shop, pending, old, unmapped, nameless, nowhere, foreign, digital)

    found = await match(shop, pending)
    assert (found.verdict, found.code) == (OrderVerdict.SKIPPED, "StatusNotSelected")
    assert has(found, "Order status: pending", "imported are open", "Change the filter")
    found = await match(shop, old)
    assert (found.verdict, found.code) == (OrderVerdict.SKIPPED, "TooOld")
    assert has(found, "more than 14 days", "too old", "look further back")
    found = await match(shop, unmapped)
    assert (found.verdict, found.code) == (OrderVerdict.HELD, "UnmappedShipping")
    assert has(found, "express:2 or express (By noon)", "not mapped", "imports by itself")
    found = await match(shop, nameless)
    assert (found.verdict, found.code) == (OrderVerdict.UNSAVABLE, "MissingSku")
    assert has(found, "Line 1", "without a SKU")
    found = await match(shop, nowhere)
    assert (found.verdict, found.code) == (OrderVerdict.UNSAVABLE, "MissingAddress")
    assert has(found, "no shipping address")
    found = await match(shop, foreign)
    assert found.verdict is OrderVerdict.HELD
    assert has(found, "currency is USD", "nothing is converted")
    assert has(found, "the empty text", "not mapped")
    found = await match(shop, digital)
    assert found.verdict is OrderVerdict.IMPORTED
    assert has(found, "Nothing of it is shipped")


async def test_what_was_canceled_there_says_so(shop: Shop) -> None:
    """A canceled order needs its status selected by name; canceled units are not shipped."""
    await configure(shop.deps, shop.channel_id, GET, settings={"statuses": ""}, by="me")
    canceled = sell(shop, line("1", "MUG"), number="1", status="canceled")
    refunded = sell(shop, line("1", "MUG", 2, canceled=2), number="2", ship_to=None)
    await see(shop, canceled, refunded)

    found = await match(shop, canceled)
    assert found.verdict is OrderVerdict.SKIPPED
    assert has(found, "Order status: canceled", "selected by name")
    found = await match(shop, refunded)
    assert found.verdict is OrderVerdict.IMPORTED
    assert has(found, "Nothing of it is shipped")


async def test_what_was_recorded_may_have_moved(shop: Shop) -> None:
    """The planner speaks of now; what a run recorded earlier is said beside it."""
    order = sell(shop, line("1", "MUG"), number="1001")
    (remote_id,) = await see(shop, order)
    await shop.rows(
        "UPDATE remote_orders SET verdict = 'HELD', reason = 'UnmappedShipping',"
        " message = 'ground is not mapped', since = now() WHERE id = :id",
        id=remote_id,
    )
    assert not has(await match(shop, order), "Recorded")
    await set_mapping(shop.deps, shop.channel_id, "ground", "Standard", by="me")
    found = await match(shop, order)
    assert found.verdict is OrderVerdict.IMPORTED
    assert has(found, "Recorded since", "HELD, ground is not mapped", "decided once more")
    (getting, _) = found.next
    assert getting.code == "Queued"


async def test_gone_and_unreadable_orders(shop: Shop) -> None:
    """Both are said before anything else."""
    order, other = (sell(shop, line("1", "MUG"), number=number) for number in ("1", "2"))
    await see(shop, order, other)
    await shop.rows("UPDATE remote_orders SET gone = 'InTrash' WHERE number = '1'")
    await shop.rows("UPDATE remote_orders SET unreadable = 'total is no number' WHERE number = '2'")
    assert has(await match(shop, order), "not on the channel any more (InTrash)")
    found = await match(shop, other)
    assert found.code == "NotUnderstood"
    assert has(found, "total is no number")


async def test_an_imported_order_says_what_became_of_it(shop: Shop) -> None:
    """Lines, holds, shipments and why one is not there yet, what is turned off, retention."""
    order = sell(shop, line("1", "MUG", 3), number="1001")
    (order_id,) = await take_in(shop, order)
    found = await match(shop, order)
    assert (found.verdict, found.order_id) == (OrderVerdict.IMPORTED, order_id)
    assert has(found, "Imported 20")
    assert has(found, "3 units ordered, 0 shipped, 3 left to ship")
    assert has(found, "Nothing of it was shipped yet")

    template = Template(
        (
            MappingRule("tracking_number", "their_tracking_number"),
            MappingRule("tracking_url", "their_tracking_url", enabled=False),
        )
    )
    await template_set(shop.deps, shop.channel_id, SYNC, template, by="me")
    await edit(shop.deps, shop.channel_id, ChannelEdit(retention_days=30), by="me")
    assert has(await match(shop, order), "is kept", "never shipped")
    shipment = await ship(
        shop.deps,
        NewShipment(order_id, tracking_number="T1", tracking_url="https://track.example/T1"),
        by="me",
    )
    found = await match(shop, order)
    assert has(found, f"Shipment {shipment} (3 units, T1", "not on the channel yet")
    assert has(found, "Not sent with shipments", "tracking url", "SYNC_ORDERS")
    assert has(found, "Personal data is erased on")
    assert "ShipmentRecorded" in {item.code for item in found.decisions}

    await hold(shop.deps, order_id, "look at it", by="ann")
    found = await match(shop, order)
    assert has(found, "On hold by ann", "look at it", "until it is released")
    assert has(found, f"Shipment {shipment}", "not on the channel yet", "hold")


async def test_missing_data_says_why(shop: Shop) -> None:
    """What a template or the channel keeps back stands alone; what is empty there, together."""
    order = sell(shop, line("1", "MUG", 3), number="1001")
    await take_in(shop, order)
    await shop.rows(
        """
UPDATE orders SET missing = '[
    {"field": "email", "cause": "DISABLED", "message": "The template has it off."},
    {"field": "note", "cause": "EMPTY", "message": "x"},
    {"field": "custom_fields", "cause": "EMPTY", "message": "x"}]'
"""
    )
    found = await match(shop, order)
    assert "Missing: The template has it off." in found.steps
    assert "Empty on the channel: note, custom fields." in found.steps


async def test_shipments_tell_how_they_ended(shop: Shop) -> None:
    """On the channel, made there, or taken back."""
    order = sell(shop, line("1", "MUG", 3), number="1001")
    (order_id,) = await take_in(shop, order)
    await ship(shop.deps, NewShipment(order_id, tracking_number="T1"), by="me")
    for change, said in (
        ("state = 'PUSHED', pushed_at = now()", "on the channel since"),
        ("origin = 'CHANNEL'", "made on the channel itself"),
        ("state = 'VOID'", "taken back"),
    ):
        await shop.rows(f"UPDATE shipments SET {change}")  # noqa: S608 - constants
        assert has(await match(shop, order), "Shipment", said)


async def test_a_number_that_was_never_seen(shop: Shop) -> None:
    """There is nothing but the look-up, as far as it has come."""
    found = await explained(shop, "1001")
    assert (found.is_seen, found.lookup, found.matches) == (False, None, ())
    asked = await request_lookup(shop.deps, shop.channel_id, "1001", by="me")
    found = await explained(shop, " 1001 ")
    assert found.lookup is not None
    assert (found.lookup.run_id, found.lookup.state) == (asked.run_id, "QUEUED")
    assert "looked for" in found.lookup.message
    await shop.rows("UPDATE workers SET seen_at = now() - interval '1 hour'")
    waiting = (await explained(shop, "1001")).lookup
    assert waiting is not None
    assert "No worker" in waiting.message

    for change, said in (
        ("result = 'SUCCEEDED', counts = '{\"orders_found\": 0}'", "had none"),
        ("counts = '{\"orders_found\": 1}'", "was found"),
        ("result = 'FAILED', error_message = 'The store is away'", "The store is away"),
    ):
        await shop.rows(
            f"UPDATE runs SET state = 'REPORTED', finished_at = now(), {change}"  # noqa: S608
        )
        ended = (await explained(shop, "1001")).lookup
        assert ended is not None
        assert said in ended.message
    assert await explain_order(shop.deps, 4711, "1001") is None
    assert await explain_remote_order(shop.deps, 4711) is None


async def test_orders_that_share_a_number_are_all_explained(shop: Shop) -> None:
    """A number is not unique; each order has its own reasons."""
    first = sell(shop, line("1", "MUG"), number="1001")
    second = sell(shop, line("1", None), number="1001")
    await see(shop, first, second)
    found = await explained(shop, "1001")
    assert [item.code for item in found.matches] == ["MissingSku", "UnmappedShipping"]


async def test_what_happens_next(shop: Shop) -> None:
    """When the next run comes, or what keeps it from coming."""
    order = sell(shop, line("1", "MUG"), number="1001")
    await see(shop, order)

    async def following() -> list[str]:
        return [item.code for item in (await match(shop, order)).next]

    assert await following() == ["OnRequest", "OnRequest"]
    await schedule(shop.deps, shop.channel_id, GET, Interval(600), by="me")
    assert await following() == ["Scheduled", "OnRequest"]
    await configure(shop.deps, shop.channel_id, GET, paused=True, by="me")
    await configure(shop.deps, shop.channel_id, SYNC, enabled=False, by="me")
    assert await following() == ["OperationPaused", "Disabled"]
    await pause(shop.deps, shop.channel_id, by="me")
    assert await following() == ["ChannelPaused", "ChannelPaused"]

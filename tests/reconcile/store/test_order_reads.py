"""Reads of orders: lists with filters, pages, loaders for many ids, counts."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from reconcile.commands.orders import NewShipment, NewShipmentLine, hold, ship, void_shipment
from reconcile.core.order_types import OrderStatus, OurOrderField, ShipmentOrigin, ShipmentState
from reconcile.core.remote_order_types import OrderVerdict
from reconcile.store.orders import (
    OrderFilter,
    count_orders,
    lines_by_ids,
    lines_of,
    list_orders,
    orders_by_ids,
    orders_by_remote_order,
)
from reconcile.store.remote_orders import (
    OrderCounts,
    RemoteOrderFilter,
    count_remote_orders,
    list_remote_orders,
    order_counts,
    remote_orders_by_ids,
)
from reconcile.store.shipments import shipments_by_ids, shipments_of
from tests.order_double import HOME, line
from tests.reconcile.commands.order_shop import PERSONAL, line_ids, see, sell, take_in
from tests.reconcile.commands.shop import Shop

pytestmark = pytest.mark.anyio


@contextmanager
def statements(shop: Shop) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def remember(*given: object) -> None:
        sent.append(str(given[2]))

    engine = shop.deps.engine.sync_engine
    event.listen(engine, "before_cursor_execute", remember)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", remember)


@pytest.fixture
async def sold(order_shop: Shop) -> tuple[Shop, list[int]]:
    """Return three imported orders, one of them held, and orders that were only seen."""
    shop = order_shop
    ids = await take_in(
        shop,
        sell(shop, line("1", "MUG", 3), line("2", None, 1), number="1001"),
        sell(shop, line("1", "CUP", 1), number="1002"),
        sell(shop, line("1", "CUP", 1), number="1003"),
    )
    await hold(shop.deps, ids[2], "wait", by="ann")
    seen = await see(
        shop,
        sell(shop, line("1", "MUG"), number="1004", status="pending"),
        sell(shop, line("1", "MUG"), number="1005"),
    )
    await shop.rows(
        "UPDATE remote_orders SET verdict = 'SKIPPED', reason = 'StatusNotSelected',"
        " message = 'It is pending', inputs = '{\"status\": \"pending\"}', since = now()"
        " WHERE id = :id",
        id=seen[0],
    )
    return shop, ids


async def test_orders_are_listed_newest_first(sold: tuple[Shop, list[int]]) -> None:
    """By pages, by number, by status, by hold; of a removed channel only where it is asked for."""
    shop, (first, second, third) = sold
    async with shop.deps.engine.connect() as conn:
        page = await list_orders(conn, OrderFilter(), None, 2)
        rest = await list_orders(conn, OrderFilter(), page.rows[-1].id, 2)
        found = {
            "number": await list_orders(conn, OrderFilter(number="1001"), None, 5),
            "held": await list_orders(conn, OrderFilter(is_on_hold=True), None, 5),
            "free": await list_orders(conn, OrderFilter(is_on_hold=False), None, 5),
            "shipped": await list_orders(conn, OrderFilter(status=OrderStatus.SHIPPED), None, 5),
            "channel": await list_orders(conn, OrderFilter(shop.channel_id), None, 5),
            "other": await list_orders(conn, OrderFilter(4711), None, 5),
        }
        assert await count_orders(conn, OrderFilter(is_on_hold=False)) == 2
    assert ([row.id for row in page.rows], page.has_next) == ([third, second], True)
    assert ([row.id for row in rest.rows], rest.has_next) == ([first], False)
    assert {name: [row.id for row in item.rows] for name, item in found.items()} == {
        "number": [first],
        "held": [third],
        "free": [second, first],
        "shipped": [],
        "channel": [third, second, first],
        "other": [],
    }
    await shop.rows("UPDATE channels SET removed_at = now()")
    async with shop.deps.engine.connect() as conn:
        assert (await list_orders(conn, OrderFilter(), None, 5)).rows == ()
        assert len((await list_orders(conn, OrderFilter(shop.channel_id), None, 5)).rows) == 3


async def test_an_order_has_its_content(sold: tuple[Shop, list[int]]) -> None:
    """Everything that was imported, with the customer's data, which stands in no repr."""
    shop, (first, _, third) = sold
    async with shop.deps.engine.connect() as conn:
        orders = await orders_by_ids(conn, [first, third, 4711])
        by_remote = await orders_by_remote_order(conn, [orders[first].remote_order_id])
        lines = await lines_of(conn, [first, third])
        one = lines[first][0]
        assert await lines_by_ids(conn, [one.id, 4711]) == {one.id: one}
    order = orders[first]
    assert by_remote == {order.remote_order_id: order}
    assert (order.number, order.status, order.currency, order.total) == (
        "1001",
        OrderStatus.OPEN,
        "EUR",
        "40.00",
    )
    assert order.shipping_text == "Ground shipping"
    assert order.personal.email == "ada@personal.example"
    assert order.personal.shipping_address == HOME
    assert order.personal.line_custom_fields["1"] == {"engraving": "For Augusta"}
    assert [word for word in PERSONAL if word in repr(order)] == []
    held = orders[third].hold
    assert held is not None
    assert (held.message, held.by) == ("wait", "ann")
    mug, nameless = lines[first]
    assert (mug.sku, mug.quantity, mug.shipped, mug.remaining) == ("MUG", 3, 0, 3)
    assert (mug.unit_price, mug.total) == ("10.00", "30.00")
    assert (nameless.sku, nameless.is_linked) == (None, False)

    await shop.rows("UPDATE orders SET personal = NULL, erased_at = now()")
    async with shop.deps.engine.connect() as conn:
        erased = (await orders_by_ids(conn, [first]))[first]
    assert erased.erased_at is not None
    assert (erased.personal.email, erased.personal.shipping_address) == (None, None)
    assert erased.personal.custom_fields == {}


async def test_missing_data_says_why(sold: tuple[Shop, list[int]]) -> None:
    """Each field that is not there has its cause."""
    shop, (first, *_) = sold
    await shop.rows(
        """
UPDATE orders SET missing = '[{"field": "note", "cause": "EMPTY", "message": "It is empty"}]'
"""
    )
    async with shop.deps.engine.connect() as conn:
        (missing,) = (await orders_by_ids(conn, [first]))[first].missing
    assert (missing.field, missing.cause, missing.message) == (
        OurOrderField.NOTE,
        "EMPTY",
        "It is empty",
    )


async def test_shipments_are_read_with_their_lines(sold: tuple[Shop, list[int]]) -> None:
    """What was taken back counts for nothing; what failed says so."""
    shop, (first, second, _) = sold
    mug, _ = await line_ids(shop, first)
    part = NewShipment(first, [NewShipmentLine(mug, 2)], "T1")
    taken_back = await ship(shop.deps, part, by="ann")
    await void_shipment(shop.deps, taken_back, by="ann")
    one = await ship(shop.deps, part, by="ann")
    other = await ship(shop.deps, NewShipment(second, tracking_number="T2"), by="ann")
    await shop.rows(
        "INSERT INTO failures (channel_id, object_id, action, write_group, input_hash, reason,"
        " message) VALUES (:c, 'shipment:' || :s, 'FULFILL', 'fulfill', 'h', 'bad', 'No such id')",
        c=shop.channel_id,
        s=str(one),
    )
    async with shop.deps.engine.connect() as conn:
        found = await shipments_of(conn, [first, second])
        again = await shipments_by_ids(conn, [taken_back, one, other])
        line_row = (await lines_of(conn, [first]))[first][0]
    assert [item.id for item in found[first]] == [taken_back, one]
    assert [item.id for item in found[second]] == [other]
    assert again == {item.id: item for items in found.values() for item in items}
    assert found[first][0].state is ShipmentState.VOID
    assert found[first][0].message == ""
    assert found[first][1].origin is ShipmentOrigin.OURS
    assert "No such id" in found[first][1].message
    assert (line_row.shipped, line_row.remaining) == (2, 1)


async def test_every_seen_order_has_its_decision(sold: tuple[Shop, list[int]]) -> None:
    """Listed by verdict, reason and number; the counts add up to all of them."""
    shop, (first, *_) = sold
    async with shop.deps.engine.connect() as conn:
        everything = await list_remote_orders(conn, RemoteOrderFilter(), None, 10)
        skipped = await list_remote_orders(
            conn, RemoteOrderFilter(verdict=OrderVerdict.SKIPPED), None, 10
        )
        by_reason = await list_remote_orders(
            conn, RemoteOrderFilter(shop.channel_id, reason="StatusNotSelected"), None, 10
        )
        by_number = await list_remote_orders(conn, RemoteOrderFilter(number="1001"), None, 10)
        assert await count_remote_orders(conn, RemoteOrderFilter(number="1001")) == 1
        counts = await order_counts(conn, [shop.channel_id, 4711])
        loaded = await remote_orders_by_ids(conn, [row.id for row in everything.rows])
    assert [row.seen.number for row in everything.rows] == ["1005", "1004", "1003", "1002", "1001"]
    assert loaded == {row.id: row for row in everything.rows}
    assert [row.seen.number for row in skipped.rows] == ["1004"]
    assert skipped == by_reason
    (row,) = skipped.rows
    assert (row.message, row.inputs, row.order_id) == (
        "It is pending",
        {"status": "pending"},
        None,
    )
    assert [item.order_id for item in by_number.rows] == [first]
    assert counts == {
        shop.channel_id: OrderCounts(pending=1, imported=3, skipped=1, on_hold=1),
        4711: OrderCounts(),
    }
    assert [word for word in PERSONAL if word in repr(everything)] == []


async def test_reads_cost_a_constant_number_of_statements(sold: tuple[Shop, list[int]]) -> None:
    """However many orders, lines and shipments they are about."""
    shop, ids = sold
    for order_id in ids[:2]:
        await ship(shop.deps, NewShipment(order_id, without_tracking=True), by="ann")
    async with shop.deps.engine.connect() as conn:
        for some in (ids[:1], ids):
            with statements(shop) as sent:
                await orders_by_ids(conn, some)
                await lines_of(conn, some)
                await shipments_of(conn, some)
                await order_counts(conn, [shop.channel_id])
            assert len(sent) == 5

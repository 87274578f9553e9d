"""Shipping by hand and taking it back: units, references, races, refusals."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconcile.commands.errors import CommandError
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.orders import NewShipment, NewShipmentLine, hold, ship, void_shipment
from reconcile.core.types import Side
from reconcile.store.orders import lines_of
from reconcile.store.shipments import ShipmentRow, shipments_of
from tests.order_double import line
from tests.reconcile.commands.order_shop import (
    changes,
    flags,
    line_ids,
    order_row,
    see,
    sell,
    take_in,
)
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio


async def left(shop: Shop, order_id: int) -> list[int]:
    """Units left to ship, by line."""
    async with shop.deps.engine.connect() as conn:
        return [item.remaining for item in (await lines_of(conn, [order_id]))[order_id]]


async def shipped(shop: Shop, order_id: int) -> tuple[ShipmentRow, ...]:
    """The order's shipments."""
    async with shop.deps.engine.connect() as conn:
        return (await shipments_of(conn, [order_id])).get(order_id, ())


async def refusal(shop: Shop, new: NewShipment) -> list[tuple[str, tuple[str, ...]]]:
    """Why a shipment is refused."""
    with pytest.raises(CommandError) as raised:
        await ship(shop.deps, new, by="ann")
    return codes(raised.value)


async def test_all_that_remains_is_shipped(order_shop: Shop) -> None:
    """Recorded, counted, off the shelf, and on its way to be sent; digital lines stay out."""
    shop = order_shop
    sold = sell(shop, line("1", "MUG", 2), line("2", "CUP", 1), line("3", "PDF", is_digital=True))
    (order_id,) = await take_in(shop, sold)

    shipment_id = await ship(
        shop.deps,
        NewShipment(
            order_id,
            tracking_number=" 1Z999 ",
            carrier="UPS",
            service="Ground",
            tracking_url="https://track.example/1Z999",
            notify_customer=True,
        ),
        by="ann",
    )
    (row,) = await shipped(shop, order_id)
    assert row.id == shipment_id
    assert (row.origin, row.state, row.tracking_number, row.carrier, row.created_by) == (
        "OURS",
        "RECORDED",
        "1Z999",
        "UPS",
        "ann",
    )
    mug, cup, _ = await line_ids(shop, order_id)
    assert {item.line_id: item.quantity for item in row.lines} == {mug: 2, cup: 1}
    assert "next run of SYNC_ORDERS" in row.message
    order = await order_row(shop, order_id)
    assert (order["status"], order["last_shipped_at"]) == ("SHIPPED", row.shipped_at)
    assert (await flags(shop, order_id))[1]
    assert await changes(shop) == [("SYNC_ORDERS", [])]
    assert (shop.channel_id, Side.ORDERS) in shop.bell.rings
    deducted = await shop.rows(
        "SELECT sku, units, left_at FROM deductions WHERE sku <> 'PDF' ORDER BY sku"
    )
    assert [(item["sku"], item["units"], item["left_at"]) for item in deducted] == [
        ("CUP", 1, row.shipped_at),
        ("MUG", 2, row.shipped_at),
    ]


async def test_an_order_is_shipped_in_parts(order_shop: Shop) -> None:
    """Each part takes its units; what is beyond is refused with what remains."""
    shop = order_shop
    sold = sell(shop, line("1", "MUG", 3), line("2", "CUP", 1))
    (order_id,) = await take_in(shop, sold)
    mug, cup = await line_ids(shop, order_id)

    first = NewShipment(order_id, [NewShipmentLine(mug, 1), NewShipmentLine(mug, 1)], "T1")
    await ship(shop.deps, first, by="ann")
    assert await left(shop, order_id) == [1, 1]
    assert (await order_row(shop, order_id))["status"] == "PARTIALLY_SHIPPED"
    beyond = NewShipment(order_id, [NewShipmentLine(mug, 2)], "T2")
    with pytest.raises(CommandError, match="1") as raised:
        await ship(shop.deps, beyond, by="ann")
    assert codes(raised.value) == [("BEYOND_ORDERED", ("lines",))]

    await ship(shop.deps, NewShipment(order_id, tracking_number="T2"), by="ann")
    assert await left(shop, order_id) == [0, 0]
    assert await refusal(shop, NewShipment(order_id, tracking_number="T3")) == [
        ("NOTHING_TO_SHIP", ("lines",))
    ]
    assert [len(item.lines) for item in await shipped(shop, order_id)] == [1, 2]
    assert cup in {item.line_id for item in (await shipped(shop, order_id))[1].lines}


async def test_the_same_reference_ships_once(order_shop: Shop) -> None:
    """However often it is asked for; with another content it is refused."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 3)))
    (mug,) = await line_ids(shop, order_id)
    new = NewShipment(order_id, [NewShipmentLine(mug, 2)], "T1", reference="wms-7")
    first = await ship(shop.deps, new, by="ann")
    again, more = await asyncio.gather(
        ship(shop.deps, new, by="ann"), ship(shop.deps, new, by="bob")
    )
    assert first == again == more
    assert await left(shop, order_id) == [1]
    # All that remained, asked again, is not what remains now.
    rest = NewShipment(order_id, tracking_number="T2", reference="wms-8")
    assert await ship(shop.deps, rest, by="ann") == await ship(shop.deps, rest, by="ann")

    for other in (
        replace(new, tracking_number="T9"),
        replace(new, lines=[NewShipmentLine(mug, 1)]),
    ):
        assert await refusal(shop, other) == [("CONFLICT", ("reference",))]
    await void_shipment(shop.deps, first, by="ann")
    assert await refusal(shop, new) == [("CONFLICT", ("reference",))]


async def test_two_people_cannot_ship_the_same_units(order_shop: Shop) -> None:
    """Whoever comes second is refused with what remains."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    (mug,) = await line_ids(shop, order_id)
    results = await asyncio.gather(
        *(
            ship(shop.deps, NewShipment(order_id, [NewShipmentLine(mug, 2)], name), by=name)
            for name in ("ann", "bob")
        ),
        return_exceptions=True,
    )
    (refused,) = [item for item in results if isinstance(item, CommandError)]
    assert codes(refused)[0][0] in ("BEYOND_ORDERED", "NOTHING_TO_SHIP")
    assert len(await shipped(shop, order_id)) == 1
    assert await left(shop, order_id) == [0]


async def test_what_cannot_be_shipped_is_refused(order_shop: Shop) -> None:
    """Nothing, unknown lines, no tracking, digital goods: each says what it is."""
    shop = order_shop
    order_id, download = await take_in(
        shop,
        sell(shop, line("1", "MUG", 2)),
        sell(shop, line("1", "PDF", is_digital=True), is_digital=True, ship_to=None),
    )
    (mug,) = await line_ids(shop, order_id)
    (pdf,) = await line_ids(shop, download)
    tracked = NewShipment(order_id, tracking_number="T")
    found = {
        "none": await refusal(shop, replace(tracked, lines=[])),
        "zero": await refusal(shop, replace(tracked, lines=[NewShipmentLine(mug, 0)])),
        "unknown": await refusal(shop, replace(tracked, lines=[NewShipmentLine(pdf, 1)])),
        "negative": await refusal(shop, replace(tracked, lines=[NewShipmentLine(mug, -1)])),
        "untracked": await refusal(shop, NewShipment(order_id)),
        "blank": await refusal(shop, NewShipment(order_id, tracking_number="  ")),
        "digital": await refusal(shop, replace(tracked, order_id=download)),
        "order": await refusal(shop, replace(tracked, order_id=4711)),
    }
    assert found == {
        "none": [("NOTHING_TO_SHIP", ("lines",))],
        "zero": [("NOTHING_TO_SHIP", ("lines",))],
        "unknown": [("NOT_FOUND", ("lines", "0", "line_id"))],
        "negative": [("INVALID", ("lines", "0", "quantity"))],
        "untracked": [("TRACKING_MISSING", ("tracking_number",))],
        "blank": [("TRACKING_MISSING", ("tracking_number",))],
        "digital": [("DIGITAL", ("order_id",))],
        "order": [("NOT_FOUND", ("order_id",))],
    }
    assert await shop.rows("SELECT 1 FROM shipments") == []
    await ship(shop.deps, NewShipment(order_id, without_tracking=True), by="ann")


async def test_values_that_can_never_be_right_are_told_at_once(order_shop: Shop) -> None:
    """Addresses that are none, times without a zone or ahead, texts that are too long."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    naive = datetime(2026, 11, 1, 12)  # noqa: DTZ001 - that is what is refused
    new = NewShipment(
        order_id,
        tracking_number="T" * 501,
        carrier="U\nPS",
        tracking_url="javascript:alert(1)",
        shipped_at=naive,
        reference=" ",
    )
    assert await refusal(shop, new) == [
        ("INVALID", ("tracking_number",)),
        ("INVALID", ("carrier",)),
        ("INVALID", ("reference",)),
        ("INVALID", ("tracking_url",)),
        ("INVALID", ("shipped_at",)),
    ]
    ahead = NewShipment(order_id, tracking_number="T", shipped_at=shop.clock() + timedelta(hours=1))
    assert await refusal(shop, ahead) == [("INVALID", ("shipped_at",))]
    before = NewShipment(order_id, tracking_number="T", shipped_at=shop.clock() - timedelta(days=2))
    assert await refusal(shop, before) == [("INVALID", ("shipped_at",))]
    for url in ("https://", "http://[x", "https://a b.example/", "track.example"):
        given = NewShipment(order_id, tracking_number="T", tracking_url=url)
        assert await refusal(shop, given) == [("INVALID", ("tracking_url",))]
    many = NewShipment(order_id, [NewShipmentLine(1, 1)] * 501, "T")
    assert await refusal(shop, many) == [("TOO_MANY", ("lines",))]


async def test_a_canceled_or_deleted_order_is_not_shipped(order_shop: Shop) -> None:
    """Cancellation outranks shipment, also before any run has decided about it."""
    shop = order_shop
    sold = sell(shop, line("1", "MUG", 2))
    (order_id,) = await take_in(shop, sold)
    sold.status, sold.modified_at = "canceled", shop.clock()
    await see(shop, sold)
    new = NewShipment(order_id, tracking_number="T")
    assert await refusal(shop, new) == [("ORDER_CANCELED", ("order_id",))]
    await shop.rows("UPDATE remote_orders SET stage = 'OPEN', status = 'open', gone = 'InTrash'")
    assert await refusal(shop, new) == [("ORDER_CANCELED", ("order_id",))]


async def test_a_shipment_taken_back_gives_its_units_back(order_shop: Shop) -> None:
    """As long as nothing of it has left for the channel."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    shipment_id = await ship(shop.deps, NewShipment(order_id, tracking_number="T1"), by="ann")
    shop.bell.rings.clear()
    await void_shipment(shop.deps, shipment_id, by="bob")
    assert (shop.channel_id, Side.ORDERS) in shop.bell.rings

    assert await left(shop, order_id) == [2]
    row = await order_row(shop, order_id)
    assert (row["status"], row["last_shipped_at"]) == ("OPEN", None)
    (deducted,) = await shop.rows("SELECT units, left_at FROM deductions")
    assert (deducted["units"], deducted["left_at"]) == (2, None)
    with pytest.raises(CommandError, match="taken back already") as raised:
        await void_shipment(shop.deps, shipment_id, by="bob")
    assert codes(raised.value) == [("WRONG_STATE", ("shipment_id",))]
    await ship(shop.deps, NewShipment(order_id, tracking_number="T2"), by="ann")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("state = 'PUSHED'", "on the channel already"),
        ("state = 'PUSHED', origin = 'CHANNEL'", "made on the channel"),
    ],
)
async def test_what_is_on_the_channel_is_not_taken_back(
    order_shop: Shop, change: str, message: str
) -> None:
    """It is refused with where it can be taken back."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    shipment_id = await ship(shop.deps, NewShipment(order_id, tracking_number="T1"), by="ann")
    await shop.rows(f"UPDATE shipments SET {change}")  # noqa: S608 - constants of this test
    with pytest.raises(CommandError, match=message):
        await void_shipment(shop.deps, shipment_id, by="bob")
    with pytest.raises(CommandError) as raised:
        await void_shipment(shop.deps, 4711, by="bob")
    assert codes(raised.value) == [("NOT_FOUND", ("shipment_id",))]


@pytest.mark.parametrize(
    ("state", "steps", "is_voided"),
    [
        ("DUE", "[]", True),
        ("RETRYING", "[]", True),
        ("RETRYING", '[{"name": "note", "remote_id": "5", "detail": null}]', False),
        ("SENDING", "[]", False),
        ("UNKNOWN", "[]", False),
    ],
)
async def test_what_is_on_its_way_is_not_taken_back(
    order_shop: Shop, state: str, steps: str, is_voided: bool
) -> None:
    """A request that may have had an effect has to be known first; one that waits is canceled."""
    shop = order_shop
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    shipment_id = await ship(shop.deps, NewShipment(order_id, tracking_number="T1"), by="ann")
    await shop.rows(
        """
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, shipment_id, key, input_hash,
    lane, state, reason, message, steps)
SELECT :c, r.id, 'FULFILL', 'shipment:' || :s, 'fulfill', CAST(:s AS bigint), 'k', 'h', 0, :state,
    'ShipmentRecorded', 'x', CAST(:steps AS jsonb) FROM runs r
""",
        c=shop.channel_id,
        s=str(shipment_id),
        state=state,
        steps=steps,
    )
    if is_voided:
        await void_shipment(shop.deps, shipment_id, by="bob")
        (action,) = await shop.rows("SELECT state FROM actions")
        assert action["state"] == "CANCELED"
        return
    with pytest.raises(CommandError, match="on its way"):
        await void_shipment(shop.deps, shipment_id, by="bob")
    (action,) = await shop.rows("SELECT state FROM actions")
    assert action["state"] == state
    await hold(shop.deps, order_id, "wait", by="ann")
    (action,) = await shop.rows("SELECT state FROM actions")
    assert action["state"] == state


async def test_shipping_tells_other_channels_nothing_new(order_shop: Shop) -> None:
    """Units that leave after they were stated stay deducted: no listing becomes due by it."""
    shop = order_shop
    await set_quantities(
        shop.deps, [Statement("MUG", 10, shop.clock() - timedelta(hours=2))], by="me"
    )
    await shop.listing("MUG", "9.90")
    (order_id,) = await take_in(shop, sell(shop, line("1", "MUG", 2)))
    await shop.settle()
    await ship(shop.deps, NewShipment(order_id, tracking_number="T1"), by="ann")
    assert await shop.dirty() == set()
    assert (shop.channel_id, Side.LISTINGS) not in shop.bell.rings

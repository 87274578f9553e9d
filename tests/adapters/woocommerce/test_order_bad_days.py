"""What must not lose an order, stop a poll, or tell of a shipment wrongly."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from adapters.woocommerce.order_notes import is_about, note_text
from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox
from adapters.woocommerce.wire import ShapeError
from reconcile.contract import (
    OrderPage,
    OrderWindow,
    RejectedOrder,
    ShipmentLine,
    ShipmentWrite,
    UnauthorizedError,
)
from reconcile.core.actions import Outcome
from reconcile.core.remote_order_types import RemoteOrder
from tests.adapters.shops import WooShop
from tests.adapters.woocommerce.test_order_fulfilling import Counter
from tests.adapters.woocommerce.test_order_mapping import line, mapped
from tests.adapters.woocommerce.test_order_walk import EVER, buy, open_shop, rows

pytestmark = pytest.mark.anyio


# --- the walk -----------------------------------------------------------------------------------


async def test_an_order_placed_does_not_hide_that_one_was_trashed() -> None:
    """The total stays the same, and the order that slipped over the edge is seen all the same."""
    shop, placed = open_shop(201)
    pages = shop.adapter().orders(EVER, None)
    seen = {row.id for row in (await anext(pages)).rows}
    shop.sandbox.shop({"do": "trash", "order": int(placed[0])})
    shop.sandbox.clock.shift(timedelta(seconds=30))
    buy(shop)
    seen |= set(await rows(pages))
    assert set(placed) <= seen


async def test_an_order_changed_amid_the_walk_is_left_to_the_next_poll() -> None:
    """It leaves the window of this walk without hiding another, from any cursor."""
    shop, placed = open_shop(250)
    pages = shop.adapter().orders(EVER, None)
    first = await anext(pages)
    shop.sandbox.clock.shift(timedelta(seconds=30))
    shop.sandbox.shop({"do": "touch", "order": int(placed[0])})
    seen = {row.id for row in first.rows}
    seen |= set(await rows(shop.adapter().orders(EVER, json.loads(json.dumps(first.cursor)))))
    assert set(placed) <= seen


@pytest.mark.parametrize("date", ["Sat, 21 Nov 2026 08:00:00 GMT", "yesterday", ""])
async def test_a_date_that_cannot_be_the_stores_ends_no_walk(date: str) -> None:
    """A cache's date, or none: then the walk goes on to the end of the list as it is."""
    shop, placed = open_shop(150)
    real = shop.transport.http

    async def answer(request: httpx.Request) -> httpx.Response:
        assert "modified_before" not in request.url.params
        found = await real.send(request)
        headers = {**found.headers, "date": date}
        return httpx.Response(found.status_code, content=found.content, headers=headers)

    shop.transport._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    assert list(await rows(shop.adapter().orders(EVER, None))) == placed


@pytest.mark.parametrize("body", ["[]", "[null]", '[{"name": "a row without an id"}]'])
async def test_a_row_shown_as_nothing_stops_no_poll(body: str) -> None:
    """The only order of a window that the store counts and does not show is left out."""
    shop, _ = open_shop()
    headers = {"X-WP-Total": "1", "X-WP-TotalPages": "1"}
    shop.fault("status", status=200, body=body, headers=headers, times=None)
    (page,) = [page async for page in shop.adapter().orders(EVER, None)]
    assert (page.rows, page.rejected, page.total, page.is_last) == ((), (), 1, True)


async def test_junk_in_one_refund_rejects_one_order() -> None:
    """Refunds that make no sense are that order's trouble alone."""
    shop, placed = open_shop(3)
    for order_id in placed[:2]:
        shop.sandbox.shop({"do": "refund", "order": int(order_id), "amount": "1.00"})
    body = json.dumps([{"id": 9, "line_items": [{"id": 1, "quantity": "some"}]}])
    shop.fault("status", status=200, body=body, path_contains=f"/orders/{placed[0]}/refunds")
    pages: list[OrderPage] = [page async for page in shop.adapter().orders(EVER, None)]
    assert {row.id for page in pages for row in page.rows} == set(placed[1:])
    (rejected,) = [row for page in pages for row in page.rejected]
    assert rejected.id == placed[0]
    assert "refunds.line_items.quantity" in rejected.message
    shop.fault("status", status=200, body=body, path_contains=f"/orders/{placed[0]}/refunds")
    found = (await shop.adapter().read_orders([placed[0]]))[placed[0]]
    assert isinstance(found, RejectedOrder)


async def test_refunded_order_missing_from_a_list_is_read_singly() -> None:
    """A walk that goes on with refunds loses no order because a list comes cut."""
    shop, placed = open_shop(6)
    for order_id in placed:
        shop.sandbox.shop({"do": "refund", "order": int(order_id), "amount": "1.00"})
    first = await anext(shop.adapter().orders(EVER, None))
    headers = {"X-WP-Total": "6", "X-WP-TotalPages": "1"}
    shop.fault("status", status=200, body="[]", headers=headers)
    shop.sandbox.shop({"do": "trash", "order": int(placed[0])})
    shop.sandbox.shop({"do": "delete", "order": int(placed[1])})
    assert list(await rows(shop.adapter().orders(EVER, first.cursor))) == placed[2:]


# --- what an order means ------------------------------------------------------------------------


def test_goods_whose_products_are_gone_are_not_digital() -> None:
    """A store without products to look at says that nothing needs processing."""
    gone = [line(sku=None)]
    words = {"shipping_lines": [], "needs_processing": False, "line_items": gone}
    assert not mapped(**words).is_digital
    bare = [line(sku="")]
    assert mapped(**{**words, "line_items": bare}).is_digital


@pytest.mark.parametrize("name", ["line_items", "shipping_lines", "refunds"])
@pytest.mark.parametrize("junk", [[None], {"1": line()}, "none"])
def test_no_row_of_an_order_is_left_out_in_silence(name: str, junk: object) -> None:
    """An order of which a line cannot be read is not imported without it."""
    with pytest.raises(ShapeError, match=name):
        mapped(**{name: junk})


def test_trackings_that_php_keeps_as_an_object() -> None:
    """A list from which the plugin removed a row comes as an object, and is read."""
    row = {"tracking_id": "b", "tracking_number": "1Z", "date_shipped": "20261121"}
    meta = [{"key": "_wc_shipment_tracking_items", "value": {"1": row}}]
    (found,) = mapped(meta_data=meta).fulfillments
    assert found.id == "tracking:b"
    assert found.shipped_at == datetime(2026, 11, 21, tzinfo=UTC)


# --- shipments ----------------------------------------------------------------------------------


def shipment(number: str = "", day: int = 20) -> ShipmentWrite:
    """Shipment 1 of an installation."""
    moment = datetime(2026, 11, day, tzinfo=UTC)
    return ShipmentWrite("1", (ShipmentLine("5", "MUG", "", 1),), moment, tracking_number=number)


@pytest.mark.parametrize(
    ("there", "ours"),
    [
        (shipment("1Z9"), shipment("")),
        (shipment(""), shipment("", day=21)),
        (shipment("1Z99"), shipment("1Z9")),
        (shipment("1Z9", day=11), shipment("11")),
    ],
)
def test_note_of_an_earlier_installation_is_not_ours(
    there: ShipmentWrite, ours: ShipmentWrite
) -> None:
    """Equal ids do not do: the day and the whole number have to be the same, or none."""
    assert not is_about(note_text(there), ours)
    assert is_about(note_text(ours), ours)


def test_note_that_lost_its_backslashes_is_known() -> None:
    """WordPress takes backslashes out of what it stores."""
    ours = shipment("A\\9")
    assert is_about(note_text(ours).replace("\\", ""), ours)


async def test_fulfillment_of_other_lines_is_not_ours() -> None:
    """An earlier installation's fulfillment of other lines is no reason to send nothing."""
    counter = Counter()
    other = (ShipmentLine("999", "POT", "", 1),)
    assert counter.order["line_items"]
    write = counter.write("fulfillments", tracking_number="")
    assert (await counter.one(write)).outcome is Outcome.APPLIED
    assert (await counter.one(write)).outcome is Outcome.NO_OP
    find = counter.shop.adapter().confirm_orders
    moved = counter.write("fulfillments", tracking_number="", lines=other)
    assert (await find([moved]))[moved.key].state == "NOT_DONE"


async def test_order_that_is_not_understood_is_not_completed() -> None:
    """It might be canceled; completing would bring it back to life."""
    counter = Counter()
    counter.shop.sandbox.shop({"do": "cancel", "order": int(counter.order_id)})
    body = json.dumps({"id": int(counter.order_id), "status": "cancelled"})
    counter.shop.fault("status", status=200, body=body, method="GET")
    told = await counter.run(counter.close())
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "NotUnderstood")
    assert not told.sendings
    assert counter.held["status"] == "cancelled"


# --- keys ---------------------------------------------------------------------------------------


async def test_key_whose_user_may_not_see_orders() -> None:
    """Connecting says so, not the first poll at night."""
    shop = WooShop.open()
    body = {"code": "woocommerce_rest_cannot_view", "message": "No.", "data": {"status": 403}}
    shop.fault("status", status=403, body=json.dumps(body), path_contains="/orders", times=None)
    with pytest.raises(UnauthorizedError) as raised:
        await shop.adapter().connect_check()
    assert raised.value.code == "RightMissing"
    assert "orders" in raised.value.message


async def test_store_whose_orders_fail_can_be_connected() -> None:
    """Listings do not wait until the store's orders are mended."""
    shop = WooShop.open()
    shop.fault("status", status=500, path_contains="/orders", times=None)
    assert (await shop.adapter().connect_check()).currency == "EUR"


async def test_sandbox_states_its_own_time() -> None:
    """Answers carry the date of the store's clock, as those of every web server do."""
    sandbox = create_sandbox(SandboxOptions())
    sandbox.clock.freeze(datetime(2026, 11, 21, 9, 0, 1, tzinfo=UTC))
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        answer = await client.get("https://shop.example/wp-json/")
    assert answer.headers["Date"] == "Sat, 21 Nov 2026 09:00:01 GMT"


async def test_one_page_is_never_cut_short() -> None:
    """A poll of one page asks for everything, whatever the store's clock says."""
    shop, placed = open_shop(3)
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    late = buy(shop, modified_at=ahead)
    since = OrderWindow(datetime.now(UTC) - timedelta(hours=1))
    seen: dict[str, RemoteOrder] = await rows(shop.adapter().orders(since, None))
    assert list(seen) == [*placed, late]


async def test_store_whose_clock_is_behind_hides_nothing() -> None:
    """What is ordered now is dated before the window there, and is seen all the same."""
    shop, _ = open_shop()
    shop.sandbox.clock.shift(timedelta(minutes=-40))
    placed = buy(shop)
    since = OrderWindow(datetime.now(UTC) - timedelta(minutes=10))
    shop.forget()
    pages = [page async for page in shop.adapter().orders(since, None)]
    assert [row.id for page in pages for row in page.rows] == [placed]
    assert shop.requests == {"GET /orders": 2}
    assert [page async for page in shop.adapter().orders(since, pages[-1].cursor)] == []

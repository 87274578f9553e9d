"""Polling orders of a store that goes on selling, and finding single ones."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox
from reconcile.contract import (
    AccountInfo,
    Gone,
    OrderPage,
    OrderWindow,
    RejectedOrder,
    UnexpectedResponseError,
)
from reconcile.core.remote_order_types import OrderStage, PaymentStatus, RemoteOrder
from tests.adapters.shops import WooShop

pytestmark = pytest.mark.anyio

MUG = {"name": "Mug", "sku": "MUG", "regular_price": "5.00"}
PLAIN = {
    "status": "processing",
    "currency": "EUR",
    "total": "5.00",
    "date_created_gmt": "2026-11-20T10:00:00",
    "line_items": [],
}
EVER = OrderWindow(datetime(2020, 1, 1, tzinfo=UTC))


def open_shop(count: int = 0, **words: Any) -> tuple[WooShop, list[str]]:
    """A store with so many orders of one mug, and their ids."""
    shop = WooShop(create_sandbox(SandboxOptions(products=[MUG])))
    if not count:
        return shop, []
    answer: Any = shop.sandbox.shop({"do": "orders", "count": count, "sku": "MUG", **words})
    return shop, [str(order_id) for order_id in answer["ids"]]


def buy(shop: WooShop, **words: Any) -> str:
    """One more order; its id."""
    order: Any = shop.sandbox.shop({"do": "buy", "sku": "MUG", **words})
    return str(order["id"])


async def rows(pages: AsyncIterator[OrderPage]) -> dict[str, RemoteOrder]:
    """The rest of a poll by id."""
    return {row.id: row async for page in pages for row in page.rows}


async def test_five_thousand_orders_are_fifty_requests() -> None:
    """Importing costs one list request for a hundred orders and none for each."""
    shop, placed = open_shop(5_000)
    shop.forget()
    seen = await rows(shop.adapter().orders(EVER, None))
    assert shop.requests == {"GET /orders": 50}
    assert len(seen) == 5_000
    assert set(seen) == set(placed)


async def test_orders_trashed_meanwhile_hide_no_others() -> None:
    """Where the list gets shorter between two pages, the walk goes back for what slipped."""
    shop, placed = open_shop(350)
    pages = shop.adapter().orders(EVER, None)
    first = await anext(pages)
    for order_id in placed[:30]:
        shop.sandbox.shop({"do": "trash", "order": int(order_id)})
    seen = {row.id for row in first.rows} | set(await rows(pages))
    assert set(placed[30:]) <= seen


async def test_orders_trashed_across_pages_hide_no_others() -> None:
    """More than a page of orders may vanish at once."""
    shop, placed = open_shop(450)
    pages = shop.adapter().orders(EVER, None)
    seen = {row.id for _ in range(3) for row in (await anext(pages)).rows}
    for order_id in placed[:150]:
        shop.sandbox.shop({"do": "trash", "order": int(order_id)})
    seen |= set(await rows(pages))
    assert set(placed) <= seen


async def test_walk_past_the_end_goes_back() -> None:
    """A last page that is there no more is counted as none by the store, and hides no order."""
    shop, placed = open_shop(101)
    pages = shop.adapter().orders(EVER, None)
    first = await anext(pages)
    shop.sandbox.shop({"do": "delete", "order": int(placed[0])})
    rest = [page async for page in pages]
    assert {row.id for page in (first, *rest) for row in page.rows} == set(placed)
    assert rest[-1].is_last
    assert rest[-1].total == 100


async def test_orders_placed_meanwhile_are_seen() -> None:
    """What is placed during a walk comes at its end or with the poll that follows it."""
    shop, placed = open_shop(200)
    pages = shop.adapter().orders(EVER, None)
    first = await anext(pages)
    seen = {row.id for row in first.rows}
    late = buy(shop)
    seen |= set(await rows(pages))
    assert set(placed) <= seen
    seen |= set(await rows(shop.adapter().orders(OrderWindow(first.observed_at), None)))
    assert seen == {*placed, late}


async def test_old_orders_touched_meanwhile_push_others_back() -> None:
    """An old order that enters the window amid the walk makes a row come twice, none vanish."""
    long_ago = "2026-01-01T00:00:00Z"
    shop, (old,) = open_shop(1, ordered_at=long_ago, modified_at=long_ago)
    placed: Any = shop.sandbox.shop({"do": "orders", "count": 150, "sku": "MUG"})
    since = OrderWindow(datetime.now(UTC) - timedelta(hours=1))
    pages = shop.adapter().orders(since, None)
    first = await anext(pages)
    assert old not in {row.id for row in first.rows}
    shop.sandbox.shop({"do": "touch", "order": int(old)})
    seen = {row.id for row in first.rows} | set(await rows(pages))
    assert {str(order_id) for order_id in placed["ids"]} <= seen


async def test_list_that_keeps_shrinking_is_given_up() -> None:
    """The walk does not go back for ever."""
    total = 10_000

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal total
        total -= 100
        page = int(request.url.params["page"])
        found = [{"id": (page - 1) * 100 + n + 1} for n in range(100)]
        headers = {"X-WP-Total": str(total), "X-WP-TotalPages": "100"}
        return httpx.Response(200, text=json.dumps(found), headers=headers)

    shop, _ = open_shop()
    shop.transport._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    with pytest.raises(UnexpectedResponseError, match="faster"):
        await rows(shop.adapter().orders(EVER, None))


PLACES = st.lists(st.integers(0, 500), max_size=150)
CHANGES = st.lists(st.tuples(PLACES | st.just([]), PLACES | st.just([])), max_size=6)


@given(count=st.integers(0, 460), changes=CHANGES)
async def test_no_order_that_stays_is_missed(
    count: int, changes: list[tuple[list[int], list[int]]]
) -> None:
    """Whatever enters and leaves the list between two pages, what stays in it is seen."""
    held = [1_000 * (n + 1) for n in range(count)]
    staying = set(held)
    left = list(changes)

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        is_bounded = "modified_before" in request.url.params
        listed = [n for n in held if not (is_bounded and n % 1_000)]
        rows = [{**PLAIN, "id": n, "number": str(n)} for n in listed[(page - 1) * 100 : page * 100]]
        total = len(listed) if rows or page == 1 else 0
        headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(-(-total // 100))}
        headers["Date"] = format_datetime(datetime.now(UTC), usegmt=True)
        trashed, placed = left.pop(0) if left else ([], [])
        for place in trashed:
            if place < len(held):
                staying.discard(held.pop(place))
        for place in placed:  # anywhere: an old order that was touched comes into the window
            after = held[min(place, len(held) - 1)] if held else 0
            if after + 1 not in held:
                held.insert(held.index(after) + 1 if held else 0, after + 1)
        return httpx.Response(200, text=json.dumps(rows), headers=headers)

    shop, _ = open_shop()
    shop.transport._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    seen = await rows(shop.adapter().orders(EVER, None))
    assert {str(n) for n in staying} <= set(seen)


async def test_order_the_store_counts_and_never_shows() -> None:
    """A row that is missing each time does not stop the poll for ever."""
    shop, placed = open_shop(3)
    headers = {"X-WP-Total": "4", "X-WP-TotalPages": "1"}
    real = shop.transport.http

    async def answer(request: httpx.Request) -> httpx.Response:
        found = await real.send(request)
        return httpx.Response(found.status_code, content=found.content, headers=headers)

    shop.transport._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    assert list(await rows(shop.adapter().orders(EVER, None))) == placed


async def test_missing_totals_are_not_guessed() -> None:
    """A proxy that drops the totals makes no list look whole."""
    shop, _ = open_shop(1)
    headers = {"Content-Type": "application/json"}
    shop.fault("status", status=200, body="[]", headers=headers, path_contains="/orders")
    with pytest.raises(UnexpectedResponseError, match="X-WP-Total"):
        await rows(shop.adapter().orders(EVER, None))


async def test_unfinished_checkouts_are_drafts_without_a_person() -> None:
    """A checkout nobody finished is counted, and nothing personal of it is kept."""
    shop, _ = open_shop()
    draft = buy(shop, status="checkout-draft", customer_note="Secretly")
    order = (await rows(shop.adapter().orders(EVER, None)))[draft]
    assert order.stage is OrderStage.DRAFT
    assert (order.email, order.note, order.billing, order.ship_to) == ("", "", None, None)
    assert dict(order.custom) == {}


async def test_refunds_are_read_only_where_there_are_any() -> None:
    """Units refunded count as canceled; only such orders cost a request, after their page."""
    shop, placed = open_shop(30)
    partly = buy(shop, quantity=5)
    words = {"lines": [{"sku": "MUG", "quantity": 2}]}
    shop.sandbox.shop({"do": "refund", "order": int(partly), **words})
    money = buy(shop)
    shop.sandbox.shop({"do": "refund", "order": int(money), "amount": "1.00"})
    whole = buy(shop)
    shop.sandbox.shop({"do": "refund", "order": int(whole)})
    shop.forget()
    seen = await rows(shop.adapter().orders(EVER, None))
    assert shop.requests == {"GET /orders": 1, "GET /orders/{id}/refunds": 2}
    assert len(seen) == len(placed) + 3
    assert (seen[partly].lines[0].quantity, seen[partly].lines[0].canceled) == (5, 2)
    assert seen[partly].payment is PaymentStatus.PARTIALLY_REFUNDED
    assert seen[money].lines[0].canceled == 0
    assert (seen[whole].stage, seen[whole].payment) == (OrderStage.CANCELED, PaymentStatus.REFUNDED)


async def test_many_refunds_come_in_portions_from_any_cursor() -> None:
    """Orders with refunds come a few at a time, and a new walk goes on amid them."""
    shop, placed = open_shop(12)
    for order_id in placed:
        shop.sandbox.shop({"do": "refund", "order": int(order_id), "amount": "1.00"})
    pages = [page async for page in shop.adapter().orders(EVER, None)]
    assert [len(page.rows) for page in pages] == [0, 5, 5, 2]
    assert [page.is_last for page in pages] == [False, False, False, True]
    cursor = json.loads(json.dumps(pages[1].cursor))
    shop.sandbox.shop({"do": "trash", "order": int(placed[5])})
    rest = await rows(shop.adapter().orders(EVER, cursor))
    assert list(rest) == placed[6:]


async def test_refund_of_an_order_deleted_meanwhile() -> None:
    """An order that goes while its refunds are read is left to the read that proves it."""
    shop, (order_id,) = open_shop(1)
    shop.sandbox.shop({"do": "refund", "order": int(order_id), "amount": "1.00"})
    pages = shop.adapter().orders(EVER, None)
    await anext(pages)
    shop.sandbox.shop({"do": "delete", "order": int(order_id)})
    assert await rows(pages) == {}
    assert isinstance((await shop.adapter().read_orders([order_id]))[order_id], Gone)


async def test_window_counts_in_utc_wherever_the_store_is() -> None:
    """The moment asked for is UTC although the store keeps local time, and is included."""
    sandbox = create_sandbox(SandboxOptions(products=[MUG], time_zone="Pacific/Auckland"))
    shop = WooShop(sandbox)
    order_id = buy(shop)
    seen = (await rows(shop.adapter().orders(EVER, None)))[order_id]
    assert seen.modified_at is not None
    assert abs(seen.modified_at - datetime.now(UTC)) < timedelta(minutes=5)
    exact = OrderWindow(seen.modified_at)
    assert list(await rows(shop.adapter().orders(exact, None))) == [order_id]
    later = OrderWindow(seen.modified_at + timedelta(seconds=2))
    assert await rows(shop.adapter().orders(later, None)) == {}


@pytest.mark.parametrize(
    ("features", "version", "is_bounded"),
    [
        ({"modified_after"}, "5.7.1", False),
        ({"brands"}, "5.7.1", True),
        ({"weight_unit:kg"}, "10.2.4", False),
        (set(), "", False),
    ],
)
async def test_old_stores_are_asked_by_creation_too(
    features: set[str], version: str, is_bounded: bool
) -> None:
    """A store known not to filter by change gives ninety days of orders, not all of them."""
    shop, _ = open_shop(1, ordered_at="2026-01-01T00:00:00Z")
    shop.known = AccountInfo(
        "shop.example", "shop", "EUR", features=frozenset(features), version=version
    )
    since = OrderWindow(datetime.now(UTC) - timedelta(hours=1))
    seen = await rows(shop.adapter().orders(since, None))
    assert (seen == {}) is is_bounded


async def test_order_that_cannot_be_understood_is_named() -> None:
    """One row that is no order is rejected with its field, and the others come."""
    shop, placed = open_shop(2)
    real = shop.transport.http

    async def answer(request: httpx.Request) -> httpx.Response:
        found = await real.send(request)
        body = found.json()
        body[0]["line_items"][0]["quantity"] = "a lot"
        return httpx.Response(200, text=json.dumps(body), headers=found.headers)

    shop.transport._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    (page,) = [page async for page in shop.adapter().orders(EVER, None)]
    assert [row.id for row in page.rows] == placed[1:]
    (rejected,) = page.rejected
    assert (rejected.id, rejected.number) == (placed[0], placed[0])
    assert "line_items.quantity" in rejected.message
    assert "a lot" not in rejected.message


# --- by id and by number ------------------------------------------------------------------------


async def test_trashed_orders_read_as_gone() -> None:
    """No list shows the trash; a read by id tells trashed from deleted."""
    shop, placed = open_shop(3)
    shop.sandbox.shop({"do": "trash", "order": int(placed[0])})
    shop.sandbox.shop({"do": "delete", "order": int(placed[1])})
    shop.forget()
    found = await shop.adapter().read_orders(placed)
    assert shop.requests == {"GET /orders": 1, "GET /orders/{id}": 2}
    assert [found[order_id].reason for order_id in placed[:2]] == ["InTrash", "Deleted"]  # type: ignore[union-attr]
    assert isinstance(found[placed[2]], RemoteOrder)


async def test_reading_many_orders_takes_a_request_for_a_hundred() -> None:
    """Open orders are read by id a hundred at a time."""
    shop, placed = open_shop(150)
    shop.forget()
    found = await shop.adapter().read_orders(placed)
    assert shop.requests == {"GET /orders": 2}
    assert list(found) == placed


async def test_numbers_of_a_plugin_are_found_by_search() -> None:
    """A number that is no id, or the id of another order, is looked for exactly."""
    shop, (other,) = open_shop(1)
    order_id = buy(shop, number="SO-1001")
    buy(shop, number="SO-10012")
    for asked in ("SO-1001", "#SO-1001", " so-1001 "):
        assert [row.id for row in await shop.adapter().find_order(asked)] == [order_id]
    taken = buy(shop, number=str(int(other) + 100_000))
    found = await shop.adapter().find_order(str(int(other) + 100_000))
    assert [row.id for row in found] == [taken]
    assert await shop.adapter().find_order(order_id) == ()


async def test_several_orders_of_one_number_are_all_found() -> None:
    """Numbers are not unique; a person sees all that have it."""
    shop, _ = open_shop()
    twins = {buy(shop, number="A-7"), buy(shop, number="A-7")}
    assert {row.id for row in await shop.adapter().find_order("A-7")} == twins


async def test_order_in_the_trash_is_found_as_such() -> None:
    """Whoever asks why an order was not imported is told that it is in the trash."""
    shop, (order_id,) = open_shop(1)
    shop.sandbox.shop({"do": "trash", "order": int(order_id)})
    (found,) = await shop.adapter().find_order(order_id)
    assert isinstance(found, RemoteOrder)
    assert (found.stage, found.status) == (OrderStage.CANCELED, "trash")


async def test_broken_order_is_found_as_rejected() -> None:
    """An order that is there and not understood is not called unknown."""
    shop, (order_id,) = open_shop(1)
    body = json.dumps({"id": int(order_id), "number": order_id, "status": "processing"})
    shop.fault("status", status=200, body=body, path_contains=f"/orders/{order_id}")
    (found,) = await shop.adapter().find_order(order_id)
    assert isinstance(found, RejectedOrder)
    assert "currency" in found.message or "date_created_gmt" in found.message

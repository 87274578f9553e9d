"""The simulated WooCommerce store keeps orders and what a shopkeeper does to them."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from adapters.sandbox import ControlError, Sandbox
from tests.adapters.woocommerce.counter import BASE, Json, client_of, done, held, make, stock_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sandbox() -> Sandbox:
    """Provide a store with every way of shipping."""
    return make(fulfillments=True, shipment_tracking=True)


@pytest.fixture
async def store(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client of the store."""
    async with client_of(sandbox) as client:
        yield client


# Buying


async def test_a_plain_purchase(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A purchase has an address and a way of shipping, is paid, and takes the stock."""
    bought = done(sandbox, "buy", sku="MUG", quantity=2)
    seen = (await store.get(f"/orders/{bought['id']}")).json()
    assert (seen["status"], seen["total"], stock_of(sandbox, "MUG")) == ("processing", "10.00", 28)
    assert seen["shipping"]["city"] == "Paris"
    assert seen["billing"]["email"] == "ada@example.com"
    assert seen["date_paid_gmt"] is not None
    method = seen["shipping_lines"][0]
    assert (method["method_id"], method["instance_id"]) == ("flat_rate", "1")


async def test_a_purchase_of_several_lines(sandbox: Sandbox) -> None:
    """Lines may carry their own total and custom fields, or have no product at all."""
    lines = [
        {"sku": "MUG", "quantity": 3, "total": "12.00", "meta": {"Engraving": "Ann"}},
        {"sku": "POT"},
        {"name": "By hand", "quantity": 2, "total": "4.00"},
    ]
    method = {"method_id": "flat_rate", "instance_id": "3", "title": "Express", "total": "4.90"}
    order = done(sandbox, "buy", lines=lines, shipping_method=method, currency="USD")
    mug, pot, loose = order["line_items"]
    assert (order["total"], order["currency"]) == ("27.90", "USD")
    assert (mug["total"], mug["meta_data"][0]["display_key"]) == ("12.00", "Engraving")
    assert pot["sku"] == "POT"
    assert (loose["name"], loose["sku"], loose["product_id"]) == ("By hand", None, 0)
    assert order["shipping_lines"][0]["method_title"] == "Express"


async def test_a_virtual_purchase(sandbox: Sandbox) -> None:
    """What needs no shipping has neither a way of shipping nor a shipping address."""
    by_product = done(sandbox, "buy", sku="PDF")
    by_word = done(sandbox, "buy", sku="MUG", virtual=True)
    for order in (by_product, by_word):
        assert order["shipping_lines"] == []
        assert not any(order["shipping"].values())
        assert order["billing"]["city"] == "Paris"
    assert not by_product["needs_processing"]


async def test_a_purchase_without_address(sandbox: Sandbox) -> None:
    """An address that is given replaces the usual one, and null leaves none."""
    order = done(
        sandbox,
        "buy",
        sku="MUG",
        shipping=None,
        billing={"email": "a@example.com"},
        shipping_method="local_pickup:2",
    )
    assert not any(order["shipping"].values())
    assert order["billing"]["city"] == ""
    assert order["shipping_lines"][0]["instance_id"] == "2"
    bare = done(sandbox, "buy", sku="MUG", shipping_method=None)
    assert bare["shipping_lines"] == []
    assert bare["shipping"]["city"] == "Paris"


async def test_an_old_order_touched_today(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """An order of the past keeps its dates and is found by what changed now, and by no filter."""
    sandbox.clock.freeze(datetime(2026, 6, 1, 12, tzinfo=UTC))
    old = done(sandbox, "buy", sku="MUG", ordered_at="2026-01-01T08:00:00Z")
    done(sandbox, "buy", sku="MUG", ordered_at="2026-01-01", modified_at="2026-01-02")
    assert old["date_created_gmt"] == old["date_paid_gmt"] == "2026-01-01T08:00:00"
    assert old["date_modified_gmt"] == "2026-06-01T12:00:00"
    params = {"modified_after": "2026-05-31T00:00:00", "dates_are_gmt": "true"}
    assert [row["id"] for row in (await store.get("/orders", params=params)).json()] == [old["id"]]
    sandbox.clock.shift(timedelta(minutes=1))
    touched = done(sandbox, "touch", order=old["id"])
    assert touched["date_modified_gmt"] == "2026-06-01T12:01:00"
    assert touched["date_created_gmt"] == "2026-01-01T08:00:00"


async def test_numbers_of_a_plugin(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """An order may be known by another number than its id, and is found by either."""
    order = done(sandbox, "buy", sku="MUG", number="SO-1001")
    other = done(sandbox, "buy", sku="MUG")
    assert (order["number"], other["number"]) == ("SO-1001", str(other["id"]))
    for text in ("SO-1001", "so-1001", str(order["id"])):
        found = (await store.get("/orders", params={"search": text})).json()
        assert [row["id"] for row in found] == [order["id"]]
    assert done(sandbox, "cancel", order="SO-1001")["status"] == "cancelled"


async def test_statuses_of_plugins() -> None:
    """A status of a plugin can be taken, filtered by, counted and listed; others are refused."""
    sandbox = make(order_statuses={"awaiting-shipment": "Awaiting shipment"})
    async with client_of(sandbox) as store:
        order = done(sandbox, "buy", sku="MUG", status="awaiting-shipment")
        params = {"status": "awaiting-shipment"}
        assert len((await store.get("/orders", params=params)).json()) == 1
        body = {"status": "awaiting-shipment"}
        assert (await store.put(f"/orders/{order['id']}", json=body)).status_code == 200
        slugs = {row["slug"] for row in (await store.get("/orders/statuses")).json()}
        assert {"awaiting-shipment", "checkout-draft", "processing"} <= slugs
        totals = (await store.get("/reports/orders/totals")).json()
        assert {"slug": "awaiting-shipment", "name": "Awaiting shipment", "total": 1} in totals
        assert (await store.get("/orders", params={"status": "shipped"})).status_code == 400
    with pytest.raises(ControlError, match="status must be one of"):
        done(sandbox, "buy", sku="MUG", status="shipped")


async def test_orders_from_the_start() -> None:
    """Orders can be there before anything is asked, and the books know of no effect."""
    sandbox = make(orders=({"sku": "MUG", "number": "A-1"}, {"sku": "POT", "status": "pending"}))
    async with client_of(sandbox) as store:
        shown = (await store.get("/orders", params={"orderby": "id", "order": "asc"})).json()
    assert [row["status"] for row in shown] == ["processing", "pending"]
    assert not sandbox.books.effects


async def test_thousands_of_orders(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """Many orders are placed quickly and walked by id in as many requests as there are pages."""
    begun = time.perf_counter()
    made = done(sandbox, "orders", count=2_000, sku="POT", number="N-%d", every_seconds=60)
    assert time.perf_counter() - begun < 20
    walked: list[int] = []
    for page in range(1, 21):
        params: Json = {
            "page": page,
            "per_page": 100,
            "orderby": "id",
            "order": "asc",
            "_fields": "id",
        }
        response = await store.get("/orders", params=params)
        walked += [row["id"] for row in response.json()]
    assert response.headers["X-WP-TotalPages"] == "20"
    assert walked == made["ids"]
    first = (await store.get(f"/orders/{made['ids'][0]}")).json()
    second = (await store.get(f"/orders/{made['ids'][1]}")).json()
    gap = [datetime.fromisoformat(row["date_created_gmt"]) for row in (first, second)]
    assert gap[1] - gap[0] == timedelta(seconds=60)
    assert (first["number"], second["number"]) == ("N-1", "N-2")


# Afterwards


async def test_paying_and_canceling(sandbox: Sandbox) -> None:
    """Paying moves on and takes the stock, canceling gives it back; a guide to read is done."""
    order = done(sandbox, "buy", sku="MUG", quantity=2, status="pending")
    assert (order["date_paid_gmt"], stock_of(sandbox, "MUG")) == (None, 30)
    assert done(sandbox, "pay", order=order["id"])["status"] == "processing"
    assert stock_of(sandbox, "MUG") == 28
    assert done(sandbox, "cancel", order=order["id"])["status"] == "cancelled"
    assert stock_of(sandbox, "MUG") == 30
    guide = done(sandbox, "buy", sku="PDF", status="pending")
    assert done(sandbox, "pay", order=guide["id"])["status"] == "completed"


async def test_editing(sandbox: Sandbox) -> None:
    """Units, lines, address and the way of shipping can be changed, and stock and sums follow."""
    order = done(sandbox, "buy", lines=[{"sku": "MUG", "quantity": 3}, {"sku": "POT"}])
    after = done(
        sandbox,
        "edit",
        order=order["id"],
        lines=[{"sku": "MUG", "quantity": 1}],
        add=[{"sku": "PDF", "quantity": 2}],
        remove=["POT"],
        shipping={"city": "Lyon"},
        shipping_method="free_shipping:4",
    )
    lines = [(row["sku"], row["quantity"], row["total"]) for row in after["line_items"]]
    assert lines == [("MUG", 1, "5.00"), ("PDF", 2, "4.00")]
    assert (after["total"], stock_of(sandbox, "MUG")) == ("9.00", 29)
    assert (after["shipping"]["city"], after["shipping"]["country"]) == ("Lyon", "FR")
    assert [row["method_id"] for row in after["shipping_lines"]] == ["free_shipping"]
    gone = done(sandbox, "edit", order=order["id"], lines=[{"sku": "MUG", "quantity": 0}])
    assert [row["sku"] for row in gone["line_items"]] == ["PDF"]
    assert stock_of(sandbox, "MUG") == 30
    assert not any(done(sandbox, "edit", order=order["id"], shipping=None)["shipping"].values())


async def test_added_lines_take_stock(sandbox: Sandbox) -> None:
    """A line that a merchant adds takes its stock, as the first of its kind or as a replacement."""
    order = done(sandbox, "buy", sku="POT")
    done(sandbox, "edit", order=order["id"], add=[{"sku": "MUG", "quantity": 2}])
    assert stock_of(sandbox, "MUG") == 28
    other = done(sandbox, "buy", sku="MUG", quantity=5)
    done(sandbox, "edit", order=other["id"], remove=["MUG"], add=[{"sku": "MUG"}])
    assert [row["quantity"] for row in held(sandbox, other["id"])["lines"]] == [1]
    assert stock_of(sandbox, "MUG") == 27


async def test_refund_of_units(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A refund of units names the line, counts backwards, and puts them back unless told not to."""
    order = done(sandbox, "buy", lines=[{"sku": "MUG", "quantity": 3}, {"sku": "POT"}])
    line = order["line_items"][0]["id"]
    part = [{"sku": "MUG", "quantity": 1}]
    after = done(sandbox, "refund", order=order["id"], lines=part, reason="broken")
    assert [row["total"] for row in after["refunds"]] == ["-5.00"]
    assert (after["status"], stock_of(sandbox, "MUG")) == ("processing", 28)
    done(sandbox, "refund", order=order["id"], lines=part, restock=False)
    assert stock_of(sandbox, "MUG") == 28
    rows = (await store.get(f"/orders/{order['id']}/refunds")).json()
    origin = rows[0]["line_items"][0]
    assert (origin["quantity"], origin["total"]) == (-1, "-5.00")
    assert {"_refunded_item_id": str(line)} == {m["key"]: m["value"] for m in origin["meta_data"]}
    one = await store.get(f"/orders/{order['id']}/refunds/{rows[0]['id']}")
    assert one.json() == rows[0]
    done(sandbox, "cancel", order=order["id"])
    assert stock_of(sandbox, "MUG") == 30


async def test_refund_of_everything(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """With the last of the money given back the order is refunded, and the stock stays taken."""
    order = done(sandbox, "buy", sku="MUG", quantity=2)
    assert done(sandbox, "refund", order=order["id"], amount="4.00")["status"] == "processing"
    assert done(sandbox, "refund", order=order["id"])["status"] == "refunded"
    rows = (await store.get(f"/orders/{order['id']}/refunds")).json()
    assert [row["amount"] for row in rows] == ["6.00", "4.00"]
    assert [row["line_items"] for row in rows] == [[], []]
    assert stock_of(sandbox, "MUG") == 28
    with pytest.raises(ControlError):
        done(sandbox, "refund", order=order["id"])


async def test_refunds_are_paged(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A list of refunds ends after ten unless more are asked for."""
    order = done(sandbox, "buy", sku="MUG", quantity=20)
    for _ in range(12):
        done(sandbox, "refund", order=order["id"], amount="1.00")
    first = await store.get(f"/orders/{order['id']}/refunds")
    assert (len(first.json()), first.headers["X-WP-TotalPages"]) == (10, "2")
    more = await store.get(f"/orders/{order['id']}/refunds", params={"per_page": 100})
    assert len(more.json()) == 12


async def test_trash_and_back(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """An order in the trash is not listed but read by id; it comes back, or goes for good."""
    order = done(sandbox, "buy", sku="MUG")
    path = f"/orders/{order['id']}"
    done(sandbox, "trash", order=order["id"])
    assert (await store.get("/orders", params={"include": str(order["id"])})).json() == []
    assert (await store.get(path)).json()["status"] == "trash"
    assert (await store.delete(path)).status_code == 410
    assert done(sandbox, "restore", order=order["id"])["status"] == "processing"
    done(sandbox, "delete", order=order["id"])
    gone = await store.get(path)
    assert (gone.status_code, gone.json()["code"]) == (
        404,
        "woocommerce_rest_shop_order_invalid_id",
    )


async def test_page_past_the_end(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """Past the last order a page is empty and even the totals say so."""
    done(sandbox, "orders", count=3, sku="POT")
    past = await store.get("/orders", params={"page": 2})
    assert (past.json(), past.headers["X-WP-Total"], past.headers["X-WP-TotalPages"]) == (
        [],
        "0",
        "0",
    )


async def test_any_status_includes_drafts(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """Orders of every status are listed, unfinished checkouts included, the trash left out."""
    for status in ("checkout-draft", "pending", "cancelled", "failed"):
        done(sandbox, "buy", sku="POT", status=status)
    done(sandbox, "trash", order=done(sandbox, "buy", sku="POT")["id"])
    listed = (await store.get("/orders", params={"status": "any"})).json()
    assert sorted(row["status"] for row in listed) == [
        "cancelled",
        "checkout-draft",
        "failed",
        "pending",
    ]


@pytest.mark.parametrize(
    "order",
    [
        {"do": "buy"},
        {"do": "buy", "sku": "NOPE"},
        {"do": "buy", "sku": "MUG", "address": {}},
        {"do": "edit", "order": 1, "lines": []},
        {"do": "orders", "count": 0},
        {"do": "ship", "order": "X-1", "by": "pigeon"},
        {"do": "ship", "order": "X-1", "by": "fulfillment"},
        {"do": "refund", "order": "X-1", "lines": [{"sku": "POT"}]},
        {"do": "dance"},
    ],
)
async def test_nonsense_is_refused(order: dict[str, Json]) -> None:
    """What the shopkeeper cannot do is refused with a reason, over the wire too."""
    sandbox = make(orders=({"sku": "MUG", "number": "X-1"},))
    transport = sandbox.transport()
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as hand:
        response = await hand.post("/_shop", json=order)
    assert response.status_code == 400
    assert response.json()["error"]


# Notes


async def test_notes_by_kind(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """The store's own notes stand among the others, with entities, and customers' can be asked."""
    order = done(sandbox, "buy", sku="MUG")
    path = f"/orders/{order['id']}/notes"
    await store.post(path, json={"note": "Packed", "customer_note": False})
    done(sandbox, "note", order=order["id"], text="On its way", customer=True)
    texts = [row["note"] for row in (await store.get(path)).json()]
    assert texts[:2] == ["On its way", "Packed"]
    assert any("&rarr;" in text for text in texts)
    told = (await store.get(path, params={"type": "customer"})).json()
    assert [row["note"] for row in told] == ["On its way"]
    inside = (await store.get(path, params={"type": "internal"})).json()
    assert [row["note"] for row in inside] == texts[1:]
    assert [row["by"] for row in held(sandbox, order["id"])["notes"][:3]] == [
        "shop",
        "api",
        "system",
    ]


async def test_a_note_of_a_lost_answer(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A note is there though its answer was lost, late, or the request was carried out twice."""
    order = done(sandbox, "buy", sku="POT")
    path = f"/orders/{order['id']}/notes"
    counts = []
    for effect, seconds in (("timeout_after", 0.0), ("late", 0.01), ("twice", 0.0)):
        fault = {"match": {"method": "POST", "path_contains": "/notes"}, "effect": effect}
        await store.post(f"{BASE}/_faults", json={**fault, "seconds": seconds})
        try:
            await store.post(path, json={"note": effect})
        except httpx.TransportError:
            assert effect == "timeout_after"
        await sandbox.app.settle()
        notes = held(sandbox, order["id"])["notes"]
        counts.append([note["text"] for note in notes].count(effect))
    assert counts == [1, 1, 2]


async def test_an_old_list_of_notes(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A cache in between can show the list of notes as it was before one was written."""
    order = done(sandbox, "buy", sku="POT")
    path = f"/orders/{order['id']}/notes"
    before = (await store.get(path)).json()
    await store.post(path, json={"note": "new"})
    fault = {"match": {"method": "GET", "path_contains": "/notes"}, "effect": "repeat_page"}
    await store.post(f"{BASE}/_faults", json=fault)
    assert (await store.get(path)).json() == before
    assert len((await store.get(path)).json()) == len(before) + 1

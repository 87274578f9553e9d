"""The simulated WooCommerce store keeps fulfillments and tracking numbers as the real ones do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from adapters.sandbox import ControlError, Sandbox
from tests.adapters.woocommerce.counter import API, BASE, Json, client_of, done, held, make

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


# Fulfillments


def fulfillment(line: int, quantity: Json = 1, **meta: Json) -> dict[str, Json]:
    """Return the body of a fulfillment of one line."""
    rows = [{"key": "_items", "value": [{"item_id": line, "qty": quantity}]}]
    rows += [{"key": key, "value": value} for key, value in meta.items()]
    return {"status": "fulfilled", "is_fulfilled": True, "meta_data": rows}


async def test_fulfillments_off_by_default() -> None:
    """Without the feature and without the plugin neither has a route or a namespace."""
    sandbox = make()
    order = done(sandbox, "buy", sku="MUG")
    async with client_of(sandbox) as store:
        for below in ("fulfillments", "shipment-trackings"):
            response = await store.get(f"/orders/{order['id']}/{below}")
            assert (response.status_code, response.json()["code"]) == (404, "rest_no_route")
        index = (await store.get(f"{BASE}/wp-json/")).json()
    assert not [name for name in index["namespaces"] if "tracking" in name]
    assert not [path for path in index["routes"] if "fulfillments" in path]


async def test_fulfillments(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A fulfillment is made, read, changed as a whole and deleted; the order's status stays."""
    order = done(sandbox, "buy", sku="MUG", quantity=2)
    line, path = order["line_items"][0]["id"], f"/orders/{order['id']}/fulfillments"
    body = fulfillment(line, _tracking_number="1Z9", _mark="7")
    created = await store.post(path, json=body, params={"notify_customer": "true"})
    made = created.json()
    assert (created.status_code, made["entity_id"], made["entity_type"]) == (
        201,
        str(order["id"]),
        "WC_Order",
    )
    one = f"{path}/{made['id']}"
    assert (await store.get(path)).json() == [made]
    assert (await store.get(one)).json() == made
    changed = (await store.put(one, json=fulfillment(line, 2, _tracking_number="1Z8"))).json()
    assert [m["key"] for m in changed["meta_data"]] == ["_items", "_tracking_number"]
    assert changed["meta_data"][1]["id"] == made["meta_data"][1]["id"]
    assert (await store.get(f"{one}/metadata")).json() == changed["meta_data"]
    seen = (await store.get(f"/orders/{order['id']}")).json()
    states = {m["key"]: m["value"] for m in seen["meta_data"]}
    assert (seen["status"], states["_fulfillment_status"]) == ("processing", "fulfilled")
    books = held(sandbox, order["id"])["fulfillments"][0]
    assert (books["items"], books["tracking_number"], books["by"]) == ({str(line): 2}, "1Z8", "api")
    deleted = await store.delete(one)
    assert deleted.json() == {"message": "Fulfillment deleted successfully."}
    assert (await store.get(path)).json() == []
    effects = [e["effect"] for e in sandbox.books.effects if e["kind"] == "fulfillment"]
    assert effects == ["create", "update", "delete"]


async def test_a_repeated_fulfillment_is_there_twice(
    sandbox: Sandbox, store: httpx.AsyncClient
) -> None:
    """Nothing keeps the same units from being fulfilled twice, and the order moves each time."""
    sandbox.clock.freeze(datetime(2026, 6, 1, 12, tzinfo=UTC))
    order = done(sandbox, "buy", sku="MUG", quantity=2)
    path = f"/orders/{order['id']}/fulfillments"
    sandbox.clock.shift(timedelta(minutes=1))
    for _ in range(2):
        await store.post(path, json=fulfillment(order["line_items"][0]["id"], 2))
    assert len((await store.get(path)).json()) == 2
    seen = (await store.get(f"/orders/{order['id']}")).json()
    assert seen["date_modified_gmt"] == "2026-06-01T12:01:00"


async def test_refused_fulfillments(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """Items are required and must be lines of the order; refusals carry a number for a code."""
    order, other = (done(sandbox, "buy", sku="MUG") for _ in range(2))
    line, path = order["line_items"][0]["id"], f"/orders/{order['id']}/fulfillments"
    missing = await store.post(path, json={"status": "fulfilled"})
    assert missing.json()["code"] == "rest_missing_callback_param"
    none = await store.post(path, json={"meta_data": [{"key": "_tracking_number", "value": "1"}]})
    assert none.json() == {
        "code": 0,
        "message": "The fulfillment should contain at least one item.",
        "data": {"status": 400},
    }
    strange = other["line_items"][0]["id"]
    for body in (fulfillment(strange), fulfillment(line, 0), fulfillment(line, "1")):
        refused = await store.post(path, json=body)
        assert (refused.status_code, refused.json()["message"]) == (400, "Invalid item.")
    made = (await store.post(path, json=fulfillment(line))).json()
    elsewhere = await store.get(f"/orders/{other['id']}/fulfillments/{made['id']}")
    assert elsewhere.json()["message"] == "Invalid fulfillment ID."
    unknown = await store.get(f"{path}/999")
    assert (unknown.status_code, unknown.json()["message"]) == (400, "Fulfillment not found.")
    nowhere = await store.post("/orders/99999/fulfillments", json=fulfillment(line))
    assert (nowhere.status_code, nowhere.json()["code"]) == (
        404,
        "woocommerce_rest_order_invalid_id",
    )


async def test_guessing_a_carrier(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """The store guesses the carrier of a number it knows the form of."""
    order = done(sandbox, "buy", sku="MUG")
    path = f"/orders/{order['id']}/fulfillments/lookup"
    guess = (await store.get(path, params={"tracking_number": "1Z999"})).json()
    assert (guess["shipping_provider"], guess["tracking_number"]) == ("ups", "1Z999")
    assert (await store.get(path)).status_code == 400


# Shipment Tracking


@pytest.mark.parametrize("namespace", ["wc-shipment-tracking/v3", "wc/v3", "wc/v2", "wc/v1"])
async def test_trackings(sandbox: Sandbox, store: httpx.AsyncClient, namespace: str) -> None:
    """The plugin keeps numbers in every namespace it serves, and shows the provider's link."""
    order = done(sandbox, "buy", sku="MUG")
    path = f"{BASE}/wp-json/{namespace}/orders/{order['id']}/shipment-trackings"
    body = {"tracking_number": "1Z9", "tracking_provider": "UPS", "date_shipped": "2026-06-01"}
    created = await store.post(path, json=body)
    made = created.json()
    assert (created.status_code, made["tracking_provider"]) == (201, "UPS")
    assert made["tracking_link"].endswith("tracknum=1Z9")
    assert made["date_shipped"] == "2026-06-01"
    assert len(made["tracking_id"]) == 32
    assert (await store.get(path)).json() == [made]
    assert (await store.get(f"{path}/{made['tracking_id']}")).json() == made
    assert (await store.put(f"{path}/{made['tracking_id']}", json=body)).status_code == 404
    assert (await store.delete(f"{path}/{made['tracking_id']}")).json() == made
    assert (await store.get(f"{path}/{made['tracking_id']}")).status_code == 404
    assert (await store.get(path)).json() == []


async def test_providers_of_trackings(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A provider must be on the list, or its name and link are lost; a custom one is kept."""
    order = done(sandbox, "buy", sku="MUG")
    path = f"/orders/{order['id']}/shipment-trackings"
    providers = (await store.get(f"{path}/providers")).json()
    assert "%1$s" in providers["United States"]["UPS"]
    custom = {
        "custom_tracking_provider": "Bike",
        "custom_tracking_link": "https://bike.example/1",
    }
    shown = []
    for provider in ({"tracking_provider": "Bike"}, custom, {"tracking_provider": "royal-mail"}):
        made = (await store.post(path, json={"tracking_number": "1", **provider})).json()
        shown.append((made["tracking_provider"], made["tracking_link"][:20]))
    assert shown[:2] == [("", ""), ("Bike", "https://bike.example")]
    assert shown[2][0] == "Royal Mail"
    refused = await store.post(path, json={"tracking_provider": "UPS"})
    assert refused.json()["code"] == "rest_missing_callback_param"
    nowhere = await store.get("/orders/99999/shipment-trackings")
    assert nowhere.json()["code"] == "woocommerce_rest_order_invalid_id"


async def test_a_repeated_tracking_is_there_twice(
    sandbox: Sandbox, store: httpx.AsyncClient
) -> None:
    """The same number sent twice is two rows, seen on the order too, whose status stays."""
    order = done(sandbox, "buy", sku="MUG")
    path = f"/orders/{order['id']}/shipment-trackings"
    for _ in range(2):
        await store.post(path, json={"tracking_number": "1Z9", "tracking_provider": "UPS"})
    ids = [row["tracking_id"] for row in (await store.get(path)).json()]
    assert len(set(ids)) == 2
    seen = (await store.get(f"/orders/{order['id']}")).json()
    kept = next(m["value"] for m in seen["meta_data"] if m["key"] == "_wc_shipment_tracking_items")
    assert [row["tracking_id"] for row in kept] == ids
    assert seen["status"] == "processing"


async def test_the_plugin_in_the_index(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """The plugin is found by its namespace, whose index lists its routes and no others."""
    index = (await store.get(f"{BASE}/wp-json/")).json()
    assert "wc-shipment-tracking/v3" in index["namespaces"]
    own = (await store.get(f"{BASE}/wp-json/wc-shipment-tracking/v3")).json()
    assert all(path.startswith("/wc-shipment-tracking/v3/") for path in own["routes"])
    core = (await store.get(f"{BASE}/wp-json/wc/v3")).json()
    assert all(path.startswith("/wc/v3/") for path in core["routes"])
    assert any("fulfillments" in path for path in core["routes"])


async def test_switching_ways_of_shipping() -> None:
    """A plugin can be installed and removed while the store runs; what it kept is there again."""
    sandbox = make()
    order = done(sandbox, "buy", sku="MUG")
    async with client_of(sandbox) as store:
        path = f"/orders/{order['id']}/shipment-trackings"
        assert (await store.get(path)).status_code == 404
        done(sandbox, "switch", feature="shipment_tracking", on=True)
        assert (await store.post(path, json={"tracking_number": "1"})).status_code == 201
        done(sandbox, "switch", feature="shipment_tracking", on=False)
        assert (await store.get(path)).json()["code"] == "rest_no_route"
        done(sandbox, "switch", feature="shipment_tracking", on=True)
        assert len((await store.get(path)).json()) == 1
    with pytest.raises(ControlError, match="feature must be"):
        done(sandbox, "switch", feature="parcels", on=True)


async def test_keys_of_shipments(sandbox: Sandbox) -> None:
    """A key that may only read cannot ship, and no key at all sees nothing."""
    order = done(sandbox, "buy", sku="MUG")
    body = fulfillment(order["line_items"][0]["id"])
    async with client_of(sandbox, "read_only") as reader:
        for below in ("fulfillments", "shipment-trackings"):
            path = f"/orders/{order['id']}/{below}"
            assert (await reader.get(path)).status_code == 200
            assert (
                await reader.post(path, json={**body, "tracking_number": "1"})
            ).status_code == 401
    async with httpx.AsyncClient(transport=sandbox.transport(), base_url=BASE + API) as nobody:
        assert (await nobody.get(f"/orders/{order['id']}/fulfillments")).status_code == 401


# Shipping by hand


async def test_shipping_by_hand(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A merchant ships by status, note, tracking or fulfillment, and the books say it was they."""
    order = done(sandbox, "buy", sku="MUG", quantity=3)
    words = {"order": order["id"], "carrier": "UPS", "tracking_number": "1Z9"}
    done(sandbox, "ship", by="note", **words)
    done(sandbox, "ship", by="tracking", **words)
    part = [{"sku": "MUG", "quantity": 1}]
    shipped = done(sandbox, "ship", by="fulfillment", lines=part, **words)
    assert shipped["status"] == "processing"
    books = held(sandbox, order["id"])
    assert "1Z9" in books["notes"][0]["text"]
    assert (books["trackings"][0]["provider"], books["trackings"][0]["by"]) == ("UPS", "shop")
    assert [*books["fulfillments"][0]["items"].values()] == [1]
    whole = done(sandbox, "ship", order=order["id"], by="fulfillment", complete=True)
    assert whole["status"] == "completed"
    assert [*held(sandbox, order["id"])["fulfillments"][1]["items"].values()] == [3]
    other = done(sandbox, "buy", sku="MUG")
    assert done(sandbox, "ship", order=other["id"])["date_completed_gmt"] is not None
    by = {e["by"] for e in sandbox.books.effects if e["kind"] in ("fulfillment", "tracking")}
    assert by == {"shop"}


async def test_books_without_persons(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """Neither address nor e-mail of a shopper stands in the books."""
    order = done(sandbox, "buy", sku="MUG")
    done(sandbox, "edit", order=order["id"], shipping={"city": "Lyon"})
    await store.put(f"/orders/{order['id']}", json={"billing": {"email": "eve@example.com"}})
    report = str(sandbox.books.report())
    assert not [word for word in ("Ada", "Lyon", "example.com", "Paris") if word in report]

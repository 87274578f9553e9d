"""The simulated WooCommerce store behaves as a real one was seen to, beyond the recording."""

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from adapters.sandbox import Sandbox, serving
from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox

pytestmark = pytest.mark.anyio

BASE = "https://shop.example"
API = "/wp-json/wc/v3"
Json = Any  # bodies are whatever the simulated store says


def client_of(sandbox: Sandbox, which: str | None = None, base: str = BASE) -> httpx.AsyncClient:
    """Return a client with one of the store's keys, in process."""
    keys = sandbox.credentials if which is None else sandbox.other_credentials[which]
    auth = (keys["consumer_key"], keys["consumer_secret"])
    return httpx.AsyncClient(transport=sandbox.transport(), base_url=base + API, auth=auth)


@pytest.fixture
async def sandbox() -> Sandbox:
    """Provide an empty store."""
    return create_sandbox()


@pytest.fixture
async def store(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client of the empty store."""
    async with client_of(sandbox) as client:
        yield client


async def created(store: httpx.AsyncClient, path: str = "/products", **fields: Json) -> Json:
    """Create one thing and return it."""
    response = await store.post(path, json=fields)
    assert response.status_code == 201, response.text
    return response.json()


async def many(store: httpx.AsyncClient, count: int) -> None:
    """Create products in one batch, so that they share a second."""
    rows = [{"name": f"P{n:03}", "sku": f"P-{n}", "regular_price": "1"} for n in range(count)]
    for start in range(0, count, 100):
        response = await store.post("/products/batch", json={"create": rows[start : start + 100]})
        assert response.status_code == 200


async def walked(store: httpx.AsyncClient, path: str = "/products", **params: Json) -> list[int]:
    """Return the ids of all pages, as a client that counts on the order gets them."""
    ids: list[int] = []
    for page in range(1, 100):
        query = {"per_page": 10, "page": page, **params}
        response = await store.get(path, params=query)
        ids += [row["id"] for row in response.json()]
        if page >= int(response.headers["X-WP-TotalPages"]):
            return ids
    raise AssertionError("no end of pages")


async def test_default_order_loses_rows(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """Walking by date loses and repeats rows of one second; walking by id gets them all."""
    sandbox.clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
    await many(store, 101)
    by_date = await walked(store)
    assert len(by_date) == 101
    assert len(set(by_date)) < 90
    assert by_date == await walked(store)
    for orderby in ("id", "title"):
        steady = await walked(store, orderby=orderby, order="asc")
        assert len(set(steady)) == 101


async def test_order_by_date_is_kept_where_dates_differ(
    sandbox: Sandbox, store: httpx.AsyncClient
) -> None:
    """Rows of different seconds come newest first on every page."""
    sandbox.clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
    ids = []
    for n in range(15):
        ids.append((await created(store, name=str(n)))["id"])
        sandbox.clock.shift(timedelta(seconds=1))
    assert await walked(store) == ids[::-1]


async def test_variations_keep_their_order(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """Variations of one second are listed newest id first, page after page."""
    sandbox.clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
    parent = await created(store, name="Tee", type="variable")
    path = f"/products/{parent['id']}/variations"
    rows = [{"regular_price": "1"} for _ in range(25)]
    made = (await store.post(f"{path}/batch", json={"create": rows})).json()["create"]
    ids = [row["id"] for row in made]
    assert await walked(store, path) == ids[::-1]
    assert set(await walked(store, path, orderby="menu_order")) != set(ids)


async def test_order_seed() -> None:
    """Another seed gives another order of the same rows."""
    orders = []
    for seed in (1, 2):
        sandbox = create_sandbox(SandboxOptions(order_seed=seed))
        sandbox.clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
        async with client_of(sandbox) as store:
            await many(store, 30)
            orders.append(await walked(store))
    assert orders[0] != orders[1]


async def test_writes_move_the_time_of_change(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """A PUT without a difference moves date_modified, and a variation moves its parent's too."""
    sandbox.clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
    parent = await created(store, name="Tee", type="variable")
    variation = await created(store, f"/products/{parent['id']}/variations", regular_price="1")
    sandbox.clock.shift(timedelta(seconds=5))
    path = f"/products/{parent['id']}/variations/{variation['id']}"
    changed = (await store.put(path, json={"regular_price": "1"})).json()
    above = (await store.get(f"/products/{parent['id']}")).json()
    assert changed["date_modified_gmt"] == above["date_modified_gmt"] == "2026-01-01T00:00:05"
    assert above["date_modified"] == "2026-01-01T01:00:05"


async def test_backorders_end_with_stock_management(store: httpx.AsyncClient) -> None:
    """Switching stock management off clears the quantity and the backorders."""
    made = await created(store, manage_stock=True, stock_quantity=0, backorders="yes")
    assert made["stock_status"] == "onbackorder"
    after = (await store.put(f"/products/{made['id']}", json={"manage_stock": False})).json()
    assert (after["stock_quantity"], after["backorders"]) == (None, "no")


async def test_effects_tell_what_changed(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """The books keep creates, the fields an update really changed, and deletes, by whom."""
    made = await created(store, name="Mug", sku="M", regular_price="5")
    body = {"regular_price": "6", "name": "Mug"}
    await store.put(f"/products/{made['id']}", json=body)
    sandbox.shop({"do": "update", "sku": "m", "fields": {"name": "Cup"}})
    await store.delete(f"/products/{made['id']}", params={"force": "true"})
    effects = [(e["effect"], e["by"], e.get("fields")) for e in sandbox.books.effects]
    assert effects[0][:2] == ("create", "api")
    assert effects[1] == ("update", "api", {"regular_price": ["5", "6"]})
    assert effects[2] == ("update", "shop", {"name": ["Mug", "Cup"]})
    assert effects[3][:2] == ("delete", "api")


async def test_crash_in_the_middle_of_a_batch(store: httpx.AsyncClient) -> None:
    """Rows before the fatal one are done, those after it are not, and the answer is a 500."""
    rows = [{"sku": "A"}, {"sku": "B", "name": ["x"]}, {"sku": "C"}]
    response = await store.post("/products/batch", json={"create": rows})
    assert response.status_code == 500
    assert "<p>" in response.json()["message"]
    left = (await store.get("/products")).json()
    assert [row["sku"] for row in left] == ["A"]


async def test_batch_of_zero_ids_shifts(store: httpx.AsyncClient) -> None:
    """A delete of id 0 gets no row at all."""
    made = await created(store, name="x")
    body = {"delete": [0, made["id"]]}
    answer = (await store.post("/products/batch", json=body)).json()
    assert [row["id"] for row in answer["delete"]] == [made["id"]]


async def test_create_again_adopts(store: httpx.AsyncClient) -> None:
    """Sending a batch again names the existing id of each row."""
    body = {"create": [{"name": "x", "sku": "X-1"}, {"name": "y", "sku": "X-2"}]}
    first = (await store.post("/products/batch", json=body)).json()["create"]
    again = (await store.post("/products/batch", json=body)).json()["create"]
    assert [row["error"]["data"]["resource_id"] for row in again] == [row["id"] for row in first]


async def test_type_change_deletes_variations(store: httpx.AsyncClient) -> None:
    """Making a variable product simple deletes its variations for good and frees their SKUs."""
    attributes = [{"name": "S", "options": ["1"], "variation": True}]
    parent = await created(store, type="variable", attributes=attributes)
    await created(store, f"/products/{parent['id']}/variations", sku="V-1")
    await store.put(f"/products/{parent['id']}", json={"type": "simple"})
    await created(store, sku="V-1")


async def test_variation_shows_its_parents_picture(store: httpx.AsyncClient) -> None:
    """A variation without a picture shows its parent's first; its own one wins."""
    images = [{"src": "https://cdn.example/a.jpg"}]
    parent = await created(store, type="variable", images=images)
    path = f"/products/{parent['id']}/variations"
    bare = await created(store, path)
    own = await created(store, path, image={"src": "https://cdn.example/b.jpg"})
    assert bare["image"]["id"] == parent["images"][0]["id"]
    assert own["image"]["id"] > parent["images"][0]["id"]


async def test_pictures(store: httpx.AsyncClient) -> None:
    """A picture is fetched anew each time, can be looked at, and one that fails fails the whole."""
    source = {"src": "https://cdn.example/mug.jpg"}
    made = await created(store, sku="M", images=[source])
    same = (await store.put(f"/products/{made['id']}", json={"images": [source]})).json()
    assert same["images"][0]["id"] != made["images"][0]["id"]
    assert same["images"][0]["src"].endswith("/mug-1.jpg")
    picture = await store.get(same["images"][0]["src"])
    assert picture.headers["content-type"] == "image/png"
    for src, words in (
        ("https://cdn.example/missing.jpg", "Error: Not Found"),
        ("https://elsewhere.test/a.jpg", "Error: A valid URL was not provided."),
    ):
        refused = await store.post("/products", json={"sku": "N", "images": [source, {"src": src}]})
        assert refused.status_code == 400
        assert refused.json()["message"].endswith(words)
    assert not (await store.get("/products", params={"sku": "N"})).json()


async def test_image_hosts() -> None:
    """Hosts named in the options deliver pictures too."""
    sandbox = create_sandbox(SandboxOptions(image_hosts=frozenset({"cdn.test"})))
    async with client_of(sandbox) as store:
        await created(store, images=[{"src": "https://cdn.test/a.png"}])


async def test_seed() -> None:
    """A store can be set up with products, categories by path, brands and variations."""
    tee: dict[str, Json] = {
        "name": "Tee",
        "type": "variable",
        "sku": "TEE",
        "categories": [{"name": "Clothing > Shirts"}],
        "brands": [{"name": "Acme"}],
        "attributes": [{"name": "Size", "options": ["S"], "variation": True, "global": True}],
        "variations": [
            {"sku": "TEE-S", "regular_price": "9", "attributes": [{"id": 1, "option": "S"}]}
        ],
    }
    sandbox = create_sandbox(SandboxOptions(products=[tee]))
    assert not sandbox.books.effects
    async with client_of(sandbox) as store:
        shown = (await store.get("/products", params={"sku": "TEE"})).json()[0]
        found = (await store.get("/products", params={"sku": "TEE-S"})).json()[0]
        below = (await store.get("/products/categories", params={"search": "Shirts"})).json()[0]
        inside = await store.get("/products", params={"category": str(below["parent"])})
    assert [c["name"] for c in shown["categories"]] == ["Shirts"]
    assert [b["name"] for b in shown["brands"]] == ["Acme"]
    assert found["parent_id"] == shown["id"]
    assert found["attributes"][0]["option"] == "S"
    assert [row["id"] for row in inside.json()] == [shown["id"]]


async def test_buying(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """What a shopper buys leaves an order and fewer units; canceling it brings them back."""
    await created(store, sku="M", regular_price="5", manage_stock=True, stock_quantity=3)
    bought = sandbox.shop({"do": "buy", "sku": "M", "quantity": 2})
    assert isinstance(bought, dict)
    mug = (await store.get("/products", params={"sku": "M"})).json()[0]
    assert (mug["stock_quantity"], bought["status"], bought["total"]) == (1, "processing", "10.00")
    await store.put(f"/orders/{bought['id']}", json={"status": "cancelled"})
    mug = (await store.get("/products", params={"sku": "M"})).json()[0]
    assert mug["stock_quantity"] == 3


async def test_shopkeeper(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """The shopkeeper creates, trashes, deletes and empties without a key; nonsense is refused."""
    async with httpx.AsyncClient(transport=sandbox.transport(), base_url=BASE) as hand:
        for order in (
            {"do": "create", "fields": {"name": "A", "sku": "A"}},
            {"do": "create", "fields": {"name": "B", "sku": "B"}},
            {"do": "trash", "sku": "A"},
            {"do": "delete", "sku": "B"},
        ):
            assert (await hand.post("/_shop", json=order)).status_code == 200
        for nonsense in ({"do": "dance"}, {"do": "trash", "sku": "Z"}, {"do": "trash", "sku": "A"}):
            assert (await hand.post("/_shop", json=nonsense)).status_code == 400
        assert (await store.get("/products", params={"status": "trash"})).json()[0]["sku"] == "A"
        await hand.post("/_shop", json={"do": "reset"})
    assert not (await store.get("/products", params={"status": "trash"})).json()


async def test_keys_that_may_not(sandbox: Sandbox) -> None:
    """A read-only key cannot write and a write-only key cannot read."""
    async with client_of(sandbox, "read_only") as reader:
        assert (await reader.get("/products")).status_code == 200
        assert "write permissions" in (await reader.post("/products", json={})).text
    async with client_of(sandbox, "write_only") as writer:
        assert (await writer.post("/products", json={})).status_code == 201
        assert "read permissions" in (await writer.get("/products")).text


def signed(sandbox: Sandbox, url: str, nonce: str, **params: str) -> dict[str, str]:
    """Return the parameters of a GET request with an OAuth 1.0a signature over them."""
    oauth = {
        "oauth_consumer_key": sandbox.credentials["consumer_key"],
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(int(time.time())),
        **params,
    }

    def enc(text: str) -> str:
        return quote(text, safe="~")

    pairs = "&".join(f"{k}={v}" for k, v in sorted((enc(k), enc(v)) for k, v in oauth.items()))
    text = f"GET&{enc(url)}&{enc(pairs)}"
    key = f"{sandbox.credentials['consumer_secret']}&".encode()
    made = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return {**oauth, "oauth_signature": base64.b64encode(made).decode()}


async def test_signatures_over_plain_http() -> None:
    """Over plain HTTP keys open nothing; a signature does, once, if it is right and fresh."""
    sandbox = create_sandbox(SandboxOptions(treat_as_https=False))
    async with serving(sandbox.app) as url, httpx.AsyncClient() as client:
        address = f"{url}{API}/products"
        keys = (sandbox.credentials["consumer_key"], sandbox.credentials["consumer_secret"])

        async def code(params: dict[str, str]) -> str:
            content = (await client.get(address, params=params)).json()
            return str(content["message"]) if isinstance(content, dict) else "ok"

        assert (await client.get(address, auth=keys)).status_code == 401
        right = signed(sandbox, address, "n1", _fields="id", search="ä b")
        assert await code(right) == "ok"
        assert "nonce has already been used" in await code(right)
        assert "does not match" in await code({**right, "_fields": "sku"})
        old = signed(sandbox, address, "n2", oauth_timestamp=str(int(time.time()) - 3600))
        assert await code(old) == "Invalid timestamp."
        stranger = signed(sandbox, address, "n3", oauth_consumer_key="ck_x")
        assert await code(stranger) == "Consumer key is invalid."
        half = {"oauth_consumer_key": "ck_x"}
        assert "Missing OAuth parameter" in await code(half)


async def test_keys_need_pretty_addresses(sandbox: Sandbox) -> None:
    """Keys are not read on an address without /wp-json/wc, though the route answers."""
    keys = (sandbox.credentials["consumer_key"], sandbox.credentials["consumer_secret"])
    transport = sandbox.transport()
    async with httpx.AsyncClient(transport=transport, base_url=BASE, auth=keys) as client:
        plain = await client.get("/", params={"rest_route": "/wc/v3/products"})
        assert plain.json()["code"] == "woocommerce_rest_cannot_view"
        assert (await client.get("/wp-json//wc/v3/products/")).status_code == 200


async def test_outside_the_api(sandbox: Sandbox) -> None:
    """Pages that are not there are HTML; the index tells name, zone and routes without a key."""
    async with httpx.AsyncClient(transport=sandbox.transport(), base_url=BASE) as client:
        page = await client.get("/shop/")
        assert (page.status_code, page.headers["content-type"][:9]) == (404, "text/html")
        index = (await client.get("/wp-json/")).json()
    assert index["timezone_string"] == "Europe/Paris"
    assert "wc/v3" in index["namespaces"]
    args = index["routes"]["/wc/v3/products"]["endpoints"][0]["args"]
    assert "modified_after" in args
    assert "/wc/v3/products/brands" in index["routes"]


async def test_currency_can_change(sandbox: Sandbox, store: httpx.AsyncClient) -> None:
    """The store tells its currency in three places, and a merchant can change it."""
    path = "/settings/general/woocommerce_currency"
    assert (await store.put(path, json={"value": "USD"})).json()["value"] == "USD"
    assert (await store.get("/data/currencies/current")).json()["code"] == "USD"
    assert (await store.get("/system_status")).json()["settings"]["currency"] == "USD"


async def test_zone_of_the_site() -> None:
    """Filters without a zone are read in the site's own; strictly later, to the second."""
    sandbox = create_sandbox(SandboxOptions(time_zone="America/New_York"))
    sandbox.clock.freeze(datetime(2026, 7, 1, 12, tzinfo=UTC))
    async with client_of(sandbox) as store:
        await created(store, name="x")

        async def count(after: str, **more: str) -> int:
            params = {"modified_after": after, **more}
            return len((await store.get("/products", params=params)).json())

        assert await count("2026-07-01T07:59:59") == 1
        assert await count("2026-07-01T08:00:00") == 0
        assert await count("2026-07-01T11:59:59", dates_are_gmt="true") == 1
        assert await count("2026-07-01T11:59:59Z") == 1
        assert await count("2026-07-01T12:00:00Z") == 0


async def test_trash_and_back(store: httpx.AsyncClient) -> None:
    """A product in the trash keeps its id, hides from lists, blocks its SKU and can come back."""
    made = await created(store, sku="T")
    path = f"/products/{made['id']}"
    await store.delete(path)
    assert (await store.get(path)).json()["status"] == "trash"
    assert not (await store.get("/products", params={"sku": "T"})).json()
    blocked = (await store.post("/products", json={"sku": "T"})).json()
    assert blocked["code"] == "woocommerce_rest_product_not_created"
    assert (await store.put(path, json={"status": "publish"})).json()["status"] == "publish"
    assert (await store.get("/products", params={"sku": "T"})).json()


async def test_notes_are_not_idempotent(store: httpx.AsyncClient) -> None:
    """The same note sent twice is there twice, among the notes the store writes itself."""
    order = await created(store, "/orders", status="processing")
    path = f"/orders/{order['id']}/notes"
    for _ in range(2):
        await created(store, path, note="Tracking 1")
    notes = (await store.get(path)).json()
    assert [note["note"] for note in notes].count("Tracking 1") == 2
    first = notes[0]["id"]
    gone = await store.delete(f"{path}/{first}", params={"force": "true"})
    assert gone.status_code == 200
    assert (await store.get(f"{path}/{first}")).status_code == 404


@pytest.mark.parametrize("port", [3000, 99999])
async def test_image_ports(port: int) -> None:
    """Pictures are fetched from the ports that WordPress allows and from no other."""
    sandbox = create_sandbox()
    async with client_of(sandbox) as store:
        await created(store, images=[{"src": "https://images.example:8080/a.png"}])
        body = {"name": "x", "images": [{"src": f"https://images.example:{port}/a.png"}]}
        answer = await store.post("/products", json=body)
        assert answer.json()["code"] == "woocommerce_product_image_upload_error"

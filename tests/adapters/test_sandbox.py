"""The shared simulator parts keep their promises, around a small app that stands for a platform."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.sandbox import (
    Books,
    Clock,
    DroppedError,
    Front,
    Json,
    RateLimit,
    Sandbox,
    serving,
)

pytestmark = pytest.mark.anyio

BASE = "http://shop.example"


class Shelf:
    """A platform of one list: GET shows a page of it, POST adds to it."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self.rows: list[Json] = [{"id": n} for n in range(1, 7)]
        clock = Clock()
        books = Books(clock, lambda: {"rows": len(self.rows)})
        app = Starlette(routes=[Route("/rows/{n}", self.answer, methods=["GET", "POST"])])
        front = Front(app, books=books, clock=clock, shop=self.shop, limit=limit)
        self.sandbox = Sandbox(front, {"key": "k"}, {}, books, clock, self.shop)

    async def answer(self, request: Request) -> Response:
        """Show the rows after the number in the path, or add what was sent."""
        if request.method == "POST":
            self.rows.append(orjson.loads(await request.body()))
        return JSONResponse(self.rows[int(request.path_params["n"]) :])

    def shop(self, order: dict[str, Json]) -> Json:
        """Do what a shopkeeper orders."""
        return {"done": order["do"]}


@pytest.fixture
async def shelf() -> Shelf:
    """Provide a fresh simulator."""
    return Shelf()


@pytest.fixture
async def client(shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client that reaches the simulator in process."""
    async with httpx.AsyncClient(transport=shelf.sandbox.transport(), base_url=BASE) as client:
        yield client


async def fault(client: httpx.AsyncClient, effect: str, **more: Json) -> None:
    """Order the simulator to fail."""
    response = await client.post("/_faults", json={"effect": effect, **more})
    assert response.status_code == 200, response.text


async def test_books_count_and_blank_secrets(client: httpx.AsyncClient) -> None:
    """Requests are counted by route with numbers taken out, and secrets never reach the log."""
    await client.get("/rows/3", params={"consumer_secret": "cs_planted", "page": "2"})
    await client.get("/rows/4")
    books = (await client.get("/_books")).json()
    assert books["requests"]["total"] == 2
    assert books["requests"]["by_route"] == {"GET /rows/{id}": 2}
    assert books["log"][0]["query"] == "consumer_secret=%2A%2A%2A&page=2"
    assert "cs_planted" not in str(books)
    assert books["holdings"] == {"rows": 6}


async def test_books_since_and_reset(client: httpx.AsyncClient) -> None:
    """The log can be read from a serial number on, and forgotten without the holdings."""
    await client.get("/rows/0")
    serial = (await client.get("/_books")).json()["serial"]
    await client.get("/rows/1")
    later = (await client.get("/_books", params={"since": serial})).json()["log"]
    assert [row["path"] for row in later] == ["/rows/1"]
    await client.post("/_books/reset")
    assert (await client.get("/_books")).json()["requests"]["total"] == 0


async def test_nth_and_times(client: httpx.AsyncClient) -> None:
    """A fault starts with the nth request that matches and holds for so many."""
    match = {"method": "GET", "path_contains": "rows", "nth": 2, "times": 2}
    await fault(client, "status", status=502, match=match)
    assert [(await client.get("/rows/0")).status_code for _ in range(4)] == [200, 502, 502, 200]
    state = (await client.get("/_faults")).json()["faults"][0]
    assert (state["seen"], state["done"]) == (3, 2)


async def test_status_after_the_work(shelf: Shelf, client: httpx.AsyncClient) -> None:
    """With `after` the work is done although the answer says it failed; without, it is not."""
    await fault(client, "status", status=502)
    await client.post("/rows/0", json={"id": 7})
    assert len(shelf.rows) == 6
    await fault(client, "html", after=True, headers={"Retry-After": "600"})
    response = await client.post("/rows/0", json={"id": 7})
    assert (response.status_code, response.headers["retry-after"]) == (503, "600")
    assert response.headers["content-type"].startswith("text/html")
    assert len(shelf.rows) == 7


@pytest.mark.parametrize(("effect", "rows"), [("timeout_before", 6), ("timeout_after", 7)])
async def test_time_outs_over_a_socket(effect: str, rows: int) -> None:
    """A time-out before leaves nothing done, one after everything; the client sees neither."""
    shelf = Shelf()
    async with (
        serving(shelf.sandbox.app) as url,
        httpx.AsyncClient(base_url=url, timeout=0.2) as client,
    ):
        await fault(client, effect, seconds=1)
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/rows/0", json={"id": 7})
        await fault(client, effect)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/rows/0")
        assert len(shelf.rows) == rows


async def test_time_outs_in_process(shelf: Shelf, client: httpx.AsyncClient) -> None:
    """In process the same faults come out as the same kinds of transport errors."""
    await fault(client, "timeout_after", seconds=5)
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/rows/0", json={"id": 7}, timeout=0.05)
    assert len(shelf.rows) == 7
    await fault(client, "reset")
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/rows/0", json={"id": 8})
    assert len(shelf.rows) == 7
    books = (await client.get("/_books")).json()
    assert books["requests"]["by_status"] == {"0": 1}


async def test_dropped_without_our_transport(shelf: Shelf) -> None:
    """A plain ASGI transport shows a lost connection as the simulator's own error."""
    transport = httpx.ASGITransport(shelf.sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        await fault(client, "reset")
        with pytest.raises(DroppedError):
            await client.get("/rows/0")


async def test_work_goes_on_after_the_client_left(shelf: Shelf, client: httpx.AsyncClient) -> None:
    """A delayed request is carried out although its client has given up."""
    await fault(client, "delay", seconds=0.1)
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/rows/0", json={"id": 7}, timeout=0.02)
    assert len(shelf.rows) == 6
    await asyncio.sleep(0.2)
    assert len(shelf.rows) == 7


async def test_late(shelf: Shelf, client: httpx.AsyncClient) -> None:
    """A late fault answers with a gateway time-out at once and does the work afterwards."""
    await fault(client, "late", seconds=0.05)
    response = await client.post("/rows/0", json={"id": 7})
    assert (response.status_code, len(shelf.rows)) == (504, 6)
    await shelf.sandbox.app.settle()
    assert len(shelf.rows) == 7


async def test_spoiled_pages(client: httpx.AsyncClient) -> None:
    """Pages can be cut, emptied, repeated, and broken."""
    await fault(client, "cut_page")
    assert len((await client.get("/rows/0")).json()) == 3
    await fault(client, "empty")
    assert (await client.get("/rows/0")).json() == []
    before = (await client.get("/rows/2")).json()
    await fault(client, "repeat_page")
    await client.post("/rows/2", json={"id": 7})
    assert (await client.get("/rows/2")).json() != before
    await fault(client, "garbage")
    with pytest.raises(ValueError, match="Unterminated"):
        (await client.get("/rows/0")).json()


async def test_repeat_page(client: httpx.AsyncClient) -> None:
    """A repeated page is the previous answer of the same method and path, of before a change."""
    first = (await client.get("/rows/0")).json()
    await client.post("/rows/0", json={"id": 7})
    await fault(client, "repeat_page", match={"method": "GET"})
    assert (await client.get("/rows/0")).json() == first
    assert len((await client.get("/rows/0")).json()) == len(first) + 1


async def test_twice(shelf: Shelf, client: httpx.AsyncClient) -> None:
    """A request can be carried out twice, with one answer, as by a proxy that sends it again."""
    await fault(client, "twice", match={"method": "POST"})
    answer = (await client.post("/rows/0", json={"id": 7})).json()
    assert answer == shelf.rows
    assert shelf.rows[-2:] == [{"id": 7}, {"id": 7}]


@pytest.mark.parametrize(
    "order",
    [
        {"effect": "explode"},
        {"effect": "status", "status": "five hundred"},
        {"effect": "status", "match": {"methods": "GET"}},
        {"effect": "status", "after": 1},
        {"effect": "status", "match": ["GET"]},
    ],
)
async def test_refused_faults(client: httpx.AsyncClient, order: dict[str, Json]) -> None:
    """An order to fail that cannot be understood is refused in words, and nothing fails."""
    response = await client.post("/_faults", json=order)
    assert response.status_code == 400
    assert response.json()["error"]
    assert (await client.get("/rows/0")).status_code == 200


async def test_faults_can_be_withdrawn(client: httpx.AsyncClient) -> None:
    """Deleting the faults makes the store whole again."""
    await fault(client, "status", match={"times": None})
    assert (await client.get("/rows/0")).status_code == 500
    await client.delete("/_faults")
    assert (await client.get("/rows/0")).status_code == 200


async def test_body_contains(client: httpx.AsyncClient) -> None:
    """A fault can wait for a request by what its body says."""
    await fault(client, "status", match={"body_contains": '"id":9'})
    assert (await client.post("/rows/0", content=b'{"id":8}')).status_code == 200
    assert (await client.post("/rows/0", content=b'{"id":9}')).status_code == 500


async def test_rate_limit() -> None:
    """Beyond the limit an HTML page says when to come again; later requests pass."""
    shelf = Shelf(RateLimit(requests=2, seconds=10))
    shelf.sandbox.clock.freeze(datetime(2026, 1, 1, tzinfo=UTC))
    transport = shelf.sandbox.transport()
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        answers = [await client.get("/rows/0") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "11"
        shelf.sandbox.clock.shift(timedelta(seconds=11))
        assert (await client.get("/rows/0")).status_code == 200


async def test_clock(client: httpx.AsyncClient) -> None:
    """The simulated time can be frozen, shifted and released through its control route."""
    frozen = await client.post("/_clock", json={"frozen_at": "2026-01-01T12:00:00+01:00"})
    assert frozen.json() == {"now": "2026-01-01T11:00:00+00:00"}
    shifted = await client.post("/_clock", json={"shift_seconds": 60})
    assert shifted.json() == {"now": "2026-01-01T11:01:00+00:00"}
    released = await client.post("/_clock", json={"release": True})
    assert abs(datetime.fromisoformat(released.json()["now"]) - datetime.now(UTC)) < timedelta(
        minutes=1
    )
    assert (await client.post("/_clock", json={})).status_code == 400


async def test_shop_and_unknown_controls(client: httpx.AsyncClient) -> None:
    """Orders to the shopkeeper reach the platform; an unknown control route is named as such."""
    assert (await client.post("/_shop", json={"do": "dust"})).json() == {"done": "dust"}
    assert (await client.post("/_shop", json={})).status_code == 400
    assert (await client.get("/_nothing")).status_code == 404


async def test_credentials_say_where(shelf: Shelf) -> None:
    """Credentials carry the address they are for, and show nothing of themselves."""
    assert shelf.sandbox.credentials_at("http://x") == {"key": "k", "domain": "http://x"}
    assert "'k'" not in repr(shelf.sandbox)

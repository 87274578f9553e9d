"""Catalog files: streamed in, followed, canceled; problems with line and reason."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from api import Limits, build_app
from api.uploads import PIECE_BYTES
from reconcile.commands.tokens import Scope
from reconcile.deps import Deps
from reconcile.imports import advance_import
from reconcile.store.tables import import_chunks
from tests.api.asking import Client, client_for, connected
from tests.wiring_double import Bell

pytestmark = pytest.mark.anyio

CATALOG = b"sku,title,list_price\nMUG,Mug,9.90\n,No SKU,1.00\nCUP,Cup,4.50\n"
IMPORT = (
    "query Q($id: ID!) { node(id: $id) { ... on Import { state name rowsDone receivedBytes counts "
    "error { code } channel { name } run { id } problems { nodes { line sku severity code } "
    "pageInfo { hasNextPage } } } } }"
)


async def imported(client: Client, deps: Deps, number: str) -> dict[str, object]:
    """The import after a worker has carried it out."""
    for _ in range(100):
        if not await advance_import(deps, 1):
            break
    found: dict[str, object] = (await client.ask(IMPORT, id=number))["node"]
    return found


async def test_a_file_becomes_listings(api: Client, deps: Deps, bell: Bell) -> None:
    """The upload answers at once; a worker imports the good rows and reports the bad ones."""
    await connected(api)

    response = await api.http.post("/imports?channel=shop&name=catalog.csv", content=CATALOG)
    number = response.json()["import"]
    before = (await api.ask(IMPORT, id=number))["node"]
    after = await imported(api, deps, number)
    listed = await api.ask("{ listings { nodes { sku } } imports { nodes { id name } } }")

    assert response.status_code == 202
    assert (before["state"], before["receivedBytes"]) == ("QUEUED", len(CATALOG))
    assert bell.imports == [1]
    assert after["state"] == "DONE"
    assert after["channel"] == {"name": "shop"}
    (problem,) = after["problems"]["nodes"]  # type: ignore[index] # JSON
    assert (problem["line"], problem["severity"]) == (3, "ERROR")
    assert {node["sku"] for node in listed["listings"]["nodes"]} == {"MUG", "CUP"}
    assert listed["imports"]["nodes"] == [{"id": number, "name": "catalog.csv"}]


async def test_a_form_upload_is_the_same(api: Client, deps: Deps) -> None:
    """A multipart form with a file works like the bare body."""
    await connected(api)

    response = await api.http.post(
        "/imports",
        params={"channel": "shop", "name": "form.csv"},
        data={"comment": "ours"},
        files={"file": ("catalog.csv", CATALOG, "text/csv")},
    )
    after = await imported(api, deps, response.json()["import"])

    assert (after["state"], after["receivedBytes"]) == ("DONE", len(CATALOG))


async def test_a_file_is_stored_in_pieces(api: Client, deps: Deps) -> None:
    """A file of several pieces is stored piece by piece and arrives whole."""
    await connected(api)
    rest = 123

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * (PIECE_BYTES // 2)
        yield b"y" * rest

    response = await api.http.post("/imports?channel=shop&name=big.csv", content=pieces())

    async with deps.engine.connect() as conn:
        sizes = (
            await conn.execute(
                select(func.length(import_chunks.c.bytes)).order_by(import_chunks.c.number)
            )
        ).scalars()
        assert list(sizes) == [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES // 2 + rest]
    assert response.status_code == 202


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("name=a.csv", CATALOG, 400, "MISSING"),
        ("channel=nowhere", CATALOG, 404, "NOT_FOUND"),
        ("channel=Q2hhbm5lbDo5OTk5", CATALOG, 404, "NOT_FOUND"),
        ("channel=shop&replace_with=LISTED", CATALOG, 400, "INVALID"),
        ("channel=shop&pause_new=maybe", CATALOG, 400, "INVALID"),
        ("channel=shop&name=%00", CATALOG, 400, "BAD_REQUEST"),
        ("channel=shop", b"", 400, "EMPTY"),
    ],
)
async def test_a_bad_upload_is_refused(
    api: Client, query: str, body: bytes, status: int, code: str
) -> None:
    """What is missing or wrong is said in JSON; nothing waits for a worker."""
    await connected(api)

    response = await api.http.post(f"/imports?{query}", content=body)
    data = await api.ask("{ imports(where: {state: QUEUED}) { nodes { id } } }")

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert data["imports"]["nodes"] == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--",
        ),
    ],
)
async def test_a_broken_form_is_refused(api: Client, kind: str, body: bytes) -> None:
    """A form without boundary, content or file is said so, and the import is canceled."""
    await connected(api)

    response = await api.http.post(
        "/imports?channel=shop", content=body, headers={"Content-Type": kind}
    )
    data = await api.ask("{ imports { nodes { state } } }")

    assert response.status_code == 400
    assert data["imports"]["nodes"] == [{"state": "CANCELED"}]


async def test_a_file_over_the_limit_is_canceled(deps: Deps) -> None:
    """A file that grows over the limit is cut off and not imported."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000

    async with client_for(deps, Scope.ADMIN, limits=Limits(import_bytes=5000)) as client:
        await connected(client)
        stated = await client.http.post("/imports?channel=shop", content=b"x" * 6000)
        unstated = await client.http.post("/imports?channel=shop", content=pieces())
        data = await client.ask("{ imports { nodes { state } } }")

    assert [stated.status_code, unstated.status_code] == [413, 413]
    assert data["imports"]["nodes"] == [{"state": "CANCELED"}]


async def test_reading_is_not_enough_to_import(deps: Deps) -> None:
    """An upload needs a token that may write."""
    async with client_for(deps, Scope.READ) as client:
        response = await client.http.post("/imports?channel=shop", content=CATALOG)

    assert (response.status_code, response.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_an_import_is_canceled(api: Client) -> None:
    """A waiting import can be canceled, once."""
    await connected(api)
    response = await api.http.post("/imports?channel=shop", content=CATALOG)
    one = {"id": response.json()["import"]}

    payload = await api.do("importCancel", one, "import { state finishedAt }")
    (again,) = await api.refusal("importCancel", one)

    assert payload["import"]["state"] == "CANCELED"
    assert again["code"] == "WRONG_STATE"


async def test_an_upload_that_breaks_off_is_canceled(api: Client, deps: Deps) -> None:
    """A client that goes away in the middle leaves no half file to be imported."""
    await connected(api)
    messages = [
        {"type": "http.request", "body": CATALOG, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def send(_message: object) -> None:
        """Nobody listens any more."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/imports",
        "query_string": b"channel=shop",
        "headers": [(b"authorization", api.http.headers["authorization"].encode())],
    }
    await build_app(deps)(scope, receive, send)
    data = await api.ask("{ imports { nodes { state } } }")

    assert data["imports"]["nodes"] == [{"state": "CANCELED"}]

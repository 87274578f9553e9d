"""The HTTP side: who may ask, what is too much, and answers that betray nothing."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from graphql import get_introspection_query
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from api import Limits, build_app
from api.context import UnknownBudget
from reconcile.commands import tokens
from reconcile.commands.tokens import Scope
from reconcile.deps import Deps
from tests.api.asking import Client, client_for, connected, raw_client

pytestmark = pytest.mark.anyio


async def test_without_a_token_nothing_is_answered(deps: Deps) -> None:
    """A request without a token is refused with 401 and says how to get one."""
    async with raw_client(deps) as http:
        response = await http.post("/graphql", json={"query": "{ viewer { name } }"})

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "UNAUTHENTICATED"
    assert "tallyport token create" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "header", ["Bearer tp_unknown", "Bearer ", "Basic abc", "tp_x", "Bearer é"]
)
async def test_an_unknown_token_opens_nothing(deps: Deps, header: str) -> None:
    """Whatever is no living token is refused with 401."""
    async with raw_client(deps) as http:
        response = await http.post(
            "/graphql",
            json={"query": "{ viewer { name } }"},
            headers={"Authorization": header.encode()},
        )

    assert response.status_code == 401


async def test_a_revoked_token_opens_nothing(deps: Deps) -> None:
    """A token stops working the moment it is revoked."""
    made = await tokens.create(deps, "gone", [Scope.READ], by="test")
    async with raw_client(deps) as http:
        headers = {"Authorization": f"Bearer {made.secret}"}
        question = {"query": "{ viewer { name } }"}
        before = await http.post("/graphql", json=question, headers=headers)
        await tokens.revoke(deps, made.token_id, by="test")
        after = await http.post("/graphql", json=question, headers=headers)

    assert before.json() == {"data": {"viewer": {"name": "gone"}}}
    assert after.status_code == 401


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"query": 1}', "application/json", 400),
        (b'{"query": " "}', "application/json", 400),
        (b'{"query": "{viewer{name}}", "variables": []}', "application/json", 400),
        (b'{"query": "{viewer{name}}", "operationName": 1}', "application/json", 400),
        (b'{"query": "fragment F on Token { name }"}', "application/json", 400),
        (b'{"query": "query A {viewer{name}}", "operationName": "B"}', "application/json", 400),
        (b'{"query": "{item(sku: \\"\\\\u0000\\"){sku}}"}', "application/json", 400),
        (b'{"query": "{viewer{name}}"}', "text/plain", 415),
        (b"query={viewer{name}}", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_a_malformed_request_is_said_so(
    api: Client, body: bytes, kind: str, status: int
) -> None:
    """A body that is no GraphQL request gets a 4xx with a sentence, in JSON."""
    response = await api.http.post("/graphql", content=body, headers={"Content-Type": kind})

    assert response.status_code == status
    assert response.json()["error"]["message"]


async def test_a_large_body_is_refused(deps: Deps) -> None:
    """A body over the limit is refused, whether or not its length was stated."""

    async def pieces():  # type: ignore[no-untyped-def] # noqa: ANN202 - an iterator of bytes
        for _ in range(40):
            yield b" " * 100

    async with client_for(deps, Scope.READ, limits=Limits(body_bytes=2000)) as client:
        headers = {"Content-Type": "application/json"}
        stated = await client.http.post("/graphql", content=b" " * 4000, headers=headers)
        unstated = await client.http.post("/graphql", content=pieces(), headers=headers)

    assert [stated.status_code, unstated.status_code] == [413, 413]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/graphql", 405), ("GET", "/", 404), ("POST", "/health", 405)],
)
async def test_other_addresses_answer_in_json(
    api: Client, method: str, path: str, status: int
) -> None:
    """What is not served says so in JSON, GraphQL over GET included."""
    response = await api.http.request(method, path, params={"query": "{viewer{name}}"})

    assert response.status_code == status
    assert "POST /graphql" in response.json()["error"]["message"]


async def test_every_answer_carries_the_security_headers(deps: Deps) -> None:
    """Answers are kept out of caches and frames, refusals included."""
    async with raw_client(deps) as http:
        for response in (await http.get("/health"), await http.post("/graphql")):
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


async def test_health_tells_whether_anything_will_run(deps: Deps) -> None:
    """Health needs no token; without a worker it is degraded, with one it is well."""
    async with raw_client(deps) as http:
        without = await http.get("/health")
        async with deps.engine.begin() as conn:
            await conn.execute(text("INSERT INTO workers VALUES ('w', now(), now())"))
        with_one = await http.get("/health")

    assert without.status_code == 200
    assert without.json() == {"status": "degraded", "database": "ok", "worker": "missing"}
    assert with_one.json() == {"status": "ok", "database": "ok", "worker": "ok"}


DEEP = (
    "{ listings { nodes " + "{ variants { nodes { listing " * 6 + "{ sku }" + " } } }" * 6 + " } }"
)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (DEEP, "levels deep"),
        ("{" + " ".join(f"a{n}: viewer {{ name }}" for n in range(31)) + "}", "aliases"),
        ("{" + "viewer { name } " * 2000 + "}", "tokens"),
        (
            "{ listings(first: 100) { nodes { variants(first: 100) { nodes { "
            + " ".join(f"v{n}: listing {{ sku }}" for n in range(20))
            + " } } } } }",
            "objects",
        ),
        ("{ listings(first: 100) { nodes { explain { sku } } } }", "objects"),
        ("{ listings(first: 10) { nodes { explain(first: 100) { sku } } } }", "objects"),
        (
            (
                "{ a: listings(first: -99999) { nodes { variants { nodes { sku } } } } "
                "b: listings(first: 100) { nodes { explain { sku } } } }"
            ),
            "objects",
        ),
        (
            (
                'mutation { listingPause(input: {ids: ["x"]}) { results { node { '
                "... on ListingVariant { explain { sku } } } } } }"
            ),
            "objects",
        ),
        ("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }", ""),
    ],
)
async def test_a_query_that_asks_too_much_is_refused(api: Client, query: str, says: str) -> None:
    """Depth, aliases, tokens and objects have limits; introspection is held to them too."""
    content = await api.send(query)

    assert content["data"] is None
    assert says in content["errors"][0]["message"]


async def test_fragments_cannot_blow_the_check_up(api: Client) -> None:
    """Fragments that double thirty times are counted without being unfolded."""
    parts = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60)]
    query = "query Q { ...F0 } " + " ".join(parts) + " fragment F60 on Query { a: viewer { id } }"

    content = await api.send(query)

    assert "aliases" in content["errors"][0]["message"]


async def test_nesting_beyond_the_parser_is_refused(api: Client) -> None:
    """A document nested a thousand times is a fault of the client, not of ours."""
    content = await api.send("{a" * 1900 + "}" * 1900)

    assert content["errors"][0]["extensions"]["code"] in ("TOO_MUCH", "BAD_REQUEST")


async def test_the_standard_introspection_query_passes(api: Client) -> None:
    """Tools that introspect the schema work within the limits."""
    data = await api.ask(get_introspection_query())

    assert data["__schema"]["queryType"]["name"] == "Query"


@pytest.mark.parametrize(
    ("scope", "query", "allowed"),
    [
        (Scope.READ, "{ channels { nodes { id } } }", True),
        (Scope.READ, 'mutation { runCancel(input: {id: "x"}) { userErrors { code } } }', False),
        (Scope.WRITE, 'mutation { runCancel(input: {id: "x"}) { userErrors { code } } }', True),
        (Scope.WRITE, "{ tokens { nodes { id } } }", False),
        (
            Scope.WRITE,
            'mutation { tokenRevoke(input: {id: "x"}) { userErrors { code } } }',
            False,
        ),
        (Scope.ADMIN, "{ tokens { nodes { id } } }", True),
    ],
)
async def test_scopes_decide_what_a_token_may_do(
    deps: Deps, scope: Scope, query: str, allowed: bool
) -> None:
    """READ reads, WRITE also changes, ADMIN also handles tokens and credentials."""
    async with client_for(deps, scope) as client:
        content = await client.send(query)

    codes = [error["extensions"]["code"] for error in content.get("errors", [])]
    assert codes == ([] if allowed else ["FORBIDDEN"])


async def test_answers_are_json_without_surprises(api: Client) -> None:
    """The answer is one JSON object of type application/json."""
    response = await api.http.post("/graphql", json={"query": "{ viewer { scopes } }"})

    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.content) == {"data": {"viewer": {"scopes": ["ADMIN"]}}}


async def test_health_without_a_database_is_down(deps: Deps) -> None:
    """When the database does not answer, health says so with 503 and no detail."""
    gone = create_async_engine("postgresql+asyncpg://nobody@/x?host=/nonexistent")
    async with raw_client(dataclasses.replace(deps, engine=gone)) as http:
        response = await http.get("/health")

    assert response.status_code == 503
    assert response.json() == {"status": "down", "database": "missing", "worker": "missing"}


async def test_a_lost_database_is_masked(deps: Deps) -> None:
    """A request that cannot reach the database is told to ask again, and nothing about servers."""
    gone = create_async_engine("postgresql+asyncpg://nobody@/x?host=/nonexistent")
    async with raw_client(dataclasses.replace(deps, engine=gone)) as http:
        response = await http.post("/graphql", headers={"Authorization": "Bearer tp_x"})

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.json()["error"]["code"] == "UNAVAILABLE"
    assert "nonexistent" not in response.text


@pytest.mark.parametrize(("answers", "word"), [(True, "ok"), (False, "missing")])
async def test_health_asks_the_queue(deps: Deps, answers: bool, word: str) -> None:
    """Where the application is given a check of the queue, health reports it."""

    async def queue() -> bool:
        if not answers:
            raise ConnectionRefusedError
        return True

    app = build_app(deps, queue=queue)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        response = await http.get("/health")

    assert response.json()["queue"] == word


async def test_the_budget_of_an_account_is_shown(deps: Deps) -> None:
    """T12: a used-up rate limit shows with the time at which it goes on."""
    until = datetime.now(UTC) + timedelta(minutes=5)

    async def budget(_channel_id: int) -> UnknownBudget:
        return UnknownBudget(until, 0.0)

    made = await tokens.create(deps, "t", [Scope.ADMIN], by="test")
    transport = httpx.ASGITransport(app=build_app(deps, budget=budget))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        http.headers["Authorization"] = f"Bearer {made.secret}"
        client = Client(http)
        await connected(client)
        query = '{ channel(name: "shop") { budget { isWaiting goesOnAt message } } }'
        data = await client.ask(query)

    found = data["channel"]["budget"]
    assert found["isWaiting"] is True
    assert datetime.fromisoformat(found["goesOnAt"]) == until
    assert "rate limit" in found["message"]

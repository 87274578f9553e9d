"""Items and access tokens through the API."""

import pytest

from reconcile.commands.tokens import Scope
from reconcile.deps import Deps
from tests.api.asking import Client, client_for, connected
from tests.api.test_listings import upserted

pytestmark = pytest.mark.anyio


async def test_quantities_are_stated_in_bulk(api: Client) -> None:
    """Each statement gets its outcome; null is no statement, an older one changes nothing."""
    channel = await connected(api)
    await upserted(api, channel, "MUG")
    old = "2026-01-01T00:00:00+00:00"
    selection = "results { sku outcome item { sku stated basis source statedBy } }"

    first = await api.do(
        "itemSet",
        {
            "source": "warehouse",
            "statements": [
                {"sku": "MUG", "quantity": 5},
                {"sku": "CUP", "quantity": 0, "basis": "NET_OF_ORDERS"},
                {"sku": "JUG", "quantity": None},
            ],
        },
        selection,
    )
    older = await api.do(
        "itemSet", {"statements": [{"sku": "MUG", "quantity": 9, "asOf": old}]}, selection
    )
    data = await api.ask(
        '{ item(sku: "MUG") { id stated variants { sku channel { name } } } '
        'none: item(sku: "NOPE") { id } '
        'items(where: {skuPrefix: "C"}) { nodes { sku basis } } }'
    )

    assert [each["outcome"] for each in first["results"]] == ["CHANGED"] * 3
    assert first["results"][0]["item"] == {
        "sku": "MUG",
        "stated": 5,
        "basis": "ON_HAND",
        "source": "warehouse",
        "statedBy": "token:test",
    }
    assert first["results"][2]["item"]["stated"] is None
    assert older["results"][0]["outcome"] == "OLDER"
    assert data["item"]["stated"] == 5
    assert data["item"]["variants"] == [{"sku": "MUG", "channel": {"name": "shop"}}]
    assert data["none"] is None
    assert data["items"]["nodes"] == [{"sku": "CUP", "basis": "NET_OF_ORDERS"}]


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        ({"sku": "MUG", "quantity": -1}, ["statements", "0", "quantity"]),
        ({"sku": " ", "quantity": 1}, ["statements", "0", "sku"]),
        ({"sku": "MUG", "quantity": 1, "asOf": "2026-01-01T00:00:00"}, ["statements", "0", "asOf"]),
        (
            {"sku": "MUG", "quantity": 1, "asOf": "0001-01-01T00:00:00+14:00"},
            ["statements", "0", "asOf"],
        ),
    ],
)
async def test_a_bad_statement_is_named(
    api: Client, statement: dict[str, object], path: list[str]
) -> None:
    """A refused statement says which one and which part of it."""
    (error,) = await api.refusal("itemSet", {"statements": [statement]})

    assert error["code"] == "INVALID"
    assert error["path"] == ["input", *path]


async def test_too_many_statements_are_refused(api: Client) -> None:
    """More than a thousand statements do not fit into one call; a thousand do."""
    statements = [{"sku": f"S{number}", "quantity": number} for number in range(1001)]

    (error,) = await api.refusal("itemSet", {"statements": statements})
    done = await api.do("itemSet", {"statements": statements[:1000]}, "results { sku }")

    assert error["code"] == "TOO_MANY"
    assert len(done["results"]) == 1000


async def test_tokens_are_made_listed_and_revoked(api: Client, deps: Deps) -> None:
    """The secret is shown once; lists show hint and scopes; a revoked one is out of the list."""
    payload = await api.do(
        "tokenCreate",
        {"name": "ci", "scopes": ["READ", "WRITE"]},
        "secret token { id name hint scopes lastUsedAt }",
    )
    secret, token = payload["secret"], payload["token"]
    api_headers = dict(api.http.headers)
    api.http.headers["Authorization"] = f"Bearer {secret}"
    viewer = await api.ask("{ viewer { id name scopes } }")
    api.http.headers["Authorization"] = api_headers["authorization"]
    listed = await api.ask("{ tokens { nodes { name hint lastUsedAt } } }")
    await api.do("tokenRevoke", {"id": token["id"]}, "token { revokedAt }")
    (again,) = await api.refusal("tokenRevoke", {"id": token["id"]})
    after = await api.ask(
        "{ tokens { nodes { name } } all: tokens(includeRevoked: true) { nodes { name } } }"
    )

    assert secret.startswith("tp_")
    assert token["scopes"] == ["READ", "WRITE"]
    assert secret.startswith(token["hint"])
    assert len(token["hint"]) < 12
    assert viewer["viewer"] == {"id": token["id"], "name": "ci", "scopes": ["READ", "WRITE"]}
    assert [node["name"] for node in listed["tokens"]["nodes"]] == ["test", "ci"]
    assert listed["tokens"]["nodes"][1]["lastUsedAt"] is not None
    assert again["code"] == "WRONG_STATE"
    assert after["tokens"]["nodes"] == [{"name": "test"}]
    assert len(after["all"]["nodes"]) == 2


async def test_a_token_needs_name_and_scope(api: Client) -> None:
    """A token without a name or without a scope is refused."""
    for given in ({"name": "", "scopes": ["READ"]}, {"name": "x", "scopes": []}):
        (error,) = await api.refusal("tokenCreate", given)
        assert error["code"] == "INVALID"


async def test_another_ones_token_is_for_admins(deps: Deps) -> None:
    """Whoever may only read sees the own token through `node`, and no other."""
    async with client_for(deps, Scope.ADMIN) as admin, client_for(deps, Scope.READ) as reader:
        foreign = (await admin.ask("{ viewer { id } }"))["viewer"]["id"]
        own = (await reader.ask("{ viewer { id } }"))["viewer"]["id"]
        query = "query Q($id: ID!) { node(id: $id) { id } }"

        error = await reader.error(query, id=foreign)
        data = await reader.ask(query, id=own)

    assert error["extensions"]["code"] == "FORBIDDEN"
    assert data["node"]["id"] == own

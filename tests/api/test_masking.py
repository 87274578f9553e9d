"""Faults: the client's are explained, ours are masked, and no secret leaves through either."""

import dataclasses
import logging
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.masking import is_passing
from reconcile.commands.tokens import Scope
from reconcile.deps import Deps
from tests.adapter_double import Credentials
from tests.api.asking import Client, client_for, connected
from tests.api.order_shop import (
    EMAIL,
    PLANTED,
    order_id,
    order_shop,
    orders_deps,
    remote_order_id,
    seen_order,
)
from tests.platform_double import double_platform
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps

pytestmark = pytest.mark.anyio

SECRET = "planted-9f8e7d6c-secret"
CONNECT = (
    "mutation M($input: ChannelConnectInput!) "
    "{ channelConnect(input: $input) { channel { id } userErrors { code message path } } }"
)


def literal(credentials: str) -> str:
    """A mutation with the credentials written into the document."""
    return (
        f'mutation {{ channelConnect(input: {{name: "shop", credentials: {credentials}}}) '
        "{ channel { id } userErrors { code message path } } }"
    )


def given(credentials: object) -> dict[str, Any]:
    """The input of a mutation with these credentials."""
    return {"input": {"name": "shop", "credentials": credentials}}


FAILING = [
    (CONNECT, given({"double": {"store": "main", "secret": SECRET}})),
    (CONNECT, given({"double": {"store": "nowhere", "secret": SECRET}})),
    (CONNECT, given({"double": {"store": "a/b", "secret": SECRET}})),
    (CONNECT, given({"double": {"secret": SECRET}})),
    (CONNECT, given({"double": {"store": "main", "secret": [SECRET]}})),
    (CONNECT, given({"double": {"store": "main", "secret": SECRET, "extra": SECRET}})),
    (CONNECT, given({"other": {"secret": SECRET}})),
    (CONNECT, given(SECRET)),
    (CONNECT, given([SECRET])),
    (CONNECT, given(SECRET * 40)),
    (CONNECT, {"input": SECRET}),
    (CONNECT, {"input": {"name": "shop", "credentials": None, "policy": SECRET}}),
    (literal(f'{{double: {{store: "main", secret: "{SECRET}"}}}}'), {}),
    (literal(f'{{double: {{store: "main", secret: ["{SECRET}"]}}}}'), {}),
    (literal(f'{{double: {{store: "main", secrets: "{SECRET}"}}}}'), {}),
    (literal(f'{{double: "{SECRET}"}}'), {}),
    (literal(f'"{SECRET}"'), {}),
    (literal(f'{{double: {{store: "main" "{SECRET}"}}}}'), {}),
    (literal(f'{{double: {{store: "main" """{SECRET}"""}}}}'), {}),
    (literal(f'{{double: {{store: "main" {SECRET.replace("-", "_")}}}}}'), {}),
    (literal(f'{{double: {{store: "main", secret: "{SECRET}'), {}),
    (literal(f'{{double: {{store: "main", secret: {SECRET.replace("-", "_")}}}}}'), {}),
]


@pytest.fixture
def breaking(engine: AsyncEngine) -> Deps:
    """Return parts whose platform fails in an unforeseen way and quotes the credentials."""

    def connect(credentials: object, *_: object) -> Any:
        assert isinstance(credentials, Credentials)
        raise RuntimeError(f"cannot use {credentials.secret}")

    platform = dataclasses.replace(double_platform({"main": DoubleStore()}), connect=connect)
    return make_deps(engine, platform)


@pytest.mark.parametrize(("query", "variables"), FAILING)
async def test_a_planted_secret_shows_up_nowhere(
    deps: Deps,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    query: str,
    variables: dict[str, Any],
) -> None:
    """However a mutation with credentials fails, no answer and no log line repeats them."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        async with client_for(deps, Scope.ADMIN) as client:
            body = {"query": query, "variables": variables}
            response = await client.http.post("/graphql", json=body)
    out, err = capfd.readouterr()

    assert "rrors" in response.text
    for where in (response.text, caplog.text, repr(lines), out, err):
        assert SECRET not in where
        assert SECRET.replace("-", "_") not in where
        assert SECRET[:20] not in where


async def test_a_fault_of_ours_is_masked_with_an_id_of_the_log(
    breaking: Deps, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer holds an id and nothing else; the log line with that id says where it happened."""
    with structlog.testing.capture_logs() as lines:
        async with client_for(breaking, Scope.ADMIN) as client:
            error = await client.error(CONNECT, **FAILING[0][1])

    (line,) = [line for line in lines if line["event"] == "request.failed"]
    assert error["extensions"] == {"code": "INTERNAL", "id": line["error_id"]}
    assert line["error_id"] in error["message"]
    assert "cannot use" not in error["message"]
    assert line["kind"] == "builtins.RuntimeError"
    assert line["message"] == "cannot use ***"
    assert any("test_masking.py" in frame for frame in line["at"])
    assert SECRET not in repr((error, lines)) + caplog.text


ORDER_COMMANDS = (
    'orderShip(input: {order: "%o", lines: [], trackingNumber: "1"})',
    'orderShip(input: {order: "%o"})',
    'orderShip(input: {order: "%o", trackingNumber: "1"})',
    'orderHold(input: {order: "%o", reason: "Wait"})',
    'orderHold(input: {order: "%o", reason: "Wait"})',
    'orderShip(input: {order: "%o", trackingNumber: "1"})',
    'orderRelease(input: {order: "%o"})',
    'orderRelease(input: {order: "%o"})',
    'orderClose(input: {order: "%o"})',
    'orderClose(input: {order: "%o"})',
)
"""What is done to an order one after the other; about half of it is refused."""
EXPLAINED = "{ matches { code message steps decisions { message inputs } next { message } } }"
ORDER_QUESTIONS = (
    f'{{ orderExplain(channel: "%c", number: "1001") {EXPLAINED} }}',
    f'{{ orderExplain(channel: "%c", number: "1002") {EXPLAINED} }}',
    """{ remoteOrders { nodes { reason message inputs conditions { message inputs }
         retention { message } } } conditions { nodes { condition { message inputs } } }
         actions { nodes { changes { before after } reason { message } } }
         runs { nodes { counts } } }""",
    "{ orders { nodes { shippingAddress { nothing } } } }",
)


async def test_planted_personal_data_shows_up_only_where_it_is_asked_for(
    engine: AsyncEngine,
    store: DoubleStore,
    bell: Bell,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whatever is refused, explained or logged about an order, its customer is not named."""
    caplog.set_level(logging.DEBUG)
    deps = orders_deps(engine, store, bell)
    texts: list[str] = []
    with structlog.testing.capture_logs() as lines:
        async with client_for(deps, Scope.ADMIN) as client:
            shop = await order_shop(client, deps)
            (number,) = await shop.take(seen_order("1001"))
            await shop.see(seen_order("1002"))
            commands = [
                f"mutation {{ {command} {{ userErrors {{ code message path }} }} }}"
                for command in ORDER_COMMANDS
            ]
            for question in (*commands, *ORDER_QUESTIONS):
                query = question.replace("%o", order_id(number)).replace("%c", shop.channel)
                response = await client.http.post("/graphql", json={"query": query})
                texts.append(response.text)
            asked = await client.ask("{ orders { nodes { email shippingAddress { firstName } } } }")
    out, err = capfd.readouterr()

    assert sum('"code"' in text for text in texts) >= 6
    for where in (*texts, caplog.text, repr(lines), out, err):
        assert PLANTED not in where
        assert EMAIL not in where
    (order,) = asked["orders"]["nodes"]
    assert order == {"email": EMAIL, "shippingAddress": {"firstName": PLANTED}}


async def test_an_order_that_cannot_be_read_is_masked_without_its_customer(
    engine: AsyncEngine, store: DoubleStore, bell: Bell, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours in the middle of personal data tells of it neither outside nor in the log."""
    deps = orders_deps(engine, store, bell)
    with structlog.testing.capture_logs() as lines:
        async with client_for(deps, Scope.ADMIN) as client:
            shop = await order_shop(client, deps)
            (number,) = await shop.see(seen_order("1001"))
            await shop.rows(
                "UPDATE remote_orders SET personal = jsonb_set(personal, '{ship_to,street}', "
                "personal -> 'email')"
            )
            error = await client.error(
                "query Q($id: ID!) { node(id: $id) { ... on RemoteOrder { email } } }",
                id=remote_order_id(number),
            )

    assert error["extensions"]["code"] == "INTERNAL"
    for text in (repr(error), repr(lines), caplog.text):
        assert PLANTED not in text
        assert EMAIL not in text


async def test_a_fault_of_ours_takes_nothing_else_down(breaking: Deps) -> None:
    """A mutation that crashes is null; another one in the same document still answers."""
    query = (
        "mutation M($input: ChannelConnectInput!) { channelConnect(input: $input) { userErrors "
        '{ code } } runCancel(input: {id: "x"}) { userErrors { code } } }'
    )
    async with client_for(breaking, Scope.ADMIN) as client:
        content = await client.send(query, **FAILING[0][1])

    assert content["data"] == {
        "channelConnect": None,
        "runCancel": {"userErrors": [{"code": "BAD_ID"}]},
    }


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("{ channelz { nodes { id } } }", "or 'channels'?"),
        ("{ channels { nodes { namez } } }", "Did you mean 'name'"),
        ('{ channels(first: "5") { nodes { id } } }', "Int cannot represent"),
        ("{ runs(where: {state: QUEUE}) { nodes { id } } }", "Did you mean the enum value"),
        ("{ channels { nodes { id } }", "Syntax Error"),
        ("{ channels }", "must have a selection of subfields"),
        ("{ channels(first: 101) { nodes { id } } }", "between 1 and 100"),
        ("{ channels(first: 0) { nodes { id } } }", "between 1 and 100"),
        ('{ channels(after: "abc") { nodes { id } } }', "pageInfo.endCursor"),
        ('{ node(id: "shop") { id } }', "opaque strings such as"),
        ('{ run(id: "MUG-1") { id } }', "names and SKUs are not ids"),
        ("{ channel { id } }", "either `id` or `name`"),
        ('{ listing(sku: "MUG-1") { id } }', "`channel` and `sku`"),
        ('{ variant(sku: "MUG-1") { id } }', "`channel` and `sku`"),
    ],
)
async def test_the_clients_faults_are_explained(api: Client, query: str, says: str) -> None:
    """Unknown fields, wrong types, bad ids and bad pages say what is meant; none is masked."""
    error = await api.error(query)

    assert says in error["message"]
    assert error["extensions"]["code"] != "INTERNAL"


async def test_an_enum_in_a_variable_is_explained(api: Client) -> None:
    """A wrong enum value in a variable keeps the suggestion, though values are taken out."""
    query = "query Q($state: RunState) { runs(where: {state: $state}) { nodes { id } } }"

    error = await api.error(query, state="QUEUE")

    assert "Did you mean the enum value 'QUEUED'" in error["message"]


async def test_an_id_of_another_kind_says_of_which(api: Client) -> None:
    """An id of a channel where a run is wanted says both."""
    channel = await connected(api)

    error = await api.error("query Q($id: ID!) { run(id: $id) { id } }", id=channel)

    assert error["message"] == "This is the id of a Channel; the id of a Run is needed here."
    assert error["extensions"]["code"] == "BAD_ID"
    error = await api.error("query Q($id: ID!) { order(id: $id) { id } }", id=channel)
    assert error["message"].endswith("the id of an Order is needed here.")


async def test_a_bad_id_in_a_mutation_is_a_user_error(api: Client) -> None:
    """Mutations say it in the payload, like every other refusal."""
    (error,) = await api.refusal("channelPause", {"id": "shop"})

    assert error["code"] == "BAD_ID"
    assert "opaque strings such as" in error["message"]


@pytest.mark.parametrize(
    ("state", "passes"), [("40P01", True), ("40001", True), ("57P03", True), ("23505", False)]
)
async def test_what_passes_is_told_from_what_does_not(state: str, passes: bool) -> None:
    """A deadlock or a starting database is worth asking again, a violated rule is not."""
    driver = type("Raised", (Exception,), {"sqlstate": state})("words")

    assert is_passing(DBAPIError("SELECT 1", {}, driver)) is passes

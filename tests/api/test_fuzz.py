"""Generated operations: whatever fits the schema is answered, and never with a fault of ours."""

import re
from collections.abc import AsyncIterator

import pytest
from graphql import build_schema as parse_schema
from graphql import get_introspection_query, graphql_sync
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes
from schemathesis import Case, graphql
from sqlalchemy.ext.asyncio import AsyncEngine

from api import Limits, build_schema
from api.ids import Kind, encode
from reconcile.commands.tokens import Scope
from reconcile.deps import Deps
from tests.api.asking import Client, client_for
from tests.api.order_shop import order_shop, orders_deps, seen_order
from tests.api.test_listings import upserted
from tests.order_double import ORDER_SUPPORT
from tests.platform_double import double_platform
from tests.store_double import DoubleStore
from tests.wiring_double import Bell

pytestmark = pytest.mark.anyio

graphql.scalar("JSON", st.sampled_from(["{}", '{a: "x"}', "1", "[]", "null"]).map(nodes.Enum))
graphql.scalar(
    "DateTime",
    st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "x"]).map(nodes.String),
)
_sdl = build_schema({"double": double_platform({}, orders=ORDER_SUPPORT)}).as_str()
_answer = graphql_sync(parse_schema(_sdl), get_introspection_query())
assert _answer.data is not None
SCHEMA = graphql.from_dict(_answer.data)
ROOMY = Limits(depth=30, aliases=1000, tokens=50_000, objects=10**9)
"""Wide limits, so that what is generated is executed instead of refused."""

CHANNEL = re.compile(r'(?<=channel: )"[^"]*"')
ID = re.compile(r'(?<=\bid: )"[^"]*"')
PART = re.compile(r'\b(order|shipment|line): "[^"]*"')
PARTS = {"order": Kind.ORDER, "shipment": Kind.SHIPMENT, "line": Kind.ORDER_LINE}
IDS = [encode(kind, 1) for kind in Kind]

bounded = settings(
    max_examples=min(25, settings().max_examples),
    # The database of a test is shared by its examples on purpose: they meet what others left.
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def deps(engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Deps:
    """Return parts whose platform has orders."""
    return orders_deps(engine, store, bell)


@pytest.fixture
async def roomy(deps: Deps) -> AsyncIterator[Client]:
    """Yield a client of a shop with a listing and an order, held to next to no limits."""
    async with client_for(deps, Scope.ADMIN, limits=ROOMY) as client:
        shop = await order_shop(client, deps)
        await upserted(client, shop.channel, "MUG")
        await shop.take(seen_order("1001"))
        yield client


async def check(client: Client, query: str) -> None:
    """Ask, with the ids as generated and with those of the shop, and expect no fault of ours."""
    shop = CHANNEL.sub(f'"{encode(Kind.CHANNEL, 1)}"', query)
    shop = ID.sub(lambda found: f'"{IDS[len(found.group()) % len(IDS)]}"', shop)
    shop = PART.sub(lambda found: f'{found[1]}: "{encode(PARTS[found[1]], 1)}"', shop)
    for text in dict.fromkeys((query, shop)):
        response = await client.http.post("/graphql", json={"query": text})
        assert response.status_code in (200, 400), response.text
        for error in response.json().get("errors", []):
            assert error["extensions"]["code"] != "INTERNAL", (text, error)


@given(case=SCHEMA["Query"].as_strategy())
@bounded
async def test_queries_never_fail_on_our_side(roomy: Client, case: Case) -> None:
    """Generated queries give data or say what is wrong with them."""
    await check(roomy, case.body)


@given(case=SCHEMA["Mutation"].as_strategy())
@bounded
async def test_mutations_never_fail_on_our_side(roomy: Client, case: Case) -> None:
    """Generated mutations are carried out or refused with a reason."""
    await check(roomy, case.body)

"""Which token may do what, over the whole schema: nothing can be added and forgotten."""

from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from api.schema import build_schema as build_ours
from reconcile.commands.tokens import Scope
from reconcile.deps import Deps
from tests.api.asking import Client, client_for
from tests.api.order_shop import order_id, order_shop, orders_deps, seen_order
from tests.store_double import DoubleStore
from tests.wiring_double import Bell

pytestmark = pytest.mark.anyio

ADMIN = {"channelConnect", "channelReconnect", "channelRemove", "tokenCreate", "tokenRevoke"}
"""Mutations about credentials."""


def _schema(deps: Deps) -> GraphQLSchema:
    return build_schema(build_ours(deps.platforms).as_str())


def _value(kind: GraphQLInputType) -> Any:
    """The least that is valid for a type; anything goes, so Any."""
    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type)
    if isinstance(kind, GraphQLList):
        return [_value(kind.of_type)]
    if isinstance(kind, GraphQLInputObjectType):
        required = {
            name: field
            for name, field in kind.fields.items()
            if isinstance(field.type, GraphQLNonNull)
        }
        if kind.is_one_of:
            required = dict([next(iter(kind.fields.items()))])
        return {name: _value(field.type) for name, field in required.items()}
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    named = get_named_type(kind)
    return {"Int": 1, "Boolean": True, "Float": 1.0, "JSON": {}}.get(named.name, "x")


async def _codes(client: Client, schema: GraphQLSchema) -> dict[str, list[str]]:
    """What each mutation answers to the least input, by its error codes."""
    assert schema.mutation_type is not None
    found = {}
    for name, field in schema.mutation_type.fields.items():
        kind = field.args["input"].type
        content = await client.send(
            f"mutation M($input: {kind}) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}",
            input=_value(kind),
        )
        found[name] = [error["extensions"]["code"] for error in content.get("errors", [])]
    return found


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
async def test_every_mutation_asks_for_its_scope(deps: Deps, scope: Scope) -> None:
    """A reading token changes nothing at all, a writing one nothing about credentials."""
    schema = _schema(deps)
    async with client_for(deps, scope) as client:
        codes = await _codes(client, schema)

    refused = {name for name, found in codes.items() if found == ["FORBIDDEN"]}
    assert refused == (set(codes) if scope is Scope.READ else ADMIN)
    assert {tuple(found) for found in codes.values()} <= {("FORBIDDEN",), ()}


async def test_every_query_but_the_tokens_is_for_reading(deps: Deps) -> None:
    """A reading token is refused the list of tokens and nothing else."""
    schema = _schema(deps)
    assert schema.query_type is not None
    refused = set()
    async with client_for(deps, Scope.READ) as client:
        for name, field in schema.query_type.fields.items():
            needed = {
                each: argument.type
                for each, argument in field.args.items()
                if isinstance(argument.type, GraphQLNonNull)
            }
            words = ", ".join(f"${each}: {kind}" for each, kind in needed.items())
            given = ", ".join(f"{each}: ${each}" for each in needed)
            selection = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
            content = await client.send(
                f"query Q{f'({words})' if words else ''} "
                f"{{ {name}{f'({given})' if given else ''} {selection} }}",
                **{each: _value(kind) for each, kind in needed.items()},
            )
            codes = [error["extensions"]["code"] for error in content.get("errors", [])]
            if "FORBIDDEN" in codes:
                refused.add(name)

    assert refused == {"tokens"}


async def test_somebody_elses_token_is_no_node_for_reading(deps: Deps) -> None:
    """`node` gives no way around the scope: a token sees itself only."""
    async with client_for(deps, Scope.ADMIN) as admin, client_for(deps, Scope.READ) as reader:
        theirs = (await admin.ask("{ viewer { id } }"))["viewer"]["id"]
        mine = (await reader.ask("{ viewer { id } }"))["viewer"]["id"]
        query = "query Q($id: ID!) { node(id: $id) { id } }"
        error = await reader.error(query, id=theirs)

        assert (await reader.ask(query, id=mine))["node"]["id"] == mine
        assert error["extensions"]["code"] == "FORBIDDEN"


async def test_a_reading_token_sees_orders_and_ships_none(
    engine: AsyncEngine, store: DoubleStore, bell: Bell
) -> None:
    """Reading shows an order whole; shipping, holding and mapping are for those who may write."""
    deps = orders_deps(engine, store, bell)
    async with client_for(deps, Scope.ADMIN) as admin, client_for(deps, Scope.READ) as reader:
        shop = await order_shop(admin, deps)
        (number,) = await shop.take(seen_order("1001"))
        one = f'order: "{order_id(number)}"'
        mapping = f'channel: "{shop.channel}", text: "a"'
        seen = await reader.ask("{ orders { nodes { number email lines { sku } } } }")
        for call in (
            f'orderShip(input: {{{one}, trackingNumber: "1Z"}})',
            f'orderHold(input: {{{one}, reason: "x"}})',
            f"orderClose(input: {{{one}}})",
            f'shippingMappingSet(input: {{{mapping}, policy: "b"}})',
        ):
            error = await reader.error(f"mutation {{ {call} {{ userErrors {{ code }} }} }}")
            assert error["extensions"]["code"] == "FORBIDDEN", call
            # It names the mutation as the caller wrote it.
            assert error["message"].startswith(f"`{call.partition('(')[0]}` needs"), error

    assert seen["orders"]["nodes"][0]["number"] == "1001"
    for table in ("shipments", "shipping_mappings", "runs"):
        assert await shop.rows(f"TABLE {table}") == []
    assert await shop.rows("SELECT 1 FROM orders WHERE hold_code IS NOT NULL") == []

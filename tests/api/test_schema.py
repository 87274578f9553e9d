"""The schema as a contract: committed, described, and true to its own laws."""

import re
from pathlib import Path

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
)

from api import Limits
from tallyport.schema import schema_text

SDL = Path(__file__).parents[2] / "api" / "schema.graphql"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """Return the schema as a client reads it."""
    return build_schema(schema_text())


def own_types(schema: GraphQLSchema) -> list[GraphQLObjectType]:
    """The object types that are ours."""
    return [
        kind
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
    ]


def test_the_committed_schema_is_current() -> None:
    """A change of the API is a visible change of `api/schema.graphql`; `make schema` writes it."""
    assert SDL.read_text(encoding="utf-8") == schema_text()


def test_mutations_take_one_input_and_answer_with_user_errors(schema: GraphQLSchema) -> None:
    """Every mutation is `nounVerb(input: ...!)` and its payload carries `userErrors`."""
    mutations = schema.mutation_type
    assert mutations is not None
    for name, field in mutations.fields.items():
        assert list(field.args) == ["input"], name
        assert isinstance(field.args["input"].type, GraphQLNonNull), name
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        assert payload.name.endswith("Payload"), name
        assert str(payload.fields["userErrors"].type) == "[UserError!]!", name
        assert field.description, name


def test_payloads_are_nullable_but_for_their_errors(schema: GraphQLSchema) -> None:
    """A refused mutation has nothing to show, so what a payload shows can be null."""
    for kind in own_types(schema):
        if kind.name.endswith("Payload"):
            for name, field in kind.fields.items():
                is_required = isinstance(field.type, GraphQLNonNull)
                assert is_required == (name == "userErrors"), f"{kind.name}.{name}"


def test_what_has_an_id_of_its_own_is_a_node(schema: GraphQLSchema) -> None:
    """Types of the domain implement Node; the exceptions refer to another object's id."""
    references = {"Candidate", "ListingTargetResult"}
    for kind in own_types(schema):
        is_node = "Node" in {each.name for each in kind.interfaces}
        assert is_node == ("id" in kind.fields and kind.name not in references), kind.name


def test_lists_that_grow_are_connections(schema: GraphQLSchema) -> None:
    """Lists of nodes without paging are bounded by something else, which is named here."""
    bounded = {
        "Channel.recentRuns": "the last five",
        "Item.variants": "one per channel",
        "Order.lines": "what one order has",
        "Order.shipments": "what one order has",
        "Action.attempts": "the last five",
        "Explanation.attempts": "the last few",
    }
    for kind in own_types(schema):
        if kind.name.endswith(("Connection", "Payload")):
            continue
        for name, field in kind.fields.items():
            inner = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
            named = get_named_type(field.type)
            if isinstance(inner, GraphQLList) and isinstance(named, GraphQLObjectType):
                is_node = "Node" in {each.name for each in named.interfaces}
                assert not is_node or f"{kind.name}.{name}" in bounded, f"{kind.name}.{name}"


def test_every_platform_has_its_inputs(schema: GraphQLSchema) -> None:
    """Credentials are a choice of platforms; each field says what it is, secrets say so."""
    choice = schema.type_map["ChannelCredentialsInput"]
    assert isinstance(choice, GraphQLInputObjectType)
    assert choice.is_one_of
    assert "woocommerce" in choice.fields
    for member in choice.fields.values():
        kind = get_named_type(member.type)
        assert isinstance(kind, GraphQLInputObjectType)
        assert all(field.description for field in kind.fields.values())
    woo = schema.type_map["WooCommerceCredentialsInput"]
    assert isinstance(woo, GraphQLInputObjectType)
    assert "Secret: never shown again." in (woo.fields["consumerSecret"].description or "")


def test_types_are_described(schema: GraphQLSchema) -> None:
    """Nodes and connections say what they are."""
    for kind in own_types(schema):
        if kind.name.endswith(("Connection", "Edge", "Payload")) or kind.name in (
            "Query",
            "Mutation",
        ):
            continue
        assert kind.description, kind.name
    assert isinstance(schema.type_map["Node"], GraphQLInterfaceType)


def test_the_documentation_names_every_mutation(schema: GraphQLSchema) -> None:
    """`docs/api.md` lists all mutations, and none that is no more."""
    text = (SDL.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    section = text.split("| noun | mutations |")[1].split("\n\n")[0]
    mutations = schema.mutation_type
    assert mutations is not None

    assert set(re.findall(r"`(\w+)`", section)) == set(mutations.fields)


def test_the_documentation_states_the_limits() -> None:
    """The numbers in `docs/api.md` are those of the code."""
    text = (SDL.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    limits = Limits()

    assert f"{limits.tokens:,} tokens, {limits.depth} levels, {limits.aliases} aliases" in text
    assert f"{limits.objects:,} objects" in text
    assert limits.body_bytes == 1024 * 1024

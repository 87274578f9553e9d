"""Shipping mappings, and the texts that want one, through the API."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.ids import Kind, encode
from reconcile.commands.tokens import Scope
from reconcile.core.types import Side
from reconcile.deps import Deps
from reconcile.worker import drain_until_idle
from tests.api.asking import Client, client_for, connected
from tests.api.order_shop import OrderShop, order_shop, orders_deps, seen_order
from tests.platform_double import double_platform
from tests.store_double import DoubleStore
from tests.wiring_double import Bell, make_deps

pytestmark = pytest.mark.anyio

TEXTS = (
    "query Q($where: ShippingTextFilterInput) { shippingTexts(where: $where) "
    "{ nodes { id text title policy heldOrders firstSeenAt lastSeenAt channel { name } } } }"
)


@pytest.fixture
def deps(engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Deps:
    """Return parts whose platform has orders."""
    return orders_deps(engine, store, bell)


@pytest.fixture
async def shop(api: Client, deps: Deps) -> OrderShop:
    """Return a channel with a held order and the texts it was seen with."""
    made = await order_shop(api, deps)
    (number,) = await made.see(seen_order("1001"))
    await made.judge(number, "HELD", "UnmappedShipping")
    await made.rows(
        "INSERT INTO shipping_texts (channel_id, text, title) VALUES (1, 'flat_rate', 'Flat rate'),"
        " (1, '', '') ON CONFLICT DO NOTHING"
    )
    return made


async def test_a_mapping_is_set_changed_and_removed(
    api: Client, shop: OrderShop, bell: Bell
) -> None:
    """A8: a text is mapped exactly, the empty one too; held orders with it are decided again."""
    given = {"channel": shop.channel, "text": "flat_rate"}
    selection = "mapping { id text policy updatedBy updatedAt channel { name } }"

    first = await api.do("shippingMappingSet", {**given, "policy": "Parcel"}, selection)
    second = await api.do("shippingMappingSet", {**given, "policy": "Letter"}, selection)
    empty = await api.do(
        "shippingMappingSet", {"channel": shop.channel, "text": "", "policy": "Parcel"}, selection
    )
    listed = await api.ask(
        "query Q($c: ID!) { shippingMappings(where: {channel: $c}) { nodes { text policy } } "
        "all: shippingMappings { nodes { id } } }",
        c=shop.channel,
    )
    flagged = await shop.rows("SELECT id FROM remote_orders WHERE decide")
    runs = await shop.rows("SELECT trigger FROM runs WHERE operation = 'GET_ORDERS'")
    removed = await api.do("shippingMappingRemove", given, "channel { id }")
    left = await api.ask("{ shippingMappings { nodes { text } } }")

    assert first["mapping"]["policy"] == "Parcel"
    assert first["mapping"]["updatedBy"] == "token:test"
    assert first["mapping"]["channel"] == {"name": "shop"}
    assert (second["mapping"]["id"], second["mapping"]["policy"]) == (
        first["mapping"]["id"],
        "Letter",
    )
    assert empty["mapping"]["text"] == ""
    assert listed["shippingMappings"]["nodes"] == [
        {"text": "flat_rate", "policy": "Letter"},
        {"text": "", "policy": "Parcel"},
    ]
    assert len(listed["all"]["nodes"]) == 2
    assert len(flagged) == 1
    assert [row["trigger"] for row in runs] == ["CHANGE"]
    assert bell.rings
    assert removed["channel"] == {"id": shop.channel}
    assert left["shippingMappings"]["nodes"] == [{"text": ""}]


async def test_a_held_order_imports_by_itself_once_mapped(
    api: Client, deps: Deps, shop: OrderShop
) -> None:
    """A8, A10: held with the reason, mapped, imported by the run that the mapping queued."""
    await shop.rows("UPDATE remote_orders SET verdict = 'PENDING', reason = '', decide = true")
    given = {"channel": shop.channel, "text": "express", "policy": "Air"}
    listed = (
        "{ remoteOrders { nodes { verdict reason message inputs order { number status "
        "shippingPolicy shippingText lines { sku quantity } } } } "
        "runs { nodes { trigger state result report { orders { imported held } "
        "reasons { code count } attention } actions { nodes { kind reason { code } "
        "order { number } } } } } }"
    )

    await api.do("shippingMappingSet", given, "")
    await drain_until_idle(deps, shop.channel_id, Side.ORDERS)
    before = await api.ask(listed)
    await api.do("shippingMappingSet", {**given, "text": "flat_rate", "policy": "Parcel"}, "")
    await drain_until_idle(deps, shop.channel_id, Side.ORDERS)
    after = await api.ask(listed)

    (held,) = before["remoteOrders"]["nodes"]
    assert (held["verdict"], held["reason"]) == ("HELD", "UnmappedShipping")
    assert "flat_rate" in held["message"]
    assert before["runs"]["nodes"][0]["report"]["orders"] == {"imported": 0, "held": 1}
    (imported,) = after["remoteOrders"]["nodes"]
    assert imported["verdict"] == "IMPORTED"
    assert imported["order"] == {
        "number": "1001",
        "status": "OPEN",
        "shippingPolicy": "Parcel",
        "shippingText": "Flat rate",
        "lines": [{"sku": "MUG", "quantity": 2}, {"sku": "CUP", "quantity": 1}],
    }
    run = after["runs"]["nodes"][0]
    assert (run["trigger"], run["state"], run["result"]) == ("CHANGE", "REPORTED", "SUCCEEDED")
    assert run["report"]["orders"] == {"imported": 1, "held": 0}
    assert run["actions"]["nodes"] == [
        {"kind": "IMPORT_ORDER", "reason": {"code": "NewOrder"}, "order": {"number": "1001"}}
    ]


async def test_texts_that_were_seen_say_what_is_missing(api: Client, shop: OrderShop) -> None:
    """What is not mapped yet stands in one list, with how many orders it holds up."""
    await api.do(
        "shippingMappingSet", {"channel": shop.channel, "text": "", "policy": "Parcel"}, ""
    )

    unmapped = await api.ask(TEXTS, where={"channel": shop.channel, "isMapped": False})
    mapped = await api.ask(TEXTS, where={"isMapped": True})

    waiting = {node["text"]: node for node in unmapped["shippingTexts"]["nodes"]}
    assert waiting["flat_rate"]["title"] == "Flat rate"
    assert waiting["flat_rate"]["heldOrders"] == 1
    assert waiting["flat_rate"]["policy"] is None
    assert waiting["flat_rate"]["channel"] == {"name": "shop"}
    (node,) = mapped["shippingTexts"]["nodes"]
    assert (node["text"], node["policy"], node["heldOrders"]) == ("", "Parcel", 0)


async def test_what_is_no_mapping_is_refused(api: Client, shop: OrderShop) -> None:
    """An empty policy, an unknown text and an unknown channel are named with their place."""
    given = {"channel": shop.channel, "text": "flat_rate"}
    nowhere = {**given, "channel": encode(Kind.CHANNEL, 99)}

    (empty,) = await api.refusal("shippingMappingSet", {**given, "policy": " "})
    (long,) = await api.refusal(
        "shippingMappingSet", {**given, "text": "x" * 501, "policy": "Parcel"}
    )
    (channel,) = await api.refusal("shippingMappingSet", {**nowhere, "policy": "Parcel"})
    (unknown,) = await api.refusal("shippingMappingRemove", given)
    (bad,) = await api.refusal("shippingMappingRemove", {**given, "channel": "shop"})

    assert (empty["code"], empty["path"]) == ("INVALID", ["input", "policy"])
    assert (long["code"], long["path"]) == ("INVALID", ["input", "text"])
    assert (channel["code"], channel["path"]) == ("NOT_FOUND", ["input", "channel"])
    assert (unknown["code"], unknown["path"]) == ("NOT_FOUND", ["input", "text"])
    assert bad["code"] == "BAD_ID"
    assert "flat_rate" in unknown["message"]


async def test_a_platform_without_orders_has_no_mappings(engine: AsyncEngine) -> None:
    """Where orders are not supported, a mapping is refused with the platform's reason."""
    without = make_deps(engine, double_platform({"main": DoubleStore()}))
    async with client_for(without, Scope.ADMIN) as client:
        channel = await connected(client)
        given = {"channel": channel, "text": "flat_rate", "policy": "Parcel"}
        (refused,) = await client.refusal("shippingMappingSet", given)
        explained = await client.ask(
            'query Q($c: ID!) { orderExplain(channel: $c, number: "1") { isSeen lookup '
            "{ state message } } }",
            c=channel,
        )

    assert refused["code"] == "UNSUPPORTED"
    assert "no orders" in refused["message"]
    assert explained["orderExplain"]["lookup"]["state"] == "NOT_STARTED"
    assert "no orders" in explained["orderExplain"]["lookup"]["message"]

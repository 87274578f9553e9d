"""Orders, remote orders, their explanations and what they take off stock, through the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.ids import Kind, encode
from reconcile.commands.tokens import Scope
from reconcile.contract import RejectedOrder
from reconcile.core.remote_order_types import OrderStage
from reconcile.deps import Deps
from reconcile.store.order_mirror import keep_rejected
from tests.api.asking import Client, client_for
from tests.api.order_shop import (
    EMAIL,
    PLANTED,
    OrderShop,
    line,
    order_id,
    order_shop,
    orders_deps,
    remote_order_id,
    seen_order,
)
from tests.store_double import DoubleStore
from tests.wiring_double import Bell

pytestmark = pytest.mark.anyio

ORDER = "query Q($id: ID!) { order(id: $id) { %s } }"
EXPLAIN = (
    "query Q($c: ID!, $n: String!) { orderExplain(channel: $c, number: $n) { number isSeen "
    "lookup { state message run { id lookup operation } } matches { verdict code steps "
    "decisions { code } next { operation code message } order { number } "
    "remoteOrder { number } } } }"
)

BEHIND_ITEMS = (
    "{ items(first: 100) { nodes { deductions(first: 100) { nodes { remoteOrder { order "
    "{ lines { sku } } } } } } } }"
)


@pytest.fixture
def deps(engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Deps:
    """Return parts whose platform has orders."""
    return orders_deps(engine, store, bell)


@pytest.fixture
async def shop(api: Client, deps: Deps) -> OrderShop:
    """Return a connected channel without orders."""
    return await order_shop(api, deps)


async def test_an_imported_order_shows_everything(api: Client, shop: OrderShop) -> None:
    """T13, A19: content, addresses, lines with what remains, what is missing and why."""
    custom = line("2", "CUP", custom={"engraving": PLANTED}, is_digital=True)
    (number,) = await shop.take(seen_order("1001", line("1", "MUG", 3, canceled=1), custom))

    data = await api.ask(
        ORDER % "id number status currency total payment orderedAt importedAt shippingText "
        "shippingPolicy isDigital email note customFields hold { code } revision "
        "billingAddress { firstName phone } shippingAddress { firstName city country } "
        "missingFields { field cause message } channel { name } conditions { reason } "
        "lines { id remoteId sku title quantity canceled shipped remaining unitPrice total weight "
        "customFields isDigital isLinked variant { sku } order { number } } "
        "shipments { id } retention { erasesAt erasedAt message } "
        "remoteOrder { number verdict reason order { number } }",
        id=order_id(number),
    )

    order = data["order"]
    assert (order["number"], order["status"], order["payment"]) == ("1001", "OPEN", "PAID")
    assert (order["currency"], order["total"]) == ("EUR", "13.50")
    assert order["email"] == EMAIL
    assert order["billingAddress"] == {"firstName": PLANTED, "phone": "555-0199"}
    assert order["shippingAddress"] == {"firstName": PLANTED, "city": "Paris", "country": "FR"}
    assert order["customFields"] == {"gift": f"For {PLANTED}"}
    (missing,) = order["missingFields"]
    assert (missing["field"], missing["cause"]) == ("line_weight", "EMPTY")
    assert missing["message"]
    mug, cup = order["lines"]
    assert (mug["quantity"], mug["canceled"], mug["shipped"], mug["remaining"]) == (3, 1, 0, 2)
    assert (mug["unitPrice"], mug["isLinked"], mug["variant"]) == ("4.50", False, None)
    assert (cup["remaining"], cup["customFields"]) == (0, {"engraving": PLANTED})
    assert order["retention"]["erasesAt"] is None
    assert order["retention"]["message"]
    assert order["remoteOrder"]["order"] == {"number": "1001"}


async def test_what_was_seen_shows_with_its_decision(api: Client, shop: OrderShop) -> None:
    """A held order shows why, since when, and everything that was seen of it."""
    (number,) = await shop.see(seen_order("1001"))
    await shop.judge(number, "HELD", "UnmappedShipping")

    data = await api.ask(
        "{ remoteOrders { nodes { id remoteId number stage status payment currency total orderedAt "
        "firstSeenAt observedAt gone verdict reason message inputs since isDigital order { id } "
        "lines { remoteId sku title quantity unitPrice customFields } shippingTexts { keys title } "
        "fulfillments { remoteId } email shippingAddress { firstName } note customFields "
        "personalDataErasedAt channel { name } conditions { reason } "
        "retention { erasesAt message } } } }"
    )

    (order,) = data["remoteOrders"]["nodes"]
    assert order["id"] == remote_order_id(number)
    assert (order["verdict"], order["reason"]) == ("HELD", "UnmappedShipping")
    assert order["message"] == "Because of UnmappedShipping"
    assert (order["stage"], order["status"], order["order"]) == ("OPEN", "processing", None)
    assert [each["sku"] for each in order["lines"]] == ["MUG", "CUP"]
    assert order["shippingTexts"] == [{"keys": ["flat_rate:3", "flat_rate"], "title": "Flat rate"}]
    assert order["shippingAddress"] == {"firstName": PLANTED}
    assert order["personalDataErasedAt"] is None


async def test_orders_are_filtered_and_paged(api: Client, shop: OrderShop) -> None:
    """Filters choose, cursors page without gaps from the newest on."""
    numbers = await shop.take(*(seen_order(str(number)) for number in range(1001, 1006)))
    await shop.rows(
        "UPDATE orders SET hold_code = 'HeldByPerson', hold_message = 'Wait' WHERE id = :id",
        id=numbers[0],
    )
    await shop.rows("UPDATE orders SET status = 'SHIPPED' WHERE id = :id", id=numbers[1])
    query = (
        "query Q($after: String, $where: OrderFilterInput) { orders(first: 2, after: $after, "
        "where: $where) { totalCount nodes { number hold { code message by } } "
        "pageInfo { hasNextPage endCursor } } }"
    )

    found: list[str] = []
    after = None
    for _ in range(3):
        page = (await api.ask(query, after=after))["orders"]
        found += [node["number"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        assert page["totalCount"] == 5

    assert found == ["1005", "1004", "1003", "1002", "1001"]
    assert page["pageInfo"]["hasNextPage"] is False
    for where, expected in (
        ({"isOnHold": True}, ["1001"]),
        ({"status": "SHIPPED"}, ["1002"]),
        ({"number": "1004", "channel": shop.channel}, ["1004"]),
        ({"number": "1004", "isOnHold": True}, []),
    ):
        data = await api.ask(query, where=where)
        assert [node["number"] for node in data["orders"]["nodes"]] == expected, where


async def test_seen_orders_are_filtered_and_counted(api: Client, shop: OrderShop) -> None:
    """Verdict, reason, number, attention choose; the counts of verdicts are those of the list."""
    held, skipped, unsavable, _ = await shop.see(
        *(seen_order(str(number)) for number in (1001, 1002, 1003, 1004))
    )
    await shop.judge(held, "HELD", "UnmappedShipping")
    await shop.judge(skipped, "SKIPPED", "TooOld")
    await shop.judge(unsavable, "UNSAVABLE", "MissingSku")
    (taken,) = await shop.take(seen_order("1005"))
    await shop.rows("UPDATE orders SET hold_code = 'X' WHERE id = :id", id=taken)
    for number, status in ((unsavable, "ATTENTION"), (skipped, "WAITING")):
        await shop.rows(
            "INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, "
            "message) VALUES (:channel, 'order', :id, 'GET_ORDERS', :status, 'Some', 'Say')",
            channel=shop.channel_id,
            id=number,
            status=status,
        )
    query = (
        "query Q($where: RemoteOrderFilterInput) { remoteOrders(where: $where) "
        "{ totalCount nodes { number } } }"
    )

    for where, expected in (
        ({"verdict": "HELD"}, ["1001"]),
        ({"reason": "TooOld"}, ["1002"]),
        ({"number": "1003"}, ["1003"]),
        ({"channel": shop.channel, "verdict": "PENDING"}, ["1004"]),
        ({"needsAttention": True}, ["1005", "1003"]),
        ({"channel": shop.channel, "needsAttention": False}, ["1004", "1002", "1001"]),
        ({}, ["1005", "1004", "1003", "1002", "1001"]),
    ):
        data = await api.ask(query, where=where)
        assert [node["number"] for node in data["remoteOrders"]["nodes"]] == expected, where
        assert data["remoteOrders"]["totalCount"] == len(expected)
    counted = await api.ask(
        "query Q($c: ID!, $no: ID!) { orderCounts(channel: $c) { pending imported held skipped "
        "unsavable onHold } none: orderCounts(channel: $no) { held } }",
        c=shop.channel,
        no=encode(Kind.CHANNEL, 99),
    )

    assert counted == {
        "orderCounts": {
            "pending": 1,
            "imported": 1,
            "held": 1,
            "skipped": 1,
            "unsavable": 1,
            "onHold": 1,
        },
        "none": None,
    }


async def test_one_order_is_found_by_channel_and_number(api: Client, shop: OrderShop) -> None:
    """A number finds its order on that channel; half a question is the client's fault."""
    await shop.take(seen_order("1001"))
    query = "query Q($c: ID!, $n: String!) { order(channel: $c, number: $n) { number } }"

    found = await api.ask(query, c=shop.channel, n="1001")
    none = await api.ask(query, c=shop.channel, n="9")
    error = await api.error('{ order(number: "1001") { number } }')

    assert (found, none) == ({"order": {"number": "1001"}}, {"order": None})
    assert error["extensions"]["code"] == "BAD_ARGUMENTS"


async def test_node_finds_everything_of_an_order(api: Client, shop: OrderShop) -> None:
    """Each new kind of id answers to `node`; one that is no more is null."""
    (number,) = await shop.take(seen_order("1001"))
    made = await api.do(
        "orderShip",
        {"order": order_id(number), "trackingNumber": "1Z"},
        "shipment { id } order { lines { id } remoteOrder { id } }",
    )
    mapped = await api.do(
        "shippingMappingSet",
        {"channel": shop.channel, "text": "flat_rate", "policy": "Parcel"},
        "mapping { id }",
    )
    ids = {
        "Order": order_id(number),
        "OrderLine": made["order"]["lines"][0]["id"],
        "RemoteOrder": made["order"]["remoteOrder"]["id"],
        "Shipment": made["shipment"]["id"],
        "ShippingMapping": mapped["mapping"]["id"],
        "ShippingText": encode(Kind.SHIPPING_TEXT, 1),
    }

    for kind, text in ids.items():
        data = await api.ask("query Q($id: ID!) { node(id: $id) { __typename id } }", id=text)
        gone = await api.ask(
            "query Q($id: ID!) { node(id: $id) { id } }", id=encode(Kind(kind), 999)
        )
        assert data == {"node": {"__typename": kind, "id": text}}
        assert gone == {"node": None}


async def test_an_unseen_number_starts_one_lookup(api: Client, shop: OrderShop) -> None:
    """A10: the first question starts a look-up, the second one tells of the same."""
    first = (await api.ask(EXPLAIN, c=shop.channel, n="4711"))["orderExplain"]
    second = (await api.ask(EXPLAIN, c=shop.channel, n=" 4711 "))["orderExplain"]
    at_once = await api.ask(
        "query Q($c: ID!) { "
        + " ".join(
            f'e{each}: orderExplain(channel: $c, number: "4712") {{ isSeen }}' for each in range(5)
        )
        + " }",
        c=shop.channel,
    )
    again = await api.do(
        "orderLookup", {"channel": shop.channel, "number": "4711"}, "isNew run { id lookup }"
    )

    assert (first["isSeen"], first["matches"]) == (False, [])
    assert first["lookup"]["run"]["lookup"] == "4711"
    assert first["lookup"]["message"]
    assert second["lookup"]["run"] == first["lookup"]["run"]
    assert again["isNew"] is False
    assert again["run"]["id"] == first["lookup"]["run"]["id"]
    assert len(at_once) == 5
    looked_up = await shop.rows("SELECT lookup FROM runs WHERE lookup IS NOT NULL ORDER BY id")
    assert [row["lookup"] for row in looked_up] == ["4711", "4712"]


async def test_a_reading_token_starts_no_lookup(deps: Deps, shop: OrderShop) -> None:
    """What costs requests to a store needs the scope to write; the answer says so."""
    async with client_for(deps, Scope.READ) as reader:
        data = await reader.ask(EXPLAIN, c=shop.channel, n="4711")

    lookup = data["orderExplain"]["lookup"]
    assert (lookup["state"], lookup["run"]) == ("NOT_STARTED", None)
    assert "WRITE" in lookup["message"]
    assert await shop.rows("SELECT id FROM runs") == []


async def test_a_lookup_that_cannot_start_says_why(api: Client, shop: OrderShop) -> None:
    """On a paused channel nothing is looked up, and the explanation has the reason."""
    await api.do("channelPause", {"id": shop.channel}, "")

    data = await api.ask(EXPLAIN, c=shop.channel, n="4711")
    (refused,) = await api.refusal("orderLookup", {"channel": shop.channel, "number": "4711"})
    none = await api.ask(EXPLAIN, c=encode(Kind.CHANNEL, 99), n="4711")

    lookup = data["orderExplain"]["lookup"]
    assert lookup["state"] == "NOT_STARTED"
    assert "paused" in lookup["message"]
    assert (refused["code"], refused["path"]) == ("PAUSED", ["input", "channel"])
    assert none == {"orderExplain": None}


async def test_a_seen_number_is_explained_rule_by_rule(api: Client, shop: OrderShop) -> None:
    """The explanation of an order that is not imported says what keeps it, and what comes next."""
    await shop.see(seen_order("1001"))

    data = await api.ask(EXPLAIN, c=shop.channel, n="1001")
    nodes = await api.ask(
        "{ remoteOrders { nodes { explain { verdict code steps } } } }",
    )

    found = data["orderExplain"]
    (match,) = found["matches"]
    assert (found["isSeen"], found["lookup"]) == (True, None)
    assert (match["verdict"], match["code"]) == ("HELD", "UnmappedShipping")
    assert any("flat_rate" in step for step in match["steps"])
    assert "GET_ORDERS" in {step["operation"] for step in match["next"]}
    assert match["remoteOrder"] == {"number": "1001"}
    (node,) = nodes["remoteOrders"]["nodes"]
    assert node["explain"] == {name: match[name] for name in ("verdict", "code", "steps")}


async def test_an_imported_order_is_explained(api: Client, shop: OrderShop) -> None:
    """An order that was imported says so, and its own explanation is that of its number."""
    (number,) = await shop.take(seen_order("1001"))

    data = await api.ask(ORDER % "explain { verdict steps order { number } }", id=order_id(number))

    explained = data["order"]["explain"]
    assert explained["verdict"] == "IMPORTED"
    assert explained["order"] == {"number": "1001"}
    assert explained["steps"]


async def test_what_orders_take_off_is_shown(api: Client, shop: OrderShop) -> None:
    """A22: of 12 stated, 5 deducted and 4 kept back, 3 are left to tell; down to the orders."""
    await api.do("channelEdit", {"id": shop.channel, "buffer": 4}, "")
    given = {"channel": shop.channel, "sku": "MUG", "fields": {"title": "Mug"}}
    await api.do("listingUpsert", given, "")
    await api.do("itemSet", {"statements": [{"sku": "MUG", "quantity": 12}]}, "")
    await shop.see(seen_order("1001", line("1", "MUG", 2)))
    await shop.see(seen_order("1002", line("1", "MUG", 3)))
    sums = "wanted stated deducted buffer cap basis isOwn source steps"

    data = await api.ask(
        '{ item(sku: "MUG") { deducted deductions { nodes { units sku orderedAt leftAt counts '
        "remoteOrder { number channel { name } } } } } "
        'itemExplain(sku: "MUG") { sku deducted item { stated } deductions { nodes { units } } '
        f"channels {{ channel {{ name }} variant {{ sku }} quantityExplanation {{ {sums} }} }} }} "
        'nothing: itemExplain(sku: "CAT") { sku } }'
    )
    variant = await api.ask(
        'query Q($c: ID!) { variant(channel: $c, sku: "MUG") { quantityExplanation { wanted } '
        "explain { quantity { value wanted } } } }",
        c=shop.channel,
    )

    assert data["item"]["deducted"] == 5
    newest, oldest = data["item"]["deductions"]["nodes"]
    assert (newest["units"], newest["counts"], newest["leftAt"]) == (3, True, None)
    assert oldest["remoteOrder"] == {"number": "1001", "channel": {"name": "shop"}}
    explained = data["itemExplain"]
    assert (explained["deducted"], explained["item"]) == (5, {"stated": 12})
    assert [node["units"] for node in explained["deductions"]["nodes"]] == [3, 2]
    (channel,) = explained["channels"]
    quantity = channel["quantityExplanation"]
    assert (quantity["stated"], quantity["deducted"], quantity["buffer"]) == (12, 5, 4)
    assert (quantity["wanted"], quantity["basis"]) == (3, "ON_HAND")
    assert "= 3" in quantity["steps"][0]
    assert any("1001" in step for step in quantity["steps"])
    assert data["nothing"] is None
    assert variant["variant"]["quantityExplanation"] == {"wanted": 3}
    assert variant["variant"]["explain"]["quantity"] == {"value": 3, "wanted": 3}


async def test_conditions_and_actions_name_orders(api: Client, shop: OrderShop) -> None:
    """What waits for a person can be an order or a shipment; an action names its order."""
    (number,) = await shop.take(seen_order("1001"))
    made = await api.do(
        "orderShip", {"order": order_id(number), "trackingNumber": "1Z"}, "shipment { id }"
    )
    for kind in ("order", "shipment"):
        await shop.rows(
            "INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, "
            "message) VALUES (1, :kind, 1, 'SYNC_ORDERS', 'ATTENTION', 'BeyondOrdered', 'm')",
            kind=kind,
        )
    await shop.rows(
        "INSERT INTO runs (id, channel_id, operation, side, trigger, counts) VALUES "
        "(77, 1, 'SYNC_ORDERS', 'ORDERS', 'PERSON', "
        '\'{"orders_seen": 3, "shipments_pushed": 2}\')'
    )
    await shop.rows(
        "INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, lane, order_id, "
        "shipment_id, key, input_hash, reason, message, state) VALUES (1, 77, 'FULFILL', "
        "'shipment:1', 'fulfill', 1, 1, 1, 'k', 'h', 'Shipped', 'm', 'PLANNED')"
    )

    data = await api.ask(
        "query Q($run: ID!, $order: ID!) { conditions { nodes { object { __typename "
        "... on RemoteOrder { number } ... on Shipment { order { number } } } } } "
        "run(id: $run) { report { orders { seen imported shipmentsPushed } } "
        "actions { nodes { kind order { number } remoteOrder { number } shipment { id } "
        "listing { sku } } } } "
        "actions(where: {order: $order}) { nodes { kind } } }",
        run=encode(Kind.RUN, 77),
        order=remote_order_id(1),
    )
    shown = await api.ask(
        ORDER % "conditions { reason } shipments { conditions { reason } }", id=order_id(number)
    )

    objects = [node["object"] for node in data["conditions"]["nodes"]]
    assert objects == [
        {"__typename": "RemoteOrder", "number": "1001"},
        {"__typename": "Shipment", "order": {"number": "1001"}},
    ]
    assert data["run"]["report"]["orders"] == {"seen": 3, "imported": 0, "shipmentsPushed": 2}
    (action,) = data["run"]["actions"]["nodes"]
    assert action["shipment"] == made["shipment"]
    assert (action["order"], action["remoteOrder"]) == ({"number": "1001"}, {"number": "1001"})
    assert data["actions"]["nodes"] == [{"kind": "FULFILL"}]
    assert shown["order"] == {
        "conditions": [{"reason": "BeyondOrdered"}],
        "shipments": [{"conditions": [{"reason": "BeyondOrdered"}]}],
    }


async def test_retention_is_set_and_said(api: Client, shop: OrderShop) -> None:
    """A20: a shipped order says when it is erased, one that never left that it is kept."""
    kept, shipped = await shop.take(seen_order("1001"), seen_order("1002"))
    left = datetime.now(UTC) - timedelta(days=3)
    await shop.rows("UPDATE orders SET last_shipped_at = :at WHERE id = :id", at=left, id=shipped)

    edited = await api.do(
        "channelEdit", {"id": shop.channel, "retentionDays": 30}, "channel { retentionDays }"
    )
    (refused,) = await api.refusal("channelEdit", {"id": shop.channel, "retentionDays": 31})
    query = ORDER % "retention { erasesAt message } remoteOrder { retention { erasesAt } }"
    stays = (await api.ask(query, id=order_id(kept)))["order"]
    goes = (await api.ask(query, id=order_id(shipped)))["order"]
    forgotten = await api.do(
        "channelEdit", {"id": shop.channel, "retentionDays": None}, "channel { retentionDays }"
    )

    assert edited["channel"] == {"retentionDays": 30}
    assert (refused["code"], refused["path"]) == ("INVALID", ["input", "retentionDays"])
    assert stays["retention"]["erasesAt"] is None
    assert stays["retention"]["message"]
    assert datetime.fromisoformat(goes["retention"]["erasesAt"]) == left + timedelta(days=30)
    assert goes["remoteOrder"]["retention"]["erasesAt"] == goes["retention"]["erasesAt"]
    assert forgotten["channel"] == {"retentionDays": None}


async def test_an_erased_order_is_still_an_order(api: Client, shop: OrderShop) -> None:
    """After erasure the person is gone and everything else is there, on both sides."""
    (number,) = await shop.take(seen_order("1001"))
    await shop.rows("UPDATE orders SET personal = NULL, erased_at = now()")
    await shop.rows("UPDATE remote_orders SET personal = NULL, erased_at = now()")

    data = await api.ask(
        ORDER % "number total email note customFields billingAddress { city } "
        "shippingAddress { city } lines { customFields sku } retention { erasedAt } "
        "remoteOrder { email note customFields shippingAddress { city } personalDataErasedAt }",
        id=order_id(number),
    )

    order = data["order"]
    assert (order["number"], order["total"]) == ("1001", "13.50")
    assert [order[name] for name in ("email", "note", "billingAddress", "shippingAddress")] == [
        None
    ] * 4
    assert order["customFields"] == {}
    assert order["lines"][0] == {"customFields": {}, "sku": "MUG"}
    assert order["retention"]["erasedAt"] is not None
    assert order["remoteOrder"]["personalDataErasedAt"] is not None
    assert order["remoteOrder"]["email"] is None


async def test_a_shipment_says_what_the_order_waits_for(api: Client, shop: OrderShop) -> None:
    """Before it is on its way its message is the decision about the order, if there is one."""
    (number,) = await shop.take(seen_order("1001"))
    given = {"order": order_id(number), "trackingNumber": "1Z"}
    made = await api.do("orderShip", given, "shipment { id message }")
    assert "next run of SYNC_ORDERS" in made["shipment"]["message"]
    await shop.rows(
        "INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, message)"
        " SELECT channel_id, 'order', remote_order_id, 'SYNC_ORDERS', 'ATTENTION', 'OrderOnHold',"
        " 'On hold: ask' FROM orders WHERE id = :id",
        id=number,
    )

    data = await api.ask(
        "query Q($id: ID!) { node(id: $id) { ... on Shipment { message } } }",
        id=made["shipment"]["id"],
    )

    assert data["node"]["message"] == "On hold: ask"


async def test_what_was_shipped_on_the_channel_says_so(api: Client, shop: OrderShop) -> None:
    """A completed, canceled or deleted order keeps its stage and what was seen of its end."""
    ended = datetime.now(UTC)
    await shop.see(
        seen_order("1001", stage=OrderStage.COMPLETED, status="completed", ended_at=ended)
    )
    await shop.rows("UPDATE remote_orders SET gone = 'Deleted', gone_at = now()")

    data = await api.ask("{ remoteOrders { nodes { stage status endedAt gone } } }")

    (order,) = data["remoteOrders"]["nodes"]
    assert (order["stage"], order["status"], order["gone"]) == ("COMPLETED", "completed", "Deleted")
    assert datetime.fromisoformat(order["endedAt"]) == ended


async def test_an_order_nobody_understands_is_in_sight(api: Client, shop: OrderShop) -> None:
    """What could not be read keeps its number and says what is wrong; it has no total."""
    async with shop.deps.engine.begin() as conn:
        rejected = RejectedOrder("r7", "7", "`total` is no amount.")
        await keep_rejected(conn, shop.channel_id, [rejected], datetime.now(UTC))

    data = await api.ask(
        "{ remoteOrders { nodes { number unreadable total currency payment lines { sku } "
        "explain { verdict code } } } }"
    )

    assert data["remoteOrders"]["nodes"] == [
        {
            "number": "7",
            "unreadable": "`total` is no amount.",
            "total": None,
            "currency": "",
            "payment": "UNKNOWN",
            "lines": [],
            "explain": {"verdict": "UNSAVABLE", "code": "NotUnderstood"},
        }
    ]


async def test_a_run_can_be_about_some_orders(api: Client, shop: OrderShop) -> None:
    """A run takes ids of orders and of remote orders; an unknown one is named by its place."""
    (taken,) = await shop.take(seen_order("1001"))
    (seen,) = await shop.see(seen_order("1002"))
    given: dict[str, Any] = {"channel": shop.channel, "operation": "GET_ORDERS"}
    ids = [order_id(taken), remote_order_id(seen)]

    made = await api.do("runRequest", {**given, "orders": ids}, "isNew run { operation }")
    again = await api.do("runRequest", {**given, "orders": ids[::-1]}, "isNew")
    (unseen,) = await api.refusal("runRequest", {**given, "orders": [*ids, remote_order_id(99)]})
    (unknown,) = await api.refusal("runRequest", {**given, "orders": [*ids, order_id(99)]})
    (wrong,) = await api.refusal("runRequest", {**given, "orders": [shop.channel]})
    (listings,) = await api.refusal(
        "runRequest", {**given, "operation": "SYNC_LISTINGS", "orders": ids}
    )

    assert (made["isNew"], again["isNew"]) == (True, False)
    assert (unseen["code"], unseen["path"]) == ("NOT_FOUND", ["input", "orders", "2"])
    assert (unknown["code"], unknown["path"]) == ("NOT_FOUND", ["input", "orders", "2"])
    assert (wrong["code"], wrong["path"]) == ("BAD_ID", ["input", "orders", "0"])
    assert (listings["code"], listings["path"]) == ("INVALID", ["input", "orders"])


async def test_the_order_operations_are_set_up(api: Client, shop: OrderShop) -> None:
    """Filters and templates of orders are settings like any other; a wrong field is named."""
    operation = {"channel": shop.channel, "operation": "GET_ORDERS"}
    rules = [{"source": "their_email", "target": "email", "isEnabled": False}]
    wrong = [{"source": "their_email", "target": "phone"}]

    done = await api.do(
        "operationConfigure",
        {**operation, "settings": {"doubleGetOrders": {"days": 30}}},
        "operation { settings template { isDefault rules { source target } } }",
    )
    changed = await api.do(
        "templateSet", {**operation, "rules": rules}, "operation { template { isDefault } }"
    )
    (refused, *_) = await api.refusal("templateSet", {**operation, "rules": wrong})
    data = await api.ask(
        '{ platform(name: "double") { orders { shippingText takesPartialShipments '
        "facets { name title code } fields { theirs ours } shipmentFields { ours theirs } } } }"
    )

    assert done["operation"]["settings"] == {"statuses": "open", "days": 30, "mark": False}
    assert done["operation"]["template"]["isDefault"] is True
    assert {"source": "their_email", "target": "email"} in done["operation"]["template"]["rules"]
    assert changed["operation"]["template"] == {"isDefault": False}
    assert refused["path"][:2] == ["input", "rules"]
    orders = data["platform"]["orders"]
    assert orders["facets"] == [
        {"name": "status", "title": "order status", "code": "StatusNotSelected"}
    ]
    assert (orders["shippingText"], orders["takesPartialShipments"]) == ("method id", True)
    assert {"theirs": "their_note", "ours": "note"} in orders["fields"]
    assert {"ours": "carrier", "theirs": "their_carrier"} in orders["shipmentFields"]


async def test_the_same_number_on_two_channels_is_two_orders(api: Client, shop: OrderShop) -> None:
    """Numbers belong to a channel: the other one's order of that number is another order."""
    await shop.take(seen_order("1001"))
    second = {"double": {"store": "other", "secret": "right"}}
    other = await api.do(
        "channelConnect", {"name": "second", "credentials": second}, "channel { id }"
    )
    query = 'query Q($c: ID!) { order(channel: $c, number: "1001") { number } }'

    mine = await api.ask(query, c=shop.channel)
    theirs = await api.ask(query, c=other["channel"]["id"])

    assert (mine["order"], theirs["order"]) == ({"number": "1001"}, None)


@pytest.mark.parametrize(
    "query",
    [
        "{ orders(first: 100) { nodes { explain { code } } } }",
        "{ remoteOrders(first: 100) { nodes { explain { code } } } }",
        BEHIND_ITEMS,
    ],
)
async def test_lists_of_orders_are_held_to_the_limits(api: Client, query: str) -> None:
    """A hundred explanations, or whole catalogs behind a page of orders, are too much at once."""
    error = await api.error(query)

    assert error["extensions"]["code"] == "TOO_MUCH"

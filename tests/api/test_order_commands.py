"""Hold, release, ship, void and close through the API, each with everything that is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.ids import Kind, encode
from reconcile.core.remote_order_types import OrderStage
from reconcile.deps import Deps
from tests.api.asking import Client
from tests.api.order_shop import (
    OrderShop,
    line,
    order_id,
    order_shop,
    orders_deps,
    seen_order,
)
from tests.store_double import DoubleStore
from tests.wiring_double import Bell

pytestmark = pytest.mark.anyio


@pytest.fixture
def deps(engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Deps:
    """Return parts whose platform has orders."""
    return orders_deps(engine, store, bell)


@pytest.fixture
async def shop(api: Client, deps: Deps) -> OrderShop:
    """Return a connected channel without orders."""
    return await order_shop(api, deps)


NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


async def refused(api: Client, mutation: str, given: dict[str, Any]) -> tuple[str, list[str]]:
    """Code and path of the one reason a mutation was refused."""
    (error,) = await api.refusal(mutation, given)
    assert error["message"]
    return error["code"], error["path"]


async def test_parts_are_shipped_until_nothing_remains(api: Client, shop: OrderShop) -> None:
    """A part, then the rest: shipments, lines and status follow."""
    (number,) = await shop.take(
        seen_order("1001", line("1", "MUG", 2), line("2", "CUP"), created_at=NEW_YEAR)
    )
    mug, _cup = await shop.lines(number)
    selection = (
        "shipment { origin state trackingNumber carrier service trackingUrl notifyCustomer "
        "shippedAt reference createdBy pushedAt message remoteIds lines { quantity line { id sku } "
        "} } order { status lastShippedAt lines { shipped remaining } shipments { id } }"
    )

    part = await api.do(
        "orderShip",
        {
            "order": order_id(number),
            "lines": [{"line": mug, "quantity": 1}],
            "trackingNumber": "1Z999",
            "carrier": "UPS",
            "service": "Ground",
            "trackingUrl": "https://ups.example/1Z999",
            "notifyCustomer": True,
            "shippedAt": "2026-01-02T03:04:05+02:00",
            "reference": "box-1",
        },
        selection,
    )
    rest = await api.do(
        "orderShip", {"order": order_id(number), "withoutTracking": True}, selection
    )

    shipment = part["shipment"]
    assert (shipment["origin"], shipment["state"]) == ("OURS", "RECORDED")
    assert shipment["trackingNumber"] == "1Z999"
    assert (shipment["carrier"], shipment["service"]) == ("UPS", "Ground")
    assert shipment["trackingUrl"] == "https://ups.example/1Z999"
    assert shipment["notifyCustomer"] is True
    assert shipment["shippedAt"].startswith("2026-01-02T01:04:05")
    assert (shipment["reference"], shipment["createdBy"]) == ("box-1", "token:test")
    assert shipment["pushedAt"] is None
    assert "SYNC_ORDERS" in shipment["message"]
    assert shipment["lines"] == [{"quantity": 1, "line": {"id": mug, "sku": "MUG"}}]
    assert part["order"]["status"] == "PARTIALLY_SHIPPED"
    assert [each["remaining"] for each in part["order"]["lines"]] == [1, 1]
    assert [each["quantity"] for each in rest["shipment"]["lines"]] == [1, 1]
    assert rest["order"]["status"] == "SHIPPED"
    assert [each["remaining"] for each in rest["order"]["lines"]] == [0, 0]
    assert len(rest["order"]["shipments"]) == 2


async def test_the_same_reference_is_the_same_shipment(api: Client, shop: OrderShop) -> None:
    """Asked twice, shipped once; the reference with another content is a conflict."""
    (number,) = await shop.take(seen_order("1001"))
    (mug, _) = await shop.lines(number)
    given = {
        "order": order_id(number),
        "lines": [{"line": mug, "quantity": 1}],
        "trackingNumber": "1Z",
        "reference": "box-1",
    }

    first = await api.do("orderShip", given, "shipment { id }")
    second = await api.do("orderShip", given, "shipment { id } order { shipments { id } }")
    conflict = await refused(api, "orderShip", {**given, "trackingNumber": "2Z"})

    assert second["shipment"] == first["shipment"]
    assert len(second["order"]["shipments"]) == 1
    assert conflict == ("CONFLICT", ["input", "reference"])


async def test_shipping_what_cannot_leave_is_refused(api: Client, shop: OrderShop) -> None:
    """Nothing, too much, another order's line, no tracking, bad values: each with its place."""
    number, other = await shop.take(
        seen_order("1001", line("1", "MUG", 2)), seen_order("1002", line("1", "CUP"))
    )
    (mug,) = await shop.lines(number)
    (theirs,) = await shop.lines(other)
    order, tracked = {"order": order_id(number)}, {"trackingNumber": "1Z"}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    async def ask(**given: Any) -> tuple[str, list[str]]:
        return await refused(api, "orderShip", {**order, **tracked, **given})

    def units(text: str, quantity: int) -> list[dict[str, Any]]:
        return [{"line": text, "quantity": quantity}]

    assert await ask(lines=[]) == ("NOTHING_TO_SHIP", ["input", "lines"])
    assert await ask(lines=units(mug, 0)) == ("NOTHING_TO_SHIP", ["input", "lines"])
    code, path = await ask(lines=units(mug, 3))
    assert (code, path[:2]) == ("BEYOND_ORDERED", ["input", "lines"])
    assert await ask(lines=units(mug, -1)) == ("INVALID", ["input", "lines", "0", "quantity"])
    assert await ask(lines=units(theirs, 1)) == ("NOT_FOUND", ["input", "lines", "0", "line"])
    assert await ask(lines=units(shop.channel, 1)) == ("BAD_ID", ["input", "lines", "0", "line"])
    assert await ask(trackingNumber="") == ("TRACKING_MISSING", ["input", "trackingNumber"])
    assert await ask(trackingUrl="javascript:x") == ("INVALID", ["input", "trackingUrl"])
    assert await ask(shippedAt=tomorrow) == ("INVALID", ["input", "shippedAt"])
    assert await ask(shippedAt="2026-01-01T00:00:00") == ("INVALID", ["input", "shippedAt"])
    assert await ask(shippedAt="0001-01-01T00:00:00+14:00") == ("INVALID", ["input", "shippedAt"])
    assert await ask(reference=" ") == ("INVALID", ["input", "reference"])
    assert await ask(order=order_id(99)) == ("NOT_FOUND", ["input", "order"])
    assert (await ask(order="x"))[0] == "BAD_ID"
    assert await shop.rows("SELECT id FROM shipments") == []


async def test_what_is_over_or_stopped_is_not_shipped(api: Client, shop: OrderShop) -> None:
    """Digital, canceled, closed and held orders do not ship, and say which they are."""
    digital, canceled, closed, held = await shop.take(
        seen_order("1001", line("1", "EBOOK", is_digital=True), is_digital=True),
        seen_order("1002", stage=OrderStage.CANCELED, status="cancelled"),
        seen_order("1003"),
        seen_order("1004"),
    )
    await shop.rows("UPDATE orders SET status = 'CANCELED' WHERE id = :id", id=canceled)
    await api.do("orderClose", {"order": order_id(closed)}, "")
    await api.do("orderHold", {"order": order_id(held), "reason": "Wait"}, "")

    codes = [
        await refused(api, "orderShip", {"order": order_id(number), "trackingNumber": "1Z"})
        for number in (digital, canceled, closed, held)
    ]

    assert [path for _, path in codes] == [["input", "order"]] * 4
    assert [code for code, _ in codes] == [
        "DIGITAL",
        "ORDER_CANCELED",
        "ORDER_CLOSED",
        "ORDER_ON_HOLD",
    ]
    assert await shop.rows("SELECT id FROM shipments") == []


async def test_a_hold_is_put_and_released(api: Client, shop: OrderShop) -> None:
    """A hold says who and why; twice is refused, releasing what is not held too."""
    (number,) = await shop.take(seen_order("1001"))
    one = {"order": order_id(number)}

    held = await api.do(
        "orderHold", {**one, "reason": "Customer asked"}, "order { hold { message by since } }"
    )
    again = await refused(api, "orderHold", {**one, "reason": "Once more"})
    empty = await refused(api, "orderHold", {**one, "reason": " "})
    released = await api.do("orderRelease", one, "order { hold { code } }")
    not_held = await refused(api, "orderRelease", one)

    hold = held["order"]["hold"]
    assert (hold["message"], hold["by"]) == ("Customer asked", "token:test")
    assert hold["since"] is not None
    assert released["order"] == {"hold": None}
    assert again == ("WRONG_STATE", ["input", "order"])
    assert empty == ("INVALID", ["input", "reason"])
    assert not_held == ("WRONG_STATE", ["input", "order"])
    for mutation, more in (
        ("orderHold", {"reason": "x"}),
        ("orderRelease", {}),
        ("orderClose", {}),
    ):
        unknown = await refused(api, mutation, {"order": order_id(99), **more})
        assert unknown == ("NOT_FOUND", ["input", "order"])


async def test_a_shipment_is_taken_back(api: Client, shop: OrderShop) -> None:
    """A recorded shipment can be voided once, and its units ship again; a pushed one cannot."""
    (number,) = await shop.take(seen_order("1001"))
    ship = {"order": order_id(number), "trackingNumber": "1Z"}
    first = await api.do("orderShip", ship, "shipment { id }")

    void = await api.do(
        "shipmentVoid",
        {"shipment": first["shipment"]["id"]},
        "shipment { state order { status lines { remaining } } }",
    )
    again = await refused(api, "shipmentVoid", {"shipment": first["shipment"]["id"]})
    second = await api.do("orderShip", ship, "shipment { id }")
    await shop.rows("UPDATE shipments SET state = 'PUSHED' WHERE state = 'RECORDED'")
    pushed = await refused(api, "shipmentVoid", {"shipment": second["shipment"]["id"]})
    unknown = await refused(api, "shipmentVoid", {"shipment": encode(Kind.SHIPMENT, 99)})

    assert void["shipment"]["state"] == "VOID"
    assert void["shipment"]["order"] == {
        "status": "OPEN",
        "lines": [{"remaining": 2}, {"remaining": 1}],
    }
    assert again == pushed == ("WRONG_STATE", ["input", "shipment"])
    assert unknown == ("NOT_FOUND", ["input", "shipment"])


async def test_an_order_is_closed_once(api: Client, shop: OrderShop) -> None:
    """Closing says who did it; a closed order cannot be closed or held."""
    (number,) = await shop.take(seen_order("1001"))
    one = {"order": order_id(number)}

    closed = await api.do("orderClose", one, "order { status closedAt closedBy }")
    again = await refused(api, "orderClose", one)
    held = await refused(api, "orderHold", {**one, "reason": "x"})

    assert closed["order"]["status"] == "CLOSED"
    assert closed["order"]["closedBy"] == "token:test"
    assert closed["order"]["closedAt"] is not None
    assert again == held == ("WRONG_STATE", ["input", "order"])


async def test_a_lookup_is_asked_for_by_number(api: Client, shop: OrderShop, bell: Bell) -> None:
    """A look-up is a run of GET_ORDERS that says which number; no number is refused."""
    made = await api.do(
        "orderLookup",
        {"channel": shop.channel, "number": "4711"},
        "isNew run { operation lookup state trigger }",
    )
    empty = await refused(api, "orderLookup", {"channel": shop.channel, "number": " "})
    unknown = await refused(
        api, "orderLookup", {"channel": encode(Kind.CHANNEL, 99), "number": "1"}
    )

    assert made["isNew"] is True
    assert made["run"] == {
        "operation": "GET_ORDERS",
        "lookup": "4711",
        "state": "QUEUED",
        "trigger": "PERSON",
    }
    assert bell.rings
    assert empty == ("INVALID", ["input", "number"])
    assert unknown == ("NOT_FOUND", ["input", "channel"])

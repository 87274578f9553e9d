"""Shipments on their way to the store: in parts, in each of its three ways, and never twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.live import Instance, Said
from tests.features.rows import feature
from tests.features.stores import WooStore
from tests.features.ways import WAYS, desk_by, imported

# --- parts, and never twice


@feature("A11")
def test_an_order_ships_in_two_parts_and_the_store_knows_both(desk: Desk[Any]) -> None:
    """Each shipment arrives once with its tracking number; a full run sends nothing more."""
    desk.stock(MUG=50, CUP=50)
    order = imported(desk)

    first = desk.shipped(order, ("MUG", 1), ("CUP", 1), tracking="1Z-ONE", carrier="UPS")

    assert desk.ours(order)["status"] == "PARTIALLY_SHIPPED"
    assert desk.units(order) == {"MUG": (1, 1), "CUP": (1, 0)}
    assert (first["trackingNumber"], first["carrier"], first["state"]) == (
        "1Z-ONE",
        "UPS",
        "PUSHED",
    )
    assert first["remoteIds"]
    second = desk.shipped(order, tracking="1Z-TWO", carrier="UPS")
    assert second["id"] != first["id"]
    assert desk.ours(order)["status"] == "SHIPPED"
    since = desk.store.serial()
    for full in (False, True):
        desk.send(full=full, result="SUCCEEDED")
        desk.poll(full=full)
    told = desk.told(order)
    assert [number in each.text for each in told for number in ("1Z-ONE", "1Z-TWO")] == [
        True,
        False,
        False,
        True,
    ]
    writes = [row for row in desk.store.requests(since) if row["method"] != "GET"]
    assert writes == []


@feature("A11")
def test_the_same_reference_is_the_same_shipment(desk: Desk[Any]) -> None:
    """Who repeats what may have been taken gets the shipment back, and the store one note."""
    desk.stock(MUG=50, CUP=50)
    order = imported(desk)

    first = desk.ship(order, ("MUG", 1), tracking="1Z-A", reference="parcel-1")
    again = desk.ship(order, ("MUG", 1), tracking="1Z-A", reference="parcel-1")

    assert again["id"] == first["id"]
    desk.settle()
    assert len(desk.told(order)) == 1
    assert desk.units(order)["MUG"] == (1, 1)
    other = desk.try_ship(order, ("MUG", 1), tracking="1Z-B", reference="parcel-1")
    assert other.codes() == ["CONFLICT"], other.text()


def _refused(said: Said, code: str, *words: str) -> None:
    assert said.codes() == [code], said.text()
    assert all(word in said.text() for word in words), said.text()


@feature("A11")
def test_what_cannot_have_left_is_refused(desk: Desk[Any]) -> None:
    """More than was ordered, nothing, an unknown line, an empty tracking number."""
    desk.stock(MUG=50, CUP=50)
    order = imported(desk)

    _refused(desk.try_ship(order, ("MUG", 3)), "BEYOND_ORDERED", "3", "2")
    _refused(desk.try_ship(order, ("MUG", 0)), "NOTHING_TO_SHIP")
    _refused(desk.try_ship(order, ("POT", 1)), "NOT_FOUND")
    _refused(desk.try_ship(order, tracking=""), "TRACKING_MISSING")
    _refused(desk.try_ship(order, tracking="  "), "TRACKING_MISSING")
    assert desk.ours(order)["shipments"] == []
    assert desk.told(order) == []

    desk.shipped(order, ("MUG", 1), tracking=None)
    _refused(desk.try_ship(order, ("MUG", 2)), "BEYOND_ORDERED", "2", "1")
    desk.shipped(order)
    _refused(desk.try_ship(order), "NOTHING_TO_SHIP")
    assert len(desk.told(order)) == 2


@feature("A11")
def test_a_closed_order_and_a_withdrawn_shipment_send_nothing(desk: Desk[Any]) -> None:
    """Taken back before the store knew, a shipment counts for nothing; a closed order is over."""
    desk.stock(MUG=50, CUP=50)
    order, closed = desk.place(("MUG", 2)), desk.place(("CUP", 1))
    desk.poll(result="SUCCEEDED")
    desk.shop.done("channel", "settings", desk.shop.name, "sync-orders", "--pause")
    shipment = desk.ship(order, ("MUG", 2), tracking="1Z-WRONG")

    desk.shop.done("orders", "void", shipment["id"])
    desk.cli_done("close", closed.number)
    desk.shop.done("channel", "settings", desk.shop.name, "sync-orders", "--resume")
    desk.send(full=True)

    assert desk.shipment(order, shipment["id"])["state"] == "VOID"
    assert desk.told(order) == []
    assert desk.units(order)["MUG"] == (0, 2)
    _refused(desk.try_ship(closed), "ORDER_CLOSED")
    assert desk.ours(closed)["status"] == "CLOSED"
    right = desk.shipped(order, tracking="1Z-RIGHT")
    assert desk.shop.cli("orders", "void", right["id"]).code == 1, "it is on the store already"
    assert len(desk.told(order)) == 1


@feature("A11")
def test_a_shipment_on_hold_waits_and_goes_once_released(desk: Desk[Any]) -> None:
    """A hold that comes after the shipment was recorded keeps it here until it is released."""
    desk.stock(MUG=50, CUP=50)
    order = imported(desk)
    desk.shop.done("channel", "settings", desk.shop.name, "sync-orders", "--pause")
    shipment = desk.ship(order, ("MUG", 1), tracking="1Z-HELD")
    desk.cli_done("hold", order.number, "--reason", "Fraud check")
    desk.shop.done("channel", "settings", desk.shop.name, "sync-orders", "--resume")

    desk.send(order)

    assert desk.told(order) == []
    assert desk.shipment(order, shipment["id"])["state"] == "RECORDED"
    assert "Fraud check" in desk.why(order)
    desk.cli_done("release", order.number)
    desk.shop.wait(lambda: desk.told(order), "the released shipment goes by itself")


@feature("A11")
def test_two_people_cannot_ship_the_same_units(desk: Desk[Any], instance: Instance) -> None:
    """Both press at once: one shipment stands, the other person is told that nothing is left."""
    desk.stock(MUG=50, CUP=50)
    order = imported(desk)
    order_id = desk.ours(order)["id"]
    mutation = (
        "mutation ($input: OrderShipInput!) { orderShip(input: $input)"
        " { shipment { id } userErrors { code message path } } }"
    )

    def press(number: str) -> Any:
        with instance.client() as client:
            return client.query(mutation, {"input": {"order": order_id, "trackingNumber": number}})

    with ThreadPoolExecutor(4) as hands:
        answers = [each["orderShip"] for each in hands.map(press, ("1Z-1", "1Z-2", "1Z-3", "1Z-4"))]

    assert sum(answer["shipment"] is not None for answer in answers) == 1
    refused = [each["code"] for answer in answers for each in answer["userErrors"]]
    assert refused == ["NOTHING_TO_SHIP"] * 3
    desk.settle()
    assert len(desk.told(order)) == 1


@feature("A11", "A21")
def test_a_channel_that_is_only_watched_is_told_nothing(desk: Desk[Any]) -> None:
    """Under OBSERVE orders come in; a shipment stays here and says which policy keeps it."""
    desk.stock(MUG=50, CUP=50)
    desk.shop.edit("--policy", "observe")
    order = imported(desk)
    shipment = desk.ship(order)
    desk.settle()

    desk.send(full=True)

    assert desk.told(order) == []
    assert "OBSERVE" in desk.why(order)
    assert desk.shipment(order, shipment["id"])["state"] == "RECORDED"
    desk.shop.edit("--policy", "enrich")
    desk.send(full=True)
    assert len(desk.told(order)) == 1


@feature("A11", "A19")
def test_what_the_merchant_ships_on_the_store_counts(open_shop: Open) -> None:
    """Completed by hand, or tracked there: those units are not shipped once more by us."""
    desk = desk_by(open_shop, "shipment_tracking")
    done, tracked = desk.place(("MUG", 2)), desk.place(("CUP", 1))
    desk.poll(result="SUCCEEDED")
    desk.store.orders.ship(done)
    desk.store.orders.ship(tracked, by="tracking", tracking_number="HAND-1", carrier="UPS")

    desk.poll()

    ours = desk.ours(done)
    assert ours["status"] == "SHIPPED"
    assert [each["origin"] for each in ours["shipments"]] == ["CHANNEL"]
    assert ours["hold"] is None
    _refused(desk.try_ship(done), "NOTHING_TO_SHIP")
    [theirs] = desk.ours(tracked)["shipments"]
    assert (theirs["origin"], theirs["trackingNumber"]) == ("CHANNEL", "HAND-1")
    since = desk.store.serial()
    desk.send(full=True)
    assert [row for row in desk.store.requests(since) if row["method"] != "GET"] == []


# --- the three ways of WooCommerce


@feature("W11", "A11")
@pytest.mark.parametrize("way", sorted(WAYS))
def test_each_way_takes_two_parts(open_shop: Open, way: str) -> None:
    """Private note, Shipment Tracking, order fulfillments: number, carrier and units arrive."""
    desk = desk_by(open_shop, way)
    order = imported(desk)
    orders = desk.store.orders

    desk.shipped(order, ("MUG", 1), tracking="1Z-ONE", carrier="UPS")
    desk.shipped(
        order, tracking="1Z-TWO", carrier="Own van", tracking_url="https://van.example/1Z-TWO"
    )
    desk.send(full=True, result="SUCCEEDED")

    told = {
        "note": orders.notes(order),
        "shipment_tracking": orders.trackings(order),
        "fulfillments": orders.fulfillments(order),
    }
    assert {name: len(rows) for name, rows in told.items()} == {
        **dict.fromkeys(WAYS, 0),
        way: 2,
    }
    one, two = (str(dict(row)) for row in told[way])
    assert "1Z-ONE" in one
    assert "ups" in one.lower()
    assert "1Z-TWO" in two
    assert "https://van.example/1Z-TWO" in two
    mug, cup = order.lines
    match way:
        case "note":
            assert not any(row["customer"] for row in told[way]), "the customer is told nothing"
            assert f"1 x {desk.shop.sku('MUG')}" in one
            assert f"1 x {desk.shop.sku('CUP')}" in two
            shipments = desk.ours(order)["shipments"]
            assert all(
                any(each["remoteIds"] == [f"note:{row['id']}"] for each in shipments)
                for row in told[way]
            )
        case "fulfillments":
            assert [row["items"] for row in told[way]] == [{mug: 1}, {mug: 1, cup: 1}]
            assert not any(row["notified"] for row in told[way])
        case _:
            assert "Own van" in two
    assert orders.book(order)["status"] == "processing", "completing is a setting, and off"


@feature("W11")
def test_fulfillments_tell_the_customer_only_when_asked(open_shop: Open) -> None:
    """`--notify` reaches the store's own fulfillments; without it nobody is told."""
    desk = desk_by(open_shop, "fulfillments")
    order = imported(desk)

    said = desk.cli(
        "ship", order.number, "--line", f"{desk.shop.sku('MUG')}=1", "--tracking", "N", "--notify"
    )
    assert said.code == 0, said.text()
    desk.settle()

    [row] = desk.store.orders.fulfillments(order)
    assert row["notified"]


@feature("W11", "A2")
@pytest.mark.parametrize("way", ["fulfillments", "shipment_tracking"])
def test_a_way_the_store_does_not_have_says_so_and_sends_nothing_weaker(
    open_shop: Open, way: str
) -> None:
    """Chosen and not present: the shipment stays with the reason, and goes once it is mended."""
    shop = open_shop("woocommerce")
    shop.connect()
    desk: Desk[WooStore] = Desk(shop)
    desk.map("flat_rate")
    desk.settings("sync-orders", tracking=way)
    desk.stock(MUG=50, CUP=50)
    order = imported(desk)

    shipment = desk.ship(order, ("MUG", 1), tracking="1Z-ONE")
    desk.settle()

    assert desk.told(order) == [], "not a note instead"
    assert desk.shipment(order, shipment["id"])["state"] == "RECORDED"
    run = desk.send(order)
    assert run["result"] != "SUCCEEDED", "what still fails is said again"
    why = desk.why(order)
    assert "TrackingWayMissing" in why or "Unsupported" in why, why
    assert desk.shipment(order, shipment["id"])["message"]

    desk.settings("sync-orders", tracking="note")
    desk.send(order)
    desk.shop.wait(lambda: desk.told(order), "by note it can be told")
    assert desk.shipment(order, shipment["id"])["state"] == "PUSHED"


@feature("W11", "A15")
def test_a_shipped_order_is_completed_only_where_that_is_set(open_shop: Open) -> None:
    """With the setting on, the last shipment completes the order there, once."""
    desk = desk_by(open_shop)
    desk.settings("sync-orders", complete_shipped="true")
    order = imported(desk)
    desk.shipped(order, ("MUG", 2))
    assert desk.store.orders.book(order)["status"] == "processing"

    desk.shipped(order, ("CUP", 1), tracking="1Z-2")

    desk.shop.wait(
        lambda: desk.store.orders.book(order)["status"] == "completed", "the order is completed"
    )
    desk.settle()
    log = [
        row
        for run in desk.shop.done("runs", "list", "--channel", desk.shop.name)
        for row in desk.shop.done("runs", "log", run["id"])
    ]
    assert {row["method"] for row in log} >= {"POST"}
    assert not any("ada" in str(row).lower() for row in log), "the log knows no customer"
    since = desk.store.serial()
    desk.poll(full=True)
    desk.send(full=True)
    assert [row for row in desk.store.requests(since) if row["method"] != "GET"] == []
    assert desk.ours(order)["status"] == "SHIPPED"
    assert [each["origin"] for each in desk.ours(order)["shipments"]] == ["OURS", "OURS"]


@feature("T4", "W11", "A13")
def test_a_shipment_field_switched_off_is_not_sent_and_explain_names_it(open_shop: Open) -> None:
    """Without the carrier in the template the note has none, and explain says why."""
    desk = desk_by(open_shop)
    desk.shop.done("channel", "template", desk.shop.name, "sync-orders", "--disable", "carrier")
    order = imported(desk)

    desk.shipped(order, tracking="1Z-ONE", carrier="UPS")

    [note] = desk.store.orders.notes(order)
    assert "1Z-ONE" in note["text"]
    assert "UPS" not in note["text"]
    why = desk.why(order).lower()
    assert "carrier" in why
    assert "template" in why

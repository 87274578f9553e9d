"""Orders that are not imported and orders that change afterwards: what is said, what is done."""

import os
import signal
from typing import Any

from tallyport.following import follow_run
from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.live import Instance
from tests.features.order_hands import moment
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_NOWHERE: dict[str, Any] = {"shipping": None, "billing": {"email": "nowhere@example.com"}}


# --- why an order was not imported


@feature("A10", "T9")
def test_every_reason_an_order_is_not_imported_for_is_told(woo_desk: Desk[WooStore]) -> None:
    """Status, age, method, SKU, address, checkout, trash, deletion, cancellation.

    Each by its code, and with what to change.
    """
    woo_desk.stock(MUG=50)
    orders, sku = woo_desk.store.orders, woo_desk.shop.sku("MUG")
    expected = {
        woo_desk.place(("MUG", 1)): ("IMPORTED", "", "mported"),
        woo_desk.place(("MUG", 1), is_paid=False): ("SKIPPED", "StatusNotSelected", "filter"),
        orders.buy(sku=sku, status="cancelled"): ("SKIPPED", "StatusNotSelected", "filter"),
        orders.buy(sku=sku, status="refunded"): ("SKIPPED", "StatusNotSelected", "filter"),
        orders.buy(sku=sku, status="failed"): ("SKIPPED", "StatusNotSelected", "filter"),
        orders.buy(sku=sku, ordered_at=moment(60)): ("SKIPPED", "TooOld", "days"),
        orders.buy(sku=sku, status="checkout-draft"): ("SKIPPED", "IncompleteCheckout", "checkout"),
        orders.buy(sku=sku, shipping_method="local_pickup:2"): (
            "HELD",
            "UnmappedShipping",
            "mappings set",
        ),
        orders.buy(lines=[{"name": "By hand", "quantity": 1, "total": "5"}]): (
            "UNSAVABLE",
            "MissingSku",
            "By hand",
        ),
        orders.buy(sku=sku, **_NOWHERE): ("UNSAVABLE", "MissingAddress", "address"),
    }

    run = woo_desk.poll(result="PARTIAL")

    fates = woo_desk.fates()
    for order, (verdict, code, remedy) in expected.items():
        # What the store's lists leave out is known once it was asked for by its number.
        why = woo_desk.why(order)
        row = woo_desk.row(order)
        assert row["verdict"] == verdict, (order, row["message"])
        assert code in {"", row["reason"]}, (order, row["message"])
        assert remedy in why, why
        assert len(row["message"]) > 20
        assert fates.get(order.number, (verdict, row["reason"])) == (verdict, row["reason"])
    told = run["report"]["orders"]
    assert told["imported"] == 1
    assert (told["held"], told["unsavable"]) == (1, 2)
    reasons = {each["code"]: each["count"] for each in run["report"]["reasons"]}
    assert (reasons["TooOld"], reasons["MissingSku"], reasons["UnmappedShipping"]) == (1, 1, 1)


@feature("A10", "T9")
def test_asking_for_a_number_never_seen_looks_it_up(woo_desk: Desk[WooStore]) -> None:
    """One that exists is read, decided and told; one that does not is said to be not there."""
    woo_desk.stock(MUG=50)
    there = woo_desk.place(("MUG", 1), number="SO-77")
    old = woo_desk.place(("MUG", 1), days_ago=300)

    found = woo_desk.explain(there)

    assert found["isSeen"] is True
    assert woo_desk.imported(there)
    assert "days" in woo_desk.why(old)
    assert woo_desk.fate(old) == ("SKIPPED", "TooOld")
    since = woo_desk.store.serial()
    nowhere = woo_desk.explain("987654")
    assert (nowhere["isSeen"], nowhere["matches"]) == (False, [])
    assert "987654" in nowhere["lookup"]["message"]
    asked = [row for row in woo_desk.store.requests(since) if "/orders" in row["route"]]
    assert 1 <= len(asked) <= 4
    since = woo_desk.store.serial()
    again = woo_desk.explain("987654")
    assert again["lookup"]["state"] == nowhere["lookup"]["state"]
    assert list(woo_desk.store.requests(since)) == [], "one look in ten minutes is enough"


@feature("A10")
def test_orders_in_the_trash_and_deleted_ones_say_so(woo_desk: Desk[WooStore]) -> None:
    """Seen before and gone before the import: explain names the trash or the deletion."""
    woo_desk.stock(MUG=50)
    trashed = woo_desk.place(("MUG", 1), is_paid=False)
    deleted = woo_desk.place(("MUG", 1), is_paid=False)
    woo_desk.poll()
    woo_desk.store.orders.trash(trashed)
    woo_desk.store.orders.delete(deleted)

    woo_desk.poll(full=True)

    assert woo_desk.fate(trashed) == ("SKIPPED", "InTrash")
    assert woo_desk.fate(deleted) == ("SKIPPED", "DeletedThere")
    assert "trash" in woo_desk.why(trashed)


@feature("T10", "A10")
def test_what_an_order_lacks_is_mended_there_and_it_imports_by_itself(
    woo_desk: Desk[WooStore],
) -> None:
    """A line without SKU is named; a SKU or a link here, an address there, and the order is in."""
    woo_desk.stock(MUG=50)
    created = woo_desk.store.create({"name": "Nameless mug", "regular_price": "5.00"})
    without_sku = woo_desk.store.orders.buy(id=created["id"], quantity=2)
    without_address = woo_desk.store.orders.buy(sku=woo_desk.shop.sku("MUG"), **_NOWHERE)

    woo_desk.poll(result="PARTIAL")

    assert woo_desk.fate(without_sku) == ("UNSAVABLE", "MissingSku")
    assert "Nameless mug" in woo_desk.row(without_sku)["message"]
    assert woo_desk.fate(without_address) == ("UNSAVABLE", "MissingAddress")

    sku = {"sku": woo_desk.shop.sku("NAMED")}
    woo_desk.store.shop({"do": "update", "id": created["id"], "fields": sku})
    woo_desk.store.orders.touch(without_sku)
    address = {"first_name": "Ada", "address_1": "1 Example Street", "country": "FR"}
    woo_desk.store.orders.edit(without_address, shipping=address)
    woo_desk.poll(result="SUCCEEDED")

    assert woo_desk.imported(without_sku)
    assert woo_desk.ours(without_address)["shippingAddress"]["line1"] == "1 Example Street"


@feature("A10", "T9", "T3")
def test_what_happens_next_and_when_is_told(woo_desk: Desk[WooStore]) -> None:
    """Not scheduled, scheduled at a time, paused: explain says which."""
    woo_desk.stock(MUG=50)
    order = woo_desk.place(("MUG", 1), is_paid=False)
    woo_desk.poll()
    name = woo_desk.shop.name

    def following() -> dict[str, Any]:
        [match] = woo_desk.explain(order)["matches"]
        found: dict[str, Any] = next(x for x in match["next"] if x["operation"] == "GET_ORDERS")
        return found

    assert following()["at"] is None
    woo_desk.shop.done("channel", "schedule", name, "get-orders", "--every", "1h")
    assert following()["at"] is not None
    woo_desk.shop.done("channel", "settings", name, "get-orders", "--pause")
    assert "paused" in following()["message"].lower()


# --- orders that change after the import


@feature("A11", "A19")
def test_before_anything_left_our_copy_follows_the_store(woo_desk: Desk[WooStore]) -> None:
    """Edited, partly refunded, canceled, trashed, deleted: the copy is as the store has it."""
    woo_desk.stock(MUG=50, CUP=50)
    orders, sku = woo_desk.store.orders, woo_desk.shop.sku
    names = ("edited", "refunded", "returned", "canceled", "trashed", "deleted")
    placed = {name: woo_desk.place(("MUG", 2), ("CUP", 1)) for name in names}
    woo_desk.poll(result="SUCCEEDED")
    orders.edit(
        placed["edited"],
        lines=[{"sku": sku("MUG"), "quantity": 3}],
        remove=[sku("CUP")],
        shipping={"city": "Lyon"},
    )
    orders.refund(placed["refunded"], lines=[{"sku": sku("MUG"), "quantity": 1}])
    orders.refund(placed["returned"])
    orders.cancel(placed["canceled"])
    orders.trash(placed["trashed"])
    orders.delete(placed["deleted"])

    woo_desk.poll(full=True)

    edited = woo_desk.ours(placed["edited"])
    assert woo_desk.units(placed["edited"]) == {"MUG": (0, 3), "CUP": (0, 0)}
    assert edited["shippingAddress"]["city"] == "Lyon"
    assert woo_desk.units(placed["refunded"]) == {"MUG": (0, 1), "CUP": (0, 1)}
    for name in ("returned", "canceled", "trashed", "deleted"):
        ours = woo_desk.ours(placed[name])
        assert ours["status"] == "CANCELED", name
        assert ours["canceledAt"], name
        refused = woo_desk.try_ship(placed[name])
        assert refused.codes() == ["ORDER_CANCELED"], (name, refused.text())
    for name in names:
        assert woo_desk.ours(placed[name])["hold"] is None, name
        assert woo_desk.fate(placed[name])[0] == "IMPORTED", name


@feature("A11", "T9")
def test_after_a_shipment_the_order_is_held_with_the_difference(woo_desk: Desk[WooStore]) -> None:
    """Edited, canceled, refunded or deleted there once something left: a person decides."""
    woo_desk.stock(MUG=50, CUP=50)
    orders, sku = woo_desk.store.orders, woo_desk.shop.sku
    names = ("edited", "moved", "refunded", "canceled", "trashed", "deleted")
    placed = {name: woo_desk.place(("MUG", 2), ("CUP", 1)) for name in names}
    woo_desk.poll(result="SUCCEEDED")
    for name in names:
        woo_desk.ship(placed[name], ("CUP", 1), tracking=f"1Z-{name}")
    woo_desk.settle()
    orders.edit(placed["edited"], lines=[{"sku": sku("MUG"), "quantity": 5}])
    orders.edit(placed["moved"], shipping={"city": "Secretville"})
    orders.refund(placed["refunded"], lines=[{"sku": sku("MUG"), "quantity": 1}])
    orders.cancel(placed["canceled"])
    orders.trash(placed["trashed"])
    orders.delete(placed["deleted"])

    woo_desk.poll(full=True)

    for name in names:
        hold = woo_desk.ours(placed[name])["hold"]
        is_over = name in {"canceled", "trashed", "deleted"}
        code = "CanceledAfterShipment" if is_over else "ChangedAfterShipment"
        assert hold is not None, name
        assert (hold["code"], hold["by"]) == (code, None), name
        assert "Secretville" not in str(hold), "numbers may be told, personal values never"
        assert woo_desk.units(placed[name])["CUP"] == (1, 0), name
        refused = woo_desk.try_ship(placed[name], ("MUG", 1))
        assert refused.code == 1, name
        assert len(woo_desk.told_of_gone(placed[name])) <= 1, name
    assert "5" in woo_desk.ours(placed["edited"])["hold"]["message"]
    assert woo_desk.units(placed["edited"])["MUG"] == (0, 2), "as imported until it is released"

    for name in ("edited", "moved", "refunded"):
        woo_desk.cli_done("release", placed[name].number)
        woo_desk.settle()
        woo_desk.poll(full=True)
        assert woo_desk.ours(placed[name])["hold"] is None, name
    assert woo_desk.units(placed["edited"])["MUG"] == (0, 5)
    assert woo_desk.units(placed["refunded"])["MUG"] == (0, 1)
    assert woo_desk.ours(placed["moved"])["shippingAddress"]["city"] == "Secretville"
    woo_desk.shipped(placed["edited"], ("MUG", 5), tracking="1Z-rest")
    assert woo_desk.ours(placed["edited"])["status"] == "SHIPPED"


@feature("A11")
def test_a_hold_of_the_rules_ends_with_the_difference(woo_desk: Desk[WooStore]) -> None:
    """Changed back there, the order goes on by itself; a person's hold stays until released."""
    woo_desk.stock(MUG=50)
    order, other = woo_desk.place(("MUG", 3)), woo_desk.place(("MUG", 1))
    woo_desk.poll(result="SUCCEEDED")
    woo_desk.shipped(order, ("MUG", 1))
    woo_desk.cli_done("hold", other.number, "--reason", "Customer calls back")
    line = {"sku": woo_desk.shop.sku("MUG")}
    woo_desk.store.orders.edit(order, lines=[{**line, "quantity": 4}])
    woo_desk.poll()
    assert woo_desk.ours(order)["hold"]["code"] == "ChangedAfterShipment"

    woo_desk.store.orders.edit(order, lines=[{**line, "quantity": 3}])
    woo_desk.poll()

    assert woo_desk.ours(order)["hold"] is None
    hold = woo_desk.ours(other)["hold"]
    assert (hold["message"], bool(hold["by"])) == ("Customer calls back", True)
    refused = woo_desk.try_ship(other)
    assert refused.codes() == ["ORDER_ON_HOLD"], refused.text()
    assert [row["number"] for row in woo_desk.rows("--on-hold")] == [other.number]
    woo_desk.cli_done("release", other.number)
    woo_desk.shipped(other)


# --- odd orders


@feature("A9", "A18")
def test_a_product_that_is_gone_does_not_cost_the_order(woo_desk: Desk[WooStore]) -> None:
    """Deleted before the import, the line has no SKU and says so; after it, nothing changes."""
    woo_desk.stock(MUG=50, CUP=50)
    early = woo_desk.place(("MUG", 2), ("CUP", 1))
    woo_desk.poll(result="SUCCEEDED")
    woo_desk.shop.add("GONE", quantity=9)
    late = woo_desk.place(("GONE", 1), ("CUP", 1))
    woo_desk.store.delete(woo_desk.shop.sku("GONE"))
    woo_desk.store.delete(woo_desk.shop.sku("MUG"))

    woo_desk.store.orders.touch(early)
    woo_desk.poll()

    assert woo_desk.fate(late) == ("UNSAVABLE", "MissingSku")
    assert "GONE" in woo_desk.row(late)["message"]
    assert woo_desk.row(late)["message"].count("line ") == 1, "only the line that lacks one"
    assert woo_desk.ours(early)["hold"] is None
    assert sum(line["remaining"] for line in woo_desk.ours(early)["lines"]) == 3
    woo_desk.shipped(early)
    assert woo_desk.ours(early)["status"] == "SHIPPED"


@feature("A9")
def test_nothing_ordered_and_another_currency_are_imported_as_they_are(
    woo_desk: Desk[WooStore],
) -> None:
    """Quantity zero needs no policy; dollars stay dollars, and the decision says so."""
    woo_desk.stock(MUG=50)
    orders, sku = woo_desk.store.orders, woo_desk.shop.sku("MUG")
    method = {"method_id": "unheard_of", "title": "Unheard of", "total": "4.90"}
    zero = orders.buy(sku=sku, quantity=2, shipping_method=method)
    orders.refund(zero, lines=[{"sku": sku, "quantity": 2}])
    empty = orders.buy(lines=[])
    dollars = orders.buy(sku=sku, currency="USD")

    run = woo_desk.poll(result="SUCCEEDED")

    assert woo_desk.ours(dollars)["currency"] == "USD"
    said = [each["reason"]["message"] for each in run.of("IMPORT_ORDER")]
    assert len([message for message in said if "USD" in message and "EUR" in message]) == 1
    for order in (zero, empty):
        assert woo_desk.imported(order)
        refused = woo_desk.try_ship(order)
        assert refused.code == 1, refused.answer
        assert set(refused.codes()) <= {"NOTHING_TO_SHIP", "DIGITAL"}, refused.text()


@feature("A9", "A10")
def test_one_number_on_two_channels_is_two_orders(platform: str, open_shop: Open) -> None:
    """Both are imported; who means one of them is asked which."""
    desks: list[Desk[Any]] = []
    for _ in range(2):
        shop = open_shop(platform)
        shop.connect()
        desk: Desk[Any] = Desk(shop)
        desk.map("flat_rate")
        desk.stock(MUG=9)
        desks.append(desk)
    first, second = desks
    number = f"SAME-{first.shop.tag}"
    one = first.place(("MUG", 1), number=number)
    two = second.place(("MUG", 2), number=number)
    for desk in desks:
        desk.poll(result="SUCCEEDED")

    said = first.shop.cli("orders", "show", number)

    assert said.codes() == ["AMBIGUOUS"]
    assert first.shop.name in said.text()
    assert second.shop.name in said.text()
    first.shipped(one)
    assert first.ours(one)["status"] == "SHIPPED"
    assert second.ours(two)["status"] == "OPEN"
    assert second.units(two) == {"MUG": (0, 2)}
    shown: Shop[Any] = first.shop
    assert shown.done("orders", "show", first.ours(one)["id"])["remoteId"] == one.id


@feature("A9")
def test_two_workers_with_the_same_page_import_each_order_once(
    woo_desk: Desk[WooStore], instance: Instance
) -> None:
    """One worker falls asleep with a page in its hands and wakes when another has imported it."""
    woo_desk.settle()
    woo_desk.shop.add("MUG", quantity=900)
    woo_desk.store.orders.many(250, sku=woo_desk.shop.sku("MUG"), quantity=1)
    match = {"method": "GET", "path_contains": "/wc/v3/orders", "nth": 2, "times": 1}
    woo_desk.store.fault("delay", seconds=1, match=match)
    since = woo_desk.store.serial()
    sleeper = instance.part("worker")
    run_id = woo_desk.shop.done("run", "get-orders", woo_desk.shop.name, "--no-wait")["id"]
    woo_desk.shop.wait(woo_desk.store.struck, "the second page is asked for")

    os.kill(sleeper, signal.SIGSTOP)
    try:
        with instance.second_worker():
            run = follow_run(woo_desk.shop.api, run_id)
            os.kill(sleeper, signal.SIGCONT)
            assert run["result"] == "SUCCEEDED", run
            woo_desk.poll(full=True, result="SUCCEEDED")
    finally:
        os.kill(sleeper, signal.SIGCONT)

    rows = woo_desk.rows("--limit", "1000")
    assert len(rows) == len({row["remoteId"] for row in rows}) == 250
    orders = woo_desk.rows("--status", "open", "--limit", "1000")
    assert len({row["order"]["id"] for row in orders}) == 250
    told = woo_desk.shop.done("items", "explain", woo_desk.shop.sku("MUG"))
    assert told["deductions"] is not None
    asked = [row for row in woo_desk.store.requests(since) if row["method"] == "GET"]
    assert len([row for row in asked if row["route"].endswith("/orders")]) <= 8

"""Orders out of the store: which are imported, what they bring, what reading them costs."""

import os
from collections import Counter
from typing import Any

import pytest

from tallyport.following import follow_run
from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.live import Instance
from tests.features.order_hands import moment
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_LIST = "GET /wp-json/wc/v3/orders"
_MANY = 5000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 2000
"""`make test` keeps to what a busy machine reads in seconds; `make test-deep` reads them all."""


# --- which


@feature("A9")
def test_new_orders_are_imported_once(desk: Desk[Any]) -> None:
    """Each run brings what is new; an order that is here already comes no second time."""
    desk.stock(MUG=20)
    first = desk.place(("MUG", 2))

    run = desk.poll(result="SUCCEEDED")

    assert run["report"]["orders"]["imported"] == 1, run["report"]
    assert desk.imported(first)
    assert desk.poll(result="SUCCEEDED").kinds() == {}
    second = desk.place(("MUG", 1))
    assert desk.poll(result="SUCCEEDED").kinds("APPLIED") == {"IMPORT_ORDER": 1}
    assert desk.poll(full=True, result="SUCCEEDED").kinds() == {}
    numbers = [row["number"] for row in desk.rows("--status", "open")]
    assert sorted(numbers) == sorted([first.number, second.number])


@feature("A9", "W10", "T9")
def test_only_orders_in_the_chosen_statuses_are_imported(woo_desk: Desk[WooStore]) -> None:
    """What is not selected is kept with its reason; a wider filter lets it in by itself."""
    woo_desk.stock(MUG=20)
    orders = woo_desk.store.orders
    paid = woo_desk.place(("MUG", 1))
    waiting = woo_desk.place(("MUG", 1), is_paid=False)
    done = orders.buy(sku=woo_desk.shop.sku("MUG"), status="completed")

    run = woo_desk.poll(result="SUCCEEDED")

    assert woo_desk.imported(paid)
    for order in (waiting, done):
        assert woo_desk.fate(order) == ("SKIPPED", "StatusNotSelected")
    assert "imported are processing" in woo_desk.row(waiting)["message"]
    assert (run["report"]["orders"]["imported"], run["report"]["orders"]["skipped"]) == (1, 2)

    woo_desk.settings("get-orders", statuses="processing, wc-completed")
    woo_desk.shop.wait(lambda: woo_desk.imported(done), "the wider filter lets it in by itself")

    orders.pay(waiting)
    woo_desk.poll(result="SUCCEEDED")
    assert woo_desk.imported(waiting), "paid later, imported later"
    wrong = woo_desk.shop.cli(
        "channel", "settings", woo_desk.shop.name, "get-orders", "--set", "statuses=pr!ocessing"
    )
    assert wrong.code == 1
    assert "on-hold" in wrong.text(), wrong.text()


@feature("A9", "W10", "A10")
def test_orders_older_than_the_chosen_days_are_left_out(woo_desk: Desk[WooStore]) -> None:
    """X days count at first sight only, both dates are named, and more days let it in."""
    woo_desk.stock(MUG=20)
    old = woo_desk.place(("MUG", 1), days_ago=20)
    young = woo_desk.place(("MUG", 1), days_ago=13)

    woo_desk.poll(result="SUCCEEDED")

    assert woo_desk.imported(young)
    assert woo_desk.fate(old) == ("SKIPPED", "TooOld")
    message = woo_desk.row(old)["message"]
    assert moment(20)[:10] in message
    assert moment(0)[:10] in message
    assert "14" in message
    woo_desk.store.orders.touch(old)
    woo_desk.poll(result="SUCCEEDED")
    assert woo_desk.fate(old) == ("SKIPPED", "TooOld"), "a change there makes it no younger"

    woo_desk.settings("get-orders", days="30")
    woo_desk.shop.wait(lambda: woo_desk.imported(old), "more days let it in by themselves")


@feature("A9", "W10")
def test_thousands_of_orders_cost_one_request_per_hundred(open_shop: Open) -> None:
    """N orders are ceil(N / 100) list requests and none per order; when nothing is new, one."""
    shop: Shop[WooStore] = open_shop()
    shop.connect()
    desk = Desk(shop)
    desk.map("flat_rate")
    desk.settle()
    shop.add("MUG", quantity=2 * _MANY)
    desk.store.orders.many(_MANY, sku=shop.sku("MUG"), quantity=1)
    shop.done("channel", "check", shop.name)
    since = shop.store.serial()

    run_id = shop.done("run", "get-orders", shop.name, "--no-wait")["id"]
    run = follow_run(shop.api, run_id)

    assert run["result"] == "SUCCEEDED", run
    assert run["report"]["orders"]["imported"] == _MANY
    asked = Counter(row["route"] for row in shop.store.requests(since))
    assert asked == {_LIST: _MANY // 100}
    since = shop.store.serial()
    follow_run(shop.api, shop.done("run", "get-orders", shop.name, "--no-wait")["id"])
    assert all("orders" in row["route"] for row in shop.store.requests(since))


@feature("A9")
def test_a_store_that_answers_badly_loses_no_order(open_shop: Open) -> None:
    """HTML, errors, garbage, cut, empty and repeated pages: the next polls have every order."""
    faults: dict[str, dict[str, Any]] = {
        "html": {"effect": "html"},
        "status 500": {"effect": "status", "status": 500},
        "garbage": {"effect": "garbage"},
        "cut page": {"effect": "cut_page"},
        "empty": {"effect": "empty"},
        "reset": {"effect": "reset"},
        "repeated page": {"effect": "repeat_page", "nth": 2},
    }
    desks: dict[str, tuple[Desk[WooStore], str]] = {}
    for name, fault in faults.items():
        shop: Shop[WooStore] = open_shop()
        shop.connect()
        desk = Desk(shop)
        desk.map("flat_rate")
        desk.settle()
        shop.add("MUG", quantity=900)
        desk.store.orders.many(230, sku=shop.sku("MUG"), quantity=1)
        match = {"method": "GET", "path_contains": "/wc/v3/orders", "times": 1}
        match |= {"nth": fault.pop("nth")} if "nth" in fault else {}
        shop.store.fault(**fault, match=match)
        desks[name] = (desk, shop.done("run", "get-orders", shop.name, "--no-wait")["id"])

    document = "query ($channel: ID!) { orderCounts(channel: $channel) { imported pending } }"
    for name, (desk, run_id) in desks.items():
        run = follow_run(desk.shop.api, run_id)
        assert run["result"] in {"SUCCEEDED", "PARTIAL", "FAILED"}, name
        if run["result"] == "FAILED":
            assert run["error"]["message"], name
            again = desk.shop.done("run", "get-orders", desk.shop.name, "--no-wait")["id"]
            assert follow_run(desk.shop.api, again)["result"] == "SUCCEEDED", name
        assert desk.store.struck() == 1, name
        counts = desk.shop.api.query(document, {"channel": desk.shop.channel_id})["orderCounts"]
        assert counts == {"imported": 230, "pending": 0}, name


# --- what they bring


@feature("A19")
def test_an_imported_order_has_all_its_content(woo_desk: Desk[WooStore]) -> None:
    """Statuses, currency, dates, total, e-mail, both addresses, note, method, lines with fields."""
    woo_desk.stock(MUG=20, CUP=20)
    sku = woo_desk.shop.sku
    order = woo_desk.store.orders.buy(
        lines=[
            {"sku": sku("MUG"), "quantity": 2, "total": "19.80", "meta": {"Engraving": "For Bo"}},
            {"sku": sku("CUP"), "quantity": 1, "total": "4.05"},
        ],
        number="SO-1001",
        ordered_at=moment(2),
        billing={"first_name": "Billa", "city": "Turin", "country": "IT", "email": "b@example.com"},
        shipping={
            "first_name": "Shipley",
            "last_name": "Road",
            "address_1": "2 Long Road",
            "city": "Porto",
            "postcode": "4000",
            "country": "PT",
        },
        shipping_method={"method_id": "flat_rate", "instance_id": "1", "title": "By cart"},
        customer_note="Ring twice",
    )

    woo_desk.poll(result="SUCCEEDED")

    ours = woo_desk.ours(order)
    assert (ours["number"], ours["status"], ours["payment"]) == ("SO-1001", "OPEN", "PAID")
    assert (ours["currency"], ours["total"]) == ("EUR", woo_desk.store.orders.book(order)["total"])
    assert ours["orderedAt"].startswith(moment(2)[:13])
    assert ours["email"] == "b@example.com"
    assert (ours["billingAddress"]["firstName"], ours["billingAddress"]["city"]) == (
        "Billa",
        "Turin",
    )
    shown = ours["shippingAddress"]
    assert (shown["lastName"], shown["line1"], shown["postalCode"], shown["country"]) == (
        "Road",
        "2 Long Road",
        "4000",
        "PT",
    )
    assert (ours["note"], ours["shippingText"]) == ("Ring twice", "By cart")
    assert (ours["shippingPolicy"], ours["isDigital"]) == ("Standard", False)
    mug, cup = ours["lines"]
    assert (mug["sku"], mug["quantity"], mug["remaining"]) == (sku("MUG"), 2, 2)
    assert (float(mug["unitPrice"]), float(mug["total"])) == (9.9, 19.8)
    assert mug["customFields"] == {"Engraving": "For Bo"}
    assert (cup["customFields"], cup["isDigital"], cup["isLinked"]) == ({}, False, True)
    row = woo_desk.row(order)
    assert (row["status"], row["stage"], row["gone"]) == ("processing", "OPEN", None)


@feature("T13", "A13", "T4")
def test_data_that_is_not_there_says_why(woo_desk: Desk[WooStore]) -> None:
    """A field switched off in the template and one the shopper left empty are told apart."""
    woo_desk.stock(MUG=20)
    name = woo_desk.shop.name
    woo_desk.shop.done("channel", "template", name, "get-orders", "--disable", "email")
    order = woo_desk.place(("MUG", 1))

    woo_desk.poll(result="SUCCEEDED")

    ours = woo_desk.ours(order)
    assert ours["email"] is None
    missing = {each["field"]: each for each in ours["missingFields"]}
    causes = {field.lower(): each["cause"] for field, each in missing.items()}
    assert causes["email"] == "DISABLED"
    assert causes["note"] == "EMPTY"
    assert all(each["message"] for each in missing.values())
    assert "Missing" in woo_desk.why(order)

    woo_desk.shop.done("channel", "template", name, "get-orders", "--reset")
    woo_desk.shop.wait(
        lambda: woo_desk.ours(order)["email"] == "ada@example.com",
        "switched on again, the field is filled by itself",
    )


@feature("A18")
def test_lines_find_our_variants_by_link_and_else_by_sku(woo_desk: Desk[WooStore]) -> None:
    """A linked product is known by its ids whatever its SKU has become; strangers are marked."""
    woo_desk.stock(MUG=20, CUP=20)
    woo_desk.shop.add("OTHER", quantity=3)
    renamed = {"sku": woo_desk.shop.sku("RENAMED")}
    woo_desk.store.shop({"do": "update", "sku": woo_desk.shop.sku("MUG"), "fields": renamed})
    order = woo_desk.place(("RENAMED", 1), ("CUP", 1), ("OTHER", 1))

    woo_desk.poll(result="SUCCEEDED")

    lines = {
        line["sku"].removeprefix(woo_desk.shop.tag): line["isLinked"]
        for line in woo_desk.ours(order)["lines"]
    }
    assert set(lines.values()) == {True, False}
    assert lines["CUP"] is True
    assert lines["OTHER"] is False
    [mug] = woo_desk.shop.done("items", "explain", woo_desk.shop.sku("MUG"))["deductions"]
    assert mug["units"] == 1, "the renamed product's sale counts for the SKU it is linked to"


@feature("A9", "A8")
def test_an_order_of_digital_goods_needs_neither_address_nor_policy(
    woo_desk: Desk[WooStore],
) -> None:
    """It is imported as digital, nothing of it can be shipped, and it says so."""
    sku = woo_desk.shop.sku("SONG")
    woo_desk.store.create({"name": "Song", "sku": sku, "regular_price": "1.00", "virtual": True})
    order = woo_desk.store.orders.buy(sku=sku, quantity=1)

    woo_desk.poll(result="SUCCEEDED")

    ours = woo_desk.ours(order)
    assert (ours["isDigital"], ours["shippingPolicy"]) == (True, None)
    refused = woo_desk.try_ship(order)
    assert refused.codes() == ["DIGITAL"], refused.text()


# --- shipping mappings


@feature("A8", "W10", "A10")
def test_an_unmapped_order_is_held_and_imports_by_itself_once_mapped(desk: Desk[Any]) -> None:
    """The reason names text and remedy, the text is listed first, and nobody has to run a thing."""
    desk.stock(MUG=20)
    order = desk.place(("MUG", 1), shipping="local_pickup:7")
    other = desk.place(("MUG", 1))

    run = desk.poll(result="PARTIAL")

    assert run["report"]["orders"]["held"] == 1
    assert desk.fate(order) == ("HELD", "UnmappedShipping")
    assert desk.imported(other)
    for said in (desk.row(order)["message"], desk.why(order)):
        assert "local_pickup" in said
    assert "mappings set" in desk.row(order)["message"]
    seen = desk.shop.done("mappings", "list", "--seen", "--channel", desk.shop.name)
    assert seen[0]["policy"] is None
    assert {row["text"] for row in seen if row["heldOrders"]} <= {"local_pickup:7", "local_pickup"}
    assert any(row["heldOrders"] == 1 for row in seen)

    desk.map("local_pickup", "Counter")

    desk.shop.wait(lambda: desk.imported(order), "the mapped order imports by itself")
    assert desk.ours(order)["shippingPolicy"] == "Counter"


@feature("A8", "W10")
def test_a_method_with_its_instance_wins_over_the_method_alone(woo_desk: Desk[WooStore]) -> None:
    """Texts are exact: `flat_rate:3` before `flat_rate`, and nothing in another case."""
    woo_desk.stock(MUG=20)
    woo_desk.map("flat_rate:3", "Express")
    woo_desk.map("Free_Shipping", "Wrong case")
    third = woo_desk.place(("MUG", 1), shipping="flat_rate:3")
    first = woo_desk.place(("MUG", 1), shipping="flat_rate:1")
    free = woo_desk.place(("MUG", 1), shipping="free_shipping:1")

    woo_desk.poll(result="PARTIAL")

    assert woo_desk.ours(third)["shippingPolicy"] == "Express"
    assert woo_desk.ours(first)["shippingPolicy"] == "Standard"
    assert woo_desk.fate(free) == ("HELD", "UnmappedShipping")
    woo_desk.shop.done("mappings", "remove", woo_desk.shop.name, "flat_rate:3")
    later = woo_desk.place(("MUG", 1), shipping="flat_rate:3")
    woo_desk.poll()
    assert woo_desk.ours(later)["shippingPolicy"] == "Standard"
    assert woo_desk.ours(third)["shippingPolicy"] == "Express", "what is imported stays"


@feature("A8", "W10")
def test_an_order_without_a_method_is_mapped_by_the_empty_text(woo_desk: Desk[WooStore]) -> None:
    """Physical goods without a shipping method are held until the empty text is mapped."""
    woo_desk.stock(MUG=20)
    address = {"first_name": "Ada", "address_1": "1 Example Street", "country": "FR"}
    order = woo_desk.store.orders.buy(
        sku=woo_desk.shop.sku("MUG"), shipping_method=None, shipping=address
    )

    woo_desk.poll()

    assert woo_desk.fate(order) == ("HELD", "UnmappedShipping")
    woo_desk.map("", "Ask the customer")
    woo_desk.shop.wait(lambda: woo_desk.imported(order), "the empty text is mapped")
    assert woo_desk.ours(order)["shippingPolicy"] == "Ask the customer"


# --- personal data


@feature("A20")
def test_personal_data_is_erased_when_its_time_has_come(
    woo_desk: Desk[WooStore], instance: Instance
) -> None:
    """30 days after the last shipment nothing of the customer is left here.

    An order that never shipped keeps it and says so, and a later poll brings nothing back.
    """
    woo_desk.stock(MUG=20)
    woo_desk.settings("get-orders", days="0")
    person = {"first_name": "Zerlina", "address_1": "9 Gone Lane", "city": "Oslo", "country": "NO"}
    words = {"sku": woo_desk.shop.sku("MUG"), "shipping": person, "ordered_at": moment(50)}
    words["billing"] = {**person, "email": "zerlina@example.com"}
    shipped, kept, young = (woo_desk.store.orders.buy(**words) for _ in range(3))
    woo_desk.settle()
    woo_desk.poll(result="SUCCEEDED")
    woo_desk.shipped(shipped, shipped_at=moment(40))
    woo_desk.shipped(young, shipped_at=moment(10))
    woo_desk.shop.edit("--retention-days", "30")
    assert "never" in woo_desk.ours(kept)["retention"]["message"].lower()

    instance.kill_part("worker")  # what cleans up hourly begins with it

    woo_desk.shop.wait(
        lambda: woo_desk.ours(shipped)["retention"]["erasedAt"], "the data is erased"
    )
    for told in (woo_desk.row(shipped), woo_desk.explain(shipped)):
        assert "Zerlina" not in str(told)
        assert "zerlina" not in str(told)
        assert "Gone Lane" not in str(told)
    for order in (kept, young):
        ours = woo_desk.ours(order)
        assert ours["email"] == "zerlina@example.com"
        assert ours["shippingAddress"]["firstName"] == "Zerlina"
    assert woo_desk.ours(young)["retention"]["erasesAt"][:10] == moment(-20)[:10]

    woo_desk.store.orders.touch(shipped)
    woo_desk.poll(full=True)
    ours = woo_desk.ours(shipped)
    assert (ours["email"], ours["shippingAddress"], ours["status"]) == (None, None, "SHIPPED")
    assert ours["hold"] is None, "that the address is gone is no change of the order"


@pytest.mark.parametrize("days", ["45", "0"])
@feature("A20")
def test_only_the_offered_retentions_are_taken(woo: Shop[WooStore], days: str) -> None:
    """Personal data is kept without end, or 30, 60 or 90 days."""
    said = woo.cli("channel", "edit", woo.name, "--retention-days", days)

    assert said.code in {1, 2}
    assert woo.channel()["retentionDays"] is None
    for kept, expected in (("60", 60), ("90", 90), ("never", None)):
        woo.edit("--retention-days", kept)
        assert woo.channel()["retentionDays"] == expected

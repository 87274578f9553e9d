"""What an imported order brings, what is missing of it and why, and when it is forgotten."""

import pytest

from tests.features.desk import Desk
from tests.features.live import Instance
from tests.features.order_hands import moment
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore


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
    for told in (woo_desk.row(shipped), woo_desk.explain(shipped), instance.log):
        assert "zerlina" not in str(told).lower()
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

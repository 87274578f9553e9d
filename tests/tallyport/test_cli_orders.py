"""The command line of orders against a running instance and two stores, told as one shop's days."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from tallyport.demo.stores import Goods, Sale, Unit, WooCommerceStore

_CATALOG = """\
sku,title,list_price,currency,quantity
ORD-1,First,10.00,EUR,50
ORD-2,Second,11.00,EUR,60
"""


@dataclass(frozen=True)
class Desk:
    """An instance with two channels, `first` and `second`, and the orders of the first by name."""

    instance: Any
    store: WooCommerceStore
    orders: dict[str, str]

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json and return what it says."""
        return self.instance.json(*arguments, code=code)

    def run(self, *arguments: str) -> Any:
        """Run a command for a person."""
        return self.instance.run(*arguments)

    def number(self, name: str) -> str:
        """The number of an order."""
        return self.store.orders()[self.orders[name]].number

    def seen(self, name: str) -> Any:
        """An order as `orders show` has it."""
        return self.json("orders", "show", self.number(name), "--channel", "first")

    def told(self, name: str) -> list[str]:
        """What the store was told of shipments."""
        return list(self.store.orders()[self.orders[name]].told)


def _sets(credentials: dict[str, str]) -> list[str]:
    return [part for name, value in credentials.items() for part in ("--set", f"{name}={value}")]


def _within(check: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.fixture(scope="module")
def desk(
    instance: Any, start_process: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """Two stores with the same goods, orders of every kind in the first, one poll of both."""
    home = tmp_path_factory.mktemp("desk")
    shops = [
        start_process(["sandbox", "woocommerce", "--json"], {}, home / f"{n}.log") for n in (1, 2)
    ]
    try:
        first, second = (WooCommerceStore(str(shop.said["url"])) for shop in shops)
        for store in (first, second):
            for sku, price in (("ORD-1", "10.00"), ("ORD-2", "11.00")):
                store.add(Goods(sku, (Unit(sku, Decimal(price), 50),)))
        file = home / "catalog.csv"
        file.write_text(_CATALOG)
        for name, shop in zip(("first", "second"), shops, strict=True):
            credentials: Any = shop.said["credentials"]
            instance.json("channel", "connect", name, "-p", "woocommerce", *_sets(credentials))
            instance.json("listings", "import", str(file), "--channel", name)
            assert instance.json("run", "sync", name, "--full")["result"] == "SUCCEEDED"
        orders = {
            "parts": first.sell(Sale((("ORD-1", 3), ("ORD-2", 1)), "flat_rate")),
            "whole": first.sell(Sale((("ORD-1", 1),), "flat_rate")),
            "closed": first.sell(Sale((("ORD-2", 1),), "flat_rate")),
            "held": first.sell(Sale((("ORD-1", 2),), "local_pickup")),
            "unpaid": first.sell(Sale((("ORD-2", 1),), "flat_rate", is_paid=False)),
            "typed": first.sell(Sale(((None, 1),), "flat_rate")),
        }
        second.sell(Sale((("ORD-2", 1),), "flat_rate"))
        instance.json("mappings", "set", "first", "flat_rate", "Standard")
        instance.json("run", "get-orders", "first", code=3)
        instance.json("run", "get-orders", "second", code=3)
        yield Desk(instance, first, orders)
        for name in ("first", "second"):
            instance.json("channel", "remove", name, "--yes")
    finally:
        for shop in shops:
            shop.stop()


def test_the_list_has_every_order_with_its_verdict(desk: Desk) -> None:
    """Imported ones show what left of them, the others why they are not imported."""
    rows = {row["remoteId"]: row for row in desk.json("orders", "list", "--channel", "first")}
    verdicts = {name: rows[key]["verdict"] for name, key in desk.orders.items()}

    assert verdicts == {
        **dict.fromkeys(("parts", "whole", "closed"), "IMPORTED"),
        "held": "HELD",
        "unpaid": "SKIPPED",
        "typed": "UNSAVABLE",
    }
    assert rows[desk.orders["held"]]["reason"] == "UnmappedShipping"
    result = desk.run("orders", "list", "--channel", "first")
    assert "0/4" in result.stdout
    assert "UnmappedShipping" in result.stdout
    assert "local_pickup" in result.stdout


def test_the_list_is_narrowed_by_verdict_reason_status_and_number(desk: Desk) -> None:
    """Each option alone, and what cannot be combined is a usage error."""
    first = ("orders", "list", "--channel", "first")
    (row,) = desk.json(*first, "--verdict", "held")
    assert row["remoteId"] == desk.orders["held"]
    (row,) = desk.json(*first, "--reason", "StatusNotSelected")
    assert row["remoteId"] == desk.orders["unpaid"]
    (row,) = desk.json(*first, "--number", desk.number("whole"))
    assert row["order"]["status"] == "OPEN"
    assert len(desk.json(*first, "--status", "open")) == 3
    assert desk.run(*first, "--status", "open", "--verdict", "held").exit_code == 2


def test_what_needs_a_person_is_listed(desk: Desk) -> None:
    """`--attention` chooses it, and the channel says how much there is for which reason."""
    listed = desk.json("orders", "list", "-c", "first", "--attention")

    assert {row["remoteId"] for row in listed} == {desk.orders["held"], desk.orders["typed"]}
    assert desk.run("orders", "list", "--attention", "--on-hold").exit_code == 2
    shown = desk.run("channel", "show", "first").stdout
    assert "Needs a person" in shown
    assert "UnmappedShipping 1" in shown


def test_a_channel_shows_how_many_orders_it_has_of_each_verdict(desk: Desk) -> None:
    """`channel show` counts what was seen, as the list has it."""
    shown = desk.json("channel", "show", "first")
    listed = [row["verdict"] for row in desk.json("orders", "list", "-c", "first")]

    for verdict in ("IMPORTED", "HELD", "SKIPPED", "UNSAVABLE"):
        assert shown["orderCounts"][verdict.lower()] == listed.count(verdict)
    assert f"{listed.count('HELD')} held" in desk.run("channel", "show", "first").stdout


def test_one_order_is_shown_with_lines_and_reason(desk: Desk) -> None:
    """An imported one has lines and what remains; one that is held says what to map."""
    shown = desk.run("orders", "show", desk.number("parts"), "--channel", "first")
    assert shown.exit_code == 0, shown.output
    assert "ORD-2" in shown.stdout
    assert "Standard" in shown.stdout
    held = desk.run("orders", "show", desk.number("held"), "--channel", "first")
    assert held.exit_code == 0, held.output
    assert "UnmappedShipping" in held.stdout


def test_an_order_that_is_not_imported_cannot_be_shipped(desk: Desk) -> None:
    """The refusal says why it is not imported."""
    number = desk.number("held")
    answer = desk.json("orders", "ship", number, "-c", "first", "--tracking", "T", code=1)

    assert answer["errors"][0]["code"] == "NOT_IMPORTED"
    assert "local_pickup" in answer["errors"][0]["message"]


def test_a_number_on_two_channels_is_asked_about(desk: Desk) -> None:
    """Both channels are named; with --channel it is clear."""
    numbers = {row["number"]: row for row in desk.json("orders", "list", "-c", "second")}
    both = [name for name in desk.orders if desk.number(name) in numbers]
    if not both:
        pytest.fail("the two stores were to share an order number")
    answer = desk.json("orders", "show", desk.number(both[0]), code=1)

    assert answer["errors"][0]["code"] == "AMBIGUOUS"
    assert "first" in answer["errors"][0]["message"]
    assert "second" in answer["errors"][0]["message"]
    answer = desk.json("orders", "explain", desk.number(both[0]), code=1)
    assert answer["errors"][0]["code"] == "AMBIGUOUS"
    assert desk.seen(both[0])["remoteId"] == desk.orders[both[0]]


def test_an_id_is_as_good_as_a_number(desk: Desk) -> None:
    """The ids that --json shows name orders too."""
    order = desk.seen("whole")["order"]

    assert desk.json("orders", "show", order["id"])["remoteId"] == desk.orders["whole"]
    told = desk.json("orders", "explain", order["id"], "-c", "first")
    assert (told["number"], told["channel"]) == (desk.number("whole"), "first")


def test_texts_seen_and_not_mapped_come_first(desk: Desk) -> None:
    """`mappings list --seen` leads with what orders wait for, and says how many."""
    rows = desk.json("mappings", "list", "--seen", "--channel", "first")
    pickup = next(row for row in rows if "local_pickup" in row["text"])

    assert rows[0]["policy"] is None
    assert (pickup["policy"], pickup["heldOrders"]) == (None, 1)
    assert [row["policy"] is None for row in rows] == sorted(
        (row["policy"] is None for row in rows), reverse=True
    )
    result = desk.run("mappings", "list", "--seen")
    assert "not mapped" in result.stdout
    # The text proposed is one that an order waits for, and not the other key of a mapped method.
    assert rows[0]["heldOrders"] == 1
    assert "mappings set first local_pickup" in result.stderr


def test_a_mapping_lets_the_held_order_in_by_itself(desk: Desk) -> None:
    """Nothing but `mappings set` is needed; explain then says that it is imported."""
    number = desk.number("held")
    before = desk.run("orders", "explain", number, "--channel", "first")
    assert before.exit_code == 0, before.output
    assert "mappings set" in before.stdout
    desk.json("mappings", "set", "first", "local_pickup", "Pickup")

    assert _within(lambda: desk.seen("held")["verdict"] == "IMPORTED")
    (mapping,) = [row for row in desk.json("mappings", "list") if row["text"] == "local_pickup"]
    assert mapping["policy"] == "Pickup"
    (match,) = desk.json("orders", "explain", number, "--channel", "first")["matches"]
    assert match["order"]["status"] == "OPEN"
    assert match["steps"]


def test_a_mapping_is_removed_once(desk: Desk) -> None:
    """The empty text can be mapped, one nobody named is told; a second removal is refused."""
    result = desk.run("mappings", "set", "first", "", "Letter")
    assert "no order has named this text" in result.stderr
    desk.json("mappings", "remove", "first", "")
    answer = desk.json("mappings", "remove", "first", "", code=1)

    assert answer["errors"][0]["code"] == "NOT_FOUND"


def test_a_number_nobody_has_is_looked_up(desk: Desk) -> None:
    """Explain waits for the look-up and says that the channel has no such order."""
    answer = desk.json("orders", "explain", "987654", "--channel", "first")

    assert not answer["isSeen"]
    assert answer["lookup"]["state"] == "REPORTED"
    result = desk.run("orders", "explain", "987654", "--channel", "first")
    assert result.exit_code == 0, result.output
    assert "has not been seen" in result.stdout


def test_a_lookup_that_cannot_be_made_is_no_answer(desk: Desk) -> None:
    """On a paused channel explain says so and ends with 3."""
    desk.json("channel", "pause", "first")
    result = desk.run("orders", "explain", "987655", "--channel", "first")
    desk.json("channel", "resume", "first")

    assert result.exit_code == 3, result.output
    assert "paused" in result.stdout


def test_an_order_no_poll_has_seen_is_found_by_its_number(desk: Desk) -> None:
    """`orders lookup` brings it in, and it is decided like any other."""
    desk.orders["late"] = desk.store.sell(Sale((("ORD-2", 1),), "flat_rate"))
    run = desk.json("orders", "lookup", desk.number("late"), "--channel", "first")

    assert run["lookup"] == desk.number("late")
    assert [row["verdict"] for row in run["orders"]] == ["IMPORTED"]
    assert desk.seen("late")["verdict"] == "IMPORTED"


def test_an_order_leaves_in_parts_and_its_tracking_is_on_the_store(desk: Desk) -> None:
    """Two shipments by SKU, each told to the store by itself; the same reference is one of them."""
    number = desk.number("parts")
    part = ("orders", "ship", number, "-c", "first", "--line", "ORD-1=2", "--reference", "r-1")
    made = desk.json(*part, "--tracking", "PART-1", "--carrier", "DHL")
    again = desk.json(*part, "--tracking", "PART-1", "--carrier", "DHL")
    assert made["id"] == again["id"]
    assert desk.seen("parts")["order"]["status"] == "PARTIALLY_SHIPPED"
    desk.json("orders", "ship", number, "-c", "first", "--tracking", "PART-2")

    assert _within(lambda: len(desk.told("parts")) == 2)
    assert sorted("PART-1" in text for text in desk.told("parts")) == [False, True]
    assert _within(
        lambda: all(each["state"] == "PUSHED" for each in desk.seen("parts")["order"]["shipments"])
    )
    assert desk.seen("parts")["order"]["status"] == "SHIPPED"
    listed = desk.run("orders", "list", "--channel", "first", "--number", number)
    assert "4/4" in listed.stdout


def test_what_cannot_be_shipped_is_refused(desk: Desk) -> None:
    """Too many, without tracking, an unknown line, both ways of tracking, a number that is none."""
    ship = ("orders", "ship", desk.number("whole"), "-c", "first")
    answer = desk.json(*ship, "--line", "ORD-1=9", "--tracking", "T", code=1)
    assert answer["errors"][0]["code"] == "BEYOND_ORDERED"
    (error,) = desk.json(*ship, code=1)["errors"]
    assert error["code"] == "TRACKING_MISSING"
    assert "--no-tracking" in error["message"]
    answer = desk.json(*ship, "--line", "NO-SUCH=1", "--tracking", "T", code=1)
    assert "ORD-1" in answer["errors"][0]["message"]
    assert desk.run(*ship, "--tracking", "T", "--no-tracking").exit_code == 2
    assert desk.run(*ship, "--line", "ORD-1=x", "--tracking", "T").exit_code == 2


def test_an_order_on_hold_stays_until_it_is_released(desk: Desk) -> None:
    """Hold refuses shipping and is listed; release lets it leave."""
    number = desk.number("whole")
    held = desk.json("orders", "hold", number, "-c", "first", "--reason", "address in doubt")
    assert held["hold"]["message"]
    (row,) = desk.json("orders", "list", "--on-hold", "-c", "first")
    assert row["remoteId"] == desk.orders["whole"]
    answer = desk.json("orders", "ship", number, "-c", "first", "--tracking", "T", code=1)
    assert answer["errors"][0]["code"] == "ORDER_ON_HOLD"
    assert desk.json("orders", "release", number, "-c", "first")["hold"] is None
    assert desk.json("orders", "hold", number, "-c", "first")["hold"]["message"]
    assert desk.json("orders", "release", number, "-c", "first")["hold"] is None
    assert desk.json("orders", "list", "--on-hold") == []


def test_a_run_of_sync_orders_shows_the_order_and_its_tracking(desk: Desk) -> None:
    """While the operation rests a shipment waits and can be taken back; a run then pushes one."""
    desk.json("channel", "settings", "first", "sync-orders", "--pause")
    number = desk.number("whole")
    ship = ("orders", "ship", number, "-c", "first", "--no-tracking")
    wrong = desk.json(*ship)
    assert desk.json("orders", "void", wrong["id"])["state"] == "VOID"
    assert desk.json("orders", "void", wrong["id"], code=1)["errors"]
    desk.json("orders", "ship", number, "-c", "first", "--tracking", "RUN-1")
    desk.json("channel", "settings", "first", "sync-orders", "--resume")
    desk.json("run", "sync-orders", "first", "--order", number)

    assert _within(lambda: len(desk.told("whole")) == 1)
    assert "RUN-1" in desk.told("whole")[0]
    fulfilled = [
        action
        for run in desk.json("runs", "list", "--channel", "first")
        for action in desk.json("runs", "show", run["id"])["actions"]
        if (action["kind"], action["state"]) == ("FULFILL", "APPLIED")
        and action["remoteOrder"]["number"] == number
    ]
    assert [action["shipment"]["trackingNumber"] for action in fulfilled] == ["RUN-1"]


def test_a_shipment_that_does_not_arrive_stands_in_the_list(desk: Desk) -> None:
    """With the reason, among what needs a person, until the cause is mended."""
    desk.orders["stuck"] = desk.store.sell(Sale((("ORD-2", 1),), "flat_rate"))
    number = desk.number("stuck")
    desk.json("orders", "lookup", number, "--channel", "first")
    settings = ("channel", "settings", "first", "sync-orders", "--set")
    desk.json(*settings, "tracking=fulfillments")
    desk.json("orders", "ship", number, "-c", "first", "--tracking", "LATE-1")

    def stuck() -> list[str]:
        rows = desk.json("orders", "list", "-c", "first", "--attention")
        return [
            each["reason"] for row in rows if row["number"] == number for each in row["conditions"]
        ]

    assert _within(lambda: stuck() != [])
    result = desk.run("orders", "list", "-c", "first", "--number", number)
    assert stuck()[0] in result.stdout
    assert "not enabled" in result.stdout
    desk.json(*settings, "tracking=note")
    assert _within(lambda: len(desk.told("stuck")) == 1)
    assert _within(lambda: stuck() == [])


def test_a_closed_order_takes_no_stock_and_no_shipment(desk: Desk) -> None:
    """Close ends it here; shipping is refused."""
    number = desk.number("closed")
    assert desk.json("orders", "close", number, "-c", "first")["status"] == "CLOSED"
    answer = desk.json("orders", "ship", number, "-c", "first", "--tracking", "T", code=1)

    assert answer["errors"][0]["code"] == "ORDER_CLOSED"


def test_the_quantity_is_explained_down_to_the_orders(desk: Desk) -> None:
    """Stated less what every order takes off is what each channel is told."""
    answer = desk.json("items", "explain", "ORD-2")
    item = answer["item"]
    counted = sum(each["units"] for each in answer["deductions"] if each["counts"])

    assert (item["stated"], item["deducted"]) == (60, counted)
    assert {each["quantityExplanation"]["wanted"] for each in answer["channels"]} == {60 - counted}
    result = desk.run("items", "explain", "ORD-2")
    assert result.exit_code == 0, result.output
    assert f"order {desk.number('unpaid')} on first" in result.stdout
    assert "60  stated" in result.stdout
    assert desk.json("items", "explain", "NO-SUCH", code=1)["errors"][0]["code"] == "NOT_FOUND"


def test_retention_is_set_in_days_or_never(desk: Desk) -> None:
    """30, 60, 90 or never; anything else is refused."""
    edit = ("channel", "edit", "first", "--retention-days")
    assert desk.json(*edit, "60")["retentionDays"] == 60
    assert desk.json(*edit, "never")["retentionDays"] is None
    assert desk.json(*edit, "45", code=1)["errors"]
    assert desk.run(*edit, "soon").exit_code == 2


def test_a_table_of_a_run_counts_orders(desk: Desk) -> None:
    """GET_ORDERS says how many were seen and imported, and why others were not."""
    runs = desk.json("runs", "list", "--channel", "first", "--limit", "100")
    poll = next(run for run in reversed(runs) if run["report"]["orders"]["seen"])
    shown = desk.run("runs", "show", poll["id"])

    assert shown.exit_code == 0, shown.output
    assert "Imported" in shown.stdout
    assert "UnmappedShipping" in shown.stdout

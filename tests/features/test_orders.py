"""Orders out of the store: which are imported, what holds them, what reading them costs."""

from collections import Counter
from typing import Any

from tallyport.following import follow_run
from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.order_hands import moment
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_LIST = "GET /wp-json/wc/v3/orders"
_MANY = 5000


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


@feature("A14", "A9")
def test_a_preview_says_what_would_be_imported_and_imports_nothing(desk: Desk[Any]) -> None:
    """The plan has a row per order with its reason; the run that follows does it."""
    desk.stock(MUG=20)
    order = desk.place(("MUG", 2))

    plan = desk.shop.run("get-orders", plan=True)

    [row] = plan["actions"]
    assert (row["kind"], row["remoteOrder"]["number"]) == ("IMPORT_ORDER", order.number)
    assert row["reason"]["message"]
    assert not desk.imported(order)
    desk.poll(result="SUCCEEDED")
    assert desk.imported(order)


@feature("A12", "A9", "A22")
def test_orders_of_paused_listings_still_import(desk: Desk[Any]) -> None:
    """Nothing leaves for a paused listing; what was sold of it comes in and is deducted."""
    desk.stock(MUG=20)
    desk.shop.ask("pause", "MUG")
    order = desk.place(("MUG", 2))

    desk.poll(result="SUCCEEDED")

    assert desk.imported(order)
    told = desk.shop.done("items", "explain", desk.shop.sku("MUG"))
    assert [row["units"] for row in told["deductions"]] == [2]


@feature("A16", "A9")
def test_orders_stay_when_their_channel_is_removed(open_shop: Open, platform: str) -> None:
    """Removal keeps the history and writes nothing to the store."""
    shop = open_shop(platform)
    shop.connect()
    desk: Desk[Any] = Desk(shop)
    desk.map("flat_rate")
    desk.stock(MUG=20)
    order = desk.place(("MUG", 2))
    desk.poll(result="SUCCEEDED")
    kept = desk.ours(order)["id"]
    since = shop.store.serial()

    shop.done("channel", "remove", shop.name, "--yes")

    assert shop.done("orders", "show", kept)["order"]["status"] == "OPEN"
    assert [row for row in shop.store.requests(since) if row["method"] != "GET"] == []


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

"""Keeping prices and quantities in agreement: what is sent, what is not, and what it costs."""

from collections import Counter
from decimal import Decimal
from typing import Any

from reconcile.core.actions import ActionKind
from tests.features.conftest import Open
from tests.features.rows import feature, needs
from tests.features.shops import Shop
from tests.features.stores import WooStore

_PAGES = "GET /wp-json/wc/v3/products"
_BATCHES = "POST /wp-json/wc/v3/products/batch"


def _two(shop: Shop[Any]) -> None:
    """Two linked listings that agree with the store."""
    shop.add("MUG", price="9.00", quantity=5)
    shop.add("CUP", price="4.00", quantity=2)
    shop.list_ours(
        {"sku": "MUG", "list_price": "9.00", "quantity": 5},
        {"sku": "CUP", "list_price": "4.00", "quantity": 2},
    )
    shop.run("sync", full=True)


@feature("A5", "A7")
def test_a_partial_run_sends_what_changed_and_a_full_one_looks_at_everything(
    shop: Shop[Any],
) -> None:
    """A change sends one row; drift on the store is found by the full run.

    Agreement writes nothing.
    """
    _two(shop)
    since = shop.store.serial()

    idle = shop.run("sync")

    assert (idle["actions"], list(shop.store.requests(since))) == ([], [])

    shop.price("MUG", "11.00")
    partial = shop.run("sync")

    assert partial.kinds("APPLIED") == {"SYNC": 1}
    assert {row["sku"] for row in shop.store.effects(since)} == {shop.sku("MUG")}
    assert shop.held("MUG").price == Decimal(11)
    [action] = partial["actions"]
    assert action["changes"][0]["before"] != action["changes"][0]["after"]
    assert action["reason"]["message"]

    shop.store.reprice(shop.sku("CUP"), "99.00")
    assert shop.run("sync")["actions"] == []
    full = shop.run("sync", full=True)

    assert full.kinds("APPLIED") == {"SYNC": 1}
    assert shop.held("CUP").price == Decimal(4)
    since = shop.store.serial()
    assert shop.run("sync", full=True)["actions"] == []
    assert list(shop.store.effects(since)) == []
    assert {row["method"] for row in shop.store.requests(since)} == {"GET"}


@feature("A5", "A14")
def test_a_run_can_be_limited_to_some_listings(shop: Shop[Any]) -> None:
    """With SKUs given, only those are looked at and sent; the others stay due."""
    _two(shop)
    shop.price("MUG", "11.00")
    shop.price("CUP", "6.00")
    since = shop.store.serial()

    shop.run("sync", names=["MUG"])

    assert {row["sku"] for row in shop.store.effects(since)} == {shop.sku("MUG")}
    shop.run("sync")
    assert (shop.held("MUG").price, shop.held("CUP").price) == (Decimal(11), Decimal(6))
    unknown = shop.cli("run", "sync", shop.name, "--sku", shop.sku("NOBODY"))
    assert unknown.codes() == ["NOT_FOUND"], unknown.text()


@feature("A7", "A6")
@needs(ActionKind.PUBLISH)
def test_a_run_reports_what_it_did_to_parents_and_variants(shop: Shop[Any]) -> None:
    """After each run the counts of created, updated, linked and failed say what happened."""
    shop.add("MUG", price="9.00", quantity=5)
    shop.list_ours(
        {"sku": "MUG", "list_price": "12.00", "quantity": 5},
        {"sku": "NEW", "list_price": "3.00", "quantity": 1},
    )

    synced = shop.run("sync", full=True, result=None)
    published = shop.run("publish", full=True)

    for part in ("parents", "variants"):
        assert synced["report"][part]["linked"] == 1
        assert synced["report"][part]["updated"] == 1
        assert published["report"][part]["created"] == 1
        assert published["report"][part]["failed"] == 0
    listed = shop.done("runs", "list", "--channel", shop.name)
    assert [row["operation"] for row in listed] == ["PUBLISH_LISTINGS", "SYNC_LISTINGS"]
    assert all(row["finishedAt"] for row in listed)


@feature("A22")
def test_one_stated_quantity_reaches_every_channel_less_its_buffer(
    platform: str, open_shop: Open
) -> None:
    """Stock is stated once; each channel is told it less its buffer, capped.

    Blank is no statement.
    """
    first, second = open_shop(platform), open_shop(platform)
    second.tag = first.tag
    for shop in (first, second):
        shop.connect()
        shop.add("MUG", price="9.00", quantity=1)
        shop.list_ours({"sku": "MUG", "list_price": "9.00"})
        shop.run("sync", full=True)
        assert shop.held("MUG").quantity == 1, "nothing was stated, so nothing may be sent"
    first.edit("--buffer", "3")
    second.edit("--cap", "5")

    first.state(MUG=20)
    for shop in (first, second):
        shop.run("sync")

    assert (first.held("MUG").quantity, second.held("MUG").quantity) == (17, 5)
    steps = " ".join(first.explain("MUG")["quantity"]["steps"])
    assert "20" in steps
    assert "3" in steps
    first.state(MUG=2)
    first.run("sync")
    assert first.held("MUG").quantity == 0, "never below zero"
    first.state(MUG=None)
    first.run("sync")
    assert first.held("MUG").quantity == 0, "no statement changes nothing"


@feature("A22")
def test_an_older_statement_changes_nothing(shop: Shop[Any]) -> None:
    """A count that is older than the one we have is told apart and ignored."""
    _two(shop)
    shop.state(MUG=8)

    [row] = shop.done("items", "set", f"{shop.sku('MUG')}=3", "--as-of", "2020-01-01T00:00:00")

    assert row["outcome"] == "OLDER"
    shop.run("sync")
    assert shop.held("MUG").quantity == 8


@feature("W3", "A13", "T4")
def test_only_enabled_fields_are_sent_and_the_others_say_so(shop: Shop[Any]) -> None:
    """A field switched off in the template is not sent, and explain names it."""
    _two(shop)
    shop.done("channel", "template", shop.name, "sync", "--disable", "stock_quantity")
    shop.price("MUG", "10.00")
    shop.state(MUG=50)

    shop.run("sync")

    assert (shop.held("MUG").price, shop.held("MUG").quantity) == (Decimal(10), 5)
    told = [row for row in shop.explain("MUG")["operations"] if row["disabledFields"]]
    assert "stock_quantity" in {field["field"] for row in told for field in row["disabledFields"]}
    shop.done("channel", "template", shop.name, "sync", "--reset")
    shop.run("sync", full=True)
    assert shop.held("MUG").quantity == 50


@feature("A5")
def test_an_unknown_price_and_another_currency_are_not_sent(shop: Shop[Any]) -> None:
    """Nothing is converted and nothing unknown is taken for zero."""
    shop.add("MUG", price="9.00", quantity=5)
    shop.add("CUP", price="4.00", quantity=2)
    shop.list_ours(
        {"sku": "MUG", "list_price": "15.00", "currency": "USD", "quantity": 6},
        {"sku": "CUP"},
    )

    run = shop.run("sync", full=True, result=None)

    assert (shop.held("MUG").price, shop.held("MUG").quantity) == (Decimal(9), 6)
    assert (shop.held("CUP").price, shop.held("CUP").quantity) == (Decimal(4), 2)
    assert "CurrencyMismatch" in {row["reason"] for row in shop.variant("MUG")["withheld"]}
    assert run["result"] == "PARTIAL"
    assert "CurrencyMismatch" in shop.reasons("MUG")


@feature("W3")
def test_a_thousand_changes_cost_ten_pages_and_ten_batches(open_shop: Open) -> None:
    """1,000 changed simple products.

    10 pages of 100 and 10 batches, and nothing when they agree.
    """
    prefix = "k-"
    products = [
        {"name": f"P{n}", "sku": f"{prefix}{n:04}", "regular_price": "5.00"} for n in range(1000)
    ]
    shop: Shop[WooStore] = open_shop(products=products)
    shop.tag = prefix
    shop.connect()
    shop.list_ours(*({"sku": f"{n:04}", "list_price": "6.00"} for n in range(1000)))
    shop.done("channel", "check", shop.name)
    since = shop.store.serial()

    shop.run("sync", full=True)

    asked = Counter(row["route"] for row in shop.store.requests(since))
    pages, batches = asked.pop(_PAGES), asked.pop(_BATCHES)
    assert (pages, batches, dict(asked)) == (10, 10, {})
    assert {held.price for held in shop.store.held().values()} == {Decimal(6)}
    assert len(shop.store.effects(since)) == 1000
    since = shop.store.serial()

    shop.run("sync", full=True)

    assert Counter(row["route"] for row in shop.store.requests(since)) == {_PAGES: 10}
    assert list(shop.store.effects(since)) == []


@feature("W3")
def test_no_batch_carries_more_rows_than_the_platform_takes(open_shop: Open) -> None:
    """A smaller batch size set for a slow host is kept.

    7 changes of at most 3 rows are 3 requests.
    """
    shop: Shop[WooStore] = open_shop()
    shop.connect(batch_size="3")
    for number in range(7):
        shop.add(f"P{number}", price="5.00")
    shop.list_ours(*({"sku": f"P{n}", "list_price": "6.00"} for n in range(7)))
    since = shop.store.serial()

    shop.run("sync", full=True)

    assert Counter(row["route"] for row in shop.store.requests(since))[_BATCHES] == 3


@feature("W3")
def test_variations_are_synced_through_their_product(woo: Shop[WooStore]) -> None:
    """Changed variations of one product travel in one request of that product."""
    woo.add("TEE", price="19.00", quantity=4, options={"Size": ["S", "M", "L"]})
    sizes = [
        {
            "sku": f"TEE-{size}",
            "parent_sku": "TEE",
            "option_1_name": "Size",
            "option_1_value": size,
            "list_price": "21.00",
            "quantity": 9,
        }
        for size in ("S", "M", "L")
    ]
    woo.list_ours({"sku": "TEE"}, *sizes)
    since = woo.store.serial()

    woo.run("sync", full=True)

    writes = [row for row in woo.store.requests(since) if row["method"] == "POST"]
    assert len(writes) == 1
    assert {woo.held(f"TEE-{size}").price for size in "SML"} == {Decimal(21)}
    assert {woo.held(f"TEE-{size}").quantity for size in "SML"} == {9}


@feature("W3", "A2")
def test_a_product_sold_elsewhere_says_that_its_stock_cannot_be_set(woo: Shop[WooStore]) -> None:
    """The stock of an external product is refused before sending, and the other rows go."""
    woo.store.create(
        {
            "name": "Elsewhere",
            "type": "external",
            "sku": woo.sku("EXT"),
            "regular_price": "5.00",
            "external_url": "https://elsewhere.example/p",
        }
    )
    woo.add("MUG", price="9.00", quantity=5)
    woo.list_ours(
        {"sku": "EXT", "list_price": "5.00", "quantity": 3},
        {"sku": "MUG", "list_price": "10.00", "quantity": 6},
    )

    run = woo.run("sync", full=True, result=None)

    assert run["result"] == "PARTIAL"
    assert (woo.held("MUG").price, woo.held("MUG").quantity) == (Decimal(10), 6)
    failed = [row for row in run["actions"] if row["state"] == "FAILED"]
    assert [row["variant"]["sku"] for row in failed] == [woo.sku("EXT")]
    assert failed[0]["outcome"]["code"] == "Unsupported"
    assert "external" in failed[0]["outcome"]["message"].lower()

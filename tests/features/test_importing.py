"""Listings from the store and from files: what is taken, what is not, and which row was bad."""

from typing import Any

import pytest

from tests.features.conftest import Open
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore


def _stocked(shop: Shop[WooStore]) -> None:
    shop.store.create(
        {
            "name": "Clay Mug",
            "sku": shop.sku("MUG"),
            "description": "<p>Holds tea.</p>",
            "regular_price": "9.50",
            "manage_stock": True,
            "stock_quantity": 6,
            "categories": [{"name": "Kitchen > Cups"}],
            "images": [{"src": "https://cdn.example/mug.jpg"}],
        }
    )
    shop.store.create({"name": "Draft", "sku": shop.sku("DRAFT"), "status": "draft"})
    shop.store.create({"name": "No key", "regular_price": "1.00"})
    shop.add("TEE", price="19.00", options={"Size": ["S", "M"]})


@feature("W8", "A7")
def test_products_of_the_store_become_listings_of_ours(woo: Shop[WooStore]) -> None:
    """Title, description, images, categories, prices, quantities and variants come over, linked."""
    _stocked(woo)

    run = woo.run("import", result=None)

    assert run["result"] == "PARTIAL", "a product without SKU is left, and that is said"
    assert "KeyMissingTheirs" in str(woo.channel()["attention"]) + str(run["report"])
    mug = woo.variant("MUG")
    assert (mug["link"]["state"], mug["link"]["origin"]) == ("LINKED", "IMPORT")
    document = (
        "query ($channel: ID!, $sku: String!) { listing(channel: $channel, sku: $sku) { title"
        " fields { name value source } variants { nodes { sku presence"
        " fields { name value } options { name value } } } } }"
    )

    def listing(name: str) -> Any:
        variables = {"channel": woo.channel_id, "sku": woo.sku(name)}
        return woo.api.query(document, variables)["listing"]

    found = listing("MUG")
    fields = {each["name"]: each["value"] for each in found["fields"]}
    own = {e["name"]: e["value"] for e in found["variants"]["nodes"][0]["fields"]}
    both = {**own, **fields}
    assert found["title"] == "Clay Mug"
    assert both["categories"][:2] == ["Kitchen", "Cups"]
    assert "Holds tea" in both["description"]
    assert len(both["images"]) == 1
    assert both["list_price"]["amount"].rstrip("0").rstrip(".") == "9.5"
    assert {each["source"] for each in found["fields"]} == {"IMPORT"}
    tee = listing("TEE")
    assert {row["sku"] for row in tee["variants"]["nodes"]} == {woo.sku("TEE-S"), woo.sku("TEE-M")}
    assert tee["variants"]["nodes"][0]["options"] == [{"name": "Size", "value": "S"}]
    assert woo.has("DRAFT")
    assert woo.variant("DRAFT")["seenPresence"] == "HIDDEN"
    assert list(woo.store.effects()) == [], "an import writes nothing to the store"


@feature("W8")
def test_importing_settles_and_is_never_scheduled(woo: Shop[WooStore]) -> None:
    """A second import, a sync and a publish find nothing to do; scheduling an import is refused."""
    woo.add("MUG", price="9.00")
    woo.add("TEE", price="19.00", options={"Size": ["S", "M"]})
    woo.run("import")

    again = woo.run("import")
    sync = woo.run("sync", full=True)
    publish = woo.run("publish", full=True)
    said = woo.cli("channel", "schedule", woo.name, "import", "--every", "1h")

    assert (again["actions"], sync["actions"], publish["actions"]) == ([], [], [])
    assert said.codes() == ["MANUAL_ONLY"], said.text()


@feature("W8")
def test_ours_is_kept_unless_overwriting_was_chosen(woo: Shop[WooStore]) -> None:
    """Create only links and leaves our data alone; create and overwrite takes theirs."""
    woo.store.create({"name": "Their name", "sku": woo.sku("MUG"), "regular_price": "9.00"})
    woo.list_ours({"sku": "MUG", "title": "Our name", "list_price": "5.00"})

    woo.run("import")
    kept = woo.variant("MUG")["listing"]["title"]
    woo.done("channel", "settings", woo.name, "import", "--set", "mode=create_and_overwrite")
    woo.run("import")

    assert kept == "Our name"
    assert woo.variant("MUG")["listing"]["title"] == "Their name"
    assert woo.link("MUG") == "LINKED"
    assert woo.run("import")["actions"] == []


@feature("W9", "A12")
def test_imported_listings_start_paused_when_set_so(woo: Shop[WooStore]) -> None:
    """With the setting, what is new is paused; what was there is not."""
    woo.add("OLD")
    woo.run("import")
    woo.done("channel", "settings", woo.name, "import", "--set", "pause_new=yes")
    woo.add("NEW")

    woo.run("import")

    assert (woo.variant("OLD")["isPaused"], woo.variant("NEW")["isPaused"]) == (False, True)


@feature("A17")
def test_every_bad_row_of_a_file_is_named_and_the_good_ones_are_taken(shop: Shop[Any]) -> None:
    """Missing and duplicate SKUs, negative and comma prices, bad quantities and unknown columns."""
    tag = shop.tag
    text = (
        "sku,title,list_price,currency,quantity,colour_of_box\n"
        f"{tag}GOOD,Good,9.90,EUR,3,red\n"
        ",No key,9.90,EUR,3,\n"
        f"{tag}GOOD,Twice,9.90,EUR,3,\n"
        f"{tag}NEG,Negative,-1,EUR,3,\n"
        f'{tag}COMMA,Comma,"9,90",EUR,3,\n'
        f"{tag}HALF,Half,9.90,EUR,2.5,\n"
        f"{tag}LAST,Last,8.00,EUR,1,\n"
    )

    said = shop.import_text(text)

    assert said.code == 3
    assert said.answer["state"] == "DONE"
    problems = {row["line"]: row["code"] for row in said.answer["problems"]}
    assert {line: problems.get(line) for line in range(3, 8)} == {
        3: "MissingSku",
        4: "DuplicateSku",
        5: "BadPrice",
        6: "BadPrice",
        7: "BadQuantity",
    }
    assert "UnknownColumn" in problems.values()
    assert all(row["message"] for row in said.answer["problems"])
    assert [shop.has(name) for name in ("GOOD", "LAST", "NEG", "COMMA")] == [
        True,
        True,
        False,
        False,
    ]


@feature("A17")
@pytest.mark.parametrize(
    ("content", "suffix"),
    [(b"", ".csv"), (b"\x89PNG\r\n\x1a\n\x00\x00", ".csv"), (b"nothing here\n", ".jsonl")],
)
def test_what_is_no_catalog_is_refused(shop: Shop[Any], content: bytes, suffix: str) -> None:
    """An empty file, a picture and text that is no JSON give a clear error and change nothing."""
    said = shop.import_text(content, suffix=suffix)

    assert said.code in {1, 3}
    assert said.problems() or said.answer["error"], said
    assert shop.done("listings", "list", "--channel", shop.name) == []


@feature("A17")
def test_a_broken_line_costs_only_itself(shop: Shop[Any]) -> None:
    """A line that is not UTF-8 is reported with its number.

    The lines around it are imported.
    """
    tag = shop.tag.encode()
    text = b"sku,title\n" + tag + b"A,Apple\n" + tag + b"B,B\xe9zier\n" + tag + b"C,Cherry\n"

    said = shop.import_text(text)

    assert said.code == 3
    assert [(row["line"], row["code"]) for row in said.answer["problems"]] == [(3, "BadEncoding")]
    assert (shop.has("A"), shop.has("B"), shop.has("C")) == (True, False, True)


@feature("A17", "A21")
def test_a_missing_row_means_nothing_unless_replacing_was_asked_for(shop: Shop[Any]) -> None:
    """An import upserts; with `--replace HIDDEN` what the file leaves out is wanted hidden."""
    rows = [{"sku": name, "title": name, "list_price": "5.00", "currency": "EUR"} for name in "AB"]
    assert shop.import_rows(rows).code == 0

    assert shop.import_rows(rows[:1]).code == 0
    untouched = shop.variant("B")["presence"]
    assert shop.import_rows(rows[:1], "--replace", "HIDDEN").code == 0

    assert untouched == "LISTED"
    assert shop.wait(lambda: shop.variant("B")["presence"] == "HIDDEN", "B is wanted hidden")
    assert shop.variant("A")["presence"] == "LISTED"


@feature("A17", "A12")
def test_a_file_can_bring_its_listings_paused(shop: Shop[Any]) -> None:
    """With --pause-new, listings that a file creates start paused."""
    rows = [{"sku": "A", "title": "A", "list_price": "5.00", "currency": "EUR"}]

    said = shop.import_rows(rows, "--pause-new")

    assert said.code == 0
    assert shop.variant("A")["isPaused"] is True


def test_shops_of_one_instance_do_not_mix(open_shop: Open) -> None:
    """The same file imported into one channel makes no listing on another."""
    first, second = open_shop(), open_shop()
    for each in (first, second):
        each.connect()
    second.tag = first.tag

    first.list_ours({"sku": "A", "list_price": "5.00"})

    assert first.has("A")
    assert not second.has("A")

"""Linking what is there: by key, by hand, ambiguous ones, and links that break."""

from decimal import Decimal
from typing import Any

from reconcile.core.actions import ActionKind
from tests.features.conftest import Open
from tests.features.rows import feature, needs
from tests.features.shops import Shop
from tests.features.stores import WooStore


def _candidates(shop: Shop[Any], name: str) -> dict[str, Any]:
    found = shop.done("listings", "candidates", shop.sku(name), "--channel", shop.name)
    answer: dict[str, Any] = found["candidates"]
    return answer


@feature("A3", "T2")
def test_listings_link_by_exactly_equal_keys(shop: Shop[Any]) -> None:
    """Equal SKUs link; those that differ in case or accents do not.

    Are named with how they differ.
    """
    shop.add("MUG")
    shop.add("Plate")
    shop.add("CAFÉ")
    shop.list_ours({"sku": "MUG"}, {"sku": "PLATE"}, {"sku": "CAFE"}, {"sku": "SPOON"})

    run = shop.run("link", full=True, result=None)

    assert run.kinds("APPLIED") == {"LINK": 1}
    links = {name: shop.link(name) for name in ("MUG", "PLATE", "CAFE", "SPOON")}
    assert links == {"MUG": "LINKED", "PLATE": "UNLINKED", "CAFE": "UNLINKED", "SPOON": "UNLINKED"}
    counts = shop.channel()["counts"]
    assert (counts["linked"], counts["unlinked"]) == (1, 3)
    case, accent = _candidates(shop, "PLATE"), _candidates(shop, "CAFE")
    assert shop.sku("Plate") in [row["sku"] for row in case["nearest"]]
    assert "case" in case["nearest"][0]["difference"]
    assert shop.sku("CAFÉ") in [row["sku"] for row in accent["nearest"]]
    assert "accent" in accent["nearest"][0]["difference"]
    assert (case["ourIdentifier"], case["theirIdentifier"]) == ("SKU", "SKU")
    told = shop.explain("SPOON")["link"]
    assert "SKU" in told["compared"]
    assert told["message"]


@feature("A3")
def test_a_person_links_and_unlinks(shop: Shop[Any]) -> None:
    """A link made by hand stays, a claimed object is refused.

    What was unlinked stays unlinked.
    """
    shop.add("MUG", price="9.00")
    shop.add("OTHER", price="8.00")
    shop.list_ours({"sku": "MUG", "list_price": "9.00"}, {"sku": "RENAMED", "list_price": "7.00"})
    shop.run("link", full=True)
    theirs, claimed = shop.held("OTHER"), shop.held("MUG")

    def link(product: str, variant: str | None) -> Any:
        ids = [product] if variant is None else [product, variant]
        return shop.cli("listings", "link", shop.sku("RENAMED"), *ids, "--channel", shop.name)

    refused = link(claimed.product, claimed.variant)
    unknown = link("999999999", None)
    done = link(theirs.product, theirs.variant)
    again = link(theirs.product, theirs.variant)
    shop.run("sync")

    assert refused.code == 1
    assert shop.sku("MUG") in refused.text()
    assert unknown.codes() == ["NOT_FOUND"], unknown.text()
    assert done.code == 0
    assert again.codes() == ["WRONG_STATE"], again.text()
    assert shop.held("OTHER").price == Decimal(7)
    assert shop.variant("RENAMED")["link"]["origin"] == "PERSON"

    shop.ask("unlink", "MUG")
    shop.run("link", full=True, result=None)

    assert shop.link("MUG") == "UNLINKED"
    assert shop.listings("unlink", "MUG").codes() == ["WRONG_STATE"]
    shop.ask("relink", "MUG")
    shop.run("link", full=True)
    assert shop.link("MUG") == "LINKED"


@feature("A4", "T5")
@needs(ActionKind.PUBLISH)
def test_what_the_merchant_deletes_is_broken_at_the_next_full_sync_and_never_made_again(
    shop: Shop[Any],
) -> None:
    """Linked until the next full sync, then BROKEN with the reason.

    Publishing does not bring it back.
    """
    shop.add("MUG", price="9.00")
    shop.add("CUP", price="9.00")
    shop.list_ours({"sku": "MUG", "list_price": "9.00"}, {"sku": "CUP", "list_price": "9.00"})
    shop.run("sync", full=True)
    shop.store.delete(shop.sku("MUG"))

    before = shop.link("MUG")
    run = shop.run("sync", full=True, result=None)
    shop.run("publish", full=True, result=None)

    assert before == "LINKED"
    assert run.kinds("APPLIED") == {"BREAK_LINK": 1}
    variant = shop.variant("MUG")
    assert variant["link"]["state"] == "BROKEN"
    assert "no longer exists" in variant["link"]["message"]
    assert shop.link("CUP") == "LINKED"
    assert [row for row in shop.store.effects() if row["effect"] == "create"] == []
    assert "relink" in shop.reasons("MUG") or "unlink" in shop.reasons("MUG"), shop.reasons("MUG")

    shop.add("MUG", price="4.00")
    shop.ask("unlink", "MUG")
    shop.ask("relink", "MUG")
    shop.run("sync", full=True)

    assert shop.link("MUG") == "LINKED"
    assert shop.held("MUG").price == Decimal(9)


@feature("A4", "T5")
@needs(ActionKind.PUBLISH)
def test_a_broken_listing_is_published_anew_when_a_person_asks(shop: Shop[Any]) -> None:
    """`republish` frees a broken link, and the next publish creates a product."""
    shop.add("MUG", price="9.00")
    shop.list_ours({"sku": "MUG", "list_price": "9.00"})
    shop.run("sync", full=True)
    old = shop.held("MUG").product
    shop.store.delete(shop.sku("MUG"))
    shop.run("sync", full=True, result=None)

    shop.ask("republish", "MUG")
    shop.run("publish")

    assert shop.link("MUG") == "LINKED"
    assert shop.held("MUG").product != old


@feature("T5", "A4")
def test_the_trash_counts_as_gone_and_is_named(woo: Shop[WooStore]) -> None:
    """A product in WooCommerce's trash breaks the link.

    The message says restore or empty it.
    """
    woo.add("MUG", price="9.00")
    woo.list_ours({"sku": "MUG", "list_price": "9.00"})
    woo.run("sync", full=True)
    woo.store.trash(woo.sku("MUG"))

    woo.run("sync", full=True, result=None)

    variant = woo.variant("MUG")
    assert variant["link"]["state"] == "BROKEN"
    assert "trash" in (variant["link"]["message"] + woo.reasons("MUG")).lower()
    woo.ask("republish", "MUG")
    run = woo.run("publish", result=None)
    assert run["result"] != "SUCCEEDED"
    assert "trash" in (str(run["actions"]) + woo.reasons("MUG")).lower(), woo.reasons("MUG")


@feature("W2", "A3", "T2")
def test_upc_links_by_attribute_else_by_the_stores_field(open_shop: Open) -> None:
    """UPC is the attribute UPC of a simple product, else the GTIN field; ambiguous ones wait."""
    shop: Shop[WooStore] = open_shop()
    shop.connect("--our-identifier", "upc", "--their-identifier", "upc")
    upcs = {"A": "036000291452", "B": "012345678905", "C": "042100005264"}
    attribute = {"name": "UPC", "visible": True, "options": [upcs["A"]]}
    shop.store.create({"name": "By attribute", "sku": "x-1", "attributes": [attribute]})
    shop.store.create({"name": "By field", "sku": "x-2", "global_unique_id": upcs["B"]})
    double = {"name": "UPC", "visible": True, "options": [upcs["C"]]}
    for number in (3, 4):
        shop.store.create({"name": "Twice", "sku": f"x-{number}", "attributes": [double]})
    rows = [{"sku": name, "upc": upc, "list_price": "9.00"} for name, upc in upcs.items()]
    shop.list_ours(*rows, {"sku": "D", "list_price": "9.00"})

    run = shop.run("link", full=True, result=None)

    links = {name: shop.link(name) for name in "ABCD"}
    assert links == {"A": "LINKED", "B": "LINKED", "C": "AMBIGUOUS", "D": "UNLINKED"}
    assert run["result"] == "PARTIAL"
    told = _candidates(shop, "C")
    assert sorted(row["sku"] for row in told["free"]) == ["x-3", "x-4"]
    assert told["ourIdentifier"] == "UPC"
    assert "UPC" in told["theirIdentifier"]
    assert "UPC" in shop.reasons("D"), shop.reasons("D")
    chosen = next(row for row in told["free"] if row["sku"] == "x-4")
    shop.done("listings", "link", shop.sku("C"), chosen["remoteParent"], "--channel", shop.name)
    assert shop.link("C") == "LINKED"


@feature("W2", "A3")
def test_two_of_ours_with_one_key_wait_for_a_person(open_shop: Open) -> None:
    """Two listings of ours with the same UPC are ambiguous: neither takes the store's product."""
    shop: Shop[WooStore] = open_shop()
    shop.connect("--our-identifier", "gtin", "--their-identifier", "upc")
    shop.store.create({"name": "One", "sku": "y-1", "global_unique_id": "4006381333931"})
    rows = [{"sku": n, "gtin": "4006381333931", "list_price": "9.00"} for n in ("A", "B")]
    shop.list_ours(*rows)

    shop.run("link", full=True, result=None)

    assert {shop.link("A"), shop.link("B")} == {"AMBIGUOUS"}
    assert shop.sku("B") in _candidates(shop, "A")["rivals"]


@feature("W2")
def test_variations_link_one_by_one_and_an_inherited_sku_is_no_key(woo: Shop[WooStore]) -> None:
    """Each variation links by its own SKU.

    One that only inherits its parent's is not sellable by it.
    """
    woo.add("TEE", price="19.00", options={"Size": ["S", "M"]})
    woo.store.create(
        {
            "name": "Cap",
            "type": "variable",
            "sku": woo.sku("CAP"),
            "attributes": [{"name": "Size", "variation": True, "options": ["One"]}],
            "variations": [
                {"regular_price": "9.00", "attributes": [{"name": "Size", "option": "One"}]}
            ],
        }
    )
    woo.list_ours(
        {"sku": "TEE"},
        {"sku": "TEE-S", "parent_sku": "TEE", "option_1_name": "Size", "option_1_value": "S"},
        {"sku": "TEE-M", "parent_sku": "TEE", "option_1_name": "Size", "option_1_value": "M"},
        {"sku": "CAP"},
    )

    woo.run("link", full=True, result=None)

    assert woo.link("TEE-S") == woo.link("TEE-M") == "LINKED"
    assert woo.variant("TEE-S")["link"]["remote"]["remoteVariant"] == woo.held("TEE-S").variant
    assert woo.link("CAP") != "LINKED"

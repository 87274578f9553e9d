"""Hiding, showing, delisting and pausing: what a person asks for, and what the store then holds."""

from decimal import Decimal
from typing import Any

import pytest

from reconcile.core.actions import ActionKind
from tests.features.rows import feature, needs
from tests.features.shops import Shop
from tests.features.stores import WooStore


def _listed(shop: Shop[Any], *names: str) -> None:
    for name in names:
        shop.add(name, price="9.00", quantity=5)
    shop.list_ours(*({"sku": name, "list_price": "9.00", "quantity": 5} for name in names))
    shop.run("sync", full=True)


@feature("A12")
@needs(ActionKind.HIDE, ActionKind.DELIST)
def test_nothing_leaves_for_paused_listings(shop: Shop[Any], platform: str) -> None:
    """Price changes, hiding and delisting of paused listings wait and say so, until unpaused."""
    _listed(shop, "MUG", "CUP", "BOWL")
    shop.ask("pause", "MUG", "CUP", "BOWL")
    shop.price("MUG", "11.00")
    shop.ask("hide", "CUP")
    shop.ask("delist", "BOWL")
    since = shop.store.serial()

    shop.run("sync", result=None)
    shop.run("sync", full=True, result=None)

    assert list(shop.store.effects(since)) == []
    assert "Paused" in {row["reason"] for row in shop.variant("MUG")["conditions"]}
    assert shop.listings("pause", "MUG").codes() in ([], ["WRONG_STATE"])
    shop.ask("unpause", "MUG", "CUP", "BOWL")
    shop.run("sync")
    assert shop.held("MUG").price == Decimal(11)
    assert not shop.held("CUP").is_buyable
    assert shop.sku("BOWL") not in shop.store.held()


@feature("A12")
def test_pausing_in_bulk_takes_a_filter(shop: Shop[Any]) -> None:
    """All listings that a filter chooses are paused and unpaused at once; others are not."""
    _listed(shop, "RED-1", "RED-2", "BLUE-1")
    where = {"channel": shop.channel_id, "skuPrefix": shop.sku("RED")}
    document = (
        "mutation ($input: ListingMatchingInput!) { %s(input: $input)"
        " { changedVariants userErrors { code message path } } }"
    )

    done = shop.api.mutate(document % "listingPauseMatching", {"input": {"where": where}})

    assert done["changedVariants"] == 2
    paused = {name: shop.variant(name)["isPaused"] for name in ("RED-1", "RED-2", "BLUE-1")}
    assert paused == {"RED-1": True, "RED-2": True, "BLUE-1": False}
    back = shop.api.mutate(document % "listingUnpauseMatching", {"input": {"where": where}})
    assert back["changedVariants"] == 2


@feature("W7")
@pytest.mark.parametrize("backorders", ["no", "notify"])
def test_hiding_survives_syncs_and_unhiding_restores(woo: Shop[WooStore], backorders: str) -> None:
    """Managed stock goes to 0 without backorders, stays so through syncs.

    Comes back as it was.
    """
    _listed(woo, "MUG")
    woo.store.change(woo.sku("MUG"), backorders=backorders)
    woo.run("sync", full=True)

    woo.ask("hide", "MUG")
    woo.run("sync")

    row = woo.store.products()[woo.sku("MUG")]
    assert (row["stock_quantity"], row["backorders"], row["stock_status"]) == (
        0,
        "no",
        "outofstock",
    )
    woo.state(MUG=40)
    woo.price("MUG", "12.00")
    woo.run("sync")
    woo.run("sync", full=True)
    row = woo.store.products()[woo.sku("MUG")]
    assert (row["stock_quantity"], row["regular_price"]) == (0, "12")
    assert woo.variant("MUG")["seenPresence"] == "HIDDEN"
    assert "Hidden" in {each["reason"] for each in woo.variant("MUG")["withheld"]}

    woo.ask("unhide", "MUG")
    woo.run("sync")

    row = woo.store.products()[woo.sku("MUG")]
    assert (row["manage_stock"], row["stock_quantity"]) == (True, 40)
    assert (row["backorders"], row["stock_status"]) == (backorders, "instock")
    since = woo.store.serial()
    woo.run("sync", full=True)
    assert list(woo.store.effects(since)) == []


@feature("W7")
def test_products_without_managed_stock_hide_by_their_stock_status(woo: Shop[WooStore]) -> None:
    """Unmanaged stock is set to outofstock and back; its management is not switched on."""
    woo.add("MUG", price="9.00", quantity=None)
    woo.list_ours({"sku": "MUG", "list_price": "9.00"})
    woo.run("sync", full=True)

    woo.ask("hide", "MUG")
    woo.run("sync")

    row = woo.store.products()[woo.sku("MUG")]
    assert (row["manage_stock"], row["stock_status"]) == (False, "outofstock")
    woo.ask("unhide", "MUG")
    woo.run("sync")
    row = woo.store.products()[woo.sku("MUG")]
    assert (row["manage_stock"], row["stock_status"]) == (False, "instock")


@feature("W7")
def test_one_variation_hides_without_its_siblings(woo: Shop[WooStore]) -> None:
    """Hiding one variation leaves the others buyable, also where the product manages stock."""
    woo.store.create(
        {
            "name": "Tee",
            "type": "variable",
            "sku": woo.sku("TEE"),
            "manage_stock": True,
            "stock_quantity": 30,
            "attributes": [{"name": "Size", "variation": True, "options": ["S", "M"]}],
            "variations": [
                {
                    "sku": woo.sku(f"TEE-{size}"),
                    "regular_price": "19.00",
                    "attributes": [{"name": "Size", "option": size}],
                }
                for size in ("S", "M")
            ],
        }
    )
    sizes = [
        {
            "sku": f"TEE-{size}",
            "parent_sku": "TEE",
            "option_1_name": "Size",
            "option_1_value": size,
            "list_price": "19.00",
        }
        for size in ("S", "M")
    ]
    woo.list_ours({"sku": "TEE"}, *sizes)
    woo.run("sync", full=True)

    woo.ask("hide", "TEE-S")
    woo.run("sync")

    held = woo.store.held()
    assert not held[woo.sku("TEE-S")].is_buyable
    assert held[woo.sku("TEE-M")].is_buyable
    woo.ask("unhide", "TEE-S")
    woo.run("sync")
    row = woo.store.products()[woo.sku("TEE-S")]
    assert row["stock_status"] == "instock"
    assert row["manage_stock"] in ("parent", False)


@feature("W7", "A12")
@needs(ActionKind.HIDE)
def test_a_listing_asked_for_what_its_state_does_not_allow_says_why(shop: Shop[Any]) -> None:
    """Unhide what is not hidden, hide twice, relist what is not delisted.

    Refused, nothing queued.
    """
    _listed(shop, "MUG", "CUP")

    unhide = shop.listings("unhide", "MUG")
    relist = shop.listings("relist", "MUG")
    nobody = shop.listings("hide", "NOBODY")
    shop.ask("hide", "MUG")
    twice = shop.listings("hide", "MUG", "CUP")

    assert unhide.codes() == ["WRONG_STATE"]
    assert "not hidden" in unhide.text()
    assert relist.codes() == ["WRONG_STATE"]
    assert nobody.codes() == ["NOT_FOUND"]
    assert twice.codes() == ["WRONG_STATE"], "one refused, and named"
    assert shop.variant("CUP")["presence"] == "HIDDEN", "the other was taken"


@feature("W6", "W3")
def test_delisting_is_for_good_and_publishing_makes_a_new_product(woo: Shop[WooStore]) -> None:
    """Delisted products are deleted, not trashed.

    Relisted, sync says why not and publish creates.
    """
    _listed(woo, "MUG", "CUP")
    old = woo.held("MUG").product
    woo.ask("delist", "MUG")
    since = woo.store.serial()

    run = woo.run("sync")

    assert run.kinds("APPLIED") == {"DELIST": 1}
    assert woo.sku("MUG") not in woo.store.products()
    [effect] = [row for row in woo.store.effects(since) if row["sku"] == woo.sku("MUG")]
    assert effect["effect"] == "delete"
    assert (woo.link("MUG"), woo.variant("MUG")["seenPresence"]) == ("UNLINKED", "DELISTED")
    assert woo.run("sync", full=True)["actions"] == []
    assert woo.run("publish", full=True)["actions"] == []

    woo.ask("relist", "MUG")
    woo.run("sync", result=None)

    assert "publish" in woo.reasons("MUG").lower(), woo.reasons("MUG")
    woo.run("publish")
    assert woo.held("MUG").product != old
    assert woo.link("MUG") == "LINKED"


@feature("W6")
def test_delisting_some_variations_keeps_the_product_and_all_of_them_ends_it(
    woo: Shop[WooStore],
) -> None:
    """One delisted variation goes alone; when the last ones go, the product goes with them."""
    woo.add("TEE", price="19.00", quantity=4, options={"Size": ["S", "M"]})
    sizes = [
        {
            "sku": f"TEE-{size}",
            "parent_sku": "TEE",
            "option_1_name": "Size",
            "option_1_value": size,
            "list_price": "19.00",
        }
        for size in ("S", "M")
    ]
    woo.list_ours({"sku": "TEE"}, *sizes)
    woo.run("sync", full=True)

    woo.ask("delist", "TEE-S")
    woo.run("sync")

    assert woo.sku("TEE-S") not in woo.store.products()
    assert woo.sku("TEE-M") in woo.store.products()
    woo.ask("delist", "TEE-M")
    woo.run("sync")
    assert woo.sku("TEE") not in woo.store.products()

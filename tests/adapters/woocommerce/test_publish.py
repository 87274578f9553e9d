"""Publishing: products are created complete, once, and half-made ones are finished."""

from dataclasses import replace
from typing import Any

import pytest

from reconcile.contract import Effect, UnavailableError
from reconcile.core.actions import Outcome
from reconcile.core.types import Presence, RemoteRef, SeenPresence
from tests.adapters.shops import WooShop, everything, new_listing, tell, tell_until_error

pytestmark = pytest.mark.anyio


async def test_simple_products_travel_together() -> None:
    """A hundred and twenty simple listings become products in two creating requests."""
    shop = WooShop.open()
    writes = [new_listing(f"Mug {n}", f"MUG-{n}") for n in range(120)]
    told = await tell(writes, shop.adapter().publish(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert shop.requests["POST /products/batch"] == 2
    held = shop.held("MUG-7")
    assert (held["regular_price"], held["stock_quantity"], held["status"]) == ("9.5", 4, "publish")
    result = told.results["PUBLISH:Mug 7"]
    assert result.refs == {"own-MUG-7": RemoteRef(str(held["id"]))}
    (seen,) = result.observed
    assert seen.variants[0].seen["stock_quantity"] == 4
    assert not seen.is_partial


async def test_content_arrives() -> None:
    """Every field of a simple product is on the store and read back in canonical form."""
    shop = WooShop.open()
    content = {
        "description": "<p>Strong</p>",
        "short_description": "Short",
        "categories": [["Kitchen", "Mugs & cups"]],
        "images": ["https://images.example/a.png", "https://images.example/b.png"],
        "brand": "Acme & sons",
        "attributes": {"Material": "Stone"},
    }
    write = new_listing("Salt & pepper < 5", "MUG", content=content)
    own: dict[str, Any] = {
        "global_unique_id": "4006381333931",
        "mpn": "M-1",
        "upc": "012345678905",
        "weight": {"value": "500", "unit": "g"},
        "dimensions": {"length": "1", "width": "2", "height": "3", "unit": "cm"},
    }
    write = replace(write, variants=(replace(write.variants[0], content=own),))
    told = await tell([write], shop.adapter().publish([write]))
    result = told.result
    assert result.outcome is Outcome.APPLIED, result.message
    assert set(result.media) == {"https://images.example/a.png", "https://images.example/b.png"}
    (row,) = (await everything(shop.adapter())).values()
    seen = {**row.content, **row.variants[0].content}
    assert seen["name"] == "Salt & pepper < 5"
    assert seen["categories"] == [["Kitchen", "Mugs & cups"]]
    assert seen["brand"] == "Acme & sons"
    assert seen["attributes"] == {"Material": "Stone"}
    assert seen["weight"] == {"value": "0.5", "unit": "kg"}
    assert {name: seen[name] for name in ("global_unique_id", "mpn", "upc", "dimensions")} == {
        name: own[name] for name in ("global_unique_id", "mpn", "upc", "dimensions")
    }
    assert row.variants[0].identifiers == {"sku": "MUG", "upc": "012345678905"}
    assert dict(result.observed[0].content) == dict(row.content)


async def test_variable_products_are_shown_last() -> None:
    """A listing with options is made as a draft and published once its variations stand."""
    shop = WooShop.open()
    writes = [new_listing("Tee", "TEE-S", "TEE-M", "TEE-L"), new_listing("Cap", "CAP-S", "CAP-M")]
    told = await tell(writes, shop.adapter().publish(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    names = [step.name for step in told.steps if step.key == "PUBLISH:Tee"]
    assert names == [
        "product",
        "variant:own-TEE-S",
        "variant:own-TEE-M",
        "variant:own-TEE-L",
        "shown",
    ]
    result = told.results["PUBLISH:Tee"]
    assert set(result.refs) == {"own-TEE-S", "own-TEE-M", "own-TEE-L"}
    (seen,) = result.observed
    assert seen.presence is SeenPresence.LISTED
    assert not seen.is_partial
    assert [variant.options for variant in seen.variants] == [
        (("Size", f"Size {number}"),) for number in range(3)
    ]
    assert len(shop.holdings("products")) == 2
    assert len(shop.holdings("variations")) == 5
    assert shop.requests["POST /products/batch"] == 2


async def test_existing_skus_are_linked_instead() -> None:
    """A SKU the store has is reported with its place, for products and variations alike."""
    shop = WooShop.open(
        [
            {"name": "Mug", "sku": "MUG"},
            {
                "name": "Tee",
                "type": "variable",
                "attributes": [{"name": "Size", "options": ["S"], "variation": True}],
                "variations": [{"sku": "TEE-S", "attributes": [{"name": "Size", "option": "S"}]}],
            },
        ]
    )
    writes = [new_listing("Mug", "MUG"), new_listing("Tee", "TEE-S", "TEE-M")]
    told = await tell(writes, shop.adapter().publish(writes))
    mug, tee = told.results["PUBLISH:Mug"], told.results["PUBLISH:Tee"]
    assert (mug.outcome, mug.code) == (Outcome.STALE, "AlreadyExists")
    assert mug.existing == RemoteRef(str(shop.held("MUG")["id"]))
    place = shop.held("TEE-S")
    assert tee.existing == RemoteRef(str(place["parent_id"]), str(place["id"]))
    assert not told.sendings


async def test_other_case_is_named() -> None:
    """A SKU that differs in case only is not linked and not published, and the reason says so."""
    shop = WooShop.open([{"name": "Mug", "sku": "mug-1"}])
    write = new_listing("Mug", "MUG-1")
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.code == "SkuInOtherCase"
    assert "mug-1" in told.result.message


async def test_sku_with_comma_is_found() -> None:
    """A SKU that holds a comma is looked up by itself and found."""
    shop = WooShop.open([{"name": "Mug", "sku": "A,B"}])
    writes = [new_listing("Mug", "A,B"), new_listing("Cup", "CUP")]
    told = await tell(writes, shop.adapter().publish(writes))
    assert told.results["PUBLISH:Mug"].code == "AlreadyExists"
    assert told.results["PUBLISH:Cup"].outcome is Outcome.APPLIED


async def test_trash_is_named() -> None:
    """A SKU held by a trashed product fails with the remedy; others of the batch are created."""
    shop = WooShop.open([{"name": "Mug", "sku": "MUG"}])
    shop.sandbox.shop({"do": "trash", "sku": "MUG"})
    writes = [new_listing("Mug", "MUG"), new_listing("Cup", "CUP")]
    told = await tell(writes, shop.adapter().publish(writes))
    assert told.results["PUBLISH:Mug"].code == "InTrash"
    assert "empty the trash" in told.results["PUBLISH:Mug"].message
    assert told.results["PUBLISH:Cup"].outcome is Outcome.APPLIED


async def test_image_failure_names_the_image() -> None:
    """An image that cannot be downloaded fails its product with the platform's reason."""
    shop = WooShop.open()
    bad = new_listing("Mug", "MUG", content={"images": ["https://images.example/missing.png"]})
    good = new_listing("Cup", "CUP", content={"images": ["https://images.example/cup.png"]})
    told = await tell([bad, good], shop.adapter().publish([bad, good]))
    result = told.results["PUBLISH:Mug"]
    assert (result.outcome, result.code) == (Outcome.FAILED, "ImageUploadFailed")
    assert "missing.png" in result.message
    assert told.results["PUBLISH:Cup"].outcome is Outcome.APPLIED


async def test_refused_variation_leaves_nothing() -> None:
    """When a variation is refused for good, the draft is taken back and the reason names it."""
    shop = WooShop.open([{"name": "Other", "sku": "OTHER", "global_unique_id": "4006381333931"}])
    write = new_listing("Tee", "TEE-S", "TEE-M")
    first, second = write.variants
    taken = replace(second, content={"global_unique_id": "4006381333931"})
    write = replace(write, variants=(first, taken))
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.outcome is Outcome.FAILED
    assert told.result.code == "product_invalid_global_unique_id"
    assert "TEE-M" in told.result.message
    assert [item["sku"] for item in shop.holdings("products")] == ["OTHER"]
    assert shop.holdings("variations") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": {}}, "NameMissing"),
        ({"option_names": ()}, "OptionsMissing"),
        ({"variants": ()}, "NothingToPublish"),
    ],
)
async def test_impossible_listings_are_not_sent(change: dict[str, object], code: str) -> None:
    """What cannot work is said before a request leaves."""
    shop = WooShop.open()
    write = replace(new_listing("Tee", "TEE-S", "TEE-M"), **change)  # type: ignore[arg-type]
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.code == code
    assert shop.requests == {}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((("Size", "A|B"),), "OptionNotPossible"),
        ((("Size", " "),), "OptionsMissing"),
        ((("Size", "size 0"),), "OptionsDuplicate"),
    ],
)
async def test_impossible_options_are_named(
    options: tuple[tuple[str, str], ...], code: str
) -> None:
    """Option values the store would split, drop or take for equal are refused."""
    shop = WooShop.open()
    write = new_listing("Tee", "TEE-S", "TEE-M")
    first, second = write.variants
    write = replace(write, variants=(first, replace(second, options=options)))
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.code == code
    assert "TEE-M" in told.result.message
    assert shop.requests == {}


async def test_hidden_variants_are_left_out() -> None:
    """A variant that is not to be listed is not created."""
    shop = WooShop.open()
    write = new_listing("Tee", "TEE-S", "TEE-M")
    first, second = write.variants
    write = replace(write, variants=(first, replace(second, presence=Presence.HIDDEN)))
    told = await tell([write], shop.adapter().publish([write]))
    assert set(told.result.refs) == {"own-TEE-S"}
    assert len(shop.holdings("variations")) == 1


async def test_recorded_steps_are_not_repeated() -> None:
    """A try that was cut off after two steps goes on with the third, on the same product."""
    shop = WooShop.open(batch_size=1)
    write = new_listing("Tee", "TEE-S", "TEE-M")
    shop.fault("timeout_before", path_contains="variations/batch", nth=2)
    told, error = await tell_until_error(shop.adapter().publish([write]))
    assert isinstance(error, UnavailableError)
    assert error.effect is Effect.POSSIBLE
    assert [step.name for step in told.steps] == ["product", "variant:own-TEE-S"]
    again = replace(write, steps=told.steps)
    told = await tell([again], shop.adapter().publish([again]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message
    assert [step.name for step in told.steps] == ["variant:own-TEE-M", "shown"]
    assert len(shop.holdings("products")) == 1
    assert len(shop.holdings("variations")) == 2
    assert shop.holdings("products")[0]["status"] == "publish"


@pytest.mark.parametrize("nth", [1, 2])
async def test_half_made_products_are_found_without_steps(nth: int) -> None:
    """A draft whose making was cut off is finished, never doubled, even if no step was kept."""
    shop = WooShop.open()
    write = new_listing("Tee", "TEE-S", "TEE-M")
    path = "/products/batch" if nth == 1 else "variations/batch"
    shop.fault("timeout_after", path_contains=path)
    _, error = await tell_until_error(shop.adapter().publish([write]))
    assert isinstance(error, UnavailableError)
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message
    assert len(told.result.refs) == 2
    assert len(shop.holdings("products")) == 1
    assert len(shop.holdings("variations")) == 2


async def test_categories_are_made_once() -> None:
    """A path two listings share is created level by level, once, and adopted where it exists."""
    shop = WooShop.open([{"name": "Old", "sku": "OLD", "categories": [{"name": "Kitchen"}]}])
    writes = [
        new_listing(name, name, content={"categories": [["Kitchen", "Mugs"]]}) for name in "AB"
    ]
    told = await tell(writes, shop.adapter().publish(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert shop.requests["POST /products/categories"] == 1
    assert told.sendings[0].request == "POST /products/categories"


async def test_draft_publishing_is_a_setting() -> None:
    """With publish_status draft the product is complete and stays a draft."""
    shop = WooShop.open(publish_status="draft")
    writes = [new_listing("Tee", "TEE-S", "TEE-M"), new_listing("Mug", "MUG")]
    told = await tell(writes, shop.adapter().publish(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert {item["status"] for item in shop.holdings("products")} == {"draft"}
    assert told.results["PUBLISH:Tee"].observed[0].presence is SeenPresence.HIDDEN


async def test_parent_sku_is_used() -> None:
    """The listing's own SKU becomes the SKU of the variable product."""
    shop = WooShop.open()
    write = new_listing("Tee", "TEE-S", "TEE-M", sku="TEE")
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.outcome is Outcome.APPLIED
    assert shop.held("TEE")["type"] == "variable"

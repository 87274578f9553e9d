"""Overwriting content: merged, by media id, observed in the form the store shows."""

from dataclasses import replace
from typing import Any

import pytest

from reconcile.contract import Write
from reconcile.core.actions import ActionKind, Outcome
from tests.adapters.shops import Told, WooShop, everything, tell, variants, write_of

pytestmark = pytest.mark.anyio

A, B = "https://images.example/a.png", "https://images.example/b.png"
MUG: dict[str, Any] = {
    "name": "Mug",
    "sku": "MUG",
    "attributes": [
        {"name": "Care", "options": ["dry", "cool"], "visible": True},
        {"name": "MPN", "options": ["old"], "visible": True},
    ],
}
TEE: dict[str, Any] = {
    "name": "Tee",
    "type": "variable",
    "attributes": [{"name": "Size", "options": ["S", "M"], "variation": True}],
    "variations": [
        {"sku": f"TEE-{s}", "regular_price": "7", "attributes": [{"name": "Size", "option": s}]}
        for s in "SM"
    ],
}


async def overwrite(shop: WooShop, sku: str, content: Any, own: Any = None, **more: Any) -> Told:
    """Send content of a product, and of the variant with that SKU."""
    write = write_for((await variants(shop.adapter()))[sku], content, own, **more)
    shop.forget()
    return await tell([write], shop.adapter().overwrite([write]))


def write_for(seen: Any, content: Any, own: Any = None, **more: Any) -> Write:
    """The action on what was seen."""
    write = write_of(ActionKind.OVERWRITE, seen, content=own or {})
    return replace(write, content=content, **more)


async def test_plain_content_is_one_request() -> None:
    """A new title and description cost one request and are observed as the next walk sees them."""
    shop = WooShop.open([MUG])
    told = await overwrite(shop, "MUG", {"name": "Salt & pepper", "description": "<b>a</b>"})
    assert told.result.outcome is Outcome.APPLIED
    assert shop.requests == {"POST /products/batch": 1}
    (observed,) = told.result.observed
    (row,) = (await everything(shop.adapter())).values()
    assert not observed.is_partial
    assert observed.content == row.content
    assert observed.content["name"] == "Salt & pepper"
    assert observed.content["description"] == "<b>a</b>"


async def test_attributes_are_merged() -> None:
    """MPN is replaced, UPC added, the merchant's own attribute stays with both its values."""
    shop = WooShop.open([MUG])
    told = await overwrite(shop, "MUG", {}, {"mpn": "new", "upc": "0123"})
    assert told.result.outcome is Outcome.APPLIED
    found = {item["name"]: item["options"] for item in shop.held("MUG")["attributes"]}
    assert found == {"Care": ["dry", "cool"], "MPN": ["new"], "UPC": ["0123"]}
    assert told.result.observed[0].variants[0].content["mpn"] == "new"


async def test_identifiers_and_measures_of_a_simple_product() -> None:
    """GTIN and weight of the only variant go to the product itself."""
    shop = WooShop.open([MUG])
    own = {"global_unique_id": "4006381333931", "weight": {"value": "1.5", "unit": "kg"}}
    told = await overwrite(shop, "MUG", {}, own)
    assert told.result.outcome is Outcome.APPLIED
    (row,) = (await everything(shop.adapter())).values()
    assert {name: row.variants[0].content[name] for name in own} == own


async def test_variable_products_keep_their_options() -> None:
    """Product and variation are written apart; options stay, MPN of a variation is read back."""
    shop = WooShop.open([TEE])
    own = {"mpn": "M-S", "global_unique_id": "123"}
    told = await overwrite(shop, "TEE-S", {"name": "Shirt", "attributes": {"Fit": "slim"}}, own)
    assert told.result.outcome is Outcome.APPLIED
    assert [step.name.split(":")[0] for step in told.steps] == ["product", "variant"]
    (observed,) = told.result.observed
    assert len(observed.variants) == 2
    assert {variant.options for variant in observed.variants} == {
        (("Size", "S"),),
        (("Size", "M"),),
    }
    first = next(item for item in observed.variants if item.sku == "TEE-S")
    assert (first.content["mpn"], first.identifiers["upc"]) == ("M-S", "123")
    assert observed.content["attributes"] == {"Fit": "slim"}


async def test_images_are_sent_by_id_once_known() -> None:
    """The second time images travel by media id, so the store holds no copies."""
    shop = WooShop.open([MUG])
    told = await overwrite(shop, "MUG", {"images": [A, B]})
    media = dict(told.result.media)
    assert set(media) == {A, B}
    told = await overwrite(shop, "MUG", {"images": [B, A]}, media=media)
    assert told.result.media == media
    (record,) = shop.transport.records[-1:]
    assert record.request == {
        "update": [
            {
                "id": shop.held("MUG")["id"],
                "images": [{"id": int(media[B])}, {"id": int(media[A])}],
            }
        ]
    }


async def test_global_attributes_and_flags_stay() -> None:
    """Merging leaves ids, options, places and flags of the others, and what variations chose."""
    others = [
        {"name": "Material", "global": True, "options": ["Wool", "Silk"], "position": 4},
        {"name": "Size", "options": ["S", "M"], "variation": True, "position": 2},
        {"name": "UPC", "options": ["1"], "visible": False, "position": 1},
    ]
    shop = WooShop.open([{**TEE, "attributes": others}])
    (before,) = shop.holdings()
    told = await overwrite(shop, "TEE-S", {"attributes": {"Fit": "slim"}, "name": "Shirt"})
    assert told.result.outcome is Outcome.APPLIED
    (sent,) = [row for record in shop.transport.records for row in record.request["update"]]  # type: ignore[index, call-overload]
    rows = {row["name"]: row for row in sent["attributes"]}
    assert rows["Material"]["id"] > 0
    assert (rows["Material"]["position"], rows["Material"]["variation"]) == (4, False)
    assert (rows["Size"]["variation"], rows["Size"]["position"]) == (True, 2)
    assert (rows["UPC"]["visible"], rows["UPC"]["options"]) == (False, ["1"])
    (after,) = shop.holdings()
    assert len(after["attributes"]) == len(before["attributes"]) + 1
    (row,) = (await everything(shop.adapter())).values()
    assert {item.options for item in row.variants} == {(("Size", "S"),), (("Size", "M"),)}


async def test_variation_gets_the_main_image_back() -> None:
    """A variation that had a picture of its own shows its product's when that is wanted."""
    shop = WooShop.open([TEE])
    told = await overwrite(shop, "TEE-S", {"images": [A]}, {"image": B})
    media = dict(told.result.media)
    assert set(media) == {A, B}
    told = await overwrite(shop, "TEE-S", {"images": [A]}, {"image": A}, media=media)
    assert told.result.outcome is Outcome.APPLIED
    row = {"id": shop.held("TEE-S")["id"], "image": {"id": int(media[A])}}
    assert {"update": [row]} in [record.request for record in shop.transport.records]
    (product,) = (await everything(shop.adapter())).values()
    images = {item.sku: item.import_fields["images"] for item in product.variants}
    assert images["TEE-S"] == images["TEE-M"]


async def test_images_lost_by_the_store_are_uploaded_again() -> None:
    """A media id the store does not know any more is replaced by the source address."""
    shop = WooShop.open([MUG])
    told = await overwrite(shop, "MUG", {"images": [A]}, media={A: "99999"})
    assert told.result.outcome is Outcome.APPLIED
    assert len(told.sendings) == 2
    assert told.result.media[A] != "99999"


async def test_image_failure_names_the_image() -> None:
    """An image that cannot be fetched fails this product only, with address and reason (T7)."""
    shop = WooShop.open([MUG, {"name": "Cup", "sku": "CUP"}])
    seen = await variants(shop.adapter())
    bad = write_for(seen["MUG"], {"images": ["https://images.example/missing.png"]})
    good = write_for(seen["CUP"], {"images": [A]})
    told = await tell([bad, good], shop.adapter().overwrite([bad, good]))
    failed = told.results[bad.key]
    assert (failed.outcome, failed.code) == (Outcome.FAILED, "ImageUploadFailed")
    assert "missing.png" in failed.message
    assert told.results[good.key].outcome is Outcome.APPLIED


async def test_categories_and_brand() -> None:
    """Categories and brand are found or made, and replace the product's own."""
    shop = WooShop.open([{**MUG, "categories": [{"name": "Old"}]}])
    told = await overwrite(shop, "MUG", {"categories": [["Kitchen", "Mugs"]], "brand": "Acme"})
    assert told.result.outcome is Outcome.APPLIED
    (row,) = (await everything(shop.adapter())).values()
    assert row.content["categories"] == [["Kitchen", "Mugs"]]
    assert row.content["brand"] == "Acme"
    assert told.result.observed[0].content == row.content


async def test_stores_without_brands_get_an_attribute() -> None:
    """Where the store has no brands, the brand is an attribute and is read back as the brand."""
    shop = WooShop.open([MUG])
    assert shop.known is not None
    shop.known = replace(shop.known, features=frozenset())
    told = await overwrite(shop, "MUG", {"brand": "Acme"})
    assert told.result.outcome is Outcome.APPLIED
    (row,) = (await everything(shop.adapter())).values()
    assert row.content["brand"] == "Acme"
    assert "POST /products/brands" not in shop.requests


async def test_missing_products_are_stale() -> None:
    """A product deleted meanwhile is stale, whether its attributes were to be read or not."""
    shop = WooShop.open([MUG, {**MUG, "sku": "CUP"}])
    seen = await variants(shop.adapter())
    for sku in ("MUG", "CUP"):
        shop.sandbox.shop({"do": "delete", "sku": sku})
    writes = [
        write_for(seen["MUG"], {"name": "x"}),
        write_for(seen["CUP"], {}, {"mpn": "1"}),
    ]
    told = await tell(writes, shop.adapter().overwrite(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.STALE}
    assert all(result.gone for result in told.results.values())


async def test_recorded_parts_are_not_sent_again() -> None:
    """With the step of the product only the variation is still sent; with both, nothing is."""
    shop = WooShop.open([TEE])
    seen = (await variants(shop.adapter()))["TEE-S"]
    write = write_for(seen, {"name": "Shirt"}, {"mpn": "1"})
    told = await tell([write], shop.adapter().overwrite([write]))
    shop.forget()
    part = replace(write, steps=told.steps[:1])
    await tell([part], shop.adapter().overwrite([part]))
    assert "POST /products/batch" not in shop.requests
    whole = replace(write, steps=told.steps)
    told = await tell([whole], shop.adapter().overwrite([whole]))
    assert told.result.outcome is Outcome.NO_OP

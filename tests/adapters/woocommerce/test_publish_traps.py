"""Publishing where the store or a merchant does what nobody expected."""

from dataclasses import replace
from typing import Any

import pytest

from reconcile.contract import Step
from reconcile.core.actions import ActionKind, Outcome
from tests.adapters.shops import (
    WooShop,
    everything,
    new_listing,
    tell,
    tell_until_error,
    variants,
    write_of,
)

pytestmark = pytest.mark.anyio

TEE: dict[str, Any] = {
    "name": "Tee",
    "type": "variable",
    "sku": "TEE",
    "attributes": [{"name": "Size", "options": ["S"], "variation": True}],
}


async def begun(shop: WooShop) -> Any:
    """A variable listing of which only the draft and one variation were made."""
    write = new_listing("Tee", "TEE-S", "TEE-M")
    shop.fault("timeout_before", path_contains="variations/batch", nth=2)
    told, error = await tell_until_error(shop.adapter().publish([write]))
    assert error is not None
    shop.heal()
    return replace(write, steps=told.steps)


@pytest.mark.parametrize("how", ["delete", "trash"])
async def test_deleted_draft_is_not_gone_on_with(how: str) -> None:
    """A draft the merchant removed is neither filled with orphans nor brought back."""
    shop = WooShop.open(batch_size=1)
    write = await begun(shop)
    (product,) = shop.holdings()
    shop.sandbox.shop({"do": how, "id": product["id"]})
    shop.forget()
    told = await tell([write], shop.adapter().publish([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.STALE, "Gone")
    assert not told.sendings
    assert not [route for route in shop.requests if not route.startswith("GET")]


async def test_product_taken_over_is_not_taken_back() -> None:
    """A draft the merchant has published meanwhile stays although a variation is refused."""
    shop = WooShop.open(
        [{"name": "Other", "sku": "OTHER", "global_unique_id": "4006381333931"}], batch_size=1
    )
    write = await begun(shop)
    product = next(item for item in shop.holdings() if item["sku"] != "OTHER")
    shop.sandbox.shop({"do": "update", "id": product["id"], "fields": {"status": "publish"}})
    first, second = write.variants
    second = replace(second, content={"global_unique_id": "4006381333931"})
    write = replace(write, variants=(first, second))
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.outcome is Outcome.FAILED
    assert "stays" in told.result.message
    assert product["id"] in {item["id"] for item in shop.holdings()}


async def test_sku_of_a_variable_product_cannot_be_linked() -> None:
    """A simple listing whose SKU is a variable product's fails with the reason."""
    shop = WooShop.open([TEE])
    write = new_listing("Tee", "TEE")
    told = await tell([write], shop.adapter().publish([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "SkuTaken")
    assert told.result.existing is None
    assert not told.sendings


async def test_taken_sku_of_the_listing_itself_cannot_be_linked() -> None:
    """The SKU meant for the product is held by something sold: nothing of ours is that."""
    shop = WooShop.open([{"name": "Mug", "sku": "OURS"}])
    write = replace(new_listing("Tee", "TEE-S", "TEE-M"), sku="OURS")
    told = await tell([write], shop.adapter().publish([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "SkuTaken")
    assert not told.sendings


async def test_other_accents_are_named() -> None:
    """A SKU that differs in accents only is taken for the same by the store, and is named."""
    shop = WooShop.open([{"name": "Mug", "sku": "CAFE"}])
    write = new_listing("Mug", "café")
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.code == "SkuInOtherCase"
    assert "CAFE" in told.result.message
    assert not told.sendings


async def test_looks_by_sku_fit_into_an_address() -> None:
    """A hundred long SKUs beyond ASCII are asked for in requests that web servers accept."""
    shop = WooShop.open()
    lengths: list[int] = []

    async def note(request: Any) -> None:
        lengths.append(len(str(request.url.raw_path)))

    shop.transport.http.event_hooks["request"].append(note)
    writes = [new_listing(f"Mug {n}", f"{'瓷' * 30}{n}") for n in range(100)]
    told = await tell(writes, shop.adapter().publish(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert max(lengths) < 8_000


@pytest.mark.parametrize("skus", [("MUG",), ("TEE-S", "TEE-M")])
async def test_price_not_taken_is_told(skus: tuple[str, ...]) -> None:
    """A sale price the store drops at creation fails the publish, which says where it stands."""
    shop = WooShop.open()
    write = new_listing("Thing", *skus)
    last = replace(write.variants[-1], sync={"regular_price": "5", "sale_price": "6"})
    write = replace(write, variants=(*write.variants[:-1], last))
    told = await tell([write], shop.adapter().publish([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "NotAccepted")
    assert skus[-1] in told.result.message
    assert "sale_price" in told.result.message
    assert set(told.result.refs) == {f"own-{sku}" for sku in skus}
    assert told.result.observed


async def test_lost_step_does_not_hide_the_others() -> None:
    """One listing whose draft is gone does not keep the others from being published."""
    shop = WooShop.open()
    lost = new_listing("Tee", "TEE-S", "TEE-M")
    lost = replace(lost, steps=(Step(lost.key, "product", "4711"),))
    writes = [lost, new_listing("Mug", "MUG")]
    told = await tell(writes, shop.adapter().publish(writes))
    assert told.results[lost.key].outcome is Outcome.STALE
    assert told.results["PUBLISH:Mug"].outcome is Outcome.APPLIED


@pytest.mark.parametrize("skus", [("MUG",), ("TEE-S", "TEE-M")])
async def test_category_that_went_away_is_told(skus: tuple[str, ...]) -> None:
    """A category deleted after it was looked up is dropped by the store; the publish says so."""
    shop = WooShop.open([{"name": "Old", "sku": "OLD", "categories": [{"name": "Kitchen"}]}])
    adapter = shop.adapter()
    assert await everything(adapter)  # the adapter knows the category from here on
    await delete_category(shop, "Kitchen")
    write = new_listing("Thing", *skus, content={"categories": [["Kitchen"]]})
    told = await tell([write], adapter.publish([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "NotAccepted")
    assert "categories" in told.result.message
    again = new_listing("Other", "OTHER", content={"categories": [["Kitchen"]]})
    told = await tell([again], adapter.publish([again]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message


async def test_category_that_went_away_is_overwritten_again() -> None:
    """An overwrite with a category that is gone is tried again, and finds or makes it anew."""
    shop = WooShop.open([{"name": "Mug", "sku": "MUG", "categories": [{"name": "Kitchen"}]}])
    adapter = shop.adapter()
    seen = (await variants(adapter))["MUG"]
    await delete_category(shop, "Kitchen")
    content = {"categories": [["Kitchen"]]}
    write = replace(write_of(ActionKind.OVERWRITE, seen), content=content)
    told = await tell([write], adapter.overwrite([write]))
    assert told.result.outcome is Outcome.RETRYING
    told = await tell([write], adapter.overwrite([write]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message
    (row,) = (await everything(shop.adapter())).values()
    assert row.content["categories"] == [["Kitchen"]]


async def delete_category(shop: WooShop, name: str) -> None:
    """Delete a category as the merchant does."""
    url, key = (
        f"{shop.url}/wp-json/wc/v3/products/categories",
        shop.sandbox.credentials_at(shop.url),
    )
    auth = (key["consumer_key"], key["consumer_secret"])
    rows = (await shop.transport.http.get(url, auth=auth)).json()
    (found,) = [row["id"] for row in rows if row["name"] == name]
    answer = await shop.transport.http.delete(f"{url}/{found}?force=true", auth=auth)
    assert answer.status_code == 200


async def test_quantity_without_stock_management_is_told() -> None:
    """Where the store has stock management switched off, a product would sell without end."""
    shop = WooShop.open(options={"manages_stock": False})
    write = new_listing("Mug", "MUG")
    told = await tell([write], shop.adapter().publish([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "NotAccepted")
    assert "stock_quantity" in told.result.message


async def test_blanks_the_store_does_not_keep() -> None:
    """A SKU with doubled blanks is one with single ones there, and is found again, not doubled."""
    shop = WooShop.open()
    write = new_listing("Mug", " A \t B")
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.outcome is Outcome.APPLIED
    assert shop.holdings()[0]["sku"] == "A B"
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.code == "AlreadyExists"
    assert told.result.existing is not None


async def test_sku_with_markup_is_refused() -> None:
    """A SKU the store would change is said before a request leaves: nobody would find it again."""
    shop = WooShop.open()
    write = new_listing("Mug", "00<b>12</b>")
    told = await tell([write], shop.adapter().publish([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "SkuNotPossible")
    assert shop.requests == {}
    fine = new_listing("Cup", "5 < 6 > 4")
    told = await tell([fine], shop.adapter().publish([fine]))
    assert told.result.code != "SkuNotPossible"

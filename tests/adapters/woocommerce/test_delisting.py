"""Deleting for good: never more than what was to be deleted."""

from dataclasses import replace
from typing import Any

import pytest

from reconcile.contract import Write
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.types import RemoteListing, RemoteVariant
from tests.adapters.shops import WooShop, everything, tell, variants, write_of

pytestmark = pytest.mark.anyio

MUG = {"name": "Mug", "sku": "MUG", "regular_price": "5", "manage_stock": True, "stock_quantity": 3}
SIZES = [{"name": "Size", "options": ["S", "M", "L"], "variation": True}]
TEE: dict[str, Any] = {
    "name": "Tee",
    "type": "variable",
    "sku": "TEE",
    "attributes": SIZES,
    "variations": [
        {"sku": f"TEE-{s}", "regular_price": "7", "attributes": [{"name": "Size", "option": s}]}
        for s in "SM"
    ],
}


def ending(seen: dict[str, tuple[RemoteListing, RemoteVariant]], *skus: str) -> Write:
    """The DELIST of a product with all the variants it was seen to have."""
    parts = tuple(write_of(ActionKind.DELIST, seen[sku]).variants[0] for sku in skus)
    return replace(write_of(ActionKind.DELIST, seen[skus[0]]), variants=parts, ends_product=True)


async def test_whole_product_is_one_request_after_a_look() -> None:
    """A product all of whose variants go is looked at and deleted with one request."""
    shop = WooShop.open([TEE, MUG])
    seen = await variants(shop.adapter())
    shop.forget()
    writes = [ending(seen, "TEE-S", "TEE-M"), ending(seen, "MUG")]
    told = await tell(writes, shop.adapter().delist(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert shop.requests == {"GET /products": 1, "POST /products/batch": 1}
    assert shop.holdings() == []
    assert shop.holdings("variations") == []


async def test_variation_added_meanwhile_saves_its_product() -> None:
    """A variation nobody asked to delist is not deleted along with its product, and is seen."""
    shop = WooShop.open([TEE])
    seen = await variants(shop.adapter())
    fields = {
        "parent_id": shop.held("TEE")["id"],
        "sku": "TEE-L",
        "attributes": [{"name": "Size", "option": "L"}],
    }
    shop.sandbox.shop({"do": "create", "fields": fields})
    write = ending(seen, "TEE-S", "TEE-M")
    told = await tell([write], shop.adapter().delist([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.STALE, "NotAlone")
    assert told.result.gone is None
    (now,) = told.result.observed
    assert {variant.sku for variant in now.variants} == {"TEE-S", "TEE-M", "TEE-L"}
    assert not told.sendings
    assert len(shop.holdings("variations")) == 3


async def test_simple_product_that_became_variable_is_not_deleted() -> None:
    """What was linked is gone, and the merchant's new variations are left alone."""
    shop = WooShop.open([MUG])
    seen = await variants(shop.adapter())
    change = {"type": "variable", "attributes": SIZES}
    shop.sandbox.shop({"do": "update", "sku": "MUG", "fields": change})
    write = ending(seen, "MUG")
    told = await tell([write], shop.adapter().delist([write]))
    assert told.result.outcome is Outcome.STALE
    assert told.result.gone is not None
    assert len(shop.holdings()) == 1


async def test_variable_product_that_became_simple_is_not_deleted() -> None:
    """Its variations are gone already; the simple product was never to be deleted."""
    shop = WooShop.open([TEE])
    seen = await variants(shop.adapter())
    shop.sandbox.shop({"do": "update", "sku": "TEE", "fields": {"type": "simple"}})
    write = ending(seen, "TEE-S", "TEE-M")
    told = await tell([write], shop.adapter().delist([write]))
    assert told.result.outcome is Outcome.STALE
    assert told.result.gone is not None
    assert [item["sku"] for item in shop.holdings()] == ["TEE"]


async def test_trashed_product_is_deleted_for_good() -> None:
    """Delisting ends what lies in the trash, too, and frees its SKU."""
    shop = WooShop.open([MUG])
    seen = await variants(shop.adapter())
    shop.sandbox.shop({"do": "trash", "sku": "MUG"})
    write = ending(seen, "MUG")
    told = await tell([write], shop.adapter().delist([write]))
    assert told.result.outcome is Outcome.APPLIED
    assert shop.holdings() == []
    assert await everything(shop.adapter()) == {}


async def test_product_that_cannot_be_read_is_not_deleted() -> None:
    """Where the look before deleting shows what nobody understands, deleting waits."""
    shop = WooShop.open([MUG])
    seen = await variants(shop.adapter())
    headers = {"X-WP-Total": "1", "X-WP-TotalPages": "1"}
    body = f'[{{"id": {shop.held("MUG")["id"]}, "type": "simple"}}]'
    shop.fault("status", method="GET", status=200, body=body, headers=headers)
    write = ending(seen, "MUG")
    told = await tell([write], shop.adapter().delist([write]))
    assert told.result.outcome is Outcome.RETRYING
    assert len(shop.holdings()) == 1

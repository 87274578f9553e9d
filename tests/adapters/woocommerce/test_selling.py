"""Sync, hide, unhide and delist against the simulated store, its refusals and silences included."""

import json
from dataclasses import replace
from typing import Any

import pytest

from reconcile.contract import Effect, Gone, RejectedError, UnauthorizedError, Write
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.types import RemoteRef, SeenPresence
from tests.adapters.shops import (
    WooShop,
    everything,
    tell,
    tell_until_error,
    variants,
    write_of,
)

pytestmark = pytest.mark.anyio

MUG = {"name": "Mug", "sku": "MUG", "regular_price": "5", "manage_stock": True, "stock_quantity": 3}
TEE: dict[str, Any] = {
    "name": "Tee",
    "type": "variable",
    "sku": "TEE",
    "attributes": [{"name": "Size", "options": ["S", "M"], "variation": True}],
    "variations": [
        {"sku": f"TEE-{s}", "regular_price": "7", "attributes": [{"name": "Size", "option": s}]}
        for s in "SM"
    ],
}


async def sync(shop: WooShop, sku: str, **values: Any) -> Any:
    """Synchronize one variant, with what was seen a moment ago."""
    write = write_of(ActionKind.SYNC, (await variants(shop.adapter()))[sku], sync=values)
    return (await tell([write], shop.adapter().sync([write]))).result


async def test_thousand_changes_are_ten_requests() -> None:
    """A walk, a sync and a read of 1,000 simple products cost ten requests each."""
    shop = WooShop.open([{**MUG, "sku": f"M-{n}"} for n in range(1000)])
    adapter = shop.adapter()
    seen = await variants(adapter)
    assert shop.requests == {"GET /products": 10}
    shop.forget()
    writes = [
        write_of(ActionKind.SYNC, pair, sync={"regular_price": "6"}) for pair in seen.values()
    ]
    told = await tell(writes, adapter.sync(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert shop.requests == {"POST /products/batch": 10}
    shop.forget()
    await adapter.read([variant.ref for _, variant in seen.values()])
    assert shop.requests == {"GET /products": 10}


async def test_only_what_changed_is_sent() -> None:
    """A new price leaves the quantity alone, and the log shows exactly what was sent."""
    shop = WooShop.open([MUG])
    result = await sync(shop, "MUG", regular_price="6.5")
    assert result.outcome is Outcome.APPLIED
    (record,) = shop.transport.records
    assert record.request == {"update": [{"id": shop.held("MUG")["id"], "regular_price": "6.5"}]}
    assert shop.held("MUG")["stock_quantity"] == 3
    (seen,) = result.observed
    assert seen.is_partial
    assert seen.variants[0].seen["regular_price"] == "6.5"


async def test_variations_go_to_their_product() -> None:
    """Variations of one product travel in one request to that product."""
    shop = WooShop.open([TEE, MUG])
    seen = await variants(shop.adapter())
    shop.forget()
    writes = [write_of(ActionKind.SYNC, pair, sync={"stock_quantity": 2}) for pair in seen.values()]
    told = await tell(writes, shop.adapter().sync(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert shop.requests == {
        "POST /products/batch": 1,
        "POST /products/{id}/variations/batch": 1,
    }
    assert (shop.held("TEE-S")["manage_stock"], shop.held("TEE-S")["stock_quantity"]) == (True, 2)


async def test_parent_managed_stock_is_taken_over() -> None:
    """A variation that shared its product's stock gets a quantity of its own."""
    shop = WooShop.open([{**TEE, "manage_stock": True, "stock_quantity": 9}])
    seen = await variants(shop.adapter())
    assert seen["TEE-S"][1].seen["stock_quantity"] is None
    result = await sync(shop, "TEE-S", stock_quantity=4)
    assert result.outcome is Outcome.APPLIED, result.message
    assert shop.held("TEE-S")["stock_quantity"] == 4
    seen = await variants(shop.adapter())
    assert seen["TEE-M"][1].aspects["manage_stock"] == "parent"


async def test_value_not_taken_is_a_failure() -> None:
    """A sale price above the regular one is dropped by the store, which is told as NotAccepted."""
    shop = WooShop.open([MUG])
    result = await sync(shop, "MUG", sale_price="9")
    assert (result.outcome, result.code) == (Outcome.FAILED, "NotAccepted")
    assert "sale_price: sent 9, the store shows nothing" in result.message
    assert result.observed


@pytest.mark.parametrize(
    ("change", "code"),
    [({"do": "delete", "sku": "MUG"}, "Gone"), ({"do": "trash", "sku": "MUG"}, "InTrash")],
)
async def test_missing_objects_are_stale(change: dict[str, Any], code: str) -> None:
    """A deleted or trashed product makes its own row stale and leaves the others alone."""
    shop = WooShop.open([MUG, {**MUG, "sku": "CUP"}])
    seen = await variants(shop.adapter())
    shop.sandbox.shop(change)
    writes = [
        write_of(ActionKind.SYNC, pair, sync={"regular_price": "6"}) for pair in seen.values()
    ]
    told = await tell(writes, shop.adapter().sync(writes))
    lost, kept = told.results[writes[0].key], told.results[writes[1].key]
    assert (lost.outcome, lost.code) == (Outcome.STALE, code)
    assert isinstance(lost.gone, Gone)
    assert kept.outcome is Outcome.APPLIED


async def test_stock_of_external_products_is_refused_here() -> None:
    """What cannot be done at all is said without a request."""
    external = {"name": "Far", "sku": "FAR", "type": "external", "regular_price": "5"}
    grouped = {"name": "Set", "sku": "SET", "type": "grouped"}
    shop = WooShop.open([external, grouped])
    for sku in ("FAR", "SET"):
        result = await sync(shop, sku, stock_quantity=1)
        assert (result.outcome, result.code) == (Outcome.FAILED, "Unsupported")
    assert shop.transport.records == []
    result = await sync(shop, "FAR", regular_price="6")
    assert result.outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "woocommerce_rest_authentication_error", UnauthorizedError),
        (403, "woocommerce_rest_cannot_batch", UnauthorizedError),
        (413, "woocommerce_rest_request_entity_too_large", RejectedError),
        (400, "rest_invalid_json", RejectedError),
    ],
)
async def test_refused_requests_change_nothing(
    status: int, code: str, error: type[Exception]
) -> None:
    """A request refused as a whole raises with the platform's code and no effect."""
    shop = WooShop.open([MUG])
    write = write_of(
        ActionKind.SYNC, (await variants(shop.adapter()))["MUG"], sync={"regular_price": "6"}
    )
    body = f'{{"code": "{code}", "message": "No.", "data": {{"status": {status}}}}}'
    shop.fault("status", status=status, body=body, path_contains="batch")
    _, raised = await tell_until_error(shop.adapter().sync([write]))
    assert type(raised).__mro__[0:3].count(error) == 1
    assert getattr(raised, "effect", None) is Effect.NONE


@pytest.mark.parametrize("effect", ["cut_page", "empty"])
async def test_answers_that_lost_rows_leave_the_outcome_open(effect: str) -> None:
    """Fewer answered rows than sent means that nobody knows which one is whose."""
    shop = WooShop.open([{**MUG, "sku": f"M-{n}"} for n in range(20)])
    writes = [
        write_of(ActionKind.SYNC, pair, sync={"regular_price": "6"})
        for pair in (await variants(shop.adapter())).values()
    ]
    shop.fault(effect, path_contains="batch")
    told, raised = await tell_until_error(shop.adapter().sync(writes))
    assert getattr(raised, "effect", None) is Effect.POSSIBLE
    assert not told.results


async def hide(shop: WooShop, *skus: str, **of_write: Any) -> tuple[list[Write], Any]:
    """Hide variants as just seen."""
    seen = await variants(shop.adapter())
    writes = [replace(write_of(ActionKind.HIDE, seen[sku]), **of_write) for sku in skus]
    return writes, await tell(writes, shop.adapter().hide(writes))


async def test_hiding_keeps_what_the_store_holds_now() -> None:
    """What is kept is read right before hiding, so a sale since the last look is not undone."""
    shop = WooShop.open([{**MUG, "backorders": "yes"}])
    seen = await variants(shop.adapter())
    shop.sandbox.shop({"do": "buy", "sku": "MUG", "quantity": 1})
    write = write_of(ActionKind.HIDE, seen["MUG"])
    told = await tell([write], shop.adapter().hide([write]))
    kept = told.result.kept
    assert kept is not None
    assert (kept["stock_quantity"], kept["backorders"], kept["manage_stock"]) == (2, "yes", True)
    held = shop.held("MUG")
    assert (held["stock_quantity"], held["backorders"], held["stock_status"]) == (
        0, "no", "outofstock",
    )  # fmt: skip
    (step,) = told.steps
    assert (step.name, step.detail) == ("kept", kept)
    assert told.progress.index(step) < told.progress.index(told.sendings[0])


async def test_hiding_again_keeps_the_first_memory() -> None:
    """A repeated hide, with the step or with what is kept, does not remember the zero."""
    shop = WooShop.open([MUG])
    (write,), told = await hide(shop, "MUG")
    first = told.result.kept
    again = replace(write, steps=told.steps)
    told = await tell([again], shop.adapter().hide([again]))
    assert told.result.kept == first
    known = replace(write, variants=(replace(write.variants[0], kept=first),))
    told = await tell([known], shop.adapter().hide([known]))
    assert (told.result.outcome, told.result.kept) == (Outcome.NO_OP, first)


async def test_hiding_variations_leaves_their_siblings() -> None:
    """One variation goes out of stock, its sibling and the product stay as they are."""
    shop = WooShop.open([TEE])
    _, told = await hide(shop, "TEE-S")
    assert told.result.outcome is Outcome.APPLIED
    assert shop.held("TEE-S")["stock_status"] == "outofstock"
    assert shop.held("TEE-M")["stock_status"] == "instock"
    assert shop.held("TEE")["status"] == "publish"


async def test_hiding_the_impossible() -> None:
    """External products cannot be hidden by stock; a deleted one is stale."""
    shop = WooShop.open([{"name": "Far", "sku": "FAR", "type": "external"}, MUG])
    _, told = await hide(shop, "FAR")
    assert told.result.code == "Unsupported"
    seen = await variants(shop.adapter())
    shop.sandbox.shop({"do": "delete", "sku": "MUG"})
    write = write_of(ActionKind.HIDE, seen["MUG"])
    told = await tell([write], shop.adapter().hide([write]))
    assert told.result.gone is not None
    assert not told.sendings


@pytest.mark.parametrize(
    "fields",
    [{"status": "draft"}, {"status": "private"}, {"catalog_visibility": "hidden"}],
)
async def test_unhiding_shows_hidden_products(fields: dict[str, Any]) -> None:
    """A product the merchant took off the shop is published and visible again."""
    shop = WooShop.open([{**MUG, **fields}])
    seen = (await variants(shop.adapter()))["MUG"]
    assert seen[1].presence is SeenPresence.HIDDEN
    write = write_of(ActionKind.UNHIDE, seen)
    told = await tell([write], shop.adapter().unhide([write]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message
    held = shop.held("MUG")
    assert (held["status"], held["catalog_visibility"]) == ("publish", "visible")


async def test_unhiding_variations_shows_their_product_last() -> None:
    """Variations of a draft come back first; then one request publishes the product."""
    shop = WooShop.open([{**TEE, "status": "draft"}])
    writes, told = await hide(shop, "TEE-S", "TEE-M")
    kept = {write.key: told.results[write.key].kept for write in writes}
    writes = [
        replace(
            write,
            kind=ActionKind.UNHIDE,
            variants=(replace(write.variants[0], kept=kept[write.key]),),
        )
        for write in writes
    ]
    shop.forget()
    told = await tell(writes, shop.adapter().unhide(writes))
    assert {result.outcome for result in told.results.values()} == {Outcome.APPLIED}
    assert shop.requests == {
        "POST /products/{id}/variations/batch": 1,
        "POST /products/batch": 1,
    }
    assert shop.held("TEE")["status"] == "publish"
    assert shop.held("TEE-S")["stock_status"] == "instock"


async def test_unhiding_with_a_new_quantity() -> None:
    """The quantity the action brings wins over the one that was kept."""
    shop = WooShop.open([MUG])
    (write,), told = await hide(shop, "MUG")
    variant = replace(
        write.variants[0],
        kept=told.result.kept,
        sync={"stock_quantity": 8, "regular_price": "4"},
    )
    write = replace(write, kind=ActionKind.UNHIDE, variants=(variant,))
    told = await tell([write], shop.adapter().unhide([write]))
    assert told.result.outcome is Outcome.APPLIED
    held = shop.held("MUG")
    assert (held["stock_quantity"], held["regular_price"]) == (8, "4")


async def test_delisting() -> None:
    """A variation goes alone, a simple product as a whole, and what is gone already is no fault."""
    shop = WooShop.open([MUG, TEE])
    seen = await variants(shop.adapter())
    shop.sandbox.shop({"do": "delete", "sku": "MUG"})
    writes = [write_of(ActionKind.DELIST, seen[sku]) for sku in ("MUG", "TEE-S")]
    told = await tell(writes, shop.adapter().delist(writes))
    first, second = (told.results[write.key] for write in writes)
    assert (first.outcome, second.outcome) == (Outcome.NO_OP, Outcome.APPLIED)
    assert first.gone is not None
    assert second.gone is not None
    (left,) = (await everything(shop.adapter())).values()
    assert [variant.sku for variant in left.variants] == ["TEE-M"]


async def test_delisting_several_variants_is_one_result() -> None:
    """An action on several variations ends when all are gone; deleted ones are not asked again."""
    shop = WooShop.open([TEE], batch_size=1)
    seen = await variants(shop.adapter())
    both = tuple(write_of(ActionKind.DELIST, pair).variants[0] for pair in seen.values())
    write = replace(write_of(ActionKind.DELIST, seen["TEE-S"]), variants=both)
    shop.fault("timeout_before", path_contains="batch", nth=2)
    told, raised = await tell_until_error(shop.adapter().delist([write]))
    assert raised is not None
    assert not told.results
    again = replace(write, steps=told.steps)
    told = await tell([again], shop.adapter().delist([again]))
    assert told.result.outcome is Outcome.APPLIED
    assert len(told.sendings) == 1
    assert shop.holdings("variations") == []
    finished = replace(again, steps=(*again.steps, *told.steps))
    told = await tell([finished], shop.adapter().delist([finished]))
    assert told.result.gone is not None
    assert not told.sendings


async def test_a_ref_without_a_number_is_not_theirs() -> None:
    """An id that cannot be WooCommerce's is refused before a request leaves."""
    shop = WooShop.open()
    with pytest.raises(Exception, match="not an id"):
        await shop.adapter().read([RemoteRef("gid://other/1")])
    assert shop.requests == {}


@pytest.mark.parametrize("values", [{"stock_quantity": 8}, {"regular_price": "4"}])
async def test_simple_product_that_became_variable_is_stale(values: dict[str, Any]) -> None:
    """Its own quantity would be a pool of its new variations: what was linked is gone."""
    shop = WooShop.open([MUG])
    write = write_of(ActionKind.SYNC, (await variants(shop.adapter()))["MUG"], sync=values)
    shop.sandbox.shop({"do": "update", "sku": "MUG", "fields": {"type": "variable"}})
    told = await tell([write], shop.adapter().sync([write]))
    assert told.result.outcome is Outcome.STALE
    assert told.result.gone is not None


async def test_stock_status_that_does_not_come_back_is_a_failure() -> None:
    """A store that leaves an unmanaged product out of stock after unhiding is not believed."""
    shop = WooShop.open([{"name": "Mug", "sku": "MUG", "regular_price": "5"}])
    (write,), told = await hide(shop, "MUG")
    variant = replace(write.variants[0], kept=told.result.kept)
    write = replace(write, kind=ActionKind.UNHIDE, variants=(variant,))
    row = {"id": shop.held("MUG")["id"], "status": "publish", "stock_status": "outofstock"}
    body = json.dumps({"update": [{**row, "manage_stock": False}]})
    shop.fault("status", path_contains="batch", status=200, body=body)
    told = await tell([write], shop.adapter().unhide([write]))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "NotAccepted")
    assert "stock_status" in told.result.message


async def test_unhiding_leaves_the_place_in_the_shop() -> None:
    """A draft that shows in searches only is published and goes on to show in searches only."""
    shop = WooShop.open([{**MUG, "status": "draft", "catalog_visibility": "search"}])
    write = write_of(ActionKind.UNHIDE, (await variants(shop.adapter()))["MUG"])
    told = await tell([write], shop.adapter().unhide([write]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message
    held = shop.held("MUG")
    assert (held["status"], held["catalog_visibility"]) == ("publish", "search")


async def test_quantity_without_stock_management_is_not_taken() -> None:
    """A store that has stock management switched off ignores quantities; the hint says where."""
    shop = WooShop.open([MUG], options={"manages_stock": False})
    result = await sync(shop, "MUG", stock_quantity=3)
    assert (result.outcome, result.code) == (Outcome.FAILED, "NotAccepted")
    assert "Enable stock management" in result.message


async def test_shared_stock_comes_back_after_hiding() -> None:
    """A variation of a shared stock leaves it to be hidden, and is part of it again afterwards."""
    shop = WooShop.open([{**TEE, "manage_stock": True, "stock_quantity": 9, "backorders": "yes"}])
    (write,), told = await hide(shop, "TEE-S")
    held = shop.held("TEE-S")
    assert (held["manage_stock"], held["stock_quantity"], held["backorders"]) == (True, 0, "no")
    assert shop.held("TEE")["stock_quantity"] == 9
    variant = replace(write.variants[0], kept=told.result.kept)
    write = replace(write, kind=ActionKind.UNHIDE, variants=(variant,))
    told = await tell([write], shop.adapter().unhide([write]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message
    seen = (await variants(shop.adapter()))["TEE-S"][1]
    assert (seen.aspects["manage_stock"], seen.aspects["stock_quantity"]) == ("parent", 9)
    assert not seen.unsellable


@pytest.mark.parametrize("quantity", [-46, 0, 5])
@pytest.mark.parametrize("backorders", ["no", "notify", "yes"])
async def test_backorders_and_debts_come_back_after_hiding(quantity: int, backorders: str) -> None:
    """Hidden means not sold on backorder either; unhiding restores both, below zero too."""
    stock = {"manage_stock": True, "stock_quantity": quantity, "backorders": backorders}
    shop = WooShop.open([{"name": "Mug", "sku": "MUG", "regular_price": "5", **stock}])
    (write,), told = await hide(shop, "MUG")
    hidden_one = (await variants(shop.adapter()))["MUG"][1]
    assert hidden_one.unsellable
    variant = replace(write.variants[0], kept=told.result.kept)
    write = replace(write, kind=ActionKind.UNHIDE, variants=(variant,))
    told = await tell([write], shop.adapter().unhide([write]))
    assert told.result.outcome is Outcome.APPLIED, told.result.message
    assert {name: shop.held("MUG")[name] for name in stock} == stock


async def test_new_quantity_leaves_backorders_alone() -> None:
    """A quantity is sent alone: whether the merchant sells beyond it is the merchant's."""
    stock = {"manage_stock": True, "stock_quantity": -46, "backorders": "notify"}
    shop = WooShop.open([{**MUG, **stock}])
    seen = (await variants(shop.adapter()))["MUG"][1]
    assert seen.seen["stock_quantity"] == -46
    result = await sync(shop, "MUG", stock_quantity=0)
    assert result.outcome is Outcome.APPLIED
    assert shop.held("MUG")["backorders"] == "notify"

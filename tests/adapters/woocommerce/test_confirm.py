"""Finding out what became of a write nobody answered: by reading, for every kind of action."""

from dataclasses import replace
from typing import Any

import pytest

from reconcile.contract import (
    WRITES,
    Confirmation,
    ConfirmState,
    Effect,
    UnavailableError,
    Write,
)
from reconcile.core.actions import ActionKind, Outcome
from tests.adapters.shops import (
    WooShop,
    new_listing,
    tell,
    tell_until_error,
    variants,
    write_of,
)

pytestmark = pytest.mark.anyio

MUG: dict[str, Any] = {
    "name": "Mug",
    "sku": "MUG",
    "regular_price": "5",
    "manage_stock": True,
    "stock_quantity": 3,
}
IMAGE = "https://images.example/mug-front.png"


async def confirm(shop: WooShop, write: Write) -> Confirmation:
    """The confirmation of one action."""
    return (await shop.adapter().confirm([write]))[write.key]


async def lose_answer(shop: WooShop, write: Write, path: str, nth: int = 1) -> Write:
    """Execute until the answer to a request is lost; the action with its steps."""
    shop.fault("timeout_after", path_contains=path, nth=nth)
    told, error = await tell_until_error(WRITES[write.kind](shop.adapter(), [write]))
    assert error is not None
    return replace(write, steps=told.steps)


async def test_variable_product_cut_off_after_its_variations() -> None:
    """All variations stand but nothing is shown: NOT_DONE, with the steps to go on from."""
    shop = WooShop.open()
    write = await lose_answer(shop, new_listing("Tee", "A", "B"), "variations/batch")
    found = await confirm(shop, write)
    assert found.state is ConfirmState.NOT_DONE
    assert "not shown" in found.evidence
    assert {step.name for step in found.steps} == {"product", "variant:own-A", "variant:own-B"}
    write = replace(write, steps=found.steps)
    told = await tell([write], shop.adapter().publish([write]))
    assert told.result.outcome is Outcome.APPLIED
    assert [sending.request for sending in told.sendings] == ["POST /products/batch"]


async def test_variable_product_cut_off_after_its_parent() -> None:
    """Only the draft stands, which has no SKU: it is found by its mark."""
    shop = WooShop.open()
    write = await lose_answer(shop, new_listing("Tee", "A", "B"), "/products/batch")
    found = await confirm(shop, write)
    assert found.state is ConfirmState.NOT_DONE
    assert [step.name for step in found.steps] == ["product"]
    assert "without A, B" in found.evidence


async def test_variable_product_cut_off_after_showing() -> None:
    """The last answer was lost: DONE, with where every variant is."""
    shop = WooShop.open()
    write = await lose_answer(shop, new_listing("Tee", "A", "B"), "/products/batch", nth=2)
    found = await confirm(shop, write)
    assert found.state is ConfirmState.DONE
    assert found.result is not None
    assert set(found.result.refs) == {"own-A", "own-B"}
    assert len(found.result.observed[0].variants) == 2


async def test_published_images_are_remembered() -> None:
    """A product found after a lost answer brings the media ids of its images."""
    shop = WooShop.open()
    write = new_listing("Mug", "MUG", content={"images": [IMAGE]})
    found = await confirm(shop, await lose_answer(shop, write, "batch"))
    assert found.result is not None
    assert set(found.result.media) == {IMAGE}


async def test_skus_on_several_products_cannot_be_told() -> None:
    """Where the SKUs of one listing are on two products a person has to look."""
    shop = WooShop.open([{"name": "One", "sku": "A"}, {"name": "Two", "sku": "B"}])
    found = await confirm(shop, new_listing("Tee", "A", "B"))
    assert found.state is ConfirmState.CANNOT_TELL


async def test_hiding_is_confirmed_with_what_was_kept() -> None:
    """What hiding overwrote comes from the step, since the store has forgotten it."""
    shop = WooShop.open([MUG])
    write = write_of(ActionKind.HIDE, (await variants(shop.adapter()))["MUG"])
    found = await confirm(shop, await lose_answer(shop, write, "batch"))
    assert found.state is ConfirmState.DONE
    assert found.result is not None
    assert found.result.kept is not None
    assert found.result.kept["stock_quantity"] == 3


async def test_overwritten_images_are_recognized() -> None:
    """Images are known by the beginning of their file names, also as copies of each other."""
    shop = WooShop.open([MUG])
    seen = (await variants(shop.adapter()))["MUG"]
    write = replace(write_of(ActionKind.OVERWRITE, seen), content={"images": [IMAGE]})
    assert (await confirm(shop, write)).state is ConfirmState.NOT_DONE
    found = await confirm(shop, await lose_answer(shop, write, "batch"))
    assert found.state is ConfirmState.DONE
    assert found.result is not None
    assert set(found.result.media) == {IMAGE}


async def test_merged_attributes_count_as_done() -> None:
    """Ours among the merchant's attributes is what was wanted."""
    care = [{"name": "Care", "options": ["cold"], "visible": True}]
    shop = WooShop.open([{**MUG, "attributes": care}])
    seen = (await variants(shop.adapter()))["MUG"]
    write = replace(
        write_of(ActionKind.OVERWRITE, seen), content={"attributes": {"Material": "Stone"}}
    )
    found = await confirm(shop, await lose_answer(shop, write, "batch"))
    assert found.state is ConfirmState.DONE


async def test_vanished_objects_are_done_and_stale() -> None:
    """An object that is gone ends the action; what it wanted is moot."""
    shop = WooShop.open([MUG])
    write = write_of(
        ActionKind.SYNC, (await variants(shop.adapter()))["MUG"], sync={"regular_price": "6"}
    )
    shop.sandbox.shop({"do": "trash", "sku": "MUG"})
    found = await confirm(shop, write)
    assert found.state is ConfirmState.DONE
    assert found.result is not None
    assert (found.result.outcome, found.result.code) == (Outcome.STALE, "InTrash")


async def test_unhiding_to_shared_stock_is_recognized() -> None:
    """A variation that is back in its product's stock is done, whatever number that shows."""
    tee: dict[str, Any] = {
        "name": "Tee",
        "type": "variable",
        "manage_stock": True,
        "stock_quantity": 9,
        "attributes": [{"name": "Size", "options": ["S"], "variation": True}],
        "variations": [{"sku": "S", "attributes": [{"name": "Size", "option": "S"}]}],
    }
    shop = WooShop.open([tee])
    write = write_of(ActionKind.HIDE, (await variants(shop.adapter()))["S"])
    told = await tell([write], shop.adapter().hide([write]))
    variant = replace(write.variants[0], kept=told.result.kept)
    write = replace(write, kind=ActionKind.UNHIDE, variants=(variant,))
    assert (await confirm(shop, write)).state is ConfirmState.NOT_DONE
    found = await confirm(shop, await lose_answer(shop, write, "batch"))
    assert found.state is ConfirmState.DONE, found.evidence
    _, seen = (await variants(shop.adapter()))["S"]
    assert seen.aspects["manage_stock"] == "parent"


async def test_unreadable_stores_cannot_be_told_per_kind() -> None:
    """When only the look by SKU fails, publishing is open and the rest is still answered."""
    shop = WooShop.open([MUG])
    sync = write_of(
        ActionKind.SYNC, (await variants(shop.adapter()))["MUG"], sync={"regular_price": "5"}
    )
    publish = new_listing("New", "NEW")
    shop.fault("html", path_contains="/products")
    found = await shop.adapter().confirm([publish, sync])
    assert found[publish.key].state is ConfirmState.CANNOT_TELL
    assert found[sync.key].state is ConfirmState.DONE


async def test_half_a_batch_is_told_apart() -> None:
    """A crash in the middle leaves the first rows done, the others not; each is told by itself."""
    shop = WooShop.open([{"name": f"P{n}", "sku": f"P{n}"} for n in range(4)])
    seen = await variants(shop.adapter())
    writes = [
        write_of(ActionKind.SYNC, pair, sync={"regular_price": "6"}) for pair in seen.values()
    ]
    shop.fault("partly", method="POST", status=500)
    _, error = await tell_until_error(shop.adapter().sync(writes))
    assert isinstance(error, UnavailableError)
    assert error.effect is Effect.POSSIBLE
    found = await shop.adapter().confirm(writes)
    states = [found[write.key].state for write in writes]
    assert states == [ConfirmState.DONE] * 2 + [ConfirmState.NOT_DONE] * 2


async def test_half_created_products_are_told_apart() -> None:
    """Of a batch of new products that crashed in the middle the first half is found by SKU."""
    shop = WooShop.open()
    writes = [new_listing(f"P{n}", f"P{n}") for n in range(4)]
    shop.fault("partly", method="POST", status=500)
    _, error = await tell_until_error(shop.adapter().publish(writes))
    assert isinstance(error, UnavailableError)
    found = await shop.adapter().confirm(writes)
    states = [found[write.key].state for write in writes]
    assert states == [ConfirmState.DONE] * 2 + [ConfirmState.NOT_DONE] * 2


async def test_changed_type_is_not_a_deletion() -> None:
    """A product that became variable is still there: the delisting is stale, not done."""
    shop = WooShop.open([MUG])
    write = write_of(ActionKind.DELIST, (await variants(shop.adapter()))["MUG"])
    shop.sandbox.shop({"do": "update", "sku": "MUG", "fields": {"type": "variable"}})
    found = await confirm(shop, write)
    assert found.result is not None
    assert found.result.outcome is Outcome.STALE
    assert found.result.gone is not None

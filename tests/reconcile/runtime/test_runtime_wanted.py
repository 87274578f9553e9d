"""What is wanted: worked out anew when what it depends on changes, and settled after writing."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.commands.channels import ChannelEdit, edit
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.operations import configure, template_reset, template_set
from reconcile.core.mapping import MappingRule, Template
from reconcile.core.types import LinkState, Operation, Presence, Value
from reconcile.stated import StatedListing, StatedVariant
from tests.reconcile.runtime.rewriting import rewriting_platform
from tests.reconcile.runtime.stage import IMPORT, LINK, PUBLISH, SYNC, Stage, make_stage
from tests.store_double import DoubleStore, variant

pytestmark = pytest.mark.anyio


async def test_an_items_quantity_reaches_the_channel(stage: Stage) -> None:
    """A new statement about a SKU is sent by the next partial run, and by nothing else."""
    stage.store.add("Mug", variant("MUG", "1", 1))
    await stage.offer("MUG", "1")
    await stage.run(SYNC)
    await set_quantities(stage.deps, [Statement("MUG", 7)], by="test")
    stage.store.requests.clear()
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("SYNC", "APPLIED")]
    assert stage.store.by_sku("MUG")[1].quantity == 7
    assert stage.store.requests == ["read 1", "sync 1"]


async def test_nothing_stated_is_not_zero(stage: Stage) -> None:
    """Without a statement neither price nor quantity is sent, whatever the store holds."""
    stage.store.add("Mug", variant("MUG", "9.9", 5))
    await stage.offer("MUG")
    run = await stage.run(SYNC)
    assert run["result"] == "SUCCEEDED"
    assert stage.store.writes() == []
    item = stage.store.by_sku("MUG")[1]
    assert (item.price, item.quantity) == ("9.9", 5)


async def test_another_currency_is_not_sent(stage: Stage) -> None:
    """A price in another currency than the channel's is withheld with attention."""
    stage.store.add("Mug", variant("MUG", "9.9", 5))
    await stage.offer("MUG", "8", 4, currency="USD")
    run = await stage.run(SYNC)
    assert run["result"] == "PARTIAL"
    item = stage.store.by_sku("MUG")[1]
    assert (item.price, item.quantity) == ("9.9", 4)
    assert ("SYNC_LISTINGS", "ATTENTION", "CurrencyMismatch") in await stage.conditions("variant")


async def test_a_buffer_and_a_cap(stage: Stage) -> None:
    """The channel's buffer and cap change what is wanted of every listing."""
    await stage.linked(2, quantity=9)
    await edit(stage.deps, stage.channel_id, ChannelEdit(buffer=2, cap=5), by="test")
    run = await stage.run(SYNC)
    assert set(await stage.states(run["id"])) == {("SYNC", "APPLIED")}
    assert {item.variants[0].quantity for item in stage.store.products.values()} == {5}
    await edit(stage.deps, stage.channel_id, ChannelEdit(cap=None), by="test")
    await stage.run(SYNC)
    assert {item.variants[0].quantity for item in stage.store.products.values()} == {7}


async def test_a_template_decides_what_is_sent(stage: Stage) -> None:
    """Another source of a field changes what is wanted; a disabled field is left alone."""
    await stage.linked(1)
    msrp: Value = {"amount": "20", "currency": "EUR"}
    await stage.state(StatedListing("S0000", variants=[StatedVariant("S0000", {"msrp": msrp})]))
    rules = (MappingRule("msrp", "price"), MappingRule("quantity", "quantity", enabled=False))
    await template_set(stage.deps, stage.channel_id, SYNC, Template(rules), by="test")
    await stage.offer("S0000", quantity=1)
    await stage.run(SYNC)
    item = stage.store.by_sku("S0000")[1]
    assert (item.price, item.quantity) == ("20", 5)
    await template_reset(stage.deps, stage.channel_id, SYNC, by="test")
    await stage.run(SYNC)
    assert (item.price, item.quantity) == ("10", 1)


async def test_hidden_and_back(stage: Stage) -> None:
    """What hiding overwrites is kept and restored; meanwhile the quantity is not synchronized."""
    await stage.linked(1)
    await stage.offer("S0000", presence=Presence.HIDDEN)
    await stage.run(SYNC)
    item = stage.store.by_sku("S0000")[1]
    assert item.quantity == 0
    await stage.offer("S0000", "12", 8)
    await stage.run(SYNC)
    assert (item.price, item.quantity) == ("12", 0)
    await stage.offer("S0000", presence=Presence.LISTED)
    await stage.run(SYNC)
    assert (item.price, item.quantity) == ("12", 8)
    assert (await stage.variant("S0000")).kept is None
    run = await stage.run(SYNC, full=True)
    assert await stage.actions(run["id"]) == []


async def test_hidden_and_repriced_at_once(stage: Stage) -> None:
    """A price and a presence that change together arrive in one run, both ways."""
    await stage.linked(1)
    item = stage.store.by_sku("S0000")[1]
    for presence, price in ((Presence.HIDDEN, "12"), (Presence.LISTED, "13")):
        await stage.offer("S0000", price, presence=presence)
        run = await stage.run(SYNC)
        assert {state for _, state in await stage.states(run["id"])} == {"APPLIED"}
        assert (run["result"], item.price) == ("SUCCEEDED", price)


async def test_delisted_and_back(stage: Stage) -> None:
    """Delisting ends the product and the link; listed again, publishing creates it anew."""
    await stage.linked(1)
    await stage.offer("S0000", presence=Presence.DELISTED)
    await stage.run(SYNC)
    assert stage.store.products == {}
    ours = await stage.variant("S0000")
    assert (ours.link_state, ours.was) == (LinkState.UNLINKED, "DELISTED")
    for operation in (LINK, SYNC, PUBLISH):
        run = await stage.run(operation, full=True)
        assert await stage.actions(run["id"]) == []
        assert run["result"] == "SUCCEEDED"
    await stage.offer("S0000", presence=Presence.LISTED)
    await stage.run(PUBLISH)
    assert stage.store.by_sku("S0000")[1].price == "10"


async def test_several_variants(stage: Stage) -> None:
    """A listing with options is published as one product, synchronized and delisted per variant."""
    sizes = [
        StatedVariant(
            f"SHIRT-{size}",
            {"list_price": {"amount": "10", "currency": "EUR"}, "quantity": 3},
            options=[("Size", size)],
        )
        for size in ("S", "M", "L")
    ]
    await stage.state(
        StatedListing("SHIRT", {"title": "Shirt"}, option_names=["Size"], variants=sizes)
    )
    run = await stage.run(PUBLISH, full=True)
    assert await stage.states(run["id"]) == [("PUBLISH", "APPLIED")]
    product = stage.store.by_sku("SHIRT-M")[0]
    assert [item.options for item in product.variants] == [
        (("Size", "S"),),
        (("Size", "M"),),
        (("Size", "L"),),
    ]
    gone = StatedVariant("SHIRT-M", presence=Presence.DELISTED)
    await stage.state(StatedListing("SHIRT", variants=[gone]))
    await stage.run(SYNC)
    assert [item.sku for item in product.variants] == ["SHIRT-S", "SHIRT-L"]
    assert (await stage.variant("SHIRT-M")).link_state is LinkState.UNLINKED
    assert (await stage.variant("SHIRT-S")).link_state is LinkState.LINKED
    for operation in (SYNC, PUBLISH):
        run = await stage.run(operation, full=True)
        assert await stage.actions(run["id"]) == [], operation
    rest = [StatedVariant(f"SHIRT-{size}", presence=Presence.DELISTED) for size in ("S", "L")]
    await stage.state(StatedListing("SHIRT", variants=rest))
    run = await stage.run(SYNC)
    assert await stage.states(run["id"]) == [("DELIST", "APPLIED")]
    assert stage.store.products == {}


async def test_rewritten_content_settles(engine: AsyncEngine) -> None:
    """A store that rewrites texts is sent each text once; a new text of ours is sent again."""
    store = DoubleStore()
    stage = make_stage(engine, platform=rewriting_platform(store), store=store)
    await stage.connect()
    await configure(stage.deps, stage.channel_id, PUBLISH, settings={"overwrite": True}, by="test")
    await stage.offer("MUG", "1", 1, title="Cup & Saucer")
    await stage.run(PUBLISH, full=True)
    assert store.by_sku("MUG")[0].title == "Cup &amp; Saucer"
    for _ in range(2):
        run = await stage.run(PUBLISH, full=True)
        assert await stage.actions(run["id"]) == []
    await stage.offer("MUG", title="Cup & Plate")
    run = await stage.run(PUBLISH)
    assert await stage.states(run["id"]) == [("OVERWRITE", "APPLIED")]
    assert store.by_sku("MUG")[0].title == "Cup &amp; Plate"
    run = await stage.run(PUBLISH, full=True)
    assert await stage.actions(run["id"]) == []
    store.by_sku("MUG")[0].title = "Edited by the merchant"
    run = await stage.run(PUBLISH, full=True)
    assert await stage.states(run["id"]) == [("OVERWRITE", "APPLIED")]
    assert store.by_sku("MUG")[0].title == "Cup &amp; Plate"


async def test_a_quantity_that_was_not_taken_fails(engine: AsyncEngine) -> None:
    """A store that says yes and keeps its own price: FAILED NotAccepted, and no endless sending."""
    store = DoubleStore()
    platform = rewriting_platform(store, keeps_prices=True)
    stage = make_stage(engine, platform=platform, store=store)
    await stage.connect()
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run = await stage.run(SYNC)
    action = (await stage.actions(run["id"]))[0]
    assert (action["state"], action["outcome_code"]) == ("FAILED", "NotAccepted")
    assert run["result"] == "FAILED"
    run = await stage.run(SYNC, full=True)
    assert await stage.actions(run["id"]) == []
    assert store.writes() == ["sync 1"]


async def test_an_import_creates_and_settles(stage: Stage) -> None:
    """Products of the store become ours, linked, with values, options and stated quantities."""
    stage.store.add("Mug", variant("MUG", "9.9", 5))
    stage.store.add(
        "Shirt",
        variant("SHIRT-S", "10", 1, options=(("Size", "S"),)),
        variant("SHIRT-M", "11", 2, options=(("Size", "M"),)),
    )
    run = await stage.run(IMPORT)
    assert run["result"] == "SUCCEEDED"
    assert run["counts"]["parents"] == {"created": 2}
    ours = await stage.variant("SHIRT-M")
    assert ours.link_state is LinkState.LINKED
    assert ours.options == (("Size", "M"),)
    assert ours.fields["list_price"] == {"amount": "11", "currency": "EUR"}
    assert "options" not in ours.fields
    assert await stage.value("SELECT stated FROM items WHERE sku = 'SHIRT-M'") == 2
    for operation in (IMPORT, LINK, SYNC, PUBLISH):
        run = await stage.run(operation, full=True)
        assert await stage.actions(run["id"]) == [], operation
        assert run["result"] == "SUCCEEDED", operation


async def test_an_overwriting_import_settles(stage: Stage) -> None:
    """The store's values are brought over ours once; a second import finds nothing to do."""
    await configure(
        stage.deps,
        stage.channel_id,
        Operation.IMPORT_LISTINGS,
        settings={"mode": "create_and_overwrite"},
        by="test",
    )
    stage.store.add("Theirs", variant("MUG", "9.9", 5))
    await stage.offer("MUG", "8", 4, title="Ours")
    await stage.run(LINK)
    run = await stage.run(IMPORT)
    assert await stage.states(run["id"]) == [("IMPORT", "APPLIED")]
    ours = await stage.variant("MUG")
    assert ours.fields["list_price"] == {"amount": "9.9", "currency": "EUR"}
    assert await stage.value("SELECT title FROM listings") == "Theirs"
    run = await stage.run(IMPORT)
    assert await stage.actions(run["id"]) == []
    run = await stage.run(SYNC, full=True)
    assert await stage.actions(run["id"]) == []


async def test_new_listings_are_found_by_partial_runs(stage: Stage) -> None:
    """What was just stated is published by a partial run, without listing the store again."""
    await stage.linked(1)
    await stage.run(PUBLISH)
    await stage.offer("NEW", "1", 1)
    stage.store.requests.clear()
    await stage.run(PUBLISH)
    assert stage.store.requests == ["publish 1"]

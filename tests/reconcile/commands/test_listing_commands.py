"""Creating and editing listings, and commands on many of them at once."""

import asyncio

import pytest

from reconcile.commands.errors import CommandError
from reconcile.commands.links import link
from reconcile.commands.listings import (
    ListingDraft,
    Targets,
    VariantDraft,
    delist,
    hide,
    pause,
    pause_matching,
    relist,
    unhide,
    unpause,
    unpause_matching,
    upsert,
)
from reconcile.core.types import LinkState, Presence
from reconcile.store.listings import ListingFilter, listings_by_ids, variants_by_listing
from tests.reconcile.commands.shop import Shop, codes
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def test_a_simple_listing_is_one_variant_with_its_sku(shop: Shop) -> None:
    """Content goes to the listing, prices and identifiers to its only variant."""
    draft = ListingDraft(
        "MUG",
        {
            "title": " Mug ",
            "list_price": "9.9",
            "msrp": {"amount": "12", "currency": "USD"},
            "quantity": 4,
            "weight": {"value": "0.50", "unit": "kg"},
            "attributes": {"Color": "red"},
        },
    )
    made = await upsert(shop.deps, shop.channel_id, draft, by="me")

    assert (made.is_new, made.is_changed) == (True, True)
    async with shop.deps.engine.connect() as conn:
        listing = (await listings_by_ids(conn, [made.listing_id]))[made.listing_id]
        variants = (await variants_by_listing(conn, [made.listing_id]))[made.listing_id]
    assert (listing.sku, listing.title) == ("MUG", "Mug")
    assert listing.fields == {"title": "Mug", "attributes": {"Color": "red"}}
    assert listing.sources["title"]["by"] == "me"
    assert listing.sources["title"]["source"] == "API"
    assert [variant.sku for variant in variants] == ["MUG"]
    assert variants[0].fields == {
        "list_price": {"amount": "9.90", "currency": "EUR"},
        "msrp": {"amount": "12.00", "currency": "USD"},
        "quantity": 4,
        "weight": {"value": "0.5", "unit": "kg"},
    }
    assert variants[0].link_key == "MUG"
    assert variants[0].is_stale
    assert await shop.dirty() == {made.listing_id}


async def test_statements_merge_and_null_takes_away(shop: Shop) -> None:
    """A missing name is no statement; attributes join by name; sources follow the change."""
    first = ListingDraft(
        "A", {"title": "A", "brand": "Acme", "attributes": {"Color": "red", "Size": "L"}}
    )
    await upsert(shop.deps, shop.channel_id, first, by="one")
    second = ListingDraft("A", {"brand": None, "attributes": {"Size": None, "Fit": "slim"}})
    made = await upsert(shop.deps, shop.channel_id, second, by="two")

    assert (made.is_new, made.is_changed) == (False, True)
    async with shop.deps.engine.connect() as conn:
        listing = (await listings_by_ids(conn, [made.listing_id]))[made.listing_id]
    assert listing.fields == {"title": "A", "attributes": {"Color": "red", "Fit": "slim"}}
    assert listing.sources["title"]["by"] == "one"
    assert listing.sources["attributes"]["by"] == "two"
    assert "brand" not in listing.sources
    assert listing.revision == 2


async def test_stating_the_same_again_changes_nothing(shop: Shop) -> None:
    """No revision, nothing due, nobody woken."""
    draft = ListingDraft("A", {"title": "A", "list_price": "1.00"})
    made = await upsert(shop.deps, shop.channel_id, draft, by="me")
    await shop.settle()
    shop.bell.rings.clear()
    before = await shop.variant("A")

    again = await upsert(shop.deps, shop.channel_id, draft, by="other")

    assert (again.listing_id, again.is_changed) == (made.listing_id, False)
    assert await shop.variant("A") == before
    assert await shop.dirty() == set()
    assert shop.bell.rings == []


async def test_variants_with_options(shop: Shop) -> None:
    """Variants join the listing in their order; those not named stay."""
    draft = ListingDraft(
        "TEE",
        {"title": "Tee"},
        variants=[
            VariantDraft("TEE-S", options=[("Size", "S")], presence=Presence.HIDDEN),
            VariantDraft("TEE-M", options=[("Size", "M")], paused=True),
        ],
    )
    made = await upsert(shop.deps, shop.channel_id, draft, by="me")
    more = ListingDraft("TEE", variants=[VariantDraft("TEE-L", {"list_price": "2"})])
    await upsert(shop.deps, shop.channel_id, more, by="me")

    async with shop.deps.engine.connect() as conn:
        listing = (await listings_by_ids(conn, [made.listing_id]))[made.listing_id]
        variants = (await variants_by_listing(conn, [made.listing_id]))[made.listing_id]
    assert listing.option_names == ("Size",)
    assert [variant.sku for variant in variants] == ["TEE-S", "TEE-M", "TEE-L"]
    assert (variants[0].presence, variants[0].is_asserted) == (Presence.HIDDEN, True)
    assert (variants[1].is_paused, variants[1].is_asserted) == (True, False)


async def test_skus_can_change_by_id(shop: Shop) -> None:
    """A listing found by its id takes a new SKU, and its only variant with it."""
    listing_id = await shop.listing("OLD")
    variant_id = (await shop.variant("OLD")).id
    await upsert(shop.deps, shop.channel_id, ListingDraft("NEW", id=listing_id), by="me")

    renamed = await shop.variant("NEW")
    assert (renamed.id, renamed.listing_id, renamed.link_key) == (variant_id, listing_id, "NEW")


async def test_a_sku_of_another_listing_is_a_conflict(shop: Shop) -> None:
    """One SKU, one variant per channel; the refusal names where it is, and nothing is written."""
    await shop.listing("A")
    listing_id = await shop.listing("B")
    draft = ListingDraft("C", {"title": "C"}, variants=[VariantDraft("C-1"), VariantDraft("A")])
    with pytest.raises(CommandError, match="belongs to listing A") as raised:
        await upsert(shop.deps, shop.channel_id, draft, by="me")
    assert codes(raised.value) == [("CONFLICT", ("variants", "1", "sku"))]
    assert await shop.rows("SELECT 1 FROM listings WHERE sku = 'C'") == []

    with pytest.raises(CommandError) as raised:
        await upsert(shop.deps, shop.channel_id, ListingDraft("A", id=listing_id), by="me")
    assert raised.value.problems[0].code == "CONFLICT"


async def test_wrong_values_are_all_named(shop: Shop) -> None:
    """Prices with commas, floats, unknown fields and missing SKUs, each with its path."""
    draft = ListingDraft(
        "P",
        {"title": 5, "colour": "red", "quantity": 1},
        variants=[
            VariantDraft("", {"list_price": "13,5"}),
            VariantDraft("B", {"quantity": -1, "upc": "4.01E+12", "images": "x", "sku": "B"}),
        ],
    )
    with pytest.raises(CommandError) as raised:
        await upsert(shop.deps, shop.channel_id, draft, by="me")

    assert set(codes(raised.value)) == {
        ("INVALID", ("fields", "title")),
        ("UNKNOWN_FIELD", ("fields", "colour")),
        ("INVALID", ("fields", "quantity")),
        ("INVALID", ("variants", "0", "sku")),
        ("INVALID", ("variants", "0", "fields", "list_price")),
        ("INVALID", ("variants", "1", "fields", "quantity")),
        ("INVALID", ("variants", "1", "fields", "upc")),
        ("INVALID", ("variants", "1", "fields", "images")),
        ("UNKNOWN_FIELD", ("variants", "1", "fields", "sku")),
    }


async def test_the_same_listing_from_two_sides_at_once(shop: Shop) -> None:
    """Writers of one channel wait for each other, so both statements hold."""
    drafts = [ListingDraft("A", {"title": "A"}), ListingDraft("A", {"brand": "Acme"})]
    made = await asyncio.gather(
        *(upsert(shop.deps, shop.channel_id, draft, by="me") for draft in drafts)
    )
    assert made[0].listing_id == made[1].listing_id
    assert sorted(item.is_new for item in made) == [False, True]
    async with shop.deps.engine.connect() as conn:
        listing = (await listings_by_ids(conn, [made[0].listing_id]))[made[0].listing_id]
    assert listing.fields == {"title": "A", "brand": "Acme"}


async def test_hide_unhide_delist_relist(shop: Shop) -> None:
    """Each is for its own state; what was wanted is asserted and due."""
    listing_id = await shop.listing("A")
    await shop.settle()
    targets = Targets(listing_ids=[listing_id])

    refused = await unhide(shop.deps, targets, by="me")
    assert refused[0].problem is not None
    assert refused[0].problem.code == "WRONG_STATE"
    assert "not hidden" in refused[0].problem.message
    assert await shop.dirty() == set()

    done = await hide(shop.deps, targets, by="me")
    held = await shop.variant("A")
    assert done[0].changed_variant_ids == (held.id,)
    assert (held.presence, held.is_asserted, held.is_stale) == (Presence.HIDDEN, True, True)
    assert held.sources["presence"]["by"] == "me"
    assert await shop.dirty() == {listing_id}

    assert (await unhide(shop.deps, targets, by="me"))[0].problem is None
    assert (await relist(shop.deps, targets, by="me"))[0].problem is not None
    assert (await delist(shop.deps, targets, by="me"))[0].problem is None
    assert (await hide(shop.deps, targets, by="me"))[0].problem is not None
    assert (await relist(shop.deps, targets, by="me"))[0].problem is None
    assert (await shop.variant("A")).presence is Presence.LISTED


async def test_a_bad_id_does_not_stop_the_others(shop: Shop) -> None:
    """Every id has its own answer, in the order they were given."""
    first, second = await shop.listing("A"), await shop.listing("B")
    variant_id = (await shop.variant("B")).id
    await pause(shop.deps, Targets([second]), by="me")

    results = await pause(
        shop.deps, Targets(listing_ids=[first, 99999], variant_ids=[variant_id, 88888]), by="me"
    )

    assert [(result.kind, result.id) for result in results] == [
        ("listing", first),
        ("listing", 99999),
        ("variant", variant_id),
        ("variant", 88888),
    ]
    assert [result.problem and result.problem.code for result in results] == [
        None,
        "NOT_FOUND",
        "WRONG_STATE",
        "NOT_FOUND",
    ]
    assert (await unpause(shop.deps, Targets([first]), by="me"))[0].problem is None


async def test_pausing_by_a_filter(shop: Shop) -> None:
    """A whole channel, or a part of it, is paused in one go; pausing makes nothing stale."""
    for sku in ("A-1", "A-2", "B-1"):
        await shop.listing(sku)
    shop.store.add("B", variant("B-1", price="1"))
    await shop.see()
    b_id = (await shop.variant("B-1")).id
    parent = next(iter(shop.store.products))
    await link(shop.deps, b_id, parent, None, by="me")
    await shop.settle()

    prefix = ListingFilter(channel_id=shop.channel_id, sku_prefix="A-")
    assert await pause_matching(shop.deps, prefix, by="me") == 2
    assert await pause_matching(shop.deps, prefix, by="me") == 0
    assert not (await shop.variant("A-1")).is_stale
    linked = ListingFilter(channel_id=shop.channel_id, link_state=LinkState.LINKED)
    assert await pause_matching(shop.deps, linked, by="me") == 1
    everything = ListingFilter(channel_id=shop.channel_id)
    assert await unpause_matching(shop.deps, everything, by="me") == 3
    with pytest.raises(CommandError) as raised:
        await pause_matching(shop.deps, ListingFilter(), by="me")
    assert codes(raised.value) == [("INVALID", ("channel_id",))]

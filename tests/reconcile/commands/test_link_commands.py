"""Linking by hand, and what becomes of a variant whose link a person takes away."""

import asyncio

import pytest

from reconcile.commands.errors import CommandError
from reconcile.commands.links import link, relink, republish, unlink
from reconcile.core.types import LinkState, SeenPresence
from tests.reconcile.commands.shop import Shop, codes
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def seen(shop: Shop, *skus: str) -> list[str]:
    """Put simple products on the store and into the mirror; their ids."""
    ids = [shop.store.add(f"Product {sku}", variant(sku, price="1", quantity=1)).id for sku in skus]
    await shop.see()
    return ids


async def test_link_by_hand_whatever_the_identifiers_say(shop: Shop) -> None:
    """A person may link what no key would; conditions about it are gone and it is due."""
    listing_id = await shop.listing("OURS")
    (parent,) = await seen(shop, "THEIRS")
    held = await shop.variant("OURS")
    await shop.rows(
        "INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, message)"
        " VALUES (:c, 'variant', :v, 'SYNC_LISTINGS', 'WAITING', 'NotOnChannel', 'x')",
        c=shop.channel_id,
        v=held.id,
    )
    await shop.settle()

    await link(shop.deps, held.id, parent, None, by="me")

    linked = await shop.variant("OURS")
    assert (linked.link_state, linked.link_origin) == (LinkState.LINKED, "PERSON")
    assert linked.revision > held.revision
    assert await shop.rows("SELECT 1 FROM conditions") == []
    assert await shop.dirty() == {listing_id}
    with pytest.raises(CommandError) as raised:
        await link(shop.deps, held.id, parent, None, by="me")
    assert codes(raised.value) == [("WRONG_STATE", ("variant_id",))]


async def test_a_claimed_object_is_a_conflict(shop: Shop) -> None:
    """One object, one variant: also when two people link at the same moment."""
    for sku in ("A", "B", "C"):
        await shop.listing(sku)
    (parent,) = await seen(shop, "X")
    a, b, c = [(await shop.variant(sku)).id for sku in ("A", "B", "C")]

    outcomes = await asyncio.gather(
        link(shop.deps, a, parent, None, by="me"),
        link(shop.deps, b, parent, None, by="me"),
        return_exceptions=True,
    )

    refused = [outcome for outcome in outcomes if isinstance(outcome, CommandError)]
    assert len(refused) == 1
    assert codes(refused[0]) == [("CONFLICT", ("remote_parent",))]
    with pytest.raises(CommandError, match=r"linked to [AB] already"):
        await link(shop.deps, c, parent, None, by="me")


async def test_an_object_that_was_not_seen_cannot_be_linked(shop: Shop) -> None:
    """Unknown ids, tombstones and unknown variants are NOT_FOUND."""
    await shop.listing("A")
    (parent,) = await seen(shop, "X")
    variant_id = (await shop.variant("A")).id
    for wrong in (("nope", None), (parent, "7")):
        with pytest.raises(CommandError) as raised:
            await link(shop.deps, variant_id, *wrong, by="me")
        assert codes(raised.value) == [("NOT_FOUND", ("remote_parent",))]
    await shop.rows("UPDATE remote_variants SET gone = 'Deleted'")
    with pytest.raises(CommandError):
        await link(shop.deps, variant_id, parent, None, by="me")
    with pytest.raises(CommandError) as raised:
        await link(shop.deps, 4711, parent, None, by="me")
    assert codes(raised.value) == [("NOT_FOUND", ("variant_id",))]


async def test_unlinking_holds_until_a_person_acts(shop: Shop) -> None:
    """What was unlinked by hand is not linked again by itself; relink lets it."""
    await shop.listing("A")
    (parent,) = await seen(shop, "A")
    variant_id = (await shop.variant("A")).id
    await link(shop.deps, variant_id, parent, None, by="me")

    await unlink(shop.deps, variant_id, by="me")
    held = await shop.variant("A")
    assert (held.link_state, held.link_hold, held.remote_variant_id) == (
        LinkState.UNLINKED,
        True,
        None,
    )
    assert held.seen_presence is SeenPresence.NOT_LISTED
    with pytest.raises(CommandError):
        await unlink(shop.deps, variant_id, by="me")

    await relink(shop.deps, variant_id, by="me")
    assert not (await shop.variant("A")).link_hold


async def test_a_broken_link_is_freed(shop: Shop) -> None:
    """Unlink, relink and republish all let go of what is gone, without a hold."""
    (parent,) = await seen(shop, "A")
    await shop.listing("A")
    variant_id = (await shop.variant("A")).id
    for command in (unlink, relink, republish):
        await link(shop.deps, variant_id, parent, None, by="me")
        await shop.rows("UPDATE listing_variants SET link_state = 'BROKEN'")
        await command(shop.deps, variant_id, by="me")
        freed = await shop.variant("A")
        assert (freed.link_state, freed.link_hold) == (LinkState.UNLINKED, False)


async def test_republish_is_for_broken_and_unlinked_ones(shop: Shop) -> None:
    """A linked variant is neither republished nor relinked."""
    (parent,) = await seen(shop, "A")
    await shop.listing("A")
    variant_id = (await shop.variant("A")).id
    await link(shop.deps, variant_id, parent, None, by="me")
    for command in (republish, relink):
        with pytest.raises(CommandError) as raised:
            await command(shop.deps, variant_id, by="me")
        assert codes(raised.value) == [("WRONG_STATE", ("variant_id",))]


async def test_unlinking_waits_for_what_is_on_its_way(shop: Shop) -> None:
    """An action that may be happening holds the link; one that was not sent is canceled."""
    (parent,) = await seen(shop, "A")
    await shop.listing("A")
    held = await shop.variant("A")
    await link(shop.deps, held.id, parent, None, by="me")
    await shop.rows(
        """
WITH r AS (INSERT INTO runs (channel_id, operation, side, trigger)
           VALUES (:c, 'SYNC_LISTINGS', 'LISTINGS', 'PERSON') RETURNING id)
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, variant_id, key, input_hash,
    lane, state, reason, message)
SELECT :c, r.id, 'SYNC', 'variant:' || :v, 'price', CAST(:v AS bigint), 'k', 'h', 2, 'SENDING',
    'Differs', 'x' FROM r
""",
        c=shop.channel_id,
        v=str(held.id),
    )
    with pytest.raises(CommandError) as raised:
        await unlink(shop.deps, held.id, by="me")
    assert codes(raised.value) == [("WRONG_STATE", ("variant_id",))]

    await shop.rows("UPDATE actions SET state = 'DUE'")
    await unlink(shop.deps, held.id, by="me")
    assert (await shop.rows("SELECT state FROM actions"))[0]["state"] == "CANCELED"

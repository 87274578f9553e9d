"""Reading a channel: slices, cursors, complete and incomplete walks, what absence proves."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.types import (
    LinkState,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
)
from reconcile.store import mirror
from tests.reconcile.runtime.lying import Lies, lying_platform
from tests.reconcile.runtime.stage import LINK, PUBLISH, SYNC, Stage, make_stage
from tests.store_double import DoubleStore, variant

pytestmark = pytest.mark.anyio


async def test_a_walk_goes_on_at_every_page(stage: Stage) -> None:
    """Each slice ends with a page, and no page is asked for twice."""
    for number in range(35):
        stage.store.add(f"Product {number}", variant(f"S{number}", "1", 1))
    run_id = await stage.ask(LINK, full=True)
    stage.store.requests.clear()

    async def end_the_slice() -> None:
        stage.clock.advance(timedelta(seconds=16))

    stage.hook.before_request = end_the_slice
    seen = []
    while await stage.slice():
        seen.append(await stage.value("SELECT count(*) FROM remote_listings"))
    assert stage.store.requests == ["listings"] * 4
    assert {10, 20, 30, 35} <= set(seen)
    run = await stage.run_row(run_id)
    assert (run["state"], run["counts"]["products_seen"]) == ("REPORTED", 35)


async def test_a_worker_can_end_between_two_pages(stage: Stage) -> None:
    """After a kill in the middle of a walk the next worker goes on behind the last stored page."""
    for number in range(35):
        stage.store.add(f"Product {number}", variant(f"S{number}", "1", 1))
    run_id = await stage.ask(LINK, full=True)
    asked = 0

    async def die_at_the_third_page() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise asyncio.CancelledError

    stage.hook.before_request = die_at_the_third_page
    with pytest.raises(asyncio.CancelledError):
        await stage.slice()
    assert await stage.value("SELECT count(*) FROM remote_listings") == 20
    stage.store.requests.clear()
    await stage.settle()
    assert stage.store.requests == ["listings"] * 2
    run = await stage.run_row(run_id)
    assert (run["result"], run["counts"]["products_seen"]) == ("SUCCEEDED", 35)


def _seen(price: str, *variants: str) -> RemoteListing:
    return RemoteListing(
        "1",
        "Mug",
        SeenPresence.LISTED,
        tuple(
            RemoteVariant(RemoteRef("1", name), name, SeenPresence.LISTED, {"price": price})
            for name in variants
        ),
    )


async def test_an_older_observation_changes_nothing(stage: Stage) -> None:
    """What was asked for earlier never overwrites what was asked for later, nor un-sees a row."""
    later = datetime(2026, 11, 20, 12, tzinfo=UTC)
    async with stage.deps.engine.begin() as conn:
        await mirror.observe(conn, stage.channel_id, "sku", [_seen("2", "a", "b")], later)
        earlier = later - timedelta(seconds=1)
        await mirror.observe(conn, stage.channel_id, "sku", [_seen("1", "a")], earlier)
    rows = await stage.rows("SELECT variant, seen, absent FROM remote_variants ORDER BY variant")
    assert [(row["variant"], row["seen"], row["absent"]) for row in rows] == [
        ("a", {"price": "2"}, False),
        ("b", {"price": "2"}, False),
    ]


async def test_a_variant_that_its_product_no_longer_shows_is_absent(stage: Stage) -> None:
    """A whole product without one of its variants makes that one a candidate, not gone."""
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    async with stage.deps.engine.begin() as conn:
        await mirror.observe(conn, stage.channel_id, "sku", [_seen("2", "a", "b")], at)
        later = at + timedelta(seconds=1)
        await mirror.observe(conn, stage.channel_id, "sku", [_seen("2", "a")], later)
    rows = await stage.rows("SELECT variant, absent, gone FROM remote_variants ORDER BY variant")
    found = [(row["variant"], row["absent"], row["gone"]) for row in rows]
    assert found == [("a", False, None), ("b", True, None)]


async def test_what_is_gone_breaks_its_link_for_good(stage: Stage) -> None:
    """Absence is proved by a read, the link breaks, and nothing recreates or relinks it."""
    await stage.linked(3)
    stage.store.delete("S0001")
    run = await stage.run(LINK, full=True)
    assert [request for request in stage.store.requests if request.startswith("read")] == ["read 1"]
    assert await stage.states(run["id"]) == [("BREAK_LINK", "APPLIED")]
    assert (await stage.variant("S0001")).link_state is LinkState.BROKEN

    stage.store.add("Again", variant("S0001", "10", 5))
    for operation in (LINK, SYNC, PUBLISH):
        run = await stage.run(operation, full=True)
        assert await stage.actions(run["id"]) == []
        assert run["result"] == "PARTIAL"
    assert (await stage.variant("S0001")).link_state is LinkState.BROKEN
    assert stage.store.writes() == []


async def test_the_trash_counts_as_gone(stage: Stage) -> None:
    """A trashed product breaks its link with that reason."""
    await stage.linked(1)
    stage.store.by_sku("S0000")[0].status = "trash"
    await stage.run(LINK, full=True)
    ours = await stage.variant("S0000")
    assert (ours.link_state, ours.link_reason) == (LinkState.BROKEN, "InTrash")


async def _lying(engine: AsyncEngine) -> tuple[Stage, Lies]:
    store, lies = DoubleStore(), Lies()
    stage = make_stage(engine, platform=lying_platform(store, lies), store=store)
    await stage.connect()
    return stage, lies


async def test_nothing_is_concluded_from_an_incomplete_walk(engine: AsyncEngine) -> None:
    """A count more than 1 % off the stated total leaves everything as it was, and says so."""
    stage, lies = await _lying(engine)
    await stage.linked(12)
    stage.store.delete("S0003")
    lies.total = 12
    run = await stage.run(LINK, full=True)
    assert await stage.actions(run["id"]) == []
    assert run["result"] == "PARTIAL"
    assert await stage.conditions("channel") == [("Mirror", "ATTENTION", "Incomplete")]
    assert (await stage.variant("S0003")).link_state is LinkState.LINKED
    lies.total = None
    run = await stage.run(LINK, full=True)
    assert await stage.states(run["id"]) == [("BREAK_LINK", "APPLIED")]
    assert await stage.conditions("channel") == []


async def test_nothing_is_published_before_a_complete_walk(engine: AsyncEngine) -> None:
    """On a channel that was never listed completely nothing is created: it might be there."""
    stage, lies = await _lying(engine)
    lies.total = 5
    await stage.offer("NEW", "1", 1)
    run = await stage.run(PUBLISH, full=True)
    assert stage.store.writes() == []
    assert run["result"] == "PARTIAL"
    lies.total = None
    await stage.run(PUBLISH, full=True)
    assert stage.store.writes() == ["publish 1"]


async def test_what_a_read_still_finds_stays_linked(engine: AsyncEngine) -> None:
    """A product that a complete walk left out is read by id, is there, and nothing happens."""
    stage, lies = await _lying(engine)
    await stage.linked(3)
    lies.left_out = {stage.store.by_sku("S0002")[0].id}
    run = await stage.run(LINK, full=True)
    assert await stage.actions(run["id"]) == []
    assert run["counts"]["products_absent"] == 1
    assert run["counts"]["objects_read"] == 1
    assert (await stage.variant("S0002")).link_state is LinkState.LINKED


async def test_what_is_not_understood_is_not_missing(engine: AsyncEngine) -> None:
    """A product whose answer makes no sense counts as seen, holds nothing up and stays linked."""
    stage, lies = await _lying(engine)
    await stage.linked(3)
    lies.unreadable = {stage.store.by_sku("S0002")[0].id}
    await stage.offer("S0000", "12")
    run = await stage.run(SYNC, full=True)
    assert run["state"] == "REPORTED"
    assert run["counts"]["products_rejected"] == 1
    assert run["counts"]["products_absent"] == 0
    assert stage.store.by_sku("S0000")[1].price == "12"
    assert (await stage.variant("S0002")).link_state is LinkState.LINKED


async def test_several_of_theirs_are_ambiguous(stage: Stage) -> None:
    """Two products with our key: nothing is linked, and correcting one of them links the other."""
    stage.store.add("One", variant("MUG", "1", 1))
    other = stage.store.add("Two", variant("MUG", "1", 1))
    await stage.offer("MUG", "1", 1)
    run = await stage.run(LINK, full=True)
    assert await stage.actions(run["id"]) == []
    assert run["result"] == "PARTIAL"
    assert (await stage.variant("MUG")).link_state is LinkState.AMBIGUOUS
    assert ("LINK_LISTINGS", "ATTENTION", "SeveralCandidates") in await stage.conditions("variant")
    other.variants[0].sku = "OTHER"
    run = await stage.run(LINK, full=True)
    assert run["result"] == "SUCCEEDED"
    assert (await stage.variant("MUG")).link_state is LinkState.LINKED
    assert await stage.conditions("variant") == []


async def test_several_of_ours_are_ambiguous(engine: AsyncEngine) -> None:
    """Two of ours with the same key: neither is linked, whichever came first."""
    stage = make_stage(engine)
    await stage.connect()
    await stage.change("UPDATE channels SET our_identifier = 'upc', their_identifier = 'barcode'")
    stage.store.add("Mug", variant("THEIRS", "1", 1, barcode="123"))
    await stage.offer("A", "1", 1, upc="123")
    await stage.offer("B", "1", 1, upc="123")
    run = await stage.run(LINK, full=True)
    assert await stage.actions(run["id"]) == []
    for sku in ("A", "B"):
        assert (await stage.variant(sku)).link_state is LinkState.AMBIGUOUS

"""Lists of listings with their filters, loaders for many ids, and constant statement counts."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from reconcile.commands.channels import remove
from reconcile.commands.links import link
from reconcile.commands.listings import ListingDraft, Targets, VariantDraft, hide, pause, upsert
from reconcile.core.types import LinkState, Presence, SeenPresence, SyncStatus
from reconcile.store.channels import LinkCounts, link_counts
from reconcile.store.conditions import (
    ConditionFilter,
    ReasonCount,
    attention_counts,
    conditions_of,
    list_conditions,
)
from reconcile.store.links import candidates, difference
from reconcile.store.listings import (
    ListingFilter,
    ListingSummary,
    count_listings,
    find_listing,
    list_listings,
    listing_summaries,
    variants_by_ids,
    variants_by_sku,
    variants_pages,
)
from reconcile.store.remotes import RemoteFilter, list_remote_variants, remote_variants_by_ids
from reconcile.store.workers import list_workers
from tests.reconcile.commands.shop import Shop
from tests.store_double import variant

pytestmark = pytest.mark.anyio


@contextmanager
def counted(shop: Shop) -> Iterator[list[str]]:
    """The statements that are executed inside."""
    statements: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    engine = shop.deps.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def skus(shop: Shop, where: ListingFilter) -> list[str]:
    """SKUs of the listings that a filter lets through; the count must agree."""
    async with shop.deps.engine.connect() as conn:
        page = await list_listings(conn, where, None, 50)
        assert await count_listings(conn, where) == len(page.rows)
    return [row.sku for row in page.rows]


async def condition(shop: Shop, kind: str, object_id: int, status: str, reason: str) -> None:
    """Record a condition."""
    await shop.rows(
        "INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, message)"
        " VALUES (:c, :k, :o, 'SYNC_LISTINGS', :s, :r, 'x')",
        c=shop.channel_id,
        k=kind,
        o=object_id,
        s=status,
        r=reason,
    )


async def test_every_filter(shop: Shop) -> None:
    """Each filter alone, and two that must hold for the same variant."""
    a, b = await shop.listing("A_1"), await shop.listing("AX1")
    draft = ListingDraft(
        "TEE",
        {"title": "50% Tee"},
        variants=[VariantDraft("TEE-S"), VariantDraft("TEE-M")],
    )
    tee = (await upsert(shop.deps, shop.channel_id, draft, by="me")).listing_id
    parent = shop.store.add("A", variant("A_1", price="1")).id
    await shop.see()
    await link(shop.deps, (await shop.variant("A_1")).id, parent, None, by="me")
    await pause(shop.deps, Targets(variant_ids=[(await shop.variant("TEE-S")).id]), by="me")
    await hide(shop.deps, Targets(variant_ids=[(await shop.variant("TEE-M")).id]), by="me")
    await condition(shop, "listing", b, "WAITING", "MirrorIncomplete")
    await condition(shop, "variant", (await shop.variant("TEE-M")).id, "ATTENTION", "KeyMissing")
    channel = shop.channel_id

    assert await skus(shop, ListingFilter(channel_id=channel)) == ["A_1", "AX1", "TEE"]
    assert await skus(shop, ListingFilter()) == ["A_1", "AX1", "TEE"]
    assert await skus(shop, ListingFilter(channel_id=channel + 1)) == []
    assert await skus(shop, ListingFilter(sku="TEE-M")) == ["TEE"]
    assert await skus(shop, ListingFilter(sku="tee-m")) == []
    assert await skus(shop, ListingFilter(sku_prefix="A_")) == ["A_1"]
    assert await skus(shop, ListingFilter(sku_prefix="TEE-")) == ["TEE"]
    assert await skus(shop, ListingFilter(title_contains="50% t")) == ["TEE"]
    assert await skus(shop, ListingFilter(title_contains="5_%")) == []
    assert await skus(shop, ListingFilter(link_state=LinkState.LINKED)) == ["A_1"]
    assert await skus(shop, ListingFilter(presence=Presence.HIDDEN)) == ["TEE"]
    assert await skus(shop, ListingFilter(is_paused=True)) == ["TEE"]
    hidden_and_paused = ListingFilter(is_paused=True, presence=Presence.HIDDEN)
    assert await skus(shop, hidden_and_paused) == []
    assert await skus(shop, ListingFilter(reason="KeyMissing")) == ["TEE"]
    assert await skus(shop, ListingFilter(reason="MirrorIncomplete")) == ["AX1"]
    assert await skus(shop, ListingFilter(needs_attention=True)) == ["TEE"]
    assert await skus(shop, ListingFilter(needs_attention=False)) == ["A_1", "AX1"]
    assert await skus(shop, ListingFilter(sync_status=SyncStatus.OUT_OF_SYNC)) == ["A_1"]

    async with shop.deps.engine.connect() as conn:
        found = await find_listing(conn, channel, "TEE-S")
        assert found is not None
        assert found.id == tee
        first = await list_listings(conn, ListingFilter(channel_id=channel), None, 2)
        rest = await list_listings(conn, ListingFilter(channel_id=channel), first.rows[-1].id, 2)
        assert await find_listing(conn, channel, "none") is None
    assert ([row.id for row in first.rows], first.has_next) == ([a, b], True)
    assert ([row.id for row in rest.rows], rest.has_next) == ([tee], False)


async def test_sync_status_is_a_comparison_with_the_mirror(shop: Shop) -> None:
    """In sync needs a link, values worked out, and an object that is seen to hold them."""
    await shop.listing("A")
    parent = shop.store.add("A", variant("A", price="1", quantity=3)).id
    await shop.see()
    variant_id = (await shop.variant("A")).id

    async def status() -> tuple[SyncStatus, SeenPresence]:
        found = await shop.variant("A")
        return found.sync_status, found.seen_presence

    assert await status() == (SyncStatus.UNKNOWN, SeenPresence.NOT_LISTED)
    await link(shop.deps, variant_id, parent, None, by="me")
    assert await status() == (SyncStatus.OUT_OF_SYNC, SeenPresence.LISTED)
    await shop.rows("""UPDATE listing_variants SET stale = false, wanted = '{"price": "1"}'""")
    assert await status() == (SyncStatus.IN_SYNC, SeenPresence.LISTED)
    await shop.rows("""UPDATE listing_variants SET wanted = '{"price": "2"}'""")
    assert await status() == (SyncStatus.OUT_OF_SYNC, SeenPresence.LISTED)
    await shop.rows("""UPDATE listing_variants SET kept = '{"quantity": 3}'""")
    await shop.rows("UPDATE remote_variants SET unsellable = true")
    assert (await status())[1] is SeenPresence.HIDDEN
    await shop.rows("UPDATE remote_variants SET absent = true")
    assert await status() == (SyncStatus.UNKNOWN, SeenPresence.UNKNOWN)
    await shop.rows("UPDATE remote_variants SET gone = 'Deleted'")
    assert await status() == (SyncStatus.UNKNOWN, SeenPresence.NOT_LISTED)


async def test_summaries_and_pages_of_variants(shop: Shop) -> None:
    """Numbers per listing, and one page of variants for each."""
    drafts = [
        ListingDraft(f"P{n}", variants=[VariantDraft(f"P{n}-{v}") for v in range(n + 1)])
        for n in range(3)
    ]
    ids = [(await upsert(shop.deps, shop.channel_id, d, by="me")).listing_id for d in drafts]
    await pause(shop.deps, Targets([ids[2]]), by="me")

    async with shop.deps.engine.connect() as conn:
        summaries = await listing_summaries(conn, ids)
        pages = await variants_pages(conn, ids, None, 2)
        last = pages[ids[2]].rows[-1].id
        rest = await variants_pages(conn, [ids[2]], last, 2)
        counts = await link_counts(conn, [shop.channel_id, 99])
    assert summaries[ids[2]] == ListingSummary(3, 0, 3, 0, 0, 0, 0, 3, 3)
    assert [len(pages[listing_id].rows) for listing_id in ids] == [1, 2, 2]
    assert [pages[listing_id].has_next for listing_id in ids] == [False, False, True]
    assert [row.sku for row in rest[ids[2]].rows] == ["P2-2"]
    assert counts == {shop.channel_id: LinkCounts(unlinked=6)}


async def test_loaders_cost_the_same_for_many(shop: Shop) -> None:
    """The number of statements does not depend on the number of listings."""
    costs = []
    for count in (3, 30):
        for number in range(count):
            await shop.listing(f"S{number}")
        async with shop.deps.engine.connect() as conn:
            page = await list_listings(conn, ListingFilter(), None, 50)
            ids = [row.id for row in page.rows]
            variants = await variants_pages(conn, ids, None, 10)
            variant_ids = [row.id for found in variants.values() for row in found.rows]
            with counted(shop) as statements:
                assert len(await variants_by_ids(conn, variant_ids)) == count
                await listing_summaries(conn, ids)
                await conditions_of(conn, "variant", variant_ids)
                await candidates(conn, shop.deps, variant_ids)
            costs.append(len(statements))
    assert costs[0] == costs[1]


async def test_conditions(shop: Shop) -> None:
    """Conditions by filter, by object, and counted by reason."""
    await condition(shop, "variant", 1, "ATTENTION", "KeyMissing")
    await condition(shop, "variant", 2, "ATTENTION", "KeyMissing")
    await condition(shop, "listing", 1, "WAITING", "Paused")
    async with shop.deps.engine.connect() as conn:
        page = await list_conditions(conn, ConditionFilter(reason="KeyMissing"), None, 1)
        of = await conditions_of(conn, "variant", [1, 2, 3])
        counts = await attention_counts(conn, [shop.channel_id])
    assert page.has_next
    assert {key: [row.reason for row in rows] for key, rows in of.items()} == {
        1: ["KeyMissing"],
        2: ["KeyMissing"],
    }
    assert counts == {shop.channel_id: (ReasonCount("KeyMissing", 2),)}


async def test_a_removed_channel_is_shown_only_where_asked_for(shop: Shop) -> None:
    """Its history stays readable by its id."""
    await shop.listing("A")
    await remove(shop.deps, shop.channel_id, by="me")
    assert await skus(shop, ListingFilter()) == []
    assert await skus(shop, ListingFilter(channel_id=shop.channel_id)) == ["A"]
    async with shop.deps.engine.connect() as conn:
        assert await variants_by_sku(conn, ["A"]) == {}


async def test_candidates_exact_claimed_and_nearest(shop: Shop) -> None:
    """What the store has is named, with how it differs from ours (T2)."""
    for sku in ("MUG-1", "Mug-2", "00123", "CAFE", "NOTHING-LIKE-IT", "TWICE"):
        await shop.listing(sku)
    for sku in ("MUG-1", "MUG-2", "123", "CAFÉ", "TWICE", "TWICE"):
        shop.store.add(f"Theirs {sku}", variant(sku))
    await shop.see()
    ids = {sku: (await shop.variant(sku)).id for sku in ("MUG-1", "Mug-2", "00123", "CAFE")}
    none, twice = (await shop.variant("NOTHING-LIKE-IT")).id, (await shop.variant("TWICE")).id

    async with shop.deps.engine.connect() as conn:
        found = await candidates(conn, shop.deps, [*ids.values(), none, twice])

    assert [row.sku for row in found[ids["MUG-1"]].free] == ["MUG-1"]
    assert found[ids["MUG-1"]].nearest == ()
    assert len(found[twice].free) == 2
    assert "link one of them by hand" in found[twice].message
    expected = {"Mug-2": "case", "00123": "leading zeros", "CAFE": "accents"}
    for sku, why in expected.items():
        near = found[ids[sku]].nearest[0]
        assert why in near.difference
        assert near.difference in found[ids[sku]].message
    assert found[none].nearest == ()
    assert "has none like it" in found[none].message
    assert "SKU" in found[none].message

    parent = found[ids["MUG-1"]].free[0].parent
    await link(shop.deps, ids["Mug-2"], parent, None, by="me")
    async with shop.deps.engine.connect() as conn:
        after = (await candidates(conn, shop.deps, [ids["MUG-1"]]))[ids["MUG-1"]]
    assert after.free == ()
    assert [row.claimed_by_sku for row in after.claimed] == ["Mug-2"]
    assert "linked to Mug-2" in after.message


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("A", "A", ""),
        ("a", "A", "upper and lower case"),
        ("A 1", "A1", "blanks"),
        ("é", "e", "accents"),
        ("007", "7", "leading zeros"),
        ("A-1", "A_1", "dashes"),
        ("a 1", "A1", "case, blanks"),
        ("AB", "AC", "similar"),
    ],
)
def test_differences_in_words(ours: str, theirs: str, told: str) -> None:
    """The first thing that alone explains the difference is named."""
    assert told in difference(ours, theirs)
    assert bool(difference(ours, theirs)) == bool(told)


async def test_what_the_channel_holds(shop: Shop) -> None:
    """Their objects, with which of ours is linked to each; tombstones only by id."""
    for sku in ("A", "B", "C"):
        shop.store.add(sku, variant(sku))
    await shop.see()
    await shop.listing("A")
    where = RemoteFilter(shop.channel_id)
    async with shop.deps.engine.connect() as conn:
        page = await list_remote_variants(conn, where, None, 10)
    await link(shop.deps, (await shop.variant("A")).id, page.rows[0].parent, None, by="me")
    await shop.rows("UPDATE remote_variants SET gone = 'Deleted' WHERE sku = 'C'")
    async with shop.deps.engine.connect() as conn:
        linked = await list_remote_variants(
            conn, RemoteFilter(shop.channel_id, is_linked=True), None, 10
        )
        free = await list_remote_variants(
            conn, RemoteFilter(shop.channel_id, is_linked=False), None, 10
        )
        by_sku = await list_remote_variants(conn, RemoteFilter(shop.channel_id, sku="B"), None, 1)
        by_id = await remote_variants_by_ids(conn, [row.id for row in page.rows])
    assert [row.sku for row in linked.rows] == ["A"]
    assert linked.rows[0].claimed_by == (await shop.variant("A")).id
    assert [row.sku for row in free.rows] == ["B"] == [row.sku for row in by_sku.rows]
    assert len(by_id) == 3


async def test_workers_are_alive_while_they_are_seen(shop: Shop) -> None:
    """A worker that was not seen lately is taken for dead."""
    await shop.rows(
        "INSERT INTO workers VALUES ('old', now(), now() - interval '1 hour'), "
        "('new', now(), now())"
    )
    async with shop.deps.engine.connect() as conn:
        found = await list_workers(conn)
    assert [(row.name, row.is_alive) for row in found] == [("new", True), ("old", False)]

"""Stating quantities: in bulk, once for all channels, never backward in time."""

from datetime import UTC, datetime, timedelta

import pytest

from reconcile.commands.channels import NewChannel, connect
from reconcile.commands.errors import CommandError
from reconcile.commands.items import MOST, Statement, StatementOutcome, set_quantities
from reconcile.commands.listings import ListingDraft, upsert
from reconcile.store.items import ItemFilter, items_by_ids, items_by_sku, list_items
from reconcile.store.listings import variants_by_sku
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio


async def test_a_quantity_reaches_every_channel(shop: Shop) -> None:
    """All variants of the SKU become stale and due, others do not."""
    second = await connect(
        shop.deps, NewChannel("Second", "double", {"store": "other", "secret": "right"}), by="me"
    )
    await shop.listing("A")
    await shop.listing("B")
    await upsert(shop.deps, second, ListingDraft("A"), by="me")
    await shop.settle()
    shop.bell.rings.clear()

    results = await set_quantities(shop.deps, [Statement("A", 7)], by="me")

    assert [result.outcome for result in results] == [StatementOutcome.CHANGED]
    async with shop.deps.engine.connect() as conn:
        found = await variants_by_sku(conn, ["A", "B"])
        items = await items_by_sku(conn, ["A"])
    assert [variant.is_stale for variant in found["A"]] == [True, True]
    assert [variant.is_stale for variant in found["B"]] == [False]
    assert (items["A"].stated, items["A"].stated_by, items["A"].source) == (7, "me", "API")
    assert {channel_id for channel_id, _ in shop.bell.rings} == {shop.channel_id, second}


async def test_an_older_statement_never_overwrites(shop: Shop) -> None:
    """Statements may arrive in any order; the newest about the shelf holds."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    await set_quantities(shop.deps, [Statement("A", 5, as_of=noon)], by="me")
    older = Statement("A", 9, as_of=noon - timedelta(hours=1))
    results = await set_quantities(shop.deps, [older, Statement("B", None)], by="me")

    assert [result.outcome for result in results] == [
        StatementOutcome.OLDER,
        StatementOutcome.CHANGED,
    ]
    async with shop.deps.engine.connect() as conn:
        items = await items_by_sku(conn, ["A", "B"])
        by_id = await items_by_ids(conn, [results[0].item_id])
    assert items["A"].stated == 5
    assert by_id[results[0].item_id] == items["A"]
    assert items["B"].stated is None


async def test_the_same_quantity_again_makes_nothing_due(shop: Shop) -> None:
    """A repeated statement only moves its time."""
    await shop.listing("A")
    await set_quantities(shop.deps, [Statement("A", 5)], by="me")
    await shop.settle()
    results = await set_quantities(shop.deps, [Statement("A", 5)], by="me")

    assert results[0].outcome is StatementOutcome.UNCHANGED
    assert not (await shop.variant("A")).is_stale
    assert await shop.dirty() == set()


async def test_blank_takes_the_statement_back(shop: Shop) -> None:
    """No statement is not zero."""
    await set_quantities(shop.deps, [Statement("A", 5)], by="me")
    results = await set_quantities(shop.deps, [Statement("A", None)], by="me")
    assert results[0].outcome is StatementOutcome.CHANGED
    async with shop.deps.engine.connect() as conn:
        assert (await items_by_sku(conn, ["A"]))["A"].stated is None


async def test_every_wrong_row_is_named(shop: Shop) -> None:
    """Bad rows are refused together, and nothing of the command is stored."""
    wrong = [
        Statement("A", -1),
        Statement("A", 2),
        Statement(" ", 1),
        Statement("B", 1, basis="GUESS"),
        Statement("C", 1, as_of=datetime(2026, 1, 1)),  # noqa: DTZ001 - that is what is wrong
        Statement("D", 1, as_of=shop.clock() + timedelta(days=1)),
        Statement("E ", 1),
        Statement("F\n", 1),
        Statement("G" * 256, 1),
    ]
    with pytest.raises(CommandError) as raised:
        await set_quantities(shop.deps, wrong, by="me")

    assert codes(raised.value) == [
        ("INVALID", ("statements", "0", "quantity")),
        ("CONFLICT", ("statements", "1", "sku")),
        ("INVALID", ("statements", "2", "sku")),
        ("INVALID", ("statements", "3", "basis")),
        ("INVALID", ("statements", "4", "as_of")),
        ("INVALID", ("statements", "5", "as_of")),
        ("INVALID", ("statements", "6", "sku")),
        ("INVALID", ("statements", "7", "sku")),
        ("INVALID", ("statements", "8", "sku")),
    ]
    async with shop.deps.engine.connect() as conn:
        assert (await list_items(conn, ItemFilter(), None, 10)).rows == ()


async def test_items_are_listed_in_pages(shop: Shop) -> None:
    """A prefix is taken literally, and pages follow each other."""
    skus = ["A_1", "A_2", "AX3", "B"]
    await set_quantities(shop.deps, [Statement(sku, 1) for sku in skus], by="me")
    async with shop.deps.engine.connect() as conn:
        first = await list_items(conn, ItemFilter(sku_prefix="A_"), None, 1)
        rest = await list_items(conn, ItemFilter(sku_prefix="A_"), first.rows[0].id, 10)
        exact = await list_items(conn, ItemFilter(sku="B"), None, 10)
    assert (first.has_next, rest.has_next) == (True, False)
    assert [item.sku for item in (*first.rows, *rest.rows)] == ["A_1", "A_2"]
    assert [item.sku for item in exact.rows] == ["B"]


async def test_too_many_at_once(shop: Shop) -> None:
    """A command has a bound."""
    with pytest.raises(CommandError) as raised:
        await set_quantities(
            shop.deps, [Statement(f"S{number}", 1) for number in range(MOST + 1)], by="me"
        )
    assert codes(raised.value) == [("TOO_MANY", ("statements",))]

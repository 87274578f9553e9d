"""Reads of recorded actions and of the requests made for them."""

import pytest

from reconcile.core.actions import ActionKind, Change, GuardKind
from reconcile.store.action_reads import (
    ActionCount,
    ActionFilter,
    action_counts,
    action_pages,
    actions_by_ids,
    count_actions,
    list_actions,
    recent_actions,
)
from reconcile.store.attempts import (
    AttemptFilter,
    attempt_pages,
    attempts_by_action,
    attempts_by_ids,
    list_attempts,
)
from tests.reconcile.commands.shop import Shop

pytestmark = pytest.mark.anyio


async def recorded(shop: Shop) -> tuple[int, list[int]]:
    """A run with three actions and four attempts; the run's id and the actions'."""
    await shop.listing("A")
    variant = await shop.variant("A")
    run = (
        await shop.rows(
            "INSERT INTO runs (channel_id, operation, side, trigger) "
            "VALUES (:c, 'SYNC_LISTINGS', 'LISTINGS', 'PERSON') RETURNING id",
            c=shop.channel_id,
        )
    )[0]["id"]
    ids = []
    for kind, object_id, state in (
        ("SYNC", f"variant:{variant.id}", "APPLIED"),
        ("OVERWRITE", f"listing:{variant.listing_id}", "FAILED"),
        ("SYNC", "variant:999999", "DUE"),
    ):
        row = await shop.rows(
            """
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, variant_ids, listing_id, key,
    input_hash, lane, state, reason, message, changes, guards, outcome_code)
VALUES (:c, :r, :kind, :object, 'price', ARRAY[CAST(:v AS bigint)], :l, 'k', 'h', 2, :state,
    'Differs', 'x', '[{"field": "price", "before": "1", "after": "2", "later": 1}]',
    '{PRICE_DROP}', CASE WHEN :state = 'FAILED' THEN 'bad_price' ELSE '' END)
RETURNING id
""",
            c=shop.channel_id,
            r=run,
            kind=kind,
            object=object_id,
            v=variant.id,
            l=variant.listing_id,
            state=state,
        )
        ids.append(row[0]["id"])
    for action in (ids[0], ids[0], ids[1], ids[1]):
        await shop.rows(
            "INSERT INTO attempts (channel_id, run_id, action_ids, at, method, url, milliseconds) "
            "VALUES (:c, :r, ARRAY[CAST(:a AS bigint)], now(), 'POST', '/x', 5)",
            c=shop.channel_id,
            r=run,
            a=action,
        )
    return run, ids


async def test_actions_by_filter(shop: Shop) -> None:
    """In plan order, by run, state, kind, reason and variant."""
    run, ids = await recorded(shop)
    variant_id = (await shop.variant("A")).id
    expected = {
        ActionFilter(run_id=run): ids,
        ActionFilter(channel_id=shop.channel_id, states=("DUE",)): ids[2:],
        ActionFilter(kinds=(ActionKind.SYNC,)): [ids[0], ids[2]],
        ActionFilter(reason="bad_price"): [ids[1]],
        ActionFilter(variant_id=variant_id): ids[:2],
        ActionFilter(run_id=run + 1): [],
    }
    async with shop.deps.engine.connect() as conn:
        for where, wanted in expected.items():
            page = await list_actions(conn, where, None, 10)
            assert [row.id for row in page.rows] == wanted
            assert await count_actions(conn, where) == len(wanted)
        second = await list_actions(conn, ActionFilter(run_id=run), ids[0], 1)
        newest = await recent_actions(conn, ActionFilter(variant_id=variant_id), 1)
    assert ([row.id for row in second.rows], second.has_next) == ([ids[1]], True)
    assert [row.id for row in newest] == [ids[1]]


async def test_actions_as_values_pages_and_counts(shop: Shop) -> None:
    """Changes and guards are core values; counts tell kind, state and reason apart."""
    run, ids = await recorded(shop)
    async with shop.deps.engine.connect() as conn:
        row = (await actions_by_ids(conn, ids))[ids[0]]
        pages = await action_pages(conn, [run], ActionFilter(run_id=0), None, 2)
        counts = await action_counts(conn, [run])
    assert row.changes == (Change("price", "1", "2"),)
    assert row.guards == (GuardKind.PRICE_DROP,)
    assert ([item.id for item in pages[run].rows], pages[run].has_next) == (ids[:2], True)
    assert set(counts[run]) == {
        ActionCount(ActionKind.SYNC, "APPLIED", "Differs", 1),
        ActionCount(ActionKind.OVERWRITE, "FAILED", "bad_price", 1),
        ActionCount(ActionKind.SYNC, "DUE", "Differs", 1),
    }


async def test_attempts(shop: Shop) -> None:
    """The newest first: of a channel, of a run, of an action, and by page."""
    run, ids = await recorded(shop)
    async with shop.deps.engine.connect() as conn:
        page = await list_attempts(conn, AttemptFilter(channel_id=shop.channel_id), None, 3)
        rest = await list_attempts(conn, AttemptFilter(run_id=run), page.rows[-1].id, 3)
        one = await list_attempts(conn, AttemptFilter(action_id=ids[0]), None, 3)
        grouped = await attempts_by_action(conn, ids, per_action=1)
        pages = await attempt_pages(conn, [run, run + 1], None, 3)
        by_id = await attempts_by_ids(conn, [page.rows[0].id])
    assert (len(page.rows), page.has_next, len(rest.rows)) == (3, True, 1)
    assert page.rows[0].id > page.rows[1].id
    assert len(one.rows) == 2
    assert {key: len(rows) for key, rows in grouped.items()} == {ids[0]: 1, ids[1]: 1}
    assert (len(pages[run].rows), pages[run].has_next) == (3, True)
    assert list(by_id) == [page.rows[0].id]

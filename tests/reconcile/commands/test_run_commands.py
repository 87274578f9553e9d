"""Requesting, approving and canceling runs; what the runtime makes of them is tested with it."""

import pytest

from reconcile.commands.channels import ChannelEdit, edit
from reconcile.commands.errors import CommandError
from reconcile.commands.operations import configure
from reconcile.commands.runs import RunRequest, approve, cancel, request_run
from reconcile.core.actions import ActionKind, GuardKind
from reconcile.core.types import Operation
from reconcile.store.runs import RunFilter, list_runs, recent_runs, runs_by_ids, waiting_for
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio

SYNC = Operation.SYNC_LISTINGS


async def test_an_equal_queued_run_is_given_back(shop: Shop) -> None:
    """Nothing is queued twice; another kind of run is another run."""
    first = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    again = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="you")
    full = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC, full=True), by="me")

    assert (first.is_new, again.is_new, full.is_new) == (True, False, True)
    assert first.run_id == again.run_id != full.run_id
    async with shop.deps.engine.connect() as conn:
        page = await list_runs(conn, RunFilter(channel_id=shop.channel_id, is_open=True), None, 1)
        rest = await list_runs(conn, RunFilter(operation=SYNC), page.rows[0].id, 5)
        recent = await recent_runs(conn, [shop.channel_id], 1)
    assert [row.id for row in page.rows] == [full.run_id]
    assert page.has_next
    assert [row.requested_by for row in rest.rows] == ["me"]
    assert recent[shop.channel_id][0].is_full


async def test_what_cannot_run_is_refused_before_it_is_queued(shop: Shop) -> None:
    """Unsupported, disabled and paused operations each say which they are."""
    with pytest.raises(CommandError, match="has no orders") as raised:
        await request_run(shop.deps, shop.channel_id, RunRequest(Operation.GET_ORDERS), by="me")
    assert codes(raised.value) == [("UNSUPPORTED", ("operation",))]

    await configure(shop.deps, shop.channel_id, SYNC, paused=True, by="me")
    with pytest.raises(CommandError) as raised:
        await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    assert codes(raised.value) == [("PAUSED", ("operation",))]
    await configure(shop.deps, shop.channel_id, SYNC, enabled=False, by="me")
    with pytest.raises(CommandError) as raised:
        await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    assert codes(raised.value) == [("DISABLED", ("operation",))]
    assert await shop.rows("SELECT 1 FROM runs") == []


async def test_a_run_can_be_about_some_listings(shop: Shop) -> None:
    """Listings are named by id, or by a SKU of theirs or of a variant; unknown ones are named."""
    first, second = await shop.listing("A"), await shop.listing("B")
    made = await request_run(
        shop.deps,
        shop.channel_id,
        RunRequest(SYNC, listing_ids=[second], skus=["A"], plan_only=True),
        by="me",
    )
    async with shop.deps.engine.connect() as conn:
        row = (await runs_by_ids(conn, [made.run_id]))[made.run_id]
    assert row.scope == (first, second)
    assert row.plan_only

    with pytest.raises(CommandError) as raised:
        await request_run(
            shop.deps,
            shop.channel_id,
            RunRequest(SYNC, listing_ids=[first, 9], skus=["A", "Z"]),
            by="me",
        )
    assert codes(raised.value) == [
        ("NOT_FOUND", ("listing_ids", "1")),
        ("NOT_FOUND", ("skus", "1")),
    ]
    for request in (RunRequest(SYNC, skus=[]), RunRequest(SYNC, full=True, skus=["A"])):
        with pytest.raises(CommandError) as raised:
            await request_run(shop.deps, shop.channel_id, request, by="me")
        assert raised.value.problems[0].code == "INVALID"


async def plan(shop: Shop, *skus: str, state: str = "REFUSED", kind: str = "HIDE") -> int:
    """A run whose planned rows wait; they were planned from the variants as they are now."""
    run = (
        await shop.rows(
            """
INSERT INTO runs (channel_id, operation, side, trigger, state, result, channel_revision,
    finished_at, phase)
VALUES (:c, 'SYNC_LISTINGS', 'LISTINGS', 'PERSON', 'REPORTED', 'PARTIAL',
    (SELECT revision FROM channels WHERE id = :c), now(), '{"round": 1}') RETURNING id
""",
            c=shop.channel_id,
        )
    )[0]["id"]
    for sku in skus:
        await shop.rows(
            """
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, variant_id, listing_id, key,
    input_hash, lane, state, reason, message, guards, revisions)
SELECT :c, :run, CAST(:kind AS text), 'variant:' || v.id, 'quantity', v.id, v.listing_id, 'k', 'h',
    1, :state, 'HiddenWanted', 'x', '{HIDE}',
    jsonb_build_object(CAST(v.id AS text), v.revision, 'remote', '{}'::jsonb)
FROM listing_variants v WHERE v.channel_id = :c AND v.sku = :sku
""",
            c=shop.channel_id,
            run=run,
            sku=sku,
            state=state,
            kind=kind,
        )
    return int(run)


async def states(shop: Shop) -> dict[str, tuple[str, bool]]:
    """State of each action and whether it was approved, by SKU."""
    rows = await shop.rows(
        "SELECT v.sku, a.state, a.approved FROM actions a "
        "JOIN listing_variants v ON v.id = a.variant_id"
    )
    return {row["sku"]: (row["state"], row["approved"]) for row in rows}


async def test_approving_makes_rows_due_and_drops_what_moved(shop: Shop) -> None:
    """What a person edited since is planned again instead of executed."""
    for sku in ("A", "B", "C"):
        await shop.listing(sku)
    run_id = await plan(shop, "A", "B", "C")
    await shop.listing("B", "2.00")

    done = await approve(shop.deps, run_id, by="boss")

    assert (done.due, done.stale, done.busy) == (2, 1, 0)
    assert await states(shop) == {
        "A": ("DUE", True),
        "B": ("STALE", False),
        "C": ("DUE", True),
    }
    async with shop.deps.engine.connect() as conn:
        run = (await runs_by_ids(conn, [run_id]))[run_id]
    assert (run.state, run.finished_at, run.approved_by) == ("EXECUTING", None, "boss")
    assert run.phase["step"] == "recheck"
    with pytest.raises(CommandError) as raised:
        await approve(shop.deps, run_id, by="boss")
    assert codes(raised.value) == [("WRONG_STATE", ("run_id",))]


async def test_approval_can_be_of_a_part(shop: Shop) -> None:
    """By row or by kind; the rest goes on waiting."""
    for sku in ("A", "B"):
        await shop.listing(sku)
    run_id = await plan(shop, "A", "B")
    ids = await shop.rows("SELECT a.id FROM actions a ORDER BY id")

    assert (await approve(shop.deps, run_id, action_ids=[ids[0]["id"]], by="me")).due == 1
    assert await states(shop) == {"A": ("DUE", True), "B": ("REFUSED", False)}
    with pytest.raises(CommandError):
        await approve(shop.deps, run_id, kinds=[ActionKind.DELIST], by="me")
    assert (await approve(shop.deps, run_id, kinds=[GuardKind.HIDE], by="me")).due == 1


async def test_local_rows_are_left_for_the_runtime_to_apply(shop: Shop) -> None:
    """What changes only our own records is never sent."""
    await shop.listing("A")
    run_id = await plan(shop, "A", kind="BREAK_LINK")
    await approve(shop.deps, run_id, by="me")
    assert await states(shop) == {"A": ("PLANNED", True)}
    async with shop.deps.engine.connect() as conn:
        assert (await runs_by_ids(conn, [run_id]))[run_id].phase["step"] == "recheck"


async def test_a_plan_from_other_settings_is_refused_whole(shop: Shop) -> None:
    """Settings, template, policy or account changed: nothing of it is executed."""
    await shop.listing("A")
    run_id = await plan(shop, "A")
    await edit(shop.deps, shop.channel_id, ChannelEdit(buffer=3), by="me")
    with pytest.raises(CommandError, match="run it again") as raised:
        await approve(shop.deps, run_id, by="me")
    assert codes(raised.value) == [("PLAN_OUTDATED", ("run_id",))]
    assert await states(shop) == {"A": ("REFUSED", False)}


async def test_an_object_with_an_unfinished_action_waits(shop: Shop) -> None:
    """Two actions never work on one object at once."""
    await shop.listing("A")
    first = await plan(shop, "A")
    await approve(shop.deps, first, by="me")
    second = await plan(shop, "A")
    done = await approve(shop.deps, second, by="me")
    assert (done.due, done.busy) == (0, 1)


async def test_cancel(shop: Shop) -> None:
    """A queued run ends at once, one under way is asked to; refused rows stop waiting."""
    queued = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    await cancel(shop.deps, queued.run_id, by="me")
    await shop.listing("A")
    refused = await plan(shop, "A")
    await cancel(shop.deps, refused, by="me")
    under_way = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    await shop.rows("UPDATE runs SET state = 'FETCHING' WHERE id = :id", id=under_way.run_id)
    await cancel(shop.deps, under_way.run_id, by="me")

    async with shop.deps.engine.connect() as conn:
        found = await runs_by_ids(conn, [queued.run_id, under_way.run_id])
    assert (found[queued.run_id].state, found[queued.run_id].result) == ("CANCELED", "CANCELED")
    assert (found[under_way.run_id].state, found[under_way.run_id].cancel_requested) == (
        "FETCHING",
        True,
    )
    assert await states(shop) == {"A": ("CANCELED", False)}
    for run_id in (queued.run_id, under_way.run_id):
        with pytest.raises(CommandError) as raised:
            await cancel(shop.deps, run_id, by="me")
        assert codes(raised.value) == [("WRONG_STATE", ("run_id",))]
    with pytest.raises(CommandError) as raised:
        await approve(shop.deps, 999, by="me")
    assert codes(raised.value) == [("NOT_FOUND", ("run_id",))]


async def test_what_runs_wait_for(shop: Shop) -> None:
    """No worker, an earlier run, a pause and an approval are told apart."""
    first = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    second = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC, full=True), by="me")
    await shop.listing("A")
    refused = await plan(shop, "A")
    ids = [first.run_id, second.run_id, refused]

    async def waits() -> dict[int, str]:
        async with shop.deps.engine.connect() as conn:
            return {run_id: item.code for run_id, item in (await waiting_for(conn, ids)).items()}

    assert await waits() == {ids[0]: "Worker", ids[1]: "Worker", refused: "Approval"}
    # A preview that was asked for: its rows are planned, and it has come to its end.
    await shop.rows("UPDATE runs SET state = 'PLANNED' WHERE id = :i", i=refused)
    await shop.rows("UPDATE actions SET state = 'PLANNED'")
    assert (await waits())[refused] == "Approval"
    await shop.rows("INSERT INTO workers VALUES ('w', now(), now())")
    assert await waits() == {ids[1]: "AnotherRun", refused: "Approval"}
    await shop.rows("UPDATE runs SET next_at = now() + interval '1 minute' WHERE id = :i", i=ids[0])
    assert (await waits())[ids[0]] == "RetryTime"
    await shop.rows("UPDATE operations SET paused = true")
    assert (await waits())[ids[0]] == "OperationPaused"
    await shop.rows("UPDATE channels SET paused = true")
    assert (await waits())[ids[0]] == "ChannelPaused"

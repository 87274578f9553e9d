"""Two workers that really run side by side on one channel: one works, nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from reconcile.core.types import LinkState, Side
from reconcile.deps import Tuning
from reconcile.store import run_rows
from reconcile.worker import drain
from tests.reconcile.runtime.stage import LINK, SYNC, Stage, make_stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


@pytest.fixture
async def wide_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine with connections enough for two workers."""
    made = create_async_engine(database_url, pool_size=8)
    try:
        yield made
    finally:
        await made.dispose()


async def _work(stage: Stage, name: str, run_ids: list[int]) -> None:
    """A worker that keeps trying until the runs have ended."""
    for _ in range(400):
        await drain(stage.deps, stage.channel_id, Side.LISTINGS, name)
        open_runs = await stage.rows(
            "SELECT id FROM runs WHERE id = ANY(:ids) AND finished_at IS NULL", ids=run_ids
        )
        if not open_runs:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the runs did not end")


async def test_both_at_the_same_runs(wide_engine: AsyncEngine) -> None:
    """Slices of two holders alternate; pages, links and requests are those of one."""
    stage = make_stage(
        wide_engine, batch_size=2, tuning=Tuning(slice=timedelta(milliseconds=50), chunk=2)
    )
    await stage.connect()
    for number in range(12):
        stage.store.add(f"P{number}", variant(f"P{number}", "1", 1))
        await stage.offer(f"P{number}", "2", 1)
    stage.store.requests.clear()
    ids = [await stage.ask(LINK, full=True), await stage.ask(SYNC, full=True)]
    await asyncio.gather(*(_work(stage, name, ids) for name in ("one", "two")))
    assert stage.store.writes() == ["sync 2"] * 6
    assert {stage.store.by_sku(f"P{number}")[1].price for number in range(12)} == {"2"}
    for run_id in ids:
        assert (await stage.run_row(run_id))["result"] == "SUCCEEDED"
    states = await stage.states()
    assert sorted(set(states)) == [("LINK", "APPLIED"), ("SYNC", "APPLIED")]
    assert len(states) == 24


async def test_no_other_run_begins_between_plan_and_own_records(wide_engine: AsyncEngine) -> None:
    """A run whose links are planned and not applied goes first; one that only sends does not."""
    stage = make_stage(wide_engine)
    await stage.connect()
    first, second = await stage.ask(LINK, full=True), await stage.ask(SYNC, full=True)
    for step, expected in (("local", first), ("execute", second)):
        await stage.change(
            "UPDATE runs SET state = 'EXECUTING', phase = jsonb_build_object('step', "
            "CAST(:step AS text)) WHERE id = :id",
            step=step,
            id=first,
        )
        async with wide_engine.connect() as conn:
            row = await run_rows.next_run(
                conn, stage.channel_id, Side.LISTINGS, stage.clock() + timedelta(minutes=1)
            )
        assert row is not None
        assert row["id"] == expected


async def test_taken_over_while_a_request_is_under_way(wide_engine: AsyncEngine) -> None:
    """The first holder stalls after its request; the second finds out, the first stores nothing."""
    stage = make_stage(wide_engine, batch_size=10)
    await stage.connect()
    await stage.linked(1)
    await stage.offer("S0000", "12")
    run_id = await stage.ask(SYNC)
    stalled, go_on = asyncio.Event(), asyncio.Event()

    async def stall() -> None:
        if await stage.rows("SELECT 1 FROM actions WHERE state = 'SENDING'"):
            stage.hook.before_request = None
            stalled.set()
            await go_on.wait()

    stage.hook.before_request = stall
    first = asyncio.create_task(drain(stage.deps, stage.channel_id, Side.LISTINGS, "first"))
    await stalled.wait()
    async with wide_engine.begin() as conn:
        await conn.execute(text("UPDATE leases SET expires_at = now() - interval '1 second'"))
    await drain(stage.deps, stage.channel_id, Side.LISTINGS, "second")
    assert await stage.states(run_id) == [("SYNC", "UNKNOWN")]
    go_on.set()
    assert await first is False
    assert await stage.states(run_id) == [("SYNC", "UNKNOWN")]
    for _ in range(3):
        stage.clock.advance(timedelta(minutes=3))
        await stage.settle()
    assert await stage.states(run_id) == [("SYNC", "APPLIED")]
    assert stage.store.writes() == ["sync 1"]
    assert stage.store.by_sku("S0000")[1].price == "12"


async def test_a_person_links_while_the_run_does(wide_engine: AsyncEngine) -> None:
    """A claim that commits between look and link is kept; the run ends all the same."""
    stage = make_stage(wide_engine)
    await stage.connect()
    product = stage.store.add("Mug", variant("MUG", "1", 1))
    await stage.run(LINK, full=True)
    await stage.offer("MUG", "1", 1)
    await stage.offer("OTHER", "1", 1)
    other = await stage.variant("OTHER")
    run_id = await stage.ask(LINK)
    async with wide_engine.begin() as conn:
        await conn.execute(
            text(
                "UPDATE listing_variants SET link_state = 'LINKED', revision = revision + 1,"
                " remote_variant_id = (SELECT id FROM remote_variants WHERE parent = :parent)"
                " WHERE id = :id"
            ),
            {"id": int(other.id), "parent": product.id},
        )
        running = asyncio.create_task(_work(stage, "one", [run_id]))
        await asyncio.sleep(0.5)
        stage.clock.advance(timedelta(minutes=1))
    for _ in range(20):
        if running.done():
            break
        stage.clock.advance(timedelta(minutes=1))
        await asyncio.sleep(0.1)
    await running
    assert (await stage.variant("OTHER")).link_state is LinkState.LINKED
    assert (await stage.variant("MUG")).link_state is LinkState.UNLINKED
    assert (await stage.run_row(run_id))["state"] == "REPORTED"

"""The worker around runs: schedules, the sweep, the real queue, and what is kept how long."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from arq.connections import RedisSettings

from reconcile.commands.operations import Cron, Interval, configure, schedule
from reconcile.core.types import LinkState, Side
from reconcile.deps import Tuning
from reconcile.store import leases, sweeping
from reconcile.worker import dump_job, load_job, run_worker, sweep_once
from tallyport.doorbell import QueueDoorbell, redis_settings
from tests.reconcile.runtime.stage import LINK, SYNC, Stage
from tests.store_double import timed_out, variant

pytestmark = pytest.mark.anyio


async def _scheduled(stage: Stage) -> list[str]:
    """States of the runs that schedules have queued."""
    rows = await stage.rows("SELECT state FROM runs WHERE trigger = 'SCHEDULE' ORDER BY id")
    return [row["state"] for row in rows]


async def test_an_interval_queues_runs(stage: Stage) -> None:
    """When its time has come a run is queued once, and the next time is set from now."""
    await schedule(stage.deps, stage.channel_id, SYNC, Interval(600), full=True, by="test")
    await sweep_once(stage.deps)
    assert await _scheduled(stage) == []
    stage.clock.advance(timedelta(seconds=601))
    await sweep_once(stage.deps)
    assert await _scheduled(stage) == ["QUEUED"]
    assert stage.bell.rings[-1] == (stage.channel_id, Side.LISTINGS)
    await stage.settle()
    assert await _scheduled(stage) == ["REPORTED"]
    await sweep_once(stage.deps)
    assert await _scheduled(stage) == ["REPORTED"]
    stage.clock.advance(timedelta(seconds=601))
    await sweep_once(stage.deps)
    assert await _scheduled(stage) == ["REPORTED", "QUEUED"]


async def test_missed_times_make_one_run(stage: Stage) -> None:
    """After a long standstill, or while one is still open, a schedule does not pile up runs."""
    await schedule(stage.deps, stage.channel_id, SYNC, Interval(600), by="test")
    for _ in range(5):
        stage.clock.advance(timedelta(hours=3))
        await sweep_once(stage.deps)
    assert await _scheduled(stage) == ["QUEUED"]


async def test_a_cron_expression_queues_runs(stage: Stage) -> None:
    """Cron times are in UTC, and each is used once."""
    due = await schedule(stage.deps, stage.channel_id, LINK, Cron("30 3 * * *"), by="test")
    assert due is not None
    assert (due.hour, due.minute) == (3, 30)
    stage.clock.advance(due - stage.clock() + timedelta(seconds=1))
    await sweep_once(stage.deps)
    assert await _scheduled(stage) == ["QUEUED"]
    again = await stage.value("SELECT next_due_at FROM operations WHERE cron IS NOT NULL")
    assert again - due == timedelta(days=1)


@pytest.mark.parametrize(
    "stop",
    [
        "UPDATE operations SET paused = true",
        "UPDATE operations SET enabled = false",
        "UPDATE channels SET paused = true",
        "UPDATE channels SET removed_at = now()",
    ],
)
async def test_what_is_stopped_is_not_scheduled(stage: Stage, stop: str) -> None:
    """A paused or disabled operation, a paused or removed channel: no run is queued."""
    await schedule(stage.deps, stage.channel_id, SYNC, Interval(600), by="test")
    await stage.change(stop)
    stage.clock.advance(timedelta(hours=1))
    await sweep_once(stage.deps)
    assert await _scheduled(stage) == []


async def test_the_sweep_rings_for_what_is_due(stage: Stage) -> None:
    """Rings may be lost: the sweep finds open runs, but not where somebody is at work."""
    await stage.ask(LINK)
    stage.bell.rings.clear()
    await sweep_once(stage.deps)
    assert stage.bell.rings == [(stage.channel_id, Side.LISTINGS)]
    async with stage.deps.engine.begin() as conn:
        await leases.take(
            conn, stage.channel_id, Side.LISTINGS, "somebody", stage.deps.tuning.lease
        )
    stage.bell.rings.clear()
    await sweep_once(stage.deps)
    assert stage.bell.rings == []
    await stage.change("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'")
    await sweep_once(stage.deps)
    assert stage.bell.rings == [(stage.channel_id, Side.LISTINGS)]


async def test_the_sweep_finds_what_waits_for_a_time(stage: Stage) -> None:
    """A run that waits for an unknown outcome is rung for when the look is due, not before."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    stage.store.fail(timed_out(), "sync", after_effect=True)
    await stage.run(SYNC)
    stage.bell.rings.clear()
    await sweep_once(stage.deps)
    assert stage.bell.rings == []
    stage.clock.advance(timedelta(seconds=10))
    await sweep_once(stage.deps)
    assert stage.bell.rings == [(stage.channel_id, Side.LISTINGS)]


async def test_a_disabled_operation_finishes_what_has_begun(stage: Stage) -> None:
    """Disabling an operation does not strand its queued run: it ends, and nothing spins."""
    run_id = await stage.ask(LINK)
    await configure(stage.deps, stage.channel_id, LINK, enabled=False, by="test")
    await stage.settle()
    assert (await stage.run_row(run_id))["finished_at"] is not None


async def test_what_is_old_is_removed(stage: Stage) -> None:
    """Attempts are kept 30 days, runs with their actions 90; open runs stay whatever their age."""
    await stage.linked(1)
    await stage.offer("S0000", "12")
    old = await stage.run(SYNC)
    await stage.change(
        "UPDATE runs SET finished_at = now() - interval '91 days' WHERE id = :id", id=old["id"]
    )
    await stage.change("UPDATE attempts SET at = now() - interval '31 days'")
    kept = await stage.run(SYNC, full=True)
    waiting = await stage.ask(SYNC, full=True)
    await stage.change("UPDATE runs SET created_at = now() - interval '1 year'")
    async with stage.deps.engine.begin() as conn:
        assert await sweeping.remove_old(conn)
    left = {row["id"] for row in await stage.rows("SELECT id FROM runs")}
    assert {kept["id"], waiting} <= left
    assert old["id"] not in left
    assert await stage.actions(old["id"]) == []
    assert await stage.rows("SELECT * FROM attempts") == []


async def test_the_log_names_its_actions(stage: Stage) -> None:
    """Every request that wrote something is in the log with the actions it carried."""
    skus = await stage.linked(3)
    for sku in skus:
        await stage.offer(sku, "12")
    run = await stage.run(SYNC)
    attempt = (await stage.rows("SELECT * FROM attempts ORDER BY id DESC"))[0]
    assert attempt["run_id"] == run["id"]
    assert sorted(attempt["action_ids"]) == [row["id"] for row in await stage.actions(run["id"])]


def test_jobs_are_json() -> None:
    """What lies in the queue is JSON: nothing in it is executed when it is read."""
    job = {"t": 1, "f": "drain", "a": [1, "LISTINGS"], "k": {}, "et": 123}
    assert load_job(dump_job(job)) == job
    with pytest.raises(ValueError, match=r"."):
        load_job(b"\x80\x04\x95")


async def test_without_a_queue_the_sweep_goes_on(stage: Stage) -> None:
    """With Redis away the worker keeps trying, says that it lives, and ends when it is told to."""
    nowhere = RedisSettings(unix_socket_path="/nonexistent/valkey.sock", conn_retries=0)
    stage.deps = replace(stage.deps, tuning=Tuning(sweep=timedelta(milliseconds=100)))
    await stage.ask(SYNC)
    stage.bell.rings.clear()
    stop = asyncio.Event()
    worker = asyncio.create_task(
        run_worker(stage.deps, nowhere, name="w", concurrency=2, stop=stop)
    )
    await asyncio.sleep(1)
    assert not worker.done()
    assert await stage.rows("SELECT 1 FROM workers WHERE name = 'w'")
    assert stage.bell.rings
    stop.set()
    async with asyncio.timeout(5):
        await worker


async def _until_ended(stage: Stage) -> None:
    """Wait until no run is open any more."""
    for _ in range(400):
        if not await stage.rows("SELECT 1 FROM runs WHERE finished_at IS NULL"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a run was still open after 20 seconds")


async def test_the_real_queue(stage: Stage, redis_url: str) -> None:
    """A worker with the real queue carries out what is rung for and what the sweep finds."""
    stage.store.add("Mug", variant("MUG", "1", 1))
    await stage.offer("MUG", "2", 1)
    tuning = Tuning(sweep=timedelta(milliseconds=200))
    bell = QueueDoorbell(stage.deps.engine, redis_url)
    stage.deps = replace(stage.deps, doorbell=bell, tuning=tuning)
    stop = asyncio.Event()
    worker = asyncio.create_task(
        run_worker(stage.deps, redis_settings(redis_url), name="w", concurrency=2, stop=stop)
    )
    try:
        run_id = await stage.ask(SYNC)
        await _until_ended(stage)
        assert (await stage.run_row(run_id))["result"] == "SUCCEEDED"
        # A run nobody rings for.
        await stage.change(
            "INSERT INTO runs (channel_id, operation, side, trigger, is_full) "
            "VALUES (:id, 'LINK_LISTINGS', 'LISTINGS', 'PERSON', true)",
            id=stage.channel_id,
        )
        await _until_ended(stage)
        assert await stage.rows("SELECT 1 FROM workers WHERE name = 'w'")
    finally:
        stop.set()
        await worker
        await bell.close()
    assert stage.store.by_sku("MUG")[1].price == "2"
    assert (await stage.variant("MUG")).link_state is LinkState.LINKED

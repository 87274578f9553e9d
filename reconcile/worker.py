"""The worker: arq functions that drain a channel's side, and the sweep that finds what is due.

The queue holds ids only and is a doorbell: every ring may be lost. PostgreSQL says what is due, the
sweep looks every few seconds, leases keep two workers off one side of a channel.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import structlog
from arq.connections import RedisSettings
from arq.typing import WorkerCoroutine
from arq.worker import Worker, func
from croniter import croniter
from sqlalchemy import RowMapping, text

from reconcile.contract import Adapter, Exchange
from reconcile.core.types import Operation, Side
from reconcile.deps import Deps, Recorder
from reconcile.execute import LOOK_AFTER, Execution
from reconcile.fetch import Slice
from reconcile.imports import advance_import
from reconcile.orders.runs import OrderRun
from reconcile.runs import CONTENT_OPERATIONS, Run
from reconcile.store import actions, leases, run_rows, sweeping, watching
from reconcile.store.channel_state import pause_channel
from reconcile.store.channels import Channel, load_channel, load_operations, open_adapter
from reconcile.store.imports import due_imports
from reconcile.store.leases import Lease, LeaseLostError
from reconcile.store.retention import erase_due
from reconcile.turns import Turns

log = structlog.get_logger()

RETENTION_EVERY = timedelta(hours=1)
ERASED_AT_ONCE = 500
"""Orders whose personal data is erased in one transaction."""
MOST_PORTIONS = 100
"""Portions in a row; what is left waits for the next hour, for the sweep has more to do."""
RESTART_CAP = 10.0
"""Longest pause, in seconds, before a worker whose queue went away tries again."""
MOST_SLICES = 10_000
"""Bound of `drain_until_idle`, far above what any test needs."""


def dump_job(job: Mapping[str, Any]) -> bytes:
    """JSON of a queued job, instead of pickle, which would run code when read."""
    return orjson.dumps(job)


def load_job(raw: bytes) -> dict[str, Any]:
    """A queued job out of its JSON."""
    job: dict[str, Any] = orjson.loads(raw)
    return job


# --- draining -------------------------------------------------------------------------------


async def drain(
    deps: Deps, channel_id: int, side: Side, holder: str, turns: Turns | None = None
) -> bool:
    """Work for one slice on a channel's side; True when there is more to do now.

    False too when another holder has the lease: what is due is theirs, or the next sweep's. With
    `turns` the slice ends early where the slot is wanted.
    """
    async with deps.engine.begin() as conn:
        await watching.notice(conn)
    async with deps.engine.begin() as conn:
        lease = await leases.take(conn, channel_id, side, holder, deps.tuning.lease)
    if lease is None:
        return False
    try:
        return await _work(deps, lease, turns)
    except LeaseLostError:
        log.warning("lease lost", channel_id=channel_id, side=side.value, epoch=lease.epoch)
        return False
    finally:
        with contextlib.suppress(OSError):
            async with deps.engine.begin() as conn:
                await leases.release(conn, lease)


async def _work(deps: Deps, lease: Lease, turns: Turns | None) -> bool:
    until = deps.clock() + deps.tuning.slice
    adapter: Adapter | None = None
    revision = -1
    sending: list[int] = []
    try:
        while deps.clock() < until:
            async with deps.engine.begin() as conn:
                await leases.fence(conn, lease)
                await actions.adopt_orphans(
                    conn, lease.channel_id, lease.side, lease.epoch, LOOK_AFTER
                )
                channel = await load_channel(conn, deps, lease.channel_id)
                if channel is None:
                    return False
                operations = await load_operations(conn, channel)
                row = await run_rows.next_run(conn, channel.id, lease.side, deps.clock())
            if row is None or _is_held(channel, cancels=bool(row["cancel_requested"])):
                return False
            if adapter is None or revision != channel.revision:
                if adapter is not None:
                    await adapter.aclose()
                adapter = await _open(
                    deps, lease, channel, _AttemptLog(deps, channel, row["id"], sending)
                )
                if adapter is None:
                    return False
                revision = channel.revision
            execution = Execution(deps, lease, channel, adapter, sending, until=until, turns=turns)
            with_content = Operation(row["operation"]) in CONTENT_OPERATIONS
            part = Slice(execution, row["id"], until, with_content)
            run = OrderRun if lease.side is Side.ORDERS else Run
            await run(part, row, operations).advance()
            if execution.gives_way:
                return True
        return True
    finally:
        if adapter is not None:
            await adapter.aclose()


async def _open(deps: Deps, lease: Lease, channel: Channel, record: Recorder) -> Adapter | None:
    """An adapter of the channel; None where its credentials cannot be read, and it says so."""
    try:
        return open_adapter(deps, channel, record)
    except Exception as error:  # noqa: BLE001 - ciphers and settings have errors of their own
        # The error's own text may hold what was decrypted.
        log.error("credentials unreadable", channel_id=channel.id, error=type(error).__name__)  # noqa: TRY400
    async with deps.engine.begin() as conn:
        await leases.fence(conn, lease)
        message = (
            "The stored credentials cannot be read with this installation's secret keys. Bring "
            "back the keys they were stored with, or enter the credentials again, and resume"
        )
        await pause_channel(conn, channel.id, "CredentialsUnreadable", message)
    return None


def _is_held(channel: Channel, *, cancels: bool) -> bool:
    """A paused channel does nothing; canceling is always possible."""
    return not cancels and (channel.is_paused or channel.removed_at is not None)


class _AttemptLog:
    """Keeps exchanges in the log, with the actions whose request it was."""

    def __init__(self, deps: Deps, channel: Channel, run_id: int, sending: list[int]) -> None:
        self._deps, self._channel, self._run_id = deps, channel, run_id
        self._sending = sending

    async def __call__(self, exchange: Exchange) -> None:
        async with self._deps.engine.begin() as conn:
            await conn.execute(
                text("""
INSERT INTO attempts (channel_id, run_id, action_ids, at, method, url, request, status, response,
    milliseconds, error)
VALUES (:channel_id, :run_id, :action_ids, :at, :method, :url, CAST(:request AS jsonb), :status,
    CAST(:response AS jsonb), :milliseconds, :error)
"""),
                {
                    "channel_id": self._channel.id,
                    "run_id": self._run_id,
                    "action_ids": list(self._sending),
                    "at": exchange.at,
                    "method": exchange.method,
                    "url": exchange.url,
                    "request": orjson.dumps(exchange.request).decode(),
                    "status": exchange.status,
                    "response": orjson.dumps(exchange.response).decode(),
                    "milliseconds": round(exchange.seconds * 1000),
                    "error": exchange.error,
                },
            )


async def drain_until_idle(
    deps: Deps, channel_id: int, side: Side = Side.LISTINGS, holder: str = "test"
) -> None:
    """Drain until nothing is due now; for tests and one-shot commands."""
    for _ in range(MOST_SLICES):
        if not await drain(deps, channel_id, side, holder):
            return
    raise RuntimeError(f"channel {channel_id} never came to rest")


# --- sweeping -------------------------------------------------------------------------------


def next_due(row: RowMapping, now: datetime) -> datetime | None:
    """When an operation's schedule comes due after `now`; cron expressions are in UTC."""
    if row["cron"]:
        due: datetime = croniter(row["cron"], now.astimezone(UTC)).get_next(datetime)
        return due
    if row["interval_seconds"]:
        return now + timedelta(seconds=row["interval_seconds"])
    return None


async def sweep_once(deps: Deps) -> None:
    """Queue what schedules say, and ring for everything that is due and held by nobody."""
    now = deps.clock()
    async with deps.engine.begin() as conn:
        for row in await sweeping.due_schedules(conn, now):
            side = Operation(row["operation"]).side
            await sweeping.start_scheduled(conn, row, side, next_due(row, now))
    async with deps.engine.connect() as conn:
        sides = await sweeping.due_sides(conn, now)
        imports = await due_imports(conn)
    for channel_id, side in sides:
        await deps.doorbell.ring(channel_id, side)
    for import_id in imports:
        await deps.doorbell.ring_import(import_id)


async def clean(deps: Deps) -> None:
    """Remove rows past their retention, and personal data whose time has come, in portions."""
    async with deps.engine.begin() as conn:
        await sweeping.remove_old(conn)
    for _ in range(MOST_PORTIONS):
        async with deps.engine.begin() as conn:
            if await erase_due(conn, deps.clock(), ERASED_AT_ONCE) < ERASED_AT_ONCE:
                return


async def _sweep(deps: Deps, name: str, stop: asyncio.Event) -> None:
    cleaned_at = deps.clock() - RETENTION_EVERY
    while not stop.is_set():
        try:
            async with deps.engine.begin() as conn:
                await sweeping.beat(conn, name)
            await sweep_once(deps)
            if deps.clock() - cleaned_at >= RETENTION_EVERY:
                await clean(deps)
                cleaned_at = deps.clock()
        except Exception:
            # The database may be restarting; the sweep is what brings everything back after it.
            log.exception("sweep failed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), deps.tuning.sweep.total_seconds())


# --- the process ----------------------------------------------------------------------------


async def run_worker(
    deps: Deps,
    redis: RedisSettings,
    *,
    name: str,
    concurrency: int,
    stop: asyncio.Event,
) -> None:
    """Work until `stop` is set; when the queue goes away, wait and connect again."""
    sweep = asyncio.create_task(_sweep(deps, name, stop))
    pause = 0.5
    try:
        while not stop.is_set():
            worker = _arq_worker(deps, redis, name, concurrency)
            work = asyncio.create_task(worker.main())
            ending = asyncio.create_task(stop.wait())
            await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                try:
                    await work
                    pause = 0.5
                except Exception as error:  # noqa: BLE001 - arq ends with whatever its queue raised
                    log.warning("queue lost", error=type(error).__name__, again_in=pause)
            await _end(worker)
            if not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                pause = min(pause * 2, RESTART_CAP)
    finally:
        sweep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweep


async def _end(worker: Worker) -> None:
    """Cancel what the worker was doing and give its connections back, whatever arq thinks of it."""
    tasks = list(worker.tasks.values())
    for task in tasks:
        task.cancel()
    # arq waits for its tasks without catching what their cancellation raises.
    await asyncio.gather(*tasks, return_exceptions=True)
    worker.tasks.clear()
    pool = worker.pool
    with contextlib.suppress(Exception):
        await worker.close()
    if pool is not None:
        # Where Redis is gone, arq has stopped before it closed anything.
        with contextlib.suppress(Exception):
            await pool.aclose(close_connection_pool=True)


def _arq_worker(deps: Deps, redis: RedisSettings, name: str, concurrency: int) -> Worker:
    # A function lasts a slice and the request that is under way at its end.
    longest = deps.tuning.slice + deps.tuning.request_timeout + timedelta(seconds=15)

    turns = Turns(concurrency)

    async def drain_job(_: dict[Any, Any], *arguments: Any) -> None:
        channel_id, side = int(arguments[0]), Side(arguments[1])
        with turns.one():
            if side is Side.ORDERS and await turns.come_later(
                deps.engine, channel_id, side, deps.clock()
            ):
                # Rung for before the others were; the sweep rings again.
                return
            goes_on = await drain(deps, channel_id, side, name, turns)
        if goes_on:
            await deps.doorbell.ring(channel_id, side)
        else:
            turns.rests(channel_id, side)

    async def import_job(_: dict[Any, Any], *arguments: Any) -> None:
        import_id = int(arguments[0])
        with turns.one():
            goes_on = await advance_import(deps, import_id)
        if goes_on:
            await deps.doorbell.ring_import(import_id)

    return Worker(
        functions=[
            func(
                cast("WorkerCoroutine", drain_job),
                name="drain",
                keep_result=0,
                timeout=longest,
                max_tries=1,
            ),
            func(
                cast("WorkerCoroutine", import_job),
                name="advance_import",
                keep_result=0,
                timeout=longest,
                max_tries=1,
            ),
        ],
        redis_settings=redis,
        job_serializer=dump_job,
        job_deserializer=load_job,
        handle_signals=False,
        keep_result=0,
        max_jobs=concurrency,
        poll_delay=0.1,
        health_check_interval=3600,
        ctx={},
    )

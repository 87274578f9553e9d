"""Runs as the API shows them, and what an unfinished one waits for; the runtime writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.states import RunState
from reconcile.core.types import Operation
from reconcile.store.page import Page, one_of, read_page, read_rows
from reconcile.store.tables import runs
from reconcile.store.workers import is_any_alive


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; None does not restrict."""

    channel_id: int | None = None
    operation: Operation | None = None
    state: RunState | None = None
    is_open: bool | None = None
    """Not finished yet."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One execution of an operation."""

    id: int
    channel_id: int
    operation: Operation
    side: str
    trigger: str
    is_full: bool
    plan_only: bool
    scope: tuple[int, ...] | None
    order_ids: tuple[int, ...] | None
    """Seen orders it is about; empty: those that are marked, without asking the channel."""
    lookup: str | None
    """GET_ORDERS: the number of the one order it looks for."""
    state: str
    result: str | None
    phase: Mapping[str, Any]
    counts: Mapping[str, Any]
    guard: Mapping[str, Any]
    channel_revision: int | None
    error_code: str | None
    error_message: str | None
    tries: int
    next_at: datetime
    requested_by: str | None
    approved_by: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    planned_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """Why an unfinished run does not go on right now."""

    code: str
    """AnotherRun, Approval, ChannelPaused, OperationPaused, RetryTime, Worker."""
    message: str
    run_id: int | None = None
    until: datetime | None = None


def _run(row: RowMapping) -> RunRow:
    values = {name: row[name] for name in RunRow.__dataclass_fields__}
    values["operation"] = Operation(values["operation"])
    for name in ("scope", "order_ids"):
        values[name] = None if values[name] is None else tuple(values[name])
    return RunRow(**values)


async def list_runs(
    conn: AsyncConnection, where: RunFilter, after: int | None, limit: int
) -> Page[RunRow]:
    """Runs, the newest first."""
    statement = select(runs)
    if where.channel_id is not None:
        statement = statement.where(runs.c.channel_id == where.channel_id)
    if where.operation is not None:
        statement = statement.where(runs.c.operation == where.operation)
    if where.state is not None:
        statement = statement.where(runs.c.state == where.state)
    if where.is_open is not None:
        finished = runs.c.finished_at.is_not(None)
        statement = statement.where(~finished if where.is_open else finished)
    return await read_page(conn, statement, runs.c.id, after, limit, _run, newest_first=True)


async def runs_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, RunRow]:
    """The runs of these ids."""
    rows = await read_rows(conn, select(runs).where(one_of(runs.c.id, ids)), _run)
    return {row.id: row for row in rows}


async def recent_runs(
    conn: AsyncConnection, channel_ids: Sequence[int], per_channel: int = 5
) -> dict[int, tuple[RunRow, ...]]:
    """The newest runs of many channels, the newest first."""
    result = await conn.execute(
        text("""
SELECT r.* FROM unnest(CAST(:ids AS bigint[])) AS c(id)
CROSS JOIN LATERAL (
    SELECT * FROM runs WHERE channel_id = c.id ORDER BY id DESC LIMIT :per_channel) r
ORDER BY r.channel_id, r.id DESC
"""),
        {"ids": list(channel_ids), "per_channel": per_channel},
    )
    found: dict[int, list[RunRow]] = {}
    for row in result.mappings():
        found.setdefault(row["channel_id"], []).append(_run(row))
    return {channel_id: tuple(rows) for channel_id, rows in found.items()}


_WAITING = """
SELECT r.id, r.state, r.finished_at, r.next_at, r.next_at > now() AS is_later, r.error_message,
       c.paused AS channel_paused, c.pause_message, o.paused AS operation_paused,
       e.id AS other_id, e.operation AS other_operation,
       l.expires_at > clock_timestamp() AS is_held,
       EXISTS (SELECT 1 FROM actions a
               WHERE a.run_id = r.id AND a.state IN ('PLANNED', 'REFUSED')
                 AND NOT a.approved) AS waits
FROM runs r
JOIN channels c ON c.id = r.channel_id
LEFT JOIN operations o ON o.channel_id = r.channel_id AND o.operation = r.operation
LEFT JOIN leases l ON l.channel_id = r.channel_id AND l.side = r.side
LEFT JOIN LATERAL (
    SELECT id, operation FROM runs b
    WHERE b.channel_id = r.channel_id AND b.side = r.side AND b.id < r.id
      AND b.finished_at IS NULL AND b.state <> 'PLANNED'
    ORDER BY b.id LIMIT 1) e ON true
WHERE r.id = ANY(:ids) AND (r.finished_at IS NULL OR r.state IN ('PLANNED', 'REPORTED'))
"""


async def waiting_for(conn: AsyncConnection, run_ids: Sequence[int]) -> dict[int, WaitingFor]:
    """What those of these runs wait for that wait; two statements."""
    result = (await conn.execute(text(_WAITING), {"ids": list(run_ids)})).mappings().all()
    alive = await is_any_alive(conn)
    found = {row["id"]: _waiting(row, is_worker_alive=alive) for row in result}
    return {run_id: waiting for run_id, waiting in found.items() if waiting is not None}


def _waiting(row: RowMapping, *, is_worker_alive: bool) -> WaitingFor | None:
    # A run passes through PLANNED on its way to EXECUTING; only a finished one waits for approval.
    if row["finished_at"] is not None:
        if not row["waits"]:
            return None
        return WaitingFor("Approval", "Planned rows wait for a person's approval.")
    if row["channel_paused"]:
        said = row["pause_message"] or "A person paused the channel."
        return WaitingFor("ChannelPaused", f"The channel is paused: {said}")
    if row["operation_paused"]:
        return WaitingFor("OperationPaused", "The operation is paused on this channel.")
    if not is_worker_alive:
        return WaitingFor(
            "Worker", "No worker was seen in the last 30 seconds; start one: tallyport worker"
        )
    if row["state"] == RunState.QUEUED and row["other_id"] is not None:
        return WaitingFor(
            "AnotherRun",
            f"Run {row['other_id']} ({row['other_operation']}) works on this channel.",
            run_id=row["other_id"],
        )
    if row["is_later"]:
        why = row["error_message"] or "The next step is due later."
        return WaitingFor("RetryTime", why, until=row["next_at"])
    return None

"""What the sweep looks for: schedules due, work nobody holds, rows past their retention."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import Side
from reconcile.store import watching

ATTEMPTS_KEPT = timedelta(days=30)
RUNS_KEPT = timedelta(days=90)
_RETENTION_LOCK = 7_420_311
"""Key of the advisory lock that lets one worker at a time remove old rows."""


async def beat(conn: AsyncConnection, name: str) -> None:
    """Say that this worker lives; long dead ones are forgotten.

    Where nobody has said so for long, everything planned before is to be looked at first.
    """
    await watching.notice(conn)
    await conn.execute(
        text("""
INSERT INTO workers (name, started_at, seen_at) VALUES (:name, now(), now())
ON CONFLICT (name) DO UPDATE SET seen_at = now()
"""),
        {"name": name},
    )
    await conn.execute(text("DELETE FROM workers WHERE seen_at < now() - interval '1 day'"))


async def due_sides(conn: AsyncConnection, now: datetime) -> Sequence[tuple[int, Side]]:
    """Channels and sides with an open run to go on with that no living lease covers."""
    result = await conn.execute(
        text("""
SELECT DISTINCT r.channel_id, r.side FROM runs r JOIN channels c ON c.id = r.channel_id
WHERE r.finished_at IS NULL AND r.next_at <= :now AND (NOT c.paused OR r.cancel_requested)
  AND r.state IN ('QUEUED', 'FETCHING', 'PLANNED', 'EXECUTING') AND NOT EXISTS (
    SELECT 1 FROM leases l WHERE l.channel_id = r.channel_id AND l.side = r.side
      AND l.expires_at > clock_timestamp())
"""),
        {"now": now},
    )
    return [(row.channel_id, Side(row.side)) for row in result]


async def waiting_orders(conn: AsyncConnection, now: datetime) -> Sequence[int]:
    """Channels with orders to go on with that nobody works on."""
    result = await conn.execute(
        text("""
SELECT DISTINCT r.channel_id FROM runs r JOIN channels c ON c.id = r.channel_id
WHERE r.finished_at IS NULL AND r.next_at <= :now AND (NOT c.paused OR r.cancel_requested)
  AND r.side = 'ORDERS'
  AND r.state IN ('QUEUED', 'FETCHING', 'PLANNED', 'EXECUTING') AND NOT EXISTS (
    SELECT 1 FROM leases l WHERE l.channel_id = r.channel_id AND l.side = r.side
      AND l.expires_at > clock_timestamp())
"""),
        {"now": now},
    )
    return list(result.scalars())


async def due_schedules(conn: AsyncConnection, now: datetime) -> Sequence[RowMapping]:
    """Operations whose time has come, locked against other workers."""
    result = await conn.execute(
        text("""
SELECT o.* FROM operations o JOIN channels c ON c.id = o.channel_id
WHERE o.next_due_at <= :now AND o.enabled AND NOT o.paused AND NOT c.paused
  AND c.removed_at IS NULL
ORDER BY o.next_due_at FOR UPDATE OF o SKIP LOCKED LIMIT 100
"""),
        {"now": now},
    )
    return result.mappings().all()


async def start_scheduled(
    conn: AsyncConnection, row: RowMapping, side: Side, next_due_at: datetime | None
) -> bool:
    """Queue the run of a schedule, unless one of the same operation is open already."""
    await conn.execute(
        text("""
UPDATE operations SET next_due_at = :next
WHERE channel_id = :channel_id AND operation = :operation
"""),
        {
            "next": next_due_at,
            "channel_id": row["channel_id"],
            "operation": row["operation"],
        },
    )
    result = await conn.execute(
        text("""
INSERT INTO runs (channel_id, operation, side, trigger, is_full, requested_by)
SELECT :channel_id, :operation, :side, 'SCHEDULE', :is_full, 'schedule'
WHERE NOT EXISTS (
    SELECT 1 FROM runs WHERE channel_id = :channel_id AND operation = :operation
      AND finished_at IS NULL AND NOT plan_only)
"""),
        {
            "channel_id": row["channel_id"],
            "operation": row["operation"],
            "side": side,
            "is_full": row["schedule_full"],
        },
    )
    return result.rowcount == 1


async def remove_old(conn: AsyncConnection) -> bool:
    """Delete attempts and runs past their retention and dirt said twice; False if another does."""
    locked = await conn.execute(
        text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _RETENTION_LOCK}
    )
    if not locked.scalar_one():
        return False
    await conn.execute(
        text("DELETE FROM attempts WHERE at < now() - CAST(:kept AS interval)"),
        {"kept": ATTEMPTS_KEPT},
    )
    await conn.execute(
        text("DELETE FROM runs WHERE finished_at < now() - CAST(:kept AS interval)"),
        {"kept": RUNS_KEPT},
    )
    await conn.execute(
        text("""
DELETE FROM run_candidates c USING runs r
WHERE r.id = c.run_id AND r.finished_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM actions a WHERE a.run_id = r.id AND a.state IN ('PLANNED', 'REFUSED'))
""")
    )
    # Of a listing that was edited again and again, for an operation nobody runs, one is enough.
    await conn.execute(
        text("""
DELETE FROM dirty d USING dirty n
WHERE n.channel_id = d.channel_id AND n.operation = d.operation AND n.listing_id = d.listing_id
  AND n.id > d.id
""")
    )
    return True

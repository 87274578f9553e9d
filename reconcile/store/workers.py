"""Workers and when each was last seen; without a living one nothing runs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store.tables import workers

ALIVE = timedelta(seconds=30)
"""A worker that has not been seen for this long is taken for dead."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker process."""

    name: str
    started_at: datetime
    seen_at: datetime
    is_alive: bool
    """Seen lately, by the database's clock."""


async def list_workers(conn: AsyncConnection, limit: int = 100) -> tuple[WorkerRow, ...]:
    """Workers, the one seen last first."""
    alive = workers.c.seen_at > func.now() - ALIVE
    statement = (
        select(workers, alive.label("is_alive")).order_by(workers.c.seen_at.desc()).limit(limit)
    )
    result = await conn.execute(statement)
    return tuple(
        WorkerRow(row["name"], row["started_at"], row["seen_at"], row["is_alive"])
        for row in result.mappings()
    )


async def is_any_alive(conn: AsyncConnection) -> bool:
    """Whether some worker was seen lately."""
    statement = select(func.bool_or(workers.c.seen_at > func.now() - ALIVE))
    return bool((await conn.execute(statement)).scalar_one())

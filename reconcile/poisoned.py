"""Rows that nobody can work with: found by halves, ended each by itself, the others go on.

A row may hold what a defect of ours put there. Whatever is done with a batch is done in a
transaction of its own; where that fails for a reason other than database or lease, halves are
tried, until the poisoned row is alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store.leases import LeaseLostError

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger()

CODE = "InternalError"
MESSAGE = "An internal error; the log holds the details"


async def by_halves(
    fenced: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
    rows: Sequence[R],
    take: Callable[[AsyncConnection, Sequence[R]], Awaitable[T]],
    drop: Callable[[R], Awaitable[None]],
) -> list[T]:
    """What `take` makes of the rows, in as many parts as it takes; `drop` ends a poisoned one."""
    try:
        async with fenced() as conn:
            return [await take(conn, rows)]
    except (LeaseLostError, SQLAlchemyError, OSError):
        # Not the rows' fault: with the database away, or the lease, nobody could.
        raise
    except Exception:
        # Any defect of ours; the point is that it stays with the row that shows it.
        if len(rows) == 1:
            log.exception("poisoned row")
            await drop(rows[0])
            return []
    half = len(rows) // 2
    first = await by_halves(fenced, rows[:half], take, drop)
    return [*first, *await by_halves(fenced, rows[half:], take, drop)]

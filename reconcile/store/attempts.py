"""Attempts: every request to a platform that changed, or may have changed, something (A15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, RowMapping, any_, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store.page import Page, holds, one_of, read_page, read_pages, read_rows
from reconcile.store.tables import attempts


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    """Which attempts; None does not restrict."""

    channel_id: int | None = None
    run_id: int | None = None
    action_id: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One request with its answer, redacted before it was stored."""

    id: int
    channel_id: int
    run_id: int | None
    action_ids: tuple[int, ...]
    at: datetime
    method: str
    url: str
    request: Any
    """JSON as it was sent."""
    status: int | None
    response: Any
    """JSON as it was answered."""
    milliseconds: int
    error: str


def _attempt(row: RowMapping) -> AttemptRow:
    values = {name: row[name] for name in AttemptRow.__dataclass_fields__}
    return AttemptRow(**{**values, "action_ids": tuple(row["action_ids"])})


async def list_attempts(
    conn: AsyncConnection, where: AttemptFilter, after: int | None, limit: int
) -> Page[AttemptRow]:
    """Attempts, the newest first."""
    statement = select(attempts)
    if where.channel_id is not None:
        statement = statement.where(attempts.c.channel_id == where.channel_id)
    if where.run_id is not None:
        statement = statement.where(attempts.c.run_id == where.run_id)
    if where.action_id is not None:
        # Found first, as an array: else all attempts are looked through in the order of the page.
        of_action = select(attempts.c.id).where(holds(attempts.c.action_ids, where.action_id))
        found = func.array(of_action.scalar_subquery(), type_=ARRAY(BigInteger))
        statement = statement.where(attempts.c.id == any_(found))
    return await read_page(
        conn, statement, attempts.c.id, after, limit, _attempt, newest_first=True
    )


async def attempt_pages(
    conn: AsyncConnection, run_ids: Sequence[int], after: int | None, limit: int
) -> dict[int, Page[AttemptRow]]:
    """One page of the attempts of each of many runs, the newest first."""
    return await read_pages(
        conn,
        run_ids,
        lambda parent: select(attempts).where(attempts.c.run_id == parent),
        attempts.c.id,
        after,
        limit,
        _attempt,
        newest_first=True,
    )


async def attempts_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, AttemptRow]:
    """The attempts of these ids."""
    rows = await read_rows(conn, select(attempts).where(one_of(attempts.c.id, ids)), _attempt)
    return {row.id: row for row in rows}


async def attempts_by_action(
    conn: AsyncConnection, action_ids: Sequence[int], per_action: int = 5
) -> dict[int, tuple[AttemptRow, ...]]:
    """The newest attempts of many actions, the newest first."""
    # OFFSET 0: the index finds the few of an action; without it the order of ids is followed.
    result = await conn.execute(
        text("""
SELECT a.action_id, t.* FROM unnest(CAST(:ids AS bigint[])) AS a(action_id)
CROSS JOIN LATERAL (
    SELECT * FROM (SELECT * FROM attempts WHERE action_ids @> ARRAY[a.action_id] OFFSET 0) found
    ORDER BY id DESC LIMIT :per_action) t
ORDER BY a.action_id, t.id DESC
"""),
        {"ids": list(action_ids), "per_action": per_action},
    )
    found: dict[int, list[AttemptRow]] = {}
    for row in result.mappings():
        found.setdefault(row["action_id"], []).append(_attempt(row))
    return {action_id: tuple(rows) for action_id, rows in found.items()}

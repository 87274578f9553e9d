"""Catalog imports and their problems as the API shows them and the worker finds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import Presence
from reconcile.store.page import Page, one_of, read_page, read_pages, read_rows
from reconcile.store.tables import import_problems, imports


class ImportState(StrEnum):
    """How far a catalog import has come."""

    RECEIVING = "RECEIVING"
    """The file is being sent in."""
    QUEUED = "QUEUED"
    IMPORTING = "IMPORTING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


OPEN_STATES = (ImportState.QUEUED, ImportState.IMPORTING)
"""States in which a worker has something to do."""


@dataclass(frozen=True, slots=True)
class ImportFilter:
    """Which imports; None does not restrict."""

    channel_id: int | None = None
    state: ImportState | None = None


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One catalog file on its way into the listings of a channel."""

    id: int
    channel_id: int
    name: str
    layout: str | None
    replace_with: Presence | None
    pause_new: bool
    state: ImportState
    received_bytes: int
    rows_done: int
    counts: Mapping[str, Any]
    error_code: str | None
    error_message: str | None
    requested_by: str | None
    run_id: int | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A row of the file that was not taken, or a remark on one that was."""

    id: int
    import_id: int
    line: int
    sku: str | None
    severity: str
    """ERROR or NOTE."""
    code: str
    message: str


def _import(row: RowMapping) -> ImportRow:
    values = dict(row)
    replace_with = values["replace_with"]
    values["replace_with"] = None if replace_with is None else Presence(replace_with)
    values["state"] = ImportState(values["state"])
    return ImportRow(**values)


def _problem(row: RowMapping) -> ProblemRow:
    return ProblemRow(**{name: row[name] for name in ProblemRow.__dataclass_fields__})


_COLUMNS = tuple(imports.c[name] for name in ImportRow.__dataclass_fields__)


async def list_imports(
    conn: AsyncConnection, where: ImportFilter, after: int | None, limit: int
) -> Page[ImportRow]:
    """Imports, the newest first."""
    statement = select(*_COLUMNS)
    if where.channel_id is not None:
        statement = statement.where(imports.c.channel_id == where.channel_id)
    if where.state is not None:
        statement = statement.where(imports.c.state == where.state)
    return await read_page(conn, statement, imports.c.id, after, limit, _import, newest_first=True)


async def imports_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, ImportRow]:
    """The imports of these ids."""
    rows = await read_rows(conn, select(*_COLUMNS).where(one_of(imports.c.id, ids)), _import)
    return {row.id: row for row in rows}


async def problem_pages(
    conn: AsyncConnection, import_ids: Sequence[int], after: int | None, limit: int
) -> dict[int, Page[ProblemRow]]:
    """One page of the problems of each of many imports, in the order of the file."""
    return await read_pages(
        conn,
        import_ids,
        lambda parent: select(import_problems).where(import_problems.c.import_id == parent),
        import_problems.c.id,
        after,
        limit,
        _problem,
    )


async def due_imports(conn: AsyncConnection) -> tuple[int, ...]:
    """Imports a worker has something to do for, the oldest first."""
    statement = select(imports.c.id).where(imports.c.state.in_(OPEN_STATES)).order_by(imports.c.id)
    return tuple((await conn.execute(statement.limit(100))).scalars())

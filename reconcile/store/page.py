"""Keyset pages: rows after a known id, and whether there are more. No list is read unbounded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    any_,
    bindparam,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list in its order."""

    rows: tuple[Row, ...]
    has_next: bool


async def read_page(
    conn: AsyncConnection,
    statement: Select[Any],
    key: ColumnElement[int],
    after: int | None,
    limit: int,
    make: Callable[[RowMapping], Row],
    *,
    newest_first: bool = False,
) -> Page[Row]:
    """The rows that follow `after` in the order of `key`; one more row tells of a next page."""
    if after is not None:
        statement = statement.where(key < after if newest_first else key > after)
    order = key.desc() if newest_first else key.asc()
    result = await conn.execute(statement.order_by(order).limit(limit + 1))
    rows = [make(row) for row in result.mappings()]
    return Page(tuple(rows[:limit]), len(rows) > limit)


async def read_rows(
    conn: AsyncConnection, statement: Select[Any], make: Callable[[RowMapping], Row]
) -> list[Row]:
    """All rows of a statement that bounds itself (by ids)."""
    result = await conn.execute(statement)
    return [make(row) for row in result.mappings()]


def one_of(column: ColumnElement[Any], values: Sequence[object]) -> ColumnElement[bool]:
    """The column is one of the values, as one array parameter: IN would need one for each."""
    return column == any_(literal(list(values), ARRAY(column.type)))


def holds(column: ColumnElement[Any], value: int) -> ColumnElement[bool]:
    """The array column has that element, in the form that an index on it serves."""
    return column.op("@>", is_comparison=True)(literal([value], ARRAY(BigInteger)))


def escape_like(pattern: str) -> str:
    """A text that LIKE takes literally."""
    return pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def grouped(rows: Sequence[Row], key: Callable[[Row], int]) -> dict[int, tuple[Row, ...]]:
    """Rows by a key, in their order."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return {value: tuple(items) for value, items in found.items()}


async def read_pages(
    conn: AsyncConnection,
    parents: Sequence[int],
    children: Callable[[ColumnElement[int]], Select[Any]],
    key: ColumnElement[int],
    after: int | None,
    limit: int,
    make: Callable[[RowMapping], Row],
    *,
    newest_first: bool = False,
) -> dict[int, Page[Row]]:
    """One page for each of many parents in one statement; none reads more than its page and one.

    `children` gives the rows of a parent, whose id it gets as a column.
    """
    wanted = func.unnest(bindparam("parents", list(parents), ARRAY(BigInteger)))
    parent = wanted.table_valued("id", name="parent").render_derived()
    statement = children(parent.c.id)
    if after is not None:
        statement = statement.where(key < after if newest_first else key > after)
    order = key.desc() if newest_first else key.asc()
    inner = statement.order_by(order).limit(limit + 1).lateral("page")
    # Named so that it meets no column of a table.
    outer = select(parent.c.id.label("parent_of_page"), inner).select_from(
        parent.join(inner, true())
    )
    position = inner.c[str(key.key)]
    outer = outer.order_by(position.desc() if newest_first else position.asc())
    found: dict[int, list[Row]] = {}
    for row in (await conn.execute(outer)).mappings():
        found.setdefault(row["parent_of_page"], []).append(make(row))
    return {
        parent_id: Page(tuple(rows[:limit]), len(rows) > limit) for parent_id, rows in found.items()
    }

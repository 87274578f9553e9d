"""Conditions: what stands in the way on a channel, a listing or a variant, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store.page import Page, grouped, one_of, read_page, read_rows
from reconcile.store.tables import conditions


@dataclass(frozen=True, slots=True)
class ConditionFilter:
    """Which conditions; None does not restrict."""

    channel_id: int | None = None
    object_kind: str | None = None
    """channel, listing or variant."""
    status: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """One condition of one object."""

    id: int
    channel_id: int
    object_kind: str
    object_id: int
    type: str
    """The operation that decided it, or what it is about."""
    status: str
    """`Standing` of the decision: WAITING or ATTENTION."""
    reason: str
    message: str
    inputs: Mapping[str, Any]
    since: datetime
    observed_revision: int | None


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many objects need attention for one reason."""

    reason: str
    count: int


def _condition(row: RowMapping) -> ConditionRow:
    return ConditionRow(**row)


async def list_conditions(
    conn: AsyncConnection, where: ConditionFilter, after: int | None, limit: int
) -> Page[ConditionRow]:
    """Conditions in the order they were first recorded."""
    statement = select(conditions)
    for column, value in (
        (conditions.c.channel_id, where.channel_id),
        (conditions.c.object_kind, where.object_kind),
        (conditions.c.status, where.status),
        (conditions.c.reason, where.reason),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return await read_page(conn, statement, conditions.c.id, after, limit, _condition)


async def conditions_of(
    conn: AsyncConnection, object_kind: str, object_ids: Sequence[int]
) -> dict[int, tuple[ConditionRow, ...]]:
    """The conditions of many objects of one kind, by object."""
    statement = (
        select(conditions)
        .where(conditions.c.object_kind == object_kind, one_of(conditions.c.object_id, object_ids))
        .order_by(conditions.c.id)
    )
    rows = await read_rows(conn, statement, _condition)
    return grouped(rows, lambda row: row.object_id)


async def attention_counts(
    conn: AsyncConnection, channel_ids: Sequence[int]
) -> dict[int, tuple[ReasonCount, ...]]:
    """How many objects of each channel need a person, by reason, the most frequent first."""
    statement = (
        select(conditions.c.channel_id, conditions.c.reason, func.count().label("count"))
        .where(one_of(conditions.c.channel_id, channel_ids), conditions.c.status == "ATTENTION")
        .group_by(conditions.c.channel_id, conditions.c.reason)
        .order_by(func.count().desc(), conditions.c.reason)
    )
    found: dict[int, list[ReasonCount]] = {}
    for row in await conn.execute(statement):
        found.setdefault(row.channel_id, []).append(ReasonCount(row.reason, row[2]))
    return {channel_id: tuple(counts) for channel_id, counts in found.items()}

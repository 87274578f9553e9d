"""Reads of orders as channels were seen to hold them, each with its decision. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.remote_order_types import OrderVerdict, RemoteOrder
from reconcile.store.order_codec import remote_order
from reconcile.store.order_tables import orders, remote_orders
from reconcile.store.orders import kept_channels
from reconcile.store.page import Page, one_of, read_page, read_rows
from reconcile.store.tables import conditions


@dataclass(frozen=True, slots=True)
class RemoteOrderFilter:
    """Which orders that were seen; None does not restrict."""

    channel_id: int | None = None
    verdict: OrderVerdict | None = None
    reason: str | None = None
    """Code of the decision."""
    number: str | None = None
    """Compared exactly; a number is not unique."""
    needs_attention: bool | None = None
    """Whether something of it waits for a person: a decision says so, or the rules stopped it."""


@dataclass(frozen=True, slots=True)
class RemoteOrderRow:
    """One order as last seen, and what became of it."""

    id: int
    channel_id: int
    seen: RemoteOrder = field(repr=False)
    first_seen_at: datetime
    observed_at: datetime
    gone: str | None
    gone_at: datetime | None
    unreadable: str | None
    verdict: OrderVerdict
    reason: str
    message: str
    inputs: Mapping[str, Any]
    since: datetime | None
    erased_at: datetime | None
    order_id: int | None
    """What was imported of it."""
    is_to_decide: bool
    """GET_ORDERS is to decide it again."""
    is_to_fulfill: bool
    """SYNC_ORDERS is to plan it again."""
    revision: int


@dataclass(frozen=True, slots=True)
class OrderCounts:
    """How the orders seen on a channel stand; the first five add up to all of them."""

    pending: int = 0
    imported: int = 0
    held: int = 0
    skipped: int = 0
    unsavable: int = 0
    on_hold: int = 0
    """Imported orders that a person or the rules stopped."""


def _remote_order(row: RowMapping) -> RemoteOrderRow:
    return RemoteOrderRow(
        id=row["id"],
        channel_id=row["channel_id"],
        seen=remote_order(row),
        first_seen_at=row["first_seen_at"],
        observed_at=row["observed_at"],
        gone=row["gone"],
        gone_at=row["gone_at"],
        unreadable=row["unreadable"],
        verdict=OrderVerdict(row["verdict"]),
        reason=row["reason"],
        message=row["message"],
        inputs=row["inputs"],
        since=row["since"],
        erased_at=row["erased_at"],
        order_id=row["order_id"],
        is_to_decide=row["decide"],
        is_to_fulfill=row["fulfill"],
        revision=row["revision"],
    )


def _select() -> Select[Any]:
    return select(remote_orders, orders.c.id.label("order_id")).outerjoin(
        orders, orders.c.remote_order_id == remote_orders.c.id
    )


def _tests(where: RemoteOrderFilter) -> list[ColumnElement[bool]]:
    if where.channel_id is not None:
        found = [remote_orders.c.channel_id == where.channel_id]
    else:
        found = [remote_orders.c.channel_id.in_(kept_channels())]
    if where.verdict is not None:
        found.append(remote_orders.c.verdict == where.verdict)
    if where.reason is not None:
        found.append(remote_orders.c.reason == where.reason)
    if where.number is not None:
        found.append(remote_orders.c.number == where.number)
    if where.needs_attention is not None:
        attention = or_(
            remote_orders.c.id.in_(_with_attention(where)),
            remote_orders.c.id.in_(
                select(orders.c.remote_order_id).where(
                    orders.c.hold_code.is_not(None), orders.c.hold_by.is_(None)
                )
            ),
        )
        found.append(attention if where.needs_attention else ~attention)
    return found


def _with_attention(where: RemoteOrderFilter) -> Select[Any]:
    statement = select(conditions.c.object_id).where(
        conditions.c.object_kind == "order", conditions.c.status == literal_column("'ATTENTION'")
    )
    if where.channel_id is not None:
        statement = statement.where(conditions.c.channel_id == where.channel_id)
    return statement


async def list_remote_orders(
    conn: AsyncConnection, where: RemoteOrderFilter, after: int | None, limit: int
) -> Page[RemoteOrderRow]:
    """Orders that were seen, the one seen last first."""
    statement = _select().where(*_tests(where))
    return await read_page(
        conn, statement, remote_orders.c.id, after, limit, _remote_order, newest_first=True
    )


async def count_remote_orders(conn: AsyncConnection, where: RemoteOrderFilter) -> int:
    """How many orders that were seen the filter lets through."""
    statement = select(func.count()).select_from(remote_orders).where(*_tests(where))
    return int((await conn.execute(statement)).scalar_one())


async def remote_orders_by_ids(
    conn: AsyncConnection, ids: Sequence[int]
) -> dict[int, RemoteOrderRow]:
    """The remote orders of these ids."""
    rows = await read_rows(conn, _select().where(one_of(remote_orders.c.id, ids)), _remote_order)
    return {row.id: row for row in rows}


async def order_counts(conn: AsyncConnection, channel_ids: Sequence[int]) -> dict[int, OrderCounts]:
    """How many orders of many channels stand how; two statements, each channel has an entry."""
    counts: dict[int, dict[str, int]] = {channel_id: {} for channel_id in channel_ids}
    by_verdict = (
        select(remote_orders.c.channel_id, remote_orders.c.verdict, func.count().label("number"))
        .where(one_of(remote_orders.c.channel_id, channel_ids))
        .group_by(remote_orders.c.channel_id, remote_orders.c.verdict)
    )
    for row in (await conn.execute(by_verdict)).mappings():
        counts[row["channel_id"]][OrderVerdict(row["verdict"]).lower()] = row["number"]
    held = (
        select(orders.c.channel_id, func.count().label("number"))
        .where(one_of(orders.c.channel_id, channel_ids), orders.c.hold_code.is_not(None))
        .group_by(orders.c.channel_id)
    )
    for row in (await conn.execute(held)).mappings():
        counts[row["channel_id"]]["on_hold"] = row["number"]
    return {channel_id: OrderCounts(**found) for channel_id, found in counts.items()}

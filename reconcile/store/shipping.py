"""Reads of shipping mappings and of the shipping texts orders were seen with. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.remote_order_types import OrderVerdict
from reconcile.store.order_tables import remote_orders, shipping_mappings, shipping_texts
from reconcile.store.orders import kept_channels
from reconcile.store.page import Page, one_of, read_page, read_rows


@dataclass(frozen=True, slots=True)
class ShippingMappingRow:
    """A channel's shipping text → our shipping policy."""

    id: int
    channel_id: int
    text: str
    policy: str
    updated_by: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TextFilter:
    """Which shipping texts; None does not restrict."""

    channel_id: int | None = None
    is_mapped: bool | None = None


@dataclass(frozen=True, slots=True)
class ShippingTextRow:
    """A shipping text that orders were seen with, mapped or not."""

    id: int
    channel_id: int
    text: str
    title: str
    first_seen_at: datetime
    last_seen_at: datetime
    policy: str | None
    """None: not mapped."""
    held_orders: int
    """Orders with this text that are held."""


def _mapping(row: RowMapping) -> ShippingMappingRow:
    return ShippingMappingRow(**row)


def _text(row: RowMapping) -> ShippingTextRow:
    return ShippingTextRow(**row)


async def list_mappings(
    conn: AsyncConnection, channel_id: int | None, after: int | None, limit: int
) -> Page[ShippingMappingRow]:
    """Shipping mappings in the order they were made."""
    statement = select(shipping_mappings)
    if channel_id is not None:
        statement = statement.where(shipping_mappings.c.channel_id == channel_id)
    else:
        statement = statement.where(shipping_mappings.c.channel_id.in_(kept_channels()))
    return await read_page(conn, statement, shipping_mappings.c.id, after, limit, _mapping)


async def mappings_by_ids(
    conn: AsyncConnection, ids: Sequence[int]
) -> dict[int, ShippingMappingRow]:
    """The shipping mappings of these ids."""
    statement = select(shipping_mappings).where(one_of(shipping_mappings.c.id, ids))
    return {row.id: row for row in await read_rows(conn, statement, _mapping)}


def _select_texts() -> Select[Any]:
    held = (
        select(func.count())
        .select_from(remote_orders)
        .where(
            remote_orders.c.channel_id == shipping_texts.c.channel_id,
            remote_orders.c.verdict == OrderVerdict.HELD,
            remote_orders.c.shipping_keys.op("@>", is_comparison=True)(
                array([shipping_texts.c.text])
            ),
        )
        .scalar_subquery()
    )
    return select(shipping_texts, shipping_mappings.c.policy, held.label("held_orders")).outerjoin(
        shipping_mappings,
        (shipping_mappings.c.channel_id == shipping_texts.c.channel_id)
        & (shipping_mappings.c.text == shipping_texts.c.text),
    )


async def list_texts(
    conn: AsyncConnection, where: TextFilter, after: int | None, limit: int
) -> Page[ShippingTextRow]:
    """Shipping texts in the order they were first seen."""
    statement = _select_texts()
    if where.channel_id is not None:
        statement = statement.where(shipping_texts.c.channel_id == where.channel_id)
    else:
        statement = statement.where(shipping_texts.c.channel_id.in_(kept_channels()))
    if where.is_mapped is not None:
        mapped = shipping_mappings.c.policy.is_not(None)
        statement = statement.where(mapped if where.is_mapped else ~mapped)
    return await read_page(conn, statement, shipping_texts.c.id, after, limit, _text)


async def texts_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, ShippingTextRow]:
    """The shipping texts of these ids."""
    statement = _select_texts().where(one_of(shipping_texts.c.id, ids))
    return {row.id: row for row in await read_rows(conn, statement, _text)}

"""Items: the stated quantity of each SKU, shared by the listings of all channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store.page import Page, escape_like, one_of, read_page, read_rows
from reconcile.store.tables import items


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items; a SKU is compared exactly."""

    sku: str | None = None
    sku_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One SKU with what was stated last, as of when, by whom."""

    id: int
    sku: str
    stated: int | None
    """None: nobody has stated a quantity, which is not zero."""
    as_of: datetime | None
    basis: str
    source: str | None
    stated_by: str | None
    revision: int
    updated_at: datetime


def _item(row: RowMapping) -> ItemRow:
    return ItemRow(**row)


async def list_items(
    conn: AsyncConnection, where: ItemFilter, after: int | None, limit: int
) -> Page[ItemRow]:
    """Items in the order they became known."""
    statement = select(items)
    if where.sku is not None:
        statement = statement.where(items.c.sku == where.sku)
    if where.sku_prefix is not None:
        statement = statement.where(items.c.sku.like(escape_like(where.sku_prefix) + "%"))
    return await read_page(conn, statement, items.c.id, after, limit, _item)


async def items_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, ItemRow]:
    """The items of these ids."""
    rows = await read_rows(conn, select(items).where(one_of(items.c.id, ids)), _item)
    return {row.id: row for row in rows}


async def items_by_sku(conn: AsyncConnection, skus: Sequence[str]) -> dict[str, ItemRow]:
    """The items of these SKUs, compared exactly."""
    rows = await read_rows(conn, select(items).where(one_of(items.c.sku, skus)), _item)
    return {row.sku: row for row in rows}

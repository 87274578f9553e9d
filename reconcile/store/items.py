"""Items: the stated quantity of each SKU, shared by the listings of all channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import RowMapping, select, text
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


@dataclass(frozen=True, slots=True)
class StatedItem:
    """What is stated about one SKU, as of a moment."""

    sku: str
    quantity: int | None
    as_of: datetime
    basis: str
    source: str


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """What became of a statement."""

    sku: str
    item_id: int
    is_older: bool
    """A newer statement stands."""
    is_changed: bool
    """The quantity, or what it counts, is another than before."""
    is_due: bool
    """What channels are told has to be worked out anew: it is changed, or it is the same as of a
    later moment, and orders count otherwise since then."""


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


_STATE = text("""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
    AS g(sku text, quantity integer, as_of timestamptz, basis text, source text)),
known AS (
    SELECT i.* FROM items i JOIN given g ON g.sku = i.sku ORDER BY i.id FOR UPDATE OF i),
written AS (
    INSERT INTO items AS i (sku, stated, as_of, basis, source, stated_by, updated_at)
    SELECT g.sku, g.quantity, g.as_of, g.basis, g.source, :by, :now
    FROM given g LEFT JOIN known k ON k.sku = g.sku
    ORDER BY g.sku
    ON CONFLICT (sku) DO UPDATE SET
        stated = excluded.stated, as_of = excluded.as_of, basis = excluded.basis,
        source = excluded.source, stated_by = excluded.stated_by, updated_at = excluded.updated_at,
        revision = i.revision + CASE WHEN i.stated IS DISTINCT FROM excluded.stated THEN 1 ELSE 0
                                END
    WHERE i.as_of IS NULL OR i.as_of <= excluded.as_of
    RETURNING i.id, i.sku)
SELECT g.sku, coalesce(w.id, k.id) AS id, w.id IS NULL AS is_older,
       k.id IS NULL OR k.stated IS DISTINCT FROM g.quantity OR k.basis <> g.basis AS is_changed,
       coalesce(k.as_of, k.updated_at) AS was_as_of
FROM given g LEFT JOIN written w ON w.sku = g.sku LEFT JOIN known k ON k.sku = g.sku
""")


async def state_quantities(
    conn: AsyncConnection, stated: Sequence[StatedItem], *, by: str, now: datetime
) -> tuple[WrittenItem, ...]:
    """State many quantities in one statement; an older statement never undoes a newer one."""
    rows = [
        {
            "sku": item.sku,
            "quantity": item.quantity,
            "as_of": item.as_of,
            "basis": item.basis,
            "source": item.source,
        }
        for item in stated
    ]
    given = {"rows": orjson.dumps(rows).decode(), "by": by, "now": now}
    found = (await conn.execute(_STATE, given)).all()
    # Stated for the first time by somebody else just now: not in sight when the statement began.
    hidden = [row.sku for row in found if row.id is None]
    raced = await items_by_sku(conn, hidden) if hidden else {}
    same = {row.sku: row.was_as_of for row in found if not row.is_older and not row.is_changed}
    moved = await _moved_by_orders(conn, same) if same else frozenset()
    return tuple(
        WrittenItem(
            row.sku,
            row.id or raced[row.sku].id,
            row.is_older,
            row.is_changed,
            not row.is_older and (row.is_changed or row.sku in moved),
        )
        for row in found
    )


async def _moved_by_orders(conn: AsyncConnection, since: Mapping[str, datetime]) -> frozenset[str]:
    """SKUs stated again at the same quantity of which units left, or were ordered, in between.

    A statement of its own: what the items were locked for is in sight only now.
    """
    rows = [{"sku": sku, "since": at} for sku, at in since.items()]
    result = await conn.execute(
        text("""
SELECT i.sku FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS g(sku text, since timestamptz)
JOIN items i ON i.sku = g.sku
WHERE CASE WHEN i.basis = 'NET_OF_ORDERS' THEN EXISTS (
    SELECT 1 FROM deductions d
    WHERE d.sku = g.sku AND d.ordered_at > g.since AND d.ordered_at <= i.as_of)
ELSE EXISTS (
    SELECT 1 FROM deductions d
    WHERE d.sku = g.sku AND d.left_at > g.since AND d.left_at <= i.as_of) END
"""),
        {"rows": orjson.dumps(rows).decode()},
    )
    return frozenset(row.sku for row in result)

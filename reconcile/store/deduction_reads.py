"""What orders take off stated quantities, as reads: sums for the arithmetic, rows to show.

A unit is deducted while it is not counted as left in what was stated. The specification of the sum
is `reconcile.core.deducting`; a property test compares the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, RowMapping, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.deducting import DeductedUnits
from reconcile.core.stock import OrderedUnits
from reconcile.store.page import Page, grouped

# What a listing variant states itself counts what lies on the shelf for its own channel.
_OWN = "v.fields ->> 'quantity' IS NOT NULL"
_OWN_AS_OF = "coalesce(CAST(v.sources #>> '{quantity,at}' AS timestamptz), v.created_at)"

OF_VARIANTS = f"""
SELECT v.id, v.sku, NOT ({_OWN}) AND i.basis = 'NET_OF_ORDERS' AS is_net,
       CASE WHEN {_OWN} THEN {_OWN_AS_OF} ELSE coalesce(i.as_of, i.updated_at) END AS as_of,
       CASE WHEN {_OWN} THEN v.channel_id END AS only_channel
FROM listing_variants v LEFT JOIN items i ON i.sku = v.sku
WHERE v.id = ANY(:ids)
"""  # noqa: S608 - only constants of this module are put in
"""The statement that counts for each of these variants, and whose orders it is lowered by."""

_OF_ITEMS = """
SELECT i.id, i.sku, i.basis = 'NET_OF_ORDERS' AS is_net, coalesce(i.as_of, i.updated_at) AS as_of,
       CAST(NULL AS bigint) AS only_channel
FROM items i WHERE {which}
"""

# Three ranges of two indexes, so that what left long ago costs nothing.
_COUNTED = """
SELECT {columns} FROM deductions WHERE sku = s.sku AND NOT s.is_net AND left_at IS NULL
UNION ALL
SELECT {columns} FROM deductions WHERE sku = s.sku AND NOT s.is_net AND left_at > s.as_of
UNION ALL
SELECT {columns} FROM deductions WHERE sku = s.sku AND s.is_net AND ordered_at > s.as_of
"""


def _sums(statements: str) -> str:
    counted = _COUNTED.format(columns="units, channel_id")
    return f"""
SELECT s.id, s.sku, x.units FROM ({statements}) AS s
CROSS JOIN LATERAL (
    SELECT CAST(coalesce(sum(d.units), 0) AS bigint) AS units FROM ({counted}) AS d
    WHERE s.only_channel IS NULL OR d.channel_id = s.only_channel) AS x
"""  # noqa: S608 - only constants of this module are put in


_VARIANT_SUMS = text(_sums(OF_VARIANTS))
_ITEM_SUMS = text(_sums(_OF_ITEMS.format(which="i.id = ANY(:ids)")))
_SKU_SUMS = text(_sums(_OF_ITEMS.format(which="i.sku = ANY(:skus)")))


async def deducted_of_variants(conn: AsyncConnection, ids: Sequence[int]) -> Mapping[int, int]:
    """Units to take off what is stated for each of these listing variants; one statement."""
    result = await conn.execute(_VARIANT_SUMS, {"ids": list(ids)})
    return {row.id: row.units for row in result}


async def deducted_of_items(conn: AsyncConnection, item_ids: Sequence[int]) -> dict[int, int]:
    """Units taken off what is stated for each of these items now."""
    result = await conn.execute(_ITEM_SUMS, {"ids": list(item_ids)})
    return {row.id: row.units for row in result}


async def deducted_now(conn: AsyncConnection, skus: Sequence[str]) -> dict[str, int]:
    """Units taken off what is stated for these SKUs now; without any, a SKU is left out."""
    result = await conn.execute(_SKU_SUMS, {"skus": list(skus)})
    return {row.sku: row.units for row in result if row.units}


@dataclass(frozen=True, slots=True)
class DeductionRow:
    """Units of one line of an order that was seen."""

    id: int
    sku: str
    units: int
    ordered_at: datetime
    left_at: datetime | None
    """None: they are still on the shelf."""
    counts: bool
    """Whether they are taken off what is stated for the SKU now."""
    channel_id: int
    channel_name: str
    remote_order_id: int
    number: str
    line_id: str


_ROW = """
d.id, d.sku, d.units, d.ordered_at, d.left_at, d.channel_id, c.name AS channel_name,
d.remote_order_id, o.number, d.line_id
"""
_ITEM_COUNTS = """
i.id IS NOT NULL AND CASE
    WHEN i.basis = 'NET_OF_ORDERS' THEN d.ordered_at > coalesce(i.as_of, i.updated_at)
    ELSE d.left_at IS NULL OR d.left_at > coalesce(i.as_of, i.updated_at) END
"""
_JOINED = """
JOIN remote_orders o ON o.id = d.remote_order_id JOIN channels c ON c.id = d.channel_id
"""


def _row(row: RowMapping) -> DeductionRow:
    return DeductionRow(**{name: row[name] for name in DeductionRow.__dataclass_fields__})


# OFFSET 0: those of one SKU are few; without it the order of ids is followed through all.
_PAGES = text(f"""
SELECT p.key, {_ROW}, {_ITEM_COUNTS} AS counts FROM ({{keys}}) AS p
LEFT JOIN items i ON i.sku = p.sku
CROSS JOIN LATERAL (
    SELECT * FROM (SELECT * FROM deductions WHERE sku = p.sku OFFSET 0) AS of_sku
    WHERE CAST(:after AS bigint) IS NULL OR of_sku.id < :after
    ORDER BY of_sku.id DESC LIMIT :more) AS d
{_JOINED}
ORDER BY p.key, d.id DESC
""").text  # noqa: S608 - only constants of this module are put in
_PAGES_OF_ITEMS = text(
    _PAGES.format(keys="SELECT id AS key, sku FROM items WHERE id = ANY(:ids)")
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))
_PAGE_OF_SKU = text(_PAGES.format(keys="SELECT 0 AS key, :sku AS sku")).bindparams(
    bindparam("sku", type_=Text)
)


async def deduction_pages(
    conn: AsyncConnection, item_ids: Sequence[int], after: int | None, limit: int
) -> dict[int, Page[DeductionRow]]:
    """One page of the deductions of each of many items, the newest first; one statement."""
    given = {"ids": list(item_ids), "after": after, "more": limit + 1}
    rows = (await conn.execute(_PAGES_OF_ITEMS, given)).mappings().all()
    found = grouped(rows, lambda row: int(row["key"]))
    return {key: _page(items, limit) for key, items in found.items()}


async def deductions_of_item(
    conn: AsyncConnection, sku: str, after: int | None, limit: int
) -> Page[DeductionRow]:
    """Deductions of one SKU, stated or not, the newest first."""
    given = {"sku": sku, "after": after, "more": limit + 1}
    return _page((await conn.execute(_PAGE_OF_SKU, given)).mappings().all(), limit)


def _page(rows: Sequence[RowMapping], limit: int) -> Page[DeductionRow]:
    return Page(tuple(_row(row) for row in rows[:limit]), len(rows) > limit)


_COUNTED_ORDERS = text(f"""
SELECT s.id, x.* FROM ({OF_VARIANTS}) AS s
CROSS JOIN LATERAL (
    SELECT o.number, c.name AS channel, d.line_id, d.sku, d.units, d.ordered_at, d.left_at
    FROM ({_COUNTED.format(columns="*")}) AS d
    {_JOINED}
    WHERE s.only_channel IS NULL OR d.channel_id = s.only_channel
    ORDER BY d.ordered_at DESC, d.id DESC LIMIT :limit) AS x
""")  # noqa: S608 - only constants of this module are put in


async def counted_orders(
    conn: AsyncConnection, variant_ids: Sequence[int], limit: int
) -> Mapping[int, tuple[OrderedUnits, ...]]:
    """Variant → the latest units that are deducted for it, with the orders they are of."""
    given = {"ids": list(variant_ids), "limit": limit}
    rows = (await conn.execute(_COUNTED_ORDERS, given)).mappings().all()
    return {
        variant_id: tuple(
            OrderedUnits(
                row["number"],
                row["channel"],
                DeductedUnits(
                    row["line_id"], row["sku"], row["units"], row["ordered_at"], row["left_at"]
                ),
            )
            for row in items
        )
        for variant_id, items in grouped(rows, lambda row: int(row["id"])).items()
    }

"""Why a channel is told this quantity: what is stated, what orders take off, down to the orders.

Reads what is stored and writes nothing; constant numbers of statements for any number of variants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.deducting import Basis
from reconcile.core.stock import OrderedUnits, explain_deductions
from reconcile.core.wording import in_units
from reconcile.deps import Deps
from reconcile.store.channels import channels_by_ids
from reconcile.store.deduction_reads import (
    counted_orders,
    deducted_now,
    deducted_of_variants,
)
from reconcile.wanted import stock_of

MOST_ORDERS = 20
"""Orders named in one explanation; the others are counted."""


@dataclass(frozen=True, slots=True)
class QuantityExplanation:
    """The quantity a channel is told for a variant, with everything it is made of."""

    stated: int | None
    """None: nobody has stated one, so none is sent."""
    source: str | None
    """What or who stated it."""
    as_of: datetime | None
    basis: Basis
    is_own: bool
    """The listing variant states its own quantity instead of sharing the SKU's."""
    deducted: int
    buffer: int
    cap: int | None
    wanted: int | None
    steps: tuple[str, ...]
    """The arithmetic and the orders in it, as sentences."""


@dataclass(frozen=True, slots=True)
class ItemOnChannel:
    """What one channel is told about a SKU."""

    channel_id: int
    variant_id: int
    quantity: QuantityExplanation


@dataclass(frozen=True, slots=True)
class ItemExplanation:
    """What every channel is told about a SKU, and why."""

    sku: str
    item_id: int | None
    """None: no quantity was ever stated for it."""
    deducted: int
    channels: tuple[ItemOnChannel, ...]


async def quantity_explanations(
    conn: AsyncConnection, deps: Deps, variant_ids: Sequence[int]
) -> dict[int, QuantityExplanation]:
    """Explain the quantities of many listing variants."""
    rows = await _variants(conn, variant_ids)
    channels = await channels_by_ids(conn, deps, sorted({row["channel_id"] for row in rows}))
    deducted = await deducted_of_variants(conn, variant_ids)
    orders = await counted_orders(conn, variant_ids, MOST_ORDERS)
    found: dict[int, QuantityExplanation] = {}
    for row in rows:
        channel = channels.get(row["channel_id"])
        if channel is None:
            continue
        units = deducted.get(row["id"], 0)
        stock = stock_of(channel, row, row["stated"], units)
        own = row["fields"].get("quantity")
        base = row["stated"] if own is None else own
        basis = Basis.ON_HAND if own is not None else Basis(row["basis"] or Basis.ON_HAND)
        as_of = row["as_of"] if own is None else row["own_as_of"]
        told: tuple[str, ...] = ()
        if base is not None and as_of is not None:
            told = _told(orders.get(row["id"], ()), units, basis, as_of)
        found[row["id"]] = QuantityExplanation(
            stated=base,
            source=_source(row, is_own=own is not None),
            as_of=as_of,
            basis=basis,
            is_own=own is not None,
            deducted=units,
            buffer=channel.buffer,
            cap=channel.cap,
            wanted=stock.quantity,
            steps=(*stock.steps, *told),
        )
    return found


async def _variants(conn: AsyncConnection, variant_ids: Sequence[int]) -> Sequence[RowMapping]:
    result = await conn.execute(
        text("""
SELECT v.id, v.channel_id, v.sku, v.fields, v.sources -> 'quantity' AS own_source,
       coalesce(CAST(v.sources #>> '{quantity,at}' AS timestamptz), v.created_at) AS own_as_of,
       i.stated, coalesce(i.as_of, i.updated_at) AS as_of, i.basis, i.source, i.stated_by
FROM listing_variants v LEFT JOIN items i ON i.sku = v.sku
WHERE v.id = ANY(:ids) ORDER BY v.id
"""),
        {"ids": list(variant_ids)},
    )
    return result.mappings().all()


def _source(row: RowMapping, *, is_own: bool) -> str | None:
    if is_own:
        own = row["own_source"] or {}
        return _named(own.get("source"), own.get("by"))
    return _named(row["source"], row["stated_by"])


def _named(source: str | None, by: str | None) -> str | None:
    if source is None or by is None:
        return source or by
    return f"{source} ({by})"


def _told(
    orders: Sequence[OrderedUnits], deducted: int, basis: Basis, as_of: datetime
) -> tuple[str, ...]:
    """What the statement counts, then the orders in the sum, the latest first."""
    told = explain_deductions(orders, basis, as_of, MOST_ORDERS)
    others = deducted - sum(order.portion.units for order in orders)
    if others <= 0:
        return told
    return (*told, f"And {in_units(others)} of earlier orders")


async def item_explanation(conn: AsyncConnection, deps: Deps, sku: str) -> ItemExplanation | None:
    """Explain a SKU on every channel; None where nobody has stated, listed or ordered it."""
    result = await conn.execute(
        text("""
SELECT i.id AS item_id, v.id AS variant_id, v.channel_id
FROM (SELECT CAST(:sku AS text) AS sku) AS g
LEFT JOIN items i ON i.sku = g.sku
LEFT JOIN (listing_variants v JOIN channels c ON c.id = v.channel_id AND c.removed_at IS NULL)
  ON v.sku = g.sku
WHERE i.id IS NOT NULL OR v.id IS NOT NULL
   OR EXISTS (SELECT 1 FROM deductions d WHERE d.sku = g.sku)
ORDER BY v.channel_id, v.id
"""),
        {"sku": sku},
    )
    rows = result.all()
    if not rows:
        return None
    variants = {row.variant_id: row.channel_id for row in rows if row.variant_id is not None}
    quantities: Mapping[int, QuantityExplanation] = await quantity_explanations(
        conn, deps, list(variants)
    )
    return ItemExplanation(
        sku=sku,
        item_id=rows[0].item_id,
        deducted=(await deducted_now(conn, [sku])).get(sku, 0),
        channels=tuple(
            ItemOnChannel(channel_id, variant_id, quantities[variant_id])
            for variant_id, channel_id in variants.items()
            if variant_id in quantities
        ),
    )

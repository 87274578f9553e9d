"""Deductions: units of every order seen, kept as rows so that a quantity is one sum in SQL.

What is deducted of an order is decided in `reconcile.core.deducting`; here its rows are kept equal
to that, and the other channels are set going when it changes what they are told. Reads are in
`reconcile.store.deduction_reads`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.deducting import Basis, DeductedUnits, deducted, deductions_of
from reconcile.store.seen_orders import load_seen
from reconcile.store.staleness import mark_skus_stale

_SOLD = "Sold"

Owned = tuple[int, DeductedUnits]
"""Remote order id, and units of it."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What changed for others when deductions were written anew."""

    skus: tuple[str, ...] = ()
    """Whose effective deduction is another one now."""
    channel_ids: tuple[int, ...] = ()
    """Where a partial sync was queued; ring for them after the commit."""


async def rewrite(
    conn: AsyncConnection, channel_id: int, remote_order_ids: Sequence[int]
) -> Rewritten:
    """Keep what these orders deduct equal to what they say now; a constant number of statements.

    Once in a transaction, as the last thing in it that locks: items, then listing variants.
    """
    ids = sorted(set(remote_order_ids))
    if not ids:
        return Rewritten()
    seen = await load_seen(conn, channel_id, ids, lock=True)
    wanted = Counter(
        (int(order.id), _in_order(units)) for order in seen for units in deductions_of(order)
    )
    if await _is_removed(conn, channel_id):
        wanted = Counter({key: n for key, n in wanted.items() if key[1].left_at is not None})
    held = await _held(conn, "remote_order_id = ANY(:ids)", {"ids": ids})
    added = wanted - Counter(held.values())
    removed: dict[int, Owned] = {}
    surplus = Counter(held.values()) - wanted
    for row_id, owned in held.items():
        if surplus[owned]:
            surplus[owned] -= 1
            removed[row_id] = owned
    return await _replace(conn, channel_id, removed, list(added.elements()))


def _in_order(units: DeductedUnits) -> DeductedUnits:
    """Nothing leaves before it was ordered, whatever a store's clock or a person says.

    Otherwise units ordered after a statement would seem to have left before it, and shipping them
    would raise what is told.
    """
    if units.left_at is None or units.left_at >= units.ordered_at:
        return units
    return replace(units, left_at=units.ordered_at)


async def release_channel(conn: AsyncConnection, channel_id: int) -> Rewritten:
    """A channel is removed: nobody will hear what becomes of units that have not left.

    What had left stays counted, for the goods are gone; connected again, the channel shows its open
    orders anew, and they are not deducted twice.
    """
    held = await _held(conn, "channel_id = :id AND left_at IS NULL", {"id": channel_id})
    return await _replace(conn, channel_id, held, [])


async def _is_removed(conn: AsyncConnection, channel_id: int) -> bool:
    result = await conn.execute(
        text("SELECT removed_at IS NOT NULL FROM channels WHERE id = :id"), {"id": channel_id}
    )
    return bool(result.scalar_one())


async def _held(conn: AsyncConnection, which: str, given: Mapping[str, Any]) -> dict[int, Owned]:
    result = await conn.execute(
        text(f"""
SELECT id, remote_order_id, line_id, sku, units, ordered_at, left_at FROM deductions
WHERE {which} ORDER BY id
"""),  # noqa: S608 - constants of this module are put in
        dict(given),
    )
    return {
        row.id: (
            row.remote_order_id,
            DeductedUnits(row.line_id, row.sku, row.units, row.ordered_at, row.left_at),
        )
        for row in result
    }


async def _replace(
    conn: AsyncConnection, channel_id: int, removed: Mapping[int, Owned], added: Sequence[Owned]
) -> Rewritten:
    if not removed and not added:
        return Rewritten()
    before, after = _by_sku(removed.values()), _by_sku(added)
    statements = await _lock_statements(conn, channel_id, sorted(before.keys() | after.keys()))
    await _write(conn, channel_id, removed, added)
    skus = tuple(
        sku
        for sku, counting in sorted(statements.items())
        if any(
            deducted(before[sku], basis, as_of) != deducted(after[sku], basis, as_of)
            for basis, as_of in counting
        )
    )
    if not skus:
        return Rewritten()
    channels = await mark_skus_stale(conn, skus, _SOLD)
    return Rewritten(skus, await _queue_syncs(conn, channels))


def _by_sku(owned: Iterable[Owned]) -> Mapping[str, list[DeductedUnits]]:
    found: dict[str, list[DeductedUnits]] = defaultdict(list)
    for _, units in owned:
        found[units.sku].append(units)
    return found


async def _lock_statements(
    conn: AsyncConnection, channel_id: int, skus: Sequence[str]
) -> Mapping[str, list[tuple[Basis, datetime]]]:
    """What is stated about these SKUs, of which nothing moves before the transaction ends.

    Items before variants, each in the order of ids, as everybody locks them. Read only then: what
    was waited for has changed.
    """
    given = {"skus": list(skus), "channel_id": channel_id}
    for statement in (
        "SELECT id FROM items WHERE sku = ANY(:skus) ORDER BY id FOR UPDATE",
        "SELECT id FROM listing_variants WHERE sku = ANY(:skus) ORDER BY id FOR UPDATE",
    ):
        await conn.execute(text(statement), {"skus": given["skus"]})
    result = await conn.execute(
        text("""
SELECT sku, basis, coalesce(as_of, updated_at) AS as_of FROM items
WHERE sku = ANY(:skus) AND stated IS NOT NULL
UNION
SELECT sku, 'ON_HAND', coalesce(CAST(sources #>> '{quantity,at}' AS timestamptz), created_at)
FROM listing_variants
WHERE channel_id = :channel_id AND sku = ANY(:skus) AND fields ->> 'quantity' IS NOT NULL
"""),
        given,
    )
    found: dict[str, list[tuple[Basis, datetime]]] = defaultdict(list)
    for row in result:
        found[row.sku].append((Basis(row.basis), row.as_of))
    return found


async def _write(
    conn: AsyncConnection, channel_id: int, removed: Mapping[int, Owned], added: Sequence[Owned]
) -> None:
    if removed:
        await conn.execute(
            text("DELETE FROM deductions WHERE id = ANY(:ids)"), {"ids": sorted(removed)}
        )
    if not added:
        return
    rows = [
        {
            "remote_order_id": remote_order_id,
            "line_id": units.line_id,
            "sku": units.sku,
            "units": units.units,
            "ordered_at": units.ordered_at,
            "left_at": units.left_at,
        }
        for remote_order_id, units in added
    ]
    await conn.execute(
        text("""
INSERT INTO deductions (channel_id, remote_order_id, line_id, sku, units, ordered_at, left_at)
SELECT :channel_id, r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_order_id bigint,
    line_id text, sku text, units integer, ordered_at timestamptz, left_at timestamptz)
"""),
        {"channel_id": channel_id, "rows": orjson.dumps(rows).decode()},
    )


async def _queue_syncs(conn: AsyncConnection, channel_ids: Sequence[int]) -> tuple[int, ...]:
    """Queue a partial sync where syncs run by themselves; the channels to ring for.

    Of a run that has not started yet no second is needed. Two transactions may queue one each, and
    the second finds nothing to do; were one to wait for the other, they might wait in a circle.
    """
    result = await conn.execute(
        text("""
WITH due AS (
    SELECT o.channel_id, EXISTS (
        SELECT 1 FROM runs r WHERE r.channel_id = o.channel_id AND r.operation = o.operation
          AND r.state = 'QUEUED' AND r.started_at IS NULL AND r.scope IS NULL
          AND NOT r.is_full AND NOT r.plan_only AND NOT r.cancel_requested) AS is_queued
    FROM operations o JOIN channels c ON c.id = o.channel_id
    WHERE o.channel_id = ANY(:ids) AND o.operation = 'SYNC_LISTINGS' AND o.enabled
      AND NOT o.paused AND NOT c.paused AND c.removed_at IS NULL
      AND (o.interval_seconds IS NOT NULL OR o.cron IS NOT NULL)),
queued AS (
    INSERT INTO runs (channel_id, operation, side, trigger, requested_by)
    SELECT channel_id, 'SYNC_LISTINGS', 'LISTINGS', 'CHANGE', 'orders' FROM due
    WHERE NOT is_queued ORDER BY channel_id)
SELECT channel_id FROM due ORDER BY channel_id
"""),
        {"ids": list(channel_ids)},
    )
    return tuple(row.channel_id for row in result)


async def resolve_again(
    conn: AsyncConnection, channel_id: int, after: int = 0, limit: int | None = None
) -> tuple[int, ...]:
    """Open remote orders behind `after` of which a line is deducted by another SKU than it has now.

    A link appeared, went, or its listing has another SKU now. As in `seen_orders.line_skus`: the
    linked variant's SKU goes before the line's own, that before the one the product was last seen
    with, and that before the one it was imported with.
    """
    result = await conn.execute(
        text("""
SELECT DISTINCT o.id FROM remote_orders o
LEFT JOIN orders i ON i.remote_order_id = o.id
CROSS JOIN LATERAL jsonb_to_recordset(o.lines) AS l(id text, sku text, quantity integer,
    canceled integer, parent text, variant text)
LEFT JOIN LATERAL (
    SELECT v.sku FROM remote_variants r JOIN listing_variants v ON v.remote_variant_id = r.id
    WHERE r.channel_id = o.channel_id AND r.parent = l.parent
      AND r.variant = coalesce(l.variant, '') AND v.link_state IN ('LINKED', 'BROKEN')
    ORDER BY v.link_state = 'LINKED' DESC, v.id LIMIT 1) AS v ON true
LEFT JOIN LATERAL (
    SELECT v.sku FROM remote_variants r
    JOIN listing_variants v ON v.channel_id = r.channel_id AND v.sku = r.sku
    WHERE r.channel_id = o.channel_id AND r.parent = l.parent
      AND r.variant = coalesce(l.variant, '') ORDER BY v.id LIMIT 1) AS t ON true
LEFT JOIN order_lines p ON p.order_id = i.id AND p.remote_line_id = l.id
CROSS JOIN LATERAL (SELECT coalesce(
    v.sku, CASE WHEN btrim(l.sku) <> '' THEN l.sku END, t.sku, p.sku) AS sku) AS named
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT d.sku) AS skus FROM deductions d
    WHERE d.remote_order_id = o.id AND d.line_id = l.id) AS held ON true
WHERE o.channel_id = :channel_id AND o.id > :after AND o.stage = 'OPEN' AND o.gone IS NULL
  AND coalesce(i.status, '') NOT IN ('CANCELED', 'CLOSED') AND l.quantity > l.canceled
  AND held.skus IS DISTINCT FROM CASE WHEN named.sku IS NOT NULL THEN ARRAY[named.sku] END
ORDER BY o.id LIMIT CAST(:limit AS bigint)
"""),
        {"channel_id": channel_id, "after": after, "limit": limit},
    )
    return tuple(row.id for row in result)

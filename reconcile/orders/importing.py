"""Importing orders: planned rows become orders of ours, follow the channel, or are put on hold.

Everything here runs inside the caller's fenced transaction, which holds the remote orders locked;
each row is decided once more from what is locked, and one that is no longer so becomes STALE.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import Action, ActionKind
from reconcile.core.order_codes import OrderCode
from reconcile.core.order_types import OrderContext, SeenOrder
from reconcile.core.orders import follows, plan_order
from reconcile.core.remote_order_types import OrderVerdict
from reconcile.core.shipped import channel_shipments, last_shipped_at, status_of
from reconcile.store import deductions, order_copy, order_marks, order_mirror
from reconcile.store.actions import finish
from reconcile.store.channels import Channel
from reconcile.store.seen_orders import load_seen

COPIES = frozenset({OrderCode.NEW_ORDER, OrderCode.FOLLOWS_CHANNEL})
"""Reasons of IMPORT_ORDER for which our copy is made equal to what was seen."""


async def apply_imports(
    conn: AsyncConnection,
    channel: Channel,
    context: OrderContext,
    rows: Sequence[RowMapping],
    now: datetime,
) -> Sequence[int]:
    """Carry out planned IMPORT_ORDER rows; the channels whose stock changed, to be rung."""
    ids = sorted({row["order_id"] for row in rows})
    seen = {int(order.id): order for order in await load_seen(conn, channel.id, ids, lock=True)}
    planned = {order_id: _import_of(order, context) for order_id, order in seen.items()}
    moved, chosen = [], []
    for row in rows:
        action = planned.get(row["order_id"])
        if action is None or action.key != row["key"]:
            moved.append(row["id"])
        else:
            chosen.append((seen[row["order_id"]], action))
    await finish(conn, moved, "STALE", "WorldMoved", "The order has changed since this was planned")
    await order_marks.flag(
        conn, channel.id, [row["order_id"] for row in rows if row["id"] in moved]
    )
    copied = [order for order, action in chosen if action.reason.code in COPIES]
    await order_copy.write(conn, channel, context.import_template, copied)
    await _hold(conn, chosen, now)
    done = [int(order.id) for order, _ in chosen]
    await _take_channel_shipments(conn, channel.id, [order for order, _ in chosen])
    await settle_statuses(conn, channel.id, done, now)
    await _record(conn, channel, context, done)
    applied = [row["id"] for row in rows if row["id"] not in moved]
    await finish(conn, applied, "APPLIED", "", "")
    # What waited for the hold to end, or is to be closed now, may have been planned before this.
    await order_marks.plan_again(conn, channel.id, done)
    # What follows from it: a mark on the channel, and what a person is told of a new hold.
    again = [
        int(order.id)
        for order, action in chosen
        if context.acknowledges or action.reason.code == OrderCode.HOLDS_BACK
    ]
    await order_marks.flag(conn, channel.id, again)
    return (await deductions.rewrite(conn, channel.id, ids)).channel_ids


def _import_of(order: SeenOrder, context: OrderContext) -> Action | None:
    plan = plan_order(order, context).plan
    return next((action for action in plan.actions if action.kind is ActionKind.IMPORT_ORDER), None)


# --- holding --------------------------------------------------------------------------------


async def _hold(
    conn: AsyncConnection, chosen: Sequence[tuple[SeenOrder, Action]], now: datetime
) -> None:
    """Put on hold, or end the hold, as the rules decided; a person's hold is never touched."""
    given = [
        {"id": int(order.id), "hold": change.after}
        for order, action in chosen
        for change in action.changes
        if change.field == "hold"
    ]
    if not given:
        return
    await conn.execute(
        text("""
UPDATE orders o SET hold_code = r.hold ->> 'code', hold_message = r.hold ->> 'message',
    held_at = CASE WHEN r.hold ->> 'code' IS NULL THEN NULL
                   WHEN o.hold_code = r.hold ->> 'code' THEN o.held_at ELSE :now END,
    revision = o.revision + 1
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, hold jsonb)
WHERE o.remote_order_id = r.id AND o.hold_by IS NULL
"""),
        {"now": now, "rows": orjson.dumps(given).decode()},
    )


# --- what left ------------------------------------------------------------------------------


async def _take_channel_shipments(
    conn: AsyncConnection, channel_id: int, orders: Sequence[SeenOrder]
) -> None:
    """What was shipped on the channel itself counts here as well (ruling R29).

    `orders` as they were decided; our copies stand already.
    """
    given = [
        {
            "remote_order_id": int(order.id),
            "remote_id": item.id,
            "tracking_number": item.tracking_number,
            "carrier": item.carrier,
            "tracking_url": item.tracking_url,
            "shipped_at": item.shipped_at,
            "lines": dict(item.lines or {}),
        }
        for order in orders
        for item in channel_shipments(order)
    ]
    if not given:
        return
    await conn.execute(
        text("""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_order_id bigint,
        remote_id text, tracking_number text, carrier text, tracking_url text,
        shipped_at timestamptz, lines jsonb)),
taken AS (
    SELECT g.*, o.id AS order_id FROM given g JOIN orders o ON o.remote_order_id = g.remote_order_id
    WHERE NOT EXISTS (
        SELECT 1 FROM shipments s WHERE s.order_id = o.id AND g.remote_id = ANY(s.remote_ids))),
made AS (
    INSERT INTO shipments (channel_id, order_id, origin, state, tracking_number, carrier,
        tracking_url, shipped_at, remote_ids, pushed_at)
    SELECT :channel_id, g.order_id, 'CHANNEL', 'PUSHED', g.tracking_number, g.carrier,
        g.tracking_url, g.shipped_at, ARRAY[g.remote_id], now()
    FROM taken g ORDER BY g.order_id, g.remote_id
    RETURNING id, order_id, remote_ids)
INSERT INTO shipment_lines (shipment_id, order_line_id, quantity)
SELECT m.id, l.id, CAST(u.value AS integer)
FROM made m JOIN taken g ON g.order_id = m.order_id AND g.remote_id = m.remote_ids[1]
CROSS JOIN LATERAL jsonb_each_text(g.lines) u
JOIN order_lines l ON l.order_id = m.order_id AND l.remote_line_id = u.key
WHERE CAST(u.value AS integer) > 0
"""),
        {"channel_id": channel_id, "rows": orjson.dumps(given).decode()},
    )


async def settle_statuses(
    conn: AsyncConnection, channel_id: int, ids: Sequence[int], now: datetime
) -> None:
    """Bring the status of imported orders up to what was shipped and seen."""
    given: list[Mapping[str, Any]] = []
    for order in await load_seen(conn, channel_id, ids):
        imported = order.imported
        if imported is None:
            continue
        given.append(
            {
                "id": int(imported.id),
                "status": status_of(imported, order.remote, order.gone),
                "last_shipped_at": last_shipped_at(imported),
                "ended_at": order.remote.ended_at,
            }
        )
    if not given:
        return
    await conn.execute(
        text("""
UPDATE orders o SET status = r.status, last_shipped_at = r.last_shipped_at,
    canceled_at = CASE WHEN r.status <> 'CANCELED' THEN NULL
                       ELSE coalesce(o.canceled_at, r.ended_at, :now) END,
    revision = o.revision + CASE WHEN o.status IS DISTINCT FROM r.status THEN 1 ELSE 0 END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, status text,
    last_shipped_at timestamptz, ended_at timestamptz)
WHERE o.id = r.id AND (o.status, o.last_shipped_at)
      IS DISTINCT FROM (r.status, r.last_shipped_at)
"""),
        {"now": now, "rows": orjson.dumps(given).decode()},
    )


async def follow(
    conn: AsyncConnection, channel: Channel, context: OrderContext, orders: Sequence[SeenOrder]
) -> None:
    """What never matters to a shipment follows the channel, whatever was decided.

    Of an order of which nothing has left that is all of our copy.
    """
    ours = [order for order in orders if order.imported is not None]
    planned = {order.id for order in ours if _import_of(order, context) is not None}
    whole = [order for order in ours if follows(order) and order.id not in planned]
    await order_copy.write(conn, channel, context.import_template, whole)
    written = {order.id for order in whole}
    told = [order for order in ours if order.id not in written]
    await order_copy.tell(conn, channel, context.import_template, told)


async def _record(
    conn: AsyncConnection, channel: Channel, context: OrderContext, ids: Sequence[int]
) -> None:
    decided = {
        int(order.id): plan_order(order, context).decision
        for order in await load_seen(conn, channel.id, ids)
    }
    await order_mirror.record_verdicts(
        conn,
        {
            number: decision
            for number, decision in decided.items()
            if decision.verdict is OrderVerdict.IMPORTED
        },
    )

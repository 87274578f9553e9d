"""Turning what an adapter reported about orders into rows: shipments, marks, failures, the mirror.

Everything here runs inside the caller's transaction, behind the fence.
"""

from collections.abc import Sequence
from datetime import datetime

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import OPERATION_ACTIONS, ActionKind, Outcome, Standing
from reconcile.core.types import Operation
from reconcile.orders.importing import settle_statuses
from reconcile.results import Ended, finish_rows
from reconcile.store import actions as action_rows
from reconcile.store import deductions, order_marks, order_mirror
from reconcile.store.channels import Channel


async def apply_order_results(
    conn: AsyncConnection, channel: Channel, ended: Sequence[Ended], observed_at: datetime
) -> None:
    """Store final results: what reached the channel, what it showed, how the actions ended."""
    ids = sorted({item.row["order_id"] for item in ended})
    # The order of locks: remote orders, orders, shipments, stock.
    await conn.execute(
        text("SELECT id FROM remote_orders WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"),
        {"ids": ids},
    )
    done = [item for item in ended if item.result.outcome in (Outcome.APPLIED, Outcome.NO_OP)]
    await _push(conn, [item for item in done if _kind(item) is ActionKind.FULFILL])
    for kind, column in (
        (ActionKind.ACKNOWLEDGE, "acknowledged_at"),
        (ActionKind.CLOSE, "closed_there_at"),
    ):
        order_ids = [item.row["order_id"] for item in done if _kind(item) is kind]
        if order_ids:
            await conn.execute(
                text(f"UPDATE orders SET {column} = now() WHERE remote_order_id = ANY(:ids)"),  # noqa: S608
                {"ids": order_ids},
            )
    await action_rows.forget_failures(conn, [item.row["id"] for item in done])
    failed = [item for item in ended if item.result.outcome is Outcome.FAILED]
    await action_rows.remember_failures(
        conn,
        [
            {"id": item.row["id"], "reason": item.result.code, "message": item.result.message}
            for item in failed
            if not item.is_given_up
        ],
    )
    await _say(conn, channel, ended)
    await finish_rows(conn, ended)
    seen = [order for item in ended for order in item.result.observed_orders]
    changed = await order_mirror.observe(conn, channel.id, seen, observed_at)
    await settle_statuses(conn, channel.id, ids, observed_at)
    # What was done, failed or moved is looked at once more: the next shipment, closing, a failure.
    await order_marks.flag(conn, channel.id, ids)
    await deductions.rewrite(conn, channel.id, sorted({*ids, *changed}))


def _kind(item: Ended) -> ActionKind:
    return ActionKind(item.row["kind"])


async def _push(conn: AsyncConnection, items: Sequence[Ended]) -> None:
    if not items:
        return
    rows = [
        {"id": item.row["shipment_id"], "remote_ids": list(item.result.remote_ids)}
        for item in items
    ]
    await conn.execute(
        text("""
UPDATE shipments s SET state = 'PUSHED', pushed_at = now(), revision = s.revision + 1,
    remote_ids = ARRAY(SELECT DISTINCT unnest(s.remote_ids || r.remote_ids) ORDER BY 1)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, remote_ids text[])
WHERE s.id = r.id
"""),
        {"rows": orjson.dumps(rows).decode()},
    )


async def _say(conn: AsyncConnection, channel: Channel, ended: Sequence[Ended]) -> None:
    """A failure is said on the order at once; the next plan says it again as FailedBefore."""
    failed = [item for item in ended if item.result.outcome is Outcome.FAILED]
    for operation in (Operation.GET_ORDERS, Operation.SYNC_ORDERS):
        said = {
            item.row["order_id"]: order_mirror.OrderCondition(
                item.row["order_id"],
                Standing.ATTENTION,
                item.result.code or "Failed",
                item.result.message,
            )
            for item in failed
            if _kind(item) in OPERATION_ACTIONS[operation]
        }
        if said:
            await order_mirror.record_conditions(
                conn, channel.id, operation, sorted(said), [*said.values()]
            )

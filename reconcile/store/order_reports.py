"""What runs over orders need to know of them: whom to look at, how far polls came, what became."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def ids_of_number(conn: AsyncConnection, channel_id: int, number: str) -> list[int]:
    """The seen orders people call by this number."""
    result = await conn.execute(
        text("""
SELECT id FROM remote_orders WHERE channel_id = :channel_id AND number = :number ORDER BY id
"""),
        {"channel_id": channel_id, "number": number},
    )
    return [row.id for row in result]


async def save_cursor(
    conn: AsyncConnection, channel_id: int, polled_at: str, since: datetime
) -> None:
    """A poll has come to its end: the next begins where this one began.

    How far back was ever looked is kept: a poll of what changed does not shorten it.
    """
    cursor = {"seen_until": polled_at, "reached": since.isoformat()}
    await conn.execute(
        text("""
UPDATE operations SET cursor = CAST(:cursor AS jsonb) || CASE
    WHEN cursor IS NOT NULL
     AND CAST(cursor ->> 'reached' AS timestamptz) < CAST(:since AS timestamptz)
    THEN jsonb_build_object('reached', cursor -> 'reached') ELSE '{}' END
WHERE channel_id = :channel_id AND operation = 'GET_ORDERS'
"""),
        {"channel_id": channel_id, "cursor": orjson.dumps(cursor).decode(), "since": since},
    )


async def to_refresh(
    conn: AsyncConnection,
    channel_id: int,
    after: int,
    limit: int,
    scope: Sequence[int] | None,
    *,
    full: bool,
    sending: bool,
) -> list[int]:
    """The next orders to be looked at before something is decided about them.

    For sending: flagged ones that hold something to be sent; a full run takes every imported order
    that is not finished. Otherwise the orders named.
    """
    result = await conn.execute(
        text("""
SELECT r.id FROM remote_orders r LEFT JOIN orders o ON o.remote_order_id = r.id
WHERE r.channel_id = :channel_id AND r.id > :after
  AND (CAST(:scope AS bigint[]) IS NULL OR r.id = ANY(CAST(:scope AS bigint[])))
  AND (NOT :sending OR (
    o.id IS NOT NULL AND r.gone IS NULL AND (
        (:full AND o.status IN ('OPEN', 'PARTIALLY_SHIPPED'))
        OR r.fulfill AND EXISTS (SELECT 1 FROM shipments s WHERE s.order_id = o.id
                                 AND s.origin = 'OURS' AND s.state = 'RECORDED'))))
ORDER BY r.id LIMIT :limit
"""),
        {
            "channel_id": channel_id,
            "after": after,
            "limit": limit,
            "scope": scope,
            "full": full,
            "sending": sending,
        },
    )
    return [row.id for row in result]


async def fates(conn: AsyncConnection, run_id: int) -> Mapping[str, Any]:
    """What a run did to orders, and why rows of it did not happen (feature A7)."""
    result = await conn.execute(
        text("""
SELECT CASE
    WHEN kind = 'IMPORT_ORDER' AND reason = 'NewOrder' THEN 'orders_imported'
    WHEN kind = 'IMPORT_ORDER' AND reason = 'HoldsBack' THEN 'orders_put_on_hold'
    WHEN kind = 'IMPORT_ORDER' THEN 'orders_followed'
    WHEN kind = 'FULFILL' THEN 'shipments_pushed'
    WHEN kind = 'ACKNOWLEDGE' THEN 'orders_acknowledged'
    ELSE 'orders_closed' END AS fate,
    count(*) AS number
FROM actions WHERE run_id = :run_id AND state IN ('APPLIED', 'NO_OP') GROUP BY 1
"""),
        {"run_id": run_id},
    )
    counts = {row.fate: int(row.number) for row in result}
    missed = await conn.execute(
        text("""
SELECT coalesce(nullif(outcome_code, ''), reason) AS reason, count(*) AS number FROM actions
WHERE run_id = :run_id AND state IN ('FAILED', 'STALE', 'SKIPPED', 'CANCELED') GROUP BY 1
"""),
        {"run_id": run_id},
    )
    return {"counts": counts, "reasons": {row.reason: int(row.number) for row in missed}}

"""What is to be looked at first after nobody watched: a restored database, or a long standstill.

Workers write down every few seconds that they live, in the database itself. A database that was
restored holds the moment its copy was made; one that no worker served holds the moment the last one
ended. In both cases the stores went on meanwhile, and what stands here is a belief, not a sight.
"""

from collections import defaultdict
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store import actions, order_marks
from reconcile.store.actions import UNWATCHED

log = structlog.get_logger()

GAP = timedelta(minutes=10)
"""Longer than any restart takes; after it everything planned before is planned anew."""
CODE = "Unwatched"
_STEP = 1_000_000
"""Numbers left out, which the copy's later self may have given to others already."""
_KEPT = ("DUE", "SENDING", "RETRYING", "UNKNOWN")


async def notice(conn: AsyncConnection) -> bool:
    """Distrust everything where no worker has been seen for long; True when it was so.

    What dead workers left is removed, so that it is noticed once, whoever looks first.
    """
    result = await conn.execute(
        text("""
DELETE FROM workers
WHERE (SELECT max(seen_at) FROM workers) < clock_timestamp() - CAST(:gap AS interval)
RETURNING seen_at
"""),
        {"gap": GAP},
    )
    seen: list[datetime] = [row.seen_at for row in result]
    if not seen:
        return False
    await distrust(conn, f"No worker was seen between {max(seen):%Y-%m-%d %H:%M:%S} and now")
    return True


async def distrust(conn: AsyncConnection, why: str) -> None:
    """Nothing that was planned is sent before the stores were looked at again, whole.

    Whoever is at work loses the lease. Actions that no request carried end STALE and what they were
    about is due; runs begin anew; of a request whose outcome is unknown the store is asked, but
    what did not happen is not sent again as it was, and what has begun goes on where the store has
    it. Numbers that the store may have been told of go on far behind the last one known here.
    """
    message = f"{why}; the store is looked at before anything is sent"
    await conn.execute(
        text("UPDATE leases SET epoch = epoch + 1000, holder = NULL, expires_at = NULL")
    )
    # Runs, channels, actions: the order in which an approval locks them.
    await conn.execute(
        text("""
SELECT id FROM runs WHERE finished_at IS NULL
    OR id IN (SELECT run_id FROM actions WHERE state IN ('PLANNED', 'REFUSED'))
ORDER BY id FOR UPDATE
""")
    )
    await conn.execute(
        text("""
WITH kept AS (SELECT id FROM channels WHERE removed_at IS NULL ORDER BY id FOR UPDATE)
UPDATE channels c SET mirror_complete_at = NULL, account_checked_at = NULL
FROM kept WHERE c.id = kept.id
""")
    )
    await _drop_actions(conn, message)
    await _begin_anew(conn, message)
    await conn.execute(
        text("""
INSERT INTO conditions AS c (channel_id, object_kind, object_id, type, status, reason, message)
SELECT id, 'channel', id, 'Mirror', 'WAITING', :code, :message FROM channels
WHERE removed_at IS NULL
ON CONFLICT (object_kind, object_id, type) DO UPDATE SET status = excluded.status,
    reason = excluded.reason, message = excluded.message, since = now()
"""),
        {"code": CODE, "message": f"{message}. The next run reads all of it"},
    )
    await conn.execute(
        text("""
SELECT setval(pg_get_serial_sequence(name, 'id'), nextval(pg_get_serial_sequence(name, 'id')) + :by)
FROM unnest(CAST(:tables AS text[])) AS t(name)
"""),
        {"by": _STEP, "tables": ["listings", "shipments"]},
    )
    log.warning("nobody watched", why=why)


async def _drop_actions(conn: AsyncConnection, message: str) -> None:
    dropped = await conn.execute(
        text("""
UPDATE actions SET state = 'STALE', finished_at = now(), outcome_code = :code,
    outcome_message = :message
WHERE state IN ('PLANNED', 'REFUSED') OR state IN ('DUE', 'RETRYING') AND steps = '[]'
RETURNING channel_id, listing_id, order_id
"""),
        {"code": CODE, "message": message},
    )
    listings: dict[int, list[int]] = defaultdict(list)
    orders: dict[int, list[int]] = defaultdict(list)
    for row in dropped:
        if row.listing_id is not None:
            listings[row.channel_id].append(row.listing_id)
        if row.order_id is not None:
            orders[row.channel_id].append(row.order_id)
    for channel_id, ids in sorted(listings.items()):
        await actions.mark_dirty(conn, channel_id, ids, CODE)
    for channel_id, ids in sorted(orders.items()):
        await order_marks.flag(conn, channel_id, ids)
    # What has begun is taken up as after a killed worker: the store is asked how far it got.
    await conn.execute(
        text("""
UPDATE actions SET revisions = revisions || jsonb_build_object(CAST(:mark AS text), true),
    state = CASE WHEN state IN ('DUE', 'RETRYING') THEN 'SENDING' ELSE state END,
    sent_at = coalesce(sent_at, created_at), epoch = coalesce(epoch, 0)
WHERE state = ANY(:states)
"""),
        {"mark": UNWATCHED, "states": list(_KEPT)},
    )


async def _begin_anew(conn: AsyncConnection, message: str) -> None:
    """Runs under way have read a world that is past; what a request carried ends with its own."""
    await conn.execute(
        text("""
WITH begun AS (
    SELECT r.*, EXISTS (SELECT 1 FROM actions a WHERE a.run_id = r.id AND a.state = ANY(:states))
        AS is_sending
    FROM runs r WHERE r.finished_at IS NULL AND r.state <> 'QUEUED' ORDER BY r.id FOR UPDATE),
ended AS (
    UPDATE runs r SET state = 'REPORTED', result = 'FAILED', finished_at = now(),
        error_code = :code, error_message = :message
    FROM begun b WHERE r.id = b.id AND NOT b.is_sending),
left_open AS (
    UPDATE runs r SET state = 'EXECUTING', phase = r.phase || '{"step": "execute"}'
    FROM begun b WHERE r.id = b.id AND b.is_sending)
INSERT INTO runs (channel_id, operation, side, trigger, is_full, plan_only, scope, order_ids,
    lookup, requested_by)
SELECT channel_id, operation, side, trigger, is_full, plan_only, scope, order_ids, lookup,
    requested_by
FROM begun WHERE NOT cancel_requested ORDER BY id
"""),
        {
            "states": list(_KEPT),
            "code": CODE,
            "message": f"{message}. Another run of the same kind begins anew",
        },
    )

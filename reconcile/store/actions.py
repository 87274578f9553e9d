"""The life of recorded actions: due, sending, ended. Only the holder of the lease writes here."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import Step
from reconcile.core.types import Side
from reconcile.store import dirt

LISTING_KINDS = ("PUBLISH", "OVERWRITE", "SYNC", "HIDE", "UNHIDE", "DELIST")
ORDER_KINDS = ("ACKNOWLEDGE", "FULFILL", "CLOSE")
UNWATCHED = "unwatched"
"""Among the revisions of an action: planned before a time in which nobody watched the store."""
LOOK_FIRST = "Nobody watched the store since this was planned; it is looked at, then planned again"


def kinds_of(side: Side) -> list[str]:
    """The actions on a channel that belong to a side."""
    return list(LISTING_KINDS if side is Side.LISTINGS else ORDER_KINDS)


async def adopt_orphans(
    conn: AsyncConnection, channel_id: int, side: Side, epoch: int, look_after: timedelta
) -> int:
    """What an earlier holder was sending has an unknown outcome: a look is due soon."""
    result = await conn.execute(
        text("""
UPDATE actions SET state = 'UNKNOWN', due_at = greatest(now(), sent_at + :look_after),
    outcome_code = 'WorkerLost',
    outcome_message = 'The worker ended while the request was under way; the store is being asked'
WHERE channel_id = :channel_id AND state = 'SENDING' AND epoch < :epoch AND kind = ANY(:kinds)
"""),
        {
            "channel_id": channel_id,
            "epoch": epoch,
            "look_after": look_after,
            "kinds": kinds_of(side),
        },
    )
    return result.rowcount


async def next_batch(
    conn: AsyncConnection, channel_id: int, side: Side, portion: Mapping[str, int], now: datetime
) -> Sequence[RowMapping]:
    """The actions to send next: one kind, the most urgent lane first, oldest first.

    `portion` is the most actions of each kind handed to the adapter at once. Rows that are being
    bisected travel alone with rows of the same bound.
    """
    head = (
        await conn.execute(
            text("""
SELECT kind, max_batch FROM actions
WHERE channel_id = :channel_id AND state IN ('DUE', 'RETRYING') AND due_at <= :now
  AND kind = ANY(:kinds)
ORDER BY lane, id LIMIT 1
"""),
            {"channel_id": channel_id, "kinds": kinds_of(side), "now": now},
        )
    ).one_or_none()
    if head is None:
        return []
    limit = portion.get(head.kind, 1)
    if head.max_batch is not None:
        limit = min(limit, head.max_batch)
    rows = await conn.execute(
        text("""
SELECT * FROM actions
WHERE channel_id = :channel_id AND state IN ('DUE', 'RETRYING') AND due_at <= :now
  AND kind = :kind AND max_batch IS NOT DISTINCT FROM CAST(:max_batch AS integer)
ORDER BY lane, id LIMIT :limit
"""),
        {
            "channel_id": channel_id,
            "kind": head.kind,
            "max_batch": head.max_batch,
            "limit": limit,
            "now": now,
        },
    )
    return rows.mappings().all()


async def unknown_batch(
    conn: AsyncConnection, channel_id: int, side: Side, limit: int, now: datetime
) -> Sequence[RowMapping]:
    """Actions with an unknown outcome that are due for a look, of one kind."""
    rows = await conn.execute(
        text("""
SELECT * FROM actions
WHERE channel_id = :channel_id AND state = 'UNKNOWN' AND due_at <= :now AND kind = (
    SELECT kind FROM actions
    WHERE channel_id = :channel_id AND state = 'UNKNOWN' AND due_at <= :now
      AND kind = ANY(:kinds)
    ORDER BY lane, id LIMIT 1)
ORDER BY lane, id LIMIT :limit
"""),
        {"channel_id": channel_id, "kinds": kinds_of(side), "limit": limit, "now": now},
    )
    return rows.mappings().all()


async def is_stopped(
    conn: AsyncConnection, channel_id: int, revision: int, ids: Sequence[int]
) -> bool:
    """Whether a person paused or changed the channel, or canceled a run of these actions.

    What an earlier slice has begun is finished all the same.
    """
    result = await conn.execute(
        text("""
SELECT c.paused OR c.removed_at IS NOT NULL OR c.revision <> :revision OR EXISTS (
    SELECT 1 FROM actions a JOIN runs r ON r.id = a.run_id
    WHERE a.id = ANY(:ids) AND r.cancel_requested AND a.steps = '[]')
FROM channels c WHERE c.id = :channel_id
"""),
        {"channel_id": channel_id, "revision": revision, "ids": list(ids)},
    )
    return bool(result.scalar_one())


async def mark_sending(conn: AsyncConnection, ids: Sequence[int], epoch: int) -> bool:
    """A request that carries these actions is about to leave; False where one ended meanwhile."""
    result = await conn.execute(
        text("""
UPDATE actions SET state = 'SENDING', sent_at = clock_timestamp(), tries = tries + 1, epoch = :epoch
WHERE id = ANY(:ids) AND state IN ('DUE', 'RETRYING', 'SENDING')
"""),
        {"ids": list(ids), "epoch": epoch},
    )
    return result.rowcount == len(ids)


async def add_step(conn: AsyncConnection, action_id: int, step: Step) -> None:
    """Remember a part of an action that stands and is not to be repeated."""
    row = [{"name": step.name, "remote_id": step.remote_id, "detail": dict(step.detail)}]
    await conn.execute(
        text("UPDATE actions SET steps = steps || CAST(:step AS jsonb) WHERE id = :id"),
        {"id": action_id, "step": orjson.dumps(row).decode()},
    )


async def finish(
    conn: AsyncConnection, ids: Sequence[int], state: str, code: str, message: str
) -> None:
    """End actions for good."""
    await conn.execute(
        text("""
UPDATE actions SET state = :state, finished_at = now(), outcome_code = nullif(:code, ''),
    outcome_message = nullif(:message, '')
WHERE id = ANY(:ids)
"""),
        {"ids": list(ids), "state": state, "code": code, "message": message},
    )


async def postpone(
    conn: AsyncConnection,
    ids: Sequence[int],
    state: str,
    due_at: datetime,
    code: str,
    message: str,
    max_batch: int | None = None,
) -> None:
    """Try again, or look again, at `due_at`; `max_batch` bounds the batch it travels in.

    A try that ended before a request left is counted here, the others when they leave; a request
    that was held back or is split up was none. What a person ended meanwhile stays ended.
    """
    await conn.execute(
        text("""
UPDATE actions SET state = :state, due_at = :due_at, outcome_code = :code,
    outcome_message = :message, max_batch = coalesce(CAST(:max_batch AS integer), max_batch),
    tries = CASE WHEN :state = 'DUE' AND state = 'SENDING' THEN greatest(0, tries - 1)
                 WHEN state = 'SENDING' OR :state <> 'RETRYING' THEN tries ELSE tries + 1 END
WHERE id = ANY(:ids) AND finished_at IS NULL
"""),
        {
            "ids": list(ids),
            "state": state,
            "due_at": due_at,
            "code": code,
            "message": message,
            "max_batch": max_batch,
        },
    )


async def remember_failures(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bind permanent failures to their inputs: (action row, code, message) as one mapping each."""
    if not rows:
        return
    await conn.execute(
        text("""
INSERT INTO failures (channel_id, object_id, action, write_group, input_hash, reason, message)
SELECT a.channel_id, a.object_id, a.kind, a.write_group, a.input_hash, r.reason, r.message
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, reason text, message text)
JOIN actions a ON a.id = r.id
ON CONFLICT (object_id, action, write_group) DO UPDATE SET
    input_hash = excluded.input_hash, reason = excluded.reason, message = excluded.message,
    at = now()
"""),
        {"rows": orjson.dumps(list(rows)).decode()},
    )


async def forget_failures(conn: AsyncConnection, ids: Sequence[int]) -> None:
    """An action that went through ends what was remembered against it."""
    await conn.execute(
        text("""
DELETE FROM failures f USING actions a
WHERE a.id = ANY(:ids) AND f.object_id = a.object_id AND f.action = a.kind
  AND f.write_group = a.write_group
"""),
        {"ids": list(ids)},
    )


async def mark_dirty(
    conn: AsyncConnection, channel_id: int, listing_ids: Sequence[int], reason: str
) -> None:
    """The listings are to be planned again by the next partial runs."""
    if not listing_ids:
        return
    await dirt.hold(conn, [channel_id])
    await conn.execute(
        text("""
INSERT INTO dirty (channel_id, operation, listing_id, reason)
SELECT :channel_id, o.operation, l.id, :reason
FROM unnest(CAST(:ids AS bigint[])) AS l(id), operations o
WHERE o.channel_id = :channel_id
  AND o.operation IN ('SYNC_LISTINGS', 'PUBLISH_LISTINGS', 'LINK_LISTINGS')
"""),
        {"channel_id": channel_id, "ids": sorted(set(listing_ids)), "reason": reason},
    )


async def wake_waiting(conn: AsyncConnection, channel_id: int, listing_ids: Sequence[int]) -> None:
    """Plan again what was decided to wait for an action that has ended now."""
    waiting = await conn.execute(
        text("""
SELECT DISTINCT l.id FROM unnest(CAST(:ids AS bigint[])) AS l(id)
LEFT JOIN listing_variants v ON v.listing_id = l.id
JOIN conditions c ON c.channel_id = :channel_id AND c.reason = 'Unfinished' AND (
    (c.object_kind = 'listing' AND c.object_id = l.id)
    OR (c.object_kind = 'variant' AND c.object_id = v.id))
"""),
        {"channel_id": channel_id, "ids": sorted(set(listing_ids))},
    )
    found = [row.id for row in waiting]
    if found:
        await mark_dirty(conn, channel_id, found, "ActionEnded")


async def next_due(conn: AsyncConnection, channel_id: int, side: Side) -> datetime | None:
    """When the next unfinished action of this side is due; None where there is none."""
    result = await conn.execute(
        text("""
SELECT min(due_at) FROM actions
WHERE channel_id = :channel_id AND state IN ('DUE', 'RETRYING', 'UNKNOWN') AND kind = ANY(:kinds)
"""),
        {"channel_id": channel_id, "kinds": kinds_of(side)},
    )
    due: datetime | None = result.scalar_one()
    return due

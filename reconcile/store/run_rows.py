"""The writer's side of runs: which one is next, how far it is, how it ended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import Side


async def next_run(
    conn: AsyncConnection, channel_id: int, side: Side, now: datetime
) -> RowMapping | None:
    """The next open run of a side that is not waiting for a time to come; canceled ones first.

    One that plans comes before all others, or the next would plan the same once more. What changed
    (or was named) comes before the reading of everything, which may take hours; a run that only
    sends lets others go first, for what it sends is ordered by lanes.
    """
    result = await conn.execute(
        text("""
SELECT * FROM runs
WHERE channel_id = :channel_id AND side = :side AND finished_at IS NULL AND next_at <= :now
  AND state IN ('QUEUED', 'FETCHING', 'PLANNED', 'EXECUTING')
ORDER BY NOT cancel_requested,
    CASE WHEN phase ->> 'step' = 'execute' THEN 3
         WHEN state NOT IN ('QUEUED', 'FETCHING') OR phase ->> 'step' IN ('wanted', 'pair', 'plan',
              'import', 'guard', 'decide', 'local') THEN 0
         WHEN is_full AND scope IS NULL THEN 2
         ELSE 1 END, id
LIMIT 1
"""),
        {"channel_id": channel_id, "side": side, "now": now},
    )
    return result.mappings().one_or_none()


async def gives_way(conn: AsyncConnection, channel_id: int, side: Side, now: datetime) -> bool:
    """Whether another run of the side is to read or plan now, while this one only sends."""
    result = await conn.execute(
        text("""
SELECT EXISTS (SELECT 1 FROM runs
WHERE channel_id = :channel_id AND side = :side AND finished_at IS NULL AND next_at <= :now
  AND state IN ('QUEUED', 'FETCHING', 'PLANNED')
  AND NOT plan_only AND NOT (is_full AND scope IS NULL))
"""),
        {"channel_id": channel_id, "side": side, "now": now},
    )
    return bool(result.scalar_one())


async def save_phase(
    conn: AsyncConnection, run_id: int, phase: Mapping[str, Any], state: str | None = None
) -> None:
    """Where the run goes on after this transaction."""
    await conn.execute(
        text("""
UPDATE runs SET phase = CAST(:phase AS jsonb), state = coalesce(CAST(:state AS text), state),
    started_at = coalesce(started_at, now()), tries = 0, error_code = NULL, error_message = NULL
WHERE id = :id
"""),
        {"id": run_id, "phase": orjson.dumps(dict(phase)).decode(), "state": state},
    )


async def add_counts(conn: AsyncConnection, run_id: int, counts: Mapping[str, int]) -> None:
    """Add to the counters a person sees while the run goes on."""
    await conn.execute(
        text("""
UPDATE runs SET counts = counts || (
    SELECT coalesce(jsonb_object_agg(key, coalesce((counts ->> key)::bigint, 0) + value::bigint),
                    '{}')
    FROM jsonb_each_text(CAST(:counts AS jsonb)))
WHERE id = :id
"""),
        {"id": run_id, "counts": orjson.dumps(dict(counts)).decode()},
    )


async def set_counts(conn: AsyncConnection, run_id: int, counts: Mapping[str, Any]) -> None:
    """Replace counters of these names."""
    await conn.execute(
        text("UPDATE runs SET counts = counts || CAST(:counts AS jsonb) WHERE id = :id"),
        {"id": run_id, "counts": orjson.dumps(dict(counts)).decode()},
    )


async def retry_later(
    conn: AsyncConnection, run_id: int, at: datetime, code: str, message: str
) -> None:
    """A passing trouble: the same slice again at `at`."""
    await conn.execute(
        text("""
UPDATE runs SET next_at = :at, tries = tries + 1, error_code = :code, error_message = :message,
    started_at = coalesce(started_at, now())
WHERE id = :id
"""),
        {"id": run_id, "at": at, "code": code, "message": message},
    )


async def wait_until(conn: AsyncConnection, run_id: int, at: datetime) -> None:
    """Nothing to do for this run before `at`; other runs may go first."""
    await conn.execute(
        text("UPDATE runs SET next_at = :at WHERE id = :id"), {"id": run_id, "at": at}
    )


async def planned(
    conn: AsyncConnection, run_id: int, revision: int, guard: Mapping[str, Any]
) -> None:
    """The plan is recorded, made from this revision of the channel's settings.

    What an earlier round of it was refused for stays said.
    """
    await conn.execute(
        text("""
UPDATE runs SET planned_at = now(), channel_revision = :revision,
    guard = CAST(:guard AS jsonb) || (
        SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(guard)
        WHERE value ->> 'allowed' = 'false')
WHERE id = :id
"""),
        {"id": run_id, "revision": revision, "guard": orjson.dumps(dict(guard)).decode()},
    )


async def finish_run(
    conn: AsyncConnection,
    run_id: int,
    state: str,
    result: str | None,
    code: str | None = None,
    message: str | None = None,
) -> None:
    """The run has ended; a plan that waits for approval can be opened again."""
    await conn.execute(
        text("""
UPDATE runs SET state = :state, result = :result, finished_at = now(),
    error_code = coalesce(CAST(:code AS text), error_code),
    error_message = coalesce(CAST(:message AS text), error_message)
WHERE id = :id
"""),
        {"id": run_id, "state": state, "result": result, "code": code, "message": message},
    )
    await conn.execute(
        text("""
UPDATE operations o SET last_finished_at = now() FROM runs r
WHERE r.id = :id AND o.channel_id = r.channel_id AND o.operation = r.operation
"""),
        {"id": run_id},
    )
    # Of a plan that can be opened again they say what it was about.
    await conn.execute(
        text("""
DELETE FROM run_candidates WHERE run_id = :id AND NOT EXISTS (
    SELECT 1 FROM actions WHERE run_id = :id AND state IN ('PLANNED', 'REFUSED'))
"""),
        {"id": run_id},
    )


async def action_summary(conn: AsyncConnection, run_id: int) -> Mapping[str, Mapping[str, int]]:
    """Kind → state → how many variants."""
    result = await conn.execute(
        text("""
SELECT kind, state, sum(greatest(1, cardinality(variant_ids))) AS variants
FROM actions WHERE run_id = :id GROUP BY kind, state
"""),
        {"id": run_id},
    )
    summary: dict[str, dict[str, int]] = {}
    for row in result:
        summary.setdefault(row.kind, {})[row.state] = int(row.variants)
    return summary


async def notification(conn: AsyncConnection, run_id: int) -> Mapping[str, Any]:
    """What a run did (feature A7): parents and variants by what became of them, with reasons."""
    fates = await conn.execute(
        text("""
SELECT CASE
    WHEN state IN ('APPLIED', 'NO_OP') AND kind IN ('PUBLISH', 'IMPORT')
         AND reason <> 'ImportDiffers' THEN 'created'
    WHEN state IN ('APPLIED', 'NO_OP') AND kind = 'LINK' THEN 'linked'
    WHEN state IN ('APPLIED', 'NO_OP') AND kind = 'BREAK_LINK' THEN 'unlinked'
    WHEN state IN ('APPLIED', 'NO_OP') AND kind = 'DELIST' THEN 'delisted'
    WHEN state IN ('APPLIED', 'NO_OP') THEN 'updated'
    WHEN state = 'FAILED' THEN 'failed'
    ELSE 'skipped' END AS fate,
    count(DISTINCT listing_id) AS parents, sum(greatest(1, cardinality(variant_ids))) AS variants
FROM actions WHERE run_id = :id AND state NOT IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')
GROUP BY 1
"""),
        {"id": run_id},
    )
    # A failed row says its reason on the object as well; it counts once.
    reasons = await conn.execute(
        text("""
WITH said AS (
    SELECT coalesce(nullif(outcome_code, ''), reason) AS reason, count(*) AS number FROM actions
    WHERE run_id = :id AND state IN ('FAILED', 'STALE', 'REFUSED', 'SKIPPED', 'CANCELED')
    GROUP BY 1),
waiting AS (
    SELECT c.reason, count(*) AS number FROM conditions c JOIN runs r ON r.id = :id
    LEFT JOIN listing_variants v ON c.object_kind = 'variant' AND v.id = c.object_id
    JOIN run_candidates p ON p.run_id = r.id AND p.listing_id =
        CASE WHEN c.object_kind = 'listing' THEN c.object_id ELSE v.listing_id END
    WHERE c.type = r.operation AND c.object_kind IN ('variant', 'listing')
      AND c.reason <> 'WaitsForApproval' AND c.reason NOT IN (SELECT reason FROM said)
    GROUP BY c.reason)
SELECT reason, number FROM said UNION ALL SELECT reason, number FROM waiting ORDER BY 2 DESC, 1
"""),
        {"id": run_id},
    )
    parents: dict[str, int] = {}
    variants: dict[str, int] = {}
    for row in fates:
        parents[row.fate] = int(row.parents)
        variants[row.fate] = int(row.variants)
    return {
        "parents": parents,
        "variants": variants,
        "reasons": {row.reason: int(row.number) for row in reasons},
    }


async def attention_count(conn: AsyncConnection, run_id: int) -> int:
    """Objects this run decided that wait for a person."""
    result = await conn.execute(
        text("""
SELECT count(*) FROM conditions c JOIN runs r ON r.id = :id
LEFT JOIN listing_variants v ON c.object_kind = 'variant' AND v.id = c.object_id
JOIN run_candidates p ON p.run_id = r.id AND p.listing_id =
    CASE WHEN c.object_kind = 'listing' THEN c.object_id ELSE v.listing_id END
WHERE c.type = r.operation AND c.status = 'ATTENTION' AND c.object_kind IN ('variant', 'listing')
"""),
        {"id": run_id},
    )
    return int(result.scalar_one())


async def last_action(conn: AsyncConnection, run_id: int) -> int:
    """The highest id of a run's actions so far; 0 where it has none."""
    result = await conn.execute(
        text("SELECT coalesce(max(id), 0) FROM actions WHERE run_id = :id"), {"id": run_id}
    )
    return int(result.scalar_one())


async def has_approved(conn: AsyncConnection, run_id: int) -> bool:
    """Whether a person approved rows of our own records that are not applied yet."""
    result = await conn.execute(
        text("""
SELECT EXISTS (SELECT 1 FROM actions WHERE run_id = :id AND state = 'PLANNED' AND approved)
"""),
        {"id": run_id},
    )
    return bool(result.scalar_one())


async def open_actions(conn: AsyncConnection, run_id: int) -> tuple[int, datetime | None]:
    """How many actions of a run are unfinished, and when the next of them is due."""
    row = (
        await conn.execute(
            text("""
SELECT count(*) AS open, min(due_at) AS next FROM actions
WHERE run_id = :id AND state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')
"""),
            {"id": run_id},
        )
    ).one()
    return int(row.open), row.next

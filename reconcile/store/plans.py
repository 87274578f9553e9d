"""Recording plans: actions as rows, decisions as conditions that change only when they change."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.actions import Action, Decision, GuardKind, Standing
from reconcile.core.syncing import PRICE_DROP_SHARE
from reconcile.core.types import Listing, Operation
from reconcile.store.actions import mark_dirty

STORED = frozenset({Standing.WAITING, Standing.ATTENTION})
"""Decisions worth keeping; "in order" and "will be done" are said by the rows themselves."""

GUARDED_FOR = timedelta(hours=24)
"""How long a destructive effect counts against the budget of its kind."""


def _json(value: object) -> str:
    return orjson.dumps(value, default=_plain).decode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not a canonical value: {type(value).__name__}")


def action_json(
    action: Action, state: str, lane: int, revisions: Mapping[str, Any]
) -> dict[str, Any]:
    """The row of an action in the state it is recorded with."""
    return {
        "kind": action.kind,
        "object_id": action.object_id,
        "write_group": action.group,
        "listing_id": int(action.listing_id) if action.listing_id else None,
        "variant_id": int(action.variant_id) if action.variant_id else None,
        "variant_ids": [int(variant_id) for variant_id in action.variant_ids],
        "order_id": int(action.order_id) if action.order_id else None,
        "shipment_id": int(action.shipment_id) if action.shipment_id else None,
        "remote_parent": action.remote.listing if action.remote else None,
        "remote_variant": (action.remote.variant or "") if action.remote else None,
        "key": action.key,
        "input_hash": action.input_hash,
        "changes": [
            {
                "field": change.field,
                "before": change.before,
                "after": change.after,
                "variant_id": change.variant_id,
            }
            for change in action.changes
        ],
        "guards": list(action.guards),
        "lane": lane,
        "state": state,
        "reason": action.reason.code,
        "message": action.reason.message,
        "revisions": revisions,
    }


async def record_actions(
    conn: AsyncConnection, channel_id: int, run_id: int, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Store a run's actions in plan order."""
    if not rows:
        return
    await conn.execute(
        text("""
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, listing_id, variant_id,
    variant_ids, order_id, shipment_id, remote_parent, remote_variant, key, input_hash, changes,
    guards, lane, state, reason, message, revisions, finished_at, outcome_code, outcome_message)
SELECT :channel_id, :run_id, r.kind, r.object_id, r.write_group, r.listing_id, r.variant_id,
    r.variant_ids, r.order_id, r.shipment_id, r.remote_parent, r.remote_variant, r.key,
    r.input_hash, r.changes, r.guards, r.lane, r.state, r.reason, r.message,
    r.revisions || jsonb_build_object('remote', (
        SELECT coalesce(jsonb_object_agg(v.id::text, m.revision), '{}') FROM listing_variants v
        JOIN remote_variants m ON m.id = v.remote_variant_id
        WHERE v.id = r.variant_id OR v.id = ANY(r.variant_ids))),
    CASE WHEN r.state = 'SKIPPED' THEN now() END, r.outcome_code, r.outcome_message
FROM ROWS FROM (jsonb_to_recordset(CAST(:rows AS jsonb)) AS (kind text, object_id text,
    write_group text, listing_id bigint, variant_id bigint, variant_ids bigint[],
    order_id bigint, shipment_id bigint, remote_parent text, remote_variant text, key text,
    input_hash text, changes jsonb,
    guards text[], lane integer, state text, reason text, message text, revisions jsonb,
    outcome_code text, outcome_message text)) WITH ORDINALITY r
ORDER BY r.ordinality
"""),
        {"channel_id": channel_id, "run_id": run_id, "rows": _json(list(rows))},
    )


async def record_decisions(
    conn: AsyncConnection,
    channel_id: int,
    operation: Operation,
    listings: Iterable[Listing],
    decisions: Iterable[Decision],
) -> None:
    """Keep the decisions of these listings as conditions of `operation`; the others are cleared.

    A condition that says the same as before keeps its `since`. Variants with a condition stay
    flagged, so that the next full run looks at them again.
    """
    listings = list(listings)
    variant_ids = [int(variant.id) for listing in listings for variant in listing.variants]
    listing_ids = [int(listing.id) for listing in listings]
    revisions = {
        variant.id: variant.revision for listing in listings for variant in listing.variants
    }
    wanted: dict[tuple[str, int], dict[str, Any]] = {}
    for decision in decisions:
        if decision.standing not in STORED:
            continue
        kind = "variant" if decision.variant_id else "listing"
        object_id = int(decision.variant_id or decision.listing_id)
        row = {
            "object_kind": kind,
            "object_id": object_id,
            "status": decision.standing,
            "reason": decision.code,
            "message": decision.message,
            "inputs": dict(decision.inputs),
            "observed_revision": revisions.get(decision.variant_id or ""),
        }
        before = wanted.get((kind, object_id))
        if before is None or (
            before["status"] != Standing.ATTENTION and decision.standing is Standing.ATTENTION
        ):
            wanted[kind, object_id] = row
    await conn.execute(
        text("""
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(object_kind text, object_id bigint,
        status text, reason text, message text, inputs jsonb, observed_revision bigint)),
cleared AS (
    DELETE FROM conditions c
    WHERE c.type = :type
      AND ((c.object_kind = 'variant' AND c.object_id = ANY(:variant_ids))
        OR (c.object_kind = 'listing' AND c.object_id = ANY(:listing_ids)))
      AND NOT EXISTS (SELECT 1 FROM wanted w
                      WHERE w.object_kind = c.object_kind AND w.object_id = c.object_id))
INSERT INTO conditions AS c (channel_id, object_kind, object_id, type, status, reason, message,
    inputs, observed_revision)
SELECT :channel_id, object_kind, object_id, :type, status, reason, message, inputs,
    observed_revision FROM wanted
ON CONFLICT (object_kind, object_id, type) DO UPDATE SET
    status = excluded.status, reason = excluded.reason, message = excluded.message,
    inputs = excluded.inputs, observed_revision = excluded.observed_revision,
    since = CASE WHEN c.reason = excluded.reason THEN c.since ELSE now() END
WHERE (c.status, c.reason, c.message, c.inputs) IS DISTINCT FROM
      (excluded.status, excluded.reason, excluded.message, excluded.inputs)
"""),
        {
            "channel_id": channel_id,
            "type": operation,
            "variant_ids": variant_ids,
            "listing_ids": listing_ids,
            "rows": _json(list(wanted.values())),
        },
    )
    await reflag(conn, listing_ids)


async def reflag(conn: AsyncConnection, listing_ids: Sequence[int]) -> None:
    """Flag the variants that a condition, their own or their listing's, speaks of."""
    await conn.execute(
        text("""
UPDATE listing_variants v SET flagged = NOT v.flagged
WHERE v.listing_id = ANY(:listing_ids) AND v.flagged <> (
    EXISTS (SELECT 1 FROM conditions c WHERE c.object_kind = 'variant' AND c.object_id = v.id)
    OR EXISTS (SELECT 1 FROM conditions c
               WHERE c.object_kind = 'listing' AND c.object_id = v.listing_id))
"""),
        {"listing_ids": list(listing_ids)},
    )


async def set_ambiguous(
    conn: AsyncConnection, ambiguous: Sequence[int], decided: Sequence[int]
) -> None:
    """Of the decided variants that are not linked, exactly these are AMBIGUOUS from now on."""
    await conn.execute(
        text("""
UPDATE listing_variants SET
    link_state = CASE WHEN id = ANY(:ambiguous) THEN 'AMBIGUOUS' ELSE 'UNLINKED' END
WHERE id = ANY(:decided) AND link_state IN ('UNLINKED', 'AMBIGUOUS')
  AND (link_state = 'AMBIGUOUS') <> (id = ANY(:ambiguous))
"""),
        {"ambiguous": list(ambiguous), "decided": list(decided)},
    )


async def guard_counts(conn: AsyncConnection, run_id: int) -> Mapping[GuardKind, int]:
    """Destructive effects a run's plan holds, by kind, in objects."""
    result = await conn.execute(
        text("""
SELECT g AS kind, sum(greatest(1, cardinality(a.variant_ids))) AS objects
FROM actions a, unnest(a.guards) g
WHERE a.run_id = :run_id AND a.state = 'PLANNED' AND NOT a.approved GROUP BY g
"""),
        {"run_id": run_id},
    )
    return {GuardKind(row.kind): int(row.objects) for row in result}


async def mark_slides(conn: AsyncConnection, run_id: int, price_fields: Sequence[str]) -> None:
    """A price that falls by half or more over all that was sent in 24 hours counts as a drop.

    Each step of such a slide is small; together they are what the budget is there for.
    """
    await conn.execute(
        text("""
UPDATE actions a SET guards = a.guards || :kind
WHERE a.run_id = :run_id AND a.kind = 'SYNC' AND a.state = 'PLANNED' AND NOT a.approved
  AND NOT :kind = ANY(a.guards) AND EXISTS (
    SELECT 1 FROM jsonb_array_elements(a.changes) c
    CROSS JOIN LATERAL (
        SELECT max(CAST(substring(coalesce(e -> 'before' ->> 'amount', e ->> 'before')
                              FROM '^[0-9]+(?:[.][0-9]+)?$') AS numeric)) AS most
        FROM actions o CROSS JOIN jsonb_array_elements(o.changes) e
        WHERE o.channel_id = a.channel_id AND o.object_id = a.object_id AND o.kind = 'SYNC'
          AND o.state = 'APPLIED' AND NOT o.approved
          AND o.finished_at > clock_timestamp() - CAST(:window AS interval)
          AND e ->> 'field' = c ->> 'field') earlier
    WHERE c ->> 'field' = ANY(:fields)
      AND CAST(substring(coalesce(c -> 'after' ->> 'amount', c ->> 'after')
                         FROM '^[0-9]+(?:[.][0-9]+)?$') AS numeric)
          <= earlier.most * :share)
"""),
        {
            "run_id": run_id,
            "kind": GuardKind.PRICE_DROP,
            "fields": list(price_fields),
            "share": PRICE_DROP_SHARE,
            "window": GUARDED_FOR,
        },
    )


async def executed_counts(conn: AsyncConnection, channel_id: int) -> Mapping[GuardKind, int]:
    """Destructive effects on the channel in the last 24 hours that no person approved.

    By the database's clock, which wrote when they ended: a worker's clock that jumps ahead would
    forget them all at once.
    """
    result = await conn.execute(
        text("""
SELECT g AS kind, sum(greatest(1, cardinality(a.variant_ids))) AS objects
FROM actions a, unnest(a.guards) g
WHERE a.channel_id = :channel_id AND a.guards <> '{}' AND NOT a.approved
  AND (a.state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')
       OR (a.state = 'APPLIED' AND a.finished_at > clock_timestamp() - CAST(:window AS interval)))
GROUP BY g
"""),
        {"channel_id": channel_id, "window": GUARDED_FOR},
    )
    return {GuardKind(row.kind): int(row.objects) for row in result}


async def linked_count(conn: AsyncConnection, channel_id: int) -> int:
    """Linked variants of a channel, the whole that the guard's share is of."""
    result = await conn.execute(
        text("""
SELECT count(*) FROM listing_variants WHERE channel_id = :channel_id AND link_state = 'LINKED'
"""),
        {"channel_id": channel_id},
    )
    return int(result.scalar_one())


async def refuse(conn: AsyncConnection, run_id: int, refused: Mapping[GuardKind, str]) -> int:
    """Turn the planned rows of the kinds over budget into REFUSED; they wait for approval."""
    total = 0
    for kind, message in refused.items():
        result = await conn.execute(
            text("""
UPDATE actions SET state = 'REFUSED', outcome_code = 'OverBudget', outcome_message = :message
WHERE run_id = :run_id AND state = 'PLANNED' AND NOT approved AND :kind = ANY(guards)
"""),
            {"run_id": run_id, "kind": kind, "message": message},
        )
        total += result.rowcount
    if total:
        await _show_refusals(conn, run_id)
    return total


async def _show_refusals(conn: AsyncConnection, run_id: int) -> None:
    """Say on each variant what waits for approval, and in which run."""
    await conn.execute(
        text("""
WITH refused AS (
    SELECT DISTINCT ON (w.id) a.channel_id, r.operation, w.id AS variant_id, a.kind, a.run_id,
           a.message, a.outcome_message
    FROM actions a JOIN runs r ON r.id = a.run_id
    CROSS JOIN LATERAL unnest(CASE WHEN a.variant_id IS NULL THEN a.variant_ids
                                   ELSE ARRAY[a.variant_id] END) AS w(id)
    WHERE a.run_id = :run_id AND a.state = 'REFUSED' ORDER BY w.id, a.id),
flagged AS (
    UPDATE listing_variants v SET flagged = true FROM refused WHERE v.id = refused.variant_id)
INSERT INTO conditions AS c (channel_id, object_kind, object_id, type, status, reason, message)
SELECT channel_id, 'variant', variant_id, operation, 'ATTENTION', 'WaitsForApproval',
    kind || ' waits for approval in run ' || run_id || ': ' || message || ' ' || outcome_message
FROM refused
ON CONFLICT (object_kind, object_id, type) DO UPDATE SET status = excluded.status,
    reason = excluded.reason, message = excluded.message, inputs = excluded.inputs,
    since = CASE WHEN c.reason = excluded.reason THEN c.since ELSE now() END
"""),
        {"run_id": run_id},
    )


async def clear_approvals(conn: AsyncConnection, run_id: int) -> None:
    """Nothing asks any more for the approval of rows of this run that do not wait for it."""
    cleared = await conn.execute(
        text("""
DELETE FROM conditions c
USING actions a, runs r, listing_variants v
WHERE a.run_id = :run_id AND r.id = a.run_id AND a.state NOT IN ('PLANNED', 'REFUSED')
  AND (v.id = a.variant_id OR v.id = ANY(a.variant_ids))
  AND c.channel_id = a.channel_id AND c.object_kind = 'variant' AND c.object_id = v.id
  AND c.type = r.operation AND c.reason = 'WaitsForApproval' AND NOT EXISTS (
    SELECT 1 FROM actions o JOIN runs s ON s.id = o.run_id
    WHERE o.channel_id = a.channel_id AND o.state = 'REFUSED' AND s.operation = r.operation
      AND o.listing_id = v.listing_id AND (o.variant_id = v.id OR v.id = ANY(o.variant_ids)))
RETURNING v.listing_id
"""),
        {"run_id": run_id},
    )
    await reflag(conn, sorted({row.listing_id for row in cleared}))


async def make_due(
    conn: AsyncConnection, channel_id: int, run_id: int, now: datetime, *, only_approved: bool
) -> tuple[int, int]:
    """Planned writes become due, unless their object has an unfinished action: (due, waiting).

    Of a plan that waited for approval, only the rows that a person approved. Rows of older plans
    that nobody approved and that this plan replaces become STALE.
    """
    await conn.execute(
        text("""
UPDATE actions old SET state = 'STALE', finished_at = now(), outcome_code = 'Superseded',
    outcome_message = 'A newer plan replaces this row'
FROM actions new
WHERE new.run_id = :run_id AND old.channel_id = :channel_id AND old.run_id < :run_id
  AND old.object_id = new.object_id AND old.write_group = new.write_group
  AND old.state IN ('PLANNED', 'REFUSED')
"""),
        {"channel_id": channel_id, "run_id": run_id},
    )
    waiting = await conn.execute(
        text("""
UPDATE actions a SET state = 'STALE', finished_at = now(), outcome_code = 'Unfinished',
    outcome_message = 'An earlier action on the same object has not ended yet; it is planned again'
FROM actions b
WHERE a.run_id = :run_id AND a.state = 'PLANNED' AND (a.approved OR NOT :only_approved)
  AND b.id <> a.id
  AND b.channel_id = a.channel_id AND b.object_id = a.object_id
  AND b.write_group = a.write_group AND b.state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN')
RETURNING a.listing_id
"""),
        {"run_id": run_id, "only_approved": only_approved},
    )
    listing_ids = [row.listing_id for row in waiting]
    await mark_dirty(conn, channel_id, [item for item in listing_ids if item], "Unfinished")
    due = await conn.execute(
        text("""
UPDATE actions SET state = 'DUE', due_at = :now
WHERE run_id = :run_id AND state = 'PLANNED' AND (approved OR NOT :only_approved)
"""),
        {"run_id": run_id, "now": now, "only_approved": only_approved},
    )
    return due.rowcount, len(listing_ids)

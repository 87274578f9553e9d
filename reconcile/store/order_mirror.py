"""The mirror of a channel's orders: what was seen, when, and what became of it.

The writer's side; observations older than what is stored change nothing. What changed is marked to
be decided again (`order_marks`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.contract import Gone, RejectedOrder
from reconcile.core.actions import Standing
from reconcile.core.order_types import OrderDecision
from reconcile.core.remote_order_types import OrderStage, RemoteOrder
from reconcile.core.types import Operation, Value
from reconcile.store.order_codec import remote_order_json

_SEEN = (
    "number, stage, status, payment, currency, total, ordered_at, modified_at, ended_at, lines, "
    "shipping, shipping_keys, fulfillments, is_digital, facets, impediments, withheld, aspects"
)
_MATTERS = (
    "number, stage, status, payment, currency, total, ordered_at, ended_at, lines, shipping, "
    "fulfillments, is_digital, facets, impediments, withheld"
)
"""What makes an order worth deciding again; its mere time of modification does not."""


def _columns(names: str, prefix: str) -> str:
    return ", ".join(f"{prefix}.{name.strip()}" for name in names.split(","))


_OBSERVE = text(f"""
WITH seen AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_id text,
        number text, stage text, status text, payment text, currency text, total numeric,
        ordered_at timestamptz, modified_at timestamptz, ended_at timestamptz, lines jsonb,
        shipping jsonb, shipping_keys text[], fulfillments jsonb, is_digital boolean, facets jsonb,
        impediments jsonb, withheld jsonb, aspects jsonb, personal jsonb)),
known AS (
    SELECT o.id, o.remote_id, o.observed_at > :at AS is_newer,
           o.gone IS NOT NULL OR o.unreadable IS NOT NULL
           OR (o.erased_at IS NULL AND o.personal IS DISTINCT FROM s.personal)
           OR ({_columns(_MATTERS, "o")}) IS DISTINCT FROM ({_columns(_MATTERS, "s")}) AS is_changed
    FROM remote_orders o JOIN seen s ON s.remote_id = o.remote_id
    WHERE o.channel_id = :channel_id ORDER BY o.id FOR UPDATE OF o),
written AS (
    INSERT INTO remote_orders AS o (channel_id, remote_id, {_SEEN}, personal, observed_at,
        first_seen_at, decide, fulfill)
    SELECT :channel_id, s.remote_id, {_columns(_SEEN, "s")}, s.personal, :at, :at, true, false
    FROM seen s LEFT JOIN known k ON k.remote_id = s.remote_id
    WHERE k.id IS NULL OR NOT k.is_newer
    ORDER BY s.ordered_at, s.remote_id
    ON CONFLICT (channel_id, remote_id) DO UPDATE SET
        ({_SEEN}) = ROW({_columns(_SEEN, "excluded")}),
        personal = CASE WHEN o.erased_at IS NULL THEN excluded.personal END,
        observed_at = excluded.observed_at, unreadable = NULL, gone = NULL, gone_at = NULL,
        -- One that another page has brought in this moment is not known, and may have changed.
        decide = o.decide OR NOT EXISTS (
            SELECT 1 FROM known k WHERE k.id = o.id AND NOT k.is_changed),
        fulfill = o.fulfill OR NOT EXISTS (
            SELECT 1 FROM known k WHERE k.id = o.id AND NOT k.is_changed),
        revision = o.revision + CASE WHEN EXISTS (
            SELECT 1 FROM known k WHERE k.id = o.id AND NOT k.is_changed) THEN 0 ELSE 1 END
    WHERE o.observed_at <= excluded.observed_at
    RETURNING o.id, o.remote_id)
SELECT w.id FROM written w LEFT JOIN known k ON k.id = w.id
WHERE k.id IS NULL OR k.is_changed ORDER BY w.id
""")  # noqa: S608 - only constants of this module are put in


async def observe(
    conn: AsyncConnection, channel_id: int, rows: Iterable[RemoteOrder], observed_at: datetime
) -> list[int]:
    """Take in orders as they were seen; the ids of those that are new or have changed.

    Data that retention erased is not taken in again.
    """
    # The same order twice in one answer is one order.
    orders = {order.id: order for order in rows}
    if not orders:
        return []
    given = [remote_order_json(order) for order in orders.values()]
    result = await conn.execute(
        _OBSERVE,
        {"channel_id": channel_id, "at": observed_at, "rows": orjson.dumps(given).decode()},
    )
    changed = [row.id for row in result]
    await _note_texts(conn, channel_id, orders.values())
    return changed


async def lock(conn: AsyncConnection, channel_id: int, remote_ids: Iterable[str]) -> None:
    """Lock what is known of these orders, in the order of ids, as everybody locks several.

    First in a transaction that takes in what is there, what is rejected and what is gone: each of
    the three for itself would lock in another order than a page of the other side does.
    """
    await conn.execute(
        text("""
SELECT id FROM remote_orders WHERE channel_id = :channel_id AND remote_id = ANY(:remote_ids)
ORDER BY id FOR UPDATE
"""),
        {"channel_id": channel_id, "remote_ids": sorted(set(remote_ids))},
    )


async def _note_texts(
    conn: AsyncConnection, channel_id: int, orders: Iterable[RemoteOrder]
) -> None:
    """Remember the shipping texts orders come with, so that a person can choose what to map."""
    texts: dict[str, str] = {}
    for order in orders:
        if order.stage is OrderStage.DRAFT or order.is_digital:
            continue
        for item in order.shipping:
            for key in item.keys:
                texts[key] = item.title
        if not order.shipping:
            texts.setdefault("", "")
    if not texts:
        return
    given = [{"text": key, "title": texts[key]} for key in sorted(texts)]
    await conn.execute(
        text("""
INSERT INTO shipping_texts AS t (channel_id, text, title)
SELECT :channel_id, r.text, r.title
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(text text, title text) ORDER BY r.text
ON CONFLICT (channel_id, text) DO UPDATE SET title = excluded.title, last_seen_at = now()
"""),
        {"channel_id": channel_id, "rows": orjson.dumps(given).decode()},
    )


async def keep_rejected(
    conn: AsyncConnection,
    channel_id: int,
    rejected: Sequence[RejectedOrder],
    observed_at: datetime,
) -> list[int]:
    """Orders that could not be understood stay in sight, with what is wrong with them."""
    if not rejected:
        return []
    given = [
        {"remote_id": item.id, "number": item.number, "message": item.message}
        for item in {item.id: item for item in rejected}.values()
    ]
    result = await conn.execute(
        text("""
INSERT INTO remote_orders AS o (channel_id, remote_id, number, stage, ordered_at, observed_at,
    first_seen_at, unreadable)
SELECT :channel_id, r.remote_id, r.number, 'OPEN', :at, :at, :at, r.message
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_id text, number text, message text)
ORDER BY r.remote_id
ON CONFLICT (channel_id, remote_id) DO UPDATE SET unreadable = excluded.unreadable,
    observed_at = excluded.observed_at, gone = NULL, gone_at = NULL, decide = true, fulfill = true,
    revision = o.revision + 1
WHERE o.observed_at <= excluded.observed_at
  AND (o.gone IS NOT NULL OR o.unreadable IS DISTINCT FROM excluded.unreadable)
RETURNING o.id
"""),
        {"channel_id": channel_id, "at": observed_at, "rows": orjson.dumps(given).decode()},
    )
    # Looked at it was all the same, or it would be read again and again before all others.
    await conn.execute(
        text("""
UPDATE remote_orders SET observed_at = :at
WHERE channel_id = :channel_id AND remote_id = ANY(:remote_ids) AND observed_at < :at
"""),
        {
            "channel_id": channel_id,
            "at": observed_at,
            "remote_ids": sorted({item.id for item in rejected}),
        },
    )
    return [row.id for row in result]


async def mark_gone(
    conn: AsyncConnection, channel_id: int, gone: Mapping[str, Gone], observed_at: datetime
) -> list[int]:
    """A read by id said that these are not there; the ids of those we did not know it of."""
    if not gone:
        return []
    given = [{"remote_id": key, "reason": item.reason} for key, item in gone.items()]
    result = await conn.execute(
        text("""
UPDATE remote_orders o SET gone = r.reason, gone_at = :at, observed_at = :at, decide = true,
    fulfill = true, revision = o.revision + 1
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(remote_id text, reason text)
WHERE o.channel_id = :channel_id AND o.remote_id = r.remote_id AND o.observed_at <= :at
  AND o.gone IS DISTINCT FROM r.reason
RETURNING o.id
"""),
        {"channel_id": channel_id, "at": observed_at, "rows": orjson.dumps(given).decode()},
    )
    return sorted(row.id for row in result)


async def unseen_open(
    conn: AsyncConnection, channel_id: int, before: datetime, after: int, limit: int
) -> Sequence[RowMapping]:
    """Orders that are not finished here and were last seen before a moment: id and their id.

    Finished is what is shipped, closed or canceled; and what was left out and takes nothing off the
    stock. Lists leave out what lies in a trash, so only a read by id shows that it went there.
    """
    result = await conn.execute(
        text("""
SELECT r.id, r.remote_id FROM remote_orders r LEFT JOIN orders o ON o.remote_order_id = r.id
WHERE r.channel_id = :channel_id AND r.id > :after AND r.observed_at < :before AND r.gone IS NULL
  AND CASE WHEN o.id IS NULL THEN r.verdict <> 'SKIPPED' OR EXISTS (
               SELECT 1 FROM deductions d WHERE d.remote_order_id = r.id AND d.left_at IS NULL)
           ELSE o.status IN ('OPEN', 'PARTIALLY_SHIPPED') END
ORDER BY r.id LIMIT :limit
"""),
        {"channel_id": channel_id, "before": before, "after": after, "limit": limit},
    )
    return result.mappings().all()


async def remote_ids(conn: AsyncConnection, ids: Sequence[int]) -> list[str]:
    """Their ids of these orders."""
    result = await conn.execute(
        text("SELECT remote_id FROM remote_orders WHERE id = ANY(:ids) ORDER BY id"),
        {"ids": list(ids)},
    )
    return [row.remote_id for row in result]


async def record_verdicts(conn: AsyncConnection, decided: Mapping[int, OrderDecision]) -> None:
    """What became of each order and why; since when changes only with the reason."""
    if not decided:
        return
    rows = [
        {
            "id": order_id,
            "verdict": decision.verdict,
            "reason": decision.code,
            "message": decision.message,
            "inputs": dict(decision.inputs),
        }
        for order_id, decision in decided.items()
    ]
    await conn.execute(
        text("""
UPDATE remote_orders o SET verdict = r.verdict, reason = r.reason, message = r.message,
    inputs = r.inputs,
    since = CASE WHEN o.verdict = r.verdict AND o.reason = r.reason THEN o.since ELSE now() END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, verdict text, reason text,
    message text, inputs jsonb)
WHERE o.id = r.id
  AND (o.verdict, o.reason, o.message, o.inputs)
      IS DISTINCT FROM (r.verdict, r.reason, r.message, r.inputs)
"""),
        {"rows": orjson.dumps(rows).decode()},
    )


@dataclass(frozen=True, slots=True)
class OrderCondition:
    """What is to be said of an order until the operation decides otherwise."""

    object_id: int
    """Of the remote order."""
    status: Standing
    reason: str
    message: str
    inputs: Mapping[str, Value] = field(default_factory=dict)
    observed_revision: int | None = None


async def record_conditions(
    conn: AsyncConnection,
    channel_id: int,
    operation: Operation,
    ids: Sequence[int],
    said: Sequence[OrderCondition],
) -> None:
    """Keep what is to be said of these orders as conditions of an operation; clear the others."""
    await conn.execute(
        text("""
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(object_id bigint, status text,
        reason text, message text, inputs jsonb, observed_revision bigint)),
cleared AS (
    DELETE FROM conditions c
    WHERE c.type = :type AND c.object_kind = 'order' AND c.object_id = ANY(:ids)
      AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.object_id = c.object_id))
INSERT INTO conditions AS c (channel_id, object_kind, object_id, type, status, reason, message,
    inputs, observed_revision)
SELECT :channel_id, 'order', object_id, :type, status, reason, message, inputs, observed_revision
FROM wanted
ON CONFLICT (object_kind, object_id, type) DO UPDATE SET
    status = excluded.status, reason = excluded.reason, message = excluded.message,
    inputs = excluded.inputs, observed_revision = excluded.observed_revision,
    since = CASE WHEN c.reason = excluded.reason THEN c.since ELSE now() END
"""),
        {
            "channel_id": channel_id,
            "type": operation,
            "ids": list(ids),
            "rows": orjson.dumps(list(said)).decode(),
        },
    )

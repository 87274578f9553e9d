"""State quantities: once per SKU, for all channels; an older statement never undoes a newer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import orjson
import structlog
from sqlalchemy import text

from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.core.types import Side
from reconcile.deps import Deps
from reconcile.store.items import items_by_sku
from reconcile.store.staleness import mark_skus_stale

_log = structlog.get_logger(__name__)

MOST = 1000
"""Statements in one command."""
BASES = ("ON_HAND", "NET_OF_ORDERS")
_AHEAD = timedelta(minutes=5)
"""A statement from the future would shut out every later one; clocks may differ by this much."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The quantity of one SKU as of a moment; None takes an earlier statement back."""

    sku: str
    quantity: int | None
    as_of: datetime | None = None
    """None: now."""
    basis: str = "ON_HAND"
    """ON_HAND: what lies in the warehouse; NET_OF_ORDERS: open orders are already taken off."""
    source: str = "API"


class StatementOutcome(StrEnum):
    """What became of a statement."""

    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    """The quantity was the same; `as_of` moved on."""
    OLDER = "OLDER"
    """A newer statement stands."""


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What became of the statement about one SKU."""

    sku: str
    item_id: int
    outcome: StatementOutcome


STATE = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
    AS g(sku text, quantity integer, as_of timestamptz, basis text, source text)),
known AS (
    SELECT i.* FROM items i JOIN given g ON g.sku = i.sku ORDER BY i.id FOR UPDATE OF i),
written AS (
    INSERT INTO items AS i (sku, stated, as_of, basis, source, stated_by, updated_at)
    SELECT g.sku, g.quantity, g.as_of, g.basis, g.source, :by, :now
    FROM given g LEFT JOIN known k ON k.sku = g.sku
    ORDER BY g.sku
    ON CONFLICT (sku) DO UPDATE SET
        stated = excluded.stated, as_of = excluded.as_of, basis = excluded.basis,
        source = excluded.source, stated_by = excluded.stated_by, updated_at = excluded.updated_at,
        revision = i.revision + CASE WHEN i.stated IS DISTINCT FROM excluded.stated THEN 1 ELSE 0
                                END
    WHERE i.as_of IS NULL OR i.as_of <= excluded.as_of
    RETURNING i.id, i.sku)
SELECT g.sku, coalesce(w.id, k.id) AS id, w.id IS NULL AS is_older,
       k.id IS NULL OR k.stated IS DISTINCT FROM g.quantity OR k.basis <> g.basis AS is_changed
FROM given g LEFT JOIN written w ON w.sku = g.sku LEFT JOIN known k ON k.sku = g.sku
"""
"""States quantities set-based; also used by catalog imports."""


def _problems(statements: Sequence[Statement], now: datetime) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    for index, statement in enumerate(statements):
        path = ("statements", str(index))
        if not statement.sku.strip() or "\x00" in statement.sku:
            problems.append(Problem("INVALID", "A SKU is missing.", (*path, "sku")))
        elif statement.sku in seen:
            message = f"{statement.sku} is stated twice."
            problems.append(Problem("CONFLICT", message, (*path, "sku")))
        seen.add(statement.sku)
        if statement.quantity is not None and not 0 <= statement.quantity < 2**31:
            message = f"{statement.sku}: a quantity is 0 or more."
            problems.append(Problem("INVALID", message, (*path, "quantity")))
        if statement.basis not in BASES:
            message = f"{statement.sku}: basis is one of {', '.join(BASES)}."
            problems.append(Problem("INVALID", message, (*path, "basis")))
        if statement.as_of is not None:
            if statement.as_of.tzinfo is None:
                message = f"{statement.sku}: as_of needs a time zone."
                problems.append(Problem("INVALID", message, (*path, "as_of")))
            elif statement.as_of > now + _AHEAD:
                message = f"{statement.sku}: as_of lies in the future."
                problems.append(Problem("INVALID", message, (*path, "as_of")))
    return problems


async def set_quantities(
    deps: Deps, statements: Sequence[Statement], *, by: str
) -> tuple[StatementResult, ...]:
    """State many quantities at once; the listings of these SKUs become due on every channel."""
    now = deps.clock()
    if len(statements) > MOST:
        raise refuse("TOO_MANY", f"At most {MOST} statements at once.", "statements")
    if problems := _problems(statements, now):
        raise CommandError(*problems)
    rows = [
        {
            "sku": statement.sku,
            "quantity": statement.quantity,
            "as_of": statement.as_of or now,
            "basis": statement.basis,
            "source": statement.source,
        }
        for statement in statements
    ]
    channel_ids: Sequence[int] = ()
    async with deps.engine.begin() as conn:
        found = await conn.execute(
            text(STATE), {"rows": orjson.dumps(rows).decode(), "by": by, "now": now}
        )
        rows_written = found.all()
        # Stated for the first time by somebody else just now: not in sight when this began.
        hidden = [row.sku for row in rows_written if row.id is None]
        raced = await items_by_sku(conn, hidden) if hidden else {}
        results = {
            row.sku: _result(row.sku, row.id or raced[row.sku].id, row.is_older, row.is_changed)
            for row in rows_written
        }
        changed = [
            result.sku for result in results.values() if result.outcome is StatementOutcome.CHANGED
        ]
        if changed:
            channel_ids = await mark_skus_stale(conn, changed, "QuantityStated")
    _log.info("quantities_stated", statements=len(statements), changed=len(changed), by=by)
    for channel_id in channel_ids:
        await deps.doorbell.ring(channel_id, Side.LISTINGS)
    return tuple(results[statement.sku] for statement in statements)


def _result(sku: str, item_id: int, is_older: bool, is_changed: bool) -> StatementResult:
    if is_older:
        return StatementResult(sku, item_id, StatementOutcome.OLDER)
    outcome = StatementOutcome.CHANGED if is_changed else StatementOutcome.UNCHANGED
    return StatementResult(sku, item_id, outcome)

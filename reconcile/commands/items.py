"""State quantities: once per SKU, for all channels; an older statement never undoes a newer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.commands.listing_inputs import checked_sku
from reconcile.core.types import Side
from reconcile.deps import Deps
from reconcile.store.items import StatedItem, WrittenItem, state_quantities
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


def _problems(statements: Sequence[Statement], now: datetime) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, statement in enumerate(statements):
        path = ("statements", str(index))
        # A SKU that no listing can have would be stated and never mean anything.
        if wrong := checked_sku(statement.sku, path):
            problems += wrong
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
    stated = [
        StatedItem(
            sku=statement.sku,
            quantity=statement.quantity,
            as_of=statement.as_of or now,
            basis=statement.basis,
            source=statement.source,
        )
        for statement in statements
    ]
    channel_ids: Sequence[int] = ()
    async with deps.engine.begin() as conn:
        written = await state_quantities(conn, stated, by=by, now=now)
        results = {item.sku: _result(item) for item in written}
        due = [item.sku for item in written if item.is_due]
        if due:
            channel_ids = await mark_skus_stale(conn, due, "QuantityStated")
    _log.info("quantities_stated", statements=len(statements), due=len(due), by=by)
    for channel_id in channel_ids:
        await deps.doorbell.ring(channel_id, Side.LISTINGS)
    return tuple(results[statement.sku] for statement in statements)


def _result(item: WrittenItem) -> StatementResult:
    if item.is_older:
        return StatementResult(item.sku, item.item_id, StatementOutcome.OLDER)
    outcome = StatementOutcome.CHANGED if item.is_changed else StatementOutcome.UNCHANGED
    return StatementResult(item.sku, item.item_id, outcome)

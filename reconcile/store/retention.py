"""Erasing personal data of orders once it is no longer needed (A20), and saying when that will be.

Personal data stands in the two `personal` columns and, as far as it was sent, in the attempts of
the order's actions; of the imprint only the digest of the address goes. What was erased is not
taken in again: whoever stores an observation looks at `erased_at`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.order_types import OrderStatus
from reconcile.core.remote_order_types import OrderVerdict

_ERASING_LOCK = 7_420_312
"""Key of the advisory lock that lets one worker at a time erase."""

_DUE = text("""
SELECT r.id FROM remote_orders r
JOIN channels c ON c.id = r.channel_id AND c.retention_days IS NOT NULL
LEFT JOIN orders o ON o.remote_order_id = r.id
WHERE (r.erased_at IS NULL OR o.id IS NOT NULL AND o.erased_at IS NULL)
  AND CASE WHEN o.status IN ('OPEN', 'PARTIALLY_SHIPPED') THEN NULL
           WHEN o.id IS NOT NULL THEN greatest(o.last_shipped_at, o.canceled_at)
           WHEN r.verdict IN ('SKIPPED', 'UNSAVABLE') THEN coalesce(r.modified_at, r.ordered_at)
      END <= CAST(:now AS timestamptz) - make_interval(secs => c.retention_days * 86400.0)
ORDER BY r.id LIMIT :limit FOR UPDATE OF r SKIP LOCKED
""")

_ERASE_SEEN = text("""
UPDATE remote_orders SET personal = NULL, erased_at = coalesce(erased_at, :now)
WHERE id = ANY(:ids)
""")
_ERASE_IMPORTED = text("""
UPDATE orders SET personal = NULL, erased_at = coalesce(erased_at, :now),
    imprint = CASE WHEN imprint ? 'ship_to' THEN imprint || '{"ship_to": null}' ELSE imprint END
WHERE remote_order_id = ANY(:ids)
""")
# One request may have been about several orders; what it said of the others goes as well.
_ERASE_ATTEMPTS = text("""
UPDATE attempts SET request = NULL, response = NULL
WHERE action_ids && ARRAY(SELECT id FROM actions WHERE order_id = ANY(:ids))
""")


async def erase_due(conn: AsyncConnection, now: datetime, limit: int) -> int:
    """Erase up to `limit` orders whose time has come; how many, 0 where another worker is at it."""
    locked = await conn.execute(
        text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _ERASING_LOCK}
    )
    if not locked.scalar_one():
        return 0
    due = await conn.execute(_DUE, {"now": now, "limit": limit})
    ids = [row.id for row in due]
    if not ids:
        return 0
    await conn.execute(_ERASE_SEEN, {"ids": ids, "now": now})
    await conn.execute(_ERASE_IMPORTED, {"ids": ids, "now": now})
    await conn.execute(_ERASE_ATTEMPTS, {"ids": ids})
    return len(ids)


@dataclass(frozen=True, slots=True)
class Retention:
    """When personal data of an order is erased, or was, in words too."""

    erases_at: datetime | None
    """None: no time is set."""
    erased_at: datetime | None
    message: str


def retention_of(
    days: int | None,
    *,
    status: OrderStatus,
    last_shipped_at: datetime | None,
    canceled_at: datetime | None,
    erased_at: datetime | None,
) -> Retention:
    """What holds for an imported order of a channel that keeps personal data for `days`.

    An order of which something is still to be shipped keeps it: the parcel needs the address.
    """
    if stands := _without_end(days, erased_at):
        return stands
    events = [
        (at, what)
        for at, what in ((last_shipped_at, "last shipment"), (canceled_at, "cancellation"))
        if at is not None
    ]
    if status is OrderStatus.PARTIALLY_SHIPPED:
        message = (
            "Personal data is kept, for units of the order are still to be shipped; it is erased "
            f"{days} days after the last of them has left, or the order is closed or canceled."
        )
        return Retention(None, None, message)
    if not events:
        message = (
            "Personal data is kept, for the order has never shipped and was not canceled; it is "
            f"erased {days} days after the last shipment or the cancellation."
        )
        return Retention(None, None, message)
    return _from(days or 0, *max(events))


def retention_of_remote(
    days: int | None,
    *,
    verdict: OrderVerdict,
    modified_at: datetime | None,
    ordered_at: datetime,
    erased_at: datetime | None,
) -> Retention:
    """What holds for an order that was seen and is not imported."""
    if stands := _without_end(days, erased_at):
        return stands
    if verdict not in (OrderVerdict.SKIPPED, OrderVerdict.UNSAVABLE):
        message = f"Personal data is kept while the order is {verdict}, for it may be imported yet."
        return Retention(None, None, message)
    return _from(days or 0, modified_at or ordered_at, "last change on the channel")


def _without_end(days: int | None, erased_at: datetime | None) -> Retention | None:
    if erased_at is not None:
        return Retention(None, erased_at, f"Personal data was erased on {erased_at:%Y-%m-%d}.")
    if days is None:
        message = "Personal data is kept indefinitely, as the channel is set."
        return Retention(None, None, message)
    return None


def _from(days: int, at: datetime, what: str) -> Retention:
    erases_at = at + timedelta(days=days)
    message = f"Personal data is erased on {erases_at:%Y-%m-%d}, {days} days after the {what}."
    return Retention(erases_at, None, message)

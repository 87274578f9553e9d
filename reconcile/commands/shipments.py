"""Ship by hand what an order still lacks, and take a shipment back that no channel knows of yet.

Nothing is sent from here: a shipment is recorded, and SYNC_ORDERS brings it to the channel.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog
from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.commands.order_changes import (
    LockedOrder,
    call_back,
    decide_again,
    lock_order,
    retake_stock,
    ring,
    send_again,
    write_order,
)
from reconcile.core.actions import Reason
from reconcile.core.fulfilling import check_shipment, shippable
from reconcile.core.order_types import ImportedOrder, Shipment, ShipmentOrigin, ShipmentState
from reconcile.core.remote_order_types import OrderStage
from reconcile.core.shipped import COMPLETED, last_shipped_at, status_of
from reconcile.deps import Deps
from reconcile.store.order_tables import shipment_lines, shipments

_log = structlog.get_logger(__name__)

_AHEAD = timedelta(minutes=5)
"""Clocks differ; a shipment further ahead than this has not left."""
_BEFORE = timedelta(days=1)
"""Who knows the day alone says midnight; a shipment further before its order is a slip."""
LONGEST = 500
"""Characters of a text that goes to a channel."""
MOST = 500
"""Lines that one shipment can name."""


@dataclass(frozen=True, slots=True)
class NewShipmentLine:
    """Units of one line of the order, by our id of the line."""

    line_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class NewShipment:
    """What left, or leaves now, together."""

    order_id: int
    lines: Sequence[NewShipmentLine] | None = None
    """None: all that remains."""
    tracking_number: str = ""
    without_tracking: bool = False
    """There is no tracking number, and that is meant."""
    carrier: str = ""
    service: str = ""
    tracking_url: str = ""
    notify_customer: bool = False
    shipped_at: datetime | None = None
    """None: now."""
    reference: str | None = None
    """The caller's own id of it: recorded once, however often it is asked for."""


def _checked(new: NewShipment, now: datetime) -> NewShipment:
    """The shipment with its texts trimmed, unless something of it can never be right."""
    new = replace(
        new,
        tracking_number=new.tracking_number.strip(),
        carrier=new.carrier.strip(),
        service=new.service.strip(),
        tracking_url=new.tracking_url.strip(),
        reference=None if new.reference is None else new.reference.strip(),
    )
    problems = [
        Problem("INVALID", f"It is one line of text of at most {LONGEST} characters.", (name,))
        for name in ("tracking_number", "carrier", "service", "tracking_url", "reference")
        if (text := getattr(new, name)) is not None
        if not text.isprintable() or len(text) > LONGEST
    ]
    if new.reference == "":
        message = "A reference has at least one character; leave it out to have none."
        problems.append(Problem("INVALID", message, ("reference",)))
    if new.tracking_url and not _is_web_address(new.tracking_url):
        message = "It is an address that begins with https:// or http://."
        problems.append(Problem("INVALID", message, ("tracking_url",)))
    if new.shipped_at is not None and new.shipped_at.tzinfo is None:
        problems.append(Problem("INVALID", "It needs a time zone.", ("shipped_at",)))
    elif new.shipped_at is not None and new.shipped_at > now + _AHEAD:
        problems.append(Problem("INVALID", "It lies in the future.", ("shipped_at",)))
    if new.lines is not None and len(new.lines) > MOST:
        problems.append(Problem("TOO_MANY", f"At most {MOST} lines at once.", ("lines",)))
    if problems:
        raise CommandError(*problems)
    return new


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and " " not in url


def _units(order: LockedOrder, lines: Sequence[NewShipmentLine]) -> Mapping[str, int]:
    """Id of the line on the channel → units; a line named twice is one line."""
    known = {int(line.id): line.remote_id for line in order.imported.lines}
    units: dict[str, int] = {}
    problems: list[Problem] = []
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        if line.line_id not in known:
            message = f"Order {order.number} has no such line."
            problems.append(Problem("NOT_FOUND", message, (*path, "line_id")))
        elif not 0 <= line.quantity < 2**31:
            message = "A quantity is 0 or more units."
            problems.append(Problem("INVALID", message, (*path, "quantity")))
        else:
            remote_id = known[line.line_id]
            units[remote_id] = units.get(remote_id, 0) + line.quantity
    if problems:
        raise CommandError(*problems)
    return units


_PATHS: Mapping[str, tuple[str, ...]] = {
    "TRACKING_MISSING": ("tracking_number",),
    "NOTHING_TO_SHIP": ("lines",),
    "UNKNOWN_LINE": ("lines",),
    "BEYOND_ORDERED": ("lines",),
}


def _problem(reason: Reason) -> Problem:
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", reason.code).upper()
    return Problem(code, f"{reason.message.rstrip('.')}.", _PATHS.get(code, ("order_id",)))


async def ship(deps: Deps, new: NewShipment, *, by: str) -> int:
    """Record a shipment and let SYNC_ORDERS send it; its id.

    Asked again with the same `reference`, it gives back the shipment that stands already.
    """
    now = deps.clock()
    new = _checked(new, now)
    async with deps.engine.begin() as conn:
        order = await lock_order(conn, deps, new.order_id)
        units = None if new.lines is None else _units(order, new.lines)
        known = await _with_reference(conn, order, new, units)
        if known is not None:
            return known
        ordered_at = order.seen.remote.created_at
        if new.shipped_at is not None and new.shipped_at < ordered_at - _BEFORE:
            message = (
                f"Nothing leaves before it was ordered, which was {ordered_at:%Y-%m-%d %H:%M %Z}."
            )
            raise refuse("INVALID", message, "shipped_at")
        reasons = check_shipment(order.seen, units, new.tracking_number, new.without_tracking)
        if reasons:
            raise CommandError(*map(_problem, reasons))
        chosen = shippable(order.seen) if units is None else units
        leaving = {line: number for line, number in chosen.items() if number > 0}
        shipped_at = new.shipped_at or now
        shipment_id = await _insert(conn, order, new, leaving, shipped_at, by)
        made = Shipment(
            id=str(shipment_id),
            origin=ShipmentOrigin.OURS,
            state=ShipmentState.RECORDED,
            lines=leaving,
            shipped_at=shipped_at,
        )
        imported = replace(order.imported, shipments=(*order.imported.shipments, made))
        await _count(conn, order, imported)
        await send_again(conn, order)
        stock = await retake_stock(conn, order)
    _log.info(
        "shipment_recorded",
        shipment_id=shipment_id,
        order_id=order.id,
        units=sum(leaving.values()),
        by=by,
    )
    await ring(deps, order.channel.id, stock)
    return shipment_id


async def _with_reference(
    conn: AsyncConnection, order: LockedOrder, new: NewShipment, units: Mapping[str, int] | None
) -> int | None:
    """The shipment recorded under the reference; refused where it is about something else."""
    if new.reference is None:
        return None
    statement = select(shipments).where(
        shipments.c.order_id == order.id, shipments.c.reference == new.reference
    )
    row = (await conn.execute(statement)).mappings().one_or_none()
    if row is None:
        return None
    shipment_id: int = row["id"]
    if row["state"] == ShipmentState.VOID:
        message = (
            f"Shipment {shipment_id} of this reference was taken back; to ship again, use another "
            "reference."
        )
        raise refuse("CONFLICT", message, "reference")
    stands = next(item for item in order.imported.shipments if item.id == str(shipment_id))
    wanted = None if units is None else {line: number for line, number in units.items() if number}
    if new.tracking_number != row["tracking_number"] or wanted not in (None, dict(stands.lines)):
        message = (
            f"Shipment {shipment_id} has this reference and another content; to ship something "
            "else, use another reference."
        )
        raise refuse("CONFLICT", message, "reference")
    return shipment_id


async def _insert(
    conn: AsyncConnection,
    order: LockedOrder,
    new: NewShipment,
    units: Mapping[str, int],
    shipped_at: datetime,
    by: str,
) -> int:
    values = {
        "channel_id": order.channel.id,
        "order_id": order.id,
        "origin": ShipmentOrigin.OURS,
        "state": ShipmentState.RECORDED,
        "reference": new.reference,
        "tracking_number": new.tracking_number,
        "carrier": new.carrier,
        "service": new.service,
        "tracking_url": new.tracking_url,
        "notify_customer": new.notify_customer,
        "shipped_at": shipped_at,
        "created_by": by,
    }
    made = await conn.execute(insert(shipments).values(values).returning(shipments.c.id))
    shipment_id: int = made.scalar_one()
    ours = {line.remote_id: int(line.id) for line in order.imported.lines}
    await conn.execute(
        insert(shipment_lines),
        [
            {"shipment_id": shipment_id, "order_line_id": ours[line], "quantity": number}
            for line, number in units.items()
        ],
    )
    return shipment_id


async def _count(conn: AsyncConnection, order: LockedOrder, imported: ImportedOrder) -> None:
    """Where the order stands with these shipments, and when something left last."""
    await write_order(
        conn,
        order,
        status=status_of(imported, order.seen.remote, order.seen.gone),
        last_shipped_at=last_shipped_at(imported),
    )


async def void_shipment(deps: Deps, shipment_id: int, *, by: str) -> None:
    """Take back a shipment of which nothing has left for the channel; its units can leave again."""
    async with deps.engine.begin() as conn:
        order_id = await _order_of(conn, shipment_id)
        order = await lock_order(conn, deps, order_id)
        locked = select(shipments).where(shipments.c.id == shipment_id).with_for_update()
        row = (await conn.execute(locked)).mappings().one()
        _refuse_unvoidable(row, is_open=order.seen.remote.stage is OrderStage.OPEN)
        left = await call_back(
            conn,
            order.channel.id,
            [str(shipment_id)],
            "Voided",
            f"The shipment was taken back by {by} before this was sent",
        )
        if left:
            message = (
                f"Shipment {shipment_id} is on its way to the channel; wait until it is known "
                "whether it got there."
            )
            raise refuse("WRONG_STATE", message, "shipment_id")
        await conn.execute(
            update(shipments)
            .where(shipments.c.id == shipment_id)
            .values(state=ShipmentState.VOID, revision=shipments.c.revision + 1)
        )
        kept = tuple(
            replace(item, state=ShipmentState.VOID) if item.id == str(shipment_id) else item
            for item in order.imported.shipments
        )
        imported = replace(order.imported, shipments=kept)
        await _count(conn, order, imported)
        await decide_again(conn, order)
        await send_again(conn, order)
        stock = await retake_stock(conn, order)
    _log.info("shipment_voided", shipment_id=shipment_id, order_id=order.id, by=by)
    await ring(deps, order.channel.id, stock)


async def _order_of(conn: AsyncConnection, shipment_id: int) -> int:
    statement = select(shipments.c.order_id).where(shipments.c.id == shipment_id)
    order_id: int | None = (await conn.execute(statement)).scalar_one_or_none()
    if order_id is None:
        raise refuse("NOT_FOUND", "There is no such shipment.", "shipment_id")
    return order_id


def _refuse_unvoidable(row: RowMapping, *, is_open: bool) -> None:
    if row["origin"] != ShipmentOrigin.OURS:
        # What was concluded from the status there may be taken back once the order is open again;
        # nobody but a person can tell whether the goods have left all the same.
        ids = row["remote_ids"]
        concluded = bool(ids) and all(each.startswith(COMPLETED) for each in ids)
        if concluded and is_open and row["state"] == ShipmentState.PUSHED:
            return
        message = "This shipment was made on the channel; take it back there."
        raise refuse("WRONG_STATE", message, "shipment_id")
    match row["state"]:
        case ShipmentState.RECORDED:
            return
        case ShipmentState.VOID:
            message = f"Shipment {row['id']} was taken back already."
        case _:
            message = (
                f"Shipment {row['id']} is on the channel already; what it became there can only "
                "be taken back there."
            )
    raise refuse("WRONG_STATE", message, "shipment_id")

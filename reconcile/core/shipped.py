"""What of an order has left and what remains, by line and units.

Pure. Three books are read together: shipments recorded here, fulfillments seen on the channel, and
the order's own stage there. Nothing is decided here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from reconcile.core.order_types import (
    ImportedOrder,
    OrderStatus,
    SeenOrder,
    Shipment,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.remote_order_types import OrderStage, RemoteFulfillment, RemoteOrder

COMPLETED = "completed"
"""Begins the id of what is taken to have left because the channel calls the order completed."""


def is_canceled(seen: SeenOrder) -> bool:
    """Whether the channel says that nothing more of it is to leave: canceled, or not there."""
    return seen.gone is not None or seen.remote.stage is OrderStage.CANCELED


def ships(remote: RemoteOrder) -> bool:
    """Whether anything of the order is to be shipped at all."""
    return not remote.is_digital and any(
        line.quantity > line.canceled and not line.is_digital for line in remote.lines
    )


def units_ordered(order: ImportedOrder) -> Mapping[str, int]:
    """Line of the channel → units to be shipped as imported; digital lines are not there."""
    return {
        line.remote_id: max(0, line.quantity - line.canceled)
        for line in order.lines
        if not line.is_digital
    }


def units_seen(remote: RemoteOrder) -> Mapping[str, int]:
    """Line → units to be shipped as last seen; digital lines are not there."""
    if remote.is_digital:
        return {}
    return {
        line.id: max(0, line.quantity - line.canceled)
        for line in remote.lines
        if not line.is_digital
    }


def units_shipped(order: ImportedOrder) -> Counter[str]:
    """Line → units in shipments of either side that were not taken back."""
    shipped: Counter[str] = Counter()
    for shipment in standing(order):
        shipped.update(shipment.lines)
    return shipped


def standing(order: ImportedOrder) -> tuple[Shipment, ...]:
    """The shipments that count: all but those that were taken back, in the order of their ids."""
    return tuple(
        sorted(
            (item for item in order.shipments if item.state is not ShipmentState.VOID),
            key=lambda item: (len(item.id), item.id),
        )
    )


def last_shipped_at(order: ImportedOrder) -> datetime | None:
    """When something of the order left last; None: nothing has."""
    return max((item.shipped_at for item in standing(order)), default=None)


def remaining(order: ImportedOrder) -> Mapping[str, int]:
    """Line of the channel → units that have not left; never negative, digital lines left out.

    A shipment that names no lines takes nothing off: how much left is then known only when the
    channel says that the order is completed.
    """
    shipped = units_shipped(order)
    return {line: max(0, units - shipped[line]) for line, units in units_ordered(order).items()}


def status_of(order: ImportedOrder, remote: RemoteOrder, gone: str | None) -> OrderStatus:
    """Where an imported order stands; one that a person closed stays closed.

    An order of which nothing is to be shipped is done when the channel says so. What has left whole
    stays shipped, though it is refunded or thrown away there afterwards.
    """
    if order.status is OrderStatus.CLOSED:
        return OrderStatus.CLOSED
    if gone is not None or remote.stage is OrderStage.CANCELED:
        is_over = bool(standing(order)) and not any(remaining(order).values())
        return OrderStatus.SHIPPED if is_over else OrderStatus.CANCELED
    if not remote.is_digital and any(remaining(order).values()):
        return OrderStatus.PARTIALLY_SHIPPED if standing(order) else OrderStatus.OPEN
    if standing(order) or remote.stage is OrderStage.COMPLETED:
        return OrderStatus.SHIPPED
    return OrderStatus.OPEN


def channel_shipments(seen: SeenOrder) -> tuple[RemoteFulfillment, ...]:
    """What left by the channel's own hand and is not recorded yet, each with a time.

    A fulfillment is ours if its id is one of ours, or if it carries the tracking number of a
    shipment of ours and names nothing else: somebody typed in there what was recorded here. While
    one of ours is on its way, nobody can tell whose a new one is, so none is given.

    A fulfillment that names no lines is given with none: that something left is known, how much of
    it is not. The channel's word that all has left settles it: what is left over then is given as
    one more, called `completed`, unless a person closed the order here.
    """
    order = seen.imported
    if order is not None and any(item.busy is not None for item in order.shipments):
        return ()
    new = fulfillments_of_theirs(seen)
    shipped = Counter[str]() if order is None else units_shipped(order)
    for item in new:
        shipped.update(item.lines or {})
    rest = _rest_of_completed(seen, shipped)
    return new if rest is None else (*new, rest)


def fulfillments_of_theirs(seen: SeenOrder) -> tuple[RemoteFulfillment, ...]:
    """Fulfillments that are neither ours nor recorded; without what `completed` stands for."""
    order, remote = seen.imported, seen.remote
    known = frozenset(
        units_seen(remote) if order is None else units_ordered(order).keys() | units_seen(remote)
    )
    shipments = () if order is None else order.shipments
    recorded = {one for item in shipments for one in item.remote_ids}
    seen_ids = frozenset(item.id for item in remote.fulfillments)
    at = _time_of_leaving(seen)
    return tuple(
        replace(
            item,
            lines={
                line: units
                for line, units in sorted((item.lines or {}).items())
                if units > 0 and line in known
            },
            shipped_at=item.shipped_at or at,
        )
        for _, item in sorted({item.id: item for item in remote.fulfillments}.items())
        if item.id not in recorded and not any(_is_same(item, ours, seen_ids) for ours in shipments)
    )


def has_left(seen: SeenOrder) -> bool:
    """Whether anything left, by whoever's hand; an order called completed alone says nothing."""
    recorded = () if seen.imported is None else standing(seen.imported)
    return bool(recorded) or bool(fulfillments_of_theirs(seen))


def may_leave(seen: SeenOrder) -> bool:
    """Whether anything could still leave, by our copy or by what is seen, or is to be sent."""
    order = seen.imported
    if order is None:
        return ships(seen.remote)
    if any(item.state is ShipmentState.RECORDED for item in order.shipments):
        return True
    shipped = units_shipped(order)
    now = {} if is_canceled(seen) else units_seen(seen.remote)
    return any(remaining(order).values()) or any(
        units > shipped[line] for line, units in now.items()
    )


def _is_same(theirs: RemoteFulfillment, ours: Shipment, seen_ids: frozenset[str]) -> bool:
    # A shipment of ours that is there under an id of its own is not there once more.
    number = theirs.tracking_number.strip().casefold()
    return (
        ours.origin is ShipmentOrigin.OURS
        and ours.state is not ShipmentState.VOID
        and number != ""
        and number == ours.tracking_number.strip().casefold()
        and not seen_ids.intersection(ours.remote_ids)
        and all(units <= ours.lines.get(line, 0) for line, units in (theirs.lines or {}).items())
    )


def _rest_of_completed(seen: SeenOrder, shipped: Mapping[str, int]) -> RemoteFulfillment | None:
    order, remote = seen.imported, seen.remote
    if remote.stage is not OrderStage.COMPLETED or seen.gone is not None:
        return None
    if order is not None and order.status is OrderStatus.CLOSED:
        return None
    wanted = units_seen(remote)
    if order is not None and has_left(seen):
        # Our copy stays as imported; what is new there, or canceled, is not what left.
        ours = units_ordered(order)
        wanted = {line: min(units, ours[line]) for line, units in wanted.items() if line in ours}
    lines = {
        line: units - shipped.get(line, 0)
        for line, units in sorted(wanted.items())
        if units > shipped.get(line, 0)
    }
    if not lines:
        return None
    recorded = () if order is None else order.shipments
    taken = {one for item in recorded for one in item.remote_ids}
    name, number = COMPLETED, 1
    while name in taken:
        number += 1
        name = f"{COMPLETED}-{number}"
    return RemoteFulfillment(name, lines, shipped_at=_time_of_leaving(seen))


def _time_of_leaving(seen: SeenOrder) -> datetime:
    # The latest time that is known: too late a time takes units off a count they were not in any
    # more, too early a time sells them twice.
    return seen.remote.ended_at or seen.remote.modified_at or seen.first_seen_at

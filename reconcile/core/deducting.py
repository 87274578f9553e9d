"""Which units of an order are taken off what is stated, and until when.

Pure. Every order that was seen counts, imported or not, paid or not; canceled ones do not. Units
that left count until a statement was made after they had.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconcile.core.order_types import OrderStatus, SeenOrder
from reconcile.core.remote_order_types import OrderStage, RemoteOrderLine
from reconcile.core.shipped import channel_shipments, is_canceled, standing


class Basis(StrEnum):
    """What a stated quantity counts."""

    ON_HAND = "ON_HAND"
    """What lies on the shelf: units that had not left at `as_of` are deducted."""
    NET_OF_ORDERS = "NET_OF_ORDERS"
    """Already net of orders: units of orders created after `as_of` are deducted."""


@dataclass(frozen=True, slots=True)
class DeductedUnits:
    """Units of one order line that are taken off what is stated, until they are counted as left."""

    line_id: str
    sku: str
    units: int
    ordered_at: datetime
    left_at: datetime | None
    """When they left; None: they are still on the shelf."""


def deductions_of(seen: SeenOrder) -> tuple[DeductedUnits, ...]:
    """The units of one order that are taken off its SKUs, in portions by when they left.

    What was shipped counts whatever became of the order since: it is not on the shelf. Units of
    digital lines leave when they are ordered. A line without a SKU takes nothing off anything. An
    order that could not be understood counts as it was seen last.
    """
    skus = _skus(seen)
    found: Counter[tuple[str, datetime | None]] = Counter()
    for line, units, left_at in (*_left(seen), *_on_shelf(seen)):
        found[line, left_at] += units
    return tuple(
        DeductedUnits(line, skus[line], units, seen.remote.created_at, left_at)
        for (line, left_at), units in sorted(
            found.items(), key=lambda item: (item[0][0], item[0][1] is not None, str(item[0][1]))
        )
        if units > 0 and line in skus
    )


def counts(portion: DeductedUnits, basis: Basis, as_of: datetime) -> bool:
    """Whether these units are taken off a quantity that was stated so at that time."""
    match basis:
        case Basis.ON_HAND:
            return portion.left_at is None or portion.left_at > as_of
        case Basis.NET_OF_ORDERS:
            return portion.ordered_at > as_of


def deducted(units: Iterable[DeductedUnits], basis: Basis, as_of: datetime) -> int:
    """How much is taken off a quantity that was stated so at that time."""
    return sum(portion.units for portion in units if counts(portion, basis, as_of))


def _left(seen: SeenOrder) -> Iterator[tuple[str, int, datetime | None]]:
    if seen.imported is not None:
        for shipment in standing(seen.imported):
            for line, units in shipment.lines.items():
                yield line, units, shipment.shipped_at
    for item in channel_shipments(seen):
        for line, units in (item.lines or {}).items():
            yield line, units, item.shipped_at


def _on_shelf(seen: SeenOrder) -> Iterator[tuple[str, int, datetime | None]]:
    is_open = seen.remote.stage in (OrderStage.OPEN, OrderStage.COMPLETED)
    is_closed = seen.imported is not None and seen.imported.status is OrderStatus.CLOSED
    if not is_open or is_canceled(seen) or is_closed:
        return
    shipped: Counter[str] = Counter()
    for line, units, _ in _left(seen):
        shipped[line] += units
    for item in seen.remote.lines:
        units = max(0, item.quantity - item.canceled - shipped[item.id])
        digital = item.is_digital or seen.remote.is_digital
        yield item.id, units, seen.remote.created_at if digital else None


def _skus(seen: SeenOrder) -> dict[str, str]:
    """Line → SKU of the listing variant it is of, else its own, else the one it was imported with.

    Also of lines gone since.
    """
    imported = () if seen.imported is None else seen.imported.lines
    skus = {line.remote_id: line.sku or "" for line in imported}
    named = {line.id: _sku(seen, line) for line in seen.remote.lines}
    skus.update({line: sku for line, sku in named.items() if sku.strip()})
    return {line: sku for line, sku in skus.items() if sku.strip()}


def _sku(seen: SeenOrder, line: RemoteOrderLine) -> str:
    return seen.skus.get(line.id) or line.sku or ""

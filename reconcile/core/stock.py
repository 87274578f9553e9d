"""Stated, deducted, buffer, cap → the quantity a channel is told, with the arithmetic in words.

Pure. Which orders are deducted is decided where orders are seen; here are the sum and the words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from reconcile.core.deducting import Basis, DeductedUnits, counts
from reconcile.core.types import ZeroCause
from reconcile.core.wording import in_units, in_utc

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class StockDecision:
    """The wanted quantity and how it came about."""

    quantity: int | None
    """None where nobody stated one: then nothing is sent."""
    zero_cause: ZeroCause = ZeroCause.STATEMENT
    """Only of interest at quantity 0: orders took the last unit, or a statement or setting did."""
    steps: tuple[str, ...] = ()
    """The arithmetic as sentences, in the order it was done."""


@dataclass(frozen=True, slots=True)
class OrderedUnits:
    """Units one order takes off a quantity, with what people call the order."""

    number: str
    channel: str
    """Name of the channel it came from."""
    portion: DeductedUnits


def wanted_quantity(
    stated: int | None, deducted: int, buffer: int, cap: int | None, own: int | None
) -> StockDecision:
    """max(0, stated - deducted - buffer), at most the cap; a variant's own statement goes first."""
    base = stated if own is None else own
    if base is None:
        return StockDecision(
            None,
            steps=("No quantity is stated for this SKU, so none is sent: unknown is not zero",),
        )
    source = "stated" if own is None else "stated for this listing"
    quantity = _bounded(base - deducted - buffer, cap)
    cause = ZeroCause.STATEMENT
    if quantity == 0 and _bounded(base - buffer, cap) > 0:
        cause = ZeroCause.SOLD_OUT
    return StockDecision(quantity, cause, _steps(base, source, deducted, buffer, cap, quantity))


def explain_basis(basis: Basis, as_of: datetime) -> str:
    """What a stated quantity counts, and so which orders are taken off it."""
    match basis:
        case Basis.ON_HAND:
            return (
                f"The statement counts what was on hand on {in_utc(as_of)}: units of orders that "
                "had not left by then are deducted"
            )
        case Basis.NET_OF_ORDERS:
            return (
                f"The statement of {in_utc(as_of)} is net of orders already: only units of orders "
                "created after it are deducted"
            )
        case _:
            assert_never(basis)


def explain_deductions(
    portions: Iterable[OrderedUnits], basis: Basis, as_of: datetime, limit: int = 20
) -> tuple[str, ...]:
    """What is deducted, down to the orders: the rule first, then the newest orders it counts."""
    counted = sorted(
        (item for item in portions if counts(item.portion, basis, as_of)),
        key=lambda item: (item.portion.ordered_at, item.channel, item.number, item.portion.line_id),
        reverse=True,
    )
    lines = [_ordered(item, basis) for item in counted[:limit]]
    rest = counted[limit:]
    if rest:
        left_out = in_units(sum(item.portion.units for item in rest))
        more = "1 more order line" if len(rest) == 1 else f"{len(rest)} more order lines"
        lines.append(f"And {left_out} of {more}")
    return (explain_basis(basis, as_of), *lines)


def _ordered(item: OrderedUnits, basis: Basis) -> str:
    portion = item.portion
    said = f"Order {item.number} on {item.channel}: {in_units(portion.units)}"
    if basis is Basis.NET_OF_ORDERS:
        return f"{said}, ordered on {in_utc(portion.ordered_at)}"
    if portion.left_at is None:
        return f"{said}, not shipped"
    return f"{said}, left on {in_utc(portion.left_at)}, after the statement"


def _bounded(quantity: int, cap: int | None) -> int:
    bounded = max(0, quantity)
    return bounded if cap is None else min(bounded, max(0, cap))


def _steps(
    base: int, source: str, deducted: int, buffer: int, cap: int | None, quantity: int
) -> tuple[str, ...]:
    terms = [f"{base} {source}"]
    if deducted:
        terms.append(f"{_MINUS} {deducted} deducted by orders")
    if buffer:
        terms.append(f"{_MINUS} {buffer} buffer")
    left = base - deducted - buffer
    steps = [f"{' '.join(terms)} = {left}"]
    if left < 0:
        steps.append("Never below 0")
    if cap is not None and quantity < max(0, left):
        steps.append(f"At most {quantity} are shown on this channel")
    return tuple(steps)

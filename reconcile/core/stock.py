"""Stated, deducted, buffer, cap → the quantity a channel is told, with the arithmetic in words.

Pure. Which orders are deducted is decided where orders are seen; here is only the sum.
"""

from dataclasses import dataclass

from reconcile.core.types import ZeroCause

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

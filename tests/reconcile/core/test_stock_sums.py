"""From what is stated to what a channel is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.stock import wanted_quantity
from reconcile.core.types import ZeroCause

units = st.integers(0, 20)
maybe = st.none() | units


@pytest.mark.parametrize(
    ("stated", "deducted", "buffer", "cap", "own", "quantity"),
    [
        (12, 5, 4, None, None, 3),
        (12, 0, 0, None, None, 12),
        (12, 5, 4, 2, None, 2),
        (12, 15, 0, None, None, 0),
        (None, 5, 4, 2, None, None),
        (12, 1, 1, None, 7, 5),
        (None, 0, 0, None, 7, 7),
        (0, 0, 0, None, None, 0),
        (5, 0, 0, 0, None, 0),
    ],
)
def test_sums(
    stated: int | None,
    deducted: int,
    buffer: int,
    cap: int | None,
    own: int | None,
    quantity: int | None,
) -> None:
    """The rows of the table come out."""
    assert wanted_quantity(stated, deducted, buffer, cap, own).quantity == quantity


def test_the_sum_is_shown() -> None:
    """The steps are the arithmetic a person would check."""
    decision = wanted_quantity(12, 5, 4, 2, None)
    minus = "\N{MINUS SIGN}"
    assert decision.steps == (
        f"12 stated {minus} 5 deducted by orders {minus} 4 buffer = 3",
        "At most 2 are shown on this channel",
    )
    assert wanted_quantity(1, 2, 0, None, None).steps[-1] == "Never below 0"
    assert "unknown is not zero" in wanted_quantity(None, 0, 0, None, None).steps[0]


@pytest.mark.parametrize(
    ("stated", "deducted", "buffer", "cap", "cause"),
    [
        (5, 5, 0, None, ZeroCause.SOLD_OUT),
        (5, 3, 2, None, ZeroCause.SOLD_OUT),
        (0, 3, 0, None, ZeroCause.STATEMENT),
        (3, 3, 3, None, ZeroCause.STATEMENT),
        (5, 5, 0, 0, ZeroCause.STATEMENT),
    ],
)
def test_who_took_the_last_unit(
    stated: int, deducted: int, buffer: int, cap: int | None, cause: ZeroCause
) -> None:
    """Sold out is what would be for sale without the orders; anything else is a statement."""
    decision = wanted_quantity(stated, deducted, buffer, cap, None)
    assert decision.quantity == 0
    assert decision.zero_cause is cause


@given(maybe, units, units, maybe, maybe)
def test_never_negative_never_from_nothing(
    stated: int | None, deducted: int, buffer: int, cap: int | None, own: int | None
) -> None:
    """A quantity comes from a statement only, and lies between zero and what was stated or cap."""
    quantity = wanted_quantity(stated, deducted, buffer, cap, own).quantity
    base = stated if own is None else own
    assert (quantity is None) is (base is None)
    if quantity is not None and base is not None:
        assert 0 <= quantity <= base
        assert cap is None or quantity <= cap


@given(units, units, units, maybe, units)
def test_an_order_never_raises_a_quantity(
    stated: int, deducted: int, buffer: int, cap: int | None, more: int
) -> None:
    """The more is deducted, the less is told."""
    before = wanted_quantity(stated, deducted, buffer, cap, None).quantity
    after = wanted_quantity(stated, deducted + more, buffer, cap, None).quantity
    assert before is not None
    assert after is not None
    assert after <= before

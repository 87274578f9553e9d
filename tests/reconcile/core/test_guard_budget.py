"""The budget for destructive effects."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.actions import ActionKind, GuardKind
from reconcile.core.context import PlanContext
from reconcile.core.guard import GuardLimits, assess, effects, without
from reconcile.core.listings import plan_listing
from reconcile.core.types import Presence, Variant, ZeroCause
from tests.reconcile.core.samples import PRICE, QUANTITY, context, linked, listing, remote


@pytest.mark.parametrize(
    ("planned", "executed", "linked_count", "allowed"),
    [
        (10, 0, 0, True),
        (11, 0, 0, False),
        (11, 0, 220, True),
        (11, 0, 219, False),
        (6, 5, 100, False),
        (50, 0, 1000, True),
        (51, 0, 1000, False),
        (1000, 0, 100_000, True),
        (1001, 0, 100_000, False),
        (1, 1000, 100_000, False),
    ],
)
def test_budgets(planned: int, executed: int, linked_count: int, *, allowed: bool) -> None:
    """Over 10 and over 5 %, or over 1,000, with what was done in the last 24 hours."""
    verdict = assess(
        Counter({GuardKind.DELIST: planned}), Counter({GuardKind.DELIST: executed}), linked_count
    )[GuardKind.DELIST]
    assert verdict.allowed is allowed
    for number in (planned, executed, linked_count, verdict.limit):
        assert str(number) in verdict.message
    assert ("approval" in verdict.message) is not allowed


@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(0, 100_000))
def test_the_rule_in_words(planned: int, executed: int, linked_count: int) -> None:
    """The verdict is the sentence of the design, whatever the numbers."""
    total = planned + executed
    over = (total > 10 and total > Decimal("0.05") * linked_count) or total > 1000
    verdicts = assess(
        Counter({GuardKind.HIDE: planned}), Counter({GuardKind.HIDE: executed}), linked_count
    )
    assert verdicts[GuardKind.HIDE].allowed is not over


def test_kinds_are_counted_apart() -> None:
    """A kind over budget holds back no other kind."""
    planned = Counter({GuardKind.HIDE: 99, GuardKind.DELIST: 1, GuardKind.PRICE_DROP: 0})
    verdicts = assess(planned, Counter(), 0, GuardLimits())
    assert {kind: item.allowed for kind, item in verdicts.items()} == {
        GuardKind.HIDE: False,
        GuardKind.DELIST: True,
    }


def test_a_listing_counts_with_its_variants() -> None:
    """Ending a product of two variants is two delistings, not one."""
    first = linked(presence=Presence.DELISTED)
    second = linked(
        remote(ref=replace(remote().ref, variant="p1v2")), id="2", presence=Presence.DELISTED
    )
    plan = plan_listing(listing(first, second), context())
    assert [action.variant_ids for action in plan.actions] == [("1", "2")]
    assert effects(plan.actions) == Counter({GuardKind.DELIST: 2})


def _sync(variant: Variant, settings: PlanContext) -> tuple[GuardKind, ...]:
    (action,) = plan_listing(listing(variant), settings).actions
    assert action.kind is ActionKind.SYNC
    return action.guards


@pytest.mark.parametrize(
    ("seen", "wanted", "guarded"),
    [
        ("10", "5", True),
        ("10", "5.01", False),
        ("10", "0", True),
        ("9.99", "4.995", True),
        ("0", "5", False),
        (None, "5", False),
        ({"amount": "10", "currency": "EUR"}, {"amount": "4", "currency": "EUR"}, True),
    ],
)
def test_price_drops(seen: object, wanted: object, *, guarded: bool) -> None:
    """A price that falls by half or more is destructive, exactly at the half too."""
    variant = linked(remote(seen={PRICE: seen}), wanted={PRICE: wanted})
    expected = (GuardKind.PRICE_DROP,) if guarded else ()
    assert _sync(variant, context()) == expected


@pytest.mark.parametrize(
    ("seen", "cause", "guarded"),
    [
        (5, ZeroCause.STATEMENT, True),
        (5, ZeroCause.SOLD_OUT, False),
        (None, ZeroCause.STATEMENT, True),
        (-2, ZeroCause.STATEMENT, False),
    ],
)
def test_quantities_to_zero(seen: int | None, cause: ZeroCause, *, guarded: bool) -> None:
    """Zero by a statement is destructive, sold out is not; unknown before counts as some."""
    variant = linked(remote(seen={QUANTITY: seen}), wanted={QUANTITY: 0}, zero_cause=cause)
    expected = (GuardKind.QUANTITY_TO_ZERO,) if guarded else ()
    assert _sync(variant, context()) == expected


def test_a_refused_price_does_not_hold_back_sold_out() -> None:
    """What the guard does not refuse of an action can still go, so that nothing is oversold."""
    settings = context(write_groups={PRICE: "row", QUANTITY: "row"})
    variant = linked(wanted={PRICE: "1", QUANTITY: 0}, zero_cause=ZeroCause.SOLD_OUT)
    (action,) = plan_listing(listing(variant), settings).actions
    assert action.guards == (GuardKind.PRICE_DROP,)
    rest = without(action, {GuardKind.PRICE_DROP}, settings)
    assert rest is not None
    assert [change.field for change in rest.changes] == [QUANTITY]
    assert rest.guards == ()
    assert rest.key != action.key
    alone = linked(wanted={QUANTITY: 0}, zero_cause=ZeroCause.SOLD_OUT)
    (same,) = plan_listing(
        listing(alone, variants=(replace(alone, wanted={QUANTITY: 0}),)), settings
    ).actions
    assert (rest.key, rest.input_hash) == (same.key, same.input_hash)


def test_nothing_is_left_of_a_wholly_refused_action() -> None:
    """An action that is refused entirely has no rest, nor has one that is not refused."""
    settings = context(write_groups={PRICE: "row", QUANTITY: "row"})
    variant = linked(wanted={PRICE: "1", QUANTITY: 0})
    (action,) = plan_listing(listing(variant), settings).actions
    both = {GuardKind.PRICE_DROP, GuardKind.QUANTITY_TO_ZERO}
    assert set(action.guards) == both
    assert without(action, both, settings) is None
    assert without(action, {GuardKind.DELIST}, settings) is None
    rest = without(action, {GuardKind.PRICE_DROP}, settings)
    assert rest is not None
    assert rest.guards == (GuardKind.QUANTITY_TO_ZERO,)

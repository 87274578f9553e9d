"""Plans come to rest: nothing is repeated in vain, and order changes nothing."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.actions import (
    Action,
    ActionKind,
    Plan,
)
from reconcile.core.codes import Code
from reconcile.core.context import PlanContext
from reconcile.core.listings import pair, plan_listing, plan_world
from reconcile.core.predict import apply
from reconcile.core.types import (
    Failure,
    Listing,
    Operation,
    Presence,
)
from reconcile.core.world import World
from tests.reconcile.core.worlds import contexts, thorough, variants_of, worlds


@thorough
@given(worlds(), contexts())
def test_a_permanent_failure_is_not_repeated(world: World, context: PlanContext) -> None:
    """What failed for good is not tried again with the same input, nor something else for it."""
    before = plan_world(world, context)
    for action in before.actions:
        if not action.listing_id or action.kind is ActionKind.LINK:
            continue  # a link is no request and never fails for good
        failure = Failure(action.kind.value, action.input_hash, "Rejected", "the platform said no")
        failed = replace(
            world, listings=tuple(_failing(item, action, failure) for item in world.listings)
        )
        after = plan_world(failed, context)
        said = [item for item in after.decisions if item.code == Code.FAILED_BEFORE]
        assert any(item.action is action.kind for item in said)
        assert action.key not in {item.key for item in after.actions}
        new = {item.key: item for item in after.actions}.keys() - {a.key for a in before.actions}
        # A presence action that cannot be done no longer holds up the values beside it.
        may_go = action.kind in (ActionKind.HIDE, ActionKind.UNHIDE, ActionKind.OVERWRITE)
        assert may_go or not new


def _failing(listing: Listing, action: Action, failure: Failure) -> Listing:
    if listing.id != action.listing_id:
        return listing
    if action.variant_id is None:
        return replace(listing, failures=(failure,))
    return replace(
        listing,
        variants=tuple(
            replace(item, failures=(failure,)) if item.id == action.variant_id else item
            for item in listing.variants
        ),
    )


ROUNDS = 12


@thorough
@given(worlds(), contexts())
def test_settles(world: World, context: PlanContext) -> None:
    """Applying a plan and planning again ends in a plan without actions."""
    for _ in range(ROUNDS):
        plan = plan_world(world, context)
        if not plan.actions:
            return
        for action in plan.actions:
            world = apply(world, action, context)
    raise AssertionError(f"still planning after {ROUNDS} rounds: {plan.actions}")


@thorough
@given(worlds(), contexts((Operation.SYNC_LISTINGS,)))
def test_settled_means_in_order(world: World, context: PlanContext) -> None:
    """After a sync that nothing held back, the channel holds every wanted value."""
    context = replace(context, policy=context.policy.FULL, supported=frozenset(ActionKind))
    world = _unhindered(world)
    plan = Plan()
    for _ in range(ROUNDS):
        plan = plan_world(world, context)
        for action in plan.actions:
            world = apply(world, action, context)
    for variant in variants_of(world, context).values():
        said = {item.code for item in plan.decisions if item.variant_id == variant.id}
        if Code.IN_SYNC in said and variant.remote is not None:
            kept = variant.presence is Presence.HIDDEN
            skipped = context.rule(Presence.HIDDEN).overwrites if kept else frozenset()
            for name, value in variant.wanted.items():
                assert name in skipped or variant.remote.seen[name] == value


def _unhindered(world: World) -> World:
    return replace(
        world,
        listings=tuple(
            replace(
                listing,
                busy={},
                variants=tuple(replace(v, busy={}, paused=False) for v in listing.variants),
            )
            for listing in world.listings
        ),
    )


@thorough
@given(worlds(), contexts())
def test_one_listing_decides_as_the_world_does(world: World, context: PlanContext) -> None:
    """Planning paired listings one by one gives what planning the whole world gives."""
    whole = {item.key for item in plan_world(world, context).actions if item.listing_id}
    single = {
        item.key
        for listing in pair(world, context)
        for item in plan_listing(listing, context).actions
    }
    assert single <= whole
    assert all(
        item.kind is ActionKind.LINK
        for item in plan_world(world, context).actions
        if item.listing_id and item.key not in single
    )


@thorough
@given(worlds(), contexts(), st.randoms(use_true_random=False))
def test_the_order_of_variants_does_not_matter(
    world: World, context: PlanContext, random: Random
) -> None:
    """A listing whose variants come in another order is decided the same, hashes included."""
    for listing in pair(world, context):
        variants = list(listing.variants)
        random.shuffle(variants)
        before = plan_listing(listing, context)
        after = plan_listing(replace(listing, variants=tuple(variants)), context)
        assert [(item.key, item.input_hash) for item in before.actions] == [
            (item.key, item.input_hash) for item in after.actions
        ]

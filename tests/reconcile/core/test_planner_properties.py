"""The rules of the planner (design, section 3) as properties of random worlds."""

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.actions import (
    OPERATION_ACTIONS,
    POLICY_ACTIONS,
    ActionKind,
    GuardKind,
    Outcome,
    Standing,
)
from reconcile.core.codes import Code
from reconcile.core.context import ImportMode, PlanContext
from reconcile.core.keys import keyed
from reconcile.core.listings import plan_world
from reconcile.core.types import (
    LinkState,
    Presence,
    RemoteRef,
    ZeroCause,
)
from reconcile.core.world import World
from tests.reconcile.core.worlds import (
    QUANTITY,
    agreeing,
    contexts,
    listing_of,
    thorough,
    touched,
    variants_of,
    worlds,
)


@thorough
@given(worlds(), contexts())
def test_absence_needs_proof(world: World, context: PlanContext) -> None:
    """A link breaks only for what a read by id called gone, and the absent is left alone."""
    ours = variants_of(world, context)
    for action in plan_world(world, context).actions:
        for variant_id in touched(action):
            remote = ours[variant_id].remote
            if action.kind is ActionKind.BREAK_LINK:
                mourned = ours[variant_id].link is LinkState.BROKEN
                assert (remote is None and mourned) or (remote is not None and remote.gone)
            elif action.kind not in (ActionKind.LINK, ActionKind.PUBLISH):
                assert remote is not None
                assert remote.gone is None
                assert not remote.absent


@thorough
@given(worlds(), contexts())
def test_gone_as_wanted_is_delisted(world: World, context: PlanContext) -> None:
    """What is gone while delisted was wanted ends as delisted and costs no budget."""
    ours = variants_of(world, context)
    for action in plan_world(world, context).actions:
        if action.kind is ActionKind.BREAK_LINK and action.variant_id is not None:
            wanted = ours[action.variant_id].presence is Presence.DELISTED
            assert (action.reason.code == Code.DELISTED) is wanted
            assert action.guards == (() if wanted else (GuardKind.BREAK_LINK,))


@thorough
@given(worlds(), contexts())
def test_links_before_publishing(world: World, context: PlanContext) -> None:
    """Nothing is published whose key is on the channel, nor before the channel was listed."""
    ours = variants_of(world, context)
    for action in plan_world(world, context).actions:
        if action.kind is ActionKind.PUBLISH:
            assert context.mirror_complete
            assert action.variant_ids
            for variant_id in action.variant_ids:
                variant = ours[variant_id]
                assert variant.link in (LinkState.UNLINKED, LinkState.AMBIGUOUS)
                assert variant.link_key is not None
                assert not variant.candidates
                assert not variant.rivals
                assert not variant.link_hold
                assert variant.presence is Presence.LISTED


@thorough
@given(worlds(), contexts())
def test_a_link_is_never_guessed(world: World, context: PlanContext) -> None:
    """A link goes to the only free candidate of the only variant that wants it."""
    ours = variants_of(world, context)
    taken: Counter[RemoteRef] = Counter()
    for action in plan_world(world, context).actions:
        if action.kind is ActionKind.LINK:
            assert action.variant_id is not None
            assert action.remote is not None
            variant = ours[action.variant_id]
            free = [item.ref for item in variant.candidates if item.claimed_by is None]
            assert free == [action.remote]
            assert not variant.rivals
            assert not variant.link_hold
            taken[action.remote] += 1
    assert all(count == 1 for count in taken.values())


@thorough
@given(worlds(), contexts())
def test_linking_does_nothing_else(world: World, context: PlanContext) -> None:
    """A variant that is linked by a plan has no other action in it."""
    plan = plan_world(world, context)
    linked = {item.variant_id for item in plan.actions if item.kind is ActionKind.LINK}
    for action in plan.actions:
        if action.kind is not ActionKind.LINK:
            assert not linked & set(touched(action))


@thorough
@given(worlds(), contexts())
def test_broken_is_final(world: World, context: PlanContext) -> None:
    """Nothing is done to a broken link or published beside it, except recording a delisting."""
    ours, listings = variants_of(world, context), listing_of(world, context)
    for action in plan_world(world, context).actions:
        for variant_id in touched(action):
            if action.kind is ActionKind.PUBLISH:
                siblings = listings[variant_id].variants
                assert all(item.link is not LinkState.BROKEN for item in siblings)
            if ours[variant_id].link is LinkState.BROKEN:
                assert action.kind is ActionKind.BREAK_LINK
                assert ours[variant_id].presence is Presence.DELISTED


@thorough
@given(worlds(), contexts())
def test_unknown_is_not_zero(world: World, context: PlanContext) -> None:
    """Only values that are wanted leave, exactly as wanted; a missing one never becomes one."""
    ours = variants_of(world, context)
    for action in plan_world(world, context).actions:
        if action.kind not in (ActionKind.SYNC, ActionKind.UNHIDE):
            continue
        assert action.variant_id is not None
        variant = ours[action.variant_id]
        for change in action.changes:
            assert change.field in variant.wanted
            assert change.after == variant.wanted[change.field]
            assert change.after is not None


@thorough
@given(worlds(), contexts())
def test_only_what_differs(world: World, context: PlanContext) -> None:
    """Each change of a value changes something, and is in the write group of its action."""
    ours = variants_of(world, context)
    for action in plan_world(world, context).actions:
        if action.kind is ActionKind.SYNC:
            assert action.changes
        if action.kind in (ActionKind.SYNC, ActionKind.UNHIDE):
            assert action.variant_id is not None
            remote = ours[action.variant_id].remote
            assert remote is not None
            for change in action.changes:
                assert change.before == remote.seen.get(change.field) != change.after
                assert context.write_group(change.field) == action.group
        for change in action.changes:
            assert change.before != change.after or change.field == "sku"


@thorough
@given(worlds(), contexts())
def test_equal_worlds_give_an_empty_plan(world: World, context: PlanContext) -> None:
    """Where the channel holds what is wanted, nothing is planned, whatever is set."""
    context = replace(context, import_mode=ImportMode.CREATE)
    plan = plan_world(agreeing(world), context)
    assert plan.actions == ()
    assert plan.skipped == ()


@thorough
@given(worlds(), contexts())
def test_nothing_weaker_instead(world: World, context: PlanContext) -> None:
    """What the platform cannot do is said and left undone."""
    ours = variants_of(world, context)
    plan = plan_world(world, context)
    for action in plan.actions:
        assert action.kind.is_local or action.kind in context.supported
    hidden_by = context.rule(Presence.HIDDEN).overwrites
    for decision in plan.decisions:
        if decision.code == Code.UNSUPPORTED:
            assert decision.standing is Standing.ATTENTION
            assert decision.action is not None
            assert not context.can(decision.action)
    for action in plan.actions:
        if action.kind is ActionKind.SYNC and action.variant_id is not None:
            variant = ours[action.variant_id]
            if variant.presence is Presence.HIDDEN or variant.kept is not None:
                assert not {change.field for change in action.changes} & hidden_by


@thorough
@given(worlds(), contexts())
def test_one_action_per_object_and_group(world: World, context: PlanContext) -> None:
    """No object gets two actions of a write group, nor one where another is unfinished."""
    plan = plan_world(world, context)
    slots = Counter((action.object_id, action.group) for action in plan.actions)
    assert all(count == 1 for count in slots.values())
    ours, listings = variants_of(world, context), listing_of(world, context)
    for action in plan.actions:
        for variant_id in touched(action):
            assert action.group not in ours[variant_id].busy
            assert action.group not in listings[variant_id].busy


@thorough
@given(worlds(), contexts(), st.randoms(use_true_random=False))
def test_input_order_does_not_matter(
    world: World,
    context: PlanContext,
    random: Random,
) -> None:
    """Shuffled inputs give the same actions with the same keys, and the same decisions."""
    mirror = []
    for product in world.mirror:
        rows = list(product.variants)
        random.shuffle(rows)
        mirror.append(replace(product, variants=tuple(rows)))
    listings = list(world.listings)
    random.shuffle(mirror)
    random.shuffle(listings)
    links = list(world.links.items())
    random.shuffle(links)
    shuffled = World(tuple(listings), tuple(mirror), dict(links))
    before, after = plan_world(world, context), plan_world(shuffled, context)
    assert [item.key for item in before.actions] == [item.key for item in after.actions]
    assert [_said(item) for item in before.decisions] == [_said(item) for item in after.decisions]


def _said(decision: object) -> tuple[object, ...]:
    return tuple(
        getattr(decision, name) for name in ("listing_id", "variant_id", "code", "standing")
    )


@thorough
@given(worlds(), contexts())
def test_keys_belong_to_actions(world: World, context: PlanContext) -> None:
    """Different actions have different keys, and keying again changes nothing."""
    actions = plan_world(world, context).actions
    assert len({action.key for action in actions}) == len(actions)
    for action in actions:
        assert keyed(action, context.channel_id) == action
        shuffled = replace(action, changes=action.changes[::-1])
        assert keyed(shuffled, context.channel_id).key == action.key
        assert keyed(action, "another").key != action.key


@thorough
@given(worlds(), contexts())
def test_paused_sends_nothing(world: World, context: PlanContext) -> None:
    """No request leaves for a paused variant; our own records still move."""
    ours = variants_of(world, context)
    for action in plan_world(world, context).actions:
        if not action.kind.is_local:
            assert not any(ours[variant_id].paused for variant_id in touched(action))


@thorough
@given(worlds(), contexts())
def test_policy_and_operation_bound_the_plan(world: World, context: PlanContext) -> None:
    """Only actions of the operation that the write policy allows are there; others are shown."""
    plan = plan_world(world, context)
    for action in plan.actions:
        assert action.kind in OPERATION_ACTIONS[context.operation]
        assert action.kind.is_local or action.kind in POLICY_ACTIONS[context.policy]
    for action, decision in plan.skipped:
        assert action.kind in OPERATION_ACTIONS[context.operation]
        assert not action.kind.is_local
        assert action.kind not in POLICY_ACTIONS[context.policy]
        assert context.can(action.kind)
        assert decision.outcome is Outcome.SKIPPED
        assert decision in plan.decisions


@thorough
@given(worlds(), contexts())
def test_destructive_effects_are_marked(world: World, context: PlanContext) -> None:
    """Every effect that takes something away carries its guard; sold out does not."""
    ours = variants_of(world, context)
    for action in plan_world(world, context).actions:
        match action.kind:
            case ActionKind.HIDE:
                assert action.guards == (GuardKind.HIDE,)
            case ActionKind.DELIST:
                assert action.guards == (GuardKind.DELIST,)
            case ActionKind.IMPORT if action.listing_id:
                assert bool(action.guards) is context.scheduled
            case ActionKind.SYNC | ActionKind.UNHIDE:
                assert action.variant_id is not None
                stated = ours[action.variant_id].zero_cause is ZeroCause.STATEMENT
                falls = any(
                    change.field == QUANTITY and change.after == 0 and change.before != 0
                    for change in action.changes
                )
                assert (GuardKind.QUANTITY_TO_ZERO in action.guards) is (falls and stated)
            case _:
                pass


@thorough
@given(worlds(), contexts())
def test_every_variant_is_explained(world: World, context: PlanContext) -> None:
    """Each variant has a decision, and each decision words and inputs fit to be shown."""
    plan = plan_world(world, context)
    explained = {decision.variant_id for decision in plan.decisions}
    for listing in world.listings:
        assert {variant.id for variant in listing.variants} <= explained
        assert any(item.listing_id == listing.id for item in plan.decisions)
    known = {code.value for code in Code}
    for decision in plan.decisions:
        assert len(decision.message) > 10
        assert decision.inputs
        assert decision.code in known
        assert "None" not in decision.message


@thorough
@given(worlds(), contexts())
def test_actions_and_decisions_agree(world: World, context: PlanContext) -> None:
    """Each action is announced by a decision, and no decision announces what is not there."""
    plan = plan_world(world, context)
    planned = {(action.kind, subject) for action in plan.actions for subject in touched(action)}
    imports = {action.kind for action in plan.actions if not touched(action)}
    announced = {
        (decision.action, decision.variant_id)
        for decision in plan.decisions
        if decision.standing is Standing.ACTION
    }
    assert planned <= announced
    for kind, subject in announced:
        assert (kind, subject) in planned or subject is None
    for kind in imports:
        assert (kind, None) in announced

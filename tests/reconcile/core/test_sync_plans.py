"""Presence, values, content and creation by example: what exactly is planned."""

from dataclasses import replace
from typing import Any

import pytest

from reconcile.core.actions import Action, ActionKind, Change, GuardKind, Plan, Standing
from reconcile.core.codes import Code
from reconcile.core.context import PresenceRule
from reconcile.core.listings import World, pair, plan_listing, plan_world
from reconcile.core.predict import apply
from reconcile.core.types import (
    LinkState,
    Listing,
    Operation,
    Presence,
    RemoteListing,
    RemoteRef,
    SeenPresence,
    Variant,
    Withheld,
    WritePolicy,
)
from tests.reconcile.core.samples import (
    PRICE,
    QUANTITY,
    REF,
    candidate,
    context,
    linked,
    listing,
    only,
    remote,
    unlinked,
)

PUBLISH = Operation.PUBLISH_LISTINGS
HIDDEN, DELISTED = Presence.HIDDEN, Presence.DELISTED
SECOND = RemoteRef("p1", "p1v2")


def kinds(plan: Plan) -> list[tuple[ActionKind, str]]:
    """What is planned, by kind and group."""
    return [(action.kind, action.group) for action in plan.actions]


def single(plan: Plan) -> Action:
    """The only action of a plan."""
    (action,) = plan.actions
    return action


def test_each_write_group_has_an_action_of_its_own() -> None:
    """Price and quantity travel apart where the platform writes them apart."""
    variant = linked(wanted={PRICE: "11", QUANTITY: 4})
    plan = plan_listing(listing(variant), context())
    assert kinds(plan) == [(ActionKind.SYNC, "price"), (ActionKind.SYNC, "stock")]
    assert plan.actions[1].changes == (Change(QUANTITY, 5, 4),)
    together = context(write_groups={PRICE: "row", QUANTITY: "row"})
    assert len(single(plan_listing(listing(variant), together)).changes) == 2


def test_a_busy_group_waits_alone() -> None:
    """An unfinished price does not hold up the quantity."""
    variant = linked(wanted={PRICE: "11", QUANTITY: 4}, busy={"price": "SENDING"})
    plan = plan_listing(listing(variant), context())
    assert kinds(plan) == [(ActionKind.SYNC, "stock")]
    assert only(plan, Code.UNFINISHED).standing is Standing.WAITING


def test_hiding_keeps_its_write_group_to_itself() -> None:
    """While a variant is being hidden, only other write groups are synchronized."""
    variant = linked(presence=HIDDEN, wanted={PRICE: "11", QUANTITY: 4})
    plan = plan_listing(listing(variant), context())
    assert kinds(plan) == [(ActionKind.SYNC, "price"), (ActionKind.HIDE, "stock")]
    assert plan.actions[1].guards == (GuardKind.HIDE,)


def test_unhiding_carries_the_values_of_its_group() -> None:
    """What hiding overwrote comes back with what is wanted now, in one request."""
    seen = remote(unsellable=True, seen={PRICE: "10", QUANTITY: 0})
    variant = linked(seen, kept={QUANTITY: 5}, wanted={PRICE: "11", QUANTITY: 7})
    plan = plan_listing(listing(variant), context())
    assert kinds(plan) == [(ActionKind.UNHIDE, "stock"), (ActionKind.SYNC, "price")]
    assert plan.actions[0].changes == (Change(QUANTITY, 0, 7),)


@pytest.mark.parametrize(
    "held",
    [
        {"policy": WritePolicy.ENRICH},
        {"supported": frozenset({ActionKind.SYNC})},
    ],
)
def test_no_quantity_shows_what_is_hidden(held: dict[str, Any]) -> None:
    """Where unhiding may not be done, sending the quantity does not do it by the back door."""
    seen = remote(unsellable=True, seen={PRICE: "10", QUANTITY: 0})
    variant = linked(seen, kept={QUANTITY: 5}, wanted={PRICE: "11", QUANTITY: 7})
    plan = plan_listing(listing(variant), context(**held))
    assert kinds(plan) == [(ActionKind.SYNC, "price")]


def test_a_product_hidden_there_is_shown_when_someone_says_so() -> None:
    """Hidden on the store: only a stated presence shows it again."""
    seen = remote(presence=SeenPresence.HIDDEN)
    assert plan_listing(listing(linked(seen)), context()).actions == ()
    plan = plan_listing(listing(linked(seen, asserted=True)), context())
    assert kinds(plan) == [(ActionKind.UNHIDE, "stock")]


def _two(**changed: Any) -> tuple[Variant, Variant]:
    first = linked(presence=DELISTED)
    second = linked(remote(ref=SECOND), id="2", sku="B", presence=DELISTED)
    return first, replace(second, **changed)


def test_delisting_all_variants_ends_the_product() -> None:
    """Where every variant goes, one action ends the product and names them all."""
    action = single(plan_listing(listing(*_two()), context()))
    assert action.object_id == "listing:9"
    assert action.remote == RemoteRef("p1")
    assert action.variant_ids == ("1", "2")


@pytest.mark.parametrize(
    "held",
    [
        {"presence": Presence.LISTED},
        {"paused": True},
        {"busy": {"content": "DUE"}},
    ],
)
def test_a_product_with_a_variant_that_stays_is_not_ended(held: dict[str, Any]) -> None:
    """A variant that is wanted, paused or busy keeps its product; the other goes alone."""
    plan = plan_listing(listing(*_two(**held)), context())
    action = single(plan)
    assert (action.kind, action.variant_id, action.remote) == (ActionKind.DELIST, "1", REF)


def test_a_product_with_a_stranger_is_not_ended() -> None:
    """A variant of theirs that is not linked here keeps its product."""
    made = listing(linked(presence=DELISTED))
    assert made.remote is not None
    rows = (*made.remote.variants, remote(ref=SECOND))
    stranger = replace(made, remote=replace(made.remote, variants=rows))
    assert single(plan_listing(stranger, context())).variant_id == "1"


def test_shadow_mode_shows_what_would_be_sent() -> None:
    """Under OBSERVE nothing is planned, and the preview still has before and after."""
    plan = plan_listing(listing(linked(wanted={PRICE: "11"})), context(policy=WritePolicy.OBSERVE))
    assert plan.actions == ()
    ((action, decision),) = plan.skipped
    assert action.changes == (Change(PRICE, "10", "11"),)
    assert decision.code == Code.POLICY_FORBIDS


def test_links_and_breaks_pass_pause_and_policy() -> None:
    """Our own records move whatever the channel may receive."""
    shut = context(policy=WritePolicy.OBSERVE, supported=frozenset())
    gone = linked(remote(gone="Deleted"), paused=True)
    waiting = unlinked(paused=True, candidates=(candidate(),))
    plan = plan_listing(listing(gone, waiting), shut)
    assert [action.kind for action in plan.actions] == [ActionKind.BREAK_LINK, ActionKind.LINK]


def test_ambiguity_ends_by_itself() -> None:
    """An ambiguous variant is linked once only one candidate is left."""
    unsure = unlinked(link=LinkState.AMBIGUOUS, candidates=(candidate(1), candidate(2, "7")))
    assert single(plan_listing(listing(unsure), context())).remote == RemoteRef("c1")


def test_publishing_names_all_values() -> None:
    """PUBLISH says for listing and variants what will be created, and leaves the hidden out."""
    left_out = unlinked(id="3", sku="C", link_key="C", presence=HIDDEN)
    made = listing(unlinked(content={"mpn": "1"}), left_out, content={"title": "T"})
    plan = plan_listing(made, context(PUBLISH))
    action = single(plan)
    assert action.variant_ids == ("2",)
    assert set(action.changes) == {
        Change("title", None, "T"),
        Change(PRICE, None, "7", "2"),
        Change("mpn", None, "1", "2"),
    }
    assert only(plan, Code.NOT_PUBLISHED).variant_id == "3"


@pytest.mark.parametrize("reason", ["CurrencyMismatch", "Invalid", "NotMapped"])
def test_half_a_product_is_not_created(reason: str) -> None:
    """A value that cannot be sent stops the publish: a product without its price may be free."""
    said = (Withheld(PRICE, reason, "the reason in words"),)
    for made in (listing(unlinked(withheld=said)), listing(unlinked(), withheld=said)):
        plan = plan_listing(made, context(PUBLISH))
        assert plan.actions == ()
        assert "the reason in words" in only(plan, Code.PUBLISH_BLOCKED).message
        assert only(plan, reason).standing is Standing.ATTENTION


def test_a_listing_with_a_broken_link_is_not_published() -> None:
    """What a merchant deleted is not created again because a sibling is new."""
    broken = linked(remote(gone="Deleted"), link=LinkState.BROKEN)
    plan = plan_listing(listing(broken, unlinked()), context(PUBLISH))
    assert plan.actions == ()
    assert "A stands in the way" in only(plan, Code.PUBLISH_BLOCKED).message


def test_paused_variants_are_not_overwritten_with_their_product() -> None:
    """Content of the product waits for a paused variant; that of other variants goes."""
    first = linked(content={"mpn": "1"})
    second = linked(remote(ref=SECOND), id="2", sku="B", content={"mpn": "2"}, paused=True)
    plan = plan_listing(listing(first, second, content={"title": "T"}), context(PUBLISH))
    action = single(plan)
    assert action.changes == (Change("mpn", None, "1", "1"),)
    assert action.variant_ids == ("1",)
    assert only(plan, Code.PAUSED).standing is Standing.WAITING
    alone = plan_listing(
        listing(replace(first, content={}), second, content={"title": "T"}), context(PUBLISH)
    )
    assert alone.actions == ()
    assert {item.variant_id for item in alone.decisions if item.code == Code.PAUSED} >= {"1", "2"}


def test_an_unfinished_publish_holds_the_links() -> None:
    """While a publish is open, what it may have created is neither linked nor created again."""
    busy = {"content": "UNKNOWN"}
    made = listing(unlinked(candidates=(candidate(),)), busy=busy)
    assert plan_listing(made, context(PUBLISH)).actions == ()
    made = listing(unlinked(), busy=busy)
    for settings in (context(PUBLISH), context()):
        said = only(plan_listing(made, settings), Code.UNFINISHED)
        assert "being confirmed" in said.message


def test_orders_are_not_planned_here() -> None:
    """An operation on orders is a mistake of the caller."""
    with pytest.raises(ValueError, match="GET_ORDERS"):
        plan_listing(listing(linked()), context(Operation.GET_ORDERS))


def _world(*variants: Variant, **row: Any) -> World:
    product = RemoteListing("p1", "Shirt", SeenPresence.LISTED, (remote(**row),))
    return World((Listing("9", "Shirt", variants),), (product,))


def test_pairing_finds_candidates_and_rivals() -> None:
    """Same key: theirs are candidates, ours are rivals, unless held or wanted delisted."""
    ours = [unlinked(id=str(n), sku=f"S{n}", link_key="A") for n in range(4)]
    ours[2] = replace(ours[2], link_hold=True)
    ours[3] = replace(ours[3], presence=DELISTED)
    (made,) = pair(_world(*ours), context())
    assert [item.ref for item in made.variants[0].candidates] == [REF]
    assert made.variants[0].rivals == ("S1",)


@pytest.mark.parametrize("row", [{"absent": True}, {"gone": "Deleted"}, {"identifiers": {}}])
def test_what_may_not_be_there_is_no_candidate(row: dict[str, Any]) -> None:
    """Absent, gone and nameless objects are not linked."""
    (made,) = pair(_world(unlinked(link_key="A"), **row), context())
    assert made.variants[0].candidates == ()


def test_an_object_that_is_linked_is_claimed() -> None:
    """A candidate that another variant is linked to is named, with that variant."""
    world = _world(linked(), unlinked(link_key="A"))
    (made,) = pair(replace(world, links={"1": REF}), context())
    assert made.variants[1].candidates[0].claimed_by == "1"
    assert made.variants[0].remote == remote()
    assert made.remote is not None


@pytest.mark.parametrize("is_readable", [True, False])
def test_hiding_and_unhiding_is_a_way_there_and_back(*, is_readable: bool) -> None:
    """A variant hidden and shown again is where it was, its quantity too."""
    settings = context(presence={HIDDEN: PresenceRule("stock", frozenset({QUANTITY}), is_readable)})
    start = replace(_world(linked(presence=HIDDEN)), links={"1": REF})
    action = single(plan_world(start, settings))
    assert action.kind is ActionKind.HIDE
    hidden = apply(start, action, settings)
    assert plan_world(hidden, settings).actions == ()
    assert hidden.listings[0].variants[0].kept == {QUANTITY: 5}
    shown = replace(
        hidden,
        listings=(
            replace(
                hidden.listings[0],
                variants=(replace(hidden.listings[0].variants[0], presence=Presence.LISTED),),
            ),
        ),
    )
    action = single(plan_world(shown, settings))
    assert action.kind is ActionKind.UNHIDE
    back = apply(shown, action, settings)
    assert back.mirror == start.mirror
    assert back.listings[0].variants[0].kept is None


def test_a_delisted_variant_can_be_published_anew() -> None:
    """Delist, record it, want it again, publish: a new product, never the old one."""
    settings = context()
    world = replace(_world(linked(presence=DELISTED)), links={"1": REF})
    for kind in (ActionKind.DELIST, ActionKind.BREAK_LINK):
        action = single(plan_world(world, settings))
        assert action.kind is kind
        world = apply(world, action, settings)
    ours = world.listings[0].variants[0]
    assert (ours.link, ours.was) == (LinkState.UNLINKED, SeenPresence.DELISTED)
    again = replace(ours, presence=Presence.LISTED)
    world = replace(world, listings=(replace(world.listings[0], variants=(again,)),))
    assert "was delisted before" in only(plan_world(world, settings), Code.NOT_ON_CHANNEL).message
    action = single(plan_world(world, context(PUBLISH)))
    assert action.kind is ActionKind.PUBLISH
    world = apply(world, action, context(PUBLISH))
    assert len(world.mirror) == 2
    assert plan_world(world, settings).actions == ()

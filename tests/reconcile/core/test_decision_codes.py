"""Every decision code by an example: when it is said, how it stands, what the sentence names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from reconcile.core.actions import ActionKind, GuardKind, Plan, Standing
from reconcile.core.codes import Code
from reconcile.core.context import ImportMode
from reconcile.core.listings import Match, plan_import, plan_listing
from reconcile.core.types import (
    Failure,
    LinkState,
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

SYNC, LINK = Operation.SYNC_LISTINGS, Operation.LINK_LISTINGS
PUBLISH, IMPORT = Operation.PUBLISH_LISTINGS, Operation.IMPORT_LISTINGS
ACTION, IN_ORDER = Standing.ACTION, Standing.IN_ORDER
WAITING, ATTENTION = Standing.WAITING, Standing.ATTENTION
FOREIGN = RemoteListing("p1", "Shirt", SeenPresence.LISTED, (remote(),))
OTHER = remote(ref=RemoteRef("p1", "p1v2"), sku="Z", identifiers={"sku": "Z"})


@dataclass(frozen=True)
class Example:
    """A situation, the decision it leads to, and words its sentence must hold."""

    code: Code
    standing: Standing
    words: str
    plan: Callable[[], Plan]


def _plan(
    operation: Operation, *variants: Variant, of: Mapping[str, Any] | None = None, **settings: Any
) -> Callable[[], Plan]:
    made = listing(*variants, **(of or {}))
    return lambda: plan_listing(made, context(operation, **settings))


def _import(
    *matches: Match,
    product: RemoteListing = FOREIGN,
    duplicates: frozenset[str] = frozenset(),
) -> Callable[[], Plan]:
    return lambda: plan_import(product, matches, context(IMPORT), duplicates)


def _failed() -> Plan:
    made = linked(wanted={PRICE: "11"})
    action = plan_listing(listing(made), context()).actions[0]
    failure = Failure("SYNC", action.input_hash, "product_invalid", "the price is not taken")
    return plan_listing(listing(replace(made, failures=(failure,))), context())


def _withheld(reason: str) -> Callable[[], Plan]:
    said = (Withheld(PRICE, reason, "the reason in words"),)
    return _plan(SYNC, linked(withheld=said))


DELISTED = Presence.DELISTED
HIDDEN = Presence.HIDDEN
gone = linked(remote(gone="Deleted"))
trashed = linked(remote(gone="InTrash"))
mourned = replace(gone, link=LinkState.BROKEN)

EXAMPLES = (
    Example(Code.KEY_MATCHES, ACTION, "c1", _plan(LINK, unlinked(candidates=(candidate(),)))),
    Example(Code.DELETED, ACTION, "read by id", _plan(SYNC, gone)),
    Example(Code.IN_TRASH, ACTION, "trash", _plan(SYNC, trashed)),
    Example(Code.DELISTED, ACTION, "recorded", _plan(SYNC, replace(gone, presence=DELISTED))),
    Example(
        Code.DELISTED,
        IN_ORDER,
        "as wanted",
        _plan(SYNC, linked(remote(presence=SeenPresence.DELISTED), presence=DELISTED)),
    ),
    Example(Code.DIFFERS, ACTION, "10 → 11", _plan(SYNC, linked(wanted={PRICE: "11"}))),
    Example(Code.HIDDEN_WANTED, ACTION, "Hidden is wanted", _plan(SYNC, linked(presence=HIDDEN))),
    Example(
        Code.HIDDEN_WANTED,
        ACTION,
        "once more",
        _plan(SYNC, linked(presence=HIDDEN, kept={QUANTITY: 5})),
    ),
    Example(Code.LISTED_WANTED, ACTION, "Listed is wanted", _plan(SYNC, linked(kept={}))),
    Example(Code.DELISTED_WANTED, ACTION, "removed", _plan(SYNC, linked(presence=DELISTED))),
    Example(Code.MISSING, ACTION, "created with 1 variant", _plan(PUBLISH, unlinked())),
    Example(
        Code.CONTENT_DIFFERS,
        ACTION,
        "title",
        _plan(PUBLISH, linked(), of={"content": {"title": "T"}}),
    ),
    Example(Code.NEW_ON_CHANNEL, ACTION, "1 variant", _import()),
    Example(
        Code.IMPORT_DIFFERS,
        ACTION,
        "title",
        _plan(
            IMPORT, linked(remote(import_fields={"title": "T"})), import_mode=ImportMode.OVERWRITE
        ),
    ),
    Example(Code.IN_SYNC, IN_ORDER, "holds what is wanted", _plan(SYNC, linked())),
    Example(Code.LINKED, IN_ORDER, "linked", _plan(LINK, linked())),
    Example(Code.NOTHING_WANTED, IN_ORDER, "template", _plan(SYNC, linked(wanted={}))),
    Example(
        Code.HIDDEN_AS_WANTED,
        IN_ORDER,
        "hidden",
        _plan(SYNC, linked(remote(unsellable=True), presence=HIDDEN, kept={})),
    ),
    Example(
        Code.NOT_LISTED, IN_ORDER, "Delisted is wanted", _plan(SYNC, unlinked(presence=DELISTED))
    ),
    Example(
        Code.NOT_PUBLISHED, IN_ORDER, "only to be hidden", _plan(PUBLISH, unlinked(presence=HIDDEN))
    ),
    Example(
        Code.OVERWRITE_OFF,
        IN_ORDER,
        "switched off",
        _plan(PUBLISH, linked(content={"mpn": "1"}), overwrite_enabled=False),
    ),
    Example(
        Code.PUBLISHING_OFF,
        IN_ORDER,
        "not to create",
        _plan(PUBLISH, unlinked(), publish_missing=False),
    ),
    Example(Code.ALREADY_OURS, IN_ORDER, "only creates", _plan(IMPORT, linked())),
    Example(
        Code.PAUSED, WAITING, "unpaused", _plan(SYNC, linked(wanted={PRICE: "11"}, paused=True))
    ),
    Example(
        Code.UNFINISHED,
        WAITING,
        "being confirmed",
        _plan(SYNC, linked(wanted={PRICE: "11"}, busy={"price": "UNKNOWN"})),
    ),
    Example(Code.ABSENCE_UNPROVEN, WAITING, "read by id", _plan(SYNC, linked(remote(absent=True)))),
    Example(Code.NOT_SEEN_YET, WAITING, "not shown", _plan(SYNC, replace(linked(), remote=None))),
    Example(Code.NOT_ON_CHANNEL, WAITING, "Publishing creates it", _plan(SYNC, unlinked())),
    Example(
        Code.NOT_ON_CHANNEL,
        WAITING,
        "was delisted before",
        _plan(SYNC, unlinked(was=SeenPresence.DELISTED)),
    ),
    Example(
        Code.NOT_ON_CHANNEL,
        ATTENTION,
        "link to existing products",
        _plan(
            SYNC,
            unlinked(),
            supported=frozenset({ActionKind.SYNC}),
            unsupported={ActionKind.PUBLISH: "link to existing products instead"},
        ),
    ),
    Example(
        Code.MIRROR_INCOMPLETE,
        WAITING,
        "full run",
        _plan(PUBLISH, unlinked(), mirror_complete=False),
    ),
    Example(Code.OTHER_OPERATION, WAITING, "sync", _plan(PUBLISH, linked(presence=DELISTED))),
    Example(Code.OTHER_OPERATION, WAITING, "not part of", _plan(IMPORT, gone)),
    Example(Code.KEY_MISSING, ATTENTION, "no SKU", _plan(SYNC, unlinked(link_key=None))),
    Example(Code.DUPLICATE_KEY_OURS, ATTENTION, "B2", _plan(SYNC, unlinked(rivals=("B2",)))),
    Example(
        Code.SEVERAL_CANDIDATES,
        ATTENTION,
        "'Candidate 2' (c2)",
        _plan(SYNC, unlinked(candidates=(candidate(1), candidate(2)))),
    ),
    Example(
        Code.CLAIMED_BY_ANOTHER,
        ATTENTION,
        "linked to another",
        _plan(SYNC, unlinked(candidates=(candidate(1, "7"),))),
    ),
    Example(Code.UNLINKED_BY_PERSON, ATTENTION, "by hand", _plan(SYNC, unlinked(link_hold=True))),
    Example(Code.BROKEN_LINK, ATTENTION, "no longer exists", _plan(SYNC, mourned)),
    Example(
        Code.BROKEN_LINK, ATTENTION, "trash", _plan(SYNC, replace(trashed, link=LinkState.BROKEN))
    ),
    Example(Code.BROKEN_LINK, ATTENTION, "is back", _plan(SYNC, linked(link=LinkState.BROKEN))),
    Example(
        Code.HIDDEN_ON_STORE,
        ATTENTION,
        "stays hidden",
        _plan(SYNC, linked(remote(presence=SeenPresence.HIDDEN))),
    ),
    Example(
        Code.DELISTED_ON_STORE,
        ATTENTION,
        "publish it anew",
        _plan(SYNC, linked(remote(presence=SeenPresence.DELISTED))),
    ),
    Example(
        Code.STRUCTURE_DIFFERS,
        ATTENTION,
        "Ours: A (Size: S); B (Size: M)",
        _plan(PUBLISH, linked(), unlinked()),
    ),
    Example(
        Code.LINKED_ELSEWHERE,
        ATTENTION,
        "p2",
        _plan(PUBLISH, linked(), linked(remote(ref=RemoteRef("p2")), id="3", sku="C")),
    ),
    Example(
        Code.PUBLISH_BLOCKED,
        ATTENTION,
        "C stands in the way",
        _plan(PUBLISH, unlinked(), unlinked(id="3", sku="C", link_key=None)),
    ),
    Example(
        Code.PUBLISH_BLOCKED,
        WAITING,
        "linked first",
        _plan(PUBLISH, unlinked(), unlinked(id="3", sku="C", candidates=(candidate(),))),
    ),
    Example(Code.NO_VARIANTS, ATTENTION, "no variant", _plan(SYNC)),
    Example(Code.FAILED_BEFORE, ATTENTION, "the price is not taken", _failed),
    Example(
        Code.UNSUPPORTED,
        ATTENTION,
        "set the quantity to 0",
        _plan(
            SYNC,
            linked(presence=HIDDEN),
            supported=frozenset({ActionKind.SYNC}),
            unsupported={ActionKind.HIDE: "it has no hidden products; set the quantity to 0"},
        ),
    ),
    Example(
        Code.POLICY_FORBIDS,
        ATTENTION,
        "OBSERVE",
        _plan(SYNC, linked(wanted={PRICE: "11"}), policy=WritePolicy.OBSERVE),
    ),
    Example(
        Code.KEY_MISSING_THEIRS,
        ATTENTION,
        "no SKU",
        _import(product=replace(FOREIGN, variants=(remote(identifiers={}),))),
    ),
    Example(Code.DUPLICATE_KEY_THEIRS, ATTENTION, "'A'", _import(duplicates=frozenset({"A"}))),
    Example(
        Code.KEY_TAKEN,
        ATTENTION,
        "X",
        _import(Match(REF, "9", "1", "X", linked_to=RemoteRef("p7"))),
    ),
    Example(Code.CURRENCY_MISMATCH, ATTENTION, "not sent", _withheld("CurrencyMismatch")),
    Example(Code.INVALID, ATTENTION, "not sent", _withheld("Invalid")),
    Example(Code.NOT_MAPPED, ATTENTION, "not sent", _withheld("NotMapped")),
    Example(Code.NO_VALUE, IN_ORDER, "not sent", _withheld("NoValue")),
    Example(Code.HIDDEN, IN_ORDER, "not sent", _withheld("Hidden")),
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda item: f"{item.code}-{item.words}")
def test_a_decision_says_why(example: Example) -> None:
    """The situation leads to the decision, with the standing and the words that help."""
    decision = only(example.plan(), example.code)
    assert decision.standing is example.standing
    assert example.words in decision.message
    assert decision.inputs


def test_every_code_has_an_example() -> None:
    """No code stands in the vocabulary that no situation leads to."""
    assert {example.code for example in EXAMPLES} == set(Code)


def test_an_import_links_what_is_ours() -> None:
    """A product with the key of an unlinked variant of ours is linked, not imported."""
    plan = _import(Match(REF, "9", "1", "A"))()
    assert [action.kind for action in plan.actions] == [ActionKind.LINK]
    assert plan.actions[0].remote == REF
    same = unlinked(id="1", sku="A", link_key="A", candidates=(candidate(),))
    same = replace(same, candidates=(replace(candidate(), ref=REF),))
    ours = plan_listing(listing(same), context(IMPORT))
    assert ours.actions[0].key == plan.actions[0].key
    assert ours.actions[0].input_hash == plan.actions[0].input_hash


def test_an_import_waits_for_an_unfinished_link() -> None:
    """A variant of ours with an unfinished action on its link is not linked from their side."""
    plan = _import(Match(REF, "9", "1", "A", busy="DUE"))()
    assert plan.actions == ()
    assert only(plan, Code.UNFINISHED).standing is WAITING


def test_new_rows_of_a_product_of_ours_are_named() -> None:
    """A product that is partly ours is not imported a second time for the rest of its rows."""
    product = replace(FOREIGN, variants=(remote(), OTHER))
    plan = _import(Match(REF, "9", "1", "A"), product=product)()
    assert [action.kind for action in plan.actions] == [ActionKind.LINK]
    assert "Z (p1/p1v2)" in only(plan, Code.STRUCTURE_DIFFERS).message
    more = plan_listing(listing(linked(), remote=product), context(IMPORT))
    assert "Z (p1/p1v2)" in only(more, Code.STRUCTURE_DIFFERS).message


def test_an_import_names_the_rows_it_takes() -> None:
    """Rows without a key are left out and said; the others are imported under their ids."""
    nameless = remote(ref=RemoteRef("p1", "p1v3"), sku=None, identifiers={})
    plan = _import(product=replace(FOREIGN, variants=(remote(), nameless)))()
    (action,) = plan.actions
    assert action.object_id == "remote:p1"
    assert {change.variant_id for change in action.changes} == {"p1v1"}
    assert only(plan, Code.KEY_MISSING_THEIRS).standing is ATTENTION


def test_nothing_to_sell_is_no_import() -> None:
    """A product without rows, such as a group, is passed over and said."""
    plan = _import(product=replace(FOREIGN, variants=()))()
    assert only(plan, Code.NO_VARIANTS).standing is IN_ORDER


def test_several_of_ours_match_one_of_theirs() -> None:
    """Two variants of ours with the key of a row leave the choice to a person."""
    plan = _import(Match(REF, "9", "1", "A"), Match(REF, "9", "2", "A2"))()
    assert plan.actions == ()
    assert "A, A2" in only(plan, Code.DUPLICATE_KEY_OURS).message


@pytest.mark.parametrize("scheduled", [True, False])
def test_only_a_scheduled_import_is_guarded(*, scheduled: bool) -> None:
    """An import that overwrites ours costs budget unless a person started it."""
    seen = remote(import_fields={"title": "T", "sku": "their own"})
    plan = _plan(IMPORT, linked(seen), import_mode=ImportMode.OVERWRITE, scheduled=scheduled)()
    (action,) = plan.actions
    assert action.guards == ((GuardKind.IMPORT_OVERWRITE,) if scheduled else ())
    assert [(change.field, change.variant_id) for change in action.changes] == [("title", "1")]


def test_a_new_product_costs_no_budget() -> None:
    """Importing what we do not have overwrites nothing."""
    product = replace(FOREIGN, variants=(remote(),))
    (action,) = plan_import(product, (), context(IMPORT, scheduled=True)).actions
    assert action.guards == ()

"""Planning listings: what is wanted against what was seen, decided top to bottom.

Pure. First every variant by the state of its link, then what the operation does with those whose
object is there. The parts stand in `linking`, `syncing`, `publishing` and `importing`; the pairing
of a whole world, which SQL is compared with, in `world`.
"""

from typing import assert_never

from reconcile.core.actions import Action, ActionKind, Decision, Plan, Standing
from reconcile.core.codes import Code
from reconcile.core.context import CONTENT_GROUP, PlanContext
from reconcile.core.drafting import NOUNS, Draft, action_order, unfinished
from reconcile.core.importing import Match, plan_import, plan_import_over
from reconcile.core.linking import judge_open, plan_absence, plan_broken, plan_link
from reconcile.core.publishing import OpenVariant, plan_overwrite, plan_publish
from reconcile.core.syncing import plan_sync
from reconcile.core.types import (
    LinkState,
    Listing,
    Operation,
    RemoteRef,
    RemoteVariant,
    Side,
    Variant,
)
from reconcile.core.world import World, pair, unclaimed

__all__ = ["Match", "World", "pair", "plan_import", "plan_listing", "plan_world", "unclaimed"]


def plan_listing(listing: Listing, context: PlanContext) -> Plan:
    """Decide one paired listing with its variants; every variant gets at least one decision."""
    if context.operation.side is not Side.LISTINGS:
        raise ValueError(f"{context.operation.value} does not plan listings")
    draft = Draft(listing, context)
    opened: list[OpenVariant] = []
    present: list[tuple[Variant, RemoteVariant]] = []
    for variant in sorted(listing.variants, key=lambda item: item.id):
        match variant.link:
            case LinkState.UNLINKED | LinkState.AMBIGUOUS:
                opened.append(OpenVariant(variant, judge_open(variant, context)))
            case LinkState.BROKEN:
                plan_broken(draft, variant)
            case LinkState.LINKED:
                if plan_absence(draft, variant) and variant.remote is not None:
                    present.append((variant, variant.remote))
            case _:
                assert_never(variant.link)
    linking = _plan_open(draft, opened)
    _plan_operation(draft, listing, opened, present, linking)
    _say_withheld(draft, listing, opened, present)
    if not listing.variants:
        draft.say(
            None,
            Code.NO_VARIANTS,
            f"{listing.title!r} has no variant, so there is nothing to sell or to compare.",
            Standing.ATTENTION,
        )
    return draft.plan()


def plan_world(world: World, context: PlanContext) -> Plan:
    """Decide everything in a world; what SQL pairing and the planner together must yield."""
    plans = [plan_listing(listing, context) for listing in pair(world, context)]
    if context.operation is Operation.IMPORT_LISTINGS:
        plans += [
            plan_import(product, matches, context, duplicates)
            for product, matches, duplicates in unclaimed(world, context)
        ]
    actions: dict[str, Action] = {}
    for plan in plans:
        for action in plan.actions:
            actions.setdefault(action.key, action)
    decisions: list[Decision] = [item for plan in plans for item in plan.decisions]
    return Plan(
        actions=tuple(sorted(actions.values(), key=action_order)),
        decisions=tuple(sorted(decisions, key=_decision_order)),
        skipped=tuple(
            sorted(
                (item for plan in plans for item in plan.skipped),
                key=lambda item: action_order(item[0]),
            )
        ),
    )


def _decision_order(decision: Decision) -> tuple[str, str, str, str]:
    return (decision.listing_id, decision.variant_id or "", decision.code, decision.message)


def _plan_open(draft: Draft, opened: list[OpenVariant]) -> frozenset[RemoteRef]:
    linking = set()
    for item in opened:
        if item.verdict.code is Code.NOT_ON_CHANNEL:
            if draft.context.operation is Operation.PUBLISH_LISTINGS:
                continue
            state = draft.listing.busy.get(CONTENT_GROUP)
            if state is not None:
                doing = NOUNS[ActionKind.PUBLISH]
                message = unfinished(doing, state)
                draft.say(item.variant, Code.UNFINISHED, message, Standing.WAITING)
                continue
        if item.verdict.candidate is not None:
            linking.add(item.verdict.candidate.ref)
        plan_link(draft, item.variant, item.verdict)
    return frozenset(linking)


def _plan_operation(
    draft: Draft,
    listing: Listing,
    opened: list[OpenVariant],
    present: list[tuple[Variant, RemoteVariant]],
    linking: frozenset[RemoteRef],
) -> None:
    match draft.context.operation:
        case Operation.SYNC_LISTINGS:
            plan_sync(draft, listing, present)
        case Operation.PUBLISH_LISTINGS:
            plan_publish(draft, listing, opened)
            plan_overwrite(draft, listing, present)
        case Operation.IMPORT_LISTINGS:
            plan_import_over(draft, listing, present, linking)
        case Operation.LINK_LISTINGS:
            for variant, _ in present:
                draft.say(
                    variant,
                    Code.LINKED,
                    f"{variant.sku} is linked, and the product is there.",
                    Standing.IN_ORDER,
                )
        case Operation.GET_ORDERS | Operation.SYNC_ORDERS:
            raise AssertionError("plan_listing refuses operations on orders")
        case _:
            assert_never(draft.context.operation)


_WITHHELD_IN_ORDER = frozenset({Code.NO_VALUE, Code.HIDDEN})
"""No statement is no wish, and what hiding holds comes back with unhiding."""


def _say_withheld(
    draft: Draft,
    listing: Listing,
    opened: list[OpenVariant],
    present: list[tuple[Variant, RemoteVariant]],
) -> None:
    operation = draft.context.operation
    subjects: list[Variant | None] = [variant for variant, _ in present]
    if operation is Operation.PUBLISH_LISTINGS:
        subjects += [i.variant for i in opened if i.verdict.code is Code.NOT_ON_CHANNEL]
        if subjects:
            subjects.append(None)
    elif operation is not Operation.SYNC_LISTINGS:
        return
    for subject in subjects:
        for value in listing.withheld if subject is None else subject.withheld:
            in_order = value.reason in _WITHHELD_IN_ORDER
            draft.say(
                subject,
                value.reason,
                f"{value.field} is not sent: {value.message}",
                Standing.IN_ORDER if in_order else Standing.ATTENTION,
                {"field": value.field},
            )

"""The budget for destructive effects: how many of a kind may happen before a person is asked.

Pure. Counted are effects, planned plus executed in the last 24 hours, never inputs: a guard that
counts inputs is defused by the first input it does not know.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal

from reconcile.core.actions import Action, ActionKind, GuardKind
from reconcile.core.context import PlanContext
from reconcile.core.keys import as_value, changes_value, input_hash, keyed
from reconcile.core.syncing import guards_of
from reconcile.core.types import ZeroCause

NOUNS: Mapping[GuardKind, str] = {
    GuardKind.DELIST: "delistings",
    GuardKind.HIDE: "hidings",
    GuardKind.BREAK_LINK: "broken links",
    GuardKind.QUANTITY_TO_ZERO: "quantities stated to zero",
    GuardKind.PRICE_DROP: "price drops by half or more",
    GuardKind.IMPORT_OVERWRITE: "listings overwritten by a scheduled import",
}


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """What a channel may lose in 24 hours without a person's approval."""

    count: int = 10
    """Up to so many objects of a kind pass, however small the channel is."""
    share: Decimal = Decimal("0.05")
    """Up to this share of the linked variants passes, however many they are ..."""
    ceiling: int = 1000
    """... but never more than so many."""

    def limit(self, linked: int) -> int:
        """The number of objects of one kind that pass on a channel with so many linked variants."""
        return min(max(self.count, int(self.share * linked)), self.ceiling)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a kind stays within its budget, with the numbers."""

    allowed: bool
    planned: int
    executed: int
    limit: int
    message: str


def effects(actions: Iterable[Action]) -> Counter[GuardKind]:
    """The destructive effects of some actions, by objects: a listing counts with its variants."""
    found: Counter[GuardKind] = Counter()
    for action in actions:
        weight = len(action.variant_ids) if action.variant_id is None else 1
        for kind in action.guards:
            found[kind] += max(1, weight)
    return found


def assess(
    planned: Counter[GuardKind],
    executed_24h: Counter[GuardKind],
    linked: int,
    limits: GuardLimits = GuardLimits(),
) -> Mapping[GuardKind, Verdict]:
    """For each planned kind whether all of it may go; over budget none of the kind may."""
    limit = limits.limit(linked)
    verdicts = {}
    for kind in sorted(planned):
        if planned[kind] <= 0:
            continue
        executed = executed_24h[kind]
        total = planned[kind] + executed
        allowed = total <= limit
        message = (
            f"{planned[kind]} {NOUNS[kind]} planned and {executed} done in the last 24 hours, "
            f"of {linked} linked variants; "
        )
        message += (
            f"up to {limit} pass."
            if allowed
            else f"more than {limit} need an approval, so these wait for it."
        )
        verdicts[kind] = Verdict(allowed, planned[kind], executed, limit, message)
    return verdicts


def without(action: Action, refused: AbstractSet[GuardKind], context: PlanContext) -> Action | None:
    """What of a refused SYNC may go all the same; None where nothing is left.

    A price drop that waits for approval must not hold back the sold-out quantity beside it, or the
    channel would oversell.
    """
    if action.kind is not ActionKind.SYNC or not refused & set(action.guards):
        return None
    cause = (
        ZeroCause.STATEMENT if GuardKind.QUANTITY_TO_ZERO in action.guards else ZeroCause.SOLD_OUT
    )
    # Which of several prices is the drop depends on what was seen; all of them wait together.
    waits = context.price_fields if GuardKind.PRICE_DROP in refused & set(action.guards) else set()
    left = tuple(
        change
        for change in action.changes
        if change.field not in waits and not refused & set(guards_of((change,), cause, context))
    )
    if not left:
        return None
    rest = replace(
        action,
        changes=left,
        guards=guards_of(left, cause, context),
        input_hash=input_hash(
            action.kind.value, action.group, as_value(action.remote), changes_value(left), None
        ),
    )
    return keyed(rest, context.channel_id)

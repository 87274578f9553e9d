"""Presence and values of linked variants: DELIST, HIDE, UNHIDE and SYNC.

Pure. Only what differs is sent, nothing weaker instead of what cannot be done, and a presence
action keeps the fields of its write group to itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from reconcile.core.actions import ActionKind, Change, GuardKind, Reason, Standing
from reconcile.core.codes import Code
from reconcile.core.context import PlanContext
from reconcile.core.drafting import Draft
from reconcile.core.types import (
    Fields,
    Listing,
    Presence,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Value,
    Variant,
    ZeroCause,
)
from reconcile.core.values import amount_of, differing

PRICE_DROP_SHARE = Decimal("0.5")
"""A price that falls to this share or below is destructive."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What presence keeps from being synchronized in this plan."""

    group: str | None = None
    """Write group that a presence action travels in."""
    fields: frozenset[str] = frozenset()
    """Fields that hiding holds overwritten."""


def seen_presence(variant: Variant, remote: RemoteVariant) -> SeenPresence:
    """Where the variant is; hidden also where it looks the way our hiding left it."""
    if variant.kept is not None and remote.unsellable:
        return SeenPresence.HIDDEN
    return remote.presence


def plan_sync(
    draft: Draft, listing: Listing, present: Sequence[tuple[Variant, RemoteVariant]]
) -> None:
    """Everything SYNC_LISTINGS does to the linked variants that are there."""
    _plan_delist(
        draft, listing, [pair for pair in present if pair[0].presence is Presence.DELISTED]
    )
    for variant, remote in present:
        if variant.presence is Presence.DELISTED:
            continue
        if remote.presence is SeenPresence.DELISTED:
            draft.say(
                variant,
                Code.DELISTED_ON_STORE,
                f"{variant.sku} is delisted on {draft.context.channel_title}, though "
                f"{variant.presence.value} is wanted. A sync cannot bring it back: restore it "
                "there, or unlink it and publish it anew.",
                Standing.ATTENTION,
            )
            continue
        _plan_values(draft, variant, remote, _plan_presence(draft, variant, remote))


def guards_of(
    changes: Sequence[Change],
    zero_cause: ZeroCause,
    context: PlanContext,
    seen: Fields = MappingProxyType({}),
) -> tuple[GuardKind, ...]:
    """The destructive effects among changed values; `seen` is all that the channel holds."""
    found: set[GuardKind] = set()
    for change in changes:
        if change.field in context.quantity_fields and _falls_to_zero(change):
            if zero_cause is ZeroCause.STATEMENT:
                found.add(GuardKind.QUANTITY_TO_ZERO)
        elif change.field in context.price_fields and _drops(change, context, seen):
            found.add(GuardKind.PRICE_DROP)
    return tuple(sorted(found))


def _falls_to_zero(change: Change) -> bool:
    after, before = amount_of(change.after), amount_of(change.before)
    # An unknown quantity before may be plenty, so it counts as a fall.
    return after is not None and after <= 0 and (before is None or before > 0)


def _drops(change: Change, context: PlanContext, seen: Fields) -> bool:
    after, before = amount_of(change.after), amount_of(change.before)
    if before is None:
        # The first sale price falls from the price that was paid until then.
        paid = [amount_of(seen[name]) for name in context.price_fields & seen.keys()]
        before = max((amount for amount in paid if amount is not None), default=None)
    if after is None or before is None or before <= 0:
        return False
    return after <= before * PRICE_DROP_SHARE


def _plan_delist(
    draft: Draft, listing: Listing, doomed: Sequence[tuple[Variant, RemoteVariant]]
) -> None:
    group = draft.context.rule(Presence.DELISTED).write_group
    left = []
    for variant, remote in doomed:
        if remote.presence is SeenPresence.DELISTED:
            draft.say(
                variant,
                Code.DELISTED,
                f"{variant.sku} is delisted on {draft.context.channel_title}, as wanted.",
                Standing.IN_ORDER,
            )
        else:
            left.append((variant, remote))
    whole = _whole_product(listing, left, group)
    if whole and listing.remote is not None:
        _delist(draft, whole, RemoteRef(listing.remote.id), group, of_listing=True)
    ended = {variant.id for variant in whole}
    for variant, remote in left:
        if variant.id not in ended:
            _delist(draft, (variant,), remote.ref, group, of_listing=False)


def _whole_product(
    listing: Listing, doomed: Sequence[tuple[Variant, RemoteVariant]], group: str
) -> tuple[Variant, ...]:
    """The variants that are all the product has, so that the product itself ends; or none."""
    if listing.remote is None:
        return ()
    there = {remote.ref for remote in listing.remote.variants if remote.gone is None}
    ending = {
        remote.ref: variant
        for variant, remote in doomed
        if not variant.paused and group not in variant.busy
    }
    if not there or not there <= ending.keys():
        return ()
    return tuple(ending[ref] for ref in sorted(there, key=_ref_order))


def _ref_order(ref: RemoteRef) -> tuple[str, str]:
    return (ref.listing, ref.variant or "")


def _delist(
    draft: Draft, variants: Sequence[Variant], remote: RemoteRef, group: str, *, of_listing: bool
) -> None:
    names = ", ".join(variant.sku for variant in variants)
    what = f"the product and all its variants ({names})" if of_listing else names
    draft.intend(
        ActionKind.DELIST,
        group,
        Reason(
            Code.DELISTED_WANTED,
            f"Delisted is wanted: {what} will be removed from {draft.context.channel_title}.",
        ),
        variants=variants,
        of_listing=of_listing,
        remote=remote,
        guards=(GuardKind.DELIST,),
        basis=[variant.id for variant in variants],
    )


def _plan_presence(draft: Draft, variant: Variant, remote: RemoteVariant) -> _Claim:
    rule = draft.context.rule(Presence.HIDDEN)
    seen = seen_presence(variant, remote)
    inputs: dict[str, Value] = {"seen_presence": seen.value}
    if variant.presence is Presence.HIDDEN:
        if seen is SeenPresence.HIDDEN:
            draft.say(
                variant,
                Code.HIDDEN_AS_WANTED,
                f"{variant.sku} is hidden on {draft.context.channel_title}, as wanted.",
                Standing.IN_ORDER,
                inputs,
            )
            return _Claim(fields=rule.overwrites)
        hidden = _hide(draft, variant, remote, rule.write_group, inputs)
        return _Claim(rule.write_group if hidden else None, rule.overwrites)
    if variant.kept is None and seen is not SeenPresence.HIDDEN:
        return _Claim()
    if variant.kept is None and not variant.asserted:
        draft.say(
            variant,
            Code.HIDDEN_ON_STORE,
            f"{variant.sku} is hidden on {draft.context.channel_title} and was not hidden from "
            "here, so it stays hidden. Unhide it to show it.",
            Standing.ATTENTION,
            inputs,
        )
        return _Claim()
    if _unhide(draft, variant, remote, rule.write_group, inputs):
        return _Claim(rule.write_group)
    # Sending the quantity of what we hid would show it again by the back door.
    return _Claim(fields=rule.overwrites if variant.kept is not None else frozenset())


def _hide(
    draft: Draft, variant: Variant, remote: RemoteVariant, group: str, inputs: dict[str, Value]
) -> bool:
    message = f"Hidden is wanted, and {variant.sku} is {remote.presence.value}."
    if variant.kept is not None:
        message = f"{variant.sku} was hidden and is for sale again; it will be hidden once more."
    return draft.intend(
        ActionKind.HIDE,
        group,
        Reason(Code.HIDDEN_WANTED, message),
        variants=(variant,),
        remote=remote.ref,
        guards=(GuardKind.HIDE,),
        basis=[remote.presence.value, dict(remote.seen)],
        inputs=inputs,
    )


def _unhide(
    draft: Draft, variant: Variant, remote: RemoteVariant, group: str, inputs: dict[str, Value]
) -> bool:
    changes = tuple(
        change
        for change in differing(variant.wanted, remote.seen)
        if draft.context.write_group(change.field) == group
    )
    return draft.intend(
        ActionKind.UNHIDE,
        group,
        Reason(Code.LISTED_WANTED, f"Listed is wanted, and {variant.sku} is hidden."),
        variants=(variant,),
        remote=remote.ref,
        changes=changes,
        guards=guards_of(changes, variant.zero_cause, draft.context, remote.seen),
        basis=[remote.presence.value, None if variant.kept is None else dict(variant.kept)],
        inputs={**inputs, "kept": None if variant.kept is None else dict(variant.kept)},
    )


def _plan_values(draft: Draft, variant: Variant, remote: RemoteVariant, claim: _Claim) -> None:
    context = draft.context
    wanted: Fields = {
        name: value for name, value in variant.wanted.items() if name not in claim.fields
    }
    by_group: dict[str, list[Change]] = defaultdict(list)
    for change in differing(wanted, remote.seen):
        by_group[context.write_group(change.field)].append(change)
    for group in sorted(by_group.keys() - {claim.group}):
        changes = tuple(by_group[group])
        draft.intend(
            ActionKind.SYNC,
            group,
            Reason(Code.DIFFERS, f"{variant.sku} differs: {_listed(changes)}."),
            variants=(variant,),
            remote=remote.ref,
            changes=changes,
            guards=guards_of(changes, variant.zero_cause, context, remote.seen),
        )
    if by_group or claim.group is not None:
        return
    inputs: dict[str, Value] = {"wanted": dict(wanted), "seen": dict(remote.seen)}
    if not wanted:
        draft.say(
            variant,
            Code.NOTHING_WANTED,
            f"{variant.sku} is linked, but no field that the mapping template enables has a value "
            "of ours, so there is nothing to compare.",
            Standing.IN_ORDER,
            inputs,
        )
        return
    draft.say(
        variant,
        Code.IN_SYNC,
        f"{context.channel_title} holds what is wanted for {variant.sku}.",
        Standing.IN_ORDER,
        inputs,
    )


def _listed(changes: Sequence[Change]) -> str:
    return ", ".join(
        f"{change.field} {_shown(change.before)} → {_shown(change.after)}" for change in changes
    )


def _shown(value: Value) -> str:
    match value:
        case None:
            return "(nothing)"
        case {"amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case _:
            return str(value)

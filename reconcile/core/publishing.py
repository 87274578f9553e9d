"""Content and creation: PUBLISH and OVERWRITE of one listing.

Pure. A listing is published as a whole or not at all, and only when nothing of it can be linked;
where both sides have the product in different shapes, a person decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconcile.core.actions import ActionKind, Change, Reason, Standing
from reconcile.core.codes import Code
from reconcile.core.context import CONTENT_GROUP
from reconcile.core.drafting import Draft
from reconcile.core.linking import Verdict
from reconcile.core.types import (
    LinkState,
    Listing,
    Presence,
    RemoteRef,
    RemoteVariant,
    Value,
    Variant,
)
from reconcile.core.values import differing

_BLOCKING_REASONS = frozenset({Code.CURRENCY_MISMATCH, Code.INVALID, Code.NOT_MAPPED})
"""Withheld values without which nothing is created: half a product is weaker than the wish."""


@dataclass(frozen=True, slots=True)
class OpenVariant:
    """A variant without a link, and what was found about it."""

    variant: Variant
    verdict: Verdict


def plan_publish(draft: Draft, listing: Listing, opened: Sequence[OpenVariant]) -> None:
    """Create the listing on the channel, or say to each missing variant why not."""
    missing = [item.variant for item in opened if item.verdict.code is Code.NOT_ON_CHANNEL]
    if not missing:
        return
    context = draft.context
    held = next((item for item in _blockers(listing, opened)), None)
    if any(variant.link is LinkState.LINKED for variant in listing.variants):
        _say_structure(draft, listing, missing)
    elif held is not None:
        _say_each(draft, missing, Code.PUBLISH_BLOCKED, *held)
    elif not context.publish_missing:
        _say_each(
            draft,
            missing,
            Code.PUBLISHING_OFF,
            f"It is not on {context.channel_title}, and this operation is set not to create "
            "products there.",
            Standing.IN_ORDER,
        )
    elif not context.mirror_complete:
        _say_each(
            draft,
            missing,
            Code.MIRROR_INCOMPLETE,
            f"{context.channel_title} has not been listed completely yet. Nothing is published "
            "before, for it might exist there already; a full run lists everything.",
            Standing.WAITING,
        )
    else:
        _publish(draft, listing, missing)


def _blockers(
    listing: Listing, opened: Sequence[OpenVariant]
) -> list[tuple[str, Standing, Mapping[str, Value]]]:
    found: list[tuple[str, Standing, Mapping[str, Value]]] = []
    broken = [item.sku for item in listing.variants if item.link is LinkState.BROKEN]
    if broken:
        found.append(_blocker(broken, "the link is broken", Standing.ATTENTION))
    for item in opened:
        verdict = item.verdict
        if verdict.candidate is not None:
            message = "it exists there and is linked first"
            found.append(_blocker([item.variant.sku], message, Standing.WAITING))
        elif _blocks(item):
            found.append(_blocker([item.variant.sku], verdict.message, Standing.ATTENTION))
    values = [value for value in listing.withheld if value.reason in _BLOCKING_REASONS]
    if values:
        found.append(_blocker([listing.title], values[0].message, Standing.ATTENTION))
    for item in opened:
        if item.verdict.code is Code.NOT_ON_CHANNEL:
            values = [v for v in item.variant.withheld if v.reason in _BLOCKING_REASONS]
            if values:
                found.append(_blocker([item.variant.sku], values[0].message, Standing.ATTENTION))
    return found


def _blocks(item: OpenVariant) -> bool:
    match item.verdict.code:
        case Code.NOT_ON_CHANNEL | Code.NOT_LISTED | Code.NOT_PUBLISHED:
            return False
        case Code.KEY_MISSING | Code.UNLINKED_BY_PERSON:
            return item.variant.presence is Presence.LISTED
        case _:
            return True


def _blocker(
    skus: Sequence[str], why: str, standing: Standing
) -> tuple[str, Standing, Mapping[str, Value]]:
    message = f"A listing is published as a whole, and {', '.join(skus)} stands in the way: {why}"
    return message, standing, {"blocked_by": list(skus)}


def _say_each(
    draft: Draft,
    variants: Sequence[Variant],
    code: Code,
    message: str,
    standing: Standing,
    inputs: Mapping[str, Value] | None = None,
) -> None:
    for variant in (*variants, None):
        draft.say(variant, code, message, standing, inputs, action=ActionKind.PUBLISH)


def _say_structure(draft: Draft, listing: Listing, missing: Sequence[Variant]) -> None:
    theirs = () if listing.remote is None else listing.remote.variants
    ours_text = "; ".join(_shape(item.sku, item.options) for item in listing.variants)
    theirs_text = "; ".join(_shape(item.sku or "no SKU", item.options) for item in theirs)
    skus = ", ".join(variant.sku for variant in missing)
    _say_each(
        draft,
        missing,
        Code.STRUCTURE_DIFFERS,
        f"{skus} is not on {draft.context.channel_title}, though other variants of "
        f"{listing.title!r} are linked: the two sides differ in structure, and only what matches "
        f"is updated. Ours: {ours_text}. Theirs: {theirs_text or 'not seen yet'}.",
        Standing.ATTENTION,
        {
            "ours": [_shape(item.sku, item.options) for item in listing.variants],
            "theirs": [_shape(item.sku or "no SKU", item.options) for item in theirs],
            "our_options": list(listing.option_names),
        },
    )


def _shape(sku: str, options: Sequence[tuple[str, str]]) -> str:
    if not options:
        return sku
    return f"{sku} ({', '.join(f'{name}: {value}' for name, value in options)})"


def _publish(draft: Draft, listing: Listing, missing: Sequence[Variant]) -> None:
    changes = list(differing(listing.content, {}))
    for variant in missing:
        changes += differing(variant.wanted, {}, variant.id)
        changes += differing(variant.content, {}, variant.id)
    count = len(missing)
    draft.intend(
        ActionKind.PUBLISH,
        CONTENT_GROUP,
        Reason(
            Code.MISSING,
            f"{listing.title!r} is not on {draft.context.channel_title}; it will be created with "
            f"{count} variant{'s' if count != 1 else ''}.",
        ),
        variants=missing,
        of_listing=True,
        changes=tuple(changes),
        basis=[
            listing.title,
            list(listing.option_names),
            [_identity(variant) for variant in missing],
        ],
    )


def _identity(variant: Variant) -> Value:
    return [variant.id, variant.sku, [[name, value] for name, value in variant.options]]


def plan_overwrite(
    draft: Draft, listing: Listing, present: Sequence[tuple[Variant, RemoteVariant]]
) -> None:
    """Send changed content of linked variants and their product, or say why not."""
    ours = []
    for variant, remote in present:
        if variant.presence is Presence.DELISTED:
            draft.say(
                variant,
                Code.OTHER_OPERATION,
                f"Delisted is wanted for {variant.sku}; the sync removes it.",
                Standing.WAITING,
            )
        elif listing.remote is None or remote.ref.listing != listing.remote.id:
            _say_elsewhere(draft, variant, remote)
        else:
            ours.append((variant, remote))
    if not ours or listing.remote is None:
        return
    changes = list(differing(listing.content, listing.remote.content))
    touched = [variant for variant, _ in ours] if changes else []
    for variant, remote in ours:
        own = differing(variant.content, remote.content, variant.id)
        changes += own
        if own and variant not in touched:
            touched.append(variant)
    for variant, _ in ours:
        if variant not in touched:
            draft.say(
                variant,
                Code.IN_SYNC,
                f"{draft.context.channel_title} holds the wanted content of {variant.sku}.",
                Standing.IN_ORDER,
                {"content": dict(variant.content)},
            )
    if touched:
        _overwrite(draft, listing, RemoteRef(listing.remote.id), touched, tuple(changes))


def _overwrite(
    draft: Draft,
    listing: Listing,
    remote: RemoteRef,
    touched: Sequence[Variant],
    changes: tuple[Change, ...],
) -> None:
    names = ", ".join(sorted({change.field for change in changes}))
    if not draft.context.overwrite_enabled:
        for variant in touched:
            draft.say(
                variant,
                Code.OVERWRITE_OFF,
                f"Content differs ({names}), and overwriting content is switched off for this "
                "operation.",
                Standing.IN_ORDER,
                {"fields": [*sorted({change.field for change in changes})]},
                action=ActionKind.OVERWRITE,
            )
        return
    paused = [variant for variant in touched if variant.paused]
    if paused:
        # What belongs to the product shows on the paused variant too, so it waits with it.
        own = {variant.id for variant in touched if not variant.paused}
        free = tuple(change for change in changes if change.variant_id in own)
        _intend_overwrite(draft, listing, remote, paused, changes)
        going = {change.variant_id for change in free}
        rest = [variant for variant in touched if variant.id in going]
        for variant in touched:
            if not variant.paused and variant not in rest:
                draft.say(
                    variant,
                    Code.PAUSED,
                    f"The product's content differs ({names}), and "
                    f"{', '.join(item.sku for item in paused)} of the same product is paused.",
                    Standing.WAITING,
                    action=ActionKind.OVERWRITE,
                )
        touched, changes = rest, free
    if changes:
        _intend_overwrite(draft, listing, remote, touched, changes)


def _intend_overwrite(
    draft: Draft,
    listing: Listing,
    remote: RemoteRef,
    variants: Sequence[Variant],
    changes: tuple[Change, ...],
) -> None:
    names = ", ".join(sorted({change.field for change in changes}))
    draft.intend(
        ActionKind.OVERWRITE,
        CONTENT_GROUP,
        Reason(Code.CONTENT_DIFFERS, f"Content of {listing.title!r} differs: {names}."),
        variants=variants,
        of_listing=True,
        remote=remote,
        changes=changes,
    )


def _say_elsewhere(draft: Draft, variant: Variant, remote: RemoteVariant) -> None:
    draft.say(
        variant,
        Code.LINKED_ELSEWHERE,
        f"{variant.sku} is linked to a different product ({remote.ref.listing}) than the rest of "
        "its listing, so its content is not overwritten. Prices and quantities are synchronized.",
        Standing.ATTENTION,
        {"linked_to": remote.ref.listing},
    )

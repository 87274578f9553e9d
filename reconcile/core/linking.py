"""Links: who may be linked to what, and when a link ends.

Pure. Absence needs proof, a link comes before a publish, and broken is final until a person acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reconcile.core.actions import ActionKind, GuardKind, Reason, Standing
from reconcile.core.codes import Code
from reconcile.core.context import LINK_GROUP, PlanContext
from reconcile.core.drafting import Draft
from reconcile.core.keys import as_value
from reconcile.core.types import Candidate, LinkState, Presence, SeenPresence, Value, Variant


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a variant without a link; with a candidate, that it is linked."""

    code: Code
    message: str
    standing: Standing
    inputs: Mapping[str, Value]
    candidate: Candidate | None = None


def is_open(variant: Variant) -> bool:
    """Whether the variant has no link that is kept or mourned."""
    return variant.link in (LinkState.UNLINKED, LinkState.AMBIGUOUS)


def contends(variant: Variant) -> bool:
    """Whether the variant would take a remote object with its key; only such ones are rivals."""
    return (
        is_open(variant)
        and variant.link_key is not None
        and not variant.link_hold
        and variant.presence is not Presence.DELISTED
    )


def judge_open(variant: Variant, context: PlanContext) -> Verdict:
    """The table of decisions for a variant without a link."""
    ours, theirs, channel = context.ours_title, context.theirs_title, context.channel_title
    free = [candidate for candidate in variant.candidates if candidate.claimed_by is None]
    inputs: dict[str, Value] = {
        "ours": ours,
        "theirs": theirs,
        "key": variant.link_key,
        "candidates": [_described(candidate) for candidate in variant.candidates],
    }
    compared = f"our {ours} {variant.link_key!r}"
    if variant.presence is Presence.DELISTED:
        message = f"Delisted is wanted, and {variant.sku} is not linked to anything on {channel}."
        return Verdict(Code.NOT_LISTED, message, Standing.IN_ORDER, inputs)
    if variant.link_hold:
        message = (
            f"{variant.sku} was unlinked by hand. It is neither linked nor published by itself; "
            "link it to a product, or choose republish."
        )
        return Verdict(Code.UNLINKED_BY_PERSON, message, Standing.ATTENTION, inputs)
    if variant.link_key is None:
        message = (
            f"{variant.sku} has no {ours}, so it cannot be compared with their {theirs}. "
            f"Fill in {ours}, or link it by hand."
        )
        return Verdict(Code.KEY_MISSING, message, Standing.ATTENTION, inputs)
    if variant.rivals:
        inputs["rivals"] = [*sorted(variant.rivals)]
        message = (
            f"{_several(variant.rivals)} of ours has the same {ours} {variant.link_key!r} on this "
            f"channel as {variant.sku}. Correct one of them, or link by hand."
        )
        return Verdict(Code.DUPLICATE_KEY_OURS, message, Standing.ATTENTION, inputs)
    if len(free) > 1:
        message = (
            f"{len(free)} products on {channel} have the {theirs} of {compared}: "
            f"{', '.join(_named(candidate) for candidate in free)}. Choose one by hand."
        )
        return Verdict(Code.SEVERAL_CANDIDATES, message, Standing.ATTENTION, inputs)
    if free:
        message = f"Their {theirs} equals {compared}: {_named(free[0])}."
        return Verdict(Code.KEY_MATCHES, message, Standing.ACTION, inputs, free[0])
    if variant.candidates:
        message = (
            f"What has the {theirs} of {compared} on {channel} is linked to another variant of "
            f"ours already: {', '.join(_named(candidate) for candidate in variant.candidates)}. "
            "Unlink that one, or correct the key."
        )
        return Verdict(Code.CLAIMED_BY_ANOTHER, message, Standing.ATTENTION, inputs)
    return _not_on_channel(variant, context, inputs)


def _not_on_channel(variant: Variant, context: PlanContext, inputs: Mapping[str, Value]) -> Verdict:
    message = (
        f"Nothing on {context.channel_title} has the {context.theirs_title} of our "
        f"{context.ours_title} {variant.link_key!r}."
    )
    if variant.was is SeenPresence.DELISTED:
        message += f" {variant.sku} was delisted before; a sync cannot bring it back."
    if variant.presence is Presence.HIDDEN:
        message += " Hidden is wanted, and nothing is created only to be hidden."
        return Verdict(Code.NOT_PUBLISHED, message, Standing.IN_ORDER, inputs)
    if context.can(ActionKind.PUBLISH):
        message += " Publishing creates it; if it exists there, correct the key on either side."
        return Verdict(Code.NOT_ON_CHANNEL, message, Standing.WAITING, inputs)
    why = context.unsupported.get(ActionKind.PUBLISH, "publishing is not supported")
    message += f" It has to be created there, then it is linked ({why})."
    return Verdict(Code.NOT_ON_CHANNEL, message, Standing.ATTENTION, inputs)


def plan_link(draft: Draft, variant: Variant, verdict: Verdict) -> bool:
    """Say the verdict, or link; True where a link is planned."""
    if verdict.candidate is None:
        draft.say(variant, verdict.code, verdict.message, verdict.standing, verdict.inputs)
        return False
    return draft.intend(
        ActionKind.LINK,
        LINK_GROUP,
        Reason(verdict.code, verdict.message),
        variants=(variant,),
        remote=verdict.candidate.ref,
        basis=variant.link_key,
        inputs=verdict.inputs,
    )


def plan_broken(draft: Draft, variant: Variant) -> None:
    """A broken link stays until a person acts, unless what is gone was to be delisted anyway."""
    remote = variant.remote
    is_gone = remote is None or remote.gone is not None
    if is_gone and variant.presence is Presence.DELISTED:
        _end(draft, variant)
        return
    channel = draft.context.channel_title
    reason = None if remote is None else remote.gone
    if not is_gone:
        message = (
            f"What {variant.sku} was linked to is back on {channel}. "
            "Link it again by hand, or unlink it."
        )
    elif reason == Code.IN_TRASH:
        message = (
            f"What {variant.sku} was linked to is in the trash of {channel}. Restore it there and "
            "link again; or empty the trash and choose republish. Until then its SKU stays taken."
        )
    else:
        message = (
            f"What {variant.sku} was linked to no longer exists on {channel}. It is not created "
            "again by itself: unlink it and link another product, or choose republish."
        )
    draft.say(
        variant,
        Code.BROKEN_LINK,
        message,
        Standing.ATTENTION,
        {"gone": reason, "remote": as_value(None if remote is None else remote.ref)},
    )


def plan_absence(draft: Draft, variant: Variant) -> bool:
    """Whether a linked variant's object is there to work on; says so, or ends the link, if not."""
    remote = variant.remote
    channel = draft.context.channel_title
    if remote is None:
        draft.say(
            variant,
            Code.NOT_SEEN_YET,
            f"{variant.sku} is linked, but {channel} has not shown the product yet. "
            "The next run reads it.",
            Standing.WAITING,
        )
        return False
    if remote.gone is not None:
        if variant.presence is Presence.DELISTED:
            _end(draft, variant)
            return False
        code = Code.IN_TRASH if remote.gone == Code.IN_TRASH else Code.DELETED
        where = "is in the store's trash" if code is Code.IN_TRASH else "no longer exists"
        draft.intend(
            ActionKind.BREAK_LINK,
            LINK_GROUP,
            Reason(code, f"What {variant.sku} is linked to {where}, as a read by id said."),
            variants=(variant,),
            remote=remote.ref,
            guards=(GuardKind.BREAK_LINK,),
            basis=remote.gone,
            inputs={"gone": remote.gone},
        )
        return False
    if remote.absent:
        draft.say(
            variant,
            Code.ABSENCE_UNPROVEN,
            f"What {variant.sku} is linked to was missing when {channel} was listed. Nothing is "
            "concluded or sent before a read by id says whether it is gone.",
            Standing.WAITING,
            {"remote": as_value(remote.ref)},
        )
        return False
    return True


def _end(draft: Draft, variant: Variant) -> None:
    remote = variant.remote
    draft.intend(
        ActionKind.BREAK_LINK,
        LINK_GROUP,
        Reason(
            Code.DELISTED,
            f"{variant.sku} is gone from {draft.context.channel_title} and delisted was wanted: "
            "it is recorded as delisted.",
        ),
        variants=(variant,),
        remote=None if remote is None else remote.ref,
        inputs={"gone": None if remote is None else remote.gone},
    )


def _several(skus: tuple[str, ...]) -> str:
    shown = ", ".join(sorted(skus)[:5])
    return shown if len(skus) <= 5 else f"{shown} and {len(skus) - 5} more"


def _named(candidate: Candidate) -> str:
    number = candidate.ref.listing
    if candidate.ref.variant is not None:
        number += f"/{candidate.ref.variant}"
    return f"{candidate.title!r} ({number})"


def _described(candidate: Candidate) -> Value:
    return {
        "remote": as_value(candidate.ref),
        "title": candidate.title,
        "sku": candidate.sku,
        "claimed_by": candidate.claimed_by,
    }

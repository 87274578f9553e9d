"""Importing: what becomes of a product of the channel, and of ours that are linked already.

Pure. A product whose key is one of ours is linked, never imported a second time.
"""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto

from reconcile.core.actions import Action, ActionKind, Change, GuardKind, Plan, Reason, Standing
from reconcile.core.codes import Code
from reconcile.core.context import IMPORT_GROUP, LINK_GROUP, ImportMode, PlanContext
from reconcile.core.drafting import NOUNS, Draft, unfinished
from reconcile.core.keys import as_value, input_hash, keyed
from reconcile.core.types import (
    Fields,
    Listing,
    OurField,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    Value,
    Variant,
)
from reconcile.core.values import differing


@dataclass(frozen=True, slots=True)
class Match:
    """A variant of ours on this channel that has the key of a remote object."""

    ref: RemoteRef
    """The remote object."""
    listing_id: str
    variant_id: str
    sku: str
    linked_to: RemoteRef | None = None
    """What it is linked to already, LINKED or BROKEN."""
    contends: bool = True
    """`linking.contends`: it would take the object; False where held, or wanted delisted."""
    busy: str | None = None
    """State of an unfinished action on its link, or of an unfinished publish of its listing."""


class _Row(Enum):
    NEW = auto()
    OURS = auto()
    """It belongs to a listing of ours: the product is not imported as a new one."""
    LEFT_OUT = auto()


def plan_import(
    remote: RemoteListing,
    matches: Sequence[Match],
    context: PlanContext,
    duplicates: AbstractSet[str] = frozenset(),
) -> Plan:
    """Decide one product of which nothing is linked: link, import, or say why neither.

    `matches` are ours with the keys of its rows; `duplicates` are those of its keys that other
    unlinked products of the channel have too. An IMPORT action names each row it takes by their
    variant id (the product's where it has no variants) in `Change.variant_id`.
    """
    draft = Draft(Listing(id="", title=remote.title, variants=()), context)
    rows = sorted(
        (row for row in remote.variants if row.gone is None and not row.absent),
        key=lambda row: (row.ref.listing, row.ref.variant or ""),
    )
    if not rows:
        draft.say(
            None,
            Code.NO_VARIANTS,
            f"{remote.title!r} has nothing on {context.channel_title} that can be sold, so there "
            "is nothing to import.",
            Standing.IN_ORDER,
            {"remote": remote.id},
        )
        return draft.plan()
    keys = Counter(row.identifiers.get(context.their_identifier) for row in rows)
    twice = {key for key, count in keys.items() if count > 1} | set(duplicates)
    links: dict[str, Action] = {}
    fates = [(row, _judge(draft, row, matches, twice, links)) for row in rows]
    fresh = [row for row, fate in fates if fate is _Row.NEW]
    if any(fate is _Row.OURS for _, fate in fates):
        for row in fresh:
            _say(
                draft,
                row,
                Code.STRUCTURE_DIFFERS,
                f"{_name(row)} of {remote.title!r} is new on {context.channel_title}, while other "
                "variants of it are ours already: add it to that listing, or leave it.",
                Standing.ATTENTION,
            )
    elif fresh:
        _create(draft, remote, fresh)
    plan = draft.plan()
    return Plan((*plan.actions, *links.values()), plan.decisions, plan.skipped)


def _judge(
    draft: Draft,
    row: RemoteVariant,
    matches: Sequence[Match],
    twice: AbstractSet[str | None],
    links: dict[str, Action],
) -> _Row:
    theirs, channel = draft.context.theirs_title, draft.context.channel_title
    key = row.identifiers.get(draft.context.their_identifier)
    if key is None:
        _say(
            draft,
            row,
            Code.KEY_MISSING_THEIRS,
            f"{_name(row)} has no {theirs} on {channel}, so it cannot be imported. Give it one "
            "there and import again.",
            Standing.ATTENTION,
        )
        return _Row.LEFT_OUT
    if key in twice:
        _say(
            draft,
            row,
            Code.DUPLICATE_KEY_THEIRS,
            f"Several products on {channel} have the {theirs} {key!r}; none of them is imported "
            "or linked before it is unique there.",
            Standing.ATTENTION,
        )
        return _Row.LEFT_OUT
    ours = [match for match in matches if match.ref == row.ref]
    takers = [match for match in ours if match.contends and match.linked_to is None]
    if len(takers) == 1:
        _link(draft, row, takers[0], key, links)
        return _Row.OURS
    if takers:
        skus = ", ".join(sorted(match.sku for match in takers))
        message = f"Several of ours have the {theirs} {key!r}: {skus}. Correct one of them."
        _say(draft, row, Code.DUPLICATE_KEY_OURS, message, Standing.ATTENTION)
        return _Row.OURS
    if ours:
        skus = ", ".join(sorted(match.sku for match in ours))
        message = (
            f"{skus} of ours has the {theirs} {key!r}, and is linked to something else, was "
            "unlinked by hand, or is wanted delisted. Nothing is imported twice: link it by hand "
            "or correct the key."
        )
        _say(draft, row, Code.KEY_TAKEN, message, Standing.ATTENTION)
        return _Row.OURS
    return _Row.NEW


def _link(
    draft: Draft, row: RemoteVariant, match: Match, key: str, links: dict[str, Action]
) -> None:
    # The same action that planning our own listing yields: equal key, so it counts once.
    context = draft.context
    message = f"{_name(row)} is our {match.sku}: it is linked instead of imported."
    if match.busy is not None:
        waiting = unfinished(NOUNS[ActionKind.LINK], match.busy)
        _say(draft, row, Code.UNFINISHED, waiting, Standing.WAITING, ActionKind.LINK)
        return
    action = Action(
        kind=ActionKind.LINK,
        listing_id=match.listing_id,
        variant_id=match.variant_id,
        group=LINK_GROUP,
        reason=Reason(Code.KEY_MATCHES, message),
        remote=row.ref,
        input_hash=input_hash(ActionKind.LINK.value, LINK_GROUP, as_value(row.ref), [], key),
    )
    links[match.variant_id] = keyed(action, context.channel_id)
    _say(draft, row, Code.KEY_MATCHES, message, Standing.ACTION, ActionKind.LINK)


def _create(draft: Draft, remote: RemoteListing, fresh: Sequence[RemoteVariant]) -> None:
    changes = list(differing(remote.import_fields, {}))
    for row in fresh:
        their_id = row.ref.variant or row.ref.listing
        fields = dict(row.import_fields)
        fields.setdefault(OurField.SKU.value, row.sku)
        changes += differing(fields, {}, their_id)
        if fields[OurField.SKU.value] is None:
            # Linked by another identifier than SKU: the row is still named.
            changes.append(Change(OurField.SKU.value, None, None, their_id))
    count = len(fresh)
    draft.intend(
        ActionKind.IMPORT,
        IMPORT_GROUP,
        Reason(
            Code.NEW_ON_CHANNEL,
            f"{remote.title!r} is on {draft.context.channel_title} and not among our listings; it "
            f"is imported with {count} variant{'s' if count != 1 else ''}.",
        ),
        variants=(),
        of_listing=True,
        remote=RemoteRef(remote.id),
        changes=tuple(changes),
    )


def plan_import_over(
    draft: Draft,
    listing: Listing,
    present: Sequence[tuple[Variant, RemoteVariant]],
    linking: AbstractSet[RemoteRef],
) -> None:
    """What an import does with a listing of ours that is linked, by the import mode."""
    context = draft.context
    if not present:
        return
    _say_new_rows(draft, listing, {remote.ref for _, remote in present} | linking)
    if context.import_mode is ImportMode.CREATE or listing.remote is None:
        for variant, _ in present:
            draft.say(
                variant,
                Code.ALREADY_OURS,
                f"{variant.sku} is linked already, and this import only creates what is new.",
                Standing.IN_ORDER,
            )
        return
    changes = list(differing(_but_sku(listing.remote.import_fields), listing.own))
    touched = [variant for variant, _ in present] if changes else []
    for variant, remote in present:
        own = differing(_but_sku(remote.import_fields), variant.own, variant.id)
        changes += own
        if own and variant not in touched:
            touched.append(variant)
    for variant, _ in present:
        if variant not in touched:
            draft.say(
                variant,
                Code.IN_SYNC,
                f"Ours has what {context.channel_title} says about {variant.sku}.",
                Standing.IN_ORDER,
            )
    if not touched:
        return
    names = ", ".join(sorted({change.field for change in changes}))
    draft.intend(
        ActionKind.IMPORT,
        IMPORT_GROUP,
        Reason(
            Code.IMPORT_DIFFERS,
            f"{context.channel_title} differs from our {listing.title!r} in {names}; the import "
            "overwrites ours.",
        ),
        variants=touched,
        of_listing=True,
        remote=RemoteRef(listing.remote.id),
        changes=tuple(changes),
        # Whoever starts an overwriting import by hand has approved it.
        guards=(GuardKind.IMPORT_OVERWRITE,) if context.scheduled else (),
    )


def _but_sku(fields: Fields) -> Fields:
    """Their fields without the SKU: it is who it is for us; links survive its change there."""
    return {name: value for name, value in fields.items() if name != OurField.SKU}


def _say_new_rows(draft: Draft, listing: Listing, known: AbstractSet[RemoteRef]) -> None:
    if listing.remote is None:
        return
    new = [row for row in listing.remote.variants if row.gone is None and row.ref not in known]
    if new:
        draft.say(
            None,
            Code.STRUCTURE_DIFFERS,
            f"{listing.title!r} has more variants on {draft.context.channel_title} than here: "
            f"{', '.join(_name(row) for row in new)}. Add them to the listing and link them.",
            Standing.ATTENTION,
            {"new": [as_value(row.ref) for row in new]},
        )


def _say(
    draft: Draft,
    row: RemoteVariant,
    code: Code,
    message: str,
    standing: Standing,
    action: ActionKind = ActionKind.IMPORT,
) -> None:
    inputs: dict[str, Value] = {
        "remote": as_value(row.ref),
        "sku": row.sku,
        "identifiers": dict(row.identifiers),
    }
    draft.say(None, code, message, standing, inputs, action=action)


def _name(row: RemoteVariant) -> str:
    number = row.ref.listing if row.ref.variant is None else f"{row.ref.listing}/{row.ref.variant}"
    return f"{row.sku} ({number})" if row.sku else f"a variant without SKU ({number})"

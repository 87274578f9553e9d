"""Every state machine as a table: runs, actions, links, and what a person may ask for when.

Pure data and lookups. Who moves a state, and when, is the runtime's business.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from reconcile.core.actions import Reason
from reconcile.core.codes import Code
from reconcile.core.types import LinkState, Presence, SeenPresence, Variant

S = TypeVar("S", bound=StrEnum)


class RunState(StrEnum):
    """How far a run has come."""

    QUEUED = "QUEUED"
    FETCHING = "FETCHING"
    PLANNED = "PLANNED"
    """The plan is recorded: a preview, shadow mode, or waiting for approval or execution."""
    EXECUTING = "EXECUTING"
    REPORTED = "REPORTED"
    CANCELED = "CANCELED"


class RunResult(StrEnum):
    """How a run ended; with a row skipped against the user's wish it is not SUCCEEDED."""

    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    CANCELED = "CANCELED"


class ActionState(StrEnum):
    """Where a recorded action stands."""

    PLANNED = "PLANNED"
    REFUSED = "REFUSED"
    """Held back by the guard until a person approves."""
    DUE = "DUE"
    SENDING = "SENDING"
    """A request that carries it may be on its way."""
    RETRYING = "RETRYING"
    UNKNOWN = "UNKNOWN"
    """It may have happened; looking decides."""
    APPLIED = "APPLIED"
    NO_OP = "NO_OP"
    SKIPPED = "SKIPPED"
    STALE = "STALE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class LinkEvent(StrEnum):
    """What can happen to a link."""

    LINK = "LINK"
    """The one free candidate was linked, or a person linked by hand."""
    BREAK = "BREAK"
    """The remote object is proved gone."""
    END = "END"
    """It is proved gone while DELISTED was wanted."""
    UNLINK = "UNLINK"
    """A person unlinked it, or freed it to be published again."""
    AMBIGUOUS = "AMBIGUOUS"
    """Several candidates, on their side or ours."""
    CLEAR = "CLEAR"
    """No longer several."""


class Command(StrEnum):
    """What a person can ask for one variant."""

    HIDE = "HIDE"
    UNHIDE = "UNHIDE"
    DELIST = "DELIST"
    RELIST = "RELIST"
    LINK = "LINK"
    UNLINK = "UNLINK"
    REPUBLISH = "REPUBLISH"
    """Let go of a broken or hand-made end of a link, so that it links or publishes by itself."""
    PAUSE = "PAUSE"
    UNPAUSE = "UNPAUSE"


RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset(
        {RunState.FETCHING, RunState.PLANNED, RunState.REPORTED, RunState.CANCELED}
    ),
    RunState.FETCHING: frozenset({RunState.PLANNED, RunState.REPORTED, RunState.CANCELED}),
    RunState.PLANNED: frozenset({RunState.EXECUTING, RunState.REPORTED, RunState.CANCELED}),
    # Rows over budget wait while the rest is executed; then the run waits for the approval.
    RunState.EXECUTING: frozenset({RunState.PLANNED, RunState.REPORTED, RunState.CANCELED}),
    # Approving rows that the guard refused opens the run again.
    RunState.REPORTED: frozenset({RunState.EXECUTING}),
    RunState.CANCELED: frozenset(),
}

FINISHED_RUN_STATES = frozenset({RunState.REPORTED, RunState.CANCELED})
"""Nothing goes on by itself; only an approval opens a reported run again."""

FINAL_RUN_STATES = frozenset(state for state, moves in RUN_MOVES.items() if not moves)

_ENDS = frozenset({ActionState.APPLIED, ActionState.NO_OP, ActionState.STALE, ActionState.FAILED})
_NEVER_SENT = frozenset({ActionState.SKIPPED, ActionState.STALE, ActionState.CANCELED})

ACTION_MOVES: Mapping[ActionState, frozenset[ActionState]] = {
    # Local actions end without being sent.
    ActionState.PLANNED: _ENDS | _NEVER_SENT | {ActionState.DUE, ActionState.REFUSED},
    ActionState.REFUSED: _NEVER_SENT | {ActionState.DUE},
    ActionState.DUE: _ENDS | _NEVER_SENT | {ActionState.SENDING, ActionState.REFUSED},
    # Back to DUE where nothing was sent or the request surely had no effect.
    ActionState.SENDING: _ENDS | {ActionState.DUE, ActionState.RETRYING, ActionState.UNKNOWN},
    ActionState.RETRYING: _ENDS | _NEVER_SENT | {ActionState.DUE, ActionState.SENDING},
    # Never canceled: what may have happened has to be looked at.
    ActionState.UNKNOWN: _ENDS | {ActionState.DUE, ActionState.RETRYING},
    ActionState.APPLIED: frozenset(),
    ActionState.NO_OP: frozenset(),
    ActionState.SKIPPED: frozenset(),
    ActionState.STALE: frozenset(),
    ActionState.FAILED: frozenset(),
    ActionState.CANCELED: frozenset(),
}

FINAL_ACTION_STATES = frozenset(state for state, moves in ACTION_MOVES.items() if not moves)

LINK_MOVES: Mapping[tuple[LinkState, LinkEvent], LinkState] = {
    (LinkState.UNLINKED, LinkEvent.LINK): LinkState.LINKED,
    (LinkState.UNLINKED, LinkEvent.AMBIGUOUS): LinkState.AMBIGUOUS,
    (LinkState.AMBIGUOUS, LinkEvent.LINK): LinkState.LINKED,
    (LinkState.AMBIGUOUS, LinkEvent.CLEAR): LinkState.UNLINKED,
    (LinkState.LINKED, LinkEvent.BREAK): LinkState.BROKEN,
    (LinkState.LINKED, LinkEvent.END): LinkState.UNLINKED,
    (LinkState.LINKED, LinkEvent.UNLINK): LinkState.UNLINKED,
    (LinkState.BROKEN, LinkEvent.LINK): LinkState.LINKED,
    (LinkState.BROKEN, LinkEvent.END): LinkState.UNLINKED,
    (LinkState.BROKEN, LinkEvent.UNLINK): LinkState.UNLINKED,
}
"""(state, event) → state; a pair that is not here does not happen."""

LINK_TABLE: Mapping[LinkState, frozenset[LinkState]] = {
    state: frozenset(after for (before, _), after in LINK_MOVES.items() if before is state)
    for state in LinkState
}

UNLINKED_CODES: Mapping[str, LinkState] = {
    Code.SEVERAL_CANDIDATES: LinkState.AMBIGUOUS,
    Code.DUPLICATE_KEY_OURS: LinkState.AMBIGUOUS,
    Code.NOT_LISTED: LinkState.UNLINKED,
    Code.UNLINKED_BY_PERSON: LinkState.UNLINKED,
    Code.KEY_MISSING: LinkState.UNLINKED,
    Code.CLAIMED_BY_ANOTHER: LinkState.UNLINKED,
    Code.NOT_ON_CHANNEL: LinkState.UNLINKED,
    Code.NOT_PUBLISHED: LinkState.UNLINKED,
}
"""The link state to record for a variant without a link, from the code of its decision.

AMBIGUOUS is no action: nothing is done to a variant, only said about it. Codes that are not here
leave the state as it is.
"""


def can_move(table: Mapping[S, frozenset[S]], before: S, after: S) -> bool:
    """Whether the table lets a state move from `before` to `after`."""
    return after in table[before]


def check_command(command: Command, variant: Variant) -> Reason | None:
    """Why a person's command cannot be carried out on this variant now; None where it can."""
    match command:
        case Command.HIDE:
            return _check_hide(variant)
        case Command.UNHIDE:
            return _check_unhide(variant)
        case Command.DELIST:
            return _refused(
                variant.presence is Presence.DELISTED,
                "AlreadyDelisted",
                f"{variant.sku} is already wanted delisted",
            )
        case Command.RELIST:
            return _refused(
                variant.presence is not Presence.DELISTED,
                "NotDelisted",
                f"{variant.sku} is not delisted; relist is for delisted ones, "
                "unhide brings back a hidden one",
            )
        case Command.LINK:
            return _refused(
                variant.link is LinkState.LINKED,
                "AlreadyLinked",
                f"{variant.sku} is already linked; unlink it first",
            )
        case Command.UNLINK:
            return _check_unlink(variant)
        case Command.REPUBLISH:
            return _refused(
                not (variant.link is LinkState.BROKEN or variant.link_hold),
                "NotBroken",
                f"{variant.sku} neither has a broken link nor was unlinked by hand; "
                "republish is for those, otherwise publishing is enough",
            )
        case Command.PAUSE:
            return _refused(variant.paused, "AlreadyPaused", f"{variant.sku} is already paused")
        case Command.UNPAUSE:
            return _refused(not variant.paused, "NotPaused", f"{variant.sku} is not paused")


def _refused(refused: bool, code: str, message: str) -> Reason | None:
    return Reason(code, message) if refused else None


def _check_hide(variant: Variant) -> Reason | None:
    match variant.presence:
        case Presence.LISTED:
            return None
        case Presence.HIDDEN:
            return Reason("AlreadyHidden", f"{variant.sku} is already wanted hidden")
        case Presence.DELISTED:
            return Reason("Delisted", f"{variant.sku} is wanted delisted; relist it first")


def _check_unhide(variant: Variant) -> Reason | None:
    if variant.presence is Presence.DELISTED:
        return Reason("Delisted", f"{variant.sku} is wanted delisted; relist it instead")
    seen_hidden = variant.remote is not None and variant.remote.presence is SeenPresence.HIDDEN
    return _refused(
        variant.presence is not Presence.HIDDEN and not seen_hidden and variant.kept is None,
        "NotHidden",
        f"{variant.sku} is not hidden; only what is hidden can be unhidden",
    )


def _check_unlink(variant: Variant) -> Reason | None:
    if variant.link not in (LinkState.LINKED, LinkState.BROKEN):
        return Reason("NotLinked", f"{variant.sku} is not linked")
    open_states = (ActionState.SENDING, ActionState.UNKNOWN)
    return _refused(
        any(state in open_states for state in variant.busy.values()),
        "Unfinished",
        f"{variant.sku} has an action on its way to the channel; unlink it when that has ended",
    )

"""Drafting a plan: every intent passes one gate, and whatever holds it back is said.

Pure. The gate asks, top to bottom: is it part of the operation, is the variant paused, can the
platform do it, is something unfinished there, did the same input fail before, does the policy allow
it. No other module decides these.
"""

from collections.abc import Mapping, Sequence

from reconcile.core.actions import (
    OPERATION_ACTIONS,
    POLICY_ACTIONS,
    Action,
    ActionKind,
    Change,
    Decision,
    GuardKind,
    Outcome,
    Plan,
    Reason,
    Standing,
)
from reconcile.core.codes import Code
from reconcile.core.context import CONTENT_GROUP, PlanContext
from reconcile.core.keys import as_value, changes_value, input_hash, keyed
from reconcile.core.types import Failure, Listing, RemoteRef, Value, Variant

NOUNS: Mapping[ActionKind, str] = {
    ActionKind.LINK: "linking",
    ActionKind.BREAK_LINK: "recording the broken link",
    ActionKind.IMPORT: "importing",
    ActionKind.PUBLISH: "publishing",
    ActionKind.OVERWRITE: "overwriting content",
    ActionKind.SYNC: "synchronizing prices and quantities",
    ActionKind.HIDE: "hiding",
    ActionKind.UNHIDE: "unhiding",
    ActionKind.DELIST: "delisting",
    ActionKind.IMPORT_ORDER: "importing the order",
    ActionKind.ACKNOWLEDGE: "acknowledging the order",
    ActionKind.FULFILL: "sending the shipment",
    ActionKind.CLOSE: "closing the order",
}

_ORDER = (
    ActionKind.BREAK_LINK,
    ActionKind.LINK,
    ActionKind.IMPORT,
    ActionKind.UNHIDE,
    ActionKind.SYNC,
    ActionKind.PUBLISH,
    ActionKind.OVERWRITE,
    ActionKind.HIDE,
    ActionKind.DELIST,
)
"""Own records first, what takes away last."""


class Draft:
    """The plan of one listing while it is being made."""

    def __init__(self, listing: Listing, context: PlanContext) -> None:
        self.listing = listing
        self.context = context
        self._actions: list[Action] = []
        self._decisions: list[Decision] = []
        self._skipped: list[tuple[Action, Decision]] = []

    def say(
        self,
        variant: Variant | None,
        code: Code | str,
        message: str,
        standing: Standing,
        inputs: Mapping[str, Value] | None = None,
        *,
        action: ActionKind | None = None,
        outcome: Outcome | None = None,
    ) -> Decision:
        """Record why something is there or not."""
        subject: dict[str, Value] = {"title": self.listing.title}
        if variant is not None:
            subject = {
                "sku": variant.sku,
                "presence": variant.presence.value,
                "link": variant.link.value,
            }
        decision = Decision(
            listing_id=self.listing.id,
            variant_id=None if variant is None else variant.id,
            code=str(code),
            message=message,
            standing=standing,
            action=action,
            outcome=outcome,
            inputs={**subject, **(inputs or {})},
        )
        self._decisions.append(decision)
        return decision

    def intend(
        self,
        kind: ActionKind,
        group: str,
        reason: Reason,
        *,
        variants: Sequence[Variant],
        of_listing: bool = False,
        remote: RemoteRef | None = None,
        changes: tuple[Change, ...] = (),
        guards: tuple[GuardKind, ...] = (),
        basis: Value = None,
        inputs: Mapping[str, Value] | None = None,
    ) -> bool:
        """Plan an action unless something holds it back; says which, to each variant of it.

        `basis` is what the decision depends on besides the changes: a permanent failure is bound
        to both.
        """
        action = keyed(
            Action(
                kind=kind,
                listing_id=self.listing.id,
                variant_id=None if of_listing else variants[0].id,
                group=group,
                reason=reason,
                remote=remote,
                changes=changes,
                guards=guards,
                variant_ids=tuple(variant.id for variant in variants) if of_listing else (),
                input_hash=input_hash(
                    kind.value, group, as_value(remote), changes_value(changes), basis
                ),
            ),
            self.context.channel_id,
        )
        facts = {**(inputs or {}), **_facts(action)}
        held = self._held(action, variants)
        if held is None:
            self._actions.append(action)
            self._tell(action, variants, reason, Standing.ACTION, None, facts)
            return True
        found, standing, outcome = held
        decision = self._tell(action, variants, found, standing, outcome, facts)
        if outcome is Outcome.SKIPPED:
            self._skipped.append((action, decision))
        return False

    def plan(self) -> Plan:
        """What was drafted, actions in the order they are meant to run."""
        return Plan(
            tuple(sorted(self._actions, key=action_order)),
            tuple(self._decisions),
            tuple(self._skipped),
        )

    def _tell(
        self,
        action: Action,
        variants: Sequence[Variant],
        reason: Reason,
        standing: Standing,
        outcome: Outcome | None,
        facts: Mapping[str, Value],
    ) -> Decision:
        subjects: list[Variant | None] = list(variants)
        if action.variant_id is None:
            subjects.append(None)
        return [
            self.say(
                subject,
                reason.code,
                reason.message,
                standing,
                facts,
                action=action.kind,
                outcome=outcome,
            )
            for subject in subjects
        ][-1]

    def _held(
        self, action: Action, variants: Sequence[Variant]
    ) -> tuple[Reason, Standing, Outcome | None] | None:
        context, kind, doing = self.context, action.kind, NOUNS[action.kind]
        if kind not in OPERATION_ACTIONS[context.operation]:
            message = f"{action.reason.message} That is not part of this operation."
            return Reason(Code.OTHER_OPERATION, message), Standing.WAITING, None
        if not kind.is_local and any(variant.paused for variant in variants):
            message = f"Paused: {doing} waits until it is unpaused. {action.reason.message}"
            return Reason(Code.PAUSED, message), Standing.WAITING, None
        if not context.can(kind):
            why = context.unsupported.get(kind, f"{context.channel_title} does not support {doing}")
            message = f"Not done, and nothing weaker instead: {why}"
            return Reason(Code.UNSUPPORTED, message), Standing.ATTENTION, None
        state = self._busy(action, variants)
        if state is not None:
            return Reason(Code.UNFINISHED, unfinished(doing, state)), Standing.WAITING, None
        failure = self._failure(action, variants)
        if failure is not None:
            message = (
                f"Not tried again, because the same input failed before ({failure.reason}): "
                f"{failure.message}. It is tried when our value or the store's changes."
            )
            return Reason(Code.FAILED_BEFORE, message), Standing.ATTENTION, Outcome.FAILED
        if not kind.is_local and kind not in POLICY_ACTIONS[context.policy]:
            message = (
                f"The channel's write policy {context.policy.value} does not allow {doing}. "
                f"It would be done otherwise: {action.reason.message}"
            )
            return Reason(Code.POLICY_FORBIDS, message), Standing.ATTENTION, Outcome.SKIPPED
        return None

    def _busy(self, action: Action, variants: Sequence[Variant]) -> str | None:
        # An unfinished action of the listing holds its variants too, and the other way round;
        # linking waits for a publish whose outcome is open, for it may have made the candidate.
        groups = {action.group}
        if action.kind is ActionKind.LINK:
            groups.add(CONTENT_GROUP)
        for group in sorted(groups):
            if group in self.listing.busy:
                return self.listing.busy[group]
        return next(
            (variant.busy[action.group] for variant in variants if action.group in variant.busy),
            None,
        )

    def _failure(self, action: Action, variants: Sequence[Variant]) -> Failure | None:
        failures = self.listing.failures if action.variant_id is None else variants[0].failures
        return next(
            (
                failure
                for failure in failures
                if failure.action == action.kind and failure.input_hash == action.input_hash
            ),
            None,
        )


def unfinished(doing: str, state: str) -> str:
    """The sentence for an object that still has an unfinished action of the same group."""
    if state == "UNKNOWN":
        return (
            f"An earlier action has an unknown outcome and is being confirmed; "
            f"{doing} is decided again after that"
        )
    return f"An earlier action is not finished yet ({state}); {doing} is decided again after that"


def action_order(action: Action) -> tuple[int, str, str, str]:
    """Where an action stands in a plan, whatever order the inputs came in."""
    return (_ORDER.index(action.kind), action.object_id, action.group, action.key)


def _facts(action: Action) -> dict[str, Value]:
    facts: dict[str, Value] = {}
    if action.remote is not None:
        facts["remote"] = as_value(action.remote)
    if action.changes:
        facts["changes"] = changes_value(action.changes)
    if action.guards:
        facts["guards"] = [guard.value for guard in action.guards]
    return facts

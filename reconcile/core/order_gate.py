"""The gate of what is sent about orders: every intent passes it, and what holds it back is said.

Pure. The gate asks, top to bottom: is something unfinished there, did the same input fail before,
does it have to wait for something, can the platform do it, does the policy allow it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconcile.core.actions import (
    POLICY_ACTIONS,
    Action,
    ActionKind,
    Change,
    Decision,
    Outcome,
    Plan,
    Reason,
    Standing,
)
from reconcile.core.drafting import NOUNS, unfinished
from reconcile.core.keys import changes_value, input_hash, keyed
from reconcile.core.order_codes import OrderCode
from reconcile.core.order_types import OrderContext
from reconcile.core.types import Failure, Value


@dataclass(frozen=True, slots=True)
class Subject:
    """What an intent is about: an order, or one shipment of it."""

    order_id: str
    shipment_id: str = ""
    busy: str | None = None
    """State of an unfinished action of the same write group."""
    failures: tuple[Failure, ...] = ()


class OrderDraft:
    """The plan of one order while it is being made."""

    def __init__(self, context: OrderContext) -> None:
        self._context = context
        self._actions: list[Action] = []
        self._decisions: list[Decision] = []
        self._skipped: list[tuple[Action, Decision]] = []

    @property
    def kinds(self) -> frozenset[ActionKind]:
        """The kinds of action drafted so far."""
        return frozenset(action.kind for action in self._actions)

    def say(
        self,
        subject: Subject,
        reason: Reason,
        standing: Standing,
        inputs: Mapping[str, Value] | None = None,
        *,
        action: ActionKind | None = None,
        outcome: Outcome | None = None,
    ) -> Decision:
        """Record why something is there or not."""
        decision = Decision(
            listing_id="",
            variant_id=None,
            code=str(reason.code),
            message=reason.message,
            standing=standing,
            action=action,
            outcome=outcome,
            order_id=subject.order_id,
            shipment_id=subject.shipment_id,
            inputs=dict(inputs or {}),
        )
        self._decisions.append(decision)
        return decision

    def intend(
        self,
        kind: ActionKind,
        subject: Subject,
        group: str,
        reason: Reason,
        *,
        changes: Sequence[Change] = (),
        basis: Value = None,
        inputs: Mapping[str, Value] | None = None,
        wait: Reason | None = None,
    ) -> bool:
        """Plan an action unless something holds it back, or it is to `wait`; says which.

        `basis` is what the decision depends on besides the changes: a permanent failure is bound
        to both. What changes our own records only is held back by nothing.
        """
        action = keyed(
            Action(
                kind=kind,
                listing_id="",
                variant_id=None,
                group=group,
                reason=Reason(str(reason.code), reason.message),
                changes=tuple(changes),
                order_id=subject.order_id,
                shipment_id=subject.shipment_id,
                input_hash=input_hash(kind.value, group, changes_value(changes), basis),
            ),
            self._context.channel_id,
        )
        facts: dict[str, Value] = dict(inputs or {})
        if action.changes:
            facts["changes"] = changes_value(action.changes)
        held = None if kind.is_local else self._held(action, subject, wait)
        if held is None:
            self._actions.append(action)
            self.say(subject, reason, Standing.ACTION, facts, action=kind)
            return True
        found, standing, outcome = held
        decision = self.say(subject, found, standing, facts, action=kind, outcome=outcome)
        if outcome is Outcome.SKIPPED:
            self._skipped.append((action, decision))
        return False

    def plan(self) -> Plan:
        """What was drafted, actions in the order they were intended."""
        return Plan(tuple(self._actions), tuple(self._decisions), tuple(self._skipped))

    def _held(
        self, action: Action, subject: Subject, wait: Reason | None
    ) -> tuple[Reason, Standing, Outcome | None] | None:
        kind, doing = action.kind, NOUNS[action.kind]
        if subject.busy is not None:
            message = unfinished(doing, subject.busy)
            return Reason(OrderCode.UNFINISHED, message), Standing.WAITING, None
        failure = next(
            (
                item
                for item in subject.failures
                if item.action == kind and item.input_hash == action.input_hash
            ),
            None,
        )
        if failure is not None:
            message = (
                f"Not tried again, because the same input failed before ({failure.reason}): "
                f"{failure.message}. It is tried when the order or the shipment changes."
            )
            return Reason(OrderCode.FAILED_BEFORE, message), Standing.ATTENTION, Outcome.FAILED
        if wait is not None:
            return wait, Standing.WAITING, None
        return self._forbidden(action, doing)

    def _forbidden(
        self, action: Action, doing: str
    ) -> tuple[Reason, Standing, Outcome | None] | None:
        context, kind = self._context, action.kind
        if kind not in context.supported or kind in context.unsupported:
            why = context.unsupported.get(kind, f"{context.channel_title} does not support {doing}")
            message = f"Not done, and nothing weaker instead: {why}"
            return Reason(OrderCode.UNSUPPORTED, message), Standing.ATTENTION, None
        if kind not in POLICY_ACTIONS[context.policy]:
            message = (
                f"The channel's write policy {context.policy.value} does not allow {doing}. "
                f"It would be done otherwise: {action.reason.message}"
            )
            return Reason(OrderCode.POLICY_FORBIDS, message), Standing.ATTENTION, Outcome.SKIPPED
        return None

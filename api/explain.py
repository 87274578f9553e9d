"""Explanations: why a variant is as it is, what happens next and when."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from api.actions import Change, changes_of
from api.attempts import Attempt
from api.ids import Kind, encode
from api.quantities import QuantityExplanation
from api.scalars import as_json
from reconcile.core.actions import ActionKind, Standing
from reconcile.core.types import LinkState, Operation
from reconcile.explain import ExplainedDecision as DecisionValue
from reconcile.explain import Explanation as ExplanationValue
from reconcile.explain import OperationExplanation as OperationValue


@strawberry.type(description="One decision of the planner, with what it was made from.")
class ExplainedDecision:
    """Inputs, rule and decision."""

    code: str
    message: str
    standing: Standing
    action: ActionKind | None
    outcome: str | None
    inputs: JSON

    @classmethod
    def from_value(cls, value: DecisionValue) -> "ExplainedDecision":
        """The decision as the API shows it."""
        return cls(
            code=value.code,
            message=value.message,
            standing=value.standing,
            action=value.action,
            outcome=value.outcome,
            inputs=as_json(value.inputs) or JSON({}),
        )


@strawberry.type(description="What a run would do now.")
class ExplainedAction:
    """A planned action."""

    kind: ActionKind
    message: str
    changes: list[Change]


@strawberry.type(description="What happens next and when.")
class NextStep:
    """Feature T3: what a run waits for."""

    code: str = strawberry.field(
        description="Scheduled, OnRequest, Disabled, OperationPaused, ChannelPaused, WorkerDown, "
        "Running, Queued, ManualOnly or Unsupported."
    )
    message: str
    at: datetime | None


@strawberry.type(description="A field that is not sent because its template does not enable it.")
class DisabledField:
    """Feature T4."""

    field: str
    title: str
    message: str


@strawberry.type(description="One operation's view of a variant.")
class OperationExplanation:
    """Decisions, actions and the next step."""

    operation: Operation
    decisions: list[ExplainedDecision]
    actions: list[ExplainedAction]
    next: NextStep
    disabled_fields: list[DisabledField]

    @classmethod
    def from_value(cls, value: OperationValue) -> "OperationExplanation":
        """The operation's part as the API shows it."""
        return cls(
            operation=value.operation,
            decisions=[ExplainedDecision.from_value(each) for each in value.decisions],
            actions=[
                ExplainedAction(
                    kind=each.kind, message=each.message, changes=changes_of(each.changes)
                )
                for each in value.actions
            ],
            next=NextStep(code=value.next.code, message=value.next.message, at=value.next.at),
            disabled_fields=[
                DisabledField(field=each.field, title=each.title, message=each.message)
                for each in value.disabled_fields
            ],
        )


@strawberry.type(description="What was compared to find a link, and what came of it.")
class LinkExplanation:
    """The link in words."""

    state: LinkState
    compared: str
    message: str


@strawberry.type(description="Why a variant is as it is, and what happens next.")
class Explanation:
    """Inputs, rules, decisions, next steps and the last requests."""

    variant_id: strawberry.ID
    listing_id: strawberry.ID
    channel_id: strawberry.ID
    sku: str
    at: datetime
    link: LinkExplanation
    quantity: QuantityExplanation
    operations: list[OperationExplanation]
    attempts: list[Attempt]

    @classmethod
    def from_value(cls, value: ExplanationValue) -> "Explanation":
        """The explanation as the API shows it."""
        return cls(
            variant_id=strawberry.ID(encode(Kind.VARIANT, value.variant_id)),
            listing_id=strawberry.ID(encode(Kind.LISTING, value.listing_id)),
            channel_id=strawberry.ID(encode(Kind.CHANNEL, value.channel_id)),
            sku=value.sku,
            at=value.at,
            link=LinkExplanation(
                state=value.link.state, compared=value.link.compared, message=value.link.message
            ),
            quantity=QuantityExplanation.from_value(value.quantity),
            operations=[OperationExplanation.from_value(each) for each in value.operations],
            attempts=[Attempt.from_row(each) for each in value.attempts],
        )

"""Why an order was imported or not: rule by rule, for any number of a channel (feature A10)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api import edges
from api.access import allowed
from api.context import Info
from api.explain import ExplainedDecision
from api.fields import resolver
from api.ids import Kind, number_of
from reconcile.commands.errors import CommandError
from reconcile.commands.orders import request_lookup
from reconcile.commands.tokens import Scope
from reconcile.core.remote_order_types import OrderVerdict
from reconcile.core.types import Operation
from reconcile.order_explain import Lookup, explain_order
from reconcile.order_explain import OrderMatch as OrderMatchValue

if TYPE_CHECKING:
    from api.orders import Order
    from api.remote_orders import RemoteOrder
    from api.runs import Run


@strawberry.type(description="What happens next with an order, and when.")
class OrderNextStep:
    """The next run of an operation, or what keeps it from running."""

    operation: Operation
    code: str = strawberry.field(description="As of `NextStep.code`.")
    message: str
    at: datetime | None


@strawberry.type(description="One order of the number, rule by rule.")
class OrderMatch:
    """Why an order stands as it does."""

    value: strawberry.Private[OrderMatchValue]
    verdict: OrderVerdict
    code: str = strawberry.field(description="CamelCase code of what is decided now.")
    message: str
    steps: list[str] = strawberry.field(description="Each rule and what it says, in words.")
    decisions: list[ExplainedDecision]
    next: list[OrderNextStep]

    @classmethod
    def from_value(cls, value: OrderMatchValue) -> "OrderMatch":
        """The match as the API shows it."""
        return cls(
            value=value,
            verdict=value.verdict,
            code=value.code,
            message=value.message,
            steps=list(value.steps),
            decisions=[ExplainedDecision.from_value(each) for each in value.decisions],
            next=[
                OrderNextStep(
                    operation=each.operation, code=each.code, message=each.message, at=each.at
                )
                for each in value.next
            ],
        )

    @resolver(description="The order as it was seen.")
    async def remote_order(
        self, info: Info
    ) -> Annotated["RemoteOrder", strawberry.lazy("api.remote_orders")] | None:
        """Theirs."""
        return await edges.remote_order(info.context, self.value.remote_order_id)

    @resolver(description="What was imported of it.")
    async def order(self, info: Info) -> Annotated["Order", strawberry.lazy("api.orders")] | None:
        """Ours, where there is one."""
        return await edges.order(info.context, self.value.order_id)


@strawberry.type(description="Asking the channel for a number that was never seen.")
class OrderLookup:
    """How the look-up stands."""

    run_id: strawberry.Private[int | None]
    state: str = strawberry.field(
        description="State of its run; NOT_STARTED: it could not be, or may not be by this token."
    )
    at: datetime | None
    message: str

    @classmethod
    def from_value(cls, value: Lookup) -> "OrderLookup":
        """The look-up as the API shows it."""
        return cls(run_id=value.run_id, state=value.state, at=value.at, message=value.message)

    @resolver(description="The run that asks the channel.")
    async def run(self, info: Info) -> Annotated["Run", strawberry.lazy("api.runs")] | None:
        """Its run."""
        return await edges.run(info.context, self.run_id)


@strawberry.type(description="Everything there is to say about an order number of a channel.")
class OrderExplanation:
    """Feature A10."""

    number: str
    is_seen: bool
    lookup: OrderLookup | None = strawberry.field(
        description="The last look-up of the number; of one never seen, it is started."
    )
    matches: list[OrderMatch] = strawberry.field(
        description="Orders of that number; several where the platform's numbers are not unique."
    )


@resolver(
    description="Why an order of a channel is imported or not, by its number. Of a number that was "
    "never seen this starts a look-up, one in ten minutes at most, if the token may write."
)
async def order_explain(info: Info, channel: strawberry.ID, number: str) -> OrderExplanation | None:
    """The explanation, or null where there is no such channel."""
    context = info.context
    channel_id, number = number_of(channel, Kind.CHANNEL), number.strip()
    found = await explain_order(context.deps, channel_id, number)
    if found is None:
        return None
    not_started = None
    if not found.is_seen:
        not_started = await _look_up(info, channel_id, number)
        found = await explain_order(context.deps, channel_id, number) or found
    lookup = None if found.lookup is None else OrderLookup.from_value(found.lookup)
    return OrderExplanation(
        number=number,
        is_seen=found.is_seen,
        lookup=lookup or not_started,
        matches=[OrderMatch.from_value(each) for each in found.matches],
    )


async def _look_up(info: Info, channel_id: int, number: str) -> OrderLookup | None:
    """Start a look-up, or give the one that is under way; what keeps it from starting."""
    context = info.context
    if not allowed(context, Scope.WRITE):
        why = (
            "The number was never seen. Asking the channel for it needs a token with scope WRITE: "
            "`orderLookup`, or this very query."
        )
        return OrderLookup(run_id=None, state="NOT_STARTED", at=None, message=why)
    try:
        await request_lookup(context.deps, channel_id, number, by=context.principal.by)
    except CommandError as error:
        why = " ".join(problem.message for problem in error.problems)
        return OrderLookup(run_id=None, state="NOT_STARTED", at=None, message=why)
    return None

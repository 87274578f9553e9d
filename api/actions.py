"""Actions: what a run does, or would do, with before and after, reason, state and outcome."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.attempts import Attempt
from api.context import Info
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Node, Reason
from api.paging import After, Connection, First, connection, page_request
from api.scalars import as_json
from reconcile.core.actions import ActionKind, GuardKind
from reconcile.core.actions import Change as ChangeValue
from reconcile.core.states import ActionState
from reconcile.store.action_reads import ActionFilter, ActionRow, count_actions, list_actions

if TYPE_CHECKING:
    from api.channels import Channel
    from api.listings import Listing
    from api.orders import Order
    from api.remote_orders import RemoteOrder
    from api.runs import Run
    from api.shipments import Shipment
    from api.variants import ListingVariant


@strawberry.type(description="One field, before and after.")
class Change:
    """A difference."""

    field: str
    before: JSON | None = strawberry.field(description="Null: nothing was seen.")
    after: JSON | None


def changes_of(changes: Sequence[ChangeValue]) -> list[Change]:
    """Changes as the API shows them."""
    return [
        Change(field=each.field, before=as_json(each.before), after=as_json(each.after))
        for each in changes
    ]


@strawberry.type(description="A part of an action that stands on the platform.")
class ActionStep:
    """What will not be done again when the action is tried again."""

    name: str
    remote_id: str | None


@strawberry.type(description="One intended effect on one object.")
class Action(Node):
    """An action of a run's plan."""

    row: strawberry.Private[ActionRow]
    kind: ActionKind
    state: ActionState
    reason: Reason = strawberry.field(description="Why it is there.")
    changes: list[Change]
    guards: list[GuardKind] = strawberry.field(description="Budgets it counts against.")
    remote_parent: str | None
    remote_variant: str | None
    steps: list[ActionStep]
    tries: int
    outcome: Reason | None = strawberry.field(description="What came of it.")
    due_at: datetime | None = strawberry.field(description="When it is sent, or tried again.")
    sent_at: datetime | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: ActionRow) -> "Action":
        """The action as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.ACTION, row.id)),
            kind=row.kind,
            state=ActionState(row.state),
            reason=Reason(code=row.reason, message=row.message),
            changes=changes_of(row.changes),
            guards=list(row.guards),
            remote_parent=row.remote_parent,
            remote_variant=row.remote_variant,
            steps=[
                ActionStep(name=each["name"], remote_id=each.get("remote_id")) for each in row.steps
            ],
            tries=row.tries,
            outcome=None
            if row.outcome_code is None
            else Reason(code=row.outcome_code, message=row.outcome_message or ""),
            due_at=row.due_at,
            sent_at=row.sent_at,
            created_at=row.created_at,
            finished_at=row.finished_at,
        )

    @resolver()
    async def run(self, info: Info) -> Annotated["Run", strawberry.lazy("api.runs")] | None:
        """The run that planned it."""
        return await edges.run(info.context, self.row.run_id)

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel it is on."""
        return await edges.channel(info.context, self.row.channel_id)

    @resolver()
    async def listing(
        self, info: Info
    ) -> Annotated["Listing", strawberry.lazy("api.listings")] | None:
        """The listing it is about."""
        return await edges.listing(info.context, self.row.listing_id)

    @resolver(description="Null for an action of the whole listing.")
    async def variant(
        self, info: Info
    ) -> Annotated["ListingVariant", strawberry.lazy("api.variants")] | None:
        """The variant it is about."""
        return await edges.variant(info.context, self.row.variant_id)

    @resolver(description="Of an action on an order: what was imported of it.")
    async def order(self, info: Info) -> Annotated["Order", strawberry.lazy("api.orders")] | None:
        """The order it is about."""
        return await edges.order_of(info.context, self.row.order_id)

    @resolver(description="Of an action on an order: the order as it was seen.")
    async def remote_order(
        self, info: Info
    ) -> Annotated["RemoteOrder", strawberry.lazy("api.remote_orders")] | None:
        """The remote order it is about."""
        return await edges.remote_order(info.context, self.row.order_id)

    @resolver(description="Of FULFILL: what is to reach the channel.")
    async def shipment(
        self, info: Info
    ) -> Annotated["Shipment", strawberry.lazy("api.shipments")] | None:
        """The shipment it is about."""
        return await edges.shipment(info.context, self.row.shipment_id)

    @resolver(description="The last five requests that carried it, newest first.")
    async def attempts(self, info: Info) -> list[Attempt]:
        """Its log."""
        rows = await info.context.load.attempts.load(self.row.id)
        return [Attempt.from_row(row) for row in rows]


@strawberry.input(description="Which actions.")
class ActionFilterInput:
    """Conditions that all hold."""

    run: strawberry.ID | None = None
    channel: strawberry.ID | None = None
    listing: strawberry.ID | None = None
    variant: strawberry.ID | None = None
    order: strawberry.ID | None = strawberry.field(
        default=None, description="Id of a RemoteOrder: actions on it, shipments included."
    )
    states: list[ActionState] | None = None
    kinds: list[ActionKind] | None = None
    reason: str | None = None

    def chosen(self) -> ActionFilter:
        """The filter as the store takes it."""
        return ActionFilter(
            run_id=None if self.run is None else number_of(self.run, Kind.RUN),
            channel_id=None if self.channel is None else number_of(self.channel, Kind.CHANNEL),
            listing_id=None if self.listing is None else number_of(self.listing, Kind.LISTING),
            variant_id=None if self.variant is None else number_of(self.variant, Kind.VARIANT),
            order_id=None if self.order is None else number_of(self.order, Kind.REMOTE_ORDER),
            states=self.states,
            kinds=self.kinds,
            reason=self.reason,
        )


@resolver(description="Actions of all runs, or those a filter chooses, in plan order.")
async def actions(
    info: Info, first: First = 25, after: After = None, where: ActionFilterInput | None = None
) -> Connection[Action]:
    """A page of actions."""
    request = page_request(first, after)
    chosen = (where or ActionFilterInput()).chosen()
    page = await info.context.reads(list_actions, chosen, request.after, request.first)

    async def count() -> int:
        return await info.context.reads(count_actions, chosen)

    return connection(
        [(row.id, Action.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
        count=count,
    )

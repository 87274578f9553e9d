"""Runs: one execution of an operation, its plan, its counts with reasons, and what it waits for."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.actions import Action
from api.attempts import Attempt
from api.context import Context, Info
from api.enums import Trigger
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Node, Reason
from api.paging import After, Connection, First, connection, page_request
from api.scalars import as_json
from reconcile.core.actions import ActionKind, GuardKind
from reconcile.core.states import ActionState, RunResult, RunState
from reconcile.core.types import Operation
from reconcile.store.runs import RunFilter, RunRow, list_runs

if TYPE_CHECKING:
    from api.channels import Channel


@strawberry.type(description="Actions of one kind that ended, or stand, alike.")
class ActionCount:
    """A line of the report."""

    kind: ActionKind
    state: ActionState
    reason: str
    count: int


@strawberry.type(description="What a run waits for, and until when.")
class RunWait:
    """Another run, an approval, a paused channel, a rate limit, a worker."""

    code: str
    message: str
    run_id: strawberry.ID | None
    until: datetime | None


@strawberry.type(description="One budget of the guard in a run.")
class GuardVerdict:
    """How many objects a destructive effect would touch, and whether that was let through."""

    kind: GuardKind
    is_allowed: bool
    planned: int = strawberry.field(description="Objects in this run.")
    executed: int = strawberry.field(description="Objects on the channel in the last 24 hours.")
    limit: int
    message: str


def _verdicts(guard: Mapping[str, Any]) -> list[GuardVerdict]:
    """The guard's verdicts (JSON from the store, hence `Any`)."""
    return [
        GuardVerdict(
            kind=GuardKind(kind),
            is_allowed=verdict["allowed"],
            planned=verdict["planned"],
            executed=verdict["executed"],
            limit=verdict["limit"],
            message=verdict["message"],
        )
        for kind, verdict in guard.items()
    ]


@strawberry.type(description="What became of the parents, or of the variants, of a run.")
class ObjectCounts:
    """Feature A7."""

    created: int
    updated: int
    linked: int
    unlinked: int
    delisted: int
    skipped: int
    failed: int

    @classmethod
    def from_json(cls, counts: Mapping[str, int]) -> "ObjectCounts":
        """The counts as the runtime stores them; what did not occur is zero."""
        names = ("created", "updated", "linked", "unlinked", "delisted", "skipped", "failed")
        return cls(**{name: counts.get(name, 0) for name in names})


@strawberry.type(description="What became of the orders, and of the shipments, of a run.")
class OrderRunCounts:
    """Features A9 to A11."""

    seen: int = strawberry.field(description="Orders that polls showed.")
    imported: int
    followed: int = strawberry.field(description="Imported before; ours follow the channel.")
    put_on_hold: int = strawberry.field(description="Imported before; changed after a shipment.")
    held: int
    skipped: int
    unsavable: int
    acknowledged: int
    shipments_pushed: int = strawberry.field(description="Shipments that reached the channel.")
    closed: int = strawberry.field(description="Orders that were closed on the channel.")

    @classmethod
    def from_json(cls, counts: Mapping[str, Any]) -> "OrderRunCounts":
        """The counts as the runtime stores them; what did not occur is zero."""
        names = (
            "seen",
            "imported",
            "followed",
            "put_on_hold",
            "held",
            "skipped",
            "unsavable",
            "acknowledged",
            "closed",
        )
        found = {name: counts.get(f"orders_{name}", 0) for name in names}
        return cls(**found, shipments_pushed=counts.get("shipments_pushed", 0))


@strawberry.type(description="Why rows were skipped, refused or failed, and how many.")
class RunReason:
    """A reason code with its number of rows."""

    code: str
    count: int


@strawberry.type(description="What a run did, in numbers.")
class RunReport:
    """Parents and variants, or orders, with the reasons of what did not happen."""

    parents: ObjectCounts
    variants: ObjectCounts
    orders: OrderRunCounts
    reasons: list[RunReason]
    attention: int = strawberry.field(description="Objects that wait for a person.")


@strawberry.type(description="One execution of an operation of a channel.")
class Run(Node):
    """A run."""

    row: strawberry.Private[RunRow]
    operation: Operation
    trigger: Trigger
    is_full: bool = strawberry.field(description="Looks at everything, not only at what changed.")
    lookup: str | None = strawberry.field(description="Of GET_ORDERS: the number it looks up.")
    is_plan_only: bool = strawberry.field(description="A preview: waits for approval.")
    state: RunState
    result: RunResult | None
    error: Reason | None
    tries: int
    requested_by: str | None
    approved_by: str | None
    is_cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    planned_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: RunRow) -> "Run":
        """The run as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.RUN, row.id)),
            operation=Operation(row.operation),
            trigger=Trigger(row.trigger),
            is_full=row.is_full,
            lookup=row.lookup,
            is_plan_only=row.plan_only,
            state=RunState(row.state),
            result=None if row.result is None else RunResult(row.result),
            error=None
            if row.error_code is None
            else Reason(code=row.error_code, message=row.error_message or ""),
            tries=row.tries,
            requested_by=row.requested_by,
            approved_by=row.approved_by,
            is_cancel_requested=row.cancel_requested,
            created_at=row.created_at,
            started_at=row.started_at,
            planned_at=row.planned_at,
            finished_at=row.finished_at,
        )

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel it is on."""
        return await edges.channel(info.context, self.row.channel_id)

    @resolver(description="How far it is: products fetched, rows planned, and so on.")
    def progress(self) -> JSON:
        """The phase and its numbers."""
        return as_json(self.row.phase) or JSON({})

    @resolver(description="Parents and variants created, updated, linked, skipped, failed.")
    def report(self) -> RunReport:
        """What it did so far, with reasons."""
        counts = self.row.counts
        return RunReport(
            parents=ObjectCounts.from_json(counts.get("parents", {})),
            variants=ObjectCounts.from_json(counts.get("variants", {})),
            orders=OrderRunCounts.from_json(counts),
            reasons=[
                RunReason(code=code, count=count)
                for code, count in counts.get("reasons", {}).items()
            ],
            attention=counts.get("attention", 0),
        )

    @resolver(description="Every number it counted, by name.")
    def counts(self) -> JSON:
        """Numbers by name."""
        return as_json(self.row.counts) or JSON({})

    @resolver(description="Its actions by kind, state and reason.")
    async def action_counts(self, info: Info) -> list[ActionCount]:
        """The plan in numbers."""
        rows = await info.context.load.action_counts.load(self.row.id)
        return [
            ActionCount(
                kind=ActionKind(row.kind),
                state=ActionState(row.state),
                reason=row.reason,
                count=row.count,
            )
            for row in rows
        ]

    @resolver(description="Destructive effects and their budgets.")
    def guard(self) -> list[GuardVerdict]:
        """What the guard said."""
        return _verdicts(self.row.guard)

    @resolver(description="Why it does not go on; null where it does, or has ended.")
    async def waiting_for(self, info: Info) -> RunWait | None:
        """What it waits for."""
        found = await info.context.load.waiting_for.load(self.row.id)
        if found is None:
            return None
        run = found.run_id
        return RunWait(
            code=found.code,
            message=found.message,
            run_id=None if run is None else strawberry.ID(encode(Kind.RUN, run)),
            until=found.until,
        )

    @resolver(description="Its plan, in the order it is meant to run.")
    async def actions(
        self,
        info: Info,
        first: First = 25,
        after: After = None,
        states: list[ActionState] | None = None,
        kinds: list[ActionKind] | None = None,
    ) -> Connection[Action]:
        """A page of its actions."""
        request = page_request(first, after)
        key = (self.row.id, request, tuple(states or ()), tuple(kinds or ()))
        page = await info.context.load.run_actions.load(key)
        return connection(
            [(row.id, Action.from_row(row)) for row in page.rows],
            request=request,
            has_next=page.has_next,
        )

    @resolver(description="Its requests that changed something, newest first.")
    async def attempts(
        self, info: Info, first: First = 25, after: After = None
    ) -> Connection[Attempt]:
        """A page of its log."""
        request = page_request(first, after)
        page = await info.context.load.run_attempts.load((self.row.id, request))
        return connection(
            [(row.id, Attempt.from_row(row)) for row in page.rows],
            request=request,
            has_next=page.has_next,
        )


async def run_by_id(context: Context, number: int) -> Run | None:
    """The run of that number, if there is one."""
    row = await context.load.run.load(number)
    return None if row is None else Run.from_row(row)


@strawberry.input(description="Which runs.")
class RunFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    operation: Operation | None = None
    state: RunState | None = None
    is_open: bool | None = strawberry.field(default=None, description="Not finished yet.")


@resolver(description="Runs, newest first.")
async def runs(
    info: Info, first: First = 25, after: After = None, where: RunFilterInput | None = None
) -> Connection[Run]:
    """A page of runs."""
    request = page_request(first, after)
    where = where or RunFilterInput()
    chosen = RunFilter(
        channel_id=None if where.channel is None else number_of(where.channel, Kind.CHANNEL),
        operation=where.operation,
        state=where.state,
        is_open=where.is_open,
    )
    page = await info.context.reads(list_runs, chosen, request.after, request.first)
    return connection(
        [(row.id, Run.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )


@resolver(description="One run.")
async def run(
    info: Info,
    id: strawberry.ID,  # noqa: A002 - its name in GraphQL
) -> Run | None:
    """The run, or null."""
    return await run_by_id(info.context, number_of(id, Kind.RUN))

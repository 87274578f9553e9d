"""Mutations of runs: request, approve, cancel."""

from collections.abc import Sequence
from dataclasses import replace

import strawberry

from api.access import MutationPayload, mutation
from api.context import Context, Info
from api.ids import BadIdError, Kind, decode, number_of, numbers_of
from api.runs import Run, run_by_id
from reconcile.commands import runs as commands
from reconcile.commands.errors import CommandError, Problem
from reconcile.commands.runs import RunRequest
from reconcile.core.actions import ActionKind, GuardKind
from reconcile.core.types import Operation


@strawberry.input
class RunRequestInput:
    """An operation to run on a channel."""

    channel: strawberry.ID
    operation: Operation
    is_full: bool = strawberry.field(
        default=False, description="Look at everything, not only at what changed."
    )
    plan: bool = strawberry.field(
        default=False, description="Only plan: a preview that waits for approval."
    )
    listings: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Only these listings."
    )
    skus: list[str] | None = strawberry.field(
        default=None, description="Only the listings with these SKUs, theirs or their variants'."
    )
    orders: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Only these orders, by id of an Order or a RemoteOrder."
    )


@strawberry.type
class RunRequestPayload(MutationPayload):
    """The run; an equal one that is queued already is given again."""

    run: Run | None = None
    is_new: bool | None = None


@mutation(
    RunRequestPayload,
    RunRequestInput,
    description="Run an operation now, or plan it only. Unsupported operations are refused.",
)
async def run_request(info: Info, given: RunRequestInput) -> RunRequestPayload:
    """Request a run."""
    context = info.context
    request = RunRequest(
        operation=given.operation,
        full=given.is_full,
        plan_only=given.plan,
        listing_ids=None if given.listings is None else numbers_of(given.listings, Kind.LISTING),
        skus=given.skus,
        remote_order_ids=None
        if given.orders is None
        else await _remote_orders(context, given.orders),
    )
    try:
        made = await commands.request_run(
            context.deps, number_of(given.channel, Kind.CHANNEL), request, by=context.principal.by
        )
    except CommandError as error:
        raise CommandError(*(_renamed(problem) for problem in error.problems)) from None
    return RunRequestPayload(run=await run_by_id(context, made.run_id), is_new=made.is_new)


async def _remote_orders(context: Context, given: Sequence[str]) -> list[int]:
    """The remote orders meant, each by its own id or that of the order imported of it."""
    kinds = (Kind.ORDER, Kind.REMOTE_ORDER)
    problems: list[Problem] = []
    meant: list[tuple[Kind, int]] = []
    for index, text in enumerate(given):
        try:
            meant.append(decode(text, *kinds))
        except BadIdError as error:
            problems.append(Problem("BAD_ID", error.message, ("orders", str(index))))
    if problems:
        raise CommandError(*problems)
    rows = await context.load.order.load_many(
        [number for kind, number in meant if kind is Kind.ORDER]
    )
    imported = {row.id: row.remote_order_id for row in rows if row is not None}
    missing = [
        Problem("NOT_FOUND", "There is no order with this id.", ("orders", str(index)))
        for index, (kind, number) in enumerate(meant)
        if kind is Kind.ORDER and number not in imported
    ]
    if missing:
        raise CommandError(*missing)
    return [imported[number] if kind is Kind.ORDER else number for kind, number in meant]


def _renamed(problem: Problem) -> Problem:
    """A problem with the command's `remote_order_ids` called what the input calls them."""
    names = ("orders" if part == "remote_order_ids" else part for part in problem.path)
    return replace(problem, path=tuple(names))


@strawberry.input
class RunApproveInput:
    """A plan, or a part of it. Without a part: all of it."""

    id: strawberry.ID
    kinds: list[ActionKind] | None = None
    guards: list[GuardKind] | None = strawberry.field(
        default=None, description="Only what the guard refused for these effects."
    )
    actions: list[strawberry.ID] | None = None


@strawberry.type
class RunApprovePayload(MutationPayload):
    """What became of the approved actions."""

    run: Run | None = None
    due: int | None = strawberry.field(default=None, description="Actions that will be executed.")
    stale: int | None = strawberry.field(
        default=None, description="Actions that dropped out because the world had moved."
    )
    busy: int | None = strawberry.field(
        default=None, description="Actions that wait for an unfinished one on the same object."
    )


@mutation(
    RunApprovePayload,
    RunApproveInput,
    description="Approve a plan, or the actions that the guard refused, whole or in part.",
)
async def run_approve(info: Info, given: RunApproveInput) -> RunApprovePayload:
    """Approve a run."""
    context = info.context
    number = number_of(given.id, Kind.RUN)
    is_part = given.kinds is not None or given.guards is not None
    kinds: list[GuardKind | ActionKind] = [*(given.kinds or ()), *(given.guards or ())]
    made = await commands.approve(
        context.deps,
        number,
        # An empty part is nothing; only where none is given all is meant.
        kinds=kinds if is_part else None,
        action_ids=None if given.actions is None else numbers_of(given.actions, Kind.ACTION),
        by=context.principal.by,
    )
    return RunApprovePayload(
        run=await _fresh(context, number), due=made.due, stale=made.stale, busy=made.busy
    )


@strawberry.input
class RunCancelInput:
    """The run to cancel."""

    id: strawberry.ID


@strawberry.type
class RunPayload(MutationPayload):
    """The run as it is now."""

    run: Run | None = None


@mutation(
    RunPayload,
    RunCancelInput,
    description="Cancel a run; what has been sent is still recorded.",
)
async def run_cancel(info: Info, given: RunCancelInput) -> RunPayload:
    """Cancel a run."""
    context = info.context
    number = number_of(given.id, Kind.RUN)
    await commands.cancel(context.deps, number, by=context.principal.by)
    return RunPayload(run=await _fresh(context, number))


async def _fresh(context: Context, number: int) -> Run | None:
    context.forget()
    return await run_by_id(context, number)


MUTATIONS = (run_request, run_approve, run_cancel)

"""`run` and `runs`: start an operation, follow it, read what it did and why."""

from collections.abc import Mapping
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from reconcile.core.actions import ActionKind
from reconcile.core.types import Operation
from tallyport.cli.lookup import ChannelArgument, ChannelOption, channel
from tallyport.cli.order_names import seen_order
from tallyport.cli.run_tables import describe, seconds_of, show_actions
from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json
from tallyport.following import (
    RUN_SELECTION,
    actions_of,
    follow_run,
    look_at_run,
    stage_of,
)

_SHOWN_ACTIONS = 50
_RESULTS: Final[Mapping[str, Exit]] = {
    "SUCCEEDED": Exit.DONE,
    "PARTIAL": Exit.PARTIAL,
    "FAILED": Exit.REFUSED,
    "REFUSED": Exit.REFUSED,
    "CANCELED": Exit.REFUSED,
}

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id, as `runs list` shows it.")]


def add_run_to(app: typer.Typer) -> None:
    """Register `run`."""
    command(app, "run")(run)


def add_to(app: typer.Typer) -> None:
    """Register the commands of `runs`."""
    command(app, "list")(list_)
    command(app, "show")(show)
    command(app, "approve")(approve)
    command(app, "cancel")(cancel)
    command(app, "log")(log)


def operation_named(session: Session, name: str) -> str:
    """The operation of that name, in any case; `sync` means `sync_listings`."""
    wanted = name.upper().replace("-", "_")
    for spelled in (wanted, f"{wanted}_LISTINGS", f"{wanted}_ORDERS"):
        if spelled in Operation.__members__:
            return spelled
    known = ", ".join(each.value.lower() for each in Operation)
    raise session.fail(f"{name} is none of: {known}.", code="USAGE", exit_code=Exit.USAGE)


OperationArgument = Annotated[
    str,
    typer.Argument(metavar="OPERATION", help="Such as sync_listings, or sync for short."),
]


def run(
    session: Session,
    *,
    operation: OperationArgument,
    name: ChannelArgument,
    full: Annotated[
        bool, typer.Option("--full", help="Look at everything, not only at what changed.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be done; nothing is written.")
    ] = False,
    sku: Annotated[
        list[str] | None, typer.Option("--sku", help="Only these; may be repeated.")
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option("--order", metavar="NUMBER", help="Only these orders; may be repeated."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
) -> None:
    """Run an operation on a channel and wait for its end."""
    found = channel(session, name)
    given = {
        "channel": found.id,
        "operation": operation_named(session, operation),
        "isFull": full,
        "plan": plan,
    }
    if sku:
        given["skus"] = sku
    if order:
        given["orders"] = [seen_order(session, each, name).remote_id for each in order]
    payload = session.api.mutate(
        "mutation ($input: RunRequestInput!) { runRequest(input: $input)"
        " { run { id } isNew userErrors { code message path } } }",
        {"input": given},
    )
    run_id = payload["run"]["id"]
    if not payload["isNew"]:
        session.out.note("The same run was waiting already; following that one.")
    if not wait:
        session.out.answer({"id": run_id})
        session.out.say(run_id)
        return
    finished = followed(session, run_id)
    conclude(session, finished)


def followed(session: Session, run_id: str) -> Json:
    """Wait for a run with a progress bar on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with session.out.progress(*columns) as bar:
        task = bar.add_task("queued", total=None)

        def look(run: Json) -> None:
            what, done, total = stage_of(run)
            bar.update(task, description=what, completed=done, total=total)

        return follow_run(session.api, run_id, look)


def conclude(session: Session, run: Json) -> None:
    """Print how a run ended and leave with the exit code that says so."""
    if session.out.as_json:
        session.out.answer({**run, "actions": list(actions_of(session.api, run["id"]))})
    else:
        describe(session, run)
        show_actions(session, run["id"], limit=_SHOWN_ACTIONS)
    if run["isPlanOnly"] and run["state"] == "PLANNED":
        how = f" To carry it out: tallyport runs approve {run['id']}"
        session.out.note(f"Nothing was written.{how if run['actionCounts'] else ''}")
        return
    code = _RESULTS.get(run["result"] or "", Exit.DONE)
    if not run["result"] and run["waitingFor"] is not None:
        code = Exit.PARTIAL
    if code is not Exit.DONE:
        raise typer.Exit(code)


def list_(
    session: Session,
    *,
    name: ChannelOption = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not finished.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 25,
) -> None:
    """List runs, newest first."""
    where: dict[str, Json] = {}
    if name is not None:
        where["channel"] = channel(session, name).id
    if open_only:
        where["isOpen"] = True
    document = (
        "query ($after: String, $where: RunFilterInput) {"
        " runs(first: 100, after: $after, where: $where)"
        f" {{ nodes {{ {RUN_SELECTION} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )
    rows: list[Json] = []
    for row in session.api.pages(document, {"where": where}, ("runs",)):
        rows.append(row)
        if len(rows) >= limit:
            break
    session.out.answer(rows)
    session.out.table(
        ["Run", "Channel", "Operation", "Full", "State", "Result", "Started", "Seconds", "Why"],
        [
            [
                row["id"],
                (row["channel"] or {}).get("name"),
                row["operation"],
                row["isFull"],
                row["state"],
                row["result"],
                row["startedAt"] and row["startedAt"][:19],
                seconds_of(row),
                (row["error"] or row["waitingFor"] or {}).get("message"),
            ]
            for row in rows
        ],
        empty="No run yet. Ask for one with: tallyport run OPERATION CHANNEL",
    )


def show(
    session: Session,
    *,
    run_id: RunArgument,
    everything: Annotated[bool, typer.Option("--all", help="Every action.")] = False,
) -> None:
    """Show a run with its plan: row by row with before, after and reason."""
    found = _found(session, run_id)
    if session.out.as_json:
        session.out.answer({**found, "actions": list(actions_of(session.api, run_id))})
        return
    describe(session, found)
    show_actions(session, run_id, limit=None if everything else _SHOWN_ACTIONS)


def approve(
    session: Session,
    *,
    run_id: RunArgument,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", help="Only this kind, such as DELIST or PRICE_DROP; may be repeated."
        ),
    ] = None,
    action: Annotated[
        list[str] | None, typer.Option("--action", help="Only this action; may be repeated.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
) -> None:
    """Carry out a planned run, or the rows of it that the guard held back."""
    given: dict[str, Json] = {"id": run_id}
    named = [each.upper() for each in kind or ()]
    if actions := [each for each in named if each in ActionKind.__members__]:
        given["kinds"] = actions
    if guards := [each for each in named if each not in ActionKind.__members__]:
        given["guards"] = guards
    if action:
        given["actions"] = action
    payload = session.api.mutate(
        "mutation ($input: RunApproveInput!) { runApprove(input: $input)"
        " { run { id } due stale busy userErrors { code message path } } }",
        {"input": given},
    )
    session.out.note(
        f"Approved: {payload['due']} to be carried out, {payload['stale']} dropped because "
        f"something moved, {payload['busy']} wait for an unfinished action."
    )
    if not wait:
        session.out.answer(payload)
        return
    conclude(session, followed(session, run_id))


def cancel(session: Session, *, run_id: RunArgument) -> None:
    """Cancel a run; what was sent already is not undone."""
    payload = session.api.mutate(
        "mutation ($input: RunCancelInput!) { runCancel(input: $input)"
        f" {{ run {{ {RUN_SELECTION} }} userErrors {{ code message path }} }} }}",
        {"input": {"id": run_id}},
    )
    session.out.answer(payload["run"])
    session.out.say(f"Run {run_id} is {payload['run']['state'].lower()}, or will be at once.")


def log(
    session: Session,
    *,
    run_id: RunArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
) -> None:
    """Show the requests of a run that changed something, with what was answered."""
    document = (
        "query ($id: ID!, $after: String) { run(id: $id) { attempts(first: 100, after: $after)"
        " { nodes { id at method url request status response milliseconds error actionIds }"
        " pageInfo { hasNextPage endCursor } } } }"
    )
    _found(session, run_id)
    rows: list[Json] = []
    for row in session.api.pages(document, {"id": run_id}, ("run", "attempts")):
        rows.append(row)
        if len(rows) >= limit:
            break
    session.out.answer(rows)
    session.out.table(
        ["At", "Request", "Status", "ms", "Actions", "Error"],
        [
            [
                row["at"][:19],
                f"{row['method']} {row['url']}",
                row["status"],
                row["milliseconds"],
                len(row["actionIds"]),
                row["error"],
            ]
            for row in rows
        ],
        empty="This run sent nothing that changes the store.",
    )


def _found(session: Session, run_id: str) -> Json:
    run = look_at_run(session.api, run_id)
    if run is None:
        raise session.fail(
            f"There is no run {run_id}; `tallyport runs list` shows them.", code="NOT_FOUND"
        )
    return run

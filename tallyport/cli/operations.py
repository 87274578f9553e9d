"""`channel settings` and `channel schedule`: each operation of a channel by itself."""

import re
from typing import Annotated

import typer

from tallyport.cli.fields import (
    FIELD_SELECTION,
    Field,
    member,
    read_assignments,
    settings_text,
    typed_values,
)
from tallyport.cli.lookup import ChannelArgument, ChannelRef, channel
from tallyport.cli.runs import OperationArgument, operation_named
from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json

_SELECTION = (
    "operation isEnabled isPaused isManualOnly settings nextDueAt lastFinishedAt"
    " schedule { intervalSeconds cron isFull }"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "settings")(settings)
    command(app, "schedule")(schedule)


def settings(
    session: Session,
    *,
    name: ChannelArgument,
    operation: Annotated[
        str | None, typer.Argument(metavar="[OPERATION]", help="All of them where left out.")
    ] = None,
    said: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of it.")
    ] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether it may run at all.")
    ] = None,
    paused: Annotated[
        bool | None, typer.Option("--pause/--resume", help="Whether it rests for now.")
    ] = None,
) -> None:
    """Show the operations of a channel, or change the settings of one."""
    found = channel(session, name)
    if operation is None:
        if said or enabled is not None or paused is not None:
            raise session.fail("Say of which operation.", code="MISSING", exit_code=Exit.USAGE)
        _show(session, _operations(session, found))
        return
    wanted = operation_named(session, operation)
    given: dict[str, Json] = {"channel": found.id, "operation": wanted}
    if enabled is not None:
        given["isEnabled"] = enabled
    if paused is not None:
        given["isPaused"] = paused
    if said:
        fields = _fields(session, found, wanted)
        values = typed_values(session, fields, read_assignments(session, said))
        given["settings"] = {member(found.platform, wanted): values}
    if len(given) > 2:
        session.api.mutate(
            "mutation ($input: OperationConfigureInput!) { operationConfigure(input: $input)"
            " { userErrors { code message path } } }",
            {"input": given},
        )
    _show(session, [row for row in _operations(session, found) if row["operation"] == wanted])
    if not session.out.as_json:
        _explain(session, _fields(session, found, wanted))


def schedule(
    session: Session,
    *,
    name: ChannelArgument,
    operation: OperationArgument,
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Such as 15m, 2h or 1d.")
    ] = None,
    cron: Annotated[
        str | None, typer.Option("--cron", help="Five fields, UTC, such as '0 3 * * *'.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="By hand only.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Each run looks at everything, not only changes.")
    ] = False,
) -> None:
    """Let an operation run by itself, on an interval or by cron, or stop that."""
    found = channel(session, name)
    wanted = operation_named(session, operation)
    if sum(part is not None and part is not False for part in (every, cron, off)) != 1:
        raise session.fail(
            "Give one of --every, --cron and --off.", code="USAGE", exit_code=Exit.USAGE
        )
    given: dict[str, Json] = {"channel": found.id, "operation": wanted, "isFull": full}
    if every is not None:
        given["schedule"] = {"intervalSeconds": _interval(session, every)}
    if cron is not None:
        given["schedule"] = {"cron": cron}
    session.api.mutate(
        "mutation ($input: OperationScheduleInput!) { operationSchedule(input: $input)"
        " { userErrors { code message path } } }",
        {"input": given},
    )
    _show(session, [row for row in _operations(session, found) if row["operation"] == wanted])


def _interval(session: Session, text: str) -> int:
    parts = re.fullmatch(r"(\d+)\s*([smhd]?)", text.strip().lower())
    if parts is None:
        raise session.fail(
            "--every takes such as 15m, 2h or 1d.", code="USAGE", exit_code=Exit.USAGE
        )
    return int(parts[1]) * _UNITS[parts[2] or "s"]


def _operations(session: Session, found: ChannelRef) -> list[Json]:
    document = f"query ($id: ID!) {{ channel(id: $id) {{ operations {{ {_SELECTION} }} }} }}"
    rows: list[Json] = session.api.query(document, {"id": found.id})["channel"]["operations"]
    return rows


def _fields(session: Session, found: ChannelRef, operation: str) -> list[Field]:
    document = (
        f"{{ platforms {{ name operations {{ operation settings {{ {FIELD_SELECTION} }} }} }} }}"
    )
    for platform in session.api.query(document)["platforms"]:
        for row in platform["operations"]:
            if platform["name"] == found.platform and row["operation"] == operation:
                return [Field.of(each) for each in row["settings"]]
    return []


def _show(session: Session, rows: list[Json]) -> None:
    session.out.answer(rows)
    session.out.table(
        ["Operation", "Enabled", "Paused", "Runs", "Next", "Last", "Settings"],
        [
            [
                row["operation"],
                row["isEnabled"],
                row["isPaused"],
                _when(row),
                row["nextDueAt"] and row["nextDueAt"][:19],
                row["lastFinishedAt"] and row["lastFinishedAt"][:19],
                settings_text(row["settings"]),
            ]
            for row in rows
        ],
    )


def _when(row: Json) -> str:
    if row["isManualOnly"]:
        return "by hand only"
    plan = row["schedule"]
    if plan is None:
        return "by hand"
    how = f"cron {plan['cron']}" if plan["cron"] else f"every {plan['intervalSeconds']} s"
    return f"{how}{', full' if plan['isFull'] else ''}"


def _explain(session: Session, fields: list[Field]) -> None:
    if fields:
        session.out.table(
            ["Setting", "Title", "What it does", "Choices"],
            [[each.name, each.title, each.help, ", ".join(each.choices)] for each in fields],
        )

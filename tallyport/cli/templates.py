"""`channel template`: which field feeds which, ours and the channel's, per operation."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from reconcile.core.types import Operation
from tallyport.cli.lookup import ChannelArgument, channel
from tallyport.cli.runs import OperationArgument, operation_named
from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json

_SELECTION = (
    "operation isDefault rules { source target isEnabled"
    " mappingSet { name keepUnmatched cases { field equals then } } }"
)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "template")(template)


def template(
    session: Session,
    *,
    name: ChannelArgument,
    operation: OperationArgument,
    enable: Annotated[
        list[str] | None,
        typer.Option("--enable", metavar="TARGET", help="Let this target be filled."),
    ] = None,
    disable: Annotated[
        list[str] | None,
        typer.Option("--disable", metavar="TARGET", help="Leave it out."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="SOURCE=TARGET", help="Feed a target from a source."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The whole template as JSON, as --json prints it."),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="The platform's default again.")] = False,
) -> None:
    """Show the mapping template of an operation, or change it; what is not enabled is left out."""
    found = channel(session, name)
    wanted = operation_named(session, operation)
    changes = bool(enable or disable or source)
    if sum((changes, file is not None, reset)) > 1:
        raise session.fail(
            "--file, --reset and changes of single rules exclude each other.",
            code="USAGE",
            exit_code=Exit.USAGE,
        )
    if reset:
        session.api.mutate(
            "mutation ($input: TemplateResetInput!) { templateReset(input: $input)"
            " { userErrors { code message path } } }",
            {"input": {"channel": found.id, "operation": wanted}},
        )
    elif file is not None or changes:
        rules = (
            _from_file(session, file)
            if file is not None
            else _changed(
                session, _read(session, found.id, wanted)["rules"], enable, disable, source
            )
        )
        session.api.mutate(
            "mutation ($input: TemplateSetInput!) { templateSet(input: $input)"
            " { userErrors { code message path } } }",
            {"input": {"channel": found.id, "operation": wanted, "rules": rules}},
        )
    _show(session, _read(session, found.id, wanted), wanted)


def _read(session: Session, channel_id: str, operation: str) -> Json:
    document = (
        "query ($id: ID!) { channel(id: $id) { operations { operation"
        f" template {{ {_SELECTION} }} }} }} }}"
    )
    for row in session.api.query(document, {"id": channel_id})["channel"]["operations"]:
        if row["operation"] == operation and row["template"] is not None:
            return row["template"]
    raise session.fail(f"{operation} has no mapping template on this channel.", code="UNSUPPORTED")


def _from_file(session: Session, file: Path) -> list[Json]:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise session.fail(
            f"{file} is no JSON: {error}", code="INVALID", exit_code=Exit.USAGE
        ) from error
    rules = content.get("rules") if isinstance(content, dict) else content
    if not isinstance(rules, list):
        raise session.fail(f"{file} holds no list of rules.", code="INVALID", exit_code=Exit.USAGE)
    return rules


def _changed(
    session: Session,
    rules: list[Json],
    enable: list[str] | None,
    disable: list[str] | None,
    source: list[str] | None,
) -> list[Json]:
    targets = {rule["target"] for rule in rules}
    for target in [*(enable or ()), *(disable or ())]:
        if target not in targets:
            known = ", ".join(sorted(targets))
            raise session.fail(
                f"No rule feeds {target}; map it with --map. There are rules for: {known}.",
                code="UNKNOWN_FIELD",
                exit_code=Exit.USAGE,
            )
    changed = []
    for rule in rules:
        state = rule["isEnabled"]
        state = True if rule["target"] in (enable or ()) else state
        state = False if rule["target"] in (disable or ()) else state
        changed.append({**rule, "isEnabled": state})
    for pair in source or ():
        ours, separator, target = pair.partition("=")
        if not separator:
            raise session.fail("--map takes SOURCE=TARGET.", code="USAGE", exit_code=Exit.USAGE)
        changed = [rule for rule in changed if rule["target"] != target]
        changed.append({"source": ours, "target": target, "isEnabled": True, "mappingSet": None})
    return changed


def _show(session: Session, found: Json, operation: str) -> None:
    ours, theirs = "Our field", "Their field"
    # A rule leads from its source to its target: orders come in, everything else goes out.
    names = [theirs, ours] if operation == Operation.GET_ORDERS else [ours, theirs]
    session.out.answer(found)
    session.out.table(
        [*names, "Enabled", "Mapping set"],
        [
            [
                rule["source"],
                rule["target"],
                rule["isEnabled"],
                (rule["mappingSet"] or {}).get("name"),
            ]
            for rule in found["rules"]
        ],
        title="The platform's default" if found["isDefault"] else "This channel's own",
    )

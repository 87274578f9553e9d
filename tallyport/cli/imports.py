"""`listings import`: a catalog file into a channel's listings, with every bad row named."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn

from reconcile.core.types import Presence
from tallyport.cli.lookup import ChannelOption, channel
from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json
from tallyport.following import follow_import

_SHOWN_PROBLEMS = 100


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "import")(import_)


def import_(
    session: Session,
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True)
    ],
    name: ChannelOption = None,
    layout: Annotated[
        str | None,
        typer.Option("--layout", help="Such as shopify; recognized from the file otherwise."),
    ] = None,
    replace: Annotated[
        Presence | None,
        typer.Option(
            "--replace",
            case_sensitive=False,
            help="What becomes of listings that the file does not name: HIDDEN or DELISTED.",
        ),
    ] = None,
    pause_new: Annotated[bool, typer.Option("--pause-new", help="New listings start paused.")] = (
        False
    ),
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
) -> None:
    """Import a catalog: our CSV or JSONL, or the product CSV of Shopify or WooCommerce.

    Good rows are imported, each bad one is named with its line and reason.
    """
    found = channel(session, name)
    parameters = {"channel": found.id, "name": file.name}
    if layout is not None:
        parameters["layout"] = layout
    if replace is not None:
        parameters["replace_with"] = replace.value
    if pause_new:
        parameters["pause_new"] = "true"
    import_id = _sent(session, file, parameters)
    if not wait:
        session.out.answer({"id": import_id})
        session.out.say(import_id)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with session.out.progress(*columns) as bar:
        task = bar.add_task("waiting for a worker", total=None)

        def look(answer: Json) -> None:
            bar.update(task, description=f"{answer['state'].lower()}: {answer['rowsDone']} rows")

        finished = follow_import(session.api, import_id, look)
    _conclude(session, finished)


def _sent(session: Session, file: Path, parameters: dict[str, str]) -> str:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with session.out.progress(*columns) as bar:
        task = bar.add_task("sending", total=file.stat().st_size)
        answer = session.api.upload(file, parameters, read=lambda n: bar.advance(task, n))
    return str(answer["import"])


def _counted(name: str) -> str:
    """What a count is called: rows that were lost are not among the rows of listings taken."""
    known = {"rows": "Listings read", "lost": "Rows not taken"}
    return known.get(name, name.replace("_", " ").capitalize())


def _conclude(session: Session, finished: Json) -> None:
    document = (
        "query ($id: ID!, $after: String) { node(id: $id) { ... on Import {"
        " problems(first: 100, after: $after) { nodes { line sku severity code message }"
        " pageInfo { hasNextPage endCursor } } } } }"
    )
    problems: list[Json] = []
    more = False
    for problem in session.api.pages(document, {"id": finished["id"]}, ("node", "problems")):
        if not session.out.as_json and len(problems) >= _SHOWN_PROBLEMS:
            more = True
            break
        problems.append(problem)
    session.out.answer({**finished, "problems": problems})
    session.out.facts(
        {
            "File": finished["name"],
            "Layout": finished["layout"],
            "State": finished["state"],
            **{_counted(name): number for name, number in finished["counts"].items()},
        }
    )
    if problems:
        session.out.table(
            ["Line", "SKU", "Kind", "Code", "What to know"],
            [[p["line"], p["sku"], p["severity"], p["code"], p["message"]] for p in problems],
        )
    if more:
        session.out.say("... and more; all of them with --json.")
    if finished["error"] is not None and not session.out.as_json:
        session.out.problems([{**finished["error"], "path": []}])
    if finished["state"] != "DONE":
        raise typer.Exit(Exit.REFUSED)
    if any(problem["severity"] == "ERROR" for problem in problems):
        raise typer.Exit(Exit.PARTIAL)

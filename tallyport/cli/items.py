"""`items set|list`: stated quantities, shared by the listings of all channels."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json

_AT_ONCE = 1000
_SHOWN = 10


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "set")(set_)
    command(app, "list")(list_)


def set_(
    session: Session,
    *,
    said: Annotated[
        list[str],
        typer.Argument(
            metavar="SKU=QUANTITY...",
            help="No quantity takes the statement back, which is not zero; - reads lines of stdin.",
        ),
    ],
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", help="When it was counted, UTC. Older ones change nothing."),
    ] = None,
    net: Annotated[
        bool, typer.Option("--net", help="Already net of orders, instead of counted on hand.")
    ] = False,
) -> None:
    """State quantities; every channel that offers the SKU becomes due."""
    statements: list[Json] = []
    for sku, quantity in _pairs(session, said):
        statement: dict[str, Json] = {"sku": sku, "quantity": quantity}
        statement["basis"] = "NET_OF_ORDERS" if net else "ON_HAND"
        if as_of is not None:
            statement["asOf"] = f"{as_of.isoformat()}+00:00"
        statements.append(statement)
    results: list[Json] = []
    for start in range(0, len(statements), _AT_ONCE):
        payload = session.api.mutate(
            "mutation ($input: ItemSetInput!) { itemSet(input: $input)"
            " { results { sku outcome item { stated asOf variants { id } } }"
            " userErrors { code message path } } }",
            {
                "input": {
                    "statements": statements[start : start + _AT_ONCE],
                    "source": "command line",
                }
            },
        )
        results += payload["results"]
    session.out.answer(results)
    session.out.table(
        ["SKU", "Outcome", "Stated"],
        [[row["sku"], row["outcome"], (row["item"] or {}).get("stated")] for row in results],
    )
    # A misspelt SKU is a good statement about something that nobody sells.
    unsold = [row["sku"] for row in results if row["item"] and not row["item"]["variants"]]
    if unsold:
        more = f" and {len(unsold) - _SHOWN} more" if len(unsold) > _SHOWN else ""
        named = ", ".join(unsold[:_SHOWN])
        session.out.note(f"Kept, but no listing has this SKU so far: {named}{more}.")


def list_(
    session: Session,
    *,
    sku: Annotated[str | None, typer.Option("--sku", help="Exactly this one.")] = None,
    prefix: Annotated[str | None, typer.Option("--sku-prefix")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000)] = 100,
) -> None:
    """List items with what is stated and where they are offered."""
    where = {"sku": sku, "skuPrefix": prefix}
    document = (
        "query ($after: String, $where: ItemFilterInput) {"
        " items(first: 100, after: $after, where: $where) { nodes { id sku stated asOf basis"
        " source statedBy variants { id channel { name } } }"
        " pageInfo { hasNextPage endCursor } } }"
    )
    rows: list[Json] = []
    chosen = {key: value for key, value in where.items() if value is not None}
    for row in session.api.pages(document, {"where": chosen}, ("items",)):
        rows.append(row)
        if len(rows) >= limit:
            break
    session.out.answer(rows)
    session.out.table(
        ["SKU", "Stated", "As of", "Counted", "Source", "By", "Channels"],
        [
            [
                row["sku"],
                "no statement" if row["stated"] is None else row["stated"],
                row["asOf"] and row["asOf"][:19],
                "on hand" if row["basis"] == "ON_HAND" else "net of orders",
                row["source"],
                row["statedBy"],
                ", ".join(each["channel"]["name"] for each in row["variants"] if each["channel"]),
            ]
            for row in rows
        ],
    )


def _pairs(session: Session, said: list[str]) -> Iterator[tuple[str, int | None]]:
    lines = (line.strip() for line in sys.stdin) if said == ["-"] else iter(said)
    for pair in lines:
        if not pair:
            continue
        sku, separator, quantity = pair.rpartition("=")
        if not separator or (quantity and not quantity.isdecimal()):
            raise session.fail(
                f"{pair}: take SKU=QUANTITY with a whole number from 0, or SKU= for no statement.",
                code="USAGE",
                exit_code=Exit.USAGE,
            )
        yield sku, int(quantity) if quantity else None

"""`orders list|show|explain|lookup`: what was ordered, what became of it, and why."""

import time
from typing import Annotated, Final

import typer
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from reconcile.core.order_types import OrderStatus
from reconcile.core.remote_order_types import OrderVerdict
from tallyport.cli.lookup import ChannelOption, ChannelRef, channel
from tallyport.cli.order_names import OrderArgument, on_several, seen_order, seen_orders
from tallyport.cli.order_tables import (
    COLUMNS,
    LIST_SELECTION,
    ORDER_SELECTION,
    REMOTE_SELECTION,
    SEEN_SELECTION,
    describe,
    headline,
    order_line,
)
from tallyport.cli.runs import conclude, followed
from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json

_REMOTE_ORDERS: Final = (
    "query ($after: String, $where: RemoteOrderFilterInput) {"
    " remoteOrders(first: 50, after: $after, where: $where)"
    f" {{ nodes {{ {REMOTE_SELECTION} order {{ {LIST_SELECTION} }} }}"
    " pageInfo { hasNextPage endCursor } } }"
)
_ORDERS: Final = (
    "query ($after: String, $where: OrderFilterInput) {"
    " orders(first: 50, after: $after, where: $where)"
    f" {{ nodes {{ {LIST_SELECTION} remoteOrder {{ {REMOTE_SELECTION} }} }}"
    " pageInfo { hasNextPage endCursor } } }"
)
_EXPLAIN: Final = (
    "query ($channel: ID!, $number: String!) { orderExplain(channel: $channel, number: $number)"
    " { number isSeen lookup { state at message } matches {"
    f" remoteOrder {{ {REMOTE_SELECTION} }} order {{ {LIST_SELECTION} }} steps"
    " decisions { code message standing action outcome inputs }"
    f" next {{ operation code message at }} }} }} }}"
)
_ANSWERED = frozenset({"REPORTED", "CANCELED", "NOT_STARTED"})
"""States of a look-up that does not go on."""

WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the look-up.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "list")(list_)
    command(app, "show")(show)
    command(app, "explain")(explain)
    command(app, "lookup")(lookup)


def list_(
    session: Session,
    *,
    name: ChannelOption = None,
    status: Annotated[
        OrderStatus | None,
        typer.Option("--status", case_sensitive=False, help="Of imported orders."),
    ] = None,
    verdict: Annotated[
        OrderVerdict | None,
        typer.Option("--verdict", case_sensitive=False, help="What became of it when it was seen."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Code of the verdict, such as UnmappedShipping.")
    ] = None,
    on_hold: Annotated[bool, typer.Option("--on-hold", help="Only what is on hold.")] = False,
    number: Annotated[str | None, typer.Option("--number", help="Exactly this one.")] = None,
    attention: Annotated[
        bool, typer.Option("--attention", help="Only what needs a person.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000)] = 100,
) -> None:
    """List orders, imported and only seen ones: what became of each, and how much has left."""
    ours = status is not None or on_hold
    if ours and (verdict not in (None, OrderVerdict.IMPORTED) or reason is not None or attention):
        raise session.fail(
            "--status and --on-hold choose among imported orders; --reason, --attention and "
            "another --verdict than imported choose among all that were seen.",
            code="USAGE",
            exit_code=Exit.USAGE,
        )
    where: dict[str, Json] = {
        "channel": channel(session, name).id if name is not None else None,
        "number": number,
    }
    where |= (
        {"status": status, "isOnHold": True if on_hold else None}
        if ours
        else {"verdict": verdict, "reason": reason, "needsAttention": True if attention else None}
    )
    where = {key: value for key, value in where.items() if value is not None}
    document, field = (_ORDERS, "orders") if ours else (_REMOTE_ORDERS, "remoteOrders")
    rows: list[Json] = []
    for row in session.api.pages(document, {"where": where}, (field,)):
        rows.append({**row.pop("remoteOrder"), "order": row} if ours else row)
        if len(rows) >= limit:
            break
    session.out.answer(rows)
    session.out.table(
        COLUMNS,
        [order_line(row) for row in rows],
        empty="No order is like that."
        if where
        else "No order was seen yet; `tallyport run get-orders CHANNEL` looks.",
    )
    if len(rows) >= limit:
        session.out.note(f"The first {limit}; more with --limit.")


def show(session: Session, *, number: OrderArgument, name: ChannelOption = None) -> None:
    """Show one order: lines, shipments, what is there and here, what is missing and why."""
    meant = seen_order(session, number, name)
    document = (
        f"query ($id: ID!) {{ node(id: $id) {{ ... on RemoteOrder {{ {SEEN_SELECTION}"
        f" order {{ {ORDER_SELECTION} }} }} }} }}"
    )
    row = session.api.query(document, {"id": meant.remote_id})["node"]
    if row is None:
        raise session.fail(f"Order {number} is not there any more.", code="NOT_FOUND")
    session.out.answer(row)
    describe(session, row)


def explain(
    session: Session,
    *,
    number: OrderArgument,
    name: ChannelOption = None,
    wait: WaitOption = True,
    patience: Annotated[
        int, typer.Option("--wait-seconds", min=1, max=600, help="Longest wait for a look-up.")
    ] = 60,
) -> None:
    """Say why an order is imported or not, and what to change; one never seen is looked for.

    Ends with 3 while the channel has not answered, or could not be asked.
    """
    found, asked = _where_to_look(session, number, name)
    answer = _asked(session, found, asked)
    if wait and _is_looking(answer):
        answer = _awaited(session, found, asked, patience)
    session.out.answer({"channel": found.name, **answer})
    _tell(session, found, answer)
    looked = answer["lookup"]
    if not answer["isSeen"] and (looked is None or looked["state"] != "REPORTED"):
        raise typer.Exit(Exit.PARTIAL)


def lookup(
    session: Session, *, number: OrderArgument, name: ChannelOption = None, wait: WaitOption = True
) -> None:
    """Ask the channel for one order by its number, whatever the filters say."""
    found = channel(session, name)
    payload = session.api.mutate(
        "mutation ($input: OrderLookupInput!) { orderLookup(input: $input)"
        " { run { id } userErrors { code message path } } }",
        {"input": {"channel": found.id, "number": number}},
    )
    run_id = payload["run"]["id"]
    if not wait:
        session.out.answer({"id": run_id})
        session.out.say(run_id)
        return
    finished = followed(session, run_id)
    where = {"channel": found.id, "number": number}
    rows = list(session.api.pages(_REMOTE_ORDERS, {"where": where}, ("remoteOrders",)))
    session.out.table(
        COLUMNS,
        [order_line(row) for row in rows],
        empty=f"{found.name} has no order {number} that it could show.",
    )
    conclude(session, {**finished, "orders": rows})


def _where_to_look(session: Session, text: str, name: str | None) -> tuple[ChannelRef, str]:
    """Channel and number: of what was seen these are known, else the channel that was named."""
    seen = seen_orders(session, text, name)
    if not seen:
        return channel(session, name), text
    places = list(dict.fromkeys((each.channel, each.number) for each in seen))
    if len(places) > 1:
        raise on_several(session, text, seen)
    return places[0]


def _asked(session: Session, found: ChannelRef, number: str) -> Json:
    return session.api.query(_EXPLAIN, {"channel": found.id, "number": number})["orderExplain"]


def _is_looking(answer: Json) -> bool:
    looked = answer["lookup"]
    return not answer["isSeen"] and looked is not None and looked["state"] not in _ANSWERED


def _awaited(session: Session, found: ChannelRef, number: str, patience: int) -> Json:
    """Ask again until the channel has answered, or for so many seconds."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    deadline = time.monotonic() + patience
    with session.out.progress(*columns) as bar:
        bar.add_task(f"looking for order {number} on {found.name}", total=None)
        pause = 0.2
        while True:
            time.sleep(pause)
            answer = _asked(session, found, number)
            if not _is_looking(answer) or time.monotonic() >= deadline:
                return answer
            pause = min(pause * 1.5, 2.0)


def _tell(session: Session, found: ChannelRef, answer: Json) -> None:
    out = session.out
    looked = answer["lookup"]
    if not answer["matches"]:
        out.say(f"Order {answer['number']} has not been seen on {found.name}.")
        if looked is not None:
            out.say(looked["message"])
        return
    for match in answer["matches"]:
        out.say(headline({**match["remoteOrder"], "order": match["order"]}))
        for step in match["steps"]:
            out.say(f"- {step}")
        for following in match["next"]:
            out.say(f"Next, {following['operation']}: {following['message']}")

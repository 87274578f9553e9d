"""Finds orders by the number people know; numbers are not unique, so doubt is said.

Must not decide anything about an order: it only says which one is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from tallyport.cli.lookup import ChannelRef, channel
from tallyport.cli.session import Session
from tallyport.client import FaultError, Json, UnavailableError

OrderArgument = Annotated[
    str, typer.Argument(metavar="NUMBER", help="Number of the order, or its id.")
]

_MATCH: Final = (
    "id number verdict reason message channel { id name platform { name } } order { id status }"
)
_BY_NUMBER: Final = (
    "query ($where: RemoteOrderFilterInput, $after: String) {"
    " remoteOrders(first: 50, after: $after, where: $where)"
    f" {{ nodes {{ {_MATCH} }} pageInfo {{ hasNextPage endCursor }} }} }}"
)
_BY_ID: Final = (
    f"query ($id: ID!) {{ node(id: $id) {{ ... on RemoteOrder {{ {_MATCH} }}"
    f" ... on Order {{ remoteOrder {{ {_MATCH} }} }} }} }}"
)


@dataclass(frozen=True, slots=True)
class OrderRef:
    """A seen order as commands need it."""

    remote_id: str
    """Id of what the channel holds."""
    order_id: str | None
    """Id of what was imported; None: it was not."""
    number: str
    channel: ChannelRef
    told: str
    """What became of it, in words."""


def seen_orders(session: Session, text: str, name: str | None) -> list[OrderRef]:
    """Every order seen under that number, on one channel or all; else the one with that id."""
    found = None if name is None else channel(session, name).id
    where = {"number": text} if found is None else {"number": text, "channel": found}
    rows = list(session.api.pages(_BY_NUMBER, {"where": where}, ("remoteOrders",)))
    if not rows:
        rows = [row for row in (_with_id(session, text),) if row is not None]
    return [_ref(row) for row in rows if found in (None, row["channel"]["id"])]


def seen_order(session: Session, text: str, name: str | None) -> OrderRef:
    """The one order meant; says which there are where that is not clear."""
    found = seen_orders(session, text, name)
    if not found:
        where = f" on {name}" if name is not None else ""
        raise session.fail(
            f"No order {text} has been seen{where}. `tallyport orders explain {text}` looks for it "
            "on the channel and says why it is not here.",
            code="NOT_FOUND",
        )
    return _only(session, text, found)


def imported_order(session: Session, text: str, name: str | None) -> tuple[OrderRef, str]:
    """The one imported order meant, with its id; one that was not imported says why."""
    found = seen_orders(session, text, name)
    imported = [each for each in found if each.order_id is not None]
    meant = _only(session, text, imported) if imported else seen_order(session, text, name)
    if meant.order_id is None:
        raise session.fail(
            f"Order {meant.number} of {meant.channel.name} is not imported: {meant.told}",
            code="NOT_IMPORTED",
        )
    return meant, meant.order_id


def on_several(session: Session, text: str, found: Sequence[OrderRef]) -> typer.Exit:
    """What ends a command when several channels have the number, to be raised."""
    names = ", ".join(dict.fromkeys(each.channel.name for each in found))
    return session.fail(
        f"Order {text} exists on {names}; say which with --channel.", code="AMBIGUOUS"
    )


def _only(session: Session, text: str, found: Sequence[OrderRef]) -> OrderRef:
    if len(found) == 1:
        return found[0]
    if len({each.channel for each in found}) > 1:
        raise on_several(session, text, found)
    ids = ", ".join(each.order_id or each.remote_id for each in found)
    raise session.fail(
        f"{found[0].channel.name} has {len(found)} orders with number {text}; "
        f"name one by its id: {ids}.",
        code="AMBIGUOUS",
    )


def _with_id(session: Session, text: str) -> Json | None:
    try:
        node = session.api.query(_BY_ID, {"id": text})["node"]
    except UnavailableError:
        raise
    except FaultError:
        # Numbers are no ids, and the API says so of most of them.
        return None
    return (node or {}).get("remoteOrder", node) or None


def _ref(row: Json) -> OrderRef:
    at = row["channel"]
    order = row["order"]
    return OrderRef(
        remote_id=str(row["id"]),
        order_id=None if order is None else str(order["id"]),
        number=str(row["number"]),
        channel=ChannelRef(str(at["id"]), str(at["name"]), str(at["platform"]["name"])),
        told=f"{row['verdict']} {row['reason'] or ''}: {row['message']}",
    )

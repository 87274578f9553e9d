"""`items explain`: what is stated, what orders take off it, what each channel is told, as a sum."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from tallyport.cli.order_tables import minute, second
from tallyport.cli.session import Session, command
from tallyport.client import Json

_QUANTITY: Final = "stated source asOf basis isOwn deducted buffer cap wanted steps"
_EXPLAIN: Final = (
    "query ($sku: String!) { itemExplain(sku: $sku) { item { id sku stated asOf basis source"
    f" statedBy deducted }} channels {{ channel {{ name }} variant {{ id sku link {{ state }} }}"
    f" quantityExplanation {{ {_QUANTITY} }} }} }} }}"
)
_DEDUCTIONS: Final = (
    "query ($sku: String!, $after: String) { itemExplain(sku: $sku) {"
    " deductions(first: 50, after: $after) { nodes { units orderedAt leftAt counts"
    " remoteOrder { number channel { name } } } pageInfo { hasNextPage endCursor } } } }"
)
_BASES: Final = {"ON_HAND": "on hand", "NET_OF_ORDERS": "net of orders"}
_MINUS: Final = "\N{MINUS SIGN}"

Figure = tuple[str, int | None, str]
"""Sign, number and what it is; an order's units have no sign and stand indented."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "explain")(explain)


def explain(
    session: Session,
    *,
    sku: Annotated[str, typer.Argument(metavar="SKU", help="Of an item.")],
    limit: Annotated[
        int, typer.Option("--limit", min=0, max=100_000, help="Orders shown at most.")
    ] = 20,
) -> None:
    """Say how many each channel is told, down to the orders: stated, deducted, buffer, cap."""
    found = session.api.query(_EXPLAIN, {"sku": sku})["itemExplain"]
    if found is None:
        raise session.fail(
            f"Nothing is stated, listed or ordered under SKU {sku}. SKUs are compared exactly; "
            "`tallyport items list` shows them.",
            code="NOT_FOUND",
        )
    orders: list[Json] = []
    more = False
    for row in session.api.pages(_DEDUCTIONS, {"sku": sku}, ("itemExplain", "deductions")):
        if len(orders) >= limit:
            more = True
            break
        orders.append(row)
    session.out.answer({"sku": sku, **found, "deductions": orders})
    session.out.say(sku)
    item = found["item"]
    if item is not None:
        _add_up(session, _of_item(item, orders))
    if more:
        session.out.note(f"The latest {limit} orders; more with --limit.")
    for each in found["channels"]:
        variant = each["variant"]
        linked = "" if variant["link"]["state"] == "LINKED" else " (not linked)"
        session.out.say(f"{each['channel']['name']}{linked}")
        _add_up(session, _of_channel(each["quantityExplanation"], item))


def _of_item(item: Json, orders: Sequence[Json]) -> list[Figure]:
    if item["stated"] is None:
        said = "no quantity is stated, so none is sent: unknown is not zero"
        return [("", None, said), *_of_orders(orders)]
    figures: list[Figure] = [("", item["stated"], _stated(item))]
    figures += _of_orders(orders)
    figures.append((_MINUS, item["deducted"], "deducted by orders"))
    figures.append(("=", item["stated"] - item["deducted"], ""))
    return figures


def _of_orders(orders: Sequence[Json]) -> list[Figure]:
    figures: list[Figure] = []
    for row in orders:
        order = row["remoteOrder"]
        name = f"order {order['number']} on {order['channel']['name']}" if order else "an order"
        left = f"left {minute(row['leftAt'])}" if row["leftAt"] else "not shipped"
        counted = "" if row["counts"] else ", not counted: the statement knows of it"
        figures.append(
            ("·", row["units"], f"{name} of {minute(row['orderedAt'])}, {left}{counted}")
        )
    return figures


def _of_channel(quantity: Json, item: Json | None) -> list[Figure]:
    stated, deducted = quantity["stated"], quantity["deducted"]
    if stated is None:
        return [("", None, "no quantity is sent")]
    figures: list[Figure] = []
    if quantity["isOwn"] or item is None:
        own = "stated for this listing alone" if quantity["isOwn"] else _stated(quantity)
        figures.append(("", stated, own))
        figures.append((_MINUS, deducted, "deducted by orders of this channel"))
    else:
        figures.append(("", stated - deducted, "of the item"))
    if quantity["buffer"]:
        figures.append((_MINUS, quantity["buffer"], "buffer of the channel"))
    left = stated - deducted - quantity["buffer"]
    if left < 0:
        figures.append(("", None, "never below 0"))
    if quantity["cap"] is not None and quantity["wanted"] < max(0, left):
        figures.append(("", None, f"at most {quantity['cap']} are shown on this channel"))
    figures.append(("=", quantity["wanted"], "wanted there"))
    return figures


def _stated(said: Json) -> str:
    by = f" by {said['source']}" if said["source"] else ""
    as_of = f" as of {second(said['asOf'])}" if said["asOf"] else ""
    return f"stated{by}, {_BASES[said['basis']]}{as_of}"


def _add_up(session: Session, figures: Sequence[Figure]) -> None:
    """Print figures below each other, units aligned."""
    width = max((len(str(number)) for _, number, _ in figures if number is not None), default=1)
    for sign, number, text in figures:
        figure = "" if number is None else str(number)
        # An order is a part of a sum that follows: it stands beside the column, not in it.
        indent = "      " if sign == "·" else "  "
        mark = " " if sign == "·" else sign or " "
        session.out.say(f"{indent}{mark} {figure:>{width}}  {text}".rstrip())

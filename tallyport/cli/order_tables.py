"""Tables of orders: one line of a list, and one order with its lines and shipments.

A row is a remote order as the API shows it, with the imported one in `order` where there is one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tallyport.cli.run_tables import value_text
from tallyport.cli.session import Cell, Session
from tallyport.client import Json

LIST_SELECTION: Final = (
    "id status hold { code message by since }"
    " lines { id sku quantity canceled shipped remaining isDigital }"
)
REMOTE_SELECTION: Final = (
    "id number remoteId channel { id name } stage status payment currency total orderedAt"
    " modifiedAt firstSeenAt observedAt gone verdict reason message since isDigital"
    " conditions { type status reason message since }"
)
_ADDRESS: Final = "firstName lastName company line1 line2 city region postalCode country phone"
SHIPMENT_SELECTION: Final = (
    "id origin state trackingNumber carrier service trackingUrl notifyCustomer shippedAt"
    " lines { line { id sku title } quantity } remoteIds reference createdBy pushedAt message"
)
ORDER_SELECTION: Final = (
    "id number status currency total payment orderedAt importedAt shippingText shippingPolicy"
    f" isDigital email billingAddress {{ {_ADDRESS} }} shippingAddress {{ {_ADDRESS} }} note"
    " customFields missingFields { field cause message } hold { code message by since }"
    " lines { id sku title quantity canceled shipped remaining unitPrice total weight customFields"
    f" isDigital isLinked }} shipments {{ {SHIPMENT_SELECTION} }}"
    " conditions { type status reason message since }"
    " acknowledgedAt canceledAt closedAt closedBy lastShippedAt"
    " retention { erasesAt erasedAt message }"
)
SEEN_SELECTION: Final = (
    f"{REMOTE_SELECTION} inputs shippingTexts {{ keys title }} personalDataErasedAt"
    " lines { remoteId sku title quantity canceled unitPrice total isDigital }"
    " fulfillments { remoteId trackingNumber carrier trackingUrl shippedAt }"
)
COLUMNS: Final = (
    *("Number", "Channel", "Status", "Reason", "Total", "Ordered", "Shipped", "To know"),
)


def order_line(row: Json) -> Sequence[Cell]:
    """One line of a list: what became of an order, and how much of it has left."""
    order = row["order"]
    reason, told = _why(row)
    return [
        row["number"],
        row["channel"]["name"],
        _status(row),
        reason,
        money(row["total"], row["currency"]),
        minute(row["orderedAt"]),
        shipped(order["lines"]) if order else None,
        told,
    ]


def _why(row: Json) -> tuple[str | None, str | None]:
    """What stands in the way of an order: a verdict, a hold, or else what needs a person."""
    order = row["order"]
    if order is None:
        return row["reason"], row["message"]
    if order["hold"]:
        return order["hold"]["code"], order["hold"]["message"]
    for each in row["conditions"]:
        if each["status"] == "ATTENTION":
            return each["reason"], each["message"]
    return None, None


def headline(row: Json) -> str:
    """One order in a line: where it stands and by which reason."""
    number, name, status, reason, total, ordered, left, _ = order_line(row)
    parts = [f"{status} {reason or ''}".strip(), str(total), f"ordered {ordered}"]
    if left:
        parts.append(f"{left} shipped")
    return f"Order {number} on {name}: {', '.join(parts)}"


def describe(session: Session, row: Json) -> None:
    """Print one order: what is there, what is here, what left, and what is missing."""
    order = row["order"]
    out = session.out
    facts: dict[str, Cell] = {
        "Order": f"{row['number']} on {row['channel']['name']} (id {row['remoteId']} there)",
        "Became": f"{row['verdict']} {row['reason'] or ''}".strip(),
        "Because": row["message"],
        "Status there": f"{row['status']}{', gone' if row['gone'] else ''}",
        "Payment": row["payment"],
        "Total": money(row["total"], row["currency"]),
        "Ordered": second(row["orderedAt"]),
        "First seen": second(row["firstSeenAt"]),
        "Seen as of": second(row["observedAt"]),
    }
    if order is None:
        _describe_seen(session, row, facts)
        return
    hold = order["hold"]
    retention = order["retention"]
    out.facts(
        facts
        | {
            "Status here": order["status"],
            "On hold": f"{hold['code']}: {hold['message']}" if hold else None,
            "Held by": hold and (hold["by"] or "the rules"),
            "Id": order["id"],
            "Imported": second(order["importedAt"]),
            "Acknowledged": second(order["acknowledgedAt"]),
            "Canceled": second(order["canceledAt"]),
            "Closed": _closed(order),
            "Shipping": order["shippingText"],
            "Policy": order["shippingPolicy"],
            "E-mail": order["email"],
            "Ship to": _address(order["shippingAddress"]),
            "Bill to": _address(order["billingAddress"]),
            "Note": order["note"],
            "Custom fields": value_text(order["customFields"]) if order["customFields"] else None,
            "Personal data": retention and retention["message"],
        }
    )
    out.table(
        ["Title", "SKU", "Ordered", "Canceled", "Shipped", "Remaining", "Each", "Line", "To know"],
        [
            [
                line["title"],
                line["sku"],
                line["quantity"],
                line["canceled"] or None,
                line["shipped"],
                line["remaining"],
                line["unitPrice"],
                line["id"],
                _of_line(line),
            ]
            for line in order["lines"]
        ],
    )
    if order["shipments"]:
        shipments(session, order["shipments"])
    if order["missingFields"]:
        out.table(
            ["Not here", "Cause", "Why"],
            [[each["field"], each["cause"], each["message"]] for each in order["missingFields"]],
        )
    told = [each for each in order["conditions"] if each["message"]]
    if told:
        out.table(
            ["About", "Status", "Reason", "What to know", "Since"],
            [
                [
                    each["type"],
                    each["status"],
                    each["reason"],
                    each["message"],
                    second(each["since"]),
                ]
                for each in told
            ],
        )


def shipments(session: Session, rows: Sequence[Json]) -> None:
    """Print shipments: what left with which tracking number, and whether the channel knows."""
    session.out.table(
        ["Shipment", "From", "State", "Left", "Tracking", "Carrier", "Shipped", "To know"],
        [
            [
                each["id"],
                "us" if each["origin"] == "OURS" else "the channel",
                each["state"],
                units(each["lines"]),
                each["trackingNumber"],
                " ".join(filter(None, (each["carrier"], each["service"]))),
                minute(each["shippedAt"]),
                each["message"],
            ]
            for each in rows
        ],
    )


def units(lines: Sequence[Json]) -> str:
    """What left together: `2 x SKU` each."""
    return ", ".join(
        f"{each['quantity']} x {each['line']['sku'] or each['line']['title']}" for each in lines
    )


def shipped(lines: Sequence[Json]) -> str:
    """Units that left of those that are to leave: `2/3`."""
    physical = [line for line in lines if not line["isDigital"]]
    left = sum(line["shipped"] for line in physical)
    ordered = sum(max(line["quantity"] - line["canceled"], line["shipped"]) for line in physical)
    return f"{left}/{ordered}"


def money(amount: str | None, currency: str | None) -> str:
    """An amount with its currency, as people write it."""
    return " ".join(filter(None, (amount, currency)))


def second(at: str | None) -> str | None:
    """A moment to the second, UTC."""
    return None if at is None else at[:19].replace("T", " ")


def minute(at: str | None) -> str | None:
    """A moment to the minute, UTC."""
    return None if at is None else at[:16].replace("T", " ")


def _status(row: Json) -> str:
    order = row["order"]
    if order is None:
        return str(row["verdict"])
    return f"{order['status']}{' (on hold)' if order['hold'] else ''}"


def _describe_seen(session: Session, row: Json, facts: Mapping[str, Cell]) -> None:
    texts = [f"{text['title'] or '-'} ({', '.join(text['keys'])})" for text in row["shippingTexts"]]
    session.out.facts({**facts, "Shipping": "; ".join(texts)})
    session.out.table(
        ["Title", "SKU", "Ordered", "Canceled", "Each"],
        [
            [
                line["title"],
                line["sku"],
                line["quantity"],
                line["canceled"] or None,
                line["unitPrice"],
            ]
            for line in row["lines"]
        ],
    )


def _closed(order: Json) -> str | None:
    if order["closedAt"] is None:
        return None
    return f"{second(order['closedAt'])} by {order['closedBy'] or 'the rules'}"


def _of_line(line: Json) -> str:
    told = []
    if line["isDigital"]:
        told.append("digital")
    if not line["isLinked"]:
        told.append("no listing here")
    if line["customFields"]:
        told.append(value_text(line["customFields"]))
    return ", ".join(told)


def _address(address: Json | None) -> str | None:
    if address is None:
        return None
    name = " ".join(filter(None, (address["firstName"], address["lastName"])))
    town = " ".join(filter(None, (address["postalCode"], address["city"])))
    parts = (
        *(name, address["company"], address["line1"], address["line2"]),
        *(town, address["region"], address["country"], address["phone"]),
    )
    return ", ".join(filter(None, parts))

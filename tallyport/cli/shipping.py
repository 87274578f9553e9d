"""`orders ship|void|hold|release|close`: what a person decides about an imported order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import typer

from tallyport.cli.lookup import ChannelOption
from tallyport.cli.order_names import OrderArgument, OrderRef, imported_order
from tallyport.cli.order_tables import LIST_SELECTION, SHIPMENT_SELECTION, shipments, shipped
from tallyport.cli.session import Exit, Session, command
from tallyport.client import Json

_LINES: Final = (
    "query ($id: ID!) { order(id: $id)"
    " { lines { id remoteId sku title quantity remaining isDigital } } }"
)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "hold")(hold)
    command(app, "release")(release)
    command(app, "ship")(ship)
    command(app, "void")(void)
    command(app, "close")(close)


def hold(
    session: Session,
    *,
    number: OrderArgument,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; whoever looks at the order reads it.")
    ] = "Held by hand",
    name: ChannelOption = None,
) -> None:
    """Put an order on hold: nothing more of it leaves until it is released."""
    _decide(session, "orderHold", "OrderHoldInput", number, name, {"reason": reason})


def release(session: Session, *, number: OrderArgument, name: ChannelOption = None) -> None:
    """Release an order: what the channel holds of it now is accepted, and shipping goes on."""
    _decide(session, "orderRelease", "OrderIdInput", number, name, {})


def close(session: Session, *, number: OrderArgument, name: ChannelOption = None) -> None:
    """Close an order: nothing more of it is shipped, and nothing of it is deducted."""
    _decide(session, "orderClose", "OrderIdInput", number, name, {})


def ship(
    session: Session,
    *,
    number: OrderArgument,
    line: Annotated[
        list[str] | None,
        typer.Option(
            "--line",
            metavar="SKU=UNITS",
            help="Part of the order; may be repeated. All that remains where left out.",
        ),
    ] = None,
    tracking: Annotated[str | None, typer.Option("--tracking", help="Tracking number.")] = None,
    no_tracking: Annotated[
        bool, typer.Option("--no-tracking", help="It has none, and that is right.")
    ] = False,
    carrier: Annotated[str | None, typer.Option("--carrier", help="Such as DHL.")] = None,
    service: Annotated[str | None, typer.Option("--service", help="Such as Express.")] = None,
    tracking_url: Annotated[
        str | None, typer.Option("--tracking-url", help="Where the parcel can be followed.")
    ] = None,
    notify: Annotated[
        bool, typer.Option("--notify", help="Let the channel tell the customer, where it can.")
    ] = False,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="Yours; repeated, it gives the same shipment back."),
    ] = None,
    shipped_at: Annotated[
        datetime | None, typer.Option("--shipped-at", help="UTC. Now where left out.")
    ] = None,
    name: ChannelOption = None,
) -> None:
    """Record that an order, or a part of it, has left; the channel is told by itself."""
    if tracking and no_tracking:
        raise session.fail(
            "Give --tracking or --no-tracking, not both.", code="USAGE", exit_code=Exit.USAGE
        )
    if not no_tracking and not (tracking or "").strip():
        raise session.fail(
            "Give the tracking number with --tracking, or say with --no-tracking that there is "
            "none.",
            code="TRACKING_MISSING",
        )
    meant, order_id = imported_order(session, number, name)
    given: dict[str, Json] = {
        "order": order_id,
        "trackingNumber": tracking,
        "withoutTracking": True if no_tracking else None,
        "carrier": carrier,
        "service": service,
        "trackingUrl": tracking_url,
        "notifyCustomer": True if notify else None,
        "reference": reference,
        "shippedAt": f"{shipped_at.isoformat()}+00:00" if shipped_at is not None else None,
        "lines": _parts(session, meant, order_id, line) if line else None,
    }
    payload = session.api.mutate(
        "mutation ($input: OrderShipInput!) { orderShip(input: $input)"
        f" {{ shipment {{ {SHIPMENT_SELECTION} }} order {{ {LIST_SELECTION} }}"
        " userErrors { code message path } } }",
        {"input": {key: value for key, value in given.items() if value is not None}},
    )
    session.out.answer(payload["shipment"])
    session.out.say(
        f"Order {meant.number} of {meant.channel.name}: {shipped(payload['order']['lines'])}"
        " shipped. The channel is told by the next sync of its orders."
    )
    shipments(session, [payload["shipment"]])


def void(
    session: Session,
    *,
    shipment: Annotated[
        str, typer.Argument(metavar="SHIPMENT", help="Id, as `orders show` shows it.")
    ],
) -> None:
    """Take a shipment back that has not reached the channel yet."""
    payload = session.api.mutate(
        "mutation ($input: ShipmentVoidInput!) { shipmentVoid(input: $input)"
        f" {{ shipment {{ {SHIPMENT_SELECTION} }} userErrors {{ code message path }} }} }}",
        {"input": {"shipment": shipment}},
    )
    session.out.answer(payload["shipment"])
    session.out.say("It counts for nothing any more; its units are to be shipped again.")
    shipments(session, [payload["shipment"]])


def _decide(
    session: Session, mutation: str, kind: str, number: str, name: str | None, given: Json
) -> None:
    meant, order_id = imported_order(session, number, name)
    payload = session.api.mutate(
        f"mutation ($input: {kind}!) {{ {mutation}(input: $input)"
        f" {{ order {{ number {LIST_SELECTION} }} userErrors {{ code message path }} }} }}",
        {"input": {"order": order_id, **given}},
    )
    order = payload["order"]
    session.out.answer(order)
    state = f"on hold: {order['hold']['message']}" if order["hold"] else "not on hold"
    session.out.say(
        f"Order {meant.number} of {meant.channel.name} is {order['status']}, {state}; "
        f"{shipped(order['lines'])} shipped."
    )


def _parts(
    session: Session, meant: OrderRef, order_id: str, said: Sequence[str]
) -> list[dict[str, Json]]:
    """`SKU=UNITS` as units of lines; several lines of one SKU are filled in their order."""
    lines = session.api.query(_LINES, {"id": order_id})["order"]["lines"]
    wanted: dict[str, int] = {}
    for part in said:
        label, units = _split(session, part)
        fitting = [line for line in lines if label in (line["sku"], line["id"], line["remoteId"])]
        if not fitting:
            known = ", ".join(line["sku"] or f"{line['title']} ({line['id']})" for line in lines)
            raise session.fail(
                f"Order {meant.number} has no line {label}; it has: {known}.", code="NOT_FOUND"
            )
        for line in fitting:
            rest = max(0, line["remaining"] - wanted.get(line["id"], 0))
            taken = rest if units is None else min(rest, units)
            if line is fitting[-1] and units is not None:
                taken = units  # too many: the API says how many there are
            if taken or (units == 0 and line is fitting[-1]):
                wanted[line["id"]] = wanted.get(line["id"], 0) + taken
            units = None if units is None else units - taken
    return [{"line": line, "quantity": quantity} for line, quantity in wanted.items()]


def _split(session: Session, part: str) -> tuple[str, int | None]:
    label, separator, number = part.rpartition("=")
    if not separator:
        return part, None
    if not number.isdecimal():
        raise session.fail(
            f"{part}: take SKU=UNITS with a whole number, or SKU for all that remains of it.",
            code="USAGE",
            exit_code=Exit.USAGE,
        )
    return label, int(number)

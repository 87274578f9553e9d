"""What the rules say of one order, in sentences: filters, address, SKUs, mapping, shipments.

Pure words over values: reads nothing, decides nothing, and repeats no personal data. The decision
itself is the planner's.
"""

from collections.abc import Iterator, Mapping, Sequence

from reconcile.core.order_filters import (
    STATUS,
    is_too_old,
    mapping_of,
    shipping_texts,
    takes_canceled,
)
from reconcile.core.order_types import (
    OrderContext,
    SeenOrder,
    ShipmentField,
    ShipmentOrigin,
    ShipmentState,
)
from reconcile.core.remote_order_types import (
    Impediment,
    OrderStage,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.shipped import ships
from reconcile.core.wording import in_units, in_utc
from reconcile.store.orders import OrderLineRow, OrderRow
from reconcile.store.shipments import ShipmentRow

_EMPTY = "EMPTY"
"""Cause of what is missing because the channel has none; most orders lack something so."""


def import_steps(seen: SeenOrder, context: OrderContext) -> Iterator[str]:
    """Rule by rule, whether an order that is not imported may be."""
    remote = seen.remote
    if seen.unreadable:
        yield f"Its data could not be understood: {seen.unreadable}."
        return
    if seen.gone is not None:
        yield f"It is not on the channel any more ({seen.gone})."
    for impediment in remote.impediments:
        yield _impediment(impediment)
    yield from _facets(remote, context)
    yield _window(seen, context)
    if remote.currency and context.currency and remote.currency != context.currency:
        yield (
            f"Its currency is {remote.currency}, the channel's {context.currency}: it keeps its "
            "own, nothing is converted."
        )
    if not ships(remote):
        yield "Nothing of it is shipped, so it needs neither an address nor a shipping policy."
        return
    yield _address(seen)
    for position, line in enumerate(remote.lines, start=1):
        yield _line(position, line, seen.skus)
    for text in shipping_texts(remote):
        yield _shipping(text, seen.policies)


def _impediment(impediment: Impediment) -> str:
    return f"The channel says: {impediment.message.rstrip('.')} ({impediment.code})."


def _facets(remote: RemoteOrder, context: OrderContext) -> Iterator[str]:
    for facet in context.facets:
        accepted = context.filter.accepted.get(facet.name)
        values = ", ".join(remote.facets.get(facet.name, ())) or "nothing"
        title = facet.title[:1].upper() + facet.title[1:]
        is_canceled = facet.name == STATUS and remote.stage is OrderStage.CANCELED
        if is_canceled and not takes_canceled(context.filter):
            yield (
                f"{title}: {values}; canceled orders are left out unless their status is selected "
                "by name. Change the filter of GET_ORDERS to import it."
            )
        elif not accepted:
            yield f"{title}: {values}; every one is imported."
        elif accepted.isdisjoint(remote.facets.get(facet.name, ())):
            yield (
                f"{title}: {values}; imported are {', '.join(sorted(accepted))}, so it is left "
                "out. Change the filter of GET_ORDERS to import it."
            )
        else:
            yield f"{title}: {values}; it is among what is imported."


def _window(seen: SeenOrder, context: OrderContext) -> str:
    created, first = seen.remote.created_at, seen.first_seen_at
    said = f"Ordered {in_utc(created)}, first seen {in_utc(first)}"
    days = context.filter.days
    if days is None:
        return f"{said}; an order of any age is imported."
    if is_too_old(seen, days):
        return (
            f"{said}: more than {days} days after it was ordered, so it is too old. Let GET_ORDERS "
            "look further back (days) to import it."
        )
    return f"{said}, within {days} days."


def _address(seen: SeenOrder) -> str:
    if seen.is_erased:
        return "Its personal data was erased, so the shipping address is not looked at."
    if seen.remote.ship_to is None:
        return "It has no shipping address. Add one on the channel."
    return "It has a shipping address."


def _line(position: int, line: RemoteOrderLine, skus: Mapping[str, str]) -> str:
    name = f"Line {position}, {line.title}: {in_units(line.quantity)}"
    if line.is_digital:
        return f"{name}, digital."
    ours = skus.get(line.id)
    if ours is not None:
        theirs = "" if line.sku in (None, "", ours) else f", {line.sku} there"
        return f"{name}, SKU {ours}{theirs}, of a listing of ours."
    if line.sku:
        return f"{name}, SKU {line.sku}; no listing of ours has it, so the line stays unlinked."
    return f"{name}, without a SKU. Give its product one on the channel, or link the listing."


def _shipping(text: ShippingText, policies: Mapping[str, str]) -> str:
    keys = text.keys or ("",)
    called = f" ({text.title})" if text.title and text.title not in keys else ""
    named = " or ".join(key or "the empty text" for key in keys)
    found = mapping_of(text, policies)
    if found is not None:
        chosen = found[0] or "the empty text"
        return f"Shipping text {named}{called}: mapped, {chosen} is shipped by {found[1]}."
    return (
        f"Shipping text {named}{called}: not mapped. Set a shipping mapping for it, and the order "
        "imports by itself."
    )


# --- after the import -----------------------------------------------------------------------


def order_steps(order: OrderRow, lines: Sequence[OrderLineRow]) -> Iterator[str]:
    """Where an imported order stands, and what of it was brought over."""
    yield f"Imported {in_utc(order.imported_at)}."
    if order.shipping_policy is not None:
        text = order.shipping_key or "the empty text"
        yield f"Shipped by {order.shipping_policy}, the mapping of {text}."
    for line in lines:
        yield _our_line(line)
    yield from _missing(order)
    if order.hold is not None:
        who = order.hold.by or "the rules"
        since = "" if order.hold.since is None else f" since {in_utc(order.hold.since)}"
        yield (
            f"On hold by {who}{since}: {order.hold.message.rstrip('.')}. Nothing more of it leaves "
            "until it is released."
        )
    if order.canceled_at is not None:
        yield f"Canceled {in_utc(order.canceled_at)}: nothing more of it leaves."
    if order.closed_at is not None:
        yield f"Closed here {in_utc(order.closed_at)} by {order.closed_by or 'somebody'}."
    if order.closed_there_at is not None:
        yield f"Closed on the channel by us {in_utc(order.closed_there_at)}."
    if order.acknowledged_at is not None:
        yield f"Acknowledged on the channel {in_utc(order.acknowledged_at)}."


def _missing(order: OrderRow) -> Iterator[str]:
    for missing in order.missing:
        if missing.cause != _EMPTY:
            yield f"Missing: {missing.message.rstrip('.')}."
    empty = [item.field.replace("_", " ") for item in order.missing if item.cause == _EMPTY]
    if empty:
        yield f"Empty on the channel: {', '.join(empty)}."


def _our_line(line: OrderLineRow) -> str:
    said = f"{line.title} ({line.sku or 'no SKU'}): {in_units(line.quantity)} ordered"
    if line.canceled:
        said += f", {line.canceled} canceled"
    if line.is_digital:
        return f"{said}, digital."
    linked = "" if line.is_linked else "; no listing of ours"
    return f"{said}, {line.shipped} shipped, {line.remaining} left to ship{linked}."


def shipment_step(shipment: ShipmentRow, now: str | None) -> str:
    """How one shipment stands; `now` is what the planner says of it."""
    number = in_units(sum(line.quantity for line in shipment.lines))
    tracking = shipment.tracking_number or "no tracking number"
    said = f"Shipment {shipment.id} ({number}, {tracking}, {in_utc(shipment.shipped_at)})"
    match shipment.state:
        case ShipmentState.VOID:
            return f"{said}: taken back."
        case ShipmentState.PUSHED if shipment.origin is ShipmentOrigin.CHANNEL:
            return f"{said}: made on the channel itself; it counts as shipped."
        case ShipmentState.PUSHED:
            when = "" if shipment.pushed_at is None else f" since {in_utc(shipment.pushed_at)}"
            return f"{said}: on the channel{when}."
        case ShipmentState.RECORDED:
            why = now or shipment.message or "It is sent with the next run of SYNC_ORDERS."
            return f"{said}: not on the channel yet. {why.rstrip('.')}."


def disabled_step(disabled: Sequence[ShipmentField]) -> str:
    """What the template of SYNC_ORDERS keeps from the channel (T4); empty where it is nothing."""
    if not disabled:
        return ""
    names = ", ".join(field.value.replace("_", " ") for field in disabled)
    return f"Not sent with shipments: {names}; the mapping template of SYNC_ORDERS has it off."

"""Whether an order that was seen is imported: filters first, then what it lacks, then mappings.

Pure. The rules stand in one order, and the first that speaks decides; nothing here looks at an
order that is imported already.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from reconcile.core.order_codes import OrderCode
from reconcile.core.order_types import (
    OrderContext,
    OrderDecision,
    OrderFacet,
    OrderFilter,
    OurOrderField,
    SeenOrder,
)
from reconcile.core.remote_order_types import (
    OrderStage,
    OrderVerdict,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.shipped import ships
from reconcile.core.types import Value

STATUS = "status"
"""The facet that has to select canceled orders in so many words."""
_GONE: Mapping[str, str] = {"Deleted": OrderCode.DELETED_THERE.value}
_SHOWN = 5


def judge(seen: SeenOrder, context: OrderContext) -> OrderDecision:
    """What becomes of an order that is not imported: exactly one verdict, always with a reason."""
    if seen.unreadable:
        message = f"The order could not be understood: {seen.unreadable}"
        return OrderDecision(OrderVerdict.UNSAVABLE, OrderCode.NOT_UNDERSTOOD.value, message)
    found = next(_objections(seen, context), None)
    if found is not None:
        return found
    return _imported(seen, context)


def shipping_policy(remote: RemoteOrder, policies: Mapping[str, str]) -> tuple[str, str] | None:
    """The key whose mapping holds and our policy; None where one is missing or nothing ships.

    Of an order with several shipping methods all have to be mapped; the first one counts.
    """
    if not ships(remote):
        return None
    found = [mapping_of(text, policies) for text in shipping_texts(remote)]
    return None if None in found else found[0]


def shipping_texts(remote: RemoteOrder) -> tuple[ShippingText, ...]:
    """What of an order is looked up in the mappings; the empty text where it names no method."""
    return remote.shipping or (ShippingText(("",)),)


def mapping_of(text: ShippingText, policies: Mapping[str, str]) -> tuple[str, str] | None:
    """The first key of a text that is mapped, with our policy."""
    return next(
        ((key, policies[key]) for key in text.keys or ("",) if policies.get(key)),
        None,
    )


def is_too_old(seen: SeenOrder, days: int | None) -> bool:
    """Whether an order was created more than so many days before it was first seen."""
    return days is not None and seen.remote.created_at < seen.first_seen_at - timedelta(days=days)


def takes_canceled(accepted: OrderFilter) -> bool:
    """Whether canceled orders are imported: only where their status is selected by name."""
    return bool(accepted.accepted.get(STATUS))


def facts(seen: SeenOrder) -> dict[str, Value]:
    """What every decision about an order was made from; no personal data."""
    remote = seen.remote
    return {
        "number": remote.number,
        "stage": remote.stage.value,
        "status": remote.status,
        "payment": remote.payment.value,
        "total": remote.total,
        "currency": remote.currency,
        "ordered_at": remote.created_at.isoformat(),
        "first_seen_at": seen.first_seen_at.isoformat(),
    }


def _objections(seen: SeenOrder, context: OrderContext) -> Iterator[OrderDecision]:
    remote, channel = seen.remote, context.channel_title
    if seen.gone is not None:
        code = _GONE.get(seen.gone, seen.gone)
        where = "in the trash" if seen.gone == OrderCode.IN_TRASH else "not there any more"
        message = f"The order is {where} on {channel}; a read by id said so. Nothing is imported."
        yield _decided(seen, OrderVerdict.SKIPPED, code, message)
    if remote.stage is OrderStage.DRAFT:
        message = (
            f"The checkout is not finished on {channel} ({remote.status}). It is decided again "
            "when the customer finishes it."
        )
        yield _decided(seen, OrderVerdict.SKIPPED, OrderCode.INCOMPLETE_CHECKOUT, message)
    yield from _impeded(seen, OrderVerdict.SKIPPED)
    yield from _filtered(seen, context)
    yield from _impeded(seen, OrderVerdict.UNSAVABLE)
    if ships(remote):
        yield from _lacking(seen)
    yield from _impeded(seen, OrderVerdict.HELD)
    if ships(remote):
        yield from _unmapped(seen, context)


def _filtered(seen: SeenOrder, context: OrderContext) -> Iterator[OrderDecision]:
    remote = seen.remote
    for facet in context.facets:
        accepted = context.filter.accepted.get(facet.name, frozenset())
        values = remote.facets.get(facet.name, ())
        if accepted and accepted.isdisjoint(values):
            yield _left_out(seen, facet, accepted)
    if remote.stage is OrderStage.CANCELED and not takes_canceled(context.filter):
        status = next((item for item in context.facets if item.name == STATUS), None)
        message = (
            f"The order is canceled on {context.channel_title}. Canceled orders are imported only "
            "where the filter of GET_ORDERS selects their status by name."
        )
        code = OrderCode.CANCELED_THERE.value if status is None else status.code
        yield _decided(seen, OrderVerdict.SKIPPED, code, message)
    yield from _too_old(seen, context)


def _left_out(seen: SeenOrder, facet: OrderFacet, accepted: frozenset[str]) -> OrderDecision:
    values = sorted(seen.remote.facets.get(facet.name, ()))
    is_ = f"The order is {', '.join(values)}" if values else f"The order has no {facet.title}"
    listed = ", ".join(sorted(accepted))
    message = (
        f"{is_}; imported are {listed}. Change the filter of GET_ORDERS ({facet.title}) to import "
        "it, or wait until the order changes there."
    )
    inputs: dict[str, Value] = {
        "facet": facet.name,
        "values": [*values],
        "accepted": [*sorted(accepted)],
    }
    return _decided(seen, OrderVerdict.SKIPPED, facet.code, message, inputs)


def _too_old(seen: SeenOrder, context: OrderContext) -> Iterator[OrderDecision]:
    days = context.filter.days
    if not is_too_old(seen, days):
        return
    message = (
        f"The order was created on {_day(seen.remote.created_at)} and first seen on "
        f"{_day(seen.first_seen_at)}; imported are orders that are at most {days} days old when "
        "they are first seen. Raise the days of GET_ORDERS to import it."
    )
    yield _decided(seen, OrderVerdict.SKIPPED, OrderCode.TOO_OLD, message, {"days": days})


def _lacking(seen: SeenOrder) -> Iterator[OrderDecision]:
    remote = seen.remote
    if remote.ship_to is None and not seen.is_erased:
        withheld = remote.withheld.get(OurOrderField.SHIPPING_ADDRESS.value)
        message = (
            "The order has something to ship and no address to ship it to. Complete the address "
            "there; the order is judged again when it changes."
        )
        if withheld is not None:
            message = f"The order's address is not shown to us: {withheld}"
        yield _decided(seen, OrderVerdict.UNSAVABLE, OrderCode.MISSING_ADDRESS, message)
    without = [
        (position, line)
        for position, line in enumerate(remote.lines, start=1)
        if not line.is_digital and line.quantity > line.canceled and not _has_sku(seen, line)
    ]
    if not without:
        return
    named = [f"line {number} ({line.title or line.id})" for number, line in without[:_SHOWN]]
    if len(without) > _SHOWN:
        named.append(f"{len(without) - _SHOWN} more")
    message = (
        f"No SKU: {', '.join(named)}. Give the product a SKU there, or link it to a listing; the "
        "order is judged again after that."
    )
    yield _decided(
        seen,
        OrderVerdict.UNSAVABLE,
        OrderCode.MISSING_SKU,
        message,
        {"lines": [line.id for _, line in without]},
    )


def _unmapped(seen: SeenOrder, context: OrderContext) -> Iterator[OrderDecision]:
    for text in shipping_texts(seen.remote):
        if mapping_of(text, seen.policies) is not None:
            continue
        shown = " or ".join(f'"{key}"' if key else "the empty text" for key in text.keys)
        title = f' ("{text.title}")' if text.title and text.title not in text.keys else ""
        message = (
            f"The shipping method {shown}{title} of {context.channel_title} has no shipping policy "
            "of ours. Map it with `mappings set`, and the order is imported by itself."
        )
        inputs: dict[str, Value] = {"texts": [*text.keys], "title": text.title}
        yield _decided(seen, OrderVerdict.HELD, OrderCode.UNMAPPED_SHIPPING, message, inputs)


def _impeded(seen: SeenOrder, verdict: OrderVerdict) -> Iterator[OrderDecision]:
    # In one order, so that the same impediments always give the same reason.
    for item in sorted(seen.remote.impediments, key=lambda item: (item.code, item.message)):
        if item.verdict is verdict:
            yield _decided(seen, verdict, item.code, item.message or item.code)


def _imported(seen: SeenOrder, context: OrderContext) -> OrderDecision:
    remote = seen.remote
    mapped = shipping_policy(remote, seen.policies)
    inputs: dict[str, Value] = {}
    if mapped is None:
        message = f"Order {remote.number} is imported; nothing of it is to be shipped."
    else:
        inputs = {"shipping_text": mapped[0], "shipping_policy": mapped[1]}
        message = f"Order {remote.number} is imported, to be shipped with {mapped[1]}."
    if context.currency and remote.currency != context.currency:
        inputs["channel_currency"] = context.currency
        message += (
            f" It is in {remote.currency}, the channel sells in {context.currency}; nothing is "
            "ever converted."
        )
    return _decided(seen, OrderVerdict.IMPORTED, OrderCode.NEW_ORDER, message, inputs)


def _decided(
    seen: SeenOrder,
    verdict: OrderVerdict,
    code: str,
    message: str,
    inputs: Mapping[str, Value] | None = None,
) -> OrderDecision:
    return OrderDecision(verdict, str(code), message, {**facts(seen), **(inputs or {})})


def _has_sku(seen: SeenOrder, line: RemoteOrderLine) -> bool:
    return bool((seen.skus.get(line.id) or line.sku or "").strip())


def _day(at: datetime) -> str:
    return at.date().isoformat()

"""Orders as WooCommerce shows them → `RemoteOrder`; pure.

What the store does not say is not guessed: it has no weights on lines, does not say which line is
digital, and says nothing of what was shipped unless a plugin keeps it with the order.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from adapters.woocommerce import order_wire as wire
from reconcile.core.remote_order_types import (
    Address,
    OrderStage,
    PaymentStatus,
    RemoteFulfillment,
    RemoteOrder,
    RemoteOrderLine,
    ShippingText,
)
from reconcile.core.types import RemoteRef

DRAFTS = frozenset({"checkout-draft", "auto-draft"})
"""A checkout that is not finished, and a page of the admin that was opened and never saved."""
COMPLETED = "completed"
ENDED = frozenset({"cancelled", "refunded", "failed", "trash"})

_OF_SHOPPERS = frozenset({"checkout", "store-api"})
"""Ways in which a checkout itself makes orders: it asks for an address where one is needed."""
_FINEST = Decimal("0.000001")


def stage(status: str) -> OrderStage:
    """What a status means; those that plugins add are open."""
    if status in DRAFTS:
        return OrderStage.DRAFT
    if status == COMPLETED:
        return OrderStage.COMPLETED
    return OrderStage.CANCELED if status in ENDED else OrderStage.OPEN


def needs_refunds(order: wire.Order) -> bool:
    """Whether units of its lines may have been refunded while the rest is to be shipped."""
    return order.has_refunds and stage(order.status) in (OrderStage.OPEN, OrderStage.COMPLETED)


def remote_order(order: wire.Order, refunds: Sequence[wire.RefundLine] = ()) -> RemoteOrder:
    """The order as it is kept; of an unfinished checkout nothing that is personal."""
    status, at = order.status, stage(order.status)
    is_draft = at is OrderStage.DRAFT
    is_digital = _is_digital(order)
    canceled = _canceled(order.lines, refunds)
    return RemoteOrder(
        id=str(order.id),
        number=order.number,
        stage=at,
        status=status,
        currency=order.currency,
        total=format(order.total, "f"),
        created_at=order.created_at,
        modified_at=order.modified_at,
        ended_at=_ended_at(order),
        payment=_payment(order),
        lines=tuple(
            _line(line, canceled.get(line.id, 0), is_digital=is_digital, is_bare=is_draft)
            for line in order.lines
        ),
        shipping=tuple(_shipping_text(line) for line in order.shipping_lines),
        fulfillments=tuple(_fulfillment(item) for item in order.trackings),
        email="" if is_draft else order.billing.get("email", ""),
        billing=None if is_draft else _address(order.billing),
        ship_to=None if is_draft or is_digital else _ship_to(order),
        note="" if is_draft else wire.plain(order.customer_note),
        custom={} if is_draft else order.meta,
        is_digital=is_digital,
        facets={"status": (status,)},
    )


def _is_digital(order: wire.Order) -> bool:
    """Whether nothing of the order is shipped.

    The store says so where all products are virtual downloads, and can be believed while they
    exist: it skips those that do not. Otherwise a checkout adds no method and leaves the shipping
    address empty where the cart needs no shipping. An order typed in by hand may lack both and be
    goods all the same.
    """
    if order.shipping_lines:
        return False
    if order.lines and not order.needs_processing and all(line.has_product for line in order.lines):
        return True
    return order.created_via in _OF_SHOPPERS and _address(order.shipping) is None


def _payment(order: wire.Order) -> PaymentStatus:
    if order.status == "refunded" or 0 < order.total <= order.refunded:
        return PaymentStatus.REFUNDED
    if order.refunded:
        return PaymentStatus.PARTIALLY_REFUNDED
    if order.status == "pending" or order.paid_at is None:
        return PaymentStatus.UNPAID
    return PaymentStatus.PAID


def _ended_at(order: wire.Order) -> datetime | None:
    match stage(order.status):
        case OrderStage.COMPLETED:
            return order.completed_at or order.modified_at
        case OrderStage.CANCELED:
            return order.modified_at
        case _:
            return None


def _line(line: wire.Line, canceled: int, *, is_digital: bool, is_bare: bool) -> RemoteOrderLine:
    units = _whole(line.quantity)
    custom = {} if is_bare else dict(line.meta)
    if units != line.quantity and not is_bare:
        custom["Exact quantity"] = format(line.quantity, "f")
    ref = None
    if line.product_id > 0:
        ref = RemoteRef(str(line.product_id), str(line.variation_id) if line.variation_id else None)
    return RemoteOrderLine(
        id=str(line.id),
        sku=line.sku or None,
        title=line.name,
        quantity=units,
        canceled=min(canceled, units),
        ref=ref,
        unit_price=_each(line.total, line.quantity),
        total=format(line.total, "f"),
        custom=custom,
        is_digital=is_digital,
    )


def _whole(quantity: Decimal) -> int:
    """Units that leave: plugins sell parts of one, and a part takes a unit off the shelf."""
    return int(quantity.to_integral_value(ROUND_CEILING))


def _each(total: Decimal, quantity: Decimal) -> str | None:
    """What one costs: the store's own `price` is a float, this is exact to six decimals."""
    if not quantity:
        return None
    price = (total / quantity).quantize(_FINEST, ROUND_HALF_EVEN).normalize()
    exponent = price.as_tuple().exponent
    shown = total.as_tuple().exponent
    if isinstance(exponent, int) and isinstance(shown, int) and exponent > shown:
        price = price.quantize(Decimal(1).scaleb(shown))
    return format(price, "f")


def _canceled(lines: Sequence[wire.Line], refunds: Sequence[wire.RefundLine]) -> Mapping[int, int]:
    """Line id → units refunded; a refund that names no line counts where its product is once."""
    found: dict[int, Decimal] = {}
    for refund in refunds:
        line_id = refund.line_id
        if not line_id:
            place = (refund.product_id, refund.variation_id)
            fitting = [line.id for line in lines if (line.product_id, line.variation_id) == place]
            line_id = fitting[0] if len(fitting) == 1 and refund.product_id else 0
        found[line_id] = found.get(line_id, Decimal(0)) + refund.quantity
    # A part of a unit that was refunded does not keep the rest from being shipped.
    return {line_id: int(units) for line_id, units in found.items()}


def _shipping_text(line: wire.ShippingLine) -> ShippingText:
    """Method and instance, then the method; some plugins write both into the method's id."""
    method, instance = line.method_id, line.instance_id
    if instance and method.endswith(f":{instance}"):
        method = method.removesuffix(f":{instance}")
    keys = (f"{method}:{instance}", method) if instance else (method,)
    if not instance and ":" in method:
        keys = (method, method.partition(":")[0])
    return ShippingText(tuple(dict.fromkeys(keys)), line.title)


def _fulfillment(item: wire.Tracking) -> RemoteFulfillment:
    return RemoteFulfillment(
        id=f"tracking:{item.id}",
        tracking_number=item.number,
        carrier=item.provider,
        tracking_url=item.link,
        shipped_at=item.shipped_at,
    )


def _ship_to(order: wire.Order) -> Address | None:
    """The shipping address; stores that ship to the billing address leave it empty."""
    return _address(order.shipping) or _address(order.billing)


def _address(kept: Mapping[str, str]) -> Address | None:
    """An address that names a place; a name or a default country alone is none."""
    said = {name: kept.get(name, "") for name in wire.ADDRESS_FIELDS}
    if not any(said[name] for name in ("address_1", "address_2", "city", "postcode")):
        return None
    return Address(
        first_name=said["first_name"],
        last_name=said["last_name"],
        company=said["company"],
        line1=said["address_1"],
        line2=said["address_2"],
        city=said["city"],
        region=said["state"],
        postal_code=said["postcode"],
        country=said["country"],
        phone=said["phone"],
    )

"""WooCommerce's JSON of orders, refunds and notes as typed values; pure.

A row that lacks what an order cannot be without raises `ShapeError`, whose text names the field and
repeats no value: orders are full of personal data. What a value means to us is `order_mapping`'s.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from adapters.http import Json
from adapters.redaction import clean_text
from adapters.woocommerce.wire import Row, ShapeError, integer, moment, row_of, rows, text

ADDRESS_FIELDS = (
    "first_name",
    "last_name",
    "company",
    "address_1",
    "address_2",
    "city",
    "state",
    "postcode",
    "country",
    "phone",
)

_MOST_UNITS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order that is of a product; fees and coupons are no lines."""

    id: int
    name: str
    product_id: int
    variation_id: int
    sku: str
    quantity: Decimal
    total: Decimal
    meta: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the store shows beside the line: personalization, options chosen."""

    has_product: bool = True
    """Whether the product is on the store still; the line of one that was deleted keeps its id."""


@dataclass(frozen=True, slots=True)
class ShippingLine:
    """A shipping method of an order."""

    method_id: str
    instance_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Tracking:
    """A row of the Shipment Tracking plugin, as its route or the order's metadata shows it."""

    id: str
    number: str
    provider: str
    link: str
    shipped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as lists and single reads show it."""

    id: int
    number: str
    status: str
    currency: str
    total: Decimal
    created_at: datetime
    modified_at: datetime | None
    paid_at: datetime | None
    completed_at: datetime | None
    created_via: str
    needs_processing: bool
    lines: tuple[Line, ...]
    shipping_lines: tuple[ShippingLine, ...]
    refunded: Decimal
    """Sum of what was given back."""
    has_refunds: bool
    billing: Mapping[str, str] = field(repr=False)
    shipping: Mapping[str, str] = field(repr=False)
    customer_note: str = field(repr=False)
    meta: Mapping[str, str] = field(repr=False)
    trackings: tuple[Tracking, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Units that a refund takes off an order."""

    line_id: int
    """Of the order; 0 where the refund does not say."""
    product_id: int
    variation_id: int
    quantity: Decimal
    """Positive."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note of an order."""

    id: int
    text: str


def order(value: Json) -> Order:
    """Read an order row."""
    row = row_of(value, "order")
    refunds = _all(row, "refunds")
    created = moment(row, "date_created_gmt")
    if created is None:
        raise ShapeError("date_created_gmt is missing or no date")
    return Order(
        id=integer(row, "id"),
        number=text(row, "number").strip() or str(integer(row, "id")),
        status=_required(row, "status").removeprefix("wc-"),
        currency=_required(row, "currency"),
        total=amount(row, "total"),
        created_at=created,
        modified_at=moment(row, "date_modified_gmt"),
        paid_at=moment(row, "date_paid_gmt"),
        completed_at=moment(row, "date_completed_gmt"),
        created_via=text(row, "created_via"),
        # Versions before 6.0 do not say; then nothing is concluded from it.
        needs_processing=row.get("needs_processing") is not False,
        lines=_lines(row),
        shipping_lines=tuple(_shipping_line(item) for item in _all(row, "shipping_lines")),
        refunded=sum((abs(amount(item, "total", "refunds.total")) for item in refunds), Decimal(0)),
        has_refunds=bool(refunds),
        billing=_address(row, "billing"),
        shipping=_address(row, "shipping"),
        customer_note=text(row, "customer_note"),
        meta=_meta(row),
        trackings=_trackings(row),
    )


def refund_lines(value: Json) -> tuple[RefundLine, ...]:
    """What a list of refunds takes off the lines of its order."""
    if not isinstance(value, list):
        raise ShapeError("refunds is not a list")
    return tuple(
        RefundLine(
            line_id=_refunded_line(item),
            product_id=_id(item, "product_id"),
            variation_id=_id(item, "variation_id"),
            quantity=abs(_number(item, "quantity", "refunds.line_items.quantity")),
        )
        for refund in value
        if isinstance(refund, dict)
        for item in rows(refund, "line_items")
    )


def notes(value: Json) -> tuple[Note, ...]:
    """The notes of an order."""
    if not isinstance(value, list):
        raise ShapeError("notes is not a list")
    return tuple(map(note, value))


def note(value: Json) -> Note:
    """Read a note."""
    row = row_of(value, "note")
    return Note(integer(row, "id"), text(row, "note"))


def tracking(row: Row) -> Tracking:
    """A row of the plugin's own route."""
    provider = text(row, "tracking_provider") or text(row, "custom_tracking_provider")
    link = text(row, "tracking_link") or text(row, "custom_tracking_link")
    return Tracking(
        id=text(row, "tracking_id"),
        number=text(row, "tracking_number").strip(),
        provider=provider,
        link=link,
        shipped_at=_shipped_at(text(row, "date_shipped")),
    )


def plain(value: str) -> str:
    """Text that the store keeps as HTML, as people read it."""
    # Twice: names are escaped when stored, and some themes and plugins escape them again.
    return clean_text(html.unescape(html.unescape(value)))


def amount(row: Row, name: str, shown: str = "") -> Decimal:
    """An amount, which is a text in answers of the API and may be a number where plugins write."""
    return _number(row, name, shown or name)


def _number(row: Row, name: str, shown: str) -> Decimal:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ShapeError(f"{shown} is not a number")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ShapeError(f"{shown} is not a number") from None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 15:
        raise ShapeError(f"{shown} is not a number that makes sense")
    return number


def _lines(row: Row) -> tuple[Line, ...]:
    if row.get("line_items") is None:
        raise ShapeError("line_items is missing")
    return tuple(_line(item) for item in _all(row, "line_items"))


def _all(row: Row, name: str) -> list[Row]:
    """The rows of a list, none of them left out; an order without one of its lines is another."""
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ShapeError(f"{name} is not a list")
    return [row_of(item, f"a row of {name}") for item in value]


def _line(row: Row) -> Line:
    quantity = _number(row, "quantity", "line_items.quantity")
    if not 0 <= quantity <= _MOST_UNITS:
        raise ShapeError("line_items.quantity is negative or makes no sense")
    try:
        line_id = integer(row, "id")
    except ShapeError:
        raise ShapeError("line_items.id is not a number") from None
    return Line(
        id=line_id,
        name=plain(text(row, "name")),
        product_id=_id(row, "product_id"),
        variation_id=_id(row, "variation_id"),
        sku=text(row, "sku").strip(),
        quantity=quantity,
        total=amount(row, "total", "line_items.total"),
        meta=_meta(row),
        # A product without a SKU shows an empty text.
        has_product=_id(row, "product_id") > 0 and row.get("sku") is not None,
    )


def _shipping_line(row: Row) -> ShippingLine:
    return ShippingLine(
        method_id=text(row, "method_id").strip(),
        instance_id=text(row, "instance_id").strip(),
        title=plain(text(row, "method_title")),
    )


def _address(row: Row, name: str) -> Mapping[str, str]:
    value = row.get(name)
    # An empty address is `[]` in PHP's JSON where a plugin has emptied it.
    if not isinstance(value, dict):
        return {}
    names = (*ADDRESS_FIELDS, "email")
    return {part: plain(text(value, part)) for part in names if part in value}


def _meta(row: Row) -> Mapping[str, str]:
    """What is meant for people; keys that begin with an underscore are the store's own."""
    found: dict[str, str] = {}
    for item in rows(row, "meta_data"):
        key = item.get("key")
        if not isinstance(key, str) or not key or key.startswith("_"):
            continue
        label, value = item.get("display_key"), item.get("display_value", item.get("value"))
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue  # structures are a plugin's bookkeeping
        name = (plain(label) if isinstance(label, str) else "") or key
        said = plain(str(value))
        found[name] = f"{found[name]}; {said}" if name in found else said
    return found


def _trackings(row: Row) -> tuple[Tracking, ...]:
    """Rows of the Shipment Tracking plugin, which it keeps in the order's metadata."""
    for item in rows(row, "meta_data"):
        if item.get("key") == "_wc_shipment_tracking_items":
            kept = item.get("value")
            # A list of PHP's from which a row was removed is an object in JSON.
            entries = [*kept.values()] if isinstance(kept, dict) else kept
            found = (tracking(entry) for entry in rows({"value": entries}, "value"))
            return tuple(entry for entry in found if entry.id and entry.number)
    return ()


def _refunded_line(row: Row) -> int:
    for item in rows(row, "meta_data"):
        value = item.get("value")
        if item.get("key") == "_refunded_item_id" and str(value).isdigit():
            return int(str(value))
    return 0


def _shipped_at(value: str) -> datetime | None:
    """A day, or seconds since 1970: the plugin's route shows the one, its metadata the other."""
    try:
        if value.isdigit() and len(value) > len("20261121"):
            return datetime.fromtimestamp(int(value), UTC)
        return datetime.fromisoformat(value).replace(tzinfo=UTC) if value else None
    except (ValueError, OverflowError, OSError):
        return None


def _required(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise ShapeError(f"{name} is missing")
    return value


def _id(row: Row, name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0

"""Values that imported and seen orders carry: addresses, custom fields, shipping texts.

Here personal data passes; it goes into answers and never into a message.
"""

from collections.abc import Mapping
from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from api.scalars import as_json
from reconcile.core.remote_order_types import Address as AddressValue
from reconcile.core.remote_order_types import RemoteFulfillment, ShippingText
from reconcile.store.orders import MissingData, OrderHold
from reconcile.store.retention import Retention as RetentionValue


@strawberry.type(description="A postal address as the channel holds it; what it lacks is empty.")
class Address:
    """Personal data; null once it was erased."""

    first_name: str
    last_name: str
    company: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str = strawberry.field(description="Two letters (ISO 3166-1) where the channel knows.")
    phone: str


def address_of(value: AddressValue | None) -> Address | None:
    """An address as the API shows it."""
    if value is None:
        return None
    return Address(
        first_name=value.first_name,
        last_name=value.last_name,
        company=value.company,
        line1=value.line1,
        line2=value.line2,
        city=value.city,
        region=value.region,
        postal_code=value.postal_code,
        country=value.country,
        phone=value.phone,
    )


def custom_fields_of(values: Mapping[str, str] | None) -> JSON:
    """Custom fields by name."""
    return as_json(values or {}) or JSON({})


@strawberry.type(description="How one shipping method of an order is called on the channel.")
class OrderShippingText:
    """What a shipping mapping is looked up with."""

    keys: list[str] = strawberry.field(description="The most specific first.")
    title: str = strawberry.field(description="As the customer saw it.")

    @classmethod
    def from_value(cls, value: ShippingText) -> "OrderShippingText":
        """The text as the API shows it."""
        return cls(keys=list(value.keys), title=value.title)


@strawberry.type(description="Units of one line in a fulfillment of the channel.")
class FulfillmentLine:
    """Their line and how many."""

    remote_line: str = strawberry.field(description="The channel's id of the line.")
    quantity: int


@strawberry.type(description="A shipment as the channel holds it, whoever made it.")
class Fulfillment:
    """Theirs; a Shipment of origin CHANNEL is made of it where it is none of ours."""

    remote_id: str
    tracking_number: str
    carrier: str
    tracking_url: str
    shipped_at: datetime | None
    lines: list[FulfillmentLine] | None = strawberry.field(
        description="Null: the channel does not say which."
    )

    @classmethod
    def from_value(cls, value: RemoteFulfillment) -> "Fulfillment":
        """The fulfillment as the API shows it."""
        lines = None
        if value.lines is not None:
            lines = [
                FulfillmentLine(remote_line=line, quantity=units)
                for line, units in value.lines.items()
            ]
        return cls(
            remote_id=value.id,
            tracking_number=value.tracking_number,
            carrier=value.carrier,
            tracking_url=value.tracking_url,
            shipped_at=value.shipped_at,
            lines=lines,
        )


@strawberry.type(description="Feature T13: what an imported order does not have, and why.")
class MissingField:
    """A field with the cause."""

    field: str
    cause: str = strawberry.field(
        description="DISABLED (in the template), EMPTY (on the channel) or WITHHELD (by it)."
    )
    message: str

    @classmethod
    def from_row(cls, row: MissingData) -> "MissingField":
        """The missing field as the API shows it."""
        return cls(field=row.field, cause=row.cause, message=row.message)


@strawberry.type(description="Why nothing more of an order leaves until a person releases it.")
class Hold:
    """A hold by a person or by the rules."""

    code: str = strawberry.field(description="CamelCase.")
    message: str
    by: str | None = strawberry.field(description="Null: the rules did.")
    since: datetime | None

    @classmethod
    def from_row(cls, row: OrderHold) -> "Hold":
        """The hold as the API shows it."""
        return cls(code=row.code, message=row.message, by=row.by, since=row.since)


@strawberry.type(description="When the personal data of an order is erased, or why it is kept.")
class Retention:
    """Feature A20."""

    erases_at: datetime | None = strawberry.field(description="Null: not as things stand.")
    erased_at: datetime | None
    message: str

    @classmethod
    def from_value(cls, value: RetentionValue) -> "Retention":
        """The retention as the API shows it."""
        return cls(erases_at=value.erases_at, erased_at=value.erased_at, message=value.message)

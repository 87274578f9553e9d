"""WooCommerce's JSON as typed values, read leniently where versions differ; pure.

A row that lacks what an adapter needs raises `ShapeError`; whoever reads a page counts it as
rejected. Must not interpret: what a value means to us is `mapping`'s business.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.http import Json

Row = Mapping[str, Json]


class ShapeError(ValueError):
    """A row is not what the API promises; the text names the field."""


@dataclass(frozen=True, slots=True)
class Term:
    """A category or brand a product is in."""

    id: int
    name: str
    slug: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the store's media library."""

    id: int
    src: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a product; `raw` is sent back unchanged when the set is merged."""

    name: str
    options: tuple[str, ...]
    is_variation: bool
    raw: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a simple product and a variation have in common: key, prices, stock, measures."""

    sku: str
    gtin: str
    regular_price: str
    sale_price: str
    manage_stock: bool | str
    """True, False, or "parent" where the product manages the stock of its variations."""
    quantity: int | None
    stock_status: str
    backorders: str
    weight: str
    dimensions: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Product:
    """A product as GET, PUT and batch answer it."""

    id: int
    name: str
    type: str
    status: str
    visibility: str
    offer: Offer
    description: str
    short_description: str
    parent_id: int
    categories: tuple[Term, ...]
    brands: tuple[Term, ...]
    images: tuple[Image, ...]
    attributes: tuple[Attribute, ...]
    variation_ids: tuple[int, ...]
    meta: Mapping[str, str]
    modified_at: datetime | None

    @property
    def is_variable(self) -> bool:
        """Whether variations are what is sold (plugins add types such as variable-subscription)."""
        return self.type.startswith("variable")


@dataclass(frozen=True, slots=True)
class Variation:
    """A variation of a variable product."""

    id: int
    status: str
    offer: Offer
    options: tuple[tuple[str, str], ...]
    image: Image | None
    meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row of a batch was refused."""

    code: str
    message: str
    status: int
    resource_id: int | None = None


def row_of(value: Json, what: str) -> Row:
    """A JSON object, or `ShapeError`."""
    if not isinstance(value, dict):
        raise ShapeError(f"{what} is not an object")
    return value


def integer(row: Row, name: str) -> int:
    """A required id."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ShapeError(f"{name} is not a number")
    return value


def text(row: Row, name: str, default: str = "") -> str:
    """A text; numbers are taken as text because batch rows are not checked by the store."""
    match row.get(name):
        case None | bool():
            return default
        case str() as value:
            return value
        case int() | float() as number:
            return str(number)
        case _:
            raise ShapeError(f"{name} is not a text")


def rows(row: Row, name: str) -> list[Row]:
    """A list of objects; what is no list counts as none."""
    value = row.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def moment(row: Row, name: str) -> datetime | None:
    """A `*_gmt` date, which is UTC without saying so; None where there is none."""
    value = row.get(name)
    if not isinstance(value, str) or not value:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return None


def offer(row: Row) -> Offer:
    """Read the part that products and variations share."""
    managed = row.get("manage_stock")
    measures = row.get("dimensions")
    sides = measures if isinstance(measures, dict) else {}
    return Offer(
        sku=text(row, "sku"),
        gtin=text(row, "global_unique_id"),
        regular_price=text(row, "regular_price"),
        sale_price=text(row, "sale_price"),
        manage_stock="parent" if managed == "parent" else managed is True,
        quantity=_quantity(row.get("stock_quantity")),
        stock_status=text(row, "stock_status", "instock"),
        backorders=text(row, "backorders", "no"),
        weight=text(row, "weight"),
        dimensions=(text(sides, "length"), text(sides, "width"), text(sides, "height")),
    )


def product(value: Json) -> Product:
    """Read a product row."""
    row = row_of(value, "product")
    return Product(
        id=integer(row, "id"),
        name=text(row, "name"),
        type=text(row, "type", "simple"),
        status=_required(row, "status"),
        visibility=text(row, "catalog_visibility", "visible"),
        offer=offer(row),
        description=text(row, "description"),
        short_description=text(row, "short_description"),
        parent_id=_id(row, "parent_id"),
        categories=_terms(row, "categories"),
        brands=_terms(row, "brands"),
        images=tuple(_image(item) for item in rows(row, "images")),
        attributes=tuple(_attribute(item) for item in rows(row, "attributes")),
        variation_ids=_ids(row.get("variations")),
        meta=_meta(row),
        modified_at=moment(row, "date_modified_gmt"),
    )


def variation(value: Json) -> Variation:
    """Read a variation row."""
    row = row_of(value, "variation")
    image = row.get("image")
    return Variation(
        id=integer(row, "id"),
        status=_required(row, "status"),
        offer=offer(row),
        options=tuple(
            (text(item, "name"), text(item, "option")) for item in rows(row, "attributes")
        ),
        image=_image(image) if isinstance(image, dict) else None,
        meta=_meta(row),
    )


def row_error(row: Row) -> RowError | None:
    """The refusal of a batch row, known by its key `error`; None for a row that went through."""
    error = row.get("error")
    if not isinstance(error, dict):
        return None
    data = error.get("data")
    details = data if isinstance(data, dict) else {}
    status = details.get("status")
    resource = details.get("resource_id")
    return RowError(
        code=text(error, "code", "unknown"),
        message=text(error, "message"),
        status=status if isinstance(status, int) else 400,
        resource_id=resource if isinstance(resource, int) and resource > 0 else None,
    )


def _required(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise ShapeError(f"{name} is missing")
    return value


def _id(row: Row, name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _ids(value: Json) -> tuple[int, ...]:
    # Variable products state ids; some plugins put whole rows there.
    if not isinstance(value, list):
        return ()
    found = (item.get("id") if isinstance(item, dict) else item for item in value)
    return tuple(item for item in found if isinstance(item, int))


def _quantity(value: Json) -> int | None:
    match value:
        case None | bool():
            return None
        case int():
            return value
        case float() if math.isfinite(value):
            return math.floor(value)  # plugins sell by weight; what is not whole cannot be sold
        case str() if value.strip():
            try:
                return math.floor(float(value))
            except (ValueError, OverflowError):
                raise ShapeError("stock_quantity is not a number") from None
        case _:
            return None


def _terms(row: Row, name: str) -> tuple[Term, ...]:
    return tuple(
        Term(integer(item, "id"), text(item, "name"), text(item, "slug"))
        for item in rows(row, name)
    )


def _image(row: Row) -> Image:
    return Image(_id(row, "id"), text(row, "src"), text(row, "name"))


def _attribute(row: Row) -> Attribute:
    options = row.get("options")
    listed = options if isinstance(options, list) else []
    return Attribute(
        name=text(row, "name"),
        options=tuple(str(option) for option in listed),
        is_variation=row.get("variation") is True,
        raw=row,
    )


def _meta(row: Row) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for item in rows(row, "meta_data"):
        key, value = item.get("key"), item.get("value")
        if isinstance(key, str) and isinstance(value, str | int) and not isinstance(value, bool):
            found[key] = str(value)
    return found

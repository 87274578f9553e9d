"""What the simulated store keeps of a product, a variation, a term and a picture: plain records.

A product and a variation are the same record, as in the platform's own database.
"""

from dataclasses import dataclass, field
from datetime import datetime

from adapters.sandbox import Json


@dataclass(slots=True)
class Attribute:
    """An attribute of a product: local (`id` 0, with words) or global (with terms)."""

    id: int
    name: str
    options: list[str] = field(default_factory=list)
    term_ids: list[int] = field(default_factory=list)
    position: int = 0
    visible: bool = False
    variation: bool = False


@dataclass(slots=True)
class Meta:
    """One custom field."""

    id: int
    key: str
    value: Json


@dataclass(slots=True)
class Item:
    """A product or a variation. Prices may hold junk that a batch let through, hence Json."""

    id: int
    type: str
    created: datetime
    modified: datetime
    parent_id: int = 0
    name: str = ""
    slug: str = ""
    status: str = "publish"
    featured: bool = False
    catalog_visibility: str = "visible"
    description: str = ""
    short_description: str = ""
    sku: str = ""
    global_unique_id: str = ""
    regular_price: Json = ""
    sale_price: Json = ""
    sale_from: datetime | None = None
    sale_to: datetime | None = None
    manage_stock: bool = False
    stock_quantity: int | None = None
    stock_status: str = "instock"
    backorders: str = "no"
    low_stock_amount: Json = None
    weight: Json = ""
    length: Json = ""
    width: Json = ""
    height: Json = ""
    attributes: list[Attribute] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)
    default_attributes: list[dict[str, Json]] = field(default_factory=list)
    image_ids: list[int] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    tag_ids: list[int] = field(default_factory=list)
    brand_ids: list[int] = field(default_factory=list)
    grouped: list[int] = field(default_factory=list)
    meta: list[Meta] = field(default_factory=list)
    total_sales: int = 0
    menu_order: int = 0
    extras: dict[str, Json] = field(default_factory=dict)

    @property
    def is_variation(self) -> bool:
        """Whether this is a variation of a product."""
        return self.type == "variation"


@dataclass(slots=True)
class Term:
    """A category, tag, brand, or value of a global attribute; `taxonomy` says which."""

    id: int
    taxonomy: str
    name: str
    slug: str
    parent: int = 0
    description: str = ""
    display: str = "default"
    image_id: int = 0
    menu_order: int = 0


@dataclass(slots=True)
class GlobalAttribute:
    """An attribute shared by all products; its slug is its taxonomy."""

    id: int
    name: str
    slug: str
    type: str = "select"
    order_by: str = "menu_order"
    has_archives: bool = False


@dataclass(slots=True)
class Media:
    """A picture of the media library."""

    id: int
    file: str
    name: str
    alt: str
    created: datetime


@dataclass(slots=True)
class Note:
    """A note on an order; `by` is who wrote it: `api`, `shop`, or the store itself, `system`."""

    id: int
    text: str
    author: str
    created: datetime
    for_customer: bool
    by: str = "system"


def facts(item: Item) -> dict[str, Json]:
    """Return what the books show of an item, and what its changes are told from."""
    attributes: list[Json] = [
        {"id": a.id, "name": a.name, "options": [*(a.options or a.term_ids)]}
        for a in item.attributes
    ]
    return {
        "type": item.type,
        "sku": item.sku,
        "global_unique_id": item.global_unique_id,
        "name": item.name,
        "status": item.status,
        "catalog_visibility": item.catalog_visibility,
        "description": item.description,
        "short_description": item.short_description,
        "regular_price": item.regular_price,
        "sale_price": item.sale_price,
        "manage_stock": item.manage_stock,
        "stock_quantity": item.stock_quantity,
        "stock_status": item.stock_status,
        "backorders": item.backorders,
        "weight": item.weight,
        "images": [*item.image_ids],
        "categories": [*item.category_ids],
        "tags": [*item.tag_ids],
        "brands": [*item.brand_ids],
        "attributes": {**item.chosen} if item.is_variation else attributes,
    }

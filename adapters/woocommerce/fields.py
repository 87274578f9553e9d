"""What WooCommerce offers to mapping templates, linking and presence: declarations only."""

from reconcile.contract import Identifier, PresenceForm
from reconcile.core.mapping import ChannelField, MappingRule, Template
from reconcile.core.types import FieldGroup, FieldRole, Level, Operation, OurField, Presence

STOCK_AND_PRICE = "stock_and_price"
CONTENT = "content"


def _sync(name: str, title: str, role: FieldRole) -> ChannelField:
    return ChannelField(name, title, FieldGroup.SYNC, role, Level.VARIANT, STOCK_AND_PRICE)


def _content(
    name: str, title: str, level: Level = Level.LISTING, *, is_readable: bool = True
) -> ChannelField:
    return ChannelField(
        name, title, FieldGroup.CONTENT, FieldRole.CONTENT, level, CONTENT, is_readable
    )


FIELDS = (
    _sync("regular_price", "Regular price", FieldRole.PRICE),
    # While there is one, it is what shoppers pay.
    _sync("sale_price", "Sale price", FieldRole.PRICE),
    _sync("stock_quantity", "Stock quantity", FieldRole.QUANTITY),
    _content("name", "Product name"),
    _content("description", "Description"),
    _content("short_description", "Short description"),
    _content("categories", "Categories"),
    _content("images", "Product images", is_readable=False),
    _content("brand", "Brand"),
    _content("attributes", "Further attributes"),
    _content("global_unique_id", "GTIN, UPC, EAN or ISBN", Level.VARIANT),
    _content("mpn", "MPN (attribute)", Level.VARIANT),
    _content("upc", "UPC (attribute)", Level.VARIANT),
    _content("weight", "Weight", Level.VARIANT),
    _content("dimensions", "Dimensions", Level.VARIANT),
    _content("image", "Variation image", Level.VARIANT, is_readable=False),
)

_SYNC_RULES = (
    MappingRule(OurField.LIST_PRICE, "regular_price"),
    MappingRule(OurField.QUANTITY, "stock_quantity"),
    # The other way to price: MSRP as the regular price and the list price as the sale price.
    MappingRule(OurField.MSRP, "regular_price", enabled=False),
    MappingRule(OurField.LIST_PRICE, "sale_price", enabled=False),
)

_CONTENT_RULES = (
    MappingRule(OurField.TITLE, "name"),
    MappingRule(OurField.DESCRIPTION, "description"),
    MappingRule(OurField.CATEGORIES, "categories"),
    MappingRule(OurField.IMAGES, "images"),
    MappingRule(OurField.IMAGES, "image"),
    MappingRule(OurField.BRAND, "brand"),
    MappingRule(OurField.GTIN, "global_unique_id"),
    MappingRule(OurField.MPN, "mpn"),
    MappingRule(OurField.UPC, "upc"),
    MappingRule(OurField.WEIGHT, "weight"),
    MappingRule(OurField.DIMENSIONS, "dimensions"),
    MappingRule(OurField.ATTRIBUTES, "attributes"),
)

TEMPLATES = {
    Operation.SYNC_LISTINGS: Template(_SYNC_RULES),
    Operation.PUBLISH_LISTINGS: Template(_SYNC_RULES + _CONTENT_RULES),
}

OUR_IDENTIFIERS = (
    Identifier("sku", "SKU"),
    Identifier("upc", "UPC"),
    Identifier("gtin", "GTIN"),
)
THEIR_IDENTIFIERS = (
    Identifier("sku", "SKU"),
    Identifier("upc", "attribute UPC, else the field GTIN, UPC, EAN or ISBN"),
)
LINKING_PAIRS = frozenset({("sku", "sku"), ("upc", "upc"), ("gtin", "upc")})

PRESENCE = {
    Presence.LISTED: PresenceForm(
        is_readable=True,
        write_group=STOCK_AND_PRICE,
        explanation="Published and visible. Showing again restores what hiding overwrote; a draft, "
        "pending, private or invisible product is published and made visible",
    ),
    Presence.HIDDEN: PresenceForm(
        is_readable=False,
        overwrites=frozenset({"stock_quantity"}),
        write_group=STOCK_AND_PRICE,
        explanation="Out of stock: where stock is managed, quantity 0 without backorders; "
        "otherwise the stock status. The page stays, nothing can be bought",
    ),
    Presence.DELISTED: PresenceForm(
        is_readable=False,
        write_group=CONTENT,
        explanation="Deleted for good, not moved to the trash; publishing creates a new product",
    ),
}

"""What a store showed, in our words: wire values → mirror values. Pure.

The way back (our values → rows to send) is `rows`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapters.woocommerce.canonical import canonical, key
from adapters.woocommerce.wire import Attribute, Image, Offer, Product, Variation
from reconcile.core.types import (
    Fields,
    OurField,
    RemoteListing,
    RemoteRef,
    RemoteVariant,
    SeenPresence,
    Value,
)

HIDDEN_STATUSES = frozenset({"draft", "pending", "private", "future", "auto-draft"})
NO_STOCK_TYPES = frozenset({"grouped", "external"})
BRAND, MPN, UPC = "Brand", "MPN", "UPC"

Paths = Mapping[int, tuple[str, ...]]
"""Category id → path, level 1 first."""


@dataclass(frozen=True, slots=True)
class StoreView:
    """What has to be known of a store to understand its rows."""

    currency: str | None
    weight_unit: str
    dimension_unit: str
    paths: Paths = field(default_factory=dict)


def listing(
    product: Product,
    variations: Sequence[Variation],
    view: StoreView,
    *,
    is_partial: bool = False,
) -> RemoteListing:
    """The product with its variants as the mirror keeps it."""
    presence = product_presence(product.status, product.visibility)
    if product.is_variable:
        variants = tuple(_variation(product, item, presence, view) for item in variations)
    else:
        variants = (_simple(product, presence, view),)
    return RemoteListing(
        id=str(product.id),
        title=str(canonical("name", product.name)),
        presence=presence,
        variants=variants,
        content=_content(product, view),
        import_fields=_import_fields(product, view),
        aspects={
            "type": product.type,
            "status": product.status,
            "catalog_visibility": product.visibility,
            "sku": product.offer.sku,
            "images": [str(image.id) for image in product.images],
        },
        modified_at=product.modified_at,
        is_partial=is_partial,
    )


def product_presence(status: str, visibility: str) -> SeenPresence:
    """Presence as WooCommerce itself shows it (R11); being out of stock is not being hidden."""
    if status in HIDDEN_STATUSES or visibility == "hidden":
        return SeenPresence.HIDDEN
    return SeenPresence.LISTED


def seen(offer: Offer, product_type: str) -> Fields:
    """Canonical values of group SYNC; None where the store has none."""
    if product_type == "grouped":
        return {}
    prices: dict[str, Value] = {
        "regular_price": lenient("regular_price", offer.regular_price),
        "sale_price": lenient("sale_price", offer.sale_price),
    }
    if product_type in NO_STOCK_TYPES:
        return prices
    # A variation whose product manages the stock has no quantity of its own: taking the shared
    # number for its own would sell the pool once per variation.
    own = offer.quantity if offer.manage_stock is True else None
    return {**prices, "stock_quantity": own}


def stock_aspects(offer: Offer) -> dict[str, Value]:
    """What hiding overwrites and writing must know."""
    return {
        "manage_stock": offer.manage_stock,
        "stock_quantity": offer.quantity,
        "backorders": offer.backorders,
        "stock_status": offer.stock_status,
    }


def is_unsellable(offer: Offer) -> bool:
    """Whether nobody can buy it for lack of stock, the way hiding leaves it."""
    if offer.manage_stock is False:
        return offer.stock_status == "outofstock"
    return (offer.quantity or 0) <= 0 and offer.backorders == "no"


def lenient(name: str, value: Value) -> Value:
    """The canonical value, or what the store holds as it is where it is none (a price of -5)."""
    try:
        return canonical(name, value)
    except ValueError:
        return value


def attribute(product: Product, name: str) -> Attribute | None:
    """The product's attribute of that name, whatever its case, that is no option."""
    wanted = name.casefold()
    return next(
        (a for a in product.attributes if not a.is_variation and a.name.casefold() == wanted), None
    )


def variation_seen(
    product_id: int, item: Variation, parent: SeenPresence, view: StoreView, parent_sku: str = ""
) -> RemoteVariant:
    """A variation where only its own row is known."""
    content = _measures(item.offer, view)
    for name in ("mpn", "upc"):
        if item.meta.get(name):
            content[name] = lenient(name, item.meta[name])
    # A variation without a SKU answers with its product's, which it cannot have itself.
    sku = item.offer.sku if item.offer.sku != parent_sku else ""
    hidden = parent is SeenPresence.HIDDEN or item.status in HIDDEN_STATUSES
    return RemoteVariant(
        ref=RemoteRef(str(product_id), str(item.id)),
        sku=key("sku", sku),
        presence=SeenPresence.HIDDEN if hidden else SeenPresence.LISTED,
        seen=seen(item.offer, "variation"),
        content=content,
        identifiers=_identifiers(sku, item.offer.gtin),
        options=tuple((name, option) for name, option in item.options),
        aspects={
            **stock_aspects(item.offer),
            "type": "variation",
            "status": item.status,
            "upc_source": "global_unique_id",
        },
        unsellable=is_unsellable(item.offer),
    )


def _variation(
    product: Product, item: Variation, presence: SeenPresence, view: StoreView
) -> RemoteVariant:
    variant = variation_seen(product.id, item, presence, view, product.offer.sku)
    title = str(canonical("name", product.name))
    if item.options:
        title = f"{title} - {', '.join(option for _, option in item.options)}"
    return _with_import(variant, item.offer, title, (item.image,) if item.image else (), view)


def _simple(product: Product, presence: SeenPresence, view: StoreView) -> RemoteVariant:
    content = _measures(product.offer, view)
    for name, title in (("mpn", MPN), ("upc", UPC)):
        found = attribute(product, title)
        if found is not None and found.options:
            content[name] = lenient(name, found.options[0])
    upc = content.get("upc")
    own_upc = upc if isinstance(upc, str) and key("upc", upc) else ""
    variant = RemoteVariant(
        ref=RemoteRef(str(product.id)),
        sku=key("sku", product.offer.sku),
        presence=presence,
        seen=seen(product.offer, product.type),
        content=content,
        identifiers=_identifiers(product.offer.sku, own_upc or product.offer.gtin),
        aspects={
            **stock_aspects(product.offer),
            "type": product.type,
            "status": product.status,
            "upc_source": "attribute" if own_upc else "global_unique_id",
        },
        unsellable=is_unsellable(product.offer),
    )
    title = str(canonical("name", product.name))
    return _with_import(variant, product.offer, title, product.images, view)


def _with_import(
    variant: RemoteVariant, offer: Offer, title: str, images: Sequence[Image], view: StoreView
) -> RemoteVariant:
    """Add the variant in our vocabulary: what importing takes over (W8)."""
    fields: dict[str, Value] = {OurField.TITLE.value: title}
    if variant.sku:
        fields[OurField.SKU.value] = variant.sku
    if images:
        fields[OurField.IMAGES.value] = [image.src for image in images if image.src]
    price = variant.seen.get("regular_price")
    if isinstance(price, str) and view.currency:
        fields[OurField.LIST_PRICE.value] = {"amount": price, "currency": view.currency}
    if offer.manage_stock is True and offer.quantity is not None:
        fields[OurField.QUANTITY.value] = max(0, offer.quantity)
    if variant.options:
        fields[OurField.OPTIONS.value] = [[name, option] for name, option in variant.options]
    return replace(variant, import_fields=fields)


def _identifiers(sku: str, upc: str) -> Mapping[str, str]:
    found = {"sku": key("sku", sku), "upc": key("upc", upc)}
    return {name: value for name, value in found.items() if value is not None}


def _measures(offer: Offer, view: StoreView) -> dict[str, Value]:
    """GTIN, weight and dimensions; what the store has not set is absent."""
    content: dict[str, Value] = {}
    if offer.gtin:
        content["global_unique_id"] = lenient("global_unique_id", offer.gtin)
    if offer.weight:
        content["weight"] = lenient("weight", {"value": offer.weight, "unit": view.weight_unit})
    sides: dict[str, Value] = {
        name: side
        for name, side in zip(("length", "width", "height"), offer.dimensions, strict=True)
        if side
    }
    if sides:
        content["dimensions"] = lenient("dimensions", {**sides, "unit": view.dimension_unit})
    return content


def _content(product: Product, view: StoreView) -> Fields:
    content: dict[str, Value] = {
        "name": canonical("name", product.name),
        "description": canonical("description", product.description),
        "short_description": canonical("short_description", product.short_description),
    }
    paths = category_paths(product, view.paths)
    if paths is not None:
        content["categories"] = canonical("categories", paths)
    brand = attribute(product, BRAND)
    if product.brands:
        content["brand"] = canonical("brand", product.brands[0].name)
    elif brand is not None and brand.options:
        content["brand"] = canonical("brand", brand.options[0])
    plain: dict[str, Value] = {
        found.name: ", ".join(found.options)
        for found in product.attributes
        if not found.is_variation
        and found.name.casefold() not in {BRAND.casefold(), MPN.casefold(), UPC.casefold()}
    }
    if plain:
        content["attributes"] = lenient("attributes", plain)
    return content


def needs_paths(product: Product, paths: Paths) -> bool:
    """Whether the product is in a category whose path is not known yet."""
    return any(t.id not in paths for t in product.categories if not is_default_category(t.slug))


def is_default_category(slug: str) -> bool:
    """Whether it stands for "in no category": WooCommerce puts such products there."""
    return slug == "uncategorized"


def category_paths(product: Product, paths: Paths) -> list[Value] | None:
    """The paths of the product's categories; None where one of them is not known."""
    if needs_paths(product, paths):
        return None
    found = (paths[t.id] for t in product.categories if not is_default_category(t.slug))
    return [list(path) for path in found]


def _import_fields(product: Product, view: StoreView) -> Fields:
    """The product in our vocabulary: what importing takes over of the parent (W8)."""
    # What the store has left empty is no statement, or overwriting would empty ours.
    stated: dict[str, Value] = {
        OurField.TITLE.value: canonical("name", product.name),
        OurField.DESCRIPTION.value: canonical("description", product.description),
        OurField.IMAGES.value: [image.src for image in product.images if image.src],
    }
    fields: dict[str, Value] = {name: value for name, value in stated.items() if value}
    if sku := key("sku", product.offer.sku):
        fields[OurField.SKU.value] = sku
    # The first category as the store orders them, not as the canonical form sorts them.
    paths = category_paths(product, view.paths)
    if paths:
        fields[OurField.CATEGORIES.value] = paths[0]
    options: list[Value] = [found.name for found in product.attributes if found.is_variation]
    if options:
        fields[OurField.OPTIONS.value] = options
    return fields

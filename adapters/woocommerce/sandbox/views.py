"""How products and variations look in an answer: as stored with `edit`, as a page with `view`."""

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import attributes, media
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.stock import is_on_sale, price
from adapters.woocommerce.sandbox.store import BRAND, CATEGORY, TAG, UNCATEGORIZED, Store
from adapters.woocommerce.sandbox.text import paragraphs

Row = dict[str, Json]
API = "/wp-json/wc/v3"
ANY = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def links(url: str, collection: str, up: str = "", allow: list[str] | None = None) -> Row:
    """Return the `_links` of one thing."""
    hints: Json = {"allow": [*(allow or ANY)]}
    result: Row = {
        "self": [{"href": url, "targetHints": hints}],
        "collection": [{"href": collection}],
    }
    if up:
        result["up"] = [{"href": up}]
    return result


def _dates(store: Store, item: Item) -> Row:
    write, gmt = store.time.local, store.time.gmt
    return {
        "date_created": write(item.created),
        "date_created_gmt": gmt(item.created),
        "date_modified": write(item.modified),
        "date_modified_gmt": gmt(item.modified),
    }


def _selling(store: Store, item: Item) -> Row:
    write, gmt, now = store.time.local, store.time.gmt, store.clock.now()
    cost = price(store, item)
    shown = item.status == "publish" or not item.is_variation
    return {
        "price": cost,
        "regular_price": item.regular_price,
        "sale_price": item.sale_price,
        "date_on_sale_from": write(item.sale_from),
        "date_on_sale_from_gmt": gmt(item.sale_from),
        "date_on_sale_to": write(item.sale_to),
        "date_on_sale_to_gmt": gmt(item.sale_to),
        "on_sale": is_on_sale(item, now),
        "purchasable": cost != "" and shown and item.type not in ("grouped", "external"),
    }


def _extras(item: Item, *, edit: bool) -> Row:
    extras = item.extras
    return {
        "virtual": extras.get("virtual", False),
        "downloadable": extras.get("downloadable", False),
        "downloads": extras.get("downloads", []),
        "download_limit": extras.get("download_limit", -1),
        "download_expiry": extras.get("download_expiry", -1),
        "tax_status": extras.get("tax_status", "taxable"),
        "tax_class": extras.get("tax_class", "parent" if item.is_variation and edit else ""),
        "shipping_class": extras.get("shipping_class", ""),
        "shipping_class_id": 0,
    }


def _stock(item: Item, keeper: Item, managed: Json) -> Row:
    quantity: Json = keeper.stock_quantity if keeper.manage_stock else None
    return {
        "manage_stock": managed,
        "stock_quantity": quantity,
        "stock_status": keeper.stock_status if managed == "parent" else item.stock_status,
        "backorders": keeper.backorders,
        "backorders_allowed": keeper.backorders != "no",
        "backordered": item.stock_status == "onbackorder",
        "low_stock_amount": keeper.low_stock_amount,
    }


def _sizes(item: Item, parent: Item | None) -> Row:
    source = parent if parent is not None else item

    def size(name: str) -> Json:
        value: Json = getattr(item, name) or getattr(source, name)
        return value

    return {
        "weight": size("weight"),
        "dimensions": {name: size(name) for name in ("length", "width", "height")},
    }


def _meta(item: Item) -> list[Json]:
    return [{"id": m.id, "key": m.key, "value": m.value} for m in item.meta]


def _terms(store: Store, ids: list[int], taxonomy: str) -> list[Json]:
    known = [store.terms[i] for i in ids if i in store.terms]
    found = [term for term in known if term.taxonomy == taxonomy]
    if not found and taxonomy == CATEGORY:
        found = [store.terms[UNCATEGORIZED]]
    return [{"id": t.id, "name": t.name, "slug": t.slug} for t in found]


def stock_keeper(store: Store, item: Item) -> tuple[Item, Json]:
    """Return whose stock counts for an item, and what its `manage_stock` says."""
    if item.is_variation and not item.manage_stock:
        parent = store.items.get(item.parent_id)
        if parent is not None and parent.manage_stock:
            return parent, "parent"
    return item, item.manage_stock


def _common(store: Store, item: Item, *, edit: bool) -> Row:
    keeper, managed = stock_keeper(store, item)
    parent = store.items.get(item.parent_id) if item.is_variation else None
    inherited = parent.sku if parent is not None else ""
    return {
        "id": item.id,
        **_dates(store, item),
        "type": item.type,
        "status": item.status,
        "description": item.description if edit else paragraphs(item.description),
        "sku": item.sku or inherited,
        "global_unique_id": item.global_unique_id,
        **_selling(store, item),
        **_extras(item, edit=edit),
        **_stock(item, keeper, managed),
        **_sizes(item, parent),
        "parent_id": item.parent_id,
        "menu_order": item.menu_order,
        "meta_data": _meta(item),
    }


def _permalink(store: Store, item: Item, base: str) -> str:
    if not item.is_variation:
        return (
            f"{base}/product/{item.slug}/"
            if item.slug
            else f"{base}/?post_type=product&p={item.id}"
        )
    parent = store.items.get(item.parent_id)
    query = "&".join(f"attribute_{name}={value}" for name, value in item.chosen.items())
    page = f"{base}/product/{parent.slug if parent is not None else ''}/"
    return f"{page}?{query}" if query else page


def _images(store: Store, ids: list[int], base: str) -> list[Json]:
    shown = [media.shown(store, media_id, base) for media_id in ids]
    return [image for image in shown if image is not None]


def choice_words(store: Store, item: Item) -> str:
    """Return what a variation chooses in words, which is its name."""
    parent = store.items.get(item.parent_id)
    return ", ".join(word for _, word in attributes.choices(store, item, parent))


def product(store: Store, item: Item, base: str, *, edit: bool) -> Row:
    """Show a product; a variation too, as the products route does when asked for one."""
    parent = store.items.get(item.parent_id) if item.is_variation else None
    url = f"{base}{API}/products"
    name, words = item.name, choice_words(store, item) if item.is_variation else ""
    if parent is not None:
        name = f"{parent.name} - {words}" if words else parent.name
    children = sorted(
        (v for v in store.variations(item.id) if v.status in ("publish", "private")),
        key=lambda v: (v.menu_order, v.id),
    )
    short = item.short_description
    row: Row = {
        **_common(store, item, edit=edit),
        "name": name,
        "slug": item.slug,
        "permalink": _permalink(store, item, base),
        "featured": item.featured,
        "catalog_visibility": item.catalog_visibility,
        "short_description": short if edit else paragraphs(short),
        "total_sales": item.total_sales,
        "external_url": item.extras.get("external_url", ""),
        "button_text": item.extras.get("button_text", ""),
        "sold_individually": item.extras.get("sold_individually", False),
        "shipping_required": not item.extras.get("virtual", False),
        "shipping_taxable": True,
        "reviews_allowed": item.extras.get("reviews_allowed", not item.is_variation),
        "average_rating": "0.00",
        "rating_count": 0,
        "upsell_ids": item.extras.get("upsell_ids", []),
        "cross_sell_ids": item.extras.get("cross_sell_ids", []),
        "purchase_note": item.extras.get("purchase_note", ""),
        "categories": [] if item.is_variation else _terms(store, item.category_ids, CATEGORY),
        "brands": _terms(store, item.brand_ids, BRAND),
        "tags": _terms(store, item.tag_ids, TAG),
        "images": _images(store, item.image_ids, base),
        "attributes": attributes.shown_choices(store, item, parent)
        if item.is_variation
        else [attributes.shown(store, a) for a in item.attributes],
        "default_attributes": [*item.default_attributes] if item.type == "variable" else [],
        "variations": [v.id for v in children] if item.type == "variable" else [],
        "grouped_products": [*item.grouped],
        "price_html": "",
        "related_ids": [],
        "has_options": item.type == "variable",
        "post_password": item.extras.get("post_password", ""),
    }
    above = f"{url}/{item.parent_id}" if item.is_variation else ""
    row["_links"] = links(f"{url}/{item.id}", url, above)
    return row


def variation(store: Store, item: Item, base: str, *, edit: bool) -> Row:
    """Show a variation as its own routes do."""
    parent = store.items.get(item.parent_id)
    above = f"{base}{API}/products/{item.parent_id}"
    pictures = item.image_ids or (parent.image_ids[:1] if parent is not None else [])
    return {
        **_common(store, item, edit=edit),
        "permalink": _permalink(store, item, base),
        "image": media.shown(store, pictures[0], base) if pictures else None,
        "attributes": attributes.shown_choices(store, item, parent),
        "name": choice_words(store, item),
        "_links": links(f"{above}/variations/{item.id}", f"{above}/variations", above),
    }

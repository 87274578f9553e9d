"""Products: read, create, update, trash and delete, singly or as the rows of a batch."""

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import schemas, stock, views
from adapters.woocommerce.sandbox.attributes import set_attributes, set_defaults
from adapters.woocommerce.sandbox.errors import ApiError, already_trashed, invalid_id
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.media import set_images
from adapters.woocommerce.sandbox.stock import Body, truth
from adapters.woocommerce.sandbox.store import BRAND, CATEGORY, TAG, UNCATEGORIZED, Store
from adapters.woocommerce.sandbox.text import php_text, slug
from adapters.woocommerce.sandbox.writing import (
    refuse_junk,
    take_common,
    take_created,
    take_meta,
    text_of,
)

TYPES = ("simple", "grouped", "external", "variable")
STATUSES = ("draft", "pending", "private", "publish", "future", "auto-draft", "trash")
_VISIBILITY = ("visible", "catalog", "search", "hidden")


class Products:
    """The products of the store, as the products routes handle them."""

    args = schemas.PRODUCT

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, item_id: int, base: str, *, edit: bool) -> views.Row:
        """Show one product, or a variation as a product."""
        return views.product(self._store, self._found(item_id, 404), base, edit=edit)

    def create(self, body: Body, base: str) -> views.Row:
        """Create a product; nothing of it is left when a part is refused."""
        now = self._store.now()
        item = Item(0, "simple", created=now, modified=now)
        self._take(item, {"name": "Product", **_filled(body)}, base)
        self._store.refuse_lookup_row(item)
        self._save(item)
        return views.product(self._store, item, base, edit=True)

    def update(self, item_id: int, body: Body, base: str) -> views.Row:
        """Change what was sent; the time of change moves even when nothing else does."""
        item = self._found(item_id, 400)
        if item.is_variation:
            raise _not_here()
        item = self._store.draft(item_id)
        self._take(item, body, base)
        self._save(item)
        return views.product(self._store, item, base, edit=True)

    def delete(self, item_id: int, base: str, *, force: bool) -> views.Row:
        """Trash a product, or delete it for good; shows it as it was."""
        item = self._found(item_id, 404)
        if item.is_variation:
            raise _not_here()
        row = views.product(self._store, item, base, edit=True)
        if force:
            self._store.remove(item)
        elif item.status == "trash":
            raise already_trashed("product")
        else:
            self._store.trash(item)
        return row

    def label(self, item_id: int) -> Json:
        """Return how a batch names the row of a delete that failed."""
        return item_id

    def _found(self, item_id: int, status: int) -> Item:
        item = self._store.items.get(item_id)
        if item is None:
            raise invalid_id("product", status)
        return item

    def _save(self, item: Item) -> None:
        old = self._store.items.get(item.id)
        if old is not None and old.type == "variable" != item.type:
            for child in [*self._store.variations(item.id)]:
                self._store.remove(child)
        stock.settle_prices(item)
        stock.settle_stock(self._store, item)
        item.id = item.id or self._store.next_id("post")
        if item.status != "trash":
            item.slug = item.slug.removesuffix("__trashed")
        if not item.slug and item.status not in ("draft", "pending", "auto-draft"):
            item.slug = self._store.free_slug("post", slug(item.name))
        self._store.save(item)
        stock.sync_variations(self._store, item)

    def _take(self, item: Item, body: Body, base: str) -> None:
        """Take over a request, in the platform's own order, which decides what is refused first."""
        store = self._store
        if "type" in body:
            item.type = php_text(body["type"]) if body["type"] in TYPES else "simple"
        self._take_words(item, body)
        if body.get("status"):
            known = body["status"] in STATUSES
            item.status = php_text(body["status"]) if known else "draft"
        if "catalog_visibility" in body:
            words = "Invalid catalog visibility option."
            code = "product_invalid_catalog_visibility"
            item.catalog_visibility = refuse_junk(
                body["catalog_visibility"], _VISIBILITY, code, words
            )
        if body.get("featured") is not None:
            item.featured = truth(body["featured"])
        take_common(store, item, body)
        take_created(store, item, body)
        if body.get("attributes") is not None:
            set_attributes(store, item, body["attributes"])
        stock.set_prices(store, item, body)
        if body.get("parent_id") is not None:
            item.parent_id = id_of(body["parent_id"])
        stock.set_stock(item, body)
        self._take_terms(item, body)
        if body.get("default_attributes") is not None and item.type == "variable":
            set_defaults(store, item, body["default_attributes"])
        if item.type == "grouped" and isinstance(body.get("grouped_products"), list):
            listed = body["grouped_products"]
            item.grouped = [id_of(entry) for entry in listed] if isinstance(listed, list) else []
        if "images" in body:
            set_images(store, item, body["images"], base)
        take_meta(store, item, body.get("meta_data"))

    def _take_words(self, item: Item, body: Body) -> None:
        if "name" in body:
            item.name = text_of(body["name"]) or ("" if item.id else "Product")
        if "short_description" in body:
            item.short_description = text_of(body["short_description"])
        wanted = slug(php_text(body.get("slug")))
        if wanted and wanted != item.slug:
            item.slug = self._store.free_slug("post", wanted)

    def _take_terms(self, item: Item, body: Body) -> None:
        store = self._store
        for name, taxonomy, field in (
            ("categories", CATEGORY, "category_ids"),
            ("tags", TAG, "tag_ids"),
            ("brands", BRAND, "brand_ids"),
        ):
            if body.get(name) is None:
                continue
            sent = body[name]
            rows = [r for r in sent if isinstance(r, dict)] if isinstance(sent, list) else []
            ids = [id_of(row.get("id")) or self._tag(taxonomy, row) for row in rows]
            known = [i for i in ids if i in store.terms and store.terms[i].taxonomy == taxonomy]
            setattr(item, field, list(dict.fromkeys(known)))
        if not item.category_ids:
            item.category_ids = [UNCATEGORIZED]

    def _tag(self, taxonomy: str, row: dict[str, Json]) -> int:
        """Find or make a tag by its name; categories and brands go by id alone."""
        name = text_of(row.get("name"))
        if taxonomy != TAG or not name:
            return 0
        return (self._store.find_term(TAG, name) or self._store.add_term(TAG, name)).id


def _filled(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "name" or value is not None}


def _not_here() -> ApiError:
    words = (
        "To manipulate product variations you should use the "
        "/products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint."
    )
    return ApiError("woocommerce_rest_invalid_product_id", words, 404)

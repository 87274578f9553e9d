"""Variations of one product: read, create, update, trash and delete, singly or in a batch."""

import itertools

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import schemas, stock, views
from adapters.woocommerce.sandbox.attributes import key_of, option_words, set_choices
from adapters.woocommerce.sandbox.errors import CrashError, already_trashed, invalid_id
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.media import take
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import php_text, slug
from adapters.woocommerce.sandbox.writing import take_common, take_created, take_meta

_STATUSES = ("draft", "pending", "private", "publish", "future")
_IMAGE_ERROR = "woocommerce_variation_image_upload_error"


class Variations:
    """The variations of one product, which may be missing or of the wrong type."""

    args = schemas.VARIATION

    def __init__(self, store: Store, parent_id: int) -> None:
        self._store = store
        self._parent_id = parent_id

    def get(self, item_id: int, base: str, *, edit: bool) -> views.Row:
        """Show one variation."""
        return views.variation(self._store, self._found(item_id), base, edit=edit)

    def create(self, body: Body, base: str) -> views.Row:
        """Create a variation; a missing parent kills the request and leaves an orphan behind."""
        now = self._store.now()
        item = Item(0, "variation", created=now, modified=now, parent_id=self._parent_id)
        if self._parent_id not in self._store.items:
            item.parent_id, item.id = 0, self._store.next_id("post")
            self._store.save(item)
            raise CrashError
        self._take(item, body, base)
        item.id = self._store.next_id("post")
        words = views.choice_words(self._store, item)
        parent = self._store.items[self._parent_id].name
        item.slug = self._store.free_slug("post", slug(f"{parent} {words}"))
        return self._saved(item, base)

    def update(self, item_id: int, body: Body, base: str) -> views.Row:
        """Change what was sent; the parent's time of change moves too."""
        item = self._store.draft(self._found(item_id).id)
        self._take(item, body, base)
        return self._saved(item, base)

    def delete(self, item_id: int, base: str, *, force: bool) -> views.Row:
        """Trash a variation, or delete it for good; shows it as it was."""
        item = self._found(item_id)
        row = views.variation(self._store, item, base, edit=True)
        if force:
            self._store.remove(item)
        elif item.status == "trash":
            raise already_trashed("product_variation")
        else:
            self._store.trash(item)
        stock.sync_parent(self._store, self._parent_id)
        return row

    def generate(self) -> views.Row:
        """Create the variations that are missing of all combinations the parent offers."""
        parent = self._store.items.get(self._parent_id)
        if parent is None:
            raise invalid_id("product", 404)
        offered = {
            key_of(a): option_words(self._store, a) for a in parent.attributes if a.variation
        }
        taken = [v.chosen for v in self._store.variations(parent.id) if v.status != "trash"]
        count = 0
        for words in itertools.product(*offered.values()):
            chosen = dict(zip(offered, words, strict=True))
            if chosen not in taken:
                now, number = self._store.now(), self._store.next_id("post")
                item = Item(number, "variation", created=now, modified=now, parent_id=parent.id)
                item.chosen = chosen
                self._saved(item, "")
                count += 1
        return {"count": count}

    def label(self, item_id: int) -> Json:
        """Return how a batch names the row of a delete that failed: as an object."""
        return {"id": item_id, "product_id": self._parent_id, "force": True}

    def _found(self, item_id: int) -> Item:
        item = self._store.items.get(item_id)
        if item is None or not item.is_variation or item.parent_id != self._parent_id:
            raise invalid_id("product_variation", 404)
        return item

    def _saved(self, item: Item, base: str) -> views.Row:
        stock.settle_prices(item)
        stock.settle_stock(self._store, item)
        self._store.save(item)
        stock.sync_parent(self._store, self._parent_id)
        return views.variation(self._store, item, base, edit=True)

    def _take(self, item: Item, body: Body, base: str) -> None:
        store, parent = self._store, self._store.items[self._parent_id]
        if body.get("status"):
            item.status = php_text(body["status"]) if body["status"] in _STATUSES else "draft"
        take_common(store, item, body)
        take_created(store, item, body)
        if "image" in body:
            sent = body["image"]
            entry = sent if isinstance(sent, dict) and sent else None
            item.image_ids = [take(store, entry, base, _IMAGE_ERROR).id] if entry else []
        stock.set_variation_stock(item, body)
        stock.set_prices(store, item, body)
        if body.get("attributes") is not None:
            set_choices(store, item, parent, body["attributes"])
        take_meta(store, item, body.get("meta_data"))

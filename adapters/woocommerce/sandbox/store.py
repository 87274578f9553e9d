"""The state of one simulated store and the only way it changes: save, trash, delete.

Keeps the books of every change. Must not read requests: `products.py` and its likes do.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from adapters.sandbox import Books, Clock, Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.items import GlobalAttribute, Item, Media, Term, facts
from adapters.woocommerce.sandbox.options import SandboxOptions
from adapters.woocommerce.sandbox.order_books import order_facts
from adapters.woocommerce.sandbox.ordering import STATUS_NAMES, Order
from adapters.woocommerce.sandbox.sitetime import SiteTime
from adapters.woocommerce.sandbox.text import collated, slug

CATEGORY, TAG, BRAND = "product_cat", "product_tag", "product_brand"
UNCATEGORIZED = 15


class Store:
    """Everything the store holds."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.time = SiteTime(options.time_zone)
        self.statuses = {**STATUS_NAMES, **options.order_statuses}
        self.books = Books(clock, self.holdings)
        self.by = "api"
        self.clear()

    def clear(self) -> None:
        """Empty the store, as right after it was installed."""
        self.items: dict[int, Item] = {}
        self.currency = self.options.currency
        switches = {
            "fulfillments": self.options.fulfillments,
            "shipment_tracking": self.options.shipment_tracking,
        }
        self.features = {name for name, on in switches.items() if on}
        self.children: defaultdict[int, list[int]] = defaultdict(list)
        self.orders: dict[int, Order] = {}
        self.terms: dict[int, Term] = {}
        self.attributes: dict[int, GlobalAttribute] = {}
        self.media: dict[int, Media] = {}
        self.files: set[str] = set()
        self._by_sku: defaultdict[str, set[int]] = defaultdict(set)
        self._by_gtin: defaultdict[str, set[int]] = defaultdict(set)
        self._slugs: defaultdict[str, set[str]] = defaultdict(set)
        self._ids: defaultdict[str, int] = defaultdict(int, post=9, term=UNCATEGORIZED - 1)
        self.add_term(CATEGORY, "Uncategorized")

    def next_id(self, kind: str) -> int:
        """Return a new id; products, variations, orders and media share one sequence."""
        self._ids[kind] += 1
        return self._ids[kind]

    def now(self) -> datetime:
        """Return the time as the store writes it: to the second."""
        return self.clock.now().replace(microsecond=0)

    def free_slug(self, space: str, wanted: str) -> str:
        """Take an address part: the wanted one, or with the first free number."""
        if not wanted:
            return ""
        taken, number, result = self._slugs[space], 1, wanted
        while result in taken:
            number += 1
            result = f"{wanted}-{number}"
        taken.add(result)
        return result

    # Terms and media

    def add_term(self, taxonomy: str, name: str, parent: int = 0, wanted: str = "") -> Term:
        """Create a term; whether it may exist twice is the caller's question."""
        address = self.free_slug(taxonomy, slug(wanted or name))
        term = Term(self.next_id("term"), taxonomy, name, address, parent)
        self.terms[term.id] = term
        return term

    def terms_of(self, taxonomy: str) -> list[Term]:
        """Return the terms of one taxonomy by name."""
        found = [term for term in self.terms.values() if term.taxonomy == taxonomy]
        return sorted(found, key=lambda term: (term.name.casefold(), term.id))

    def find_term(self, taxonomy: str, name: str, parent: int | None = None) -> Term | None:
        """Return the term of that name, whatever its case and accents."""
        key = collated(name)
        for term in self.terms_of(taxonomy):
            if collated(term.name) == key and parent in (None, term.parent):
                return term
        return None

    # Products and variations

    def draft(self, item_id: int) -> Item:
        """Return a copy to work on; nothing is changed until it is saved."""
        return copy.deepcopy(self.items[item_id])

    def variations(self, parent_id: int) -> Iterator[Item]:
        """Yield the variations of a product, those in the trash included."""
        for item_id in self.children.get(parent_id, ()):
            yield self.items[item_id]

    def claim_sku(self, item: Item, sku: str) -> None:
        """Give an item a SKU, unless another one that is not in the trash has it."""
        if sku and (holder := self._holder(self._by_sku, collated(sku), item)) is not None:
            number = 1
            while self._by_sku.get(collated(f"{sku}-{number}")):
                number += 1
            words = "Invalid or duplicated SKU."
            data: dict[str, Json] = {"resource_id": holder, "unique_sku": f"{sku}-{number}"}
            raise ApiError("product_invalid_sku", words, 400, **data)
        item.sku = sku

    def claim_gtin(self, item: Item, gtin: str) -> None:
        """Give an item a global unique id, unless another one has it."""
        if gtin and (holder := self._holder(self._by_gtin, gtin, item)) is not None:
            words = "Invalid or duplicated GTIN, UPC, EAN or ISBN."
            raise ApiError("product_invalid_global_unique_id", words, 400, resource_id=holder)
        item.global_unique_id = gtin

    def _holder(self, index: defaultdict[str, set[int]], key: str, item: Item) -> int | None:
        others = (i for i in index.get(key, ()) if i != item.id)
        return min((i for i in others if self.items[i].status != "trash"), default=None)

    def with_sku(self, sku: str) -> list[Item]:
        """Return the items of that SKU, whatever its case and accents."""
        return [self.items[i] for i in sorted(self._by_sku.get(collated(sku), ()))]

    def with_gtin(self, gtin: str) -> list[Item]:
        """Return the items of that global unique id."""
        return [self.items[i] for i in sorted(self._by_gtin.get(gtin, ()))]

    def refuse_lookup_row(self, item: Item) -> None:
        """Refuse to create a product whose SKU is in the trash: the lookup table still has it."""
        if item.sku and self._by_sku.get(collated(item.sku)):
            words = (
                f"The product with SKU ({item.sku}) you are trying to insert is already present "
                "in the lookup table"
            )
            raise ApiError("woocommerce_rest_product_not_created", words, 400)

    def save(self, item: Item) -> None:
        """Make a draft come true, with the time of the change and a line in the books."""
        old = self.items.get(item.id)
        item.modified = self.now()
        after = facts(item)
        if old is None:
            self.children[item.parent_id].append(item.id) if item.is_variation else None
            self._note("create", item, fields=after)
        else:
            self._unindex(old)
            before = facts(old)
            changed: dict[str, Json] = {
                name: [before[name], value]
                for name, value in after.items()
                if before[name] != value
            }
            self._note("update", item, fields=changed)
        self.items[item.id] = item
        self._index(item)

    def touch(self, item_id: int) -> None:
        """Move the time of change of a product whose variation or stock changed."""
        if item_id in self.items:
            self.items[item_id].modified = self.now()

    def trash(self, item: Item) -> None:
        """Put an item in the trash, and its variations with it."""
        for child in [*self.variations(item.id)]:
            child.status, child.modified = "trash", self.now()
        kept = self.items[item.id]
        kept.status, kept.modified = "trash", self.now()
        if kept.slug:
            kept.slug += "__trashed"
        self._note("trash", kept)

    def remove(self, item: Item) -> None:
        """Delete an item for good, and its variations with it."""
        for child in [*self.variations(item.id)]:
            self.remove(child)
        self._unindex(item)
        del self.items[item.id]
        self._slugs["post"].discard(item.slug.removesuffix("__trashed"))
        self.children.pop(item.id, None)
        if item.is_variation and item.id in self.children.get(item.parent_id, ()):
            self.children[item.parent_id].remove(item.id)
        self._note("delete", item)

    def _index(self, item: Item) -> None:
        if item.sku:
            self._by_sku[collated(item.sku)].add(item.id)
        if item.global_unique_id:
            self._by_gtin[item.global_unique_id].add(item.id)

    def _unindex(self, item: Item) -> None:
        for index, key in (
            (self._by_sku, collated(item.sku)),
            (self._by_gtin, item.global_unique_id),
        ):
            if key in index:
                index[key].discard(item.id)
                if not index[key]:
                    del index[key]

    def _note(self, what: str, item: Item, **details: Json) -> None:
        kind = "variation" if item.is_variation else "product"
        about: dict[str, Json] = {"id": item.id, "sku": item.sku, "parent_id": item.parent_id}
        self.books.effect(what, kind, self.by, **about, **details)

    def holdings(self) -> Json:
        """Show what the store holds, as the books do."""
        rows: dict[str, list[Json]] = {"products": [], "variations": []}
        for item in self.items.values():
            row: dict[str, Json] = {"id": item.id, "parent_id": item.parent_id, **facts(item)}
            row["images"] = len(item.image_ids)
            names: list[Json] = [self.terms[i].name for i in item.category_ids if i in self.terms]
            row["categories"] = names
            rows["variations" if item.is_variation else "products"].append(row)
        orders: list[Json] = [order_facts(order, self.items) for order in self.orders.values()]
        return {"products": rows["products"], "variations": rows["variations"], "orders": orders}

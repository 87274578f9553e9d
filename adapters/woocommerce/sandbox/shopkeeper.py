"""The shopkeeper's hand: changes made in the store itself, by a merchant or a shopper.

They need no key, and the books say `shop` instead of `api`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.sandbox import ControlError, Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.orders import Orders
from adapters.woocommerce.sandbox.products import Products
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.terms import Attributes, Terms
from adapters.woocommerce.sandbox.variations import Variations

BASE = "http://sandbox.example"


class Shopkeeper:
    """Carries out the orders of `/_shop`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, order: dict[str, Json]) -> Json:
        """Carry out one order: `do` says what, `sku` or `id` on which, `fields` how."""
        try:
            with self._by_hand():
                return self._done(order)
        except ApiError as error:
            raise ControlError(f"{error.code}: {error.message}") from error

    def stock_up(self, products: Iterator[Body]) -> None:
        """Put products on the shelves, with the variations, categories and brands they name."""
        with self._by_hand():
            for fields in products:
                self._create(dict(fields))
        self._store.books.reset()

    @contextmanager
    def _by_hand(self) -> Iterator[None]:
        self._store.by = "shop"
        try:
            yield
        finally:
            self._store.by = "api"

    def _done(self, order: dict[str, Json]) -> Json:
        fields = order.get("fields")
        body = dict(fields) if isinstance(fields, dict) else {}
        match order.get("do"):
            case "create":
                return self._create(body)
            case "update":
                item = self._item(order)
                return self._rows(item).update(item.id, body, BASE)
            case "trash" | "delete" as what:
                item = self._item(order)
                return self._rows(item).delete(item.id, BASE, force=what == "delete")
            case "buy":
                item = self._item(order)
                line: Body = {"product_id": item.id, "quantity": order.get("quantity", 1)}
                bought: Body = {"status": "processing", "created_via": "checkout", **body}
                return Orders(self._store).create({**bought, "line_items": [line]}, BASE)
            case "reset":
                self._store.clear()
                self._store.books.reset()
                return {}
            case _:
                raise ControlError("do must be create, update, trash, delete, buy or reset")

    def _rows(self, item: Item) -> Products | Variations:
        if item.is_variation:
            return Variations(self._store, item.parent_id)
        return Products(self._store)

    def _item(self, order: dict[str, Json]) -> Item:
        match order:
            case {"id": int(item_id)} if item_id in self._store.items:
                return self._store.items[item_id]
            case {"sku": str(sku)} if found := self._store.with_sku(sku):
                return found[0]
            case _:
                raise ControlError("no product or variation with this id or sku")

    def _create(self, fields: Body) -> Json:
        parent = fields.pop("parent_id", None)
        if isinstance(parent, int):
            return Variations(self._store, parent).create(fields, BASE)
        listed = fields.pop("variations", None)
        self._name_terms(fields)
        row = Products(self._store).create(fields, BASE)
        product_id = row["id"]
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and isinstance(product_id, int):
                Variations(self._store, product_id).create(dict(entry), BASE)
        return row

    def _name_terms(self, fields: Body) -> None:
        """Let a merchant name categories, brands and attributes that do not exist yet."""
        for name, taxonomy in (("categories", "product_cat"), ("brands", "product_brand")):
            rows = fields.get(name)
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict) and row.get("name") and not row.get("id"):
                    row["id"] = self._term_id(taxonomy, str(row["name"]))
        rows = fields.get("attributes")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.pop("global", False):
                row["id"] = self._attribute_id(str(row.get("name", "")))

    def _term_id(self, taxonomy: str, path: str) -> int:
        """Find or make a term by its path, levels divided by `>`."""
        parent = 0
        for name in (part.strip() for part in path.split(">")):
            found = self._store.find_term(taxonomy, name, parent)
            if found is None:
                made = Terms(self._store, taxonomy, "").create({"name": name, "parent": parent}, "")
                parent = int(str(made["id"]))
            else:
                parent = found.id
        return parent

    def _attribute_id(self, name: str) -> int:
        for attribute in self._store.attributes.values():
            if attribute.name == name:
                return attribute.id
        return int(str(Attributes(self._store).create({"name": name}, "")["id"]))

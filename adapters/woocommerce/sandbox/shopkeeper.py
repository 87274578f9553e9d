"""The shopkeeper's hand: changes made in the store itself, by a merchant or a shopper.

They need no key, and the books say `shop` instead of `api`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from adapters.sandbox import ControlError, Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.order_shop import BASE, OrderKeeper
from adapters.woocommerce.sandbox.products import Products
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.terms import Attributes, Terms
from adapters.woocommerce.sandbox.variations import Variations


class Shopkeeper:
    """Carries out the orders of `/_shop`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders = OrderKeeper(store, self._item)

    def __call__(self, order: dict[str, Json]) -> Json:
        """Carry out one order: `do` says what; `sku`, `id` or `order` on which, `fields` how."""
        try:
            with self._by_hand():
                return self._done(order)
        except ApiError as error:
            raise ControlError(f"{error.code}: {error.message}") from error

    def stock_up(self, products: Iterable[Body], orders: Iterable[Body] = ()) -> None:
        """Put products on the shelves, with the variations, categories and brands they name.

        Then place orders, if any are to be there from the start.
        """
        with self._by_hand():
            for fields in products:
                self._create(dict(fields))
            for purchase in orders:
                self._orders.buy(dict(purchase))
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
            case "trash" | "delete" as what if "order" not in order:
                item = self._item(order)
                return self._rows(item).delete(item.id, BASE, force=what == "delete")
            case "switch":
                return self._switch(order)
            case "reset":
                self._store.clear()
                self._store.books.reset()
                return {}
            case _:
                return self._orders.done(order)

    def _switch(self, order: Body) -> Json:
        """Install or remove a way of shipping; what it kept stays."""
        match order:
            case {"feature": "fulfillments" | "shipment_tracking" as name, "on": bool(on)}:
                self._store.features = self._store.features - {name} | ({name} if on else set())
            case _:
                words = "feature must be fulfillments or shipment_tracking, on true or false"
                raise ControlError(words)
        return {"features": [*sorted(self._store.features)]}

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

"""Prices and stock as the platform settles them: what is derived, ignored and synchronized."""

from datetime import datetime

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import decimal, php_text

Body = dict[str, Json]
STATUSES = ("instock", "outofstock", "onbackorder")


def truth(value: Json) -> bool:
    """Read a yes or no the way the platform's setters do."""
    return value is True or php_text(value).lower() in ("yes", "1", "true")


def whole(value: Json) -> int:
    """Read an amount the way PHP casts: `2.7` is 2, a word is 0."""
    sign = -1 if php_text(value).lstrip().startswith("-") else 1
    return sign * id_of(value)


def number(value: Json) -> float | None:
    """Return a stored price as a number, if it is one."""
    try:
        return float(value) if isinstance(value, str) and value else None
    except ValueError:
        return None


# Prices


def set_prices(store: Store, item: Item, body: Body) -> None:
    """Take the prices that were sent; a parent of variations has none of its own."""
    if item.type in ("variable", "grouped"):
        item.regular_price = item.sale_price = ""
        item.sale_from = item.sale_to = None
        return
    if body.get("regular_price") is not None:
        item.regular_price = decimal(body["regular_price"])
    if body.get("sale_price") is not None:
        item.sale_price = decimal(body["sale_price"])
    for name, field in (("date_on_sale_from", "sale_from"), ("date_on_sale_to", "sale_to")):
        for key, gmt in ((name, False), (f"{name}_gmt", True)):
            if key in body:
                text = php_text(body[key])
                setattr(item, field, store.time.read(text, gmt=gmt) if text else None)


def settle_prices(item: Item) -> None:
    """Drop a sale price that is no reduction."""
    sale, regular = number(item.sale_price), number(item.regular_price)
    if sale is not None and (regular is None or sale >= regular):
        item.sale_price = ""


def is_on_sale(item: Item, now: datetime) -> bool:
    """Say whether the sale price holds now."""
    if item.sale_price == "":
        return False
    begun = item.sale_from is None or item.sale_from <= now
    return begun and (item.sale_to is None or item.sale_to >= now)


def price(store: Store, item: Item) -> Json:
    """Return what the item costs now; a parent costs what its cheapest part costs."""
    match item.type:
        case "variable":
            parts = [v for v in store.variations(item.id) if v.status == "publish"]
        case "grouped":
            parts = [store.items[i] for i in item.grouped if i in store.items]
        case _:
            on_sale = is_on_sale(item, store.clock.now())
            return item.sale_price if on_sale else item.regular_price
    prices = [price(store, part) for part in parts]
    texts = [text for text in prices if isinstance(text, str) and number(text) is not None]
    return min(texts, key=lambda text: number(text) or 0.0, default="")


# Stock


def set_stock(item: Item, body: Body) -> None:
    """Take the stock fields of a product that were sent, and ignore those that cannot apply."""
    status = php_text(body["stock_status"]) if body.get("stock_status") else item.stock_status
    if item.type == "external":
        _refuse_external(body)
    if body.get("manage_stock") is not None:
        item.manage_stock = truth(body["manage_stock"])
    if body.get("backorders") is not None:
        item.backorders = php_text(body["backorders"])
    if item.type in ("grouped", "external"):
        item.manage_stock = False
    if not item.manage_stock:
        item.stock_quantity = None
        item.stock_status = status if status in STATUSES else "instock"
    elif body.get("stock_quantity") is not None:
        item.stock_quantity = whole(body["stock_quantity"])
    elif body.get("inventory_delta") is not None:
        item.stock_quantity = (item.stock_quantity or 0) + whole(body["inventory_delta"])


def _refuse_external(body: Body) -> None:
    if truth(body.get("manage_stock")):
        words = "External products cannot be stock managed."
        raise ApiError("product_external_invalid_manage_stock", words, 400)
    if body.get("backorders") not in (None, "", "no"):
        words = "External products cannot be backordered."
        raise ApiError("product_external_invalid_backorders", words, 400)


def set_variation_stock(item: Item, body: Body) -> None:
    """Take the stock fields of a variation; "parent" means it does not manage its own."""
    sent = body.get("manage_stock")
    if sent is not None:
        item.manage_stock = sent != "parent" and truth(sent)
    if body.get("stock_status"):
        status = php_text(body["stock_status"])
        item.stock_status = status if status in STATUSES else "instock"
    if body.get("backorders") is not None:
        item.backorders = php_text(body["backorders"])
    if not item.manage_stock:
        item.stock_quantity = None
    elif body.get("stock_quantity") is not None:
        item.stock_quantity = whole(body["stock_quantity"])
    elif body.get("inventory_delta") is not None:
        item.stock_quantity = (item.stock_quantity or 0) + whole(body["inventory_delta"])


def settle_stock(store: Store, item: Item) -> None:
    """Derive what follows from the stock fields, as every save does."""
    if not store.options.manages_stock:
        item.manage_stock = False
    if item.manage_stock:
        item.stock_status = _status(item.stock_quantity or 0, item.backorders)
        return
    item.stock_quantity, item.backorders, item.low_stock_amount = None, "no", None
    if item.type == "variable":
        # A product that is being created is asked for its variations by the id 0, and so finds the
        # orphans that a create under a missing parent leaves behind.
        item.stock_status = _family_status(store, item.id)


def _status(quantity: int, backorders: str) -> str:
    if quantity > 0:
        return "instock"
    return "outofstock" if backorders == "no" else "onbackorder"


def _family_status(store: Store, parent_id: int) -> str:
    states = {v.stock_status for v in store.variations(parent_id) if v.status in _LIVE}
    for state in ("instock", "onbackorder"):
        if state in states:
            return state
    return "outofstock"


_LIVE = ("publish", "private")


def sync_parent(store: Store, parent_id: int) -> None:
    """Let a parent follow its variations: its stock status, and the time of its change."""
    parent = store.items.get(parent_id)
    if parent is None or parent.type != "variable":
        return
    if not parent.manage_stock:
        parent.stock_status = _family_status(store, parent_id)
    store.touch(parent_id)


def sync_variations(store: Store, parent: Item) -> None:
    """Let the variations that do not manage their own stock follow a parent that does."""
    if parent.type != "variable" or not parent.manage_stock:
        return
    for variation in store.variations(parent.id):
        if not variation.manage_stock:
            variation.stock_status = parent.stock_status


def take_stock(store: Store, item_id: int, quantity: int) -> tuple[int, int] | None:
    """Take units off whoever manages the stock of an item; says the levels before and after."""
    item = store.items.get(item_id)
    if item is not None and item.is_variation and not item.manage_stock:
        parent = store.items.get(item.parent_id)
        item = parent if parent is not None and parent.manage_stock else None
    if item is None or not item.manage_stock:
        return None
    changed = store.draft(item.id)
    before = changed.stock_quantity or 0
    changed.stock_quantity = before - quantity
    settle_stock(store, changed)
    store.save(changed)
    sync_variations(store, changed)
    if changed.is_variation:
        sync_parent(store, changed.parent_id)
    return before, changed.stock_quantity

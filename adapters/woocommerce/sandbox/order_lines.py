"""The lines of an order: what a request adds, changes and removes, and the stock that moves."""

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import attributes, stock
from adapters.woocommerce.sandbox.errors import ApiError, CrashError
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item, Meta
from adapters.woocommerce.sandbox.ordering import Fee, Line, Order, Shipping, amount_of
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import php_text
from adapters.woocommerce.sandbox.views import choice_words


def take_lines(store: Store, order: Order, body: Body) -> None:
    """Take the lines that were sent; a line without id is added, one emptied is removed."""
    for row in _rows(body.get("line_items")):
        known = next((line for line in order.lines if line.id == id_of(row.get("id"))), None)
        if known is None:
            order.lines.append(_new(store, row))
        elif _is_emptied(row):
            give_back(store, known)
            order.lines.remove(known)
        else:
            _change(store, known, row)
    for row in _rows(body.get("shipping_lines")):
        _take_shipping(store, order, row)
    for row in _rows(body.get("fee_lines")):
        total = amount_of(row.get("total"))
        order.fees.append(Fee(store.next_id("line"), php_text(row.get("name")), total))


def _rows(value: Json) -> list[Body]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _is_emptied(row: Body) -> bool:
    keys = ("product_id", "quantity")
    return any(key in row and row[key] in (None, 0) for key in keys)


def _product_of(store: Store, row: Body) -> Item | None:
    for key in ("variation_id", "product_id"):
        if row.get(key):
            return store.items.get(id_of(row[key]))
    if row.get("sku"):
        found = store.with_sku(php_text(row["sku"]))
        return found[0] if found else None
    words = "Product ID or SKU is required."
    raise ApiError("woocommerce_rest_required_product_reference", words, 400)


def _new(store: Store, row: Body) -> Line:
    item = _product_of(store, row)
    quantity = stock.whole(row["quantity"]) if row.get("quantity") is not None else 1
    if quantity == 0:
        raise CrashError  # the real store divides by it
    line = Line(store.next_id("line"), quantity=quantity)
    if item is not None:
        _name(store, line, item)
        cost = amount_of(stock.price(store, item))
        line.subtotal = line.total = cost * quantity
    _take_amounts(store, line, row)
    return line


def _name(store: Store, line: Line, item: Item) -> None:
    if not item.is_variation:
        line.product_id, line.name = item.id, item.name
        return
    parent = store.items.get(item.parent_id)
    words = choice_words(store, item)
    above = parent.name if parent is not None else ""
    line.name = f"{above} - {words}" if words else above
    line.product_id, line.variation_id = item.parent_id, item.id
    line.chosen = [
        (store.next_id("meta"), attributes.key_of(a), attributes.label(store, a), word)
        for a, word in attributes.choices(store, item, parent)
    ]


def _take_amounts(store: Store, line: Line, row: Body) -> None:
    if row.get("name") and not line.name and line.product_id:
        line.name = php_text(row["name"])
    if row.get("subtotal") is not None:
        line.subtotal = amount_of(row["subtotal"])
    if row.get("total") is not None:
        line.total = amount_of(row["total"])
        line.subtotal = max(line.subtotal, line.total)
    for entry in _rows(row.get("meta_data")):
        key = php_text(entry.get("key"))
        line.meta.append(Meta(store.next_id("meta"), key, entry.get("value")))


def _change(store: Store, line: Line, row: Body) -> None:
    if row.get("quantity") is not None:
        quantity = stock.whole(row["quantity"])
        if line.reduced is not None and quantity != line.reduced:
            more = quantity - line.reduced
            stock.take_stock(store, line.variation_id or line.product_id, more)
            line.reduced = quantity
        line.quantity = quantity
    _take_amounts(store, line, row)


def _take_shipping(store: Store, order: Order, row: Body) -> None:
    known = next((p for p in order.shipping_lines if p.id == id_of(row.get("id"))), None)
    if known is not None and "method_id" in row and row["method_id"] is None:
        order.shipping_lines.remove(known)
        return
    if known is None:
        if not row.get("method_id"):
            words = "Shipping method ID is required."
            raise ApiError("woocommerce_rest_invalid_shipping_item", words, 400)
        known = Shipping(store.next_id("line"), "")
        order.shipping_lines.append(known)
    for key in ("method_id", "method_title", "instance_id"):
        if row.get(key) is not None:
            setattr(known, key, php_text(row[key]))
    if row.get("total") is not None:
        known.total = amount_of(row["total"])


# Stock


def reduce_stock(store: Store, order: Order) -> list[str]:
    """Take the units of every line that has not yet, and say what moved, as the notes do."""
    moved = []
    for line in order.lines:
        item_id = line.variation_id or line.product_id
        if line.reduced is None and item_id:
            levels = stock.take_stock(store, item_id, line.quantity)
            if levels is not None:
                line.reduced, line.reduced_id = line.quantity, store.next_id("meta")
                moved.append(_moved(store, line, levels))
                _count_sale(store, line, line.quantity)
    return moved


def restore_stock(store: Store, order: Order) -> list[str]:
    """Give back what the lines have taken, and say what moved."""
    return [words for line in order.lines if (words := give_back(store, line))]


def give_back(store: Store, line: Line) -> str:
    """Give back what one line has taken."""
    if line.reduced is None:
        return ""
    taken, line.reduced = line.reduced, None
    if taken == 0:  # all of it came back with refunds
        return ""
    levels = stock.take_stock(store, line.variation_id or line.product_id, -taken)
    _count_sale(store, line, -taken)
    return _moved(store, line, levels) if levels is not None else ""


def put_back(store: Store, line: Line, quantity: int) -> str:
    """Put units that were refunded back on the shelf, no more than were taken; says so."""
    quantity = min(quantity, line.reduced or 0)
    item_id = line.variation_id or line.product_id
    levels = stock.take_stock(store, item_id, -quantity) if quantity else None
    if levels is None or line.reduced is None:
        return ""
    line.reduced -= quantity
    return f"Item #{item_id} stock increased from {levels[0]} to {levels[1]}."


def _count_sale(store: Store, line: Line, quantity: int) -> None:
    product = store.items.get(line.product_id)
    if product is not None:
        product.total_sales += quantity


def _moved(store: Store, line: Line, levels: tuple[int, int]) -> str:
    item = store.items.get(line.variation_id or line.product_id)
    sku = f" ({item.sku})" if item is not None and item.sku else ""
    gap = '<span class="description"></span>' if line.variation_id else ""
    return f"{line.name}{sku}{gap} {levels[0]}&rarr;{levels[1]}"

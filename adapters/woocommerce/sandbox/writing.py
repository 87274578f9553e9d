"""What creates and updates of products and variations have in common: fields taken over as sent.

Checks of types happened before, or not at all in a batch; what is left are the setters' own.
"""

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.errors import ApiError, CrashError
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item, Meta
from adapters.woocommerce.sandbox.stock import Body, truth
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import clean, decimal, filtered, php_text

_SWITCHES = ("virtual", "downloadable", "sold_individually", "reviews_allowed")
_PLAIN = (
    *("downloads", "download_limit", "download_expiry", "external_url", "button_text"),
    *("tax_status", "shipping_class", "purchase_note", "upsell_ids"),
    *("cross_sell_ids", "post_password"),
)
# Custom fields that are really fields: the platform passes them to the setter instead.
_INTERNAL = {"_sku": "sku", "_regular_price": "regular_price", "_sale_price": "sale_price"}
_IGNORED = frozenset(
    {"_stock", "_stock_status", "_manage_stock", "_backorders", "_price", "_weight", "_length"}
    | {"_width", "_height", "_visibility", "_featured", "_virtual", "_downloadable"}
)


def text_of(value: Json) -> str:
    """Return text without forbidden markup; a list where text belongs kills the request."""
    if isinstance(value, list | dict):
        raise CrashError
    return filtered(php_text(value))


def take_common(store: Store, item: Item, body: Body) -> None:
    """Take the fields that products and variations share."""
    if "description" in body:
        item.description = text_of(body["description"])
    _take_identifiers(store, item, body)
    _take_sizes(item, body)
    if "menu_order" in body:
        item.menu_order = id_of(body["menu_order"])
    if "low_stock_amount" in body:
        item.low_stock_amount = body["low_stock_amount"]
    if body.get("tax_class") is not None:
        known = ("reduced-rate", "zero-rate", *(("parent",) if item.is_variation else ()))
        item.extras["tax_class"] = body["tax_class"] if body["tax_class"] in known else ""
    for name in _SWITCHES:
        if body.get(name) is not None:
            item.extras[name] = truth(body[name])
    for name in _PLAIN:
        if body.get(name) is not None:
            item.extras[name] = body[name]


def _take_identifiers(store: Store, item: Item, body: Body) -> None:
    if "sku" in body:
        if isinstance(body["sku"], list | dict):
            raise CrashError
        store.claim_sku(item, clean(php_text(body["sku"])))
    if "global_unique_id" in body:
        kept = [c for c in php_text(body["global_unique_id"]) if c in "0123456789-"]
        store.claim_gtin(item, "".join(kept))


def _take_sizes(item: Item, body: Body) -> None:
    if body.get("weight") is not None:
        item.weight = decimal(body["weight"])
    sizes = body.get("dimensions")
    for name in ("length", "width", "height"):
        if isinstance(sizes, dict) and sizes.get(name) is not None:
            setattr(item, name, decimal(sizes[name]))


def take_created(store: Store, item: Item, body: Body) -> None:
    """Take the date of creation: one without a zone is UTC here, unlike everywhere else."""
    for name in ("date_created", "date_created_gmt"):
        if body.get(name):
            moment = store.time.read(php_text(body[name]), gmt=True)
            if moment is not None:
                item.created = moment


def take_meta(store: Store, item: Item, sent: Json) -> None:
    """Set custom fields by id or key; nothing as value deletes one."""
    for row in sent if isinstance(sent, list) else ():
        if not isinstance(row, dict) or not row.get("key"):
            continue
        key, value = php_text(row["key"]), row.get("value")
        if key in _INTERNAL:
            take_common(store, item, {_INTERNAL[key]: value})
        elif key not in _IGNORED:
            _set_meta(store, item, id_of(row.get("id")), key, value)


def _set_meta(store: Store, item: Item, meta_id: int, key: str, value: Json) -> None:
    found = [m for m in item.meta if (m.id == meta_id if meta_id else m.key == key)]
    if value is None:
        item.meta = [m for m in item.meta if m not in found]
    elif found:
        found[0].key, found[0].value = key, value
    else:
        item.meta.append(Meta(store.next_id("meta"), key, value))


def refuse_junk(value: Json, allowed: tuple[str, ...], code: str, words: str) -> str:
    """Return a word that a setter accepts, or refuse as the setter does."""
    text = php_text(value)
    if text not in allowed:
        raise ApiError(code, words, 400)
    return text

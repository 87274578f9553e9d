"""The argument tables of the platform's routes, as its own index of routes lists them."""

from collections.abc import Mapping
from dataclasses import replace

from adapters.woocommerce.sandbox.fields import Arg

Args = Mapping[str, Arg]

INT = Arg("integer")
TEXT = Arg("string")
YES_NO = Arg("boolean")
DATE = Arg("null,string")
STAMP = Arg("string", format="date-time")
IDS = Arg("ids", default=[])
TEXTS = Arg("array", items=TEXT, default=[])


def _rows(**properties: Arg) -> Arg:
    return Arg("array", items=Arg("object", properties=properties))


_STATES = ("any", "future", "trash", "draft", "pending", "private", "publish")
_TYPES = ("simple", "grouped", "external", "variable")
_STOCK = ("instock", "outofstock", "onbackorder")
_META = _rows(key=TEXT, value=Arg("mixed"))
_SIZES = Arg("object", properties={"length": TEXT, "width": TEXT, "height": TEXT})
_TERMS = _rows(id=INT, name=TEXT, slug=TEXT)
_IMAGE = {"id": INT, "src": Arg("string", format="uri"), "name": TEXT, "alt": TEXT}

_PAGE: Args = {
    "context": Arg(enum=("view", "edit"), default="view"),
    "page": Arg("integer", default=1, minimum=1),
    "per_page": Arg("integer", default=10, minimum=1, maximum=100),
    "search": TEXT,
}
_POSTS: Args = {
    **_PAGE,
    "after": STAMP,
    "before": STAMP,
    "modified_after": STAMP,
    "modified_before": STAMP,
    "dates_are_gmt": Arg("boolean", default=False),
    "exclude": IDS,
    "include": IDS,
    "offset": INT,
    "order": Arg(enum=("asc", "desc"), default="desc"),
}
_ORDERBY = ("date", "id", "include", "title", "slug", "modified")
# The platform names some of these twice, and so does its refusal.
_PRODUCT_ORDERBY = (
    *_ORDERBY,
    *("popularity", "rating", "post__in", "price", "sales", "menu_order", "random"),
    *("popularity", "rating", "menu_order", "price", "popularity", "rating"),
)
_ITEM_FILTERS: Args = {
    "parent": IDS,
    "parent_exclude": IDS,
    "slug": TEXT,
    "status": Arg(enum=_STATES, default="any"),
    "include_status": Arg("array", items=Arg(enum=_STATES)),
    "exclude_status": Arg("array", items=Arg(enum=_STATES[1:])),
    "sku": TEXT,
    "on_sale": YES_NO,
    "min_price": TEXT,
    "max_price": TEXT,
    "stock_status": Arg(enum=_STOCK),
    "include_meta": TEXTS,
    "exclude_meta": TEXTS,
    "virtual": YES_NO,
    "downloadable": YES_NO,
}

PRODUCT_LIST: Args = {
    **_POSTS,
    "orderby": Arg(enum=_PRODUCT_ORDERBY, default="date"),
    **_ITEM_FILTERS,
    "brand": TEXT,
    "type": Arg(enum=_TYPES),
    "include_types": Arg("array", items=Arg(enum=_TYPES)),
    "exclude_types": Arg("array", items=Arg(enum=_TYPES)),
    "featured": YES_NO,
    "category": TEXT,
    "tag": TEXT,
    "shipping_class": TEXT,
    "attribute": TEXT,
    "attribute_term": TEXT,
    "search_sku": TEXT,
    "search_name_or_sku": TEXT,
    "search_fields": TEXTS,
}
VARIATION_LIST: Args = {
    **_POSTS,
    "orderby": Arg(enum=(*_ORDERBY, "menu_order"), default="date"),
    **_ITEM_FILTERS,
    "has_price": YES_NO,
}
TERM_LIST: Args = {
    **_PAGE,
    "exclude": IDS,
    "include": IDS,
    "offset": INT,
    "order": Arg(enum=("asc", "desc"), default="asc"),
    "orderby": Arg(
        enum=("id", "include", "name", "slug", "term_group", "description", "count"),
        default="name",
    ),
    "hide_empty": Arg("boolean", default=False),
    "parent": INT,
    "product": INT,
    "slug": TEXT,
}
DELETE: Args = {"force": Arg("boolean", default=False)}
VIEW: Args = {"context": Arg(enum=("view", "edit"), default="view")}

_ITEM: Args = {
    "description": TEXT,
    "sku": TEXT,
    "global_unique_id": TEXT,
    "regular_price": TEXT,
    "sale_price": TEXT,
    "date_on_sale_from": DATE,
    "date_on_sale_from_gmt": DATE,
    "date_on_sale_to": DATE,
    "date_on_sale_to_gmt": DATE,
    "virtual": Arg("boolean", default=False),
    "downloadable": Arg("boolean", default=False),
    "downloads": _rows(id=TEXT, name=TEXT, file=TEXT),
    "download_limit": Arg("integer", default=-1),
    "download_expiry": Arg("integer", default=-1),
    "tax_status": Arg(enum=("taxable", "shipping", "none"), default="taxable"),
    "tax_class": TEXT,
    "stock_quantity": INT,
    "stock_status": Arg(enum=_STOCK, default="instock"),
    "backorders": Arg(enum=("no", "notify", "yes"), default="no"),
    "low_stock_amount": Arg("integer,null"),
    "weight": TEXT,
    "dimensions": _SIZES,
    "shipping_class": TEXT,
    "menu_order": INT,
    "meta_data": _META,
}
PRODUCT: Args = {
    "name": TEXT,
    "slug": TEXT,
    "date_created": DATE,
    "date_created_gmt": DATE,
    "type": Arg(enum=_TYPES, default="simple"),
    "status": Arg(enum=("draft", "pending", "private", "publish", "future", "auto-draft", "trash")),
    "featured": Arg("boolean", default=False),
    "catalog_visibility": Arg(enum=("visible", "catalog", "search", "hidden"), default="visible"),
    "short_description": TEXT,
    **_ITEM,
    "external_url": Arg("string", format="uri"),
    "button_text": TEXT,
    "manage_stock": Arg("boolean", default=False),
    "sold_individually": Arg("boolean", default=False),
    "reviews_allowed": Arg("boolean", default=True),
    "post_password": TEXT,
    "upsell_ids": Arg("array", items=INT),
    "cross_sell_ids": Arg("array", items=INT),
    "parent_id": INT,
    "purchase_note": TEXT,
    "categories": _TERMS,
    "brands": _TERMS,
    "tags": _TERMS,
    "images": _rows(**_IMAGE),
    "attributes": _rows(
        id=INT,
        name=TEXT,
        position=INT,
        visible=YES_NO,
        variation=YES_NO,
        options=Arg("array", items=TEXT),
    ),
    "default_attributes": _rows(id=INT, name=TEXT, option=TEXT),
}
VARIATION: Args = {
    **_ITEM,
    "status": Arg(enum=("draft", "pending", "private", "publish")),
    "manage_stock": Arg("boolean,string", default=False),
    "image": Arg("object", properties=_IMAGE),
    "attributes": _rows(id=INT, name=TEXT, option=TEXT),
}
TAG: Args = {"name": Arg("string", required=True), "slug": TEXT, "description": TEXT}
VALUE: Args = {**TAG, "menu_order": INT}
TERM: Args = {
    **VALUE,
    "parent": INT,
    "display": Arg(enum=("default", "products", "subcategories", "both"), default="default"),
    "image": Arg("object", properties=_IMAGE),
}
ATTRIBUTE: Args = {
    "name": Arg("string", required=True),
    "slug": TEXT,
    "type": Arg(enum=("select",), default="select"),
    "order_by": Arg(enum=("menu_order", "name", "name_num", "id"), default="menu_order"),
    "has_archives": Arg("boolean", default=False),
}


def unrequired(args: Args) -> Args:
    """Return a table in which nothing has to be sent, as for an update."""
    return {
        name: Arg(arg.type, arg.enum, arg.default, arg.minimum, arg.maximum, arg.format, arg.items)
        if arg.required
        else arg
        for name, arg in args.items()
    }


_ORDER_STATES = (
    *("auto-draft", "pending", "processing", "on-hold", "completed", "cancelled", "refunded"),
    *("failed", "checkout-draft"),
)
_ADDRESS = dict.fromkeys(
    (
        *("first_name", "last_name", "company", "address_1", "address_2", "city", "state"),
        *("postcode", "country", "phone"),
    ),
    TEXT,
)
ORDER_LIST: Args = {
    **_POSTS,
    "orderby": Arg(enum=_ORDERBY, default="date"),
    "parent": IDS,
    "parent_exclude": IDS,
    "status": Arg("array", items=Arg(enum=("any", "trash", *_ORDER_STATES)), default=["any"]),
    "customer": INT,
    "product": INT,
    "dp": Arg("integer", default=2),
    "created_via": Arg("array", items=TEXT),
}
ORDER: Args = {
    "parent_id": INT,
    "status": Arg(enum=_ORDER_STATES),
    "currency": TEXT,
    "customer_id": INT,
    "customer_note": TEXT,
    "billing": Arg("object", properties={**_ADDRESS, "email": Arg("string", format="email")}),
    "shipping": Arg("object", properties=_ADDRESS),
    "payment_method": TEXT,
    "payment_method_title": TEXT,
    "transaction_id": TEXT,
    "meta_data": _META,
    "line_items": _rows(
        id=INT,
        name=TEXT,
        product_id=Arg("mixed"),
        variation_id=INT,
        quantity=INT,
        tax_class=TEXT,
        subtotal=TEXT,
        total=TEXT,
        sku=TEXT,
        meta_data=_META,
    ),
    "shipping_lines": _rows(
        id=INT, method_id=Arg("mixed"), method_title=Arg("mixed"), instance_id=TEXT, total=TEXT
    ),
    "fee_lines": _rows(id=INT, name=Arg("mixed"), total=TEXT),
    "set_paid": Arg("boolean", default=False),
}
NOTE_LIST: Args = {"type": Arg(enum=("any", "customer", "internal"), default="any")}
NOTE: Args = {
    "note": Arg("string", required=True),
    "customer_note": Arg("boolean", default=False),
    "added_by_user": Arg("boolean", default=False),
}
REFUND_LIST: Args = {
    **_POSTS,
    "orderby": Arg(enum=_ORDERBY, default="date"),
    "parent": IDS,
    "parent_exclude": IDS,
    "dp": Arg("integer", default=2),
}
REFUND: Args = {
    "amount": TEXT,
    "reason": TEXT,
    "api_refund": Arg("boolean", default=True),
    "api_restock": Arg("boolean", default=True),
}


def with_statuses(args: Args, added: tuple[str, ...]) -> Args:
    """Return a table of orders that knows further statuses, as those of plugins."""
    status = args["status"]
    if not added:
        return args
    if status.items is not None:
        wider = replace(status, items=replace(status.items, enum=(*status.items.enum, *added)))
    else:
        wider = replace(status, enum=(*status.enum, *added))
    return {**args, "status": wider}

"""The routes of the API, in the order they are tried, with who handles what."""

from collections.abc import Callable

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import batch, listing, schemas, stock, views
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.paging import STABLE, Order, Page, cut
from adapters.woocommerce.sandbox.products import Products
from adapters.woocommerce.sandbox.routing import Answer, Call, Endpoint, Handler, Route
from adapters.woocommerce.sandbox.site import Site
from adapters.woocommerce.sandbox.store import BRAND, CATEGORY, TAG, Store
from adapters.woocommerce.sandbox.terms import Attributes, Terms
from adapters.woocommerce.sandbox.text import collated
from adapters.woocommerce.sandbox.variations import Variations

V3 = "/wc/v3"
ID = r"(?P<id>[\d]+)"
EDITS = ("POST", "PUT", "PATCH")


def collection(pattern: str, lists: Endpoint, create: Handler, args: schemas.Args) -> Route:
    """Return the route of a list that things can be added to."""
    return Route(pattern, lists, Endpoint(("POST",), create, args, "create", defaults=True))


def single(
    pattern: str, get: Handler, update: Handler, delete: Handler, args: schemas.Args
) -> Route:
    """Return the route of one thing."""
    return Route(
        pattern,
        Endpoint(("GET",), get, schemas.VIEW, "read"),
        Endpoint(EDITS, update, schemas.unrequired(args), "edit"),
        Endpoint(("DELETE",), delete, schemas.DELETE, "delete"),
    )


def batches(pattern: str, handler: Handler) -> Route:
    """Return the route of a batch, whose rows nobody checks."""
    return Route(pattern, Endpoint(EDITS, handler, action="batch", checked=False))


def _created(row: views.Row, location: str) -> Answer:
    return Answer(row, 201, {"Location": location})


def _sort_value(store: Store) -> Callable[[Item, str], float | int | str]:
    def value(item: Item, by: str) -> float | int | str:
        match by:
            case "id":
                return item.id
            case "title":
                return collated(item.name)
            case "slug":
                return item.slug
            case "modified":
                return item.modified.timestamp()
            case "menu_order":
                return item.menu_order
            case "price":
                return stock.number(stock.price(store, item)) or 0.0
            case "popularity" | "sales":
                return item.total_sales
            case "date":
                return item.created.timestamp()
            case _:
                return 0

    return value


def product_routes(store: Store) -> list[Route]:
    """Return the routes of products."""
    rows = Products(store)
    order = Order(_sort_value(store), lambda item: item.id, seed=store.options.order_seed)

    def lists(call: Call) -> Answer:
        page: Page[Item] = cut(listing.products(store, call.params), call.params, order)
        shown: list[Json] = [
            views.product(store, item, call.base, edit=call.edit) for item in page.rows
        ]
        return Answer(shown, headers=page.headers(call), flat=True)

    def create(call: Call) -> Answer:
        row = rows.create(call.params, call.base)
        return _created(row, f"{call.base}{views.API}/products/{row['id']}")

    path = f"{V3}/products"
    return [
        collection(
            path,
            Endpoint(("GET",), lists, schemas.PRODUCT_LIST, defaults=True),
            create,
            schemas.PRODUCT,
        ),
        batches(f"{path}/batch", lambda call: Answer(batch.run(rows, call.params, call.base))),
        single(
            f"{path}/{ID}",
            lambda call: Answer(rows.get(call.ids["id"], call.base, edit=call.edit), flat=True),
            lambda call: Answer(rows.update(call.ids["id"], call.params, call.base)),
            lambda call: Answer(rows.delete(call.ids["id"], call.base, force=call.force)),
            schemas.PRODUCT,
        ),
    ]


def variation_routes(store: Store) -> list[Route]:
    """Return the routes of the variations of a product."""
    stable = STABLE | {"date"}
    order = Order(_sort_value(store), lambda item: item.id, stable, store.options.order_seed)

    def rows(call: Call) -> Variations:
        return Variations(store, call.ids["product_id"])

    def lists(call: Call) -> Answer:
        found = listing.variations(store, call.ids["product_id"], call.params)
        page: Page[Item] = cut(found, call.params, order)
        shown: list[Json] = [
            views.variation(store, item, call.base, edit=call.edit) for item in page.rows
        ]
        return Answer(shown, headers=page.headers(call), flat=True)

    def create(call: Call) -> Answer:
        row = rows(call).create(call.params, call.base)
        # The real store forgets to fill in the pattern, too.
        return _created(row, f"{call.base}/wp-json{path}/{row['id']}")

    path = rf"{V3}/products/(?P<product_id>[\d]+)/variations"
    return [
        collection(
            path,
            Endpoint(("GET",), lists, schemas.VARIATION_LIST, defaults=True),
            create,
            schemas.VARIATION,
        ),
        batches(
            f"{path}/batch", lambda call: Answer(batch.run(rows(call), call.params, call.base))
        ),
        Route(
            f"{path}/generate",
            Endpoint(("POST",), lambda call: Answer(rows(call).generate()), {}, "create"),
        ),
        single(
            f"{path}/{ID}",
            lambda call: Answer(
                rows(call).get(call.ids["id"], call.base, edit=call.edit), flat=True
            ),
            lambda call: Answer(rows(call).update(call.ids["id"], call.params, call.base)),
            lambda call: Answer(
                rows(call).delete(call.ids["id"], call.base, force=call.force),
                asked=not call.force,
            ),
            schemas.VARIATION,
        ),
    ]


def _term_routes(path: str, terms: Callable[[Call], Terms], args: schemas.Args) -> list[Route]:
    def lists(call: Call) -> Answer:
        page = terms(call).page(call.params)
        shown: list[Json] = [terms(call).shown(term, call.base) for term in page.rows]
        return Answer(shown, headers=page.headers(call))

    def create(call: Call) -> Answer:
        row = terms(call).create(call.params, call.base)
        return _created(row, f"{call.base}/wp-json{call.path}/{row['id']}")

    return [
        collection(path, Endpoint(("GET",), lists, schemas.TERM_LIST, defaults=True), create, args),
        batches(
            f"{path}/batch", lambda call: Answer(batch.run(terms(call), call.params, call.base))
        ),
        single(
            f"{path}/{ID}",
            lambda call: Answer(terms(call).get(call.ids["id"], call.base)),
            lambda call: Answer(terms(call).update(call.ids["id"], call.params, call.base)),
            lambda call: Answer(terms(call).delete(call.ids["id"], call.base, force=call.force)),
            args,
        ),
    ]


def _always(terms: Terms) -> Callable[[Call], Terms]:
    return lambda _call: terms


def term_routes(store: Store) -> list[Route]:
    """Return the routes of categories, tags, brands, global attributes and their terms."""
    attributes = Attributes(store)

    def lists(call: Call) -> Answer:
        shown = attributes.all(call.base)
        page = Page(shown, len(shown), 1 if shown else 0)
        return Answer(shown, headers=page.headers(call))

    def create(call: Call) -> Answer:
        row = attributes.create(call.params, call.base)
        return _created(row, f"{call.base}{views.API}/products/attributes/{row['id']}")

    def terms(call: Call) -> Terms:
        attribute = attributes.found(call.ids["attribute_id"])
        below = f"/products/attributes/{attribute.id}/terms"
        return Terms(store, attribute.slug, below)

    routes = [
        collection(
            f"{V3}/products/attributes",
            Endpoint(("GET",), lists, schemas.VIEW),
            create,
            schemas.ATTRIBUTE,
        ),
        single(
            f"{V3}/products/attributes/{ID}",
            lambda call: Answer(attributes.get(call.ids["id"], call.base)),
            lambda call: Answer(attributes.update(call.ids["id"], call.params, call.base)),
            lambda call: Answer(attributes.delete(call.ids["id"], call.base, force=call.force)),
            schemas.ATTRIBUTE,
        ),
        *_term_routes(
            rf"{V3}/products/attributes/(?P<attribute_id>[\d]+)/terms", terms, schemas.VALUE
        ),
    ]
    for name, taxonomy, args in (
        ("categories", CATEGORY, schemas.TERM),
        ("tags", TAG, schemas.TAG),
        ("brands", BRAND, schemas.TERM),
    ):
        known = Terms(store, taxonomy, f"/products/{name}")
        routes += _term_routes(f"{V3}/products/{name}", _always(known), args)
    return routes


def site_routes(store: Store) -> list[Route]:
    """Return the routes about the store itself."""
    site = Site(store)
    paths: dict[str, Handler] = {
        "/data/currencies/current": site.currency,
        "/system_status": site.status,
        "/shipping_methods": site.shipping_methods,
        "/payment_gateways": site.gateways,
        "/taxes/classes": site.tax_classes,
        "/products/reviews": site.reviews,
    }
    return [
        Route(
            rf"{V3}/settings/(?P<group_id>[\w-]+)/(?P<id>[\w-]+)",
            Endpoint(("GET",), site.setting),
            Endpoint(EDITS, site.set_setting, action="edit"),
        ),
        *(Route(V3 + path, Endpoint(("GET",), handler)) for path, handler in paths.items()),
    ]


def catalog_routes(store: Store) -> list[Route]:
    """Return every route but those of orders."""
    return [
        *product_routes(store),
        *variation_routes(store),
        *term_routes(store),
        *site_routes(store),
    ]

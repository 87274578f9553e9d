"""The Shipment Tracking plugin: tracking numbers of an order, in its own namespace and in WC's.

A number belongs to the whole order, not to lines, moves no status, and is there twice when sent
twice. A row cannot be changed, only deleted.
"""

import hashlib
from datetime import UTC, datetime

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import schemas
from adapters.woocommerce.sandbox.catalog import collection
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.fields import Arg
from adapters.woocommerce.sandbox.items import Meta
from adapters.woocommerce.sandbox.ordering import Order, Tracking
from adapters.woocommerce.sandbox.orders import Orders
from adapters.woocommerce.sandbox.providers import PROVIDERS, shown_provider
from adapters.woocommerce.sandbox.routing import Answer, Call, Endpoint, Route
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import clean, php_text, slug
from adapters.woocommerce.sandbox.views import Row

NAMESPACE = "wc-shipment-tracking/v3"
_META = "_wc_shipment_tracking_items"
_ARGS: schemas.Args = {
    "tracking_provider": schemas.TEXT,
    "custom_tracking_provider": schemas.TEXT,
    "custom_tracking_link": schemas.TEXT,
    "tracking_number": Arg("string", required=True),
    "date_shipped": schemas.TEXT,
}


class Trackings:
    """The tracking numbers of the orders of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders = Orders(store)

    def listed(self, order_id: int) -> list[Tracking]:
        """Return the tracking numbers of an order."""
        return self._orders.noted(order_id).trackings

    def found(self, order_id: int, tracking_id: str) -> Tracking:
        """Return one row, or refuse."""
        for row in self.listed(order_id):
            if row.id == tracking_id.lower():
                return row
        code = "woocommerce_rest_order_shipment_tracking_invalid_id"
        raise ApiError(code, "Invalid shipment tracking ID.", 404)

    def create(self, order_id: int, params: Body) -> Tracking:
        """Keep a tracking number; the same sent again is there twice."""
        if params.get("tracking_id"):
            code = "woocommerce_rest_shop_order_shipment_tracking_exists"
            raise ApiError(code, "Cannot create existing order shipment tracking.", 400)
        store, order = self._store, self._orders.noted(order_id)
        text = {name: clean(php_text(params.get(name))) for name in _ARGS}
        serial = store.next_id("tracking")
        row = Tracking(
            hashlib.md5(f"{order_id}-{serial}".encode(), usedforsecurity=False).hexdigest(),
            text["tracking_number"],
            slug(text["tracking_provider"]),
            text["custom_tracking_provider"],
            text["custom_tracking_link"],
            _day(text["date_shipped"]) or store.now(),
            store.by,
        )
        order.trackings.append(row)
        self._follow("create", order, row)
        return row

    def delete(self, order_id: int, tracking_id: str) -> Tracking:
        """Delete a row, and return what it was."""
        row, order = self.found(order_id, tracking_id), self._orders.noted(order_id)
        order.trackings.remove(row)
        self._follow("delete", order, row)
        return row

    def _follow(self, what: str, order: Order, row: Tracking) -> None:
        """Keep the rows in the order's custom fields too, which moves its time of change."""
        kept: list[Json] = [
            {
                "tracking_provider": t.provider,
                "custom_tracking_provider": t.custom_provider,
                "custom_tracking_link": t.custom_link,
                "tracking_number": t.number,
                "date_shipped": str(int(t.shipped.timestamp())),
                "tracking_id": t.id,
            }
            for t in order.trackings
        ]
        known = next((meta for meta in order.meta if meta.key == _META), None)
        if known is None:
            order.meta.append(Meta(self._store.next_id("meta"), _META, kept))
        else:
            known.value = kept
        order.modified = self._store.now()
        about: dict[str, Json] = {"id": row.id, "order_id": order.id}
        self._store.books.effect(what, "tracking", self._store.by, **about)


def _day(text: str) -> datetime | None:
    """Read a day, or a Unix time as some clients send; anything else means today."""
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def tracking_routes(store: Store) -> list[Route]:
    """Return the routes of the plugin, once per namespace, there only while it is installed."""
    namespaces = (NAMESPACE, "wc/v3", "wc/v2", "wc/v1")
    return [route for name in namespaces for route in _routes(Trackings(store), name)]


def _routes(rows: Trackings, namespace: str) -> list[Route]:
    path = rf"/{namespace}/orders/(?P<order_id>[\d]+)/shipment-trackings"

    def shown(call: Call, row: Tracking) -> Row:
        name, link = shown_provider(row)
        above = f"{call.base}/wp-json/{namespace}/orders/{call.ids['order_id']}"
        return {
            "tracking_id": row.id,
            "tracking_provider": name,
            "tracking_link": link,
            "tracking_number": row.number,
            "date_shipped": row.shipped.date().isoformat(),
            "_links": {
                "self": [{"href": f"{above}/shipment-trackings/{row.id}"}],
                "collection": [{"href": f"{above}/shipment-trackings"}],
                "up": [{"href": above}],
            },
        }

    def named(call: Call) -> str:
        return call.path.rsplit("/", 1)[-1]

    def lists(call: Call) -> Answer:
        return Answer([shown(call, row) for row in rows.listed(call.ids["order_id"])])

    def create(call: Call) -> Answer:
        row = rows.create(call.ids["order_id"], call.params)
        # The plugin writes the id, a text, as a number into the address.
        digits = row.id[: len(row.id) - len(row.id.lstrip("0123456789"))]
        location = f"{call.base}/wp-json{call.path}/{int(digits or '0')}"
        return Answer(shown(call, row), 201, {"Location": location})

    def get(call: Call) -> Answer:
        return Answer(shown(call, rows.found(call.ids["order_id"], named(call))))

    def delete(call: Call) -> Answer:
        return Answer(shown(call, rows.delete(call.ids["order_id"], named(call))))

    def providers(_call: Call) -> Answer:
        listed: dict[str, Json] = {country: {**known} for country, known in PROVIDERS.items()}
        return Answer(listed)

    return [
        collection(path, Endpoint(("GET",), lists, schemas.VIEW), create, _ARGS),
        Route(f"{path}/providers", Endpoint(("GET",), providers, {}, "read")),
        Route(
            rf"{path}/(?P<id>[a-fA-F0-9]{{0,32}})",
            Endpoint(("GET",), get, schemas.VIEW, "read"),
            Endpoint(("DELETE",), delete, {}, "delete"),
        ),
    ]

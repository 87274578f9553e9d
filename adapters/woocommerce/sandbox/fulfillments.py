"""The store's own fulfillments, a feature that has to be switched on: records and routes.

They say what left; they neither move the status of an order nor keep anyone from sending the same
twice. What they ship and the tracking are custom fields.
"""

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.catalog import EDITS, V3, collection
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.fields import Arg
from adapters.woocommerce.sandbox.items import Meta
from adapters.woocommerce.sandbox.order_books import units_of
from adapters.woocommerce.sandbox.ordering import Fulfillment, Order
from adapters.woocommerce.sandbox.orders import Orders
from adapters.woocommerce.sandbox.routing import Answer, Call, Endpoint, Route
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import php_text
from adapters.woocommerce.sandbox.views import Row

_NOTIFY = {"notify_customer": Arg("boolean", default=False)}
_ARGS = {
    "status": Arg("string", default="unfulfilled"),
    "is_fulfilled": Arg("boolean", default=False),
    "meta_data": Arg("array", required=True),
    **_NOTIFY,
}
_STATUS = "_fulfillment_status"


class FulfillmentError(ApiError):
    """A refusal of a fulfillment, with PHP's number of the exception for a code."""

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(str(number), message, 400)
        self.number = number

    def content(self) -> dict[str, Json]:
        """Return the body of the answer."""
        return {"code": self.number, "message": self.message, "data": {"status": self.status}}


class Fulfillments:
    """The fulfillments of the orders of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders = Orders(store)

    def listed(self, order_id: int) -> list[Fulfillment]:
        """Return the fulfillments of an order but those deleted."""
        return [f for f in self._orders.noted(order_id).fulfillments if f.deleted is None]

    def found(self, order_id: int, fulfillment_id: int) -> Fulfillment:
        """Return a fulfillment of this order, or refuse; nothing here is a 404."""
        self._orders.noted(order_id)
        for order in self._store.orders.values():
            for fulfillment in order.fulfillments:
                if fulfillment.id != fulfillment_id:
                    continue
                if fulfillment.deleted is not None:
                    raise FulfillmentError("Fulfillment not found.", 404)
                if order.id != order_id:
                    raise FulfillmentError("Invalid fulfillment ID.")
                return fulfillment
        raise FulfillmentError("Fulfillment not found.")

    def create(self, order_id: int, params: Body) -> Fulfillment:
        """Keep what has left; the same sent again is there twice."""
        store, order = self._store, self._orders.noted(order_id)
        made = Fulfillment(0, store.now(), by=store.by)
        self._take(order, made, params)
        made.id = store.next_id("fulfillment")
        order.fulfillments.append(made)
        self._follow("create", order, made)
        return made

    def update(self, order_id: int, fulfillment_id: int, params: Body) -> Fulfillment:
        """Change a fulfillment; custom fields that are not sent again are gone."""
        known, order = self.found(order_id, fulfillment_id), self._orders.noted(order_id)
        self._take(order, known, params)
        known.updated = self._store.now()
        self._follow("update", order, known)
        return known

    def delete(self, order_id: int, fulfillment_id: int) -> None:
        """Delete a fulfillment."""
        known = self.found(order_id, fulfillment_id)
        known.deleted = self._store.now()
        self._follow("delete", self._orders.noted(order_id), known)

    def _take(self, order: Order, target: Fulfillment, params: Body) -> None:
        sent = params.get("meta_data")
        rows = [row for row in sent if isinstance(row, dict)] if isinstance(sent, list) else []
        kept = {meta.key: meta for meta in target.meta}
        meta: dict[str, Meta] = {}
        for row in rows:
            key, value = php_text(row.get("key")), row.get("value")
            number = kept[key].id if key in kept else self._store.next_id("fulfillment_meta")
            meta[key] = Meta(number, key, value)
        _refuse_items(order, meta["_items"].value if "_items" in meta else None)
        target.meta = [*meta.values()]
        if params.get("status"):
            target.status = php_text(params["status"])
            target.is_fulfilled = target.status == "fulfilled"
        if params.get("is_fulfilled") is not None:
            target.is_fulfilled = params["is_fulfilled"] is True
            if not params.get("status"):
                target.status = "fulfilled" if target.is_fulfilled else "unfulfilled"
        target.told = target.is_fulfilled and params.get("notify_customer") is True

    def _follow(self, what: str, order: Order, done: Fulfillment) -> None:
        """Let the order say how far it is, which moves its time of change, and keep the books."""
        store = self._store
        state = _state(order)
        known = next((meta for meta in order.meta if meta.key == _STATUS), None)
        if state is None:
            order.meta = [meta for meta in order.meta if meta.key != _STATUS]
        elif known is not None:
            known.value = state
        else:
            order.meta.insert(0, Meta(store.next_id("meta"), _STATUS, state))
        order.modified = store.now()
        about: dict[str, Json] = {"id": done.id, "order_id": order.id, "told": done.told}
        store.books.effect(what, "fulfillment", store.by, **about)

    def shown(self, order_id: int, fulfillment: Fulfillment) -> Row:
        """Show a fulfillment."""
        return {
            "id": fulfillment.id,
            "entity_type": "WC_Order",
            "entity_id": str(order_id),
            "status": fulfillment.status,
            "is_fulfilled": fulfillment.is_fulfilled,
            "date_updated": f"{self._store.time.gmt(fulfillment.updated)}Z",
            "date_deleted": None,
            "meta_data": [
                {"id": meta.id, "key": meta.key, "value": meta.value} for meta in fulfillment.meta
            ],
        }


def _refuse_items(order: Order, items: Json) -> None:
    """Refuse what cannot be shipped.

    The real store looks at the shape only; a line of another order is refused here as well, or
    mixing lines up would go unnoticed. Units beyond the ordered ones are taken, as they are there.
    """
    if not items:
        raise FulfillmentError("The fulfillment should contain at least one item.")
    if not isinstance(items, list):
        raise FulfillmentError("The fulfillment items should be an array.")
    known = {line.id for line in order.lines}
    for row in items:
        match row:
            case {"item_id": int(line_id), "qty": int() | float() as quantity} if quantity > 0:
                if line_id in known:
                    continue
            case _:
                pass
        raise FulfillmentError("Invalid item.")


def _state(order: Order) -> str | None:
    alive = [f for f in order.fulfillments if f.deleted is None]
    left = {line.id: line.quantity for line in order.lines}
    for fulfillment in alive:
        if fulfillment.is_fulfilled:
            for line_id, units in units_of(fulfillment).items():
                left[line_id] = left.get(line_id, 0) - units
    if not alive:
        return None
    if not any(fulfillment.is_fulfilled for fulfillment in alive):
        return "unfulfilled"
    return "fulfilled" if all(units <= 0 for units in left.values()) else "partially_fulfilled"


def fulfillment_routes(store: Store) -> list[Route]:
    """Return the routes of fulfillments, which are there only while the feature is on."""
    rows = Fulfillments(store)
    path = rf"{V3}/orders/(?P<order_id>[\d]+)/fulfillments"

    def shown(call: Call, fulfillment: Fulfillment) -> Row:
        return rows.shown(call.ids["order_id"], fulfillment)

    def lists(call: Call) -> Answer:
        return Answer([shown(call, row) for row in rows.listed(call.ids["order_id"])])

    def create(call: Call) -> Answer:
        made = rows.create(call.ids["order_id"], call.params)
        return Answer(shown(call, made), 201)

    def get(call: Call) -> Answer:
        return Answer(shown(call, rows.found(call.ids["order_id"], call.ids["fulfillment_id"])))

    def update(call: Call) -> Answer:
        ids = call.ids["order_id"], call.ids["fulfillment_id"]
        return Answer(shown(call, rows.update(*ids, call.params)))

    def delete(call: Call) -> Answer:
        rows.delete(call.ids["order_id"], call.ids["fulfillment_id"])
        return Answer({"message": "Fulfillment deleted successfully."})

    def meta(call: Call) -> Answer:
        found = rows.found(call.ids["order_id"], call.ids["fulfillment_id"])
        return Answer(shown(call, found)["meta_data"])

    one = rf"{path}/(?P<fulfillment_id>[\d]+)"
    return [
        collection(path, Endpoint(("GET",), lists), create, _ARGS),
        Route(
            one,
            Endpoint(("GET",), get, {}, "read"),
            Endpoint(EDITS, update, _ARGS, "edit"),
            Endpoint(("DELETE",), delete, _NOTIFY, "delete"),
        ),
        Route(f"{one}/metadata", Endpoint(("GET",), meta, {}, "read")),
        Route(f"{path}/lookup", Endpoint(("GET",), _guess, _LOOKUP, "read")),
    ]


_LOOKUP = {"tracking_number": Arg("string", required=True)}


def _guess(call: Call) -> Answer:
    """Guess the carrier of a number; of the real store's many rules only the best known is here."""
    number = php_text(call.params["tracking_number"])
    is_ups = number.upper().startswith("1Z")
    url = f"https://www.ups.com/track?tracknum={number}" if is_ups else ""
    provider = "ups" if is_ups else ""
    return Answer({"tracking_number": number, "shipping_provider": provider, "tracking_url": url})

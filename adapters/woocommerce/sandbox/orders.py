"""Orders: read, create, update, trash and delete; their statuses, the stock those move, notes.

Refunds are `refunds.py`'s; the lines and their stock are `order_lines.py`'s.
"""

import hashlib
import re
from datetime import datetime
from decimal import Decimal

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import order_views, schemas
from adapters.woocommerce.sandbox.errors import ApiError, already_trashed, invalid_id
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Meta, Note
from adapters.woocommerce.sandbox.listing import date_tests
from adapters.woocommerce.sandbox.order_lines import reduce_stock, restore_stock, take_lines
from adapters.woocommerce.sandbox.ordering import (
    PAID,
    REDUCING,
    RESTORING,
    Order,
    Refund,
)
from adapters.woocommerce.sandbox.stock import Body, truth
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import collated, php_text
from adapters.woocommerce.sandbox.views import Row
from adapters.woocommerce.sandbox.writing import text_of

_TEXTS = (
    *("customer_note", "payment_method", "payment_method_title", "transaction_id"),
    "created_via",
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+$")


class Orders:
    """The orders of the store."""

    args = schemas.ORDER

    def __init__(self, store: Store) -> None:
        self._store = store

    def found(self, order_id: int, status: int = 404) -> Order:
        """Return an order, or refuse."""
        order = self._store.orders.get(order_id)
        if order is None:
            raise invalid_id("shop_order", status)
        return order

    def all(self, params: Body) -> list[Order]:
        """Return the orders a list asks for."""
        listed = params.get("status")
        wanted = listed if isinstance(listed, list) else ["any"]
        hidden = ("trash", "auto-draft")
        dates = date_tests(self._store.time, params)
        return [
            order
            for order in self._store.orders.values()
            if (order.status in wanted or ("any" in wanted and order.status not in hidden))
            and all(
                test(order.created if field == "created" else order.modified)
                for field, test in dates
            )
            and self._fits(order, params)
        ]

    def _fits(self, order: Order, params: Body) -> bool:
        for name, inside in (("include", True), ("exclude", False)):
            ids = params.get(name)
            if isinstance(ids, list) and ids and (order.id in ids) is not inside:
                return False
        if params.get("customer") is not None and order.customer_id != params["customer"]:
            return False
        via = params.get("created_via")
        if isinstance(via, list) and via and order.texts.get("created_via", "rest-api") not in via:
            return False
        product = params.get("product")
        if product and not any(product in (li.product_id, li.variation_id) for li in order.lines):
            return False
        return not params.get("search") or self._matches(order, php_text(params["search"]))

    def _matches(self, order: Order, text: str) -> bool:
        names = [line.name for line in order.lines]
        words = [str(order.id), *order.billing.values(), *order.shipping.values(), *names]
        part = collated(text)
        # Plugins that number orders add their number to what is searched.
        return part in (str(order.id), collated(order.number)) or any(
            part in collated(word) for word in words[1:]
        )

    def get(self, order_id: int, base: str) -> Row:
        """Show one order."""
        return order_views.order(self._store, self.found(order_id), base)

    def create(self, body: Body, base: str) -> Row:
        """Create an order; one that starts in a later status goes there at once."""
        return order_views.order(self._store, self.open(body), base)

    def open(self, body: Body, *, number: str = "", ordered_at: datetime | None = None) -> Order:
        """Create an order as `create` does, with its own number and in the past where given.

        What happened then is dated then; only its last change is of now.
        """
        store, now = self._store, self._store.now()
        order = Order(0, now, now, currency=store.currency, number=number)
        self._take(order, body)
        order.add_up()
        order.id = store.next_id("post")
        order.key = "wc_order_" + hashlib.sha256(str(order.id).encode()).hexdigest()[:13]
        store.orders[order.id] = order
        lines: list[Json] = [[line.product_id, line.quantity] for line in order.lines]
        store.books.effect("create", "order", store.by, id=order.id, lines=lines)
        self._set_paid_or_move(order, body)
        if ordered_at is not None:
            order.created = ordered_at
            order.paid = ordered_at if order.paid is not None else None
            order.completed = ordered_at if order.completed is not None else None
            for note in order.notes:
                note.created = ordered_at
            for refund in order.refunds:
                refund.created = ordered_at
        return order

    def update(self, order_id: int, body: Body, base: str) -> Row:
        """Change what was sent."""
        order, store = self.found(order_id, 400), self._store
        before, had_reduced = order.status, order.has_reduced
        self._take(order, body)
        if body.keys() & {"line_items", "shipping_lines", "fee_lines"}:
            order.add_up()
            if had_reduced:
                reduce_stock(store, order)
        order.modified = store.now()
        self._set_paid_or_move(order, body)
        sent: list[Json] = [*sorted(body.keys() - {"id"})]
        status: list[Json] = [before, order.status]
        store.books.effect("update", "order", store.by, id=order.id, sent=sent, status=status)
        return order_views.order(store, order, base)

    def delete(self, order_id: int, base: str, *, force: bool) -> Row:
        """Trash an order, or delete it for good; shows it as it was."""
        order, store = self.found(order_id), self._store
        row = order_views.order(store, order, base)
        if not force and order.status == "trash":
            raise already_trashed("shop_order")
        if force:
            del store.orders[order_id]
        else:
            order.untrashed, order.status, order.modified = order.status, "trash", store.now()
        store.books.effect("delete" if force else "trash", "order", store.by, id=order_id)
        return row

    def label(self, order_id: int) -> Json:
        """Return how a batch names the row of a delete that failed."""
        return order_id

    def _take(self, order: Order, body: Body) -> None:
        for name in ("billing", "shipping"):
            sent = body.get(name)
            if isinstance(sent, dict):
                kept = {key: php_text(value) for key, value in sent.items() if key != "id"}
                getattr(order, name).update(kept)
        email = order.billing.get("email", "")
        if email and not _EMAIL.match(email):
            words = "Invalid billing email address"
            raise ApiError("order_invalid_billing_email", words, 400)
        for name in _TEXTS:
            if body.get(name) is not None:
                order.texts[name] = text_of(body[name])
        if body.get("customer_id") is not None:
            order.customer_id = id_of(body["customer_id"])
        if body.get("currency"):
            order.currency = php_text(body["currency"])
        take_lines(self._store, order, body)
        self._take_meta(order, body.get("meta_data"))

    def _take_meta(self, order: Order, sent: Json) -> None:
        for row in sent if isinstance(sent, list) else ():
            if not isinstance(row, dict) or not row.get("key"):
                continue
            key, value = php_text(row["key"]), row.get("value")
            order.meta = [m for m in order.meta if m.key != key or value is not None]
            known = next((m for m in order.meta if m.key == key), None)
            if known is not None:
                known.value = value
            elif value is not None:
                order.meta.insert(0, Meta(self._store.next_id("meta"), key, value))

    # Statuses

    def _set_paid_or_move(self, order: Order, body: Body) -> None:
        if body.get("status"):
            status = php_text(body["status"]).removeprefix("wc-")
            known = status in self._store.statuses or status in ("auto-draft", "trash")
            self.move(order, status if known else "pending")
        if truth(body.get("set_paid")) and order.paid is None:
            ship = order_views.needs_processing(self._store, order)
            self.move(order, "processing" if ship else "completed")

    def move(self, order: Order, status: str) -> None:
        """Change the status, with the dates, the stock, the refund and the note that follow."""
        if status == order.status:
            return
        before, order.status = order.status, status
        now = self._store.now()
        if status in PAID and order.paid is None:
            order.paid = now
        if status == "completed":
            order.completed = now
        if status in REDUCING:
            self._tell_moved(order, "reduced", reduce_stock(self._store, order))
        elif status in RESTORING:
            self._tell_moved(order, "increased", restore_stock(self._store, order))
        elif status == "refunded" and order.refundable > 0:
            self.give_money_back(order, "Order fully refunded.", order.refundable, by="system")
        names = [self._store.statuses.get(word, word) for word in (before, status)]
        self.add_note(order, f"Order status changed from {names[0]} to {names[1]}.")

    def _tell_moved(self, order: Order, how: str, moved: list[str]) -> None:
        if moved:
            self.add_note(order, f"Stock levels {how}: {', '.join(moved)}")

    # Notes and money

    def noted(self, order_id: int) -> Order:
        """Return the order of a note; its refusal differs from that of the order itself."""
        if order_id not in self._store.orders:
            raise ApiError("woocommerce_rest_order_invalid_id", "Invalid order ID.", 404)
        return self._store.orders[order_id]

    def add_note(
        self,
        order: Order,
        text: str,
        *,
        for_customer: bool = False,
        author: str = "WooCommerce",
        by: str = "system",
    ) -> Note:
        """Add a note; nothing keeps the same one from being added twice."""
        number, now = self._store.next_id("note"), self._store.now()
        note = Note(number, text, author, now, for_customer, by)
        order.notes.insert(0, note)
        return note

    def post_note(self, order_id: int, params: Body) -> Note:
        """Add the note of a request, or of the merchant."""
        order, store = self.noted(order_id), self._store
        author = "admin" if params.get("added_by_user") is True else "WooCommerce"
        told = params.get("customer_note") is True
        text = php_text(params.get("note"))
        note = self.add_note(order, text, for_customer=told, author=author, by=store.by)
        store.books.effect("create", "note", store.by, id=note.id, order_id=order_id, told=told)
        return note

    def give_money_back(self, order: Order, reason: str, amount: Decimal, *, by: str) -> Refund:
        """Keep a refund; what it says of units and stock is the caller's."""
        store, partial = self._store, amount < order.refundable
        number = store.next_id("post")
        refund = Refund(number, amount, reason, store.now(), partial, by=by)
        order.refunds.insert(0, refund)
        store.books.effect("create", "refund", by, id=number, order_id=order.id)
        return refund

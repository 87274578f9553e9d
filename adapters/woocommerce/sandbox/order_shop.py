"""The shopkeeper's hand on orders: what shoppers and the merchant do to them in the store itself.

Everything goes the way a request goes, so stock, notes and times follow as they do there. What a
shopper buys is `purchases.py`'s.
"""

from collections.abc import Callable
from decimal import Decimal

from adapters.sandbox import ControlError, Json
from adapters.woocommerce.sandbox import order_views
from adapters.woocommerce.sandbox.fulfillments import Fulfillments
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.order_lines import reduce_stock
from adapters.woocommerce.sandbox.ordering import REDUCING, Line, Order, written
from adapters.woocommerce.sandbox.orders import Orders
from adapters.woocommerce.sandbox.purchases import Purchases, method, refuse_unknown, rows
from adapters.woocommerce.sandbox.refunds import Refunds
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.trackings import Trackings

BASE = "http://sandbox.example"
_EDITING = frozenset(
    {"do", "order", "lines", "add", "remove", "shipping", "billing", "shipping_method", "status"}
    | {"customer_note", "fields"}
)


class OrderKeeper:
    """Carries out the orders of `/_shop` that are about orders."""

    def __init__(self, store: Store, item_of: Callable[[Body], Item]) -> None:
        self._store = store
        self._orders = Orders(store)
        self._purchases = Purchases(store, item_of)
        self._ways: dict[str, Callable[[Order, Body], object]] = {
            "pay": self._pay,
            "cancel": self._cancel,
            "refund": self._refund,
            "edit": self._edit,
            "touch": self._touch,
            "note": self._note,
            "ship": self._ship,
            "restore": self._restore,
        }

    def done(self, ask: Body) -> Json:
        """Carry out one; refuses what it does not know."""
        what = str(ask.get("do"))
        match what:
            case "buy":
                return self._shown(self.buy(ask))
            case "orders":
                return self._purchases.buy_many(ask)
            case "trash" | "delete":
                return self._orders.delete(self._order(ask).id, BASE, force=what == "delete")
        if what not in self._ways:
            others = "create, update, trash, delete, switch, reset, buy, orders"
            raise ControlError(f"do must be {others}, {', '.join(self._ways)}")
        order = self._order(ask)
        self._ways[what](order, ask)
        return self._shown(order)

    def buy(self, ask: Body) -> Order:
        """Place an order as a shopper does."""
        return self._purchases.buy(ask)

    def _shown(self, order: Order) -> Json:
        return order_views.order(self._store, order, BASE)

    def _order(self, ask: Body) -> Order:
        wanted = ask.get("order")
        for order in self._store.orders.values():
            if wanted in (order.id, order.shown_number):
                return order
        raise ControlError("no order with this id or number")

    def _change(self, order: Order, **body: Json) -> None:
        self._orders.update(order.id, body, BASE)

    def _pay(self, order: Order, _ask: Body) -> None:
        self._change(order, set_paid=True)

    def _cancel(self, order: Order, _ask: Body) -> None:
        self._change(order, status="cancelled")

    def _touch(self, order: Order, _ask: Body) -> None:
        self._change(order)

    def _restore(self, order: Order, _ask: Body) -> None:
        self._change(order, status=order.untrashed or "pending")

    def _note(self, order: Order, ask: Body) -> None:
        told = ask.get("customer") is True
        text = str(ask.get("text", ""))
        self._orders.post_note(
            order.id, {"note": text, "customer_note": told, "added_by_user": True}
        )

    def _line(self, order: Order, row: Body) -> Line:
        for line in order.lines:
            item = self._store.items.get(line.variation_id or line.product_id)
            sku = item.sku if item is not None else None
            if row.get("line") == line.id or (row.get("sku") and row.get("sku") == sku):
                return line
        raise ControlError(f"order {order.id} has no such line; say its id as line, or its sku")

    def _refund(self, order: Order, ask: Body) -> None:
        parts = [(self._line(order, row), _whole(row)) for row in rows(ask.get("lines"))]
        body: Body = {"reason": ask.get("reason", "")}
        body["api_restock"] = ask.get("restock", True) is True
        body["line_items"] = [
            {
                "id": line.id,
                "quantity": quantity,
                "refund_total": written(line.total / line.quantity * quantity),
            }
            for line, quantity in parts
        ]
        if ask.get("amount") is not None:
            body["amount"] = str(ask["amount"])
        elif not parts:
            body["amount"] = written(order.refundable)
        Refunds(self._store).post(order.id, body)

    def _edit(self, order: Order, ask: Body) -> None:
        refuse_unknown(ask, _EDITING)
        fields = ask.get("fields")
        body: Body = dict(fields) if isinstance(fields, dict) else {}
        if lines := self._edited_lines(order, ask):
            body["line_items"] = lines
        for name in ("shipping", "billing"):
            if name in ask:
                if not ask[name]:
                    getattr(order, name).clear()
                body[name] = ask[name] or {}
        if "shipping_method" in ask:
            old: list[Json] = [{"id": p.id, "method_id": None} for p in order.shipping_lines]
            body["shipping_lines"] = [*old, *method(ask["shipping_method"])]
        if ask.get("status") is not None:
            self._purchases.refuse_status(str(ask["status"]))
        body |= {n: ask[n] for n in ("status", "customer_note") if ask.get(n) is not None}
        self._orders.update(order.id, body, BASE)
        if order.status in REDUCING:
            reduce_stock(self._store, order)  # the admin's page does so for every line it adds

    def _edited_lines(self, order: Order, ask: Body) -> list[Json]:
        """Write the changed, removed and added lines; amounts follow the units."""
        changed: list[Json] = []
        for row in rows(ask.get("lines")):
            line, quantity = self._line(order, row), _whole(row)
            if quantity == 0:
                changed.append({"id": line.id, "product_id": None})
                continue
            each = line.total / line.quantity if line.quantity else Decimal(0)
            total = str(row.get("total", written(each * quantity)))
            amounts: Body = {"subtotal": total, "total": total}
            changed.append({"id": line.id, "quantity": quantity, **amounts})
        gone = ask.get("remove")
        for entry in gone if isinstance(gone, list) else ():
            key = "line" if isinstance(entry, int) else "sku"
            changed.append({"id": self._line(order, {key: entry}).id, "product_id": None})
        changed += [self._purchases.line_body(row) for row in rows(ask.get("add"))]
        return changed

    def _ship(self, order: Order, ask: Body) -> None:
        """Ship by hand, in one of the ways a merchant has."""
        by, number = ask.get("by", "status"), str(ask.get("tracking_number", ""))
        carrier, url = str(ask.get("carrier", "")), str(ask.get("tracking_url", ""))
        features = self._store.features
        match by:
            case "status":
                pass
            case "note":
                text = f"Shipped with {carrier or 'the post'}, tracking number {number or 'none'}."
                self._orders.post_note(order.id, {"note": text, "added_by_user": True})
            case "tracking" if "shipment_tracking" in features:
                link: Body = {"custom_tracking_provider": carrier, "custom_tracking_link": url}
                provider: Body = link if url else {"tracking_provider": carrier}
                Trackings(self._store).create(order.id, {"tracking_number": number, **provider})
            case "fulfillment" if "fulfillments" in features:
                Fulfillments(self._store).create(order.id, self._fulfillment(order, ask))
            case "tracking" | "fulfillment":
                raise ControlError(f"this store was not set up for shipping by {by}")
            case _:
                raise ControlError("by must be status, note, tracking or fulfillment")
        if by == "status" or ask.get("complete") is True:
            self._orders.update(order.id, {"status": "completed"}, BASE)

    def _fulfillment(self, order: Order, ask: Body) -> Body:
        parts = [(self._line(order, row), _whole(row)) for row in rows(ask.get("lines"))]
        parts = parts or [(line, line.quantity) for line in order.lines]
        items: Json = [{"item_id": line.id, "qty": quantity} for line, quantity in parts]
        meta: list[Json] = [{"key": "_items", "value": items}]
        for key, name in (
            ("_tracking_number", "tracking_number"),
            ("_shipment_provider", "carrier"),
            ("_tracking_url", "tracking_url"),
        ):
            if ask.get(name):
                meta.append({"key": key, "value": ask[name]})
        return {"status": "fulfilled", "is_fulfilled": True, "meta_data": meta}


def _whole(row: Body) -> int:
    quantity = row.get("quantity", 1)
    if not isinstance(quantity, int) or quantity < 0:
        raise ControlError("quantity must be a whole number")
    return quantity

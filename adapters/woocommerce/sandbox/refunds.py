"""Refunds: money given back, with or without units, and the units put back on the shelf."""

from decimal import Decimal

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.order_lines import put_back
from adapters.woocommerce.sandbox.ordering import Order, Refund, RefundLine, amount_of
from adapters.woocommerce.sandbox.orders import Orders
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import php_text


class RefundError(ApiError):
    """A refund that is refused, with a number where every other refusal has an object."""

    def content(self) -> dict[str, Json]:
        """Return the body of the answer."""
        return {"code": self.code, "message": self.message, "data": self.status}


class Refunds:
    """The refunds of the orders of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders = Orders(store)

    def post(self, order_id: int, params: Body) -> Refund:
        """Give back the money of a request, no more than is left."""
        order = self._orders.noted(order_id)
        parts = self._parts(order, params.get("line_items"))
        amount = sum((part.total for part in parts), Decimal(0))
        if params.get("amount") is not None:
            amount = amount_of(params["amount"])
        if amount <= 0 or amount > order.refundable:
            code = "woocommerce_rest_cannot_create_order_refund"
            raise RefundError(code, "Invalid refund amount.", 500)
        reason = php_text(params.get("reason"))
        refund = self._orders.give_money_back(order, reason, amount, by=self._store.by)
        refund.lines = parts
        if params.get("api_restock") is not False:
            for part in parts:
                if words := put_back(self._store, part.line, part.quantity):
                    self._orders.add_note(order, words)
        order.modified = self._store.now()
        if order.refundable == 0:
            self._orders.move(order, "refunded")
        return refund

    def _parts(self, order: Order, sent: Json) -> list[RefundLine]:
        """Read the lines of a refund; one without units and without money is none."""
        parts: list[RefundLine] = []
        for row in sent if isinstance(sent, list) else ():
            if not isinstance(row, dict):
                continue
            line = next((line for line in order.lines if line.id == id_of(row.get("id"))), None)
            quantity, total = id_of(row.get("quantity")), amount_of(row.get("refund_total"))
            if line is not None and (quantity or total):
                number = self._store.next_id("line")
                parts.append(RefundLine(number, line, quantity, total, self._store.next_id("meta")))
        return parts

    def found(self, order_id: int, refund_id: int) -> Refund:
        """Return a refund, or refuse."""
        for refund in self._orders.noted(order_id).refunds:
            if refund.id == refund_id:
                return refund
        raise ApiError("woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.", 404)

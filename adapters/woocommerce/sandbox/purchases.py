"""Purchases in the simulated store: what a shopper orders, one order or thousands of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from adapters.sandbox import ControlError, Json
from adapters.woocommerce.sandbox.items import Item
from adapters.woocommerce.sandbox.ordering import Order
from adapters.woocommerce.sandbox.orders import Orders
from adapters.woocommerce.sandbox.stock import Body
from adapters.woocommerce.sandbox.store import Store

ADDRESS: dict[str, Json] = {
    "first_name": "Ada",
    "last_name": "Example",
    "company": "",
    "address_1": "1 Example Street",
    "address_2": "",
    "city": "Paris",
    "state": "",
    "postcode": "75001",
    "country": "FR",
    "phone": "",
}
_NO_PRODUCT = 999_999_999
_TITLES = {
    "flat_rate": "Flat rate",
    "free_shipping": "Free shipping",
    "local_pickup": "Local pickup",
    "pickup_location": "Local pickup",
}
_BUYING = frozenset(
    {"do", "sku", "id", "quantity", "lines", "status", "number", "ordered_at", "created_at"}
    | {"modified_at", "currency", "shipping_method", "shipping", "billing", "virtual"}
    | {"customer_note", "fields", "count", "every_seconds"}
)


class Purchases:
    """Places orders as shoppers do."""

    def __init__(self, store: Store, item_of: Callable[[Body], Item]) -> None:
        self._store = store
        self._item_of = item_of
        self._orders = Orders(store)

    def buy(self, ask: Body) -> Order:
        """Place an order as a shopper does."""
        refuse_unknown(ask, _BUYING)
        lines = rows(ask["lines"]) if "lines" in ask else [self._single(ask)]
        placed = _moment(ask.get("ordered_at", ask.get("created_at")))
        number = str(ask.get("number") or "")
        order = self._orders.open(self._purchase(ask, lines), number=number, ordered_at=placed)
        for line, row in zip(order.lines, lines, strict=False):
            if not line.product_id:
                line.name = str(row.get("name", ""))
        order.modified = _moment(ask.get("modified_at")) or order.modified
        return order

    def _single(self, ask: Body) -> Body:
        return {"id": self._item_of(ask).id, "quantity": ask.get("quantity", 1)}

    def _purchase(self, ask: Body, lines: list[Body]) -> Body:
        status = str(ask.get("status", "processing"))
        self.refuse_status(status)
        virtual = ask.get("virtual", self._is_virtual(lines)) is True
        body: Body = {"status": status, "created_via": "checkout"}
        address: Json = {**ADDRESS}
        body["billing"] = ask.get("billing", {**ADDRESS, "email": "ada@example.com"}) or {}
        body["shipping"] = ask.get("shipping", {} if virtual else address) or {}
        body["shipping_lines"] = method(
            ask.get("shipping_method", None if virtual else "flat_rate:1")
        )
        body["line_items"] = [self.line_body(row) for row in lines]
        for name in ("currency", "customer_note"):
            if ask.get(name) is not None:
                body[name] = ask[name]
        if status in ("processing", "completed"):
            body |= {"payment_method": "bacs", "payment_method_title": "Direct bank transfer"}
        fields = ask.get("fields")
        return {**body, **fields} if isinstance(fields, dict) else body

    def refuse_status(self, status: str) -> None:
        """Refuse a status the store does not have."""
        known = (*self._store.statuses, "auto-draft")
        if status not in known:
            raise ControlError(f"status must be one of {', '.join(known)}")

    def _is_virtual(self, lines: list[Body]) -> bool:
        items = [self._item_of(row) for row in lines if "sku" in row or "id" in row]
        return bool(items) and all(item.extras.get("virtual") for item in items)

    def line_body(self, row: Body) -> Body:
        """Write a line as a request has it; one without product asks for one that is not there."""
        has_item = "sku" in row or "id" in row
        item_id = self._item_of(row).id if has_item else _NO_PRODUCT
        body: Body = {"product_id": item_id, "quantity": row.get("quantity", 1)}
        if row.get("total") is not None:
            body |= {"total": str(row["total"]), "subtotal": str(row["total"])}
        meta = row.get("meta")
        if isinstance(meta, dict):
            body["meta_data"] = [{"key": key, "value": value} for key, value in meta.items()]
        return body

    def buy_many(self, ask: Body) -> Json:
        """Place many orders at once, alike but for their numbers and dates."""
        count, gap = ask.get("count"), ask.get("every_seconds", 0)
        if (
            not isinstance(count, int)
            or not isinstance(gap, int | float)
            or not 0 < count <= 50_000
        ):
            raise ControlError("count must be a number from 1 to 50000, every_seconds a number")
        first = _moment(ask.get("ordered_at", ask.get("created_at")))
        if first is None and gap:
            first = self._store.now() - timedelta(seconds=gap * count)
        plain: Body = {"lines": [{"name": "Plain", "total": "1.00"}]}
        bare = ask if ask.keys() & {"sku", "id", "lines"} else {**ask, **plain}
        ids: list[Json] = []
        for n in range(count):
            row = dict(bare)
            if first is not None:
                row["ordered_at"] = (first + timedelta(seconds=gap * n)).isoformat()
            if isinstance(ask.get("number"), str):
                row["number"] = str(ask["number"]).replace("%d", str(n + 1))
            ids.append(self.buy(row).id)
        return {"count": count, "ids": ids}


def refuse_unknown(ask: Body, known: frozenset[str]) -> None:
    """Refuse words that mean nothing, as a typing error."""
    if unknown := sorted(ask.keys() - known):
        raise ControlError(f"{', '.join(unknown)} means nothing to {ask.get('do', 'an order')}")


def rows(value: Json) -> list[Body]:
    """Return the objects of a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def method(asked: Json) -> list[Json]:
    """Read a way of shipping: its slug, with its number after a colon, or all its parts."""
    if not asked:
        return []
    match asked:
        case str():
            slug, _, instance = asked.partition(":")
            title, total = _TITLES.get(slug, slug), "0.00"
        case dict():
            slug, instance = str(asked.get("method_id", "")), str(asked.get("instance_id", ""))
            title = str(asked.get("title", _TITLES.get(slug, slug)))
            total = str(asked.get("total", "0.00"))
        case _:
            raise ControlError("shipping_method must be a text, an object or null")
    row: Body = {"method_id": slug, "instance_id": instance}
    return [{**row, "method_title": title, "total": total}]


def _moment(value: Json) -> datetime | None:
    """Read a moment; one without a zone is in UTC."""
    if value is None:
        return None
    moment = datetime.fromisoformat(str(value))
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)

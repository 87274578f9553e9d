"""The order routes of a store: lists, single orders, refunds, notes, trackings, fulfillments.

Gives typed wire values; must not know what they mean to us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.http import Answer, Json, stated_time
from adapters.woocommerce import order_wire, wire
from adapters.woocommerce.client import PER_PAGE, Client, count
from reconcile.contract import Effect, RejectedOrder, UnexpectedResponseError

PLUGIN_ROOT = "wc-shipment-tracking/v3"
"""Where the Shipment Tracking plugin, and another that answers in its place, is found."""

_FIELDS = (
    "id,number,status,currency,total,date_created_gmt,date_modified_gmt,date_paid_gmt,"
    "date_completed_gmt,created_via,needs_processing,line_items,shipping_lines,refunds,billing,"
    "shipping,customer_note,meta_data"
)


@dataclass(frozen=True, slots=True)
class OrderRows:
    """One page of a list of orders."""

    rows: tuple[order_wire.Order, ...]
    rejected: tuple[RejectedOrder, ...]
    ids: tuple[int, ...]
    """Ids of all rows in the order they came, rejected ones included."""
    total: int
    pages: int
    sent_at: datetime
    stated_at: datetime | None
    """The store's own time; None where the answer does not say."""


class OrderClient:
    """One store's orders."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def now(self) -> datetime:
        """The current time, UTC."""
        return self._client.now()

    async def orders(self, params: Mapping[str, str]) -> OrderRows:
        """A page of orders in id order, whatever their status but trash."""
        asked = {"per_page": str(PER_PAGE), "orderby": "id", "order": "asc", "status": "any"}
        answer = await self._client.get("/orders", {**asked, "_fields": _FIELDS, **params})
        if not isinstance(answer.body, list):
            raise UnexpectedResponseError("GET /orders did not answer with a list")
        rows: list[order_wire.Order] = []
        rejected: list[RejectedOrder] = []
        ids: list[int] = []
        for item in answer.body:
            try:
                ids.append(wire.integer(wire.row_of(item, "row"), "id"))
            except wire.ShapeError:
                continue  # counted and not shown: whoever compares with the total sees it
            found = _read(item)
            if isinstance(found, RejectedOrder):
                rejected.append(found)
            else:
                rows.append(found)
        return OrderRows(
            tuple(rows),
            tuple(rejected),
            tuple(ids),
            count(answer, "X-WP-Total", "GET /orders"),
            count(answer, "X-WP-TotalPages", "GET /orders"),
            answer.sent_at,
            stated_time(answer.headers),
        )

    async def order(self, order_id: int) -> order_wire.Order | RejectedOrder:
        """One order, trashed ones included; raises `GoneError` where there is none."""
        answer = await self._client.get(f"/orders/{order_id}", {"_fields": _FIELDS})
        return self._the(order_id, answer, Effect.NONE)

    async def set_status(self, order_id: int, status: str) -> order_wire.Order | RejectedOrder:
        """Change the status; a POST to the order's own route, as some hosts let no PUT through."""
        answer = await self._client.post(f"/orders/{order_id}", {"status": status})
        return self._the(order_id, answer, Effect.POSSIBLE)

    def _the(
        self, order_id: int, answer: Answer, effect: Effect
    ) -> order_wire.Order | RejectedOrder:
        try:
            answered = wire.integer(wire.row_of(answer.body, "order"), "id")
        except wire.ShapeError as error:
            message = f"The answer about order {order_id} is not understood: {error}"
            raise UnexpectedResponseError(message, effect=effect) from error
        if answered != order_id:
            message = f"The answer is about order {answered}, the request was about {order_id}"
            raise UnexpectedResponseError(message, effect=effect)
        return _read(answer.body)

    async def refunds(self, order_id: int) -> tuple[order_wire.RefundLine, ...]:
        """What refunds take off the lines of an order; `ShapeError` where that makes no sense."""
        path = f"/orders/{order_id}/refunds"
        answer = await self._client.get(path, {"per_page": str(PER_PAGE)})
        if not isinstance(answer.body, list):
            raise UnexpectedResponseError(f"GET {path} did not answer with a list")
        return order_wire.refund_lines(answer.body)

    async def notes(self, order_id: int) -> tuple[order_wire.Note, ...]:
        """The private notes of an order; the store gives all of them at once."""
        answer = await self._client.get(f"/orders/{order_id}/notes", {"type": "internal"})
        try:
            return order_wire.notes(answer.body)
        except wire.ShapeError as error:
            message = f"The notes of order {order_id} are not understood: {error}"
            raise UnexpectedResponseError(message) from error

    async def add_note(self, order_id: int, text: str) -> order_wire.Note:
        """Write a private note; the customer is told nothing."""
        body: Json = {"note": text, "customer_note": False}
        answer = await self._client.post(f"/orders/{order_id}/notes", body)
        try:
            return order_wire.note(answer.body)
        except wire.ShapeError as error:
            message = f"A note was sent and its answer is not understood: {error}"
            raise UnexpectedResponseError(message, effect=Effect.POSSIBLE) from error

    async def listed(self, path: str, name: str, *, root: str = "wc/v3") -> list[wire.Row]:
        """The rows of a small list, bare or below `name`."""
        answer = await self._client.get(path, {}, root=root)
        body = answer.body
        found = body.get(name) if isinstance(body, dict) else body
        if not isinstance(found, list):
            raise UnexpectedResponseError(f"GET {path} did not answer with a list")
        return [row for row in found if isinstance(row, dict)]

    async def object(self, path: str, *, root: str = "wc/v3") -> wire.Row:
        """An object that is no list; empty where the answer is another."""
        answer = await self._client.get(path, {}, root=root)
        return answer.body if isinstance(answer.body, dict) else {}

    async def create(self, path: str, body: Json, name: str, *, root: str = "wc/v3") -> wire.Row:
        """Create a row and give it as it was answered, bare or below `name`."""
        answer = await self._client.post(path, body, root=root)
        found = answer.body
        inner = found.get(name) if isinstance(found, dict) else None
        row = inner if isinstance(inner, dict) else found
        if not isinstance(row, dict):
            message = f"POST {path} did not answer with what it created"
            raise UnexpectedResponseError(message, effect=Effect.POSSIBLE)
        return row


def _read(item: Json) -> order_wire.Order | RejectedOrder:
    """The order, or why it is not understood; the caller has checked that it has an id."""
    row = wire.row_of(item, "order")
    try:
        return order_wire.order(item)
    except wire.ShapeError as error:
        order_id = str(wire.integer(row, "id"))
        number = row.get("number")
        shown = number if isinstance(number, str) and number else order_id
        return RejectedOrder(order_id, shown, f"The order's data cannot be understood: {error}")

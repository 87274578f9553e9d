"""What the demo asks about the orders of one channel, through the same API as everybody.

Waits for what happens by itself, for a bounded time; must not look into the store.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tallyport.client import ApiClient, Json, RefusedError

_PATIENCE_SECONDS: Final = 40.0
_ORDERS: Final = (
    "query ($after: String, $where: RemoteOrderFilterInput) {"
    " remoteOrders(first: 50, after: $after, where: $where) { nodes { remoteId number verdict"
    " reason message firstSeenAt order { id status hold { code message }"
    " lines { id sku title quantity shipped remaining }"
    " shipments { id state origin trackingNumber message } } }"
    " pageInfo { hasNextPage endCursor } } }"
)
_RUNS: Final = (
    "query ($after: String, $where: RunFilterInput) { runs(first: 50, after: $after, where: $where)"
    " { nodes { id operation trigger createdAt } pageInfo { hasNextPage endCursor } } }"
)


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """An order as the API shows it: what became of it, and what left."""

    remote_id: str
    number: str
    verdict: str
    reason: str
    message: str
    first_seen_at: datetime
    order_id: str | None
    status: str
    lines: tuple[Json, ...]
    shipments: tuple[Json, ...]

    def line(self, sku: str) -> str:
        """Id of the line of that SKU."""
        return next(str(row["id"]) for row in self.lines if row["sku"] == sku)

    def is_pushed(self, tracking: str) -> bool:
        """Whether the shipment with that tracking number is on the channel."""
        return any(
            row["state"] == "PUSHED" and row["trackingNumber"] == tracking for row in self.shipments
        )


def within(seconds: float, check: Callable[[], bool]) -> bool:
    """Ask again and again until it is so; False when it was not so in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.15)
    return True


class Desk:
    """The orders of one channel, by the API."""

    def __init__(self, api: ApiClient, channel_id: str) -> None:
        self._api = api
        self._channel = channel_id

    def orders(self) -> Mapping[str, SeenOrder]:
        """Every order seen, by its id on the channel."""
        where = {"channel": self._channel}
        rows = self._api.pages(_ORDERS, {"where": where}, ("remoteOrders",))
        return {row["remoteId"]: _seen(row) for row in rows}

    def awaits(self, check: Callable[[Mapping[str, SeenOrder]], bool]) -> bool:
        """Whether the orders become so within a while, by themselves."""
        return within(_PATIENCE_SECONDS, lambda: check(self.orders()))

    def run_by_itself(self, operation: str, *, every_seconds: int) -> None:
        """Give an operation a schedule, so that what makes it due starts it."""
        self._api.mutate(
            "mutation ($input: OperationScheduleInput!) { operationSchedule(input: $input)"
            " { userErrors { code message path } } }",
            {
                "input": {
                    "channel": self._channel,
                    "operation": operation,
                    "isFull": False,
                    "schedule": {"intervalSeconds": every_seconds},
                }
            },
        )

    def started_by_change(self, operation: str, since: datetime) -> int:
        """How many runs of an operation began by themselves after a moment."""
        where = {"channel": self._channel, "operation": operation}
        count = 0
        for row in self._api.pages(_RUNS, {"where": where}, ("runs",)):
            if datetime.fromisoformat(row["createdAt"]) < since:
                break  # newest first
            count += row["trigger"] == "CHANGE"
        return count

    def map_shipping(self, text: str, policy: str) -> None:
        """Map a shipping text of the channel to a policy."""
        self._api.mutate(
            "mutation ($input: ShippingMappingSetInput!) { shippingMappingSet(input: $input)"
            " { mapping { id } userErrors { code message path } } }",
            {"input": {"channel": self._channel, "text": text, "policy": policy}},
        )

    def ship(
        self, order: SeenOrder, tracking: str, *, units: Mapping[str, int] | None = None
    ) -> str:
        """Record that some units, or all that remain, have left; the id of the shipment."""
        given: dict[str, Json] = {
            "order": order.order_id,
            "trackingNumber": tracking,
            "carrier": "Parcel Post",
            "reference": f"demo-{tracking}",
        }
        if units is not None:
            given["lines"] = [
                {"line": order.line(sku), "quantity": number} for sku, number in units.items()
            ]
        payload = self._api.mutate(
            "mutation ($input: OrderShipInput!) { orderShip(input: $input)"
            " { shipment { id } userErrors { code message path } } }",
            {"input": given},
        )
        return str(payload["shipment"]["id"])

    def refusal(self, order: SeenOrder, tracking: str) -> str | None:
        """Why shipping is refused; None where it is not."""
        try:
            self.ship(order, tracking)
        except RefusedError as error:
            return str(error)
        return None

    def stock_sums(self, skus: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """SKU → how many each channel is told, as sentences."""
        document = (
            "query ($sku: String!) { itemExplain(sku: $sku)"
            " { channels { channel { id } quantityExplanation { steps } } } }"
        )
        found: dict[str, Sequence[str]] = {}
        for sku in skus:
            answer = self._api.query(document, {"sku": sku})["itemExplain"]
            for each in answer["channels"] if answer else ():
                if each["channel"]["id"] == self._channel:
                    found[sku] = each["quantityExplanation"]["steps"]
        return found


def _seen(row: Json) -> SeenOrder:
    order = row["order"] or {}
    return SeenOrder(
        remote_id=row["remoteId"],
        number=row["number"],
        verdict=row["verdict"],
        reason=row["reason"] or "",
        message=row["message"] or "",
        first_seen_at=datetime.fromisoformat(row["firstSeenAt"]),
        order_id=order.get("id"),
        status=order.get("status", ""),
        lines=tuple(order.get("lines", ())),
        shipments=tuple(order.get("shipments", ())),
    )

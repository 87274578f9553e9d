"""The operator of a scenario: commands through the API, asked again while the server is away.

Every command used here can be repeated: upserts, statements with their own time, shipments with a
reference. What the API refuses is raised; what it fails at is remembered as a finding.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tallyport.client import ApiClient, FaultError, UnavailableError, UnreachableError

T = TypeVar("T")

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
_INTERNAL = "Something went wrong"

_CONNECT = """
mutation ($input: ChannelConnectInput!) {
  channelConnect(input: $input) { channel { id } userErrors { code message path } } }"""
_MAP = """
mutation ($input: ShippingMappingSetInput!) {
  shippingMappingSet(input: $input) { userErrors { code message path } } }"""
_UPSERT = """
mutation ($input: ListingUpsertInput!) {
  listingUpsert(input: $input) { listing { id } userErrors { code message path } } }"""
_STATE = """
mutation ($input: ItemSetInput!) {
  itemSet(input: $input) { results { outcome } userErrors { code message path } } }"""
_RUN = """
mutation ($input: RunRequestInput!) {
  runRequest(input: $input) { run { id } userErrors { code message path } } }"""
_SHIP = """
mutation ($input: OrderShipInput!) {
  orderShip(input: $input) { shipment { id } userErrors { code message path } } }"""
_RECONNECT = """
mutation ($input: ChannelReconnectInput!) {
  channelReconnect(input: $input) { channel { isPaused } userErrors { code message path } } }"""
_RESUME = """
mutation ($input: ChannelInput!) {
  channelResume(input: $input) { channel { isPaused } userErrors { code message path } } }"""
_CONFIGURE = """
mutation ($input: OperationConfigureInput!) {
  operationConfigure(input: $input) { userErrors { code message path } } }"""
_IMPORT = "query ($id: ID!) { node(id: $id) { ... on Import { state error { message } } } }"
_CHANNEL = "query ($name: String!) { channel(name: $name) { id isPaused } }"
_ORDER = """
query ($channel: ID!, $number: String!) {
  order(channel: $channel, number: $number) {
    id status hold { code } lines { id sku quantity remaining } } }"""


class Clerk:
    """What an operator does with one channel."""

    def __init__(self, url: str, token: str, name: str, currency: str = "EUR") -> None:
        self._api = ApiClient(url, token, timeout=15.0)
        self._name = name
        self._currency = currency
        self._channel = ""
        self.findings: list[str] = []

    def close(self) -> None:
        """Release the connections."""
        self._api.close()

    # --- the channel

    def connect(
        self,
        platform: str,
        credentials: Mapping[str, str],
        buffer: int,
        settings: Mapping[str, Any],
    ) -> None:
        """Connect the store, once."""
        given: dict[str, Any] = {
            "name": self._name,
            "credentials": {platform: _camel(credentials)},
            "buffer": buffer,
        }
        if settings:
            given["settings"] = {platform: dict(settings)}
        if (known := self._find()) is not None:
            self._channel = known
            return
        made = self._mutate(_CONNECT, given, unless=self._find)
        self._channel = made if isinstance(made, str) else str(made["channel"]["id"])

    def _find(self) -> str | None:
        found = self._ask(lambda: self._api.query(_CHANNEL, {"name": self._name}))["channel"]
        return None if found is None else str(found["id"])

    def map_shipping(self, text: str) -> None:
        """Say what a way of shipping means here."""
        self._mutate(_MAP, {"channel": self._channel, "text": text, "policy": "standard"})

    def set_up(self, platform: str, operation: str, settings: Mapping[str, Any]) -> None:
        """Set up an operation."""
        words = "".join(part.capitalize() for part in operation.split("_"))
        given = {
            "channel": self._channel,
            "operation": operation,
            "settings": {f"{platform}{words}": dict(settings)},
        }
        self._mutate(_CONFIGURE, given)

    def renew(self, platform: str, credentials: Mapping[str, str]) -> None:
        """Enter the credentials anew and let the channel go on."""
        given = {"id": self._channel, "credentials": {platform: _camel(credentials)}}
        answer = self._mutate(_RECONNECT, given)
        if answer["channel"]["isPaused"]:
            self._mutate(_RESUME, {"id": self._channel})

    def is_paused(self) -> bool:
        """Whether the channel rests."""
        found = self._ask(lambda: self._api.query(_CHANNEL, {"name": self._name}))
        return bool(found["channel"]["isPaused"])

    # --- listings

    def upsert(self, sku: str, units: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """State a listing or parts of it."""
        given = {"channel": self._channel, "sku": sku, "variants": list(units), **more}
        self._mutate(_UPSERT, given)

    def money(self, amount: str) -> dict[str, str]:
        """An amount in the channel's currency."""
        return {"amount": amount, "currency": self._currency}

    def state(self, sku: str, quantity: int, as_of: datetime) -> None:
        """State how many there are on hand."""
        given = {"sku": sku, "quantity": quantity, "asOf": as_of.isoformat()}
        self._mutate(_STATE, {"statements": [given]})

    def import_file(self, file: Path) -> str:
        """Upload a catalog file, again where nobody knows whether it arrived; its id."""
        parameters = {"channel": self._channel, "name": file.name}
        return str(self._ask(lambda: self._api.upload(file, parameters))["import"])

    def import_state(self, import_id: str) -> tuple[str, str | None]:
        """How far an import is, and what went wrong."""
        found = self._ask(lambda: self._api.query(_IMPORT, {"id": import_id}))["node"]
        error = found["error"]
        return str(found["state"]), None if error is None else str(error["message"])

    def run(self, operation: str, *, full: bool = False) -> None:
        """Ask for a run; nobody waits for it."""
        self._mutate(_RUN, {"channel": self._channel, "operation": operation, "isFull": full})

    # --- orders

    def order(self, number: str) -> Mapping[str, Any] | None:
        """Our copy of an order, if there is one."""
        variables = {"channel": self._channel, "number": number}
        found: Mapping[str, Any] | None = self._ask(lambda: self._api.query(_ORDER, variables))[
            "order"
        ]
        return found

    def ship(
        self, order: str, lines: Mapping[str, int], tracking: str, shipped_at: datetime
    ) -> None:
        """Record that these units left; RefusedError where they cannot have."""
        given = {
            "order": order,
            "lines": [{"line": line, "quantity": units} for line, units in lines.items()],
            "trackingNumber": tracking,
            "carrier": "UPS",
            "shippedAt": shipped_at.isoformat(),
            "reference": tracking,
        }
        self._mutate(_SHIP, given)

    # --- asking again

    def _mutate(
        self,
        document: str,
        given: Mapping[str, Any],
        *,
        unless: Callable[[], Any] | None = None,
    ) -> Any:
        """Do it, again where nobody knows whether it was done; `unless` may find that it was."""

        def work() -> Any:
            return self._api.mutate(document, {"input": dict(given)})

        return self._ask(work, unless)

    def _ask(self, work: Callable[[], T], unless: Callable[[], T | None] | None = None) -> T:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return work()
            except (UnreachableError, UnavailableError):
                if time.monotonic() > deadline:
                    raise
            except FaultError as error:
                if _INTERNAL not in str(error):
                    raise
                # A defect, whatever was killed meanwhile.
                self.findings.append(f"the API failed: {error}")
                if time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)
            if unless is not None and (done := unless()) is not None:
                return done


def _camel(values: Mapping[str, str]) -> dict[str, str]:
    return {_words(name): value for name, value in values.items()}


def _words(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

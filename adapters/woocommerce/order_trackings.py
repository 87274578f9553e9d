"""Tells a store of a shipment through the Shipment Tracking plugin, or one that answers like it.

The plugin keeps tracking numbers of a whole order, not which lines left, and takes the same number
as often as it is sent: the list is looked through before anything is added.
"""

from adapters.http import Json
from adapters.woocommerce import order_wire as wire
from adapters.woocommerce.order_client import PLUGIN_ROOT, OrderClient
from reconcile.contract import Effect, ShipmentWrite, UnexpectedResponseError

_NO_CARRIER = "Other"


class Trackings:
    """Shipments as rows of the plugin."""

    name = "tracking"
    needs_number = (
        "The plugin Shipment Tracking needs a tracking number and this shipment has none (or the "
        "template of SYNC_ORDERS leaves it out); let tracking go into order notes instead"
    )
    missing = (
        "The plugin Shipment Tracking is not active on the store; activate it there, or choose "
        "another place for tracking in the settings of SYNC_ORDERS"
    )

    def __init__(self, client: OrderClient) -> None:
        self._client = client
        self._providers: dict[str, str] | None = None

    def route(self, order_id: int) -> str:
        """What the log calls the request."""
        return f"POST {_path(order_id)}"

    async def find(self, order_id: int, shipment: ShipmentWrite) -> str | None:
        """Id of the row with the shipment's number."""
        rows = await self._client.listed(_path(order_id), "trackings", root=PLUGIN_ROOT)
        wanted = shipment.tracking_number.strip()
        found = (wire.tracking(row) for row in rows)
        return next((item.id for item in found if item.id and item.number == wanted), None)

    async def write(self, order_id: int, shipment: ShipmentWrite) -> str:
        """Add a row; a carrier that the plugin knows has its own link there."""
        body: dict[str, Json] = {
            "tracking_number": shipment.tracking_number.strip(),
            "date_shipped": f"{shipment.shipped_at:%Y-%m-%d}",
        }
        provider = (self._providers or {}).get(_folded(shipment.carrier))
        if provider is not None:
            body["tracking_provider"] = provider
        else:
            body["custom_tracking_provider"] = shipment.carrier or _NO_CARRIER
            body["custom_tracking_link"] = shipment.tracking_url
        row = await self._client.create(_path(order_id), body, "tracking", root=PLUGIN_ROOT)
        found = wire.tracking(row)
        if not found.id:
            message = "The plugin Shipment Tracking answered without the id of what it added"
            raise UnexpectedResponseError(message, effect=Effect.POSSIBLE)
        return found.id

    async def know_providers(self, order_id: int) -> None:
        """Have the carriers the plugin knows by name; asked once."""
        if self._providers is not None:
            return
        path = f"{_path(order_id)}/providers"
        try:
            regions = await self._client.object(path, root=PLUGIN_ROOT)
        except UnexpectedResponseError as error:
            if error.code != "NoSuchRoute":
                raise
            regions = {}  # a plugin that answers in its place may not have the list
        self._providers = {
            _folded(name): name
            for names in regions.values()
            if isinstance(names, dict)
            for name in names
        }


def _path(order_id: int) -> str:
    return f"/orders/{order_id}/shipment-trackings"


def _folded(name: str) -> str:
    """A carrier's name as it is compared: `Fed Ex` is `FedEx`."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())

"""Puts shipments on their orders, each by the way the settings choose, and closes orders.

The order is looked at right before: what was canceled or trashed since it was last seen is told of
no shipment. Then what is to be written is looked for, so that a repeat finds it. Nothing falls back
to another way than the chosen one.
"""

from collections.abc import AsyncIterator, Sequence
from math import ceil
from typing import Protocol

from adapters.woocommerce import order_mapping
from adapters.woocommerce.order_client import OrderClient
from adapters.woocommerce.order_fulfillments import Fulfillments
from adapters.woocommerce.order_notes import Notes
from adapters.woocommerce.order_reading import DELETED, IN_TRASH, OrderReader
from adapters.woocommerce.order_trackings import Trackings
from adapters.woocommerce.order_wire import Order
from adapters.woocommerce.settings import SyncOrdersSettings
from adapters.woocommerce.walk import number
from reconcile.contract import (
    AdapterError,
    Confirmation,
    ConfirmState,
    Gone,
    GoneError,
    OrderWrite,
    Progress,
    RejectedError,
    RejectedOrder,
    Result,
    Sending,
    ShipmentWrite,
    UnexpectedResponseError,
)
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.remote_order_types import OrderStage, RemoteOrder


class Way(Protocol):
    """One of the places on the store where a shipment can be told of."""

    name: str
    """What its ids are called among the remote ids of a shipment."""
    needs_number: str
    """Why a shipment without a tracking number cannot be told of here; empty where it can."""

    def route(self, order_id: int) -> str:
        """What the log calls the request that writes."""
        ...

    async def find(self, order_id: int, shipment: ShipmentWrite) -> str | None:
        """Id of what was written about the shipment, if anything was."""
        ...

    async def write(self, order_id: int, shipment: ShipmentWrite) -> str:
        """Write it and give its id."""
        ...


class Fulfilling:
    """Tells a store what was shipped."""

    def __init__(self, client: OrderClient, reader: OrderReader) -> None:
        self._client = client
        self._reader = reader
        self._notes = Notes(client)
        self._trackings = Trackings(client)
        self._fulfillments = Fulfillments(client)

    # --- shipments --------------------------------------------------------------------------

    async def fulfill(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Each shipment by itself: the store takes one at a time."""
        for write in writes:
            async for progress in self._fulfill(write):
                yield progress

    async def _fulfill(self, write: OrderWrite) -> AsyncIterator[Progress]:
        shipment, order_id = _shipment(write), number(write.order_id)
        way = self._way(write)
        _, moved = await self._look(write)
        if moved is not None:
            yield moved
            return
        if way.needs_number and not shipment.tracking_number.strip():
            code = "TrackingNumberMissing"
            yield Result(write.key, Outcome.FAILED, code, way.needs_number)
            return
        try:
            known = await self._find(way, order_id, shipment)
        except _MissingWayError as error:
            yield Result(write.key, Outcome.FAILED, "TrackingWayMissing", str(error))
            return
        if known is not None:
            message = f"The shipment was on the order already ({way.name} {known})"
            yield Result(
                write.key, Outcome.NO_OP, "AlreadyThere", message, remote_ids=_ids(way, known)
            )
            return
        if way is self._trackings:
            await self._trackings.know_providers(order_id)
        yield Sending((write.key,), way.route(order_id))
        try:
            written = await way.write(order_id, shipment)
        except GoneError:
            yield _stale(write, DELETED)
            return
        except RejectedError as error:
            yield Result(write.key, Outcome.FAILED, error.code, error.message)
            return
        yield Result(write.key, Outcome.APPLIED, remote_ids=_ids(way, written))

    def _way(self, write: OrderWrite) -> Way:
        settings = write.settings
        chosen = settings.tracking if isinstance(settings, SyncOrdersSettings) else "note"
        match chosen:
            case "shipment_tracking":
                return self._trackings
            case "fulfillments":
                return self._fulfillments
            case _:
                return self._notes

    async def _find(self, way: Way, order_id: int, shipment: ShipmentWrite) -> str | None:
        try:
            return await way.find(order_id, shipment)
        except UnexpectedResponseError as error:
            # The order itself was there a moment ago, so it is the way that the store lacks.
            if error.code == "NoSuchRoute" and isinstance(way, Trackings | Fulfillments):
                raise _MissingWayError(way.missing) from error
            raise

    # --- closing ----------------------------------------------------------------------------

    async def close(self, writes: Sequence[OrderWrite]) -> AsyncIterator[Progress]:
        """Each order by itself: the store sends an e-mail while the request waits."""
        for write in writes:
            async for progress in self._close(write):
                yield progress

    async def _close(self, write: OrderWrite) -> AsyncIterator[Progress]:
        order_id = number(write.order_id)
        order, moved = await self._look(write)
        if moved is not None:
            yield moved
            return
        if order is None:
            # It may be canceled, and completing it would bring it back to life.
            message = "The order's data cannot be understood, so it was not set to completed"
            yield Result(write.key, Outcome.FAILED, "NotUnderstood", message)
            return
        if order.status == order_mapping.COMPLETED:
            seen = await self._observed(order)
            message = "The order was completed already"
            yield Result(write.key, Outcome.NO_OP, "AlreadyThere", message, observed_orders=seen)
            return
        yield Sending((write.key,), f"POST /orders/{order_id}")
        try:
            now = await self._client.set_status(order_id, order_mapping.COMPLETED)
        except GoneError:
            yield _stale(write, DELETED)
            return
        except RejectedError as error:
            yield Result(write.key, Outcome.FAILED, error.code, error.message)
            return
        if isinstance(now, RejectedOrder):
            yield Result(write.key, Outcome.APPLIED, message=now.message)
            return
        seen = await self._observed(now)
        if now.status != order_mapping.COMPLETED:
            message = f"The store was asked to complete the order and shows it as {now.status}"
            yield Result(write.key, Outcome.FAILED, "NotAccepted", message, observed_orders=seen)
            return
        yield Result(write.key, Outcome.APPLIED, observed_orders=seen)

    # --- looking ----------------------------------------------------------------------------

    async def _look(self, write: OrderWrite) -> tuple[Order | None, Result | None]:
        """The order as it is now, and the result where it is not to be written any more.

        An order that is not understood is still there: then only its id is known.
        """
        try:
            order = await self._client.order(number(write.order_id))
        except GoneError:
            return None, _stale(write, DELETED)
        if isinstance(order, RejectedOrder):
            return None, None
        if order.status == "trash":
            return order, _stale(write, IN_TRASH)
        if order_mapping.stage(order.status) in (OrderStage.CANCELED, OrderStage.DRAFT):
            seen = await self._observed(order)
            message = f"The order is {order.status} on the store by now; nothing was sent"
            result = Result(
                write.key, Outcome.STALE, "OrderCanceled", message, observed_orders=seen
            )
            return order, result
        if write.shipment is not None and (missed := _beyond(order, write.shipment)):
            seen = await self._observed(order)
            message = f"The order was changed on the store and has no {missed} any more"
            result = Result(write.key, Outcome.STALE, "LinesChanged", message, observed_orders=seen)
            return order, result
        return order, None

    async def _observed(self, order: Order) -> tuple[RemoteOrder, ...]:
        """The order whole, refunds included; nothing where those cannot be read just now."""
        try:
            seen = await self._reader.whole(order)
        except AdapterError:
            # What was written stands; a later poll reads the order.
            return ()
        return (seen,) if isinstance(seen, RemoteOrder) else ()

    # --- confirming -------------------------------------------------------------------------

    async def confirm(self, writes: Sequence[OrderWrite]) -> dict[str, Confirmation]:
        """By key: whether what was sent is on the store; what cannot be read cannot be told."""
        found: dict[str, Confirmation] = {}
        for write in writes:
            try:
                found[write.key] = await self._confirm(write)
            except AdapterError as error:
                evidence = f"The store could not be read: {error.message}"
                found[write.key] = Confirmation(ConfirmState.CANNOT_TELL, evidence)
        return found

    async def _confirm(self, write: OrderWrite) -> Confirmation:
        order_id = number(write.order_id)
        if write.kind is ActionKind.FULFILL:
            return await self._confirm_shipment(write, order_id, _shipment(write))
        seen = await self._reader.one(order_id)
        if isinstance(seen, Gone):
            return Confirmation(ConfirmState.DONE, seen.message, _stale(write, seen))
        if isinstance(seen, RejectedOrder):
            return Confirmation(ConfirmState.CANNOT_TELL, seen.message)
        if seen.stage is not OrderStage.COMPLETED:
            return Confirmation(ConfirmState.NOT_DONE, f"The order is {seen.status} on the store")
        result = Result(write.key, Outcome.APPLIED, observed_orders=(seen,))
        return Confirmation(ConfirmState.DONE, "The order is completed on the store", result)

    async def _confirm_shipment(
        self, write: OrderWrite, order_id: int, shipment: ShipmentWrite
    ) -> Confirmation:
        way = self._way(write)
        try:
            known = await way.find(order_id, shipment)
        except GoneError:
            return Confirmation(ConfirmState.DONE, DELETED.message, _stale(write, DELETED))
        if known is None:
            evidence = f"The order has no {way.name} about the shipment"
            return Confirmation(ConfirmState.NOT_DONE, evidence)
        result = Result(write.key, Outcome.APPLIED, remote_ids=_ids(way, known))
        evidence = f"The shipment is on the order ({way.name} {known})"
        return Confirmation(ConfirmState.DONE, evidence, result)


class _MissingWayError(Exception):
    """The store lacks the chosen place for tracking."""


def _shipment(write: OrderWrite) -> ShipmentWrite:
    if write.shipment is None:
        raise TypeError("a FULFILL without a shipment")
    return write.shipment


def _beyond(order: Order, shipment: ShipmentWrite) -> str:
    """What of a shipment the order does not have (any more); empty where it has all of it."""
    ordered = {str(line.id): line.quantity for line in order.lines}
    missed = [
        f"{line.quantity} of {line.sku or line.title or line.line_id}"
        for line in shipment.lines
        if line.quantity > ceil(ordered.get(line.line_id, 0))
    ]
    return ", ".join(missed[:5])


def _ids(way: Way, remote_id: str) -> tuple[str, ...]:
    return (f"{way.name}:{remote_id}",)


def _stale(write: OrderWrite, gone: Gone) -> Result:
    return Result(write.key, Outcome.STALE, gone.reason, gone.message, gone=gone)

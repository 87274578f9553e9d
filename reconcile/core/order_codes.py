"""The codes of decisions about orders: one word a program can branch on for each of them.

Pure data. The sentence that goes with a code is made where the decision is made.
"""

from enum import StrEnum


class OrderCode(StrEnum):
    """What became of an order or a shipment; in CamelCase, as conditions carry it."""

    # --- imported, and what follows the channel
    NEW_ORDER = "NewOrder"
    """IMPORT_ORDER of an order we did not have."""
    IMPORTED = "Imported"
    """It is imported and nothing is to be done about our copy."""
    FOLLOWS_CHANNEL = "FollowsChannel"
    """IMPORT_ORDER: it changed there, nothing has left, so our copy is made equal."""
    HOLDS_BACK = "HoldsBack"
    """IMPORT_ORDER: it changed there after something had left; it goes on hold."""
    HOLD_ENDS = "HoldEnds"
    """IMPORT_ORDER: what the rules held it for is no longer so."""
    SHIPPED_THERE = "ShippedThere"
    """IMPORT_ORDER: the channel has shipments that are not ours; they are recorded."""
    CHANGED_AFTER_SHIPMENT = "ChangedAfterShipment"
    """Code of a hold."""
    CANCELED_AFTER_SHIPMENT = "CanceledAfterShipment"
    """Code of a hold."""
    ON_HOLD = "OnHold"
    """Code of an imported order that a person or the rules hold."""
    ACKNOWLEDGED = "Acknowledge"
    """ACKNOWLEDGE: imported, and the channel is to know."""

    # --- left out, or not yet
    NOT_UNDERSTOOD = "NotUnderstood"
    DELETED_THERE = "DeletedThere"
    IN_TRASH = "InTrash"
    INCOMPLETE_CHECKOUT = "IncompleteCheckout"
    CANCELED_THERE = "CanceledThere"
    """Canceled before it was imported, and no status filter selects canceled orders."""
    TOO_OLD = "TooOld"
    MISSING_ADDRESS = "MissingAddress"
    MISSING_SKU = "MissingSku"
    UNMAPPED_SHIPPING = "UnmappedShipping"

    # --- shipments
    SHIPMENT_RECORDED = "ShipmentRecorded"
    """FULFILL: recorded here and not on the channel yet."""
    SHIPMENTS_THERE = "ShipmentsThere"
    NOTHING_SHIPPED = "NothingShipped"
    ORDER_ON_HOLD = "OrderOnHold"
    ORDER_CANCELED = "OrderCanceled"
    ORDER_CLOSED = "OrderClosed"
    BEYOND_ORDERED = "BeyondOrdered"
    PARTS_WAIT = "PartsWait"
    ALL_SHIPPED = "AllShipped"
    """CLOSE: everything has left."""
    CLOSED_HERE = "ClosedHere"
    """CLOSE: a person closed it."""
    SHIPMENTS_FIRST = "ShipmentsFirst"
    """CLOSE waits until the shipments that are under way are there."""

    # --- what a person who ships may be told
    NOT_IMPORTED = "NotImported"
    NOTHING_TO_SHIP = "NothingToShip"
    UNKNOWN_LINE = "UnknownLine"
    DIGITAL = "Digital"
    TRACKING_MISSING = "TrackingMissing"

    # --- the same words as for listings
    UNFINISHED = "Unfinished"
    FAILED_BEFORE = "FailedBefore"
    UNSUPPORTED = "Unsupported"
    POLICY_FORBIDS = "PolicyForbids"

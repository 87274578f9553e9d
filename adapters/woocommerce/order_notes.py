"""Tells a store of a shipment by a private order note, which every store has.

The store takes the same note as often as it is sent, so a note carries a mark that is looked for
before one is written. The customer is told nothing.
"""

import html
import re

from adapters.woocommerce import order_wire as wire
from adapters.woocommerce.order_client import OrderClient
from reconcile.contract import ShipmentLine, ShipmentWrite

_NUMBER = "Tracking number:"
_LINK = "Tracking link:"
_MARK = re.compile(r"\[Tallyport shipment (\d+)\]")
_DAY = re.compile(r"^Shipped on \d{4}-\d{2}-\d{2}:")


class Notes:
    """Shipments as private order notes."""

    name = "note"
    needs_number = ""

    def __init__(self, client: OrderClient) -> None:
        self._client = client

    def route(self, order_id: int) -> str:
        """What the log calls the request."""
        return f"POST /orders/{order_id}/notes"

    async def find(self, order_id: int, shipment: ShipmentWrite) -> str | None:
        """Id of the first note about the shipment; the store may have written several."""
        notes = await self._client.notes(order_id)
        found = [note.id for note in notes if is_about(note.text, shipment)]
        # Of a shipment nobody here remembers, in the same words: recorded once more after a loss.
        found = found or [note.id for note in notes if is_forgotten(note.text, shipment)]
        return str(min(found)) if found else None

    async def write(self, order_id: int, shipment: ShipmentWrite) -> str:
        """Write the note."""
        return str((await self._client.add_note(order_id, note_text(shipment))).id)


def mark(shipment: ShipmentWrite) -> str:
    """What a note about a shipment of ours is known by."""
    return f"[Tallyport shipment {shipment.id}]"


def note_text(shipment: ShipmentWrite) -> str:
    """The note as it is sent: the store shows notes as HTML, so what is typed in is escaped."""
    lines = "; ".join(f"{line.quantity} x {_called(line)}" for line in shipment.lines)
    carrier = " ".join(filter(None, (shipment.carrier, shipment.service)))
    parts = [
        f"{_begins(shipment)} {lines}",
        f"Carrier: {carrier}" if carrier else "",
        f"{_NUMBER} {shipment.tracking_number}" if shipment.tracking_number else "",
        f"{_LINK} {shipment.tracking_url}" if shipment.tracking_url else "",
        mark(shipment),
    ]
    return html.escape("\n".join(filter(None, parts)), quote=False)


def _called(line: ShipmentLine) -> str:
    named = " ".join(filter(None, (line.sku, f"({line.title})" if line.title else "")))
    return named or f"line {line.line_id}"


def is_about(text: str, shipment: ShipmentWrite) -> bool:
    """Whether a note is the one about this shipment.

    The day and the number count, too: an installation that began anew counts its shipments from one
    again. Backslashes are lost where the store keeps a note.
    """
    shown, ours = wire.plain(text), mark(shipment)
    number = wire.plain(shipment.tracking_number)
    said = f"{_NUMBER} {number}".replace("\\", "")
    has_number = any(f"{said} {after}" in shown.replace("\\", "") for after in (_LINK, ours))
    is_same = has_number if number else _NUMBER not in shown
    return ours in shown and _begins(shipment) in shown and is_same


def is_forgotten(text: str, shipment: ShipmentWrite) -> bool:
    """Whether a note says the same of a shipment that our records do not know (any more).

    A database that was restored has lost what was shipped after its copy was made; the person or
    program that records it again tells of the same units and the same number.
    """
    shown, ours = wire.plain(text), wire.plain(note_text(shipment))
    marks = _MARK.findall(shown)
    if len(marks) != 1 or marks[0] in shipment.siblings | {shipment.id}:
        return False
    return _words(shown, shipment) == _words(ours, shipment)


def _words(shown: str, shipment: ShipmentWrite) -> str:
    """What a note says of a shipment; with a number to go by, whatever the day."""
    said = _MARK.sub("", shown).replace("\\", "")
    return _DAY.sub("", said) if shipment.tracking_number.strip() else said


def _begins(shipment: ShipmentWrite) -> str:
    return f"Shipped on {shipment.shipped_at:%Y-%m-%d}:"

"""Shipments on bad days: doubled, unanswered, the worker killed. The store is told once."""

import time
from typing import Any

import pytest

from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.live import Instance
from tests.features.order_hands import Placed
from tests.features.rows import feature
from tests.features.stores import WooStore
from tests.features.ways import WAYS, desk_by, imported

_NOTES = {"method": "POST", "path_contains": "/notes"}


@feature("W11", "A11")
def test_an_order_canceled_meanwhile_gets_no_shipment(open_shop: Open) -> None:
    """The sync looks at the order before it sends: canceled there since the last poll, nothing."""
    desk = desk_by(open_shop)
    order = imported(desk)
    desk.store.orders.cancel(order)

    shipment = desk.ship(order, tracking="1Z-LATE")
    desk.settle()
    desk.send(full=True)

    assert desk.told(order) == []
    assert desk.shipment(order, shipment["id"])["state"] == "RECORDED"
    assert "ancel" in desk.why(order)


@feature("W11", "A11")
def test_a_note_that_reaches_the_store_twice_is_one_shipment(open_shop: Open) -> None:
    """Whatever a proxy doubles: our record has one shipment, and no further note follows.

    The second copy is refused by the store for its nonce, which is no refused key.
    """
    desk = desk_by(open_shop)
    order = imported(desk)
    desk.store.fault("twice", match={**_NOTES, "times": 1})

    shipment = desk.shipped(order, tracking="1Z-ONE")

    assert desk.store.struck() == 1
    assert desk.shop.channel()["isPaused"] is False
    assert shipment["remoteIds"] == [f"note:{row['id']}" for row in desk.store.orders.notes(order)]
    for _ in range(2):
        desk.send(full=True, result="SUCCEEDED")
    assert len(desk.store.orders.notes(order)) == 1
    assert len(desk.ours(order)["shipments"]) == 1
    assert desk.units(order) == {"MUG": (2, 0), "CUP": (1, 0)}


@feature("W11", "A11")
def test_a_shipment_that_has_two_notes_already_gets_no_third(open_shop: Open) -> None:
    """The store answers with the same note twice: one shipment, known by the first of them."""
    desk = desk_by(open_shop)
    order = imported(desk)
    desk.store.fault("timeout_after", seconds=3, match={**_NOTES, "times": 1})
    shipment = desk.ship(order, tracking="1Z-ONE")
    desk.shop.wait(lambda: desk.store.orders.notes(order), "the note is written")
    [first] = desk.store.orders.notes(order)

    words = {"do": "note", "order": int(order.id), "text": first["text"]}
    desk.store.shop(words)

    desk.shop.wait(
        lambda: desk.shipment(order, shipment["id"])["state"] == "PUSHED", "we know it, too"
    )
    desk.settle()
    desk.send(full=True, result="SUCCEEDED")
    assert desk.shipment(order, shipment["id"])["remoteIds"] == [f"note:{first['id']}"]
    assert desk.store.orders.notes(order) == [first]


_BAD_WRITES: dict[str, dict[str, Any]] = {
    "500 before": {"effect": "status", "status": 500},
    "500 after": {"effect": "status", "status": 500, "after": True},
    "html after": {"effect": "html", "after": True},
    "garbage after": {"effect": "garbage", "after": True},
    "lost after": {"effect": "timeout_after", "seconds": 1},
    "lost before": {"effect": "timeout_before", "seconds": 1},
}


@feature("W11", "A11")
def test_a_note_without_a_clear_answer_is_written_once(open_shop: Open) -> None:
    """Errors before and after the work, silence, garbage: the store has each shipment once."""
    cases: dict[str, tuple[Desk[WooStore], Placed, str]] = {}
    for name, fault in _BAD_WRITES.items():
        desk = desk_by(open_shop)
        order = imported(desk)
        desk.store.fault(**fault, match={**_NOTES, "times": 1})
        cases[name] = (desk, order, desk.ship(order, tracking="1Z-ONE")["id"])

    for name, (desk, order, shipment_id) in cases.items():

        def pushed(
            desk: Desk[WooStore] = desk, order: Placed = order, shipment_id: str = shipment_id
        ) -> bool:
            return bool(desk.shipment(order, shipment_id)["state"] == "PUSHED")

        desk.shop.wait(pushed, f"{name}: the shipment is on the store")
        assert desk.store.struck() == 1, name
        assert len(desk.store.orders.notes(order)) == 1, name


@feature("W11", "A11")
@pytest.mark.parametrize("way", sorted(WAYS))
def test_killing_the_worker_after_the_store_knew_tells_it_nothing_twice(
    open_shop: Open, instance: Instance, way: str
) -> None:
    """The store has it, the answer is lost with the worker: it is looked for and found."""
    desk = desk_by(open_shop, way)
    order = imported(desk)
    path = {"note": "/notes", "shipment_tracking": "/shipment-trackings"}.get(way, "/fulfillments")
    match = {"method": "POST", "path_contains": path, "times": 1}
    desk.store.fault("timeout_after", seconds=4, match=match)
    shipment = desk.ship(order, ("MUG", 1), tracking="1Z-ONE", carrier="UPS")
    desk.shop.wait(lambda: desk.told(order), "the store knows")
    time.sleep(0.2)

    instance.kill_part("worker")

    desk.shop.wait(
        lambda: desk.shipment(order, shipment["id"])["state"] == "PUSHED", "we know it too"
    )
    desk.settle()
    desk.send(full=True)
    [told] = desk.told(order)
    assert desk.shipment(order, shipment["id"])["remoteIds"] == [told.id]
    desk.shipped(order, tracking="1Z-TWO", carrier="UPS")
    assert len(desk.told(order)) == 2

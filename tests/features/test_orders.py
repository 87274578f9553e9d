"""Orders out of the store: which are imported, what they bring, what they cost to read."""

from collections import Counter

import pytest

from tests.features.conftest import Open
from tests.features.desk import Desk
from tests.features.order_hands import Placed, moment
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore
from typing import Any

_LIST = "GET /wp-json/wc/v3/orders"
_NEW = ("IMPORTED", "NewOrder")


@feature("A9", "W10")
def test_new_orders_are_imported_once(desk: Desk[Any]) -> None:
    """Each run brings what is new; an order that is here already comes no second time."""
    desk.stock(MUG=20)
    first = desk.place(("MUG", 2))

    run = desk.poll(result="SUCCEEDED")

    assert run["report"]["orders"]["imported"] == 1, run["report"]
    assert desk.fate(first) == _NEW
    assert desk.poll(result="SUCCEEDED").kinds() == {}
    second = desk.place(("MUG", 1))
    run = desk.poll(result="SUCCEEDED")
    assert run.kinds("APPLIED") == {"IMPORT_ORDER": 1}
    assert desk.poll(full=True, result="SUCCEEDED").kinds() == {}
    assert {row["number"] for row in desk.rows("--status", "open")} == {
        first.number,
        second.number,
    }

"""What an order of a store means to us, junk and recordings of a real store included."""

import copy
import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.woocommerce import order_wire
from adapters.woocommerce.order_mapping import remote_order, stage
from adapters.woocommerce.wire import ShapeError
from reconcile.core.remote_order_types import OrderStage, PaymentStatus, RemoteOrder
from reconcile.core.types import RemoteRef

RECORDING = Path(__file__).resolve().parents[4] / "shared/recordings/woocommerce-10.2.4.jsonl.gz"

PLACE = {"first_name": "Ann", "address_1": "1 Road", "city": "Bern", "country": "CH"}
EMPTY = dict.fromkeys(PLACE, "")


def line(**changes: Any) -> dict[str, Any]:
    """A line of two mugs."""
    return {
        "id": 5,
        "name": "Mug &amp; Co",
        "product_id": 10,
        "variation_id": 0,
        "quantity": 2,
        "total": "9.00",
        "sku": "MUG",
        "meta_data": [],
        **changes,
    }


def order(**changes: Any) -> dict[str, Any]:
    """A paid order of a checkout."""
    return {
        "id": 17,
        "number": "17",
        "status": "processing",
        "currency": "CHF",
        "total": "13.90",
        "date_created_gmt": "2026-11-20T10:00:00",
        "date_modified_gmt": "2026-11-21T11:30:00",
        "date_paid_gmt": "2026-11-20T10:00:05",
        "date_completed_gmt": None,
        "created_via": "checkout",
        "needs_processing": True,
        "line_items": [line()],
        "shipping_lines": [
            {"method_id": "flat_rate", "instance_id": "3", "method_title": "Flat &amp; fast"}
        ],
        "refunds": [],
        "billing": {**PLACE, "email": "ann@example.com"},
        "shipping": PLACE,
        "customer_note": "Ring\ntwice",
        "meta_data": [],
        **changes,
    }


def mapped(**changes: Any) -> RemoteOrder:
    """The order with these changes as we keep it."""
    return remote_order(order_wire.order(order(**changes)))


def test_plain_order() -> None:
    """Everything a row says of an ordinary order arrives, in UTC and exactly."""
    found = mapped()
    assert (found.id, found.number, found.status) == ("17", "17", "processing")
    assert (found.stage, found.payment) == (OrderStage.OPEN, PaymentStatus.PAID)
    assert (found.currency, found.total) == ("CHF", "13.90")
    assert found.created_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert found.modified_at == datetime(2026, 11, 21, 11, 30, tzinfo=UTC)
    assert found.ended_at is None
    (only,) = found.lines
    assert (only.id, only.sku, only.title, only.quantity) == ("5", "MUG", "Mug & Co", 2)
    assert (only.unit_price, only.total, only.ref) == ("4.50", "9.00", RemoteRef("10"))
    (text,) = found.shipping
    assert (text.keys, text.title) == (("flat_rate:3", "flat_rate"), "Flat & fast")
    assert found.ship_to is not None
    assert (found.ship_to.first_name, found.ship_to.line1) == ("Ann", "1 Road")
    assert (found.email, found.note) == ("ann@example.com", "Ring twice")
    assert found.facets == {"status": ("processing",)}
    assert not found.is_digital


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("checkout-draft", OrderStage.DRAFT),
        ("auto-draft", OrderStage.DRAFT),
        ("pending", OrderStage.OPEN),
        ("processing", OrderStage.OPEN),
        ("on-hold", OrderStage.OPEN),
        ("awaiting-shipment", OrderStage.OPEN),
        ("completed", OrderStage.COMPLETED),
        ("cancelled", OrderStage.CANCELED),
        ("refunded", OrderStage.CANCELED),
        ("failed", OrderStage.CANCELED),
        ("trash", OrderStage.CANCELED),
    ],
)
def test_stages(status: str, expected: OrderStage) -> None:
    """Each status has a stage; those of plugins are open."""
    assert stage(status) is expected
    assert mapped(status=status).stage is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, PaymentStatus.PAID),
        ({"date_paid_gmt": None}, PaymentStatus.UNPAID),
        ({"status": "pending"}, PaymentStatus.UNPAID),
        ({"status": "refunded"}, PaymentStatus.REFUNDED),
        ({"refunds": [{"id": 1, "total": "-3.00"}]}, PaymentStatus.PARTIALLY_REFUNDED),
        (
            {"refunds": [{"id": 1, "total": "-3.00"}, {"id": 2, "total": "-10.90"}]},
            PaymentStatus.REFUNDED,
        ),
        ({"total": "0.00"}, PaymentStatus.PAID),
    ],
)
def test_payment(changes: dict[str, Any], expected: PaymentStatus) -> None:
    """Payment follows the date it was paid, the status, and what was given back."""
    assert mapped(**changes).payment is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "completed", "date_completed_gmt": "2026-11-21T09:00:00"}, (21, 9)),
        ({"status": "cancelled"}, (21, 11)),
    ],
)
def test_end(changes: dict[str, Any], expected: tuple[int, int]) -> None:
    """A completed order ended when it was completed, a canceled one when it last changed."""
    ended = mapped(**changes).ended_at
    assert ended is not None
    assert (ended.day, ended.hour) == expected


@pytest.mark.parametrize(
    ("changes", "is_digital"),
    [
        ({}, False),
        ({"shipping_lines": [], "shipping": EMPTY}, True),
        ({"shipping_lines": [], "shipping": {**EMPTY, "country": "CH"}}, True),
        ({"shipping_lines": [], "shipping": []}, True),
        ({"shipping_lines": []}, False),
        # The checkout of blocks fills in the billing address even where nothing is shipped.
        ({"shipping_lines": [], "needs_processing": False}, True),
        ({"needs_processing": False}, False),
        ({"shipping": EMPTY}, False),
        # Typed in by hand: nobody was asked for an address or a method.
        ({"shipping_lines": [], "shipping": EMPTY, "created_via": "admin"}, False),
        (
            {
                "shipping_lines": [],
                "shipping": EMPTY,
                "created_via": "rest-api",
                "needs_processing": False,
            },
            True,
        ),
        # The store takes no account of products that are gone.
        (
            {
                "shipping_lines": [],
                "shipping": EMPTY,
                "created_via": "admin",
                "needs_processing": False,
                "line_items": [line(product_id=0, sku=None)],
            },
            False,
        ),
    ],
)
def test_digital_orders(changes: dict[str, Any], is_digital: bool) -> None:
    """Digital is what a checkout asked no address and no method for, or the store says needs none.

    An order made by hand is taken for goods: held with a reason is better than never shipped.
    """
    found = mapped(**changes)
    assert found.is_digital is is_digital
    assert {item.is_digital for item in found.lines} == {is_digital}
    assert not (is_digital and found.ship_to)


def test_stores_that_ship_to_the_billing_address() -> None:
    """An empty shipping address beside a shipping method means the billing address."""
    found = mapped(shipping=EMPTY)
    assert found.ship_to is not None
    assert found.ship_to == found.billing
    assert mapped(shipping=EMPTY, billing={"email": "a@b.example"}).ship_to is None


@pytest.mark.parametrize(
    ("method", "instance", "keys"),
    [
        ("flat_rate", "3", ("flat_rate:3", "flat_rate")),
        ("flat_rate", "", ("flat_rate",)),
        ("my_carrier:7", "7", ("my_carrier:7", "my_carrier")),
        ("my_carrier:7", "", ("my_carrier:7", "my_carrier")),
        ("", "", ("",)),
    ],
)
def test_shipping_texts(method: str, instance: str, keys: tuple[str, ...]) -> None:
    """A mapping is looked up by method and instance, then by the method."""
    row = {"method_id": method, "instance_id": instance, "method_title": "DHL"}
    (text,) = mapped(shipping_lines=[row]).shipping
    assert text.keys == keys


@pytest.mark.parametrize(
    ("total", "quantity", "each"),
    [
        ("9.00", 2, "4.50"),
        ("25.00", 3, "8.333333"),
        ("10", 1, "10"),
        ("0.00", 4, "0.00"),
        ("5.00", "2.5", "2.00"),
        ("5.00", 0, None),
        ("1.005", 1, "1.005"),
        (12, 5, "2.4"),
    ],
)
def test_unit_prices(total: Any, quantity: Any, each: str | None) -> None:
    """The price of one is reckoned exactly, never taken from the store's float."""
    (found,) = mapped(line_items=[line(total=total, quantity=quantity, price=1.1)]).lines
    assert found.unit_price == each


def test_parts_of_units_round_up() -> None:
    """A store that sells by weight takes whole units off the shelf; the exact number is kept."""
    (found,) = mapped(line_items=[line(quantity=1.5)]).lines
    assert found.quantity == 2
    assert found.custom == {"Exact quantity": "1.5"}


def test_lines_of_variations_and_of_products_that_are_gone() -> None:
    """A line names its variation; one whose product is gone has neither product nor SKU."""
    rows = [
        line(id=1, variation_id=11),
        line(id=2, product_id=0, sku=None, name=""),
        line(id=3, sku="  "),
    ]
    found = mapped(line_items=rows).lines
    assert [item.ref for item in found] == [RemoteRef("10", "11"), None, RemoteRef("10")]
    assert [item.sku for item in found] == ["MUG", None, None]


def test_custom_fields_are_what_people_see() -> None:
    """Personalization arrives with its label; the store's own bookkeeping does not."""
    meta = [
        {"key": "engraving", "value": "x", "display_key": "Engraving", "display_value": "<b>A</b>"},
        {"key": "engraving", "value": "B", "display_key": "Engraving", "display_value": "B"},
        {"key": "_reduced_stock", "value": "2"},
        {"key": "files", "value": [{"url": "x"}]},
    ]
    found = mapped(
        line_items=[line(meta_data=meta)],
        meta_data=[{"key": "gift", "value": "yes"}, {"key": "_secret", "value": "no"}],
    )
    assert found.lines[0].custom == {"Engraving": "A; B"}
    assert found.custom == {"gift": "yes"}


def test_refunded_units() -> None:
    """Units refunded are canceled, by line where it is named, never more than were ordered."""
    lines = [line(id=1), line(id=2, product_id=20), line(id=3, product_id=20)]
    wire = order_wire.order(order(line_items=lines))

    def refund(quantity: Any, product_id: int = 10, line_id: str = "") -> dict[str, Any]:
        meta = [{"key": "_refunded_item_id", "value": line_id}] if line_id else []
        row = {"quantity": quantity, "product_id": product_id, "variation_id": 0}
        return {"id": 9, "line_items": [{**row, "meta_data": meta}]}

    def canceled(*refunds: dict[str, Any]) -> list[int]:
        found = remote_order(wire, order_wire.refund_lines(list(refunds)))
        return [item.canceled for item in found.lines]

    assert canceled(refund(-1, line_id="1")) == [1, 0, 0]
    assert canceled(refund(-1), refund(-1)) == [2, 0, 0]
    assert canceled(refund(-9, line_id="1")) == [2, 0, 0]
    assert canceled(refund(-1, product_id=20)) == [0, 0, 0]  # which of the two, nobody says
    assert canceled(refund(-1, product_id=20, line_id="3")) == [0, 0, 1]
    assert canceled({"id": 9, "line_items": []}) == [0, 0, 0]


def test_trackings_of_the_plugin_are_seen() -> None:
    """What the Shipment Tracking plugin keeps with an order counts as their fulfillments."""
    rows = [
        {
            "tracking_provider": "ups",
            "custom_tracking_provider": "",
            "custom_tracking_link": "",
            "tracking_number": " 1Z9 ",
            "date_shipped": "1795219200",
            "tracking_id": "ab12",
        },
        {"tracking_number": "", "tracking_id": "none"},
    ]
    found = mapped(meta_data=[{"key": "_wc_shipment_tracking_items", "value": rows}])
    (only,) = found.fulfillments
    assert (only.id, only.lines, only.tracking_number) == ("tracking:ab12", None, "1Z9")
    assert only.shipped_at == datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"status": None}, "status"),
        ({"currency": ""}, "currency"),
        ({"total": ""}, "total"),
        ({"total": "NaN"}, "total"),
        ({"total": "1e99"}, "total"),
        ({"date_created_gmt": None}, "date_created_gmt"),
        ({"date_created_gmt": "yesterday"}, "date_created_gmt"),
        ({"line_items": None}, "line_items"),
        ({"line_items": [line(quantity=-1)]}, "line_items.quantity"),
        ({"line_items": [line(quantity="3000000000")]}, "line_items.quantity"),
        ({"line_items": [line(quantity=None)]}, "line_items.quantity"),
        ({"line_items": [line(total=None)]}, "line_items.total"),
        ({"line_items": [line(id="x")]}, "line_items.id"),
        ({"refunds": [{"id": 1, "total": "much"}]}, "refunds.total"),
    ],
)
def test_what_an_order_cannot_be_without(changes: dict[str, Any], names: str) -> None:
    """A row that lacks it is refused with the field's name and none of its values."""
    with pytest.raises(ShapeError, match=names.replace(".", r"\.")) as raised:
        mapped(**changes)
    assert "Ann" not in str(raised.value)
    assert "yesterday" not in str(raised.value)


PATHS = [(name,) for name in order()] + [("line_items", 0, name) for name in line()]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(path=st.sampled_from(PATHS), junk=JUNK)
def test_junk_is_refused_or_read(path: tuple[Any, ...], junk: Any) -> None:
    """Whatever stands in a field, the order is refused with ShapeError or can be stored as JSON."""
    row = copy.deepcopy(order())
    place: Any = row
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = junk
    try:
        found = remote_order(order_wire.order(row))
    except ShapeError:
        return
    json.dumps(asdict(found), default=str, allow_nan=False)
    assert all(0 <= item.canceled <= item.quantity for item in found.lines)


def recorded(value: Any) -> Iterator[dict[str, Any]]:
    """Every order in a recorded answer."""
    if isinstance(value, list):
        for item in value:
            yield from recorded(item)
    elif isinstance(value, dict):
        if "line_items" in value and "number" in value and "billing" in value:
            yield value
        else:
            for item in value.values():
                yield from recorded(item)


def test_every_recorded_order_is_understood() -> None:
    """Each order a real store showed is read, with a stage, exact amounts and its lines."""
    if not RECORDING.exists():
        sys.stderr.write(f"SKIPPED: there is no recording at {RECORDING.name}\n")
        pytest.skip("no recording of a real store is here")
    found: list[RemoteOrder] = []
    with gzip.open(RECORDING, "rt") as exchanges:
        for text in exchanges:
            for row in recorded(json.loads(text)["response"]):
                known = remote_order(order_wire.order(row))
                assert len(known.lines) == len(row["line_items"])
                assert known.total == row["total"]
                for ours, theirs in zip(known.lines, row["line_items"], strict=True):
                    assert float(ours.unit_price or 0) == pytest.approx(theirs["price"], abs=1e-6)
                found.append(known)
    assert len(found) > 200
    assert {known.stage for known in found} == set(OrderStage)
    assert {known.number for known in found if known.lines} >= {"291"}
    keys = {text.keys for known in found for text in known.shipping}
    assert keys == {("flat_rate",), ("my_carrier:7", "my_carrier")}

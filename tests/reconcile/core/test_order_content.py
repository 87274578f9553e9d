"""What an imported order carries, what it lacks and why, and what a shipment tells."""

from dataclasses import replace

import pytest

from reconcile.core.mapping import Case, MappingRule, MappingSet, Template
from reconcile.core.order_content import (
    MissingCause,
    order_content,
    shipment_values,
    validate_import_template,
    validate_shipment_template,
)
from reconcile.core.order_types import OurOrderField, ShipmentField
from reconcile.core.remote_order_types import Address
from tests.reconcile.core.order_samples import line, remote, shipment

FIELDS = {f"their_{field.value}": field for field in OurOrderField}
FORMS = {f"their_{field.value}": field for field in ShipmentField}
ALL = Template()
FULL = remote(line(weight={"value": "1.5", "unit": "kg"}))


def _rule(field: str, *, enabled: bool = True) -> MappingRule:
    return MappingRule(f"their_{field}", field, enabled)


def test_all_of_an_order_is_brought_over() -> None:
    """A template without rules turns nothing off; every field of ours has a value."""
    content = order_content(FULL, ALL, FIELDS)
    assert content.missing == ()
    assert set(content.values) == set(OurOrderField)
    assert content.values[OurOrderField.SHIPPING_TEXT] == "Flat rate"
    assert content.values[OurOrderField.PAYMENT_STATUS] == "PAID"
    assert content.values[OurOrderField.TOTAL] == "9.90"
    assert content.values[OurOrderField.LINE_CUSTOM_FIELDS] == {
        "l1": {"engraving": "PRIV-engraving"}
    }
    assert content.values[OurOrderField.LINE_WEIGHT] == {"l1": {"value": "1.5", "unit": "kg"}}
    address = content.values[OurOrderField.SHIPPING_ADDRESS]
    assert isinstance(address, dict)
    assert address["city"] == "PRIV-city"
    assert "PRIV" not in repr(content)


def test_what_is_missing_says_why() -> None:
    """Turned off, empty on the channel, withheld, erased: each with its own cause and words."""
    order = remote(
        email="", note="", billing=Address(), withheld={"note": "protected customer data"}
    )
    template = Template(
        tuple(
            _rule(field.value, enabled=field is not OurOrderField.TOTAL) for field in OurOrderField
        )
    )
    content = order_content(order, template, FIELDS)
    said = {item.field: (item.cause, item.message) for item in content.missing}
    assert said == {
        OurOrderField.EMAIL: (MissingCause.EMPTY, "email is empty on the channel"),
        OurOrderField.BILLING_ADDRESS: (
            MissingCause.EMPTY,
            "billing_address is empty on the channel",
        ),
        OurOrderField.NOTE: (
            MissingCause.WITHHELD,
            "note is not shown to us: protected customer data",
        ),
        OurOrderField.TOTAL: (
            MissingCause.DISABLED,
            "total is turned off in the mapping template of GET_ORDERS",
        ),
        OurOrderField.LINE_WEIGHT: (MissingCause.EMPTY, "line_weight is empty on the channel"),
    }
    assert not set(content.values) & set(said)


def test_erased_data_is_not_called_empty() -> None:
    """After retention the order says that it was erased here; what is not personal stays."""
    content = order_content(FULL, ALL, FIELDS, is_erased=True)
    assert OurOrderField.TOTAL in content.values
    said = {item.field: item.message for item in content.missing}
    assert "erased here" in said[OurOrderField.EMAIL]
    assert "PRIV" not in str(dict(content.values))


def test_an_address_nobody_needs_is_no_loss() -> None:
    """An order without anything to ship says so where its address is missing."""
    content = order_content(remote(is_digital=True, ship_to=None), ALL, FIELDS)
    said = {item.field: item.message for item in content.missing}
    assert "nothing of the order is to be shipped" in said[OurOrderField.SHIPPING_ADDRESS]


def test_what_the_platform_does_not_have_is_not_missed() -> None:
    """Only fields the platform declares are brought over or named; with rules, only named ones."""
    content = order_content(FULL, ALL, {"billing.email": OurOrderField.EMAIL})
    assert set(content.values) == {OurOrderField.EMAIL}
    assert content.missing == ()
    only = order_content(FULL, Template((_rule("email"),)), FIELDS)
    assert set(only.values) == {OurOrderField.EMAIL}
    assert {item.cause for item in only.missing} == {MissingCause.DISABLED}


def test_what_a_shipment_tells() -> None:
    """Empty fields are not told, and those turned off are named."""
    told = shipment_values(shipment(carrier="DHL", notify_customer=True), ALL)
    assert dict(told.values) == {
        ShipmentField.TRACKING_NUMBER: "T1",
        ShipmentField.CARRIER: "DHL",
        ShipmentField.NOTIFY_CUSTOMER: True,
    }
    assert told.turned_off == ()
    rules = (
        MappingRule("tracking_number", "their_tracking_number"),
        MappingRule("carrier", "their_carrier", enabled=False),
    )
    told = shipment_values(shipment(carrier="DHL"), Template(rules))
    assert dict(told.values) == {ShipmentField.TRACKING_NUMBER: "T1"}
    assert ShipmentField.CARRIER in told.turned_off
    assert ShipmentField.TRACKING_NUMBER not in told.turned_off


SET = MappingSet("names", (Case("sku", "A", "B"),))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), []),
        ((_rule("email"), _rule("note", enabled=False)), []),
        ((MappingRule("their_fax", "email"),), [("their_fax", "UnknownSource")]),
        ((MappingRule("their_email", "fax"),), [("fax", "UnknownTarget")]),
        ((MappingRule("their_email", "note"),), [("note", "KindMismatch")]),
        ((_rule("email"), _rule("email")), [("email", "DuplicateTarget")]),
        ((_rule("email"), _rule("email", enabled=False)), []),
        ((replace(_rule("email"), mapping_set=SET),), [("email", "InvalidMappingSet")]),
    ],
)
def test_templates_of_orders_are_checked(
    rules: tuple[MappingRule, ...], expected: list[tuple[str, str]]
) -> None:
    """A rule goes from a field of the channel to the one of ours it feeds, once."""
    problems = validate_import_template(Template(rules), FIELDS)
    assert [(item.field, item.code) for item in problems] == expected
    assert all(item.message for item in problems)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((MappingRule("carrier", "their_carrier"),), []),
        ((MappingRule("fax", "their_carrier"),), [("fax", "UnknownSource")]),
        ((MappingRule("carrier", "fax"),), [("fax", "UnknownTarget")]),
        ((MappingRule("carrier", "their_service"),), [("their_service", "KindMismatch")]),
        (
            (MappingRule("carrier", "their_carrier"),) * 2,
            [("their_carrier", "DuplicateTarget")],
        ),
    ],
)
def test_templates_of_shipments_are_checked(
    rules: tuple[MappingRule, ...], expected: list[tuple[str, str]]
) -> None:
    """A rule goes from a field of a shipment to the channel's field for it, once."""
    problems = validate_shipment_template(Template(rules), FORMS)
    assert [(item.field, item.code) for item in problems] == expected
    assert all(item.message for item in problems)

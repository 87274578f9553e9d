"""What an imported order carries besides what the rules need, and what a shipment tells a channel.

Pure. A mapping template turns fields off; what is missing on an imported order says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import assert_never

from reconcile.core.mapping import MappingRule, Template, TemplateProblem
from reconcile.core.order_types import PERSONAL_FIELDS, OurOrderField, Shipment, ShipmentField
from reconcile.core.remote_order_types import Address, RemoteOrder
from reconcile.core.shipped import ships
from reconcile.core.types import Value


class MissingCause(StrEnum):
    """Why an imported order lacks a field."""

    DISABLED = "DISABLED"
    """The mapping template turns it off."""
    EMPTY = "EMPTY"
    """The channel holds nothing there."""
    WITHHELD = "WITHHELD"
    """The platform does not show it to us."""


@dataclass(frozen=True, slots=True)
class MissingField:
    """A field an imported order could have and has not, with what to do about it."""

    field: OurOrderField
    cause: MissingCause
    message: str


@dataclass(frozen=True, slots=True)
class OrderContent:
    """What is brought over of one order, as JSON by field, and what is not."""

    values: Mapping[OurOrderField, Value]
    missing: tuple[MissingField, ...] = ()

    def __repr__(self) -> str:
        """Personal data stands in no repr."""
        named = ", ".join(item.value for item in self.values)
        return f"OrderContent({named}; missing={self.missing!r})"


@dataclass(frozen=True, slots=True)
class ShipmentContent:
    """What a shipment tells the channel, and which fields the template turns off."""

    values: Mapping[ShipmentField, Value]
    turned_off: tuple[ShipmentField, ...] = ()


def order_content(
    remote: RemoteOrder,
    template: Template,
    fields: Mapping[str, OurOrderField],
    *,
    is_erased: bool = False,
) -> OrderContent:
    """What the template lets through of an order; `fields` are the platform's: theirs → ours.

    A template without any rule turns nothing off. With rules, what none of them enables is off.
    """
    allowed = _sources_on(template, fields)
    values: dict[OurOrderField, Value] = {}
    missing: list[MissingField] = []
    for ours in OurOrderField:
        names = [name for name, field in fields.items() if field is ours]
        if not names:
            continue
        value = _VALUES[ours](remote)
        if allowed.isdisjoint(names):
            message = f"{ours.value} is turned off in the mapping template of GET_ORDERS"
            missing.append(MissingField(ours, MissingCause.DISABLED, message))
        elif is_erased and ours in PERSONAL_FIELDS:
            message = f"{ours.value} was erased here, as the channel's retention says"
            missing.append(MissingField(ours, MissingCause.EMPTY, message))
        elif value not in (None, "", {}, []):
            values[ours] = value
        elif ours.value in remote.withheld:
            message = f"{ours.value} is not shown to us: {remote.withheld[ours.value]}"
            missing.append(MissingField(ours, MissingCause.WITHHELD, message))
        else:
            missing.append(MissingField(ours, MissingCause.EMPTY, _empty(remote, ours)))
    return OrderContent(values, tuple(missing))


def shipment_values(shipment: Shipment, template: Template) -> ShipmentContent:
    """What the template lets through of a shipment; the rules' sources are our fields.

    A template without any rule turns nothing off. With rules, what none of them enables is off.
    """
    on = {rule.source for rule in template.rules if rule.enabled}
    is_on = {field: not template.rules or field.value in on for field in ShipmentField}
    values = {
        field: value
        for field in ShipmentField
        if is_on[field] and (value := _told(shipment, field)) not in ("", False)
    }
    return ShipmentContent(values, tuple(field for field in ShipmentField if not is_on[field]))


def validate_import_template(
    template: Template, fields: Mapping[str, OurOrderField]
) -> tuple[TemplateProblem, ...]:
    """Everything that is wrong with a template of GET_ORDERS, whose rules go from theirs to ours.

    `fields` are the platform's: theirs → ours.
    """
    problems: list[TemplateProblem] = []
    enabled: set[str] = set()
    for rule in template.rules:
        wanted = fields.get(rule.source)
        if wanted is None:
            known = ", ".join(sorted(fields))
            message = f"{rule.source!r} is no field of the channel's orders; there are {known}"
            problems.append(TemplateProblem(rule.source, "UnknownSource", message))
            continue
        problems += _target_problems(rule, {item.value for item in fields.values()}, wanted.value)
        problems += _rule_problems(rule, enabled)
    return tuple(problems)


def validate_shipment_template(
    template: Template, fields: Mapping[str, ShipmentField]
) -> tuple[TemplateProblem, ...]:
    """Everything that is wrong with a template of SYNC_ORDERS, whose rules go from ours to theirs.

    `fields` are the platform's: theirs → ours.
    """
    problems: list[TemplateProblem] = []
    enabled: set[str] = set()
    ours = {item.value for item in ShipmentField}
    for rule in template.rules:
        if rule.source not in ours:
            known = ", ".join(sorted(ours))
            message = f"{rule.source!r} is no field of a shipment; there are {known}"
            problems.append(TemplateProblem(rule.source, "UnknownSource", message))
            continue
        fed = {theirs for theirs, field in fields.items() if field.value == rule.source}
        problems += _target_problems(rule, set(fields), *fed)
        problems += _rule_problems(rule, enabled)
    return tuple(problems)


def _sources_on(template: Template, fields: Mapping[str, OurOrderField]) -> set[str]:
    if not template.rules:
        return set(fields)
    return {rule.source for rule in template.rules if rule.enabled}


def _target_problems(rule: MappingRule, known: set[str], *wanted: str) -> list[TemplateProblem]:
    if rule.target not in known:
        names = ", ".join(sorted(known))
        message = f"{rule.target!r} is no target of a rule here; there are {names}"
        return [TemplateProblem(rule.target, "UnknownTarget", message)]
    if rule.target not in wanted:
        goes = ", ".join(sorted(wanted)) or "nothing on this channel"
        message = f"{rule.source} goes to {goes} and cannot feed {rule.target}"
        return [TemplateProblem(rule.target, "KindMismatch", message)]
    return []


def _rule_problems(rule: MappingRule, enabled: set[str]) -> list[TemplateProblem]:
    problems: list[TemplateProblem] = []
    if rule.mapping_set is not None:
        message = f"{rule.source} is taken over as it is; fields of orders have no mapping set"
        problems.append(TemplateProblem(rule.target, "InvalidMappingSet", message))
    if rule.enabled and rule.target in enabled:
        message = f"Two enabled rules feed {rule.target}; switch one of them off"
        problems.append(TemplateProblem(rule.target, "DuplicateTarget", message))
    if rule.enabled:
        enabled.add(rule.target)
    return problems


def _address(address: Address | None) -> Value:
    if address is None:
        return None
    written: dict[str, Value] = {item.name: getattr(address, item.name) for item in fields(address)}
    return written if any(written.values()) else None


def _empty(remote: RemoteOrder, ours: OurOrderField) -> str:
    if ours is OurOrderField.SHIPPING_ADDRESS and not ships(remote):
        return f"{ours.value} is empty on the channel; nothing of the order is to be shipped"
    return f"{ours.value} is empty on the channel"


def _told(shipment: Shipment, field: ShipmentField) -> Value:
    match field:
        case ShipmentField.TRACKING_NUMBER:
            return shipment.tracking_number
        case ShipmentField.CARRIER:
            return shipment.carrier
        case ShipmentField.SERVICE:
            return shipment.service
        case ShipmentField.TRACKING_URL:
            return shipment.tracking_url
        case ShipmentField.NOTIFY_CUSTOMER:
            return shipment.notify_customer
        case _:
            assert_never(field)


_VALUES: Mapping[OurOrderField, Callable[[RemoteOrder], Value]] = {
    OurOrderField.EMAIL: lambda remote: remote.email,
    OurOrderField.BILLING_ADDRESS: lambda remote: _address(remote.billing),
    OurOrderField.SHIPPING_ADDRESS: lambda remote: _address(remote.ship_to),
    OurOrderField.NOTE: lambda remote: remote.note,
    OurOrderField.SHIPPING_TEXT: lambda remote: ", ".join(
        text.title for text in remote.shipping if text.title
    ),
    OurOrderField.PAYMENT_STATUS: lambda remote: remote.payment.value,
    OurOrderField.TOTAL: lambda remote: remote.total,
    OurOrderField.CUSTOM_FIELDS: lambda remote: dict(remote.custom),
    OurOrderField.LINE_CUSTOM_FIELDS: lambda remote: {
        line.id: dict(line.custom) for line in remote.lines if line.custom
    },
    OurOrderField.LINE_WEIGHT: lambda remote: {
        line.id: line.weight for line in remote.lines if line.weight is not None
    },
}
"""Where each field of ours stands in an order as it was seen; all of them are here."""

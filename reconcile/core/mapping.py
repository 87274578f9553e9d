"""Mapping templates: which of our fields feeds which field of a channel, per operation.

Pure. A platform declares its fields (`ChannelField`) and default templates; a channel may carry
its own. `wanted` turns our values into the canonical values a channel should hold.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from reconcile.core.types import (
    MONEY_FIELDS,
    NO_FIELDS,
    FieldGroup,
    FieldRole,
    Fields,
    Level,
    Operation,
    OurField,
    Presence,
    Value,
    Withheld,
)


@dataclass(frozen=True, slots=True)
class ChannelField:
    """One field of a platform that a template may feed."""

    name: str
    title: str
    group: FieldGroup
    role: FieldRole
    level: Level
    write_group: str
    """Fields of one write group travel in one request; "content" for everything of CONTENT."""
    is_readable: bool = True
    """False for write-only fields (images), compared by what was sent instead."""


@dataclass(frozen=True, slots=True)
class Case:
    """If our field has this value (for categories: this path or one below it), use that one."""

    field: str
    equals: str
    then: Value


@dataclass(frozen=True, slots=True)
class MappingSet:
    """Rules that translate a value: the first case that holds wins."""

    name: str
    cases: tuple[Case, ...]
    keep_unmatched: bool = True
    """What no case matches is passed on as it is (True) or withheld with the reason (False)."""


@dataclass(frozen=True, slots=True)
class MappingRule:
    """One line of a template: source field → target field, switched on or off."""

    source: str
    target: str
    enabled: bool = True
    mapping_set: MappingSet | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """The mapping of one operation of one channel; at most one enabled rule per target."""

    rules: tuple[MappingRule, ...] = ()


ChannelFields: TypeAlias = Mapping[str, ChannelField]

OPERATION_GROUPS: Mapping[Operation, frozenset[FieldGroup]] = {
    Operation.SYNC_LISTINGS: frozenset({FieldGroup.SYNC}),
    Operation.PUBLISH_LISTINGS: frozenset({FieldGroup.SYNC, FieldGroup.CONTENT}),
}
"""Field groups that a template of an operation may enable; others have no such template."""

_PARTED = frozenset({OurField.ATTRIBUTES, OurField.CUSTOM_FIELDS, OurField.CATEGORIES})
"""Our fields of which a part can be a source: `attributes.Color`, `categories.1`."""

_MONEY_ROLES = frozenset({FieldRole.PRICE, FieldRole.COMPARE_AT, FieldRole.COST})
_PATH_SEPARATOR = ">"


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """Why a template is refused, with the field it is about."""

    field: str
    """The target of the rule, or its source where the source is what is wrong."""
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The canonical values a channel should hold for one variant and its listing."""

    sync: Fields = NO_FIELDS
    listing_content: Fields = NO_FIELDS
    variant_content: Fields = NO_FIELDS
    withheld: tuple[Withheld, ...] = ()


def validate(
    template: Template, channel_fields: ChannelFields, operation: Operation
) -> list[TemplateProblem]:
    """Everything that is wrong with a template, in the order of its rules; empty if nothing is."""
    groups = OPERATION_GROUPS.get(operation)
    if groups is None:
        message = f"{operation.value} has no mapping template"
        return [TemplateProblem("", "NoTemplate", message)] if template.rules else []
    problems: list[TemplateProblem] = []
    enabled: set[str] = set()
    for rule in template.rules:
        if _split(rule.source) is None:
            known = ", ".join(item.value for item in OurField)
            message = f"{rule.source!r} is no field of ours; there are {known}"
            problems.append(TemplateProblem(rule.source, "UnknownSource", message))
            continue
        target = channel_fields.get(rule.target)
        if target is None:
            known = ", ".join(sorted(channel_fields))
            message = f"{rule.target!r} is no field of the channel; there are {known}"
            problems.append(TemplateProblem(rule.target, "UnknownTarget", message))
            continue
        problems += _set_problems(rule, target)
        if not rule.enabled:
            continue
        if rule.target in enabled:
            message = f"Two enabled rules feed {target.title}; switch one of them off"
            problems.append(TemplateProblem(rule.target, "DuplicateTarget", message))
        enabled.add(rule.target)
        if target.group not in groups:
            message = f"{target.title} is not sent by {operation.value}; switch the rule off"
            problems.append(TemplateProblem(rule.target, "GroupNotAllowed", message))
        problems += _kind_problems(rule, target)
    return problems


def wanted(
    template: Template,
    fields: ChannelFields,
    listing_values: Fields,
    variant_values: Fields,
    quantity: int | None,
    currency: str,
    canonical: Callable[[str, Value], Value],
    presence: Presence,
    overwritten_when_hidden: frozenset[str],
    operation: Operation,
) -> Wanted:
    """What the enabled rules of a template make of our values; what is not sent says why.

    `canonical` gets prices as plain amounts, in the channel's currency already checked. A value
    for a target at variant level is the variant's own, else the listing's.
    """
    groups = OPERATION_GROUPS.get(operation, frozenset())
    values: dict[Level, Fields] = {
        Level.LISTING: {**listing_values, OurField.QUANTITY.value: None},
        Level.VARIANT: {
            **listing_values,
            **_stated(variant_values),
            OurField.QUANTITY.value: quantity,
        },
    }
    found: dict[tuple[FieldGroup, Level], dict[str, Value]] = defaultdict(dict)
    withheld: list[Withheld] = []
    for rule in template.rules:
        target = fields.get(rule.target)
        if not rule.enabled or target is None or target.group not in groups:
            continue
        if presence is Presence.HIDDEN and rule.target in overwritten_when_hidden:
            message = "hiding holds it; it is sent when the variant is shown again"
            withheld.append(Withheld(rule.target, "Hidden", message))
            continue
        value = _value_of(rule, target, values[target.level], currency, canonical)
        if isinstance(value, Withheld):
            withheld.append(value)
        else:
            found[target.group, target.level][rule.target] = value
    return Wanted(
        sync={
            **found[FieldGroup.SYNC, Level.LISTING],
            **found[FieldGroup.SYNC, Level.VARIANT],
        },
        listing_content=found[FieldGroup.CONTENT, Level.LISTING],
        variant_content=found[FieldGroup.CONTENT, Level.VARIANT],
        withheld=tuple(withheld),
    )


def disabled_targets(template: Template, channel_fields: ChannelFields) -> tuple[str, ...]:
    """Channel fields that no rule of the template feeds, for "why is this field not sent?"."""
    fed = {rule.target for rule in template.rules if rule.enabled}
    return tuple(sorted(name for name in channel_fields if name not in fed))


def _stated(values: Fields) -> Fields:
    return {name: value for name, value in values.items() if value is not None}


def _split(source: str) -> tuple[OurField, str | None] | None:
    name, dot, part = source.partition(".")
    try:
        ours = OurField(name)
    except ValueError:
        return None
    if not dot:
        return ours, None
    if ours not in _PARTED or not part:
        return None
    if ours is OurField.CATEGORIES and not (part.isascii() and part.isdigit() and int(part) > 0):
        return None
    return ours, part


def _set_problems(rule: MappingRule, target: ChannelField) -> list[TemplateProblem]:
    if rule.mapping_set is None:
        return []
    mapping_set = rule.mapping_set
    said: list[str] = []
    if not mapping_set.cases:
        said.append("it has no case")
    seen: set[tuple[str, str]] = set()
    for case in mapping_set.cases:
        split = _split(case.field)
        if split is None:
            said.append(f"{case.field!r} is no field of ours")
        if case.then is None:
            said.append(f"the case {case.field} = {case.equals!r} gives no value")
        if (case.field, case.equals) in seen:
            said.append(f"the case {case.field} = {case.equals!r} is there twice")
        seen.add((case.field, case.equals))
    if target.role is not FieldRole.CONTENT:
        said.append("prices and quantities are not replaced by cases")
    return [
        TemplateProblem(
            rule.target, "InvalidMappingSet", f"Mapping set {mapping_set.name!r}: {message}"
        )
        for message in said
    ]


def _kind_problems(rule: MappingRule, target: ChannelField) -> list[TemplateProblem]:
    split = _split(rule.source)
    ours = None if split is None else split[0]
    message = None
    if target.role in _MONEY_ROLES and ours not in MONEY_FIELDS:
        message = f"{target.title} takes a price, and {rule.source} is none"
    elif target.role is FieldRole.QUANTITY and ours is not OurField.QUANTITY:
        message = f"{target.title} takes a quantity, and {rule.source} is none"
    return [] if message is None else [TemplateProblem(rule.target, "KindMismatch", message)]


def _value_of(
    rule: MappingRule,
    target: ChannelField,
    values: Fields,
    currency: str,
    canonical: Callable[[str, Value], Value],
) -> "Value | Withheld":
    value = _read(rule.source, values)
    if rule.mapping_set is not None:
        mapped = _mapped(rule.mapping_set, values)
        if mapped is not None:
            value = mapped
        elif value is not None and not rule.mapping_set.keep_unmatched:
            message = f"no case of the mapping set {rule.mapping_set.name!r} holds"
            return Withheld(rule.target, "NotMapped", message)
    if value is None:
        return Withheld(rule.target, "NoValue", f"there is no value for {rule.source}")
    split = _split(rule.source)
    if split is not None and split[0] in MONEY_FIELDS:
        amount = _amount(value, currency)
        if isinstance(amount, tuple):
            return Withheld(rule.target, *amount)
        value = amount
    elif target.role in _MONEY_ROLES:
        return Withheld(rule.target, "Invalid", f"{rule.source} is no price")
    try:
        sent = canonical(rule.target, value)
    except ValueError as error:
        return Withheld(rule.target, "Invalid", str(error) or "the platform does not take it")
    if sent is None:
        return Withheld(rule.target, "NoValue", f"there is no value for {rule.source}")
    return sent


def _amount(value: Value, currency: str) -> str | tuple[str, str]:
    match value:
        case {"amount": str() as amount, "currency": str() as stated}:
            if stated != currency:
                message = (
                    f"it is stated in {stated}, the channel sells in {currency}, and nothing is "
                    "ever converted"
                )
                return "CurrencyMismatch", message
            return amount
        case _:
            return "Invalid", "a price needs an amount and a currency"


def _read(source: str, values: Fields) -> Value:
    split = _split(source)
    if split is None:
        return None
    name, part = split
    value = values.get(name.value)
    match value:
        case _ if part is None:
            return value
        case dict():
            return value.get(part)
        case list() if int(part) <= len(value):
            return value[int(part) - 1]
        case _:
            return None


def _mapped(mapping_set: MappingSet, values: Fields) -> Value:
    for case in mapping_set.cases:
        if _holds(case, _read(case.field, values)):
            return case.then
    return None


def _holds(case: Case, value: Value) -> bool:
    match value:
        case list():
            path = [part.strip() for part in case.equals.split(_PATH_SEPARATOR)]
            return [str(part) for part in value[: len(path)]] == path
        case bool():
            return case.equals == ("true" if value else "false")
        case str() | int():
            return str(value) == case.equals
        case _:
            return False

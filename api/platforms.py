"""Platforms: what each one can do, from its record in the registry. Nothing reads the store."""

from collections.abc import Mapping
from decimal import Decimal
from types import NoneType, UnionType
from typing import Union, get_args, get_origin

import strawberry
from strawberry.scalars import JSON

from api.faults import camel
from api.scalars import as_json
from reconcile.contract import OrderSupport, Settings, SettingSpec, setting_specs
from reconcile.contract import Platform as PlatformRecord
from reconcile.core.actions import ActionKind
from reconcile.core.mapping import MappingRule as MappingRuleValue
from reconcile.core.mapping import Template
from reconcile.core.types import FieldGroup, FieldRole, Level, Operation, OurField, Presence

_TYPE_NAMES = {str: "TEXT", int: "WHOLE_NUMBER", bool: "YES_NO", Decimal: "DECIMAL"}


def plain_type(annotation: object) -> type:
    """The type of a setting without its `| None`."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not NoneType)
    if not isinstance(annotation, type):
        raise TypeError(f"a setting cannot be of type {annotation}")
    return annotation


@strawberry.type(description="One credential or setting: what it is and where it is found.")
class Setting:
    """A field of a credentials or settings input."""

    name: str = strawberry.field(description="As the inputs and the command line call it.")
    input_name: str = strawberry.field(description="Its name in the GraphQL input.")
    title: str
    help: str = strawberry.field(description="What it does, or where on the platform it is found.")
    type: str = strawberry.field(description="TEXT, WHOLE_NUMBER, DECIMAL or YES_NO.")
    is_required: bool
    is_secret: bool = strawberry.field(description="Never shown again once it is saved.")
    choices: list[str] = strawberry.field(description="Empty where any value is possible.")
    default: JSON | None

    @classmethod
    def from_spec(cls, spec: SettingSpec) -> "Setting":
        """The setting a specification describes."""
        return cls(
            name=spec.name,
            input_name=camel(spec.name),
            title=spec.title,
            help=spec.help,
            type=_TYPE_NAMES[plain_type(spec.type)],
            is_required=spec.required,
            is_secret=spec.secret,
            choices=list(spec.choices),
            default=as_json(spec.default),
        )


def _settings(kind: type[Settings]) -> list[Setting]:
    return [Setting.from_spec(spec) for spec in setting_specs(kind)]


@strawberry.type(description="Whether a platform supports an operation, and with which settings.")
class PlatformOperation:
    """An operation of a platform."""

    operation: Operation
    is_supported: bool
    reason: str | None = strawberry.field(
        description="Where it is not supported: why, and what to do instead."
    )
    is_manual_only: bool = strawberry.field(description="It cannot be scheduled.")
    settings: list[Setting]


@strawberry.type(description="Whether a platform supports an action.")
class PlatformAction:
    """An action of a platform."""

    kind: ActionKind
    is_supported: bool
    reason: str | None = strawberry.field(description="Where it is not supported: why.")
    batch_size: int | None = strawberry.field(description="Most actions in one request.")


@strawberry.type(description="Something listings can be linked by.")
class Identifier:
    """An identifier of one side."""

    name: str
    title: str


@strawberry.type(description="An allowed pair of identifiers: ours equals theirs.")
class LinkingPair:
    """Ours and theirs."""

    ours: Identifier
    theirs: Identifier


@strawberry.type(description="One field of a platform that a mapping template may feed.")
class PlatformField:
    """A target of mapping rules."""

    name: str
    title: str
    group: FieldGroup
    role: FieldRole
    level: Level
    is_readable: bool = strawberry.field(
        description="No: write-only, compared by what was sent instead."
    )


@strawberry.type(description="If our field has this value, use that one.")
class MappingCase:
    """One case of a mapping set."""

    field: str
    equals: str
    then: JSON | None


@strawberry.type(description="Cases that translate a value; the first that holds wins.")
class MappingSet:
    """Rules of a mapping rule."""

    name: str
    cases: list[MappingCase]
    keep_unmatched: bool


@strawberry.type(description="One line of a template: our field feeds the channel's field.")
class MappingRule:
    """Source and target."""

    source: str
    target: str
    is_enabled: bool
    mapping_set: MappingSet | None

    @classmethod
    def from_rule(cls, rule: MappingRuleValue) -> "MappingRule":
        """The rule as the API shows it."""
        chosen = rule.mapping_set
        return cls(
            source=rule.source,
            target=rule.target,
            is_enabled=rule.enabled,
            mapping_set=None
            if chosen is None
            else MappingSet(
                name=chosen.name,
                keep_unmatched=chosen.keep_unmatched,
                cases=[
                    MappingCase(field=case.field, equals=case.equals, then=as_json(case.then))
                    for case in chosen.cases
                ],
            ),
        )


@strawberry.type(description="The mapping of one operation.")
class MappingTemplate:
    """A template of a platform or of a channel."""

    operation: Operation
    is_default: bool = strawberry.field(description="No: the channel has its own.")
    rules: list[MappingRule]

    @classmethod
    def from_template(
        cls, operation: Operation, template: Template, *, is_default: bool
    ) -> "MappingTemplate":
        """The template as the API shows it."""
        rules = [MappingRule.from_rule(rule) for rule in template.rules]
        return cls(operation=operation, is_default=is_default, rules=rules)


@strawberry.type(description="How a presence is written and read on a platform.")
class PlatformPresence:
    """HIDDEN or DELISTED on a platform."""

    presence: Presence
    is_readable: bool = strawberry.field(description="The platform itself says so when asked.")
    explanation: str


@strawberry.type(description="A property by which GET_ORDERS can leave orders out.")
class OrderFacet:
    """A filter of the platform."""

    name: str
    title: str
    code: str = strawberry.field(description="Of the decision that leaves an order out.")


@strawberry.type(description="A field of the platform's orders that an imported order can carry.")
class PlatformOrderField:
    """Source and target of a rule of GET_ORDERS."""

    theirs: str
    ours: str
    title: str


@strawberry.type(description="A field of a shipment that the platform takes.")
class PlatformShipmentField:
    """Source and target of a rule of SYNC_ORDERS."""

    ours: str
    theirs: str
    title: str


@strawberry.type(description="What a platform can do with orders.")
class PlatformOrders:
    """How orders are filtered, mapped and shipped."""

    shipping_text: str = strawberry.field(description="What a shipping mapping compares there.")
    facets: list[OrderFacet]
    fields: list[PlatformOrderField]
    shipment_fields: list[PlatformShipmentField]
    takes_partial_shipments: bool = strawberry.field(
        description="No: it takes one shipment of the whole order, so parts wait."
    )

    @classmethod
    def from_record(cls, record: OrderSupport) -> "PlatformOrders":
        """The order side of a platform's record."""
        return cls(
            shipping_text=record.shipping_text,
            facets=[
                OrderFacet(name=each.name, title=each.title, code=each.code)
                for each in record.facets
            ],
            fields=[
                PlatformOrderField(theirs=each.theirs, ours=each.ours, title=each.title)
                for each in record.fields
            ],
            shipment_fields=[
                PlatformShipmentField(ours=each.ours, theirs=each.theirs, title=each.title)
                for each in record.shipment_fields
            ],
            takes_partial_shipments=record.partial_shipments,
        )


@strawberry.type(description="Software such as WooCommerce, and what Tallyport can do with it.")
class Platform:
    """A platform of the registry."""

    name: str
    title: str
    operations: list[PlatformOperation]
    actions: list[PlatformAction]
    linking_pairs: list[LinkingPair]
    fields: list[PlatformField]
    our_fields: list[str] = strawberry.field(description="Sources that templates may use.")
    templates: list[MappingTemplate] = strawberry.field(description="The defaults.")
    presences: list[PlatformPresence]
    credentials: list[Setting] = strawberry.field(description="Fields of its credentials input.")
    settings: list[Setting] = strawberry.field(description="Settings of a channel as a whole.")
    orders: PlatformOrders | None = strawberry.field(
        description="How its orders are read and shipped; null: not supported."
    )

    @classmethod
    def from_record(cls, record: PlatformRecord) -> "Platform":
        """The platform a record describes."""
        ours = {each.name: each for each in record.our_identifiers}
        theirs = {each.name: each for each in record.their_identifiers}
        return cls(
            name=record.name,
            title=record.title,
            operations=_operations(record),
            actions=_actions(record),
            linking_pairs=[
                LinkingPair(
                    ours=Identifier(name=left, title=ours[left].title),
                    theirs=Identifier(name=right, title=theirs[right].title),
                )
                for left, right in sorted(record.linking_pairs)
            ],
            fields=[
                PlatformField(
                    name=each.name,
                    title=each.title,
                    group=each.group,
                    role=each.role,
                    level=each.level,
                    is_readable=each.is_readable,
                )
                for each in record.fields
            ],
            our_fields=[field.value for field in OurField],
            templates=[
                MappingTemplate.from_template(operation, template, is_default=True)
                for operation, template in record.templates.items()
            ],
            presences=[
                PlatformPresence(
                    presence=presence, is_readable=form.is_readable, explanation=form.explanation
                )
                for presence, form in record.presence.items()
            ],
            credentials=_settings(record.credentials),
            settings=_settings(record.settings),
            orders=None if record.orders is None else PlatformOrders.from_record(record.orders),
        )


def _operations(record: PlatformRecord) -> list[PlatformOperation]:
    return [
        PlatformOperation(
            operation=operation,
            is_supported=operation in record.operations,
            reason=record.unsupported_operations.get(operation),
            is_manual_only=operation in record.manual_only,
            settings=_settings(record.operations[operation])
            if operation in record.operations
            else [],
        )
        for operation in Operation
        if operation in record.operations or operation in record.unsupported_operations
    ]


def _actions(record: PlatformRecord) -> list[PlatformAction]:
    return [
        PlatformAction(
            kind=kind,
            is_supported=kind in record.actions,
            reason=record.unsupported_actions.get(kind),
            batch_size=record.actions[kind].batch_size if kind in record.actions else None,
        )
        for kind in ActionKind
        if kind in record.actions or kind in record.unsupported_actions
    ]


def platforms_of(records: Mapping[str, PlatformRecord]) -> list[Platform]:
    """All platforms, by name."""
    return [Platform.from_record(records[name]) for name in sorted(records)]

"""GraphQL inputs generated from the platforms' credentials and settings dataclasses.

Each platform gets one input per dataclass; a `@oneOf` input per purpose chooses the platform.
Titles and help texts become descriptions, so that a client's form says where a value is found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

from api.faults import camel
from api.platforms import plain_type
from api.scalars import plain
from reconcile.contract import Platform, Settings, SettingSpec, setting_specs
from reconcile.core.types import Operation, Value

InputType = type[Any]
"""A class made by `input_type`; its attributes are known to the schema only, hence `Any`."""


@dataclass(frozen=True, slots=True)
class PlatformInputs:
    """The generated inputs of all platforms."""

    credentials: InputType
    settings: InputType | None
    """None where no platform has a channel setting."""
    operations: InputType | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a client put into a `@oneOf` input: the platform (and operation) and the values."""

    platform: str
    operation: Operation | None
    values: Mapping[str, Value]


def input_field(
    annotation: Any, description: str = "", *, optional: bool = False
) -> StrawberryField:
    """A field of a generated input; an optional one is `UNSET` where the client leaves it out."""
    made: StrawberryField = (
        strawberry.field(
            description=description or None,
            graphql_type=annotation | None,
            default=strawberry.UNSET,
        )
        if optional
        else strawberry.field(description=description or None, graphql_type=annotation)
    )
    return made


def input_type(
    name: str, description: str, members: Mapping[str, StrawberryField], *, one_of: bool = False
) -> InputType:
    """A strawberry input made at run time."""
    namespace: dict[str, Any] = {
        "__annotations__": dict.fromkeys(members, Any),
        "__doc__": description,
        "__module__": __name__,
        **members,
    }
    made: InputType = strawberry.input(
        type(name, (), namespace), name=name, description=description, one_of=one_of or None
    )
    return made


def _description(spec: SettingSpec) -> str:
    parts = [f"{spec.title}. {spec.help.rstrip('.')}."]
    if spec.choices:
        parts.append(f"One of: {', '.join(spec.choices)}.")
    if spec.secret:
        parts.append("Secret: never shown again.")
    if not spec.required and spec.default not in (None, ""):
        parts.append(f"Default: {plain(spec.default)}.")
    return " ".join(parts)


def _settings_input(
    name: str, description: str, kind: type[Settings], *, complete: bool
) -> InputType | None:
    """The input of one dataclass; only with `complete` are its required fields required."""
    specs = setting_specs(kind)
    if not specs:
        return None
    members: dict[str, StrawberryField] = {}
    for spec in specs:
        annotation = plain_type(spec.type)
        members[spec.name] = input_field(
            annotation, _description(spec), optional=not (complete and spec.required)
        )
    return input_type(name, description, members)


def _prefix(platform: Platform) -> str:
    return "".join(character for character in platform.title if character.isalnum())


def _operation_title(operation: Operation) -> str:
    return "".join(part.title() for part in operation.value.split("_"))


def _choice(name: str, description: str, members: Mapping[str, InputType]) -> InputType | None:
    if not members:
        return None
    fields = {each: input_field(kind, optional=True) for each, kind in members.items()}
    return input_type(name, description, fields, one_of=True)


def platform_inputs(platforms: Mapping[str, Platform]) -> PlatformInputs:
    """The inputs of these platforms."""
    credentials: dict[str, InputType] = {}
    settings: dict[str, InputType] = {}
    operations: dict[str, InputType] = {}
    for name in sorted(platforms):
        platform = platforms[name]
        prefix = _prefix(platform)
        made = _settings_input(
            f"{prefix}CredentialsInput",
            f"How to log in to a {platform.title} account.",
            platform.credentials,
            complete=True,
        )
        if made is not None:
            credentials[name] = made
        made = _settings_input(
            f"{prefix}SettingsInput",
            f"Settings of a {platform.title} channel; what is left out stays as it is.",
            platform.settings,
            complete=False,
        )
        if made is not None:
            settings[name] = made
        for operation, kind in platform.operations.items():
            made = _settings_input(
                f"{prefix}{_operation_title(operation)}SettingsInput",
                f"Settings of {operation} on {platform.title}; what is left out stays as it is.",
                kind,
                complete=False,
            )
            if made is not None:
                operations[f"{name}_{operation.value.lower()}"] = made
    chosen = _choice(
        "ChannelCredentialsInput", "The platform and how to log in to the account.", credentials
    )
    if chosen is None:
        raise ValueError("no platform has credentials")
    return PlatformInputs(
        credentials=chosen,
        settings=_choice(
            "ChannelSettingsInput", "The platform and settings of the channel.", settings
        ),
        operations=_choice(
            "OperationSettingsInput",
            "The platform and operation, and its settings.",
            operations,
        ),
    )


def chosen(given: Any, platforms: Mapping[str, Platform]) -> Chosen:
    """What stands in a `@oneOf` input (typed Any: its class is made at run time)."""
    (member,) = (
        name for name, value in vars(given).items() if value not in (None, strawberry.UNSET)
    )
    inner = getattr(given, member)
    values = {
        name: plain(value) for name, value in vars(inner).items() if value is not strawberry.UNSET
    }
    for name in platforms:
        if member == name:
            return Chosen(name, None, values)  # type: ignore[arg-type] # plain() gives values
        for operation in Operation:
            if member == f"{name}_{operation.value.lower()}":
                return Chosen(name, operation, values)  # type: ignore[arg-type] # as above
    raise ValueError(f"no platform for {camel(member)}")

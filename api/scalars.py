"""Canonical values and settings on their way into JSON and back."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum

from strawberry.scalars import JSON


def as_json(value: object) -> JSON | None:
    """A value as the JSON scalar carries it; None stays null."""
    return None if value is None else JSON(plain(value))


def plain(value: object) -> object:
    """The JSON form of a stored value: decimals as text, enums as their value, tuples as lists."""
    match value:
        case Enum():
            return value.value
        case Decimal():
            return str(value)
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    return value

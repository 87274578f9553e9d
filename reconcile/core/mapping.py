"""Mapping templates: which of our fields feeds which field of a channel, per operation.

Pure. A platform declares its fields (`ChannelField`) and default templates; a channel may carry
its own. `wanted` turns our values into the canonical values a channel should hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from reconcile.core.types import FieldGroup, FieldRole, Level, Value


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

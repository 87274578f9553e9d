"""What someone states about listings, and how a statement joins what is held. Pure.

A missing name is no statement, None takes a value away. Attributes and custom fields are merged by
name, everything else is replaced. Sources remember who stated what is held now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconcile.core.types import OurField, Presence, Value

NAMED = frozenset({OurField.ATTRIBUTES.value, OurField.CUSTOM_FIELDS.value})
"""Fields that hold texts by name, each of which can be stated alone."""


@dataclass(frozen=True, slots=True)
class StatedVariant:
    """What is stated about one variant."""

    sku: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    options: Sequence[tuple[str, str]] | None = None
    presence: Presence | None = None
    paused: bool | None = None
    id: int | None = None
    """Given: that variant, whose SKU may change by this."""
    line: int = 0
    """Where in a file it stands."""


@dataclass(frozen=True, slots=True)
class StatedListing:
    """What is stated about one listing; variants that are not named stay as they are."""

    sku: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    option_names: Sequence[str] | None = None
    variants: Sequence[StatedVariant] = ()
    id: int | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where statements come from."""

    source: str
    """API or FILE."""
    by: str
    at: datetime
    pause_new: bool = False
    """New variants start paused unless they are stated otherwise."""

    def mark(self) -> dict[str, Value]:
        """What `sources` keeps of it."""
        return {"source": self.source, "at": self.at.isoformat(), "by": self.by}


def merged(held: Mapping[str, Any], stated: Mapping[str, Value]) -> dict[str, Any]:
    """What holds after a statement."""
    result = dict(held)
    for name, value in stated.items():
        after = _joined(result.get(name), value) if name in NAMED else value
        if after is None:
            result.pop(name, None)
        else:
            result[name] = after
    return result


def _joined(held: Mapping[str, Any] | None, stated: Value) -> Value:
    if not isinstance(stated, dict):
        return stated
    texts = {**(held or {}), **stated}
    return {label: text for label, text in texts.items() if text is not None} or None


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names whose value is another one, or gone, or new."""
    return [
        name
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
        or isinstance(before.get(name), bool) != isinstance(after.get(name), bool)
    ]


def restated(
    sources: Mapping[str, Any], names: Sequence[str], after: Mapping[str, Any], origin: Origin
) -> dict[str, Any]:
    """The sources of what is held, those of changed names being this origin."""
    marked = dict(sources)
    for name in names:
        if name in after:
            marked[name] = origin.mark()
        else:
            marked.pop(name, None)
    return marked

"""Typed credentials and settings: dataclasses whose fields say what they are and where to find it.

The API's inputs and the command line's options are generated from them.
"""

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Protocol

from reconcile.core.types import Value


def setting(
    title: str,
    help_text: str,
    *,
    default: Any = MISSING,
    secret: bool = False,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a credentials or settings dataclass: its title, and where or what it is.

    `Any` because `dataclasses.field` is typed so that its result fits every annotation.
    """
    metadata = {"title": title, "help": help_text, "secret": secret, "choices": choices}
    if default is MISSING:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


class Settings(Protocol):
    """A frozen dataclass of `setting` fields (str, int, bool, Decimal or None)."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One field of a settings dataclass, for documentation, the API and the command line."""

    name: str
    title: str
    help: str
    type: Any
    required: bool
    secret: bool
    choices: tuple[str, ...]
    default: Value


def setting_specs(settings_type: type[Settings]) -> tuple[SettingSpec, ...]:
    """The fields of a settings dataclass in the order they are declared."""
    return tuple(
        SettingSpec(
            name=item.name,
            title=item.metadata["title"],
            help=item.metadata["help"],
            type=item.type,
            required=item.default is MISSING,
            secret=item.metadata["secret"],
            choices=item.metadata["choices"],
            default=None if item.default is MISSING else item.default,
        )
        for item in fields(settings_type)
    )

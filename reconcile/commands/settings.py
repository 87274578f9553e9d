"""Checks what a user gives for a settings dataclass: unknown, missing, wrong in type or choice.

Every problem names the field and says where its value is found; no message repeats a value, because
it may be a secret.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from reconcile.commands.errors import CommandError, Problem, refuse
from reconcile.contract import Settings, SettingSpec, setting_specs
from reconcile.core.types import Value
from reconcile.store.channels import settings_from

SettingsType = TypeVar("SettingsType", bound=Settings)


def checked_settings(
    kind: type[SettingsType],
    given: Mapping[str, Value],
    path: Sequence[str],
    *,
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Value]:
    """The stored form of settings: what was given over `earlier`, all problems raised at once."""
    specs = {spec.name: spec for spec in setting_specs(kind)}
    hints = get_type_hints(kind)
    problems: list[Problem] = []
    values: dict[str, Value] = {}
    for name, value in given.items():
        if name not in specs:
            problems.append(_unknown(name, specs, path))
            continue
        try:
            values[name] = _value(specs[name], hints[name], value)
        except ValueError as error:
            spec = specs[name]
            problems.append(
                Problem("INVALID", f"{spec.title}: {error}. {spec.help}", (*path, name))
            )
    known = {name: value for name, value in (earlier or {}).items() if name in specs}
    merged = {**known, **values}
    stated = {*known, *given}
    for spec in specs.values():
        if spec.required and spec.name not in stated:
            message = f"{spec.title} is missing. {spec.help}"
            problems.append(Problem("MISSING", message, (*path, spec.name)))
    if problems:
        raise CommandError(*problems)
    try:
        settings_from(kind, merged)
    except ValueError as error:
        raise refuse("INVALID", str(error), *path) from None
    return merged


def _unknown(name: str, specs: Mapping[str, SettingSpec], path: Sequence[str]) -> Problem:
    near = get_close_matches(name, specs, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(specs) or 'none'}"
    return Problem("UNKNOWN_FIELD", f"There is no setting {name}; {hint}", (*path, name))


def _value(spec: SettingSpec, hint: Any, value: Value) -> Value:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None:
        if NoneType in options:
            return None
        raise ValueError("it cannot be empty")
    kind = next(option for option in options if option is not NoneType)
    stored = _typed(kind, value)
    if spec.required and isinstance(stored, str) and not stored:
        raise ValueError("it cannot be empty")
    if spec.choices and stored not in spec.choices:
        raise ValueError(f"it is one of {', '.join(spec.choices)}")
    return stored


def _typed(kind: Any, value: Value) -> Value:
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise ValueError("it is true or false")
    if kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise ValueError("it is a whole number")
    if kind is Decimal:
        return _decimal(value)
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("it holds a character that cannot be stored")
        return value.strip()
    raise ValueError("it is a text")


def _decimal(value: Value) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return f"{number:f}"
    raise ValueError("it is a number, written with a point")

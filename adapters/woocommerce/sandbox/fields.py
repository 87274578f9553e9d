"""Checks of single requests against the platform's argument tables; batches skip them.

A table is data: `schemas.py` holds them. Must not know what a field means.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.sitetime import is_stamp

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+$")


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument: its type (several joined by a comma) and the limits on its values."""

    type: str = "string"
    enum: tuple[str, ...] = ()
    default: Json = None
    minimum: int | None = None
    maximum: int | None = None
    format: str = ""
    items: "Arg | None" = None
    properties: Mapping[str, "Arg"] = field(default_factory=dict)
    required: bool = False

    def described(self) -> dict[str, Json]:
        """Show the argument as the index of routes does."""
        types = self.type.split(",")
        shown: dict[str, Json] = {"required": self.required}
        shown["type"] = "array" if self.type == "ids" else types[0] if len(types) == 1 else [*types]
        if self.type == "ids":
            shown["items"] = {"type": "integer"}
        if self.enum:
            shown["enum"] = [*self.enum]
        for name in ("default", "minimum", "maximum"):
            if (value := getattr(self, name)) is not None:
                shown[name] = value
        if self.format:
            shown["format"] = self.format
        if self.items is not None:
            shown["items"] = self.items.described()
        return shown


class InvalidError(Exception):
    """One argument that does not fit, with the words WordPress has for it."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def detail(self) -> dict[str, Json]:
        """Show the refusal as `data.details` holds it."""
        data: Json = None if self.param is None else {"param": self.param}
        return {"code": self.code, "message": self.message, "data": data}


def checked(
    params: Mapping[str, Json], args: Mapping[str, Arg], *, defaults: bool
) -> dict[str, Json]:
    """Return the parameters as the handlers get them; refuse those that do not fit the table."""
    missing = [name for name, arg in args.items() if arg.required and params.get(name) is None]
    if missing:
        words = f"Missing parameter(s): {', '.join(missing)}"
        raise ApiError("rest_missing_callback_param", words, 400, params=[*missing])
    result = dict(params)
    wrong: dict[str, InvalidError] = {}
    for name, arg in args.items():
        if name in params:
            try:
                result[name] = fitted(params[name], arg, name)
            except InvalidError as error:
                wrong[name] = error
        elif defaults and arg.default is not None:
            result[name] = arg.default
    if wrong:
        words = f"Invalid parameter(s): {', '.join(wrong)}"
        told: Json = {name: error.message for name, error in wrong.items()}
        details: Json = {name: error.detail() for name, error in wrong.items()}
        raise ApiError("rest_invalid_param", words, 400, params=told, details=details)
    return result


def fitted(value: Json, arg: Arg, name: str) -> Json:
    """Return one value as its argument stores it; nothing counts as the type's own emptiness."""
    if value is None:
        empty: dict[str, Json] = {"integer": 0, "boolean": False, "string": "", "array": []}
        return empty.get(arg.type)
    for kind in arg.type.split(","):
        known, result = _typed(value, kind)
        if known:
            return _limited(_nested(result, arg, name), arg, name)
    raise InvalidError("rest_invalid_type", f"{name} is not of type {arg.type}.", name)


def _typed(value: Json, kind: str) -> tuple[bool, Json]:
    """Say whether a value is of a type, and return it as that type."""
    match kind:
        case "string":
            return isinstance(value, str), value
        case "integer":
            return _integer(value)
        case "boolean":
            return _boolean(value)
        case "ids":
            return True, [id_of(entry) for entry in _listed(value)]
        case "array":
            return not isinstance(value, dict), _listed(value)
        case "object":
            if value in ("", []):
                return True, {}
            return isinstance(value, dict), value
        case _:
            return True, value


def _listed(value: Json) -> list[Json]:
    match value:
        case list():
            return value
        case str():
            return [part for part in re.split(r"[\s,]+", value) if part]
        case _:
            return [value]


def id_of(value: Json) -> int:
    """Read an id the way PHP casts: leading digits, otherwise zero."""
    if isinstance(value, bool | int | float):
        return abs(int(value))
    found = re.match(r"\s*-?(\d+)", value) if isinstance(value, str) else None
    return int(found.group(1)) if found else 0


def _integer(value: Json) -> tuple[bool, Json]:
    if isinstance(value, bool):
        return False, value
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return False, value
    if number is None or not number.is_integer():
        return False, value
    return True, int(number)


def _boolean(value: Json) -> tuple[bool, Json]:
    if isinstance(value, bool):
        return True, value
    word = str(value).lower() if isinstance(value, str | int) else ""
    return word in ("true", "false", "1", "0"), word in ("true", "1")


def _nested(value: Json, arg: Arg, name: str) -> Json:
    if isinstance(value, list) and arg.items is not None:
        return [fitted(entry, arg.items, f"{name}[{n}]") for n, entry in enumerate(value)]
    if isinstance(value, dict) and arg.properties:
        known = arg.properties
        return {
            key: fitted(entry, known[key], f"{name}[{key}]") if key in known else entry
            for key, entry in value.items()
        }
    return value


def _limited(value: Json, arg: Arg, name: str) -> Json:
    if arg.enum and value not in arg.enum:
        raise InvalidError("rest_not_in_enum", f"{name} is not one of {_spoken(arg.enum)}.")
    if isinstance(value, int) and not isinstance(value, bool):
        low, high = arg.minimum, arg.maximum
        if low is not None and high is not None and not low <= value <= high:
            words = f"{name} must be between {low} (inclusive) and {high} (inclusive)"
            raise InvalidError("rest_out_of_bounds", words)
        if low is not None and value < low:
            words = f"{name} must be greater than or equal to {low}"
            raise InvalidError("rest_out_of_bounds", words)
    if isinstance(value, str):
        if arg.format == "date-time" and not is_stamp(value):
            raise InvalidError("rest_invalid_date", "Invalid date.")
        if arg.format == "email" and value and not _EMAIL.match(value):
            raise InvalidError("rest_invalid_email", "Invalid email address.")
    return value


def _spoken(words: tuple[str, ...]) -> str:
    match words:
        case (one,):
            return one
        case (one, other):
            return f"{one} and {other}"
        case _:
            return f"{', '.join(words[:-1])}, and {words[-1]}"

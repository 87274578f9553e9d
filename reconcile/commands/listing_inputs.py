"""Checks of what a user says about a listing: names and values of our fields, one problem each."""

from collections.abc import Callable, Mapping, Sequence

from reconcile.catalog import values
from reconcile.catalog.values import BadValueError
from reconcile.commands.errors import Problem
from reconcile.core.types import MONEY_FIELDS, OurField, Value

_TEXTS = (OurField.TITLE, OurField.DESCRIPTION, OurField.BRAND)
_IDENTIFIERS = (OurField.ASIN, OurField.GTIN, OurField.MPN, OurField.UPC)
_ELSEWHERE = {
    OurField.SKU: "state the SKU beside the fields, as sku",
    OurField.OPTIONS: "state options beside the fields",
}


def checked_fields(
    given: Mapping[str, Value], currency: str, path: Sequence[str], *, of_variant: bool
) -> tuple[dict[str, Value], list[Problem]]:
    """The values in canonical form, and what is wrong with the others."""
    checked: dict[str, Value] = {}
    problems: list[Problem] = []
    for name, value in given.items():
        try:
            checked[name] = _value(name, value, currency, of_variant=of_variant)
        except BadValueError as error:
            code = "UNKNOWN_FIELD" if error.code == "UnknownField" else "INVALID"
            problems.append(Problem(code, error.message, (*path, name)))
    return checked, problems


def _value(name: str, value: Value, currency: str, *, of_variant: bool) -> Value:
    try:
        our_field = OurField(name)
    except ValueError:
        known = ", ".join(field.value for field in OurField if field not in _ELSEWHERE)
        message = f"there is no field {values.shown(name)}; there are {known}"
        raise BadValueError("UnknownField", message) from None
    if our_field in _ELSEWHERE:
        raise BadValueError("UnknownField", _ELSEWHERE[our_field])
    if our_field is OurField.QUANTITY and not of_variant:
        raise BadValueError("BadField", "a quantity is stated per variant, or per SKU as an item")
    if value is None:
        return None
    if our_field in MONEY_FIELDS:
        return _money(name, value, currency)
    if our_field in _TEXTS:
        return values.checked_text(name, _text(name, value))
    if our_field in _IDENTIFIERS:
        return values.identifier(name, _text(name, value)) or None
    return _READERS[our_field](value)


def checked_sku(sku: str, path: Sequence[str]) -> list[Problem]:
    """Every listing and variant has a SKU of one line."""
    try:
        text = values.sku(sku)
    except BadValueError as error:
        return [Problem("INVALID", error.message, (*path, "sku"))]
    if not text or text != sku:
        message = "a SKU is missing" if not text else "a SKU has no blanks around it"
        return [Problem("INVALID", message, (*path, "sku"))]
    return []


def _money(name: str, value: Value, currency: str) -> Value:
    if isinstance(value, dict):
        unit = value.get("currency")
        currency = currency if unit is None else values.currency_code(_text("currency", unit))
        value = value.get("amount")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        message = f'{name} is an exact amount, so write it as text: "13.50"'
        raise BadValueError("BadPrice", message)
    return values.money(name, value, currency)


def _text(name: str, value: Value) -> str:
    if isinstance(value, str):
        return value
    raise BadValueError("BadType", f"{name} is written as text")


def _texts(name: str, value: Value) -> list[str]:
    if isinstance(value, list):
        return [_text(name, item) for item in value]
    raise BadValueError("BadType", f"{name} is written as a list of texts")


def _object(name: str, value: Value) -> dict[str, Value]:
    if isinstance(value, dict):
        return value
    raise BadValueError("BadType", f"{name} is written as an object")


def _quantity(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValueError("BadQuantity", "quantity is a whole number")
    return values.quantity(str(value))


def _categories(value: Value) -> Value:
    path: list[Value] = [
        values.checked_text("categories", level) for level in _texts("categories", value)
    ]
    if not all(path):
        raise BadValueError("BadCategory", "a level of the category path is blank")
    return path


def _number(name: str, value: Value) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(name, value)


def _weight(value: Value) -> Value:
    parts = _object("weight", value)
    unit = _text("weight unit", parts.get("unit", ""))
    return values.weight(_number("weight", parts.get("value")), unit)


def _dimensions(value: Value) -> Value:
    parts = _object("dimensions", value)
    return values.dimensions(
        _number("length", parts.get("length")),
        _number("width", parts.get("width")),
        _number("height", parts.get("height")),
        _text("dimensions unit", parts.get("unit", "")),
    )


def _named_texts(name: str) -> Callable[[Value], Value]:
    def read(value: Value) -> Value:
        texts: dict[str, Value] = {}
        for label, text in _object(name, value).items():
            key = values.checked_text(name, label)
            texts[key] = None if text is None else values.checked_text(name, _text(name, text))
        return texts

    return read


_READERS: Mapping[OurField, Callable[[Value], Value]] = {
    OurField.QUANTITY: _quantity,
    OurField.CATEGORIES: _categories,
    OurField.IMAGES: lambda value: values.images(_texts("images", value)),
    OurField.WEIGHT: _weight,
    OurField.DIMENSIONS: _dimensions,
    OurField.ATTRIBUTES: _named_texts("attributes"),
    OurField.CUSTOM_FIELDS: _named_texts("custom_fields"),
}

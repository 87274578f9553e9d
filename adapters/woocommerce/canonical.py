"""Canonical values of WooCommerce's fields and keys: pure, idempotent, run once when stored.

What is compared anywhere in the product has been through here, ours and theirs alike.
"""

import html
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from reconcile.core.types import Value

_AMOUNT = re.compile(r"(\d{1,12}(\.\d{0,10})?|\.\d{1,10})")
_GTIN = re.compile(r"[0-9][0-9-]*[0-9Xx]")
WEIGHT_UNITS = frozenset({"kg", "g", "lb", "oz"})
DIMENSION_UNITS = frozenset({"m", "cm", "mm", "in", "yd"})
_UNIT_NAMES = {"lbs": "lb", "pound": "lb", "pounds": "lb", "inch": "in", "inches": "in"}


def canonical(field: str, value: Value) -> Value:
    """The form in which a value of a channel field is stored and compared.

    Raises ValueError with what is wrong; None stays None and means that the store has no value.
    """
    reader = _READERS.get(field)
    if reader is None:
        raise ValueError(f"WooCommerce has no field {field}")
    return None if value is None else reader(value)


def key(identifier: str, value: str) -> str | None:
    """The form in which identifiers are compared; None where there is nothing to compare.

    SKUs are compared exactly, upper and lower case included; only blanks that the store would not
    keep do not count.
    """
    text = tidy(_unescaped(value))
    if identifier in ("upc", "gtin"):
        text = re.sub(r"[\s-]", "", text)
    return text or None


def tidy(sku: str) -> str:
    """A SKU as the store keeps it: no blanks around it, and single ones inside."""
    return re.sub(r"[ \t\r\n]+", " ", sku).strip()


def amount(value: Value) -> Value:
    """A price as a plain decimal text without superfluous zeros; "" is no price."""
    match value:
        case {"amount": str() | int() as inner} if not isinstance(inner, bool):
            return amount(inner)
        case bool():
            raise ValueError("a price must be a number such as 12.50")
        case int():
            text = str(value)
        case str():
            text = value.strip()
        case _:
            raise ValueError("a price must be a number such as 12.50")
    if not text:
        return None
    if text.startswith("-"):
        raise ValueError(f"the price {text} is negative")
    if "," in text:
        raise ValueError(
            f"the price {text} has a comma; WooCommerce wants a point and no separators"
        )
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text[:40]} is not a price; it must be a number such as 12.50")
    return plain(Decimal(text))


def plain(number: Decimal) -> str:
    """A decimal without exponent and superfluous zeros."""
    shown = format(number, "f")
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown) or "0"


def _quantity(value: Value) -> Value:
    match value:
        case bool():
            pass
        case int():
            return value
        case str() if re.fullmatch(r"-?\d{1,9}", value.strip()):
            return int(value)
        case _:
            pass
    raise ValueError("a quantity must be a whole number")


def _unescaped(text: str) -> str:
    """Text without entities; repeated because the result of one round may be an entity again."""
    while (once := html.unescape(text)) != text:
        text = once
    return text


def _line(value: Value) -> Value:
    return " ".join(_unescaped(_text(value)).split())


def _text(value: Value) -> str:
    match value:
        case str():
            return value
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            raise ValueError("a text is expected")


def _markup(value: Value) -> Value:
    return _text(value).replace("\r\n", "\n").replace("\r", "\n").strip()


def _gtin(value: Value) -> Value:
    text = re.sub(r"\s", "", _text(value)).upper()
    if text and not _GTIN.fullmatch(text):
        raise ValueError("WooCommerce keeps only digits and hyphens of a GTIN, UPC, EAN or ISBN")
    return text


def _paths(value: Value) -> Value:
    """Category paths, each level 1 first: one path, several, or text such as `A > B, C`."""
    match value:
        case str():
            paths = [part.split(">") for part in value.split(",")]
        case list() if all(isinstance(item, str) for item in value):
            paths = [[str(item) for item in value]]
        case list():
            paths = [[_text(level) for level in p] for p in value if isinstance(p, list)]
            if len(paths) != len(value):
                raise ValueError("categories must be a path, or a list of paths")
        case _:
            raise ValueError("categories must be a path, or a list of paths")
    clean = {tuple(str(_line(level)) for level in path if str(level).strip()) for path in paths}
    return [list(path) for path in sorted(clean) if path]


def _addresses(value: Value) -> Value:
    texts = [_text(item).strip() for item in (value if isinstance(value, list) else [value])]
    for address in texts:
        if address and not re.match(r"https?://[^\s/]+", address, re.IGNORECASE):
            raise ValueError(f"{address[:80]} is not an address of an image (https://…)")
    return list(dict.fromkeys(address for address in texts if address))


def _first_address(value: Value) -> Value:
    found = _addresses(value)
    return found[0] if isinstance(found, list) and found else None


def _measure(value: Value) -> str:
    try:
        found = amount(value)
    except ValueError as error:
        raise ValueError("a measure must be a number such as 1.5") from error
    return str(found) if found is not None else ""


def _unit(value: Mapping[str, Value], units: frozenset[str]) -> str:
    unit = str(value.get("unit", "")).strip().lower()
    unit = _UNIT_NAMES.get(unit, unit)
    if unit not in units:
        raise ValueError(f"the unit must be one of {', '.join(sorted(units))}")
    return unit


def _object(value: Value, what: str) -> Mapping[str, Value]:
    match value:
        case dict():
            return value
        case _:
            raise ValueError(what)


def _weight(value: Value) -> Value:
    given = _object(value, "a weight has a value and a unit")
    number = _measure(given.get("value", ""))
    return {"value": number, "unit": _unit(given, WEIGHT_UNITS)} if number else None


def _dimensions(value: Value) -> Value:
    given = _object(value, "dimensions have length, width, height and a unit")
    sides: dict[str, Value] = {}
    for side in ("length", "width", "height"):
        stated = given.get(side)
        if stated is not None and (number := _measure(stated)):
            sides[side] = number
    return {**sides, "unit": _unit(given, DIMENSION_UNITS)} if sides else None


def _attributes(value: Value) -> Value:
    given = _object(value, "attributes are names with texts")
    found = {str(_line(name)): str(_line(item)) for name, item in given.items() if item is not None}
    for name, item in found.items():
        if "|" in item:
            raise ValueError(f"attribute {name}: WooCommerce splits values at |")
    return {name: item for name, item in found.items() if name and item}


_READERS: Mapping[str, Callable[[Value], Value]] = {
    "regular_price": amount,
    "sale_price": amount,
    "stock_quantity": _quantity,
    "name": _line,
    "description": _markup,
    "short_description": _markup,
    "categories": _paths,
    "images": _addresses,
    "image": _first_address,
    "brand": _line,
    "mpn": _line,
    "upc": _line,
    "global_unique_id": _gtin,
    "weight": _weight,
    "dimensions": _dimensions,
    "attributes": _attributes,
}

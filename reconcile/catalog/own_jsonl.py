"""Lines of our own JSONL → listings: one listing with its variants per line.

Numbers with a point are read as decimals, never as floats. What is absent is not stated, `null`
clears a field.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

from reconcile.catalog import values
from reconcile.catalog.items import (
    PAUSED,
    PRESENCE,
    CatalogItem,
    SkuLedger,
    duplicate,
    option_names,
    same_options,
    split_levels,
)
from reconcile.catalog.lines import Line
from reconcile.catalog.values import BadValueError, Statement, shown
from reconcile.contract import CatalogError, CatalogRow
from reconcile.core.types import MONEY_FIELDS, OurField, Value

Json: TypeAlias = Any
"""What a line holds before it is checked; the one untyped place here is the parser's answer."""

_TEXTS = frozenset({OurField.TITLE, OurField.DESCRIPTION, OurField.BRAND})
_IDENTIFIERS = frozenset({OurField.ASIN, OurField.GTIN, OurField.MPN, OurField.UPC})
_KEYS = frozenset(OurField) | {PRESENCE, PAUSED, "currency", "variants"}


def read_own_jsonl(lines: Iterable[Line], currency: str) -> Iterator[CatalogItem]:
    """Stream listings and errors; a broken line costs only itself."""
    ledger = SkuLedger()
    unknown: set[str] = set()
    for line in lines:
        if line.code:
            yield CatalogError(line.number, None, line.code, line.problem)
        elif line.text.strip():
            yield from _listing(line, currency, ledger, unknown)


def _listing(
    line: Line, currency: str, ledger: SkuLedger, unknown: set[str]
) -> Iterator[CatalogItem]:
    sku: str | None = None
    try:
        data = _parsed(line.text)
        sku = _sku(data)
        for key in sorted(_keys(data) - _KEYS - unknown):
            unknown.add(key)
            message = f"there is no field {shown(key)}; it is not read, here and below"
            yield CatalogError(line.number, None, "UnknownField", message)
        unit = _currency(data, currency)
        stated = _statement(data, sku, unit)
        variants = data.get("variants")
        if variants is None:
            yield from _simple(line.number, sku, stated, data, ledger)
            return
        if not isinstance(variants, list) or not variants:
            raise BadValueError("BadVariants", "variants is a list of at least one variant")
    except BadValueError as error:
        yield CatalogError(line.number, sku, error.code, error.message)
        return
    yield from _with_variants(line.number, sku, stated, variants, unit, ledger)


def _keys(data: Mapping[str, Json]) -> set[str]:
    variants = data.get("variants")
    items = variants if isinstance(variants, list) else []
    return set(data).union(*(item for item in items if isinstance(item, dict)))


def _simple(
    line: int, sku: str, stated: Statement, data: Mapping[str, Json], ledger: SkuLedger
) -> Iterator[CatalogItem]:
    pairs = _pairs(data.get(OurField.OPTIONS))
    if (earlier := ledger.claim(sku, line)) is not None:
        yield duplicate(sku, line, earlier)
        return
    listing, variant = split_levels(stated)
    if pairs:
        variant[OurField.OPTIONS] = pairs
        listing[OurField.OPTIONS] = option_names([(line, variant)])
    yield CatalogRow(line, listing, ((line, variant),))


def _with_variants(
    line: int, sku: str, listing: Statement, items: list[Json], currency: str, ledger: SkuLedger
) -> Iterator[CatalogItem]:
    if (earlier := ledger.claim(sku, line)) is not None:
        yield duplicate(sku, line, earlier)
        return
    defaults = {name: listing.pop(name) for name in (PRESENCE, PAUSED) if name in listing}
    listing.pop(OurField.QUANTITY, None)
    taken: list[tuple[int, Statement]] = []
    claimed: set[str] = set()
    for position, item in enumerate(items, start=1):
        variant_sku: str | None = None
        try:
            if not isinstance(item, dict):
                raise BadValueError("BadVariants", f"variant {position} is not an object")
            variant_sku = _sku(item)
            variant = _statement(item, variant_sku, _currency(item, currency))
            if pairs := _pairs(item.get(OurField.OPTIONS)):
                variant[OurField.OPTIONS] = pairs
            if same_options(taken, variant) is not None:
                raise BadValueError("SameOptions", "another variant has the same options")
            earlier = line if variant_sku in claimed else _claim(ledger, variant_sku, sku, line)
            if earlier is not None:
                yield duplicate(variant_sku, line, earlier)
                continue
            claimed.add(variant_sku)
            taken.append((line, defaults | variant))
        except BadValueError as error:
            message = f"variant {position}: {error.message}"
            yield CatalogError(line, variant_sku or sku, error.code, message)
    if not taken:
        message = "none of its variants could be taken, and there is nothing to sell without one"
        yield CatalogError(line, sku, "NoVariants", message)
        return
    if names := option_names(taken):
        listing[OurField.OPTIONS] = names
    yield CatalogRow(line, listing, tuple(taken))


def _claim(ledger: SkuLedger, sku: str, listing_sku: str, line: int) -> int | None:
    """A variant may bear the SKU of its listing, which this very line has claimed."""
    return None if sku == listing_sku else ledger.claim(sku, line)


def _parsed(text: str) -> dict[str, Json]:
    try:
        data = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except BadValueError:
        raise
    except json.JSONDecodeError as error:
        message = f"the line is not valid JSON: {error.msg} at position {error.pos + 1}"
        raise BadValueError("BadJson", message) from None
    except (ValueError, ArithmeticError, RecursionError):
        # Numbers of thousands of digits and nesting of thousands of levels: no listing has them.
        raise BadValueError("BadJson", "the line has a number or a nesting out of bounds") from None
    if not isinstance(data, dict):
        raise BadValueError("BadJson", 'a line is one listing as an object: {"sku": ...}')
    return data


def _no_number(name: str) -> NoReturn:
    raise BadValueError("BadJson", f"{name} is no JSON number")


def _sku(data: Mapping[str, Json]) -> str:
    value = data.get(OurField.SKU)
    sku = values.sku(_text(OurField.SKU, value)) if value is not None else ""
    if not sku:
        raise BadValueError("MissingSku", "every listing and every variant needs a sku")
    return sku


def _currency(data: Mapping[str, Json], default: str) -> str:
    value = data.get("currency")
    return values.currency_code(default if value is None else _text("currency", value))


def _statement(data: Mapping[str, Json], sku: str, currency: str) -> Statement:
    stated: Statement = {OurField.SKU: sku}
    for name, value in data.items():
        if name in (OurField.SKU, OurField.OPTIONS, "currency", "variants") or name not in _KEYS:
            continue
        if value is None:
            if name in (PRESENCE, PAUSED):
                raise BadValueError("NotClearable", f"{name} cannot be cleared")
            stated[name] = None
        else:
            stated[name] = _value(name, value, currency)
    return stated


def _value(name: str, value: Json, currency: str) -> Value:
    if name in MONEY_FIELDS:
        if isinstance(value, dict):
            currency = _currency(value, currency)
            value = value.get("amount")
        return values.money(name, _number(name, value, "BadPrice"), currency)
    if name in _TEXTS:
        return values.checked_text(name, _text(name, value))
    if name in _IDENTIFIERS:
        return values.identifier(name, _text(name, value))
    return _READERS[name](name, value)


def _categories(name: str, value: Json) -> Value:
    path: list[Value] = [values.checked_text(name, text) for text in _texts(name, value)]
    if not all(path):
        raise BadValueError("BadCategory", "a level of the category path is blank")
    return path


def _weight(name: str, value: Json) -> Value:
    parts = _object(name, value)
    number = _number(name, parts.get("value"), "BadWeight")
    return values.weight(number, _text("weight unit", parts.get("unit", "")))


def _dimensions(name: str, value: Json) -> Value:
    parts = _object(name, value)
    return values.dimensions(
        _number("length", parts.get("length"), "BadDimensions"),
        _number("width", parts.get("width"), "BadDimensions"),
        _number("height", parts.get("height"), "BadDimensions"),
        _text("dimensions unit", parts.get("unit", "")),
    )


def _named_texts(name: str, value: Json) -> Value:
    texts: dict[str, Value] = {}
    for key, text in _object(name, value).items():
        label = values.checked_text(name, key)
        texts[label] = None if text is None else values.checked_text(name, _text(name, text))
    return texts


def _paused(name: str, value: Json) -> Value:
    return value if isinstance(value, bool) else values.flag(name, _text(name, value))


_READERS: Mapping[str, Callable[[str, Json], Value]] = {
    OurField.QUANTITY: lambda name, value: values.quantity(_number(name, value, "BadQuantity")),
    OurField.CATEGORIES: _categories,
    OurField.IMAGES: lambda name, value: values.images(_texts(name, value)),
    OurField.WEIGHT: _weight,
    OurField.DIMENSIONS: _dimensions,
    OurField.ATTRIBUTES: _named_texts,
    OurField.CUSTOM_FIELDS: _named_texts,
    PRESENCE: lambda name, value: values.presence(_text(name, value)),
    PAUSED: _paused,
}


def _pairs(value: Json) -> list[Value]:
    """The options of a variant: `{"Size": "L"}` or `[["Size", "L"]]`; names alone state nothing."""
    if isinstance(value, dict):
        value = [[name, text] for name, text in value.items()]
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadValueError("BadOption", 'options is written as {"Size": "L"}')
    pairs: list[Value] = []
    for item in value:
        if not isinstance(item, list) or len(item) != 2:
            raise BadValueError("BadOption", 'options is written as {"Size": "L"}')
        name, text = (values.checked_text("options", _text("options", part)) for part in item)
        if not name or not text:
            raise BadValueError("BadOption", "an option has a name and a value")
        pairs.append([name, text])
    return pairs


def _text(name: str, value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and _is_short(value):
        return f"{Decimal(value):f}"  # an identifier that a program wrote as a number
    raise BadValueError("BadType", f"{name} is written as text")


def _number(name: str, value: Json, code: str) -> str:
    """A number, or a number written as text, as text without an exponent."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        if _is_short(value):
            return f"{Decimal(value):f}"
        raise BadValueError(code, f"{name} is out of bounds")
    raise BadValueError(code, f"{name} is written as a number")


def _is_short(value: int | Decimal) -> bool:
    """Whether the number can be written out: 1e999999 cannot."""
    if isinstance(value, int):
        return abs(value) < 10**18
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -18 and value.adjusted() < 18


def _texts(name: str, value: Json) -> list[str]:
    if not isinstance(value, list):
        raise BadValueError("BadType", f"{name} is written as a list of texts")
    return [_text(name, item) for item in value]


def _object(name: str, value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise BadValueError("BadType", f"{name} is written as an object")
    return value

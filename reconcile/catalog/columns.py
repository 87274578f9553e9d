r"""The columns of our own CSV: which names there are, and what a row of cells states.

Pure. A blank cell states nothing; `\N` states that the field is to be cleared.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TypeAlias

from reconcile.catalog import values
from reconcile.catalog.items import PAUSED, PRESENCE
from reconcile.catalog.values import BadValueError, Statement
from reconcile.contract import CatalogError
from reconcile.core.types import MONEY_FIELDS, OurField, Value

CLEAR = "\\N"
"""Cell that clears a field; stands in the statement as None."""

Options: TypeAlias = dict[int, tuple[str | None, str | None]]
"""By number: the name and the value of an option, None where the row does not say."""

_TEXTS = (OurField.TITLE, OurField.DESCRIPTION, OurField.BRAND)
_IDENTIFIERS = (OurField.ASIN, OurField.GTIN, OurField.MPN, OurField.UPC)
_FIXED = (
    "parent_sku",
    OurField.SKU,
    *_TEXTS,
    *_IDENTIFIERS,
    OurField.IMAGES,
    *sorted(MONEY_FIELDS),
    "currency",
    OurField.QUANTITY,
    OurField.WEIGHT,
    "weight_unit",
    "length",
    "width",
    "height",
    "dimension_unit",
    PRESENCE,
    PAUSED,
)
_NUMBERED = re.compile(r"category_([1-9]\d?)|option_([1-9]\d?)_(?:name|value)", re.ASCII)
_NAMED = re.compile(r"(attribute|custom):\s*(\S.*)", re.IGNORECASE | re.DOTALL)
_SUGGESTED = (
    *_FIXED,
    "category_1",
    "option_1_name",
    "option_1_value",
    "attribute:NAME",
    "custom:NAME",
)
_NOT_CLEARABLE = ("parent_sku", OurField.SKU, "currency", PRESENCE, PAUSED)


@dataclass(frozen=True, slots=True)
class Header:
    """Which column of a file is which; None where a column is not ours."""

    names: tuple[str | None, ...]

    def cells(self, row: Sequence[str]) -> dict[str, str]:
        """The cells that state something, by column."""
        return {
            name: cell.strip()
            for name, cell in zip(self.names, row, strict=False)
            if name is not None and cell and not cell.isspace()
        }

    def surplus(self, row: Sequence[str]) -> bool:
        """Whether the row has cells with content behind the last column."""
        return any(cell and not cell.isspace() for cell in row[len(self.names) :])


def column_name(cell: str) -> str | None:
    """Our name of the column, None where we have no such column."""
    text = cell.strip()
    if match := _NAMED.fullmatch(text):
        return f"{match.group(1).lower()}:{match.group(2).strip()}"
    name = re.sub(r"[\s-]+", "_", text.lower())
    return name if name in _FIXED or _NUMBERED.fullmatch(name) else None


def is_own(header: Sequence[str]) -> bool:
    """Whether a file with this header can be our own CSV: it has a column `sku`."""
    return any(column_name(cell) == OurField.SKU for cell in header)


def read_header(header: Sequence[str], line: int) -> tuple[Header, list[CatalogError]]:
    """The columns, and one error for each that is not taken."""
    names: list[str | None] = []
    errors: list[CatalogError] = []
    for position, cell in enumerate(header, start=1):
        name = column_name(cell)
        if name is None:
            if cell.strip() or position < len(header):
                errors.append(CatalogError(line, None, "UnknownColumn", _unknown(cell, position)))
        elif name in names:
            message = f"column {values.shown(cell)} occurs twice; the first one is read"
            errors.append(CatalogError(line, None, "DuplicateColumn", message))
            name = None
        names.append(name)
    return Header(tuple(names)), errors


def _unknown(cell: str, position: int) -> str:
    if not cell.strip():
        return f"column {position} has no name; it is not read"
    said = f"there is no column {values.shown(cell.strip())}; it is not read"
    wanted = re.sub(r"[\s-]+", "_", cell.strip().lower())
    nearest = get_close_matches(wanted, _SUGGESTED, n=1, cutoff=0.5)
    if nearest:
        return f"{said}. The nearest one is {nearest[0]}"
    return f"{said}. To carry it along, name it attribute:{cell.strip()[:40]} or custom:..."


def statement(cells: Mapping[str, str], currency: str) -> Statement:
    """What the cells of one row state, options left out; raises `BadValueError`."""
    for name in _NOT_CLEARABLE:
        if cells.get(name) == CLEAR:
            raise BadValueError("NotClearable", f"{name} cannot be cleared")
    stated: Statement = {OurField.SKU: values.sku(cells[OurField.SKU])}
    for name in _TEXTS:
        _put(stated, cells, name, partial(values.checked_text, name))
    for name in _IDENTIFIERS:
        _put(stated, cells, name, partial(values.identifier, name))
    unit = values.currency_code(cells.get("currency", currency))
    for name in sorted(MONEY_FIELDS):
        _put(stated, cells, name, partial(values.money, name, currency=unit))
    _put(stated, cells, OurField.QUANTITY, values.quantity)
    _put(stated, cells, OurField.IMAGES, lambda cell: values.images(cell.split("|")))
    _put(stated, cells, PRESENCE, values.presence)
    _put(stated, cells, PAUSED, partial(values.flag, PAUSED))
    _put_weight(stated, cells)
    _put_dimensions(stated, cells)
    _put_categories(stated, cells)
    _put_named(stated, cells)
    return stated


def _put(
    stated: Statement, cells: Mapping[str, str], name: str, read: Callable[[str], Value]
) -> None:
    cell = cells.get(name)
    if cell is not None:
        stated[name] = None if cell == CLEAR else read(cell)


def _put_weight(stated: Statement, cells: Mapping[str, str]) -> None:
    cell = cells.get(OurField.WEIGHT)
    if cell is not None:
        cleared = cell == CLEAR
        stated[OurField.WEIGHT] = None if cleared else values.weight(cell, cells.get("weight_unit"))


def _put_dimensions(stated: Statement, cells: Mapping[str, str]) -> None:
    sides = (cells.get("length"), cells.get("width"), cells.get("height"))
    if all(side is None for side in sides):
        return
    if all(side in (None, CLEAR) for side in sides):
        stated[OurField.DIMENSIONS] = None
    else:
        stated[OurField.DIMENSIONS] = values.dimensions(*sides, cells.get("dimension_unit"))


def _put_categories(stated: Statement, cells: Mapping[str, str]) -> None:
    levels = sorted(
        (int(name.removeprefix("category_")), cell)
        for name, cell in cells.items()
        if name.startswith("category_")
    )
    if not levels:
        return
    if levels[0] == (1, CLEAR):
        stated[OurField.CATEGORIES] = None
        return
    path: list[Value] = [values.checked_text("category", cell) for _, cell in levels]
    if [number for number, _ in levels] != list(range(1, len(levels) + 1)):
        raise BadValueError("BadCategory", "the levels of a category are filled from category_1 on")
    if CLEAR in path:
        raise BadValueError("BadCategory", f"write {CLEAR} in category_1 to clear the category")
    stated[OurField.CATEGORIES] = path


def _put_named(stated: Statement, cells: Mapping[str, str]) -> None:
    for prefix, field in (
        ("attribute:", OurField.ATTRIBUTES),
        ("custom:", OurField.CUSTOM_FIELDS),
    ):
        texts: dict[str, Value] = {
            values.checked_text(field, name.removeprefix(prefix)): None
            if cell == CLEAR
            else values.checked_text(field, cell)
            for name, cell in cells.items()
            if name.startswith(prefix)
        }
        if texts:
            stated[field] = texts


def options(cells: Mapping[str, str]) -> Options:
    """By number: the name and value of each option that the cells mention."""
    found: Options = {}
    for name, cell in cells.items():
        if not name.startswith("option_"):
            continue
        if cell == CLEAR:
            raise BadValueError("NotClearable", f"{name} cannot be cleared")
        number = int(name.split("_")[1])
        text = values.checked_text(name, cell)
        old_name, old_value = found.get(number, (None, None))
        found[number] = (text, old_value) if name.endswith("_name") else (old_name, text)
    return dict(sorted(found.items()))

"""What single cells of WooCommerce's product CSV mean: lists, categories, prices, stock.

Pure; the order of lines is `catalog`'s business.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters import catalog_cells as named
from reconcile.catalog import values
from reconcile.catalog.items import CatalogNote
from reconcile.catalog.values import Statement
from reconcile.core.types import OurField, Value

_READ = frozenset(
    {
        "id",
        "type",
        "sku",
        "name",
        "published",
        "visibility in catalog",
        "short description",
        "description",
        "date sale price starts",
        "date sale price ends",
        "stock",
        "sale price",
        "regular price",
        "categories",
        "tags",
        "images",
        "parent",
        "brands",
        "gtin, upc, ean, or isbn",
        "cost of goods",
    }
)
_READ_PATTERN = re.compile(
    r"weight \(.+\)|(length|width|height) \(.+\)|attribute \d+ (name|value\(s\))|meta: [^_].*",
)
_ATTRIBUTE = re.compile(r"attribute (\d{1,3}) name", re.ASCII)
_UNIT = re.compile(r"(weight|length|width|height) \((\w+)\)")
_ESCAPED = re.compile(r"'[=+\-@]")
_LIST_SEPARATOR = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A product attribute of one row; without text it stands for any value."""

    name: str
    text: str


def unread_columns(names: Iterable[str]) -> list[str]:
    """The columns whose content is not carried over."""
    return [name for name in names if name not in _READ and not _READ_PATTERN.fullmatch(name)]


def attributes(cells: Mapping[str, str]) -> tuple[Attribute, ...]:
    """The attributes of a row in their order; several values become one text."""
    found: list[tuple[int, Attribute]] = []
    for column, name in cells.items():
        if match := _ATTRIBUTE.fullmatch(column):
            number = match.group(1)
            label = values.checked_text("attribute", _unescaped(name))
            if label.lower() == "upc":
                continue
            text = ", ".join(split_list(cells.get(f"attribute {number} value(s)", "")))
            found.append((int(number), Attribute(label, values.checked_text("attribute", text))))
    return tuple(attribute for _, attribute in sorted(found, key=lambda item: item[0]))


def product_fields(
    line: int, sku: str, cells: Mapping[str, str], currency: str
) -> tuple[Statement, list[CatalogNote]]:
    """What the line of a simple or variable product states, stock and attributes left out."""
    stated, notes = variation_fields(line, sku, cells, currency)
    if "name" in cells:
        stated[OurField.TITLE] = values.checked_text("name", _unescaped(cells["name"]))
    if "brands" in cells and (brands := split_list(cells["brands"])):
        stated[OurField.BRAND] = values.checked_text("brands", brands[0].rpartition(">")[2])
    if "categories" in cells:
        notes += _put_categories(stated, line, sku, cells["categories"])
    custom: dict[str, Value] = {}
    for column in ("short description", "tags"):
        if column in cells:
            name = column.replace(" ", "_")
            custom[name] = values.checked_text(column, _text(cells[column]))
    for column, cell in cells.items():
        if column.startswith("meta: ") and _READ_PATTERN.fullmatch(column):
            name = values.checked_text("meta", column.removeprefix("meta: "))
            custom[name] = values.checked_text("meta", _unescaped(cell))
    if custom:
        barcode = stated.get(OurField.CUSTOM_FIELDS)
        stated[OurField.CUSTOM_FIELDS] = custom | (barcode if isinstance(barcode, dict) else {})
    return stated, notes


def variation_fields(
    line: int, sku: str, cells: Mapping[str, str], currency: str
) -> tuple[Statement, list[CatalogNote]]:
    """What the line of a variation states, and any line's own measures, prices and images."""
    stated: Statement = {OurField.SKU: sku}
    if "description" in cells:
        stated[OurField.DESCRIPTION] = values.checked_text(
            "description", _text(cells["description"])
        )
    if "images" in cells:
        stated[OurField.IMAGES] = values.images(split_list(cells["images"]))
    notes = _put_prices(stated, line, sku, cells, currency)
    _put_measures(stated, cells)
    if "gtin, upc, ean, or isbn" in cells:
        stated |= values.barcode(cells["gtin, upc, ean, or isbn"])
    for column, name in cells.items():
        if (match := _ATTRIBUTE.fullmatch(column)) and name.strip().lower() == "upc":
            upc = cells.get(f"attribute {match.group(1)} value(s)")
            if upc is not None:
                stated[OurField.UPC] = values.identifier(OurField.UPC, upc)
    return stated, notes


def stock(stated: Statement, line: int, sku: str, cells: Mapping[str, str]) -> list[CatalogNote]:
    """State the stock of the row's variant, where the file counts it."""
    text = cells.get("stock")
    if text is None:
        return []
    if text.lower() == "parent":
        message = "its stock is counted on the parent for all variations; none was taken"
        return [CatalogNote(line, sku, "SharedStock", message)]
    return list(named.put_stock(stated, text, line, sku))


def hidden(cells: Mapping[str, str]) -> bool:
    """Whether the store shows the product to nobody: private, draft, or hidden from the catalog."""
    if cells.get("visibility in catalog", "visible").lower() == "hidden":
        return True
    return cells.get("published", "1").lower() in ("0", "-1", "false", "no")


def split_list(cell: str) -> list[str]:
    """The parts of a list cell; a comma inside a part is written with a backslash."""
    parts = (part.replace("\\,", ",").strip() for part in _LIST_SEPARATOR.split(_unescaped(cell)))
    return [part for part in parts if part]


def _unescaped(cell: str) -> str:
    """The cell without the apostrophe that keeps a spreadsheet from calculating."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def _text(cell: str) -> str:
    return _unescaped(cell).replace("\\n", "\n")


def _put_categories(stated: Statement, line: int, sku: str, cell: str) -> list[CatalogNote]:
    paths = [
        [values.checked_text("categories", level) for level in path.split(">") if level.strip()]
        for path in split_list(cell)
    ]
    paths = [path for path in paths if path]
    if not paths:
        return []
    chosen = max(paths, key=len)
    stated[OurField.CATEGORIES] = list[Value](chosen)
    others = [" > ".join(path) for path in paths if path != chosen[: len(path)]]
    if not others:
        return []
    message = f"a listing has one category; {' > '.join(chosen)} was taken, not {', '.join(others)}"
    return [CatalogNote(line, sku, "MoreCategories", message)]


def _put_prices(
    stated: Statement, line: int, sku: str, cells: Mapping[str, str], currency: str
) -> list[CatalogNote]:
    """The regular price, or a sale price without dates and then the regular one as MSRP."""
    if "cost of goods" in cells:
        cost = values.money(OurField.ESTIMATED_COST, cells["cost of goods"], currency)
        stated[OurField.ESTIMATED_COST] = cost
    regular = sale = None
    if "regular price" in cells:
        regular = values.money("regular price", cells["regular price"], currency)
        stated[OurField.LIST_PRICE] = regular
    if "sale price" in cells:
        sale = values.money("sale price", cells["sale price"], currency)
    if sale is None:
        return []
    if "date sale price starts" in cells or "date sale price ends" in cells:
        message = "its sale price holds for certain dates only; the regular price was taken"
        return [CatalogNote(line, sku, "ScheduledSale", message)]
    stated[OurField.LIST_PRICE] = sale
    if regular is not None:
        stated[OurField.MSRP] = regular
    return []


def _put_measures(stated: Statement, cells: Mapping[str, str]) -> None:
    found: dict[str, tuple[str, str]] = {}
    for column, cell in cells.items():
        if match := _UNIT.fullmatch(column):
            found[match.group(1)] = (cell, match.group(2))
    if "weight" in found:
        stated[OurField.WEIGHT] = values.weight(*found["weight"])
    if found.keys() >= {"length", "width", "height"}:
        stated[OurField.DIMENSIONS] = values.dimensions(
            found["length"][0], found["width"][0], found["height"][0], found["length"][1]
        )

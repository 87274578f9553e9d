"""What the product-CSV layouts of platforms have in common: named cells, made-up SKUs, stock.

Pure; it knows no platform.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from reconcile.catalog.items import CatalogNote
from reconcile.catalog.values import BadValueError, Statement, quantity
from reconcile.core.types import OurField

_NO_WORD = re.compile(r"[\W_]+")


def column_names(header: Sequence[str], aliases: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of a header in lower case, under the name that the layout knows them by."""
    names = (cell.strip().lower() for cell in header)
    return tuple(aliases.get(name, name) for name in names)


def named_cells(names: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """The cells of a row that are not blank, by column; of equal columns the first counts."""
    cells: dict[str, str] = {}
    for name, cell in zip(names, row, strict=False):
        text = cell.strip()
        if text:
            cells.setdefault(name, text)
    return cells


def check_width(names: Sequence[str], row: Sequence[str]) -> None:
    """Refuse a row with content behind the last column: its cells have slipped."""
    if any(cell.strip() for cell in row[len(names) :]):
        raise BadValueError(
            "TooManyCells",
            f"the row has more cells than the {len(names)} columns of the header; "
            "a cell with a separator in it is written in quotes",
        )


def slug(text: str) -> str:
    """The text in lower case with a hyphen for everything that is neither letter nor digit."""
    return _NO_WORD.sub("-", text.lower()).strip("-")


def derived_sku(base: str, pairs: Sequence[Sequence[str]]) -> str:
    """A SKU for a variant that has none: the same on every import, from what names it."""
    parts = [slug(value) or value.encode().hex() for _, value in pairs]
    return "-".join([base, *parts])


def derived_note(line: int, sku: str) -> CatalogNote:
    """The remark that a SKU was made up."""
    message = f"the SKU cell is blank; {sku!r} was made up, the same on every import"
    return CatalogNote(line, sku, "SkuDerived", message)


def put_stock(stated: Statement, text: str, line: int, sku: str) -> Iterator[CatalogNote]:
    """State the stock; a store may be oversold, and then there is nothing to sell."""
    if re.fullmatch(r"-\d+(\.0+)?", text, re.ASCII):
        stated[OurField.QUANTITY] = 0
        message = f"the file says {text} in stock; 0 was taken, for it is oversold"
        yield CatalogNote(line, sku, "Oversold", message)
    else:
        stated[OurField.QUANTITY] = quantity(re.sub(r"\.0+$", "", text))


def not_read(header: Sequence[str], line: int, unread: Sequence[str]) -> Iterator[CatalogNote]:
    """One remark about the columns that this layout does not carry over."""
    names = [cell.strip() for cell in header if cell.strip().lower() in unread]
    if names:
        shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        yield CatalogNote(line, None, "ColumnsNotRead", f"not carried over: {shown}")

"""What reading a catalog file yields besides listings, and what its readers share.

Below every reader of a layout, ours and the platforms'; it reads nothing itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from reconcile.contract import CatalogError, CatalogRow
from reconcile.core.types import Fields, OurField, Value

PRESENCE = "presence"
"""Key in a variant's fields of a catalog row: the `Presence` that the file states."""
PAUSED = "paused"
"""Key in a variant's fields of a catalog row: whether the file says that it is paused."""

LISTING_FIELDS = frozenset(
    {
        OurField.TITLE,
        OurField.DESCRIPTION,
        OurField.BRAND,
        OurField.CATEGORIES,
        OurField.IMAGES,
        OurField.ATTRIBUTES,
        OurField.CUSTOM_FIELDS,
    }
)
"""What a listing's only line says about the listing; the rest is about its one variant."""

MAX_VARIANTS = 1000
"""A group of more lines is handed on in parts, so that memory does not grow with the file."""


@dataclass(frozen=True, slots=True)
class CatalogNote:
    """Something about a row that was taken which its owner should know; never a failure."""

    line: int
    sku: str | None
    code: str
    message: str


CatalogItem: TypeAlias = CatalogRow | CatalogError | CatalogNote
"""What reading a file yields: a listing, a row that was not taken, a remark on one that was."""


class CsvRow(NamedTuple):
    """One record of a CSV file, at the physical line on which it begins."""

    line: int
    cells: list[str]
    problem: CatalogError | None = None
    """Why the record cannot be taken; the cells then only help to tell which one it is."""


class SkuLedger:
    """Remembers on which line a SKU was first taken: a hash and a number, never the SKU."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}

    def claim(self, sku: str, line: int) -> int | None:
        """Take the SKU for this line; the earlier line where it is taken already."""
        earlier = self._lines.setdefault(sku_hash(sku), line)
        return None if earlier == line else earlier

    def line_of(self, sku: str) -> int | None:
        """The line on which the SKU was taken."""
        return self._lines.get(sku_hash(sku))


def sku_hash(sku: str) -> int:
    """A number of 64 bits that stands for the SKU where keeping millions of them would cost."""
    return int.from_bytes(blake2b(sku.encode(), digest_size=8).digest())


def duplicate(sku: str, line: int, earlier: int) -> CatalogError:
    """The error for a SKU that an earlier line of the same file holds."""
    message = f"SKU {sku!r} is on line {earlier} already; line {line} was not taken"
    return CatalogError(line, sku, "DuplicateSku", message)


def split_levels(fields: Fields) -> tuple[dict[str, Value], dict[str, Value]]:
    """The statements of a listing without options, as (the listing's, its one variant's)."""
    listing: dict[str, Value] = {}
    variant: dict[str, Value] = {}
    for name, value in fields.items():
        if name == OurField.SKU:
            listing[name] = variant[name] = value
        elif name in LISTING_FIELDS:
            listing[name] = value
        else:
            variant[name] = value
    return listing, variant


def option_names(variants: list[tuple[int, dict[str, Value]]]) -> list[Value]:
    """The names of the variants' options in the order in which they first occur."""
    names: dict[str, None] = {}
    for _, fields in variants:
        for name in _names(fields.get(OurField.OPTIONS)):
            names[name] = None
    return list(names)


def _names(pairs: Value) -> Iterator[str]:
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, list) and pair and isinstance(pair[0], str):
            yield pair[0]


def same_options(variants: list[tuple[int, dict[str, Value]]], fields: Fields) -> int | None:
    """The line of a variant of the group that has exactly these options."""
    pairs = fields.get(OurField.OPTIONS)
    if not pairs:
        return None
    return next((line for line, other in variants if other.get(OurField.OPTIONS) == pairs), None)

"""Product-CSV layouts: the optional reader of a Platform record, and what it yields."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from reconcile.core.types import Fields


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One listing read from a catalog file in our vocabulary, with the lines it came from."""

    line: int
    fields: Fields
    variants: tuple[tuple[int, Fields], ...]


@dataclass(frozen=True, slots=True)
class CatalogError:
    """A row of a catalog file that was not taken, and why."""

    line: int
    sku: str | None
    code: str
    message: str


class CatalogLayout(Protocol):
    """Reader of a product-CSV layout that users can ask for by name."""

    @property
    def name(self) -> str:
        """What a user writes to ask for this layout: `shopify`."""
        ...

    @property
    def title(self) -> str:
        """What the layout is called in a message: `Shopify product CSV`."""
        ...

    def recognizes(self, header: Sequence[str]) -> bool:
        """Whether a file with this header line is of this layout."""
        ...

    def read(self, header: Sequence[str], rows: "CsvRows", currency: str) -> "CatalogStream":
        """Stream listings and errors; a group of lines is one listing."""
        ...


CsvRows: TypeAlias = Any
"""Iterator of `reconcile.catalog.items.CsvRow`."""
CatalogStream: TypeAlias = Any
"""Iterator of `reconcile.catalog.items.CatalogItem`."""

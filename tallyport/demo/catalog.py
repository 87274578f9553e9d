"""The demo's own catalog, as the story needs to know it: what is sold, at which price, how many.

Read by itself and not by the product's reader, so that the two check each other.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Offer:
    """One sellable row of the catalog."""

    sku: str
    price: Decimal
    quantity: int | None
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """One listing of the catalog."""

    sku: str
    title: str
    currency: str
    offers: tuple[Offer, ...]

    @property
    def is_simple(self) -> bool:
        """Whether it has one form only."""
        return not self.offers[0].options


def catalog_file() -> Path:
    """Where the catalog that ships with the project is."""
    with as_file(files("tallyport") / "demo_catalog.csv") as path:
        return path


def read_products(path: Path) -> tuple[Product, ...]:
    """The listings of the catalog in the order of the file."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    parents = {row["parent_sku"] for row in rows if row["parent_sku"]}
    heads = {row["sku"]: row for row in rows if row["sku"] in parents}
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["sku"] not in parents:
            groups.setdefault(row["parent_sku"] or row["sku"], []).append(row)
    return tuple(
        Product(
            sku=sku,
            title=heads.get(sku, members[0])["title"],
            currency=members[0]["currency"],
            offers=tuple(_offer(row) for row in members),
        )
        for sku, members in groups.items()
    )


def _offer(row: dict[str, str]) -> Offer:
    names = sorted(name for name in row if name.startswith("option_") and name.endswith("_name"))
    options = tuple(
        (row[name], row[name.replace("_name", "_value")]) for name in names if row[name]
    )
    quantity = int(row["quantity"]) if row["quantity"] else None
    return Offer(row["sku"], Decimal(row["list_price"]), quantity, options)

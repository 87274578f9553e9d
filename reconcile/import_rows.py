"""Rows of a catalog file as statements about listings and about quantities. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from reconcile.catalog import PAUSED, PRESENCE
from reconcile.contract import CatalogRow
from reconcile.core.types import Fields, OurField, Presence, Value
from reconcile.stated import StatedListing, StatedVariant


@dataclass(frozen=True, slots=True)
class FileQuantity:
    """What a file says about the quantity of a SKU."""

    sku: str
    quantity: int | None


def stated_listing(row: CatalogRow) -> StatedListing:
    """What a row says about a listing and its variants; quantities are said of SKUs instead."""
    first = row.variants[0][1] if row.variants else {}
    names = row.fields.get(OurField.OPTIONS)
    return StatedListing(
        sku=str(row.fields.get(OurField.SKU) or first.get(OurField.SKU) or ""),
        fields=_own(row.fields),
        option_names=[str(name) for name in names] if isinstance(names, list) else None,
        variants=[_stated_variant(line, fields) for line, fields in row.variants],
        line=row.line,
    )


def _stated_variant(line: int, fields: Fields) -> StatedVariant:
    presence, paused = fields.get(PRESENCE), fields.get(PAUSED)
    options = fields.get(OurField.OPTIONS)
    return StatedVariant(
        sku=str(fields[OurField.SKU]),
        fields=_own(fields),
        options=_pairs(options) if isinstance(options, list) else None,
        presence=Presence(str(presence)) if presence is not None else None,
        paused=paused if isinstance(paused, bool) else None,
        line=line,
    )


_NOT_FIELDS = frozenset({OurField.SKU, OurField.OPTIONS, OurField.QUANTITY, PRESENCE, PAUSED})
"""What a row says beside the values: columns of their own, or the item's."""


def _own(fields: Fields) -> dict[str, Value]:
    return {name: value for name, value in fields.items() if name not in _NOT_FIELDS}


def _pairs(options: Sequence[Value]) -> list[tuple[str, str]]:
    return [(str(pair[0]), str(pair[1])) for pair in options if isinstance(pair, list)]


def stated_quantities(rows: Sequence[CatalogRow]) -> list[FileQuantity]:
    """Quantities belong to the SKU, for all channels; the last line about one counts."""
    found: dict[str, FileQuantity] = {}
    for row in rows:
        for _, fields in row.variants:
            if OurField.QUANTITY in fields:
                sku, quantity = str(fields[OurField.SKU]), fields[OurField.QUANTITY]
                found[sku] = FileQuantity(sku, quantity if isinstance(quantity, int) else None)
    return list(found.values())

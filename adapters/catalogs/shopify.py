"""The product-CSV layout of Shopify: adjacent lines of one handle are one product.

Reads both the column names of older exports and those of the newer template. Shopify needs no SKUs,
so that real files have none; they are made up from the handle and the options, with a note.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters import catalog_cells as named
from reconcile.catalog import values
from reconcile.catalog.items import (
    PRESENCE,
    CatalogItem,
    CsvRow,
    SkuLedger,
    duplicate,
    option_names,
    same_options,
)
from reconcile.catalog.values import BadValueError, Statement, shown
from reconcile.contract import CatalogError, CatalogRow
from reconcile.core.types import OurField, Presence, Value

_ALIASES = {
    "url handle": "handle",
    "description": "body (html)",
    "published on online store": "published",
    "sku": "variant sku",
    "barcode": "variant barcode",
    "price": "variant price",
    "compare-at price": "variant compare at price",
    "inventory quantity": "variant inventory qty",
    "weight value (grams)": "variant grams",
    "product image url": "image src",
    "variant image url": "variant image",
}
_OPTIONS = tuple((f"option{n} name", f"option{n} value") for n in (1, 2, 3))
_MONEY = {
    "variant price": OurField.LIST_PRICE,
    "variant compare at price": OurField.MSRP,
    "cost per item": OurField.ESTIMATED_COST,
}
_OF_VARIANT = frozenset(
    {
        *(value for _, value in _OPTIONS),
        *_MONEY,
        "variant sku",
        "variant barcode",
        "variant inventory qty",
    }
)
"""A line with none of these is about an image, or about the product alone."""
_READ = _OF_VARIANT | {
    *(name for name, _ in _OPTIONS),
    "handle",
    "title",
    "body (html)",
    "vendor",
    "type",
    "product category",
    "tags",
    "published",
    "status",
    "variant grams",
    "variant image",
    "image src",
    "image position",
    "google shopping / mpn",
}
_MAX_LINES = 5000


@dataclass(slots=True)
class _Product:
    """The lines of one handle that were read so far."""

    handle: str
    line: int
    stated: Statement = field(default_factory=dict)
    presence: str | None = None
    names: list[str | None] = field(default_factory=list)
    variants: list[tuple[int, Statement]] = field(default_factory=list)
    images: list[tuple[int, str]] = field(default_factory=list)
    lines: int = 0
    refusal: str = ""
    """Why the rest of the handle's lines is not taken."""


class ShopifyCatalog:
    """Reads Shopify's product CSV."""

    name = "shopify"
    title = "Shopify product CSV"

    def recognizes(self, header: Sequence[str]) -> bool:
        """Whether the header has a handle and a price or option as Shopify names them."""
        names = {cell.strip().lower() for cell in header}
        has_handle = not names.isdisjoint({"handle", "url handle"})
        return has_handle and not names.isdisjoint(
            {"variant price", "variant sku", "option1 name", "body (html)"}
        )

    def read(
        self, header: Sequence[str], rows: Iterator[CsvRow], currency: str
    ) -> Iterator[CatalogItem]:
        """Stream listings, errors and notes."""
        names = named.column_names(header, _ALIASES)
        unread = [
            cell.strip().lower()
            for cell, name in zip(header, names, strict=True)
            if name not in _READ
        ]
        yield from named.not_read(header, 1, unread)
        reader = _Reader(names, currency)
        for row in rows:
            yield from reader.take(row)
        yield from reader.close()


class _Reader:
    def __init__(self, names: tuple[str, ...], currency: str) -> None:
        self._names = names
        self._currency = currency
        self._skus = SkuLedger()
        self._handles = SkuLedger()
        self._listings = SkuLedger()
        self._product: _Product | None = None

    def take(self, row: CsvRow) -> Iterator[CatalogItem]:
        """Whatever the line completes or is refused for."""
        cells = named.named_cells(self._names, row.cells)
        sku = cells.get("variant sku")
        try:
            handle = cells.get("handle")
            if handle is None:
                if row.problem is not None:
                    raise BadValueError(row.problem.code, row.problem.message)
                raise BadValueError(
                    "MissingHandle", "the row has no handle, which names its product"
                )
            product = self._product
            if product is None or product.handle != handle:
                yield from self.close()
                product = self._begin(handle, row, cells)
            else:
                if row.problem is not None:
                    raise BadValueError(row.problem.code, row.problem.message)
                named.check_width(self._names, row.cells)
            if product.refusal:
                raise BadValueError("ParentNotTaken", product.refusal)
            yield from self._add(product, row.line, cells)
        except BadValueError as error:
            line = row.problem.line if row.problem is not None else row.line
            yield CatalogError(line, sku, error.code, error.message)

    def _begin(self, handle: str, row: CsvRow, cells: dict[str, str]) -> _Product:
        product = self._product = _Product(handle, row.line)
        earlier = self._handles.claim(handle, row.line)
        try:
            if row.problem is not None:
                raise BadValueError(row.problem.code, row.problem.message)
            if earlier is not None:
                raise BadValueError(
                    "NotAdjacent",
                    f"product {shown(handle)} began on line {earlier} and ended there; "
                    "all its lines follow each other",
                )
            named.check_width(self._names, row.cells)
            values.sku(handle)
            _state_product(product, cells)
        except BadValueError:
            product.refusal = (
                f"the first line of product {shown(handle)}, line {row.line}, was not taken; "
                "mend that one first"
            )
            raise
        return product

    def _add(self, product: _Product, line: int, cells: dict[str, str]) -> Iterator[CatalogItem]:
        product.lines += 1
        if product.lines > _MAX_LINES:
            raise BadValueError("TooManyLines", f"a product has at most {_MAX_LINES:,} lines")
        if address := cells.get("image src"):
            place = cells.get("image position", "")
            at = int(place) if place.isascii() and place.isdigit() and len(place) < 6 else 99999
            product.images.extend((at, str(image)) for image in values.images([address]))
        if not _OF_VARIANT.isdisjoint(cells):
            yield from self._add_variant(product, line, cells)

    def _add_variant(
        self, product: _Product, line: int, cells: dict[str, str]
    ) -> Iterator[CatalogItem]:
        pairs = _options(product, cells)
        is_derived = "variant sku" not in cells
        sku = values.sku(cells.get("variant sku") or named.derived_sku(product.handle, pairs))
        stated: Statement = {OurField.SKU: sku}
        if pairs:
            stated[OurField.OPTIONS] = [list[Value](pair) for pair in pairs]
        for column, name in _MONEY.items():
            if column in cells:
                stated[name] = values.money(name, cells[column], self._currency)
        if "variant barcode" in cells:
            stated |= values.barcode(cells["variant barcode"])
        if "google shopping / mpn" in cells:
            stated[OurField.MPN] = values.identifier(OurField.MPN, cells["google shopping / mpn"])
        if "variant image" in cells:
            stated[OurField.IMAGES] = values.images([cells["variant image"]])
        grams = cells.get("variant grams", "0")
        if values.measure("grams", grams, "BadWeight") != "0":  # Shopify writes 0 where none is set
            stated[OurField.WEIGHT] = values.weight(grams, "g")
        notes = [named.derived_note(line, sku)] if is_derived else []
        if "variant inventory qty" in cells:
            notes.extend(named.put_stock(stated, cells["variant inventory qty"], line, sku))
        self._check_options(product, stated)
        if (earlier := self._skus.claim(sku, line)) is not None:
            yield duplicate(sku, line, earlier)
            return
        yield from notes
        product.variants.append((line, stated))

    def _check_options(self, product: _Product, stated: Statement) -> None:
        if OurField.OPTIONS not in stated and product.variants:
            raise BadValueError("BadOption", "only a product's one variant can be without options")
        if (twin := same_options(product.variants, stated)) is not None:
            raise BadValueError("SameOptions", f"the variant on line {twin} has the same options")

    def close(self) -> Iterator[CatalogItem]:
        """The product whose lines have ended."""
        product, self._product = self._product, None
        if product is None or product.refusal:
            return
        if not product.variants:
            message = (
                "none of its variants could be taken, and there is nothing to sell without one"
            )
            yield CatalogError(product.line, product.handle, "NoVariants", message)
            return
        listing = dict(product.stated)
        names = option_names(product.variants)
        listing[OurField.SKU] = product.handle if names else product.variants[0][1][OurField.SKU]
        if names:
            listing[OurField.OPTIONS] = names
        images = dict.fromkeys(address for _, address in sorted(product.images, key=_position))
        if images:
            listing[OurField.IMAGES] = list[Value](images)
        if product.presence is not None:
            for _, variant in product.variants:
                variant[PRESENCE] = product.presence
        earlier = self._listings.claim(str(listing[OurField.SKU]), product.line)
        if earlier is not None:
            yield duplicate(str(listing[OurField.SKU]), product.line, earlier)
            return
        yield CatalogRow(product.line, listing, tuple(product.variants))


def _position(image: tuple[int, str]) -> int:
    return image[0]


def _state_product(product: _Product, cells: dict[str, str]) -> None:
    stated = product.stated
    for column, name in (
        ("title", OurField.TITLE),
        ("body (html)", OurField.DESCRIPTION),
        ("vendor", OurField.BRAND),
    ):
        if column in cells:
            stated[name] = values.checked_text(name, cells[column])
    if "type" in cells:
        stated[OurField.CATEGORIES] = [values.checked_text("type", cells["type"])]
    elif "product category" in cells:
        levels = (level.strip() for level in cells["product category"].split(">"))
        stated[OurField.CATEGORIES] = [level for level in levels if level]
    if "tags" in cells:
        stated[OurField.CUSTOM_FIELDS] = {"tags": values.checked_text("tags", cells["tags"])}
    is_published = values.flag("published", cells.get("published", "true"))
    if not is_published or cells.get("status", "active").lower() != "active":
        product.presence = Presence.HIDDEN.value
    product.names = [cells.get(name) for name, _ in _OPTIONS]


def _options(product: _Product, cells: dict[str, str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for number, (name_column, value_column) in enumerate(_OPTIONS):
        value = cells.get(value_column)
        if value is None:
            continue
        name = product.names[number] or cells.get(name_column)
        if value == "Default Title" and name in (None, "Title"):
            continue
        if name is None:
            message = (
                f"{value_column} is {shown(value)}, but the product's first line names no option"
            )
            raise BadValueError("BadOption", message)
        pairs.append((values.checked_text("option", name), values.checked_text("option", value)))
    return pairs

"""The product-CSV layout of WooCommerce: products and, often far below, their variations.

A variable product waits here until its first variations come; of those already handed on only the
SKU is kept. Variations further down are handed on as a further part of the same listing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters import catalog_cells as named
from adapters.woocommerce.catalog_cells import (
    Attribute,
    attributes,
    hidden,
    product_fields,
    stock,
    unread_columns,
    variation_fields,
)
from reconcile.catalog import values
from reconcile.catalog.items import (
    MAX_VARIANTS,
    PRESENCE,
    CatalogItem,
    CatalogNote,
    CsvRow,
    SkuLedger,
    duplicate,
    option_names,
    same_options,
    split_levels,
)
from reconcile.catalog.values import BadValueError, Statement, shown
from reconcile.contract import CatalogError, CatalogRow
from reconcile.core.types import OurField, Presence, Value

_BY_ID = re.compile(r"id:\s*(\d+)", re.IGNORECASE | re.ASCII)
_MAX_WAITING = 10_000
_NO_GOODS = {
    "grouped": "a grouped product only shows other products together; those are imported",
    "external": "an external product is sold on another site; there is no stock of it here",
}


@dataclass(slots=True)
class _Parent:
    """A variable product, as much of it as its variations need."""

    sku: str
    line: int
    stated: Statement | None
    """What its line states until that is handed on with its first variations."""
    attributes: tuple[Attribute, ...] = ()
    is_hidden: bool = False
    is_refused: bool = False
    names: list[Value] = field(default_factory=list)
    """Option names handed on so far."""
    is_open_noted: bool = False


@dataclass(frozen=True, slots=True)
class _Variation:
    """A variation that was read before its parent."""

    line: int
    parent: str
    cells: dict[str, str]


class WooCommerceCatalog:
    """Reads WooCommerce's product CSV."""

    name = "woocommerce"
    title = "WooCommerce product CSV"

    def recognizes(self, header: Sequence[str]) -> bool:
        """Whether the header has a type, a name and a price or parent as WooCommerce names them."""
        names = {cell.strip().lower() for cell in header}
        return names >= {"type", "name"} and not names.isdisjoint({"regular price", "parent"})

    def read(
        self, header: Sequence[str], rows: Iterator[CsvRow], currency: str
    ) -> Iterator[CatalogItem]:
        """Stream listings, errors and notes."""
        names = named.column_names(header, {})
        yield from named.not_read(header, 1, unread_columns(names))
        reader = _Reader(names, currency)
        for row in rows:
            yield from reader.take(row)
        yield from reader.finish()


class _Reader:
    def __init__(self, names: tuple[str, ...], currency: str) -> None:
        self._names = names
        self._currency = currency
        self._skus = SkuLedger()
        self._parents: dict[str, _Parent] = {}
        """By SKU, and by `id:` and the number."""
        self._group: tuple[_Parent, list[tuple[int, Statement]]] | None = None
        self._waiting: list[_Variation] = []

    def take(self, row: CsvRow) -> Iterator[CatalogItem]:
        """Whatever the line completes or is refused for."""
        cells = named.named_cells(self._names, row.cells)
        kinds = {kind.strip().lower() for kind in cells.get("type", "simple").split(",")}
        sku = cells.get("sku")
        try:
            if row.problem is not None:
                raise BadValueError(row.problem.code, row.problem.message)
            named.check_width(self._names, row.cells)
            if "variation" in kinds:
                yield from self._variation(row.line, cells)
            elif "variable" in kinds:
                yield from self._variable(row.line, cells)
            elif "simple" in kinds:
                yield from self._simple(row.line, cells)
            else:
                raise BadValueError("NotSellable", _why_not(kinds))
        except BadValueError as error:
            if "variable" in kinds:
                self._refuse(row.line, cells)
            line = row.problem.line if row.problem is not None else row.line
            yield CatalogError(line, sku, error.code, error.message)

    def _simple(self, line: int, cells: dict[str, str]) -> Iterator[CatalogItem]:
        sku, notes = _own_sku(line, cells)
        stated, more = product_fields(line, sku, cells, self._currency)
        texts: dict[str, Value] = {item.name: item.text for item in attributes(cells)}
        if texts:
            stated[OurField.ATTRIBUTES] = texts
        notes += more
        notes += stock(stated, line, sku, cells)
        if hidden(cells):
            stated[PRESENCE] = Presence.HIDDEN.value
        if (earlier := self._skus.claim(sku, line)) is not None:
            yield duplicate(sku, line, earlier)
            return
        yield from notes
        listing, variant = split_levels(stated)
        yield CatalogRow(line, listing, ((line, variant),))

    def _variable(self, line: int, cells: dict[str, str]) -> Iterator[CatalogItem]:
        sku, notes = _own_sku(line, cells)
        stated, more = product_fields(line, sku, cells, self._currency)
        if (earlier := self._skus.claim(sku, line)) is not None:
            yield duplicate(sku, line, earlier)
            return
        yield from (*notes, *more)
        parent = _Parent(sku, line, stated, attributes(cells), is_hidden=hidden(cells))
        self._remember(parent, cells)

    def _refuse(self, line: int, cells: dict[str, str]) -> None:
        sku = cells.get("sku", "")
        if sku not in self._parents:
            self._remember(_Parent(sku, line, None, is_refused=True), cells)

    def _remember(self, parent: _Parent, cells: dict[str, str]) -> None:
        if parent.sku:
            self._parents[parent.sku] = parent
        if "id" in cells:
            self._parents[f"id:{cells['id']}"] = parent

    def _variation(self, line: int, cells: dict[str, str]) -> Iterator[CatalogItem]:
        reference = cells.get("parent")
        if reference is None:
            raise BadValueError("MissingParent", "a variation names its parent; this one does not")
        if match := _BY_ID.fullmatch(reference):
            reference = f"id:{match.group(1)}"
        parent = self._parents.get(reference)
        if parent is not None:
            yield from self._add(parent, line, cells)
        elif len(self._waiting) < _MAX_WAITING:
            self._waiting.append(_Variation(line, reference, cells))
        else:
            raise BadValueError("UnknownParent", _no_parent(reference))

    def _add(self, parent: _Parent, line: int, cells: dict[str, str]) -> Iterator[CatalogItem]:
        if parent.is_refused:
            raise BadValueError(
                "ParentNotTaken",
                f"its parent on line {parent.line} was not taken; mend that one first",
            )
        if self._group is None or self._group[0] is not parent:
            yield from self._close()
            self._group = (parent, [])
        variants = self._group[1]
        given = attributes(cells)
        pairs = [(item.name, item.text) for item in given if item.text]
        is_derived = "sku" not in cells
        sku = values.sku(cells.get("sku") or named.derived_sku(parent.sku, pairs))
        stated, notes = variation_fields(line, sku, cells, self._currency)
        if pairs:
            stated[OurField.OPTIONS] = [list[Value](pair) for pair in pairs]
        notes += stock(stated, line, sku, cells)
        if parent.is_hidden or hidden(cells):
            stated[PRESENCE] = Presence.HIDDEN.value
        if (twin := same_options(variants, stated)) is not None:
            raise BadValueError("SameOptions", f"the variation on line {twin} has the same options")
        if (earlier := self._skus.claim(sku, line)) is not None:
            yield duplicate(sku, line, earlier)
            return
        if is_derived:
            yield named.derived_note(line, sku)
        yield from notes
        yield from _open_options(parent, line, sku, given)
        variants.append((line, stated))
        if len(variants) >= MAX_VARIANTS:
            yield from self._close()

    def _close(self) -> Iterator[CatalogItem]:
        group, self._group = self._group, None
        if group is None or not group[1]:
            return
        parent, variants = group
        listing: Statement = {OurField.SKU: parent.sku}
        new = [name for name in option_names(variants) if name not in parent.names]
        parent.names.extend(new)
        if new:
            listing[OurField.OPTIONS] = list(parent.names)
        if parent.stated is not None:
            listing |= parent.stated
            texts: dict[str, Value] = {
                item.name: item.text for item in parent.attributes if item.name not in parent.names
            }
            if texts:
                listing[OurField.ATTRIBUTES] = texts
            parent.stated, parent.attributes = None, ()
        yield CatalogRow(parent.line, listing, tuple(variants))

    def finish(self) -> Iterator[CatalogItem]:
        """What the end of the file completes: variations above their parent, parents alone."""
        for waiting in self._waiting:
            sku = waiting.cells.get("sku")
            try:
                parent = self._parents.get(waiting.parent)
                if parent is None:
                    raise BadValueError("UnknownParent", _no_parent(waiting.parent))
                yield from self._add(parent, waiting.line, waiting.cells)
            except BadValueError as error:
                yield CatalogError(waiting.line, sku, error.code, error.message)
        yield from self._close()
        for parent in {id(item): item for item in self._parents.values()}.values():
            if parent.stated is not None:
                message = "the file has no variation of it that could be taken: nothing to sell"
                yield CatalogError(parent.line, parent.sku, "NoVariants", message)


def _own_sku(line: int, cells: dict[str, str]) -> tuple[str, list[CatalogNote]]:
    if "sku" in cells:
        return values.sku(cells["sku"]), []
    if "id" not in cells:
        raise BadValueError("MissingSku", "the row has neither a SKU nor an ID")
    sku = f"woocommerce-{values.sku(cells['id'])}"
    return sku, [named.derived_note(line, sku)]


def _open_options(
    parent: _Parent, line: int, sku: str, given: Sequence[Attribute]
) -> Iterator[CatalogNote]:
    """Say once per product that a variation stands for any value of an attribute."""
    names = [item.name for item in given if not item.text]
    if names and not parent.is_open_noted:
        parent.is_open_noted = True
        message = (
            f"the variations of {shown(parent.sku)} stand for any {', '.join(names)}; "
            "it was taken as an attribute of the listing, not as an option"
        )
        yield CatalogNote(line, sku, "AnyOption", message)


def _why_not(kinds: set[str]) -> str:
    for kind, reason in _NO_GOODS.items():
        if kind in kinds:
            return reason
    return f"products of type {shown(', '.join(sorted(kinds)))} are not imported"


def _no_parent(reference: str) -> str:
    return f"the file has no variable product {shown(reference)}, which the variation names"

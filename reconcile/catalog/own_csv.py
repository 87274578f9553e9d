"""Rows of our own CSV → listings: adjacent lines of one parent are one listing.

A line without `parent_sku` is a listing; if lines that name it follow, they are its variants, else
it is its own one variant. Lines whose parent has no line of its own state the listing themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reconcile.catalog import columns
from reconcile.catalog.items import (
    MAX_VARIANTS,
    PAUSED,
    PRESENCE,
    CatalogItem,
    CatalogNote,
    CsvRow,
    SkuLedger,
    duplicate,
    option_names,
    same_options,
    sku_hash,
    split_levels,
)
from reconcile.catalog.values import BadValueError, Statement, shown
from reconcile.contract import CatalogError, CatalogRow
from reconcile.core.types import OurField, Value

_SAID_ONCE = (OurField.TITLE, OurField.DESCRIPTION, OurField.BRAND, OurField.CATEGORIES)
"""Without a line for the parent, what the variants say first about these is the listing's."""


@dataclass(slots=True)
class _Group:
    """The lines of one listing that were read so far."""

    sku: str
    line: int
    listing: Statement | None = None
    """What the parent's own line states; None where it has none here."""
    has_children: bool = False
    names: dict[int, str] = field(default_factory=dict)
    """Option names by number, for lines that give only the value."""
    pairs: list[Value] = field(default_factory=list)
    """Options on the listing's own line; they are its variant's if it is its own one."""
    variants: list[tuple[int, Statement]] = field(default_factory=list)


def read_own_csv(header: CsvRow, rows: Iterator[CsvRow], currency: str) -> Iterator[CatalogItem]:
    """Stream listings, errors and notes of a file with our own columns."""
    known, errors = columns.read_header(header.cells, header.line)
    yield from errors
    reader = _Reader(known, currency)
    for row in rows:
        yield from reader.take(row)
    yield from reader.finish()


class _Reader:
    def __init__(self, header: columns.Header, currency: str) -> None:
        self._header = header
        self._currency = currency
        self._ledger = SkuLedger()
        self._parents: set[int] = set()
        self._refused: set[int] = set()
        self._group: _Group | None = None

    def take(self, row: CsvRow) -> Iterator[CatalogItem]:
        """Whatever the row completes or is refused for."""
        cells = self._header.cells(row.cells)
        sku, parent = cells.get(OurField.SKU), cells.get("parent_sku")
        try:
            if row.problem is not None:
                raise BadValueError(row.problem.code, row.problem.message)
            if sku is None:
                raise BadValueError("MissingSku", _missing_sku(parent))
            if self._header.surplus(row.cells):
                raise BadValueError("TooManyCells", _too_many(len(self._header.names)))
            stated = columns.statement(cells, self._currency)
            options = columns.options(cells)
            if parent is None:
                yield from self._start(row.line, stated, options)
            else:
                yield from self._add(row.line, parent, stated, options)
        except BadValueError as error:
            line = row.problem.line if row.problem is not None else row.line
            yield from self._refuse(parent, sku)
            yield CatalogError(line, sku, error.code, error.message)

    def _refuse(self, parent: str | None, sku: str | None) -> Iterator[CatalogItem]:
        """Remember that the line is there, so that what follows is not taken for something else."""
        if parent is not None:
            if self._group is not None and self._group.sku == parent:
                self._group.has_children = True
        elif sku is not None:
            yield from self._close()
            if self._ledger.line_of(sku) is None:
                self._refused.add(sku_hash(sku))

    def _start(
        self, line: int, stated: Statement, options: columns.Options
    ) -> Iterator[CatalogItem]:
        sku = str(stated[OurField.SKU])
        group = _Group(sku, line, stated)
        for number, (name, value) in options.items():
            if name is None:
                raise BadValueError(
                    "BadOption", f"option_{number}_value has no option_{number}_name"
                )
            group.names[number] = name
            if value is not None:
                group.pairs.append([name, value])
        yield from self._close()
        if (earlier := self._ledger.claim(sku, line)) is not None:
            yield duplicate(sku, line, earlier)
            return
        self._refused.discard(sku_hash(sku))
        self._group = group

    def _add(
        self, line: int, parent: str, stated: Statement, options: columns.Options
    ) -> Iterator[CatalogItem]:
        sku = str(stated[OurField.SKU])
        if self._group is None or self._group.sku != parent:
            yield from self._close()
            self._check_parent(parent, line)
            self._group = _Group(parent, line)
        group = self._group
        group.has_children = True
        stated[OurField.OPTIONS] = _pairs(group, options)
        if not stated[OurField.OPTIONS]:
            del stated[OurField.OPTIONS]
        if (twin := same_options(group.variants, stated)) is not None:
            raise BadValueError("SameOptions", f"the variant on line {twin} has the same options")
        if (earlier := self._ledger.claim(sku, line)) is not None:
            yield duplicate(sku, line, earlier)
            return
        self._parents.add(sku_hash(parent))
        group.variants.append((line, stated))
        if len(group.variants) >= MAX_VARIANTS:
            yield from self._close()
            self._group = _Group(parent, line, names=group.names)

    def _check_parent(self, parent: str, line: int) -> None:
        """Refuse a variant whose parent turned out to be something else further up."""
        key = sku_hash(parent)
        if key in self._refused:
            raise BadValueError(
                "ParentNotTaken",
                f"the line of its parent {shown(parent)} was not taken; mend that one first",
            )
        taken = self._ledger.line_of(parent)
        if taken is not None and taken != line and key not in self._parents:
            raise BadValueError(
                "NotAdjacent",
                f"its parent {shown(parent)} was taken on line {taken} as a listing without "
                "variants; put the variants right below their parent",
            )

    def finish(self) -> Iterator[CatalogItem]:
        """What the end of the file completes."""
        yield from self._close()

    def _close(self) -> Iterator[CatalogItem]:
        group, self._group = self._group, None
        if group is None:
            return
        if group.listing is not None and not group.has_children:
            listing, variant = split_levels(group.listing)
            if group.pairs:
                variant[OurField.OPTIONS] = group.pairs
                listing[OurField.OPTIONS] = option_names([(group.line, variant)])
            yield CatalogRow(group.line, listing, ((group.line, variant),))
        elif group.variants:
            yield from _with_variants(group)
        elif group.listing is not None:
            self._refused.add(sku_hash(group.sku))
            message = (
                "none of its variants could be taken, and there is nothing to sell without one"
            )
            yield CatalogError(group.line, group.sku, "NoVariants", message)


def _with_variants(group: _Group) -> Iterator[CatalogItem]:
    listing: Statement = {OurField.SKU: group.sku}
    if group.listing is None:
        for _, variant in group.variants:
            _lift(listing, variant)
    else:
        listing |= group.listing
        for name in (PRESENCE, PAUSED):
            if name in listing:
                value = listing.pop(name)
                for _, variant in group.variants:
                    variant.setdefault(name, value)
        if listing.pop(OurField.QUANTITY, None) is not None:
            message = "a listing with variants has no quantity; each of its variants has one"
            yield CatalogNote(group.line, group.sku, "QuantityIgnored", message)
    names = option_names(group.variants)
    if names:
        listing[OurField.OPTIONS] = names
    yield CatalogRow(group.line, listing, tuple(group.variants))


def _lift(listing: Statement, variant: Statement) -> None:
    """Make the listing's what the first variant says; a variant that differs keeps its own."""
    for name in _SAID_ONCE:
        if name in variant and listing.setdefault(name, variant[name]) == variant[name]:
            del variant[name]


def _pairs(group: _Group, options: columns.Options) -> list[Value]:
    pairs: list[Value] = []
    for number, (name, value) in options.items():
        known = name or group.names.get(number)
        if value is None:
            raise BadValueError("BadOption", f"option_{number}_name has no option_{number}_value")
        if known is None:
            raise BadValueError("BadOption", f"option_{number}_value has no option_{number}_name")
        group.names[number] = known
        pairs.append([known, value])
    names: Sequence[Value] = [pair[0] for pair in pairs if isinstance(pair, list)]
    if len({str(name) for name in names}) < len(names):
        raise BadValueError("BadOption", "two options have the same name")
    return pairs


def _missing_sku(parent: str | None) -> str:
    of_parent = f" (a variant of {shown(parent)})" if parent else ""
    return f"the row{of_parent} has no SKU; every listing and every variant needs one"


def _too_many(expected: int) -> str:
    return (
        f"the row has more cells than the {expected} columns of the header; "
        "a cell with a separator in it is written in quotes"
    )

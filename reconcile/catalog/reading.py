"""One entry for every catalog file: tells what it is and streams what it says.

The caller decides what becomes of a listing; nothing is kept here but the SKUs seen, as hashes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from reconcile.catalog.columns import is_own
from reconcile.catalog.csv_rows import read_rows, sniff_separator
from reconcile.catalog.items import CatalogItem
from reconcile.catalog.lines import Line, read_lines
from reconcile.catalog.own_csv import read_own_csv
from reconcile.catalog.own_jsonl import read_own_jsonl
from reconcile.catalog.values import currency_code, shown
from reconcile.contract import CatalogError, CatalogLayout, CatalogRow
from reconcile.core.types import Fields

OWN_CSV = "tallyport"
OWN_JSONL = "jsonl"
_JSON_SUFFIXES = (".jsonl", ".ndjson")


def read_catalog(
    chunks: Iterable[bytes],
    *,
    name: str,
    layouts: Sequence[CatalogLayout],
    currency: str,
    layout: str | None = None,
    on_layout: Callable[[str], None] = lambda _: None,
) -> Iterator[CatalogItem]:
    """Stream the listings of a file, the rows that were not taken and why, and remarks.

    `name` is the file's name, of which only the suffix counts; `layout` says what the file is
    (`tallyport`, `jsonl` or the name of one of `layouts`) where that should not be guessed;
    `currency` is that of prices that name none; `on_layout` is told what the file turned out to be
    before its first row. Raises ValueError for a currency that is no code.
    """
    unit = currency_code(currency)
    for item in _read(chunks, name, layouts, unit, layout, on_layout):
        yield _plain(item) if isinstance(item, CatalogRow) else item


def _plain(row: CatalogRow) -> CatalogRow:
    """The row with plain strings for field names, as every JSON writer takes them."""
    variants = tuple((line, _with_plain_names(fields)) for line, fields in row.variants)
    return CatalogRow(row.line, _with_plain_names(row.fields), variants)


def _with_plain_names(fields: Fields) -> Fields:
    return {str(name): value for name, value in fields.items()}


def _read(
    chunks: Iterable[bytes],
    name: str,
    layouts: Sequence[CatalogLayout],
    currency: str,
    layout: str | None,
    on_layout: Callable[[str], None],
) -> Iterator[CatalogItem]:
    lines = read_lines(chunks)
    first = next((line for line in lines if line.code or line.text.strip()), None)
    if first is None:
        yield CatalogError(1, None, "EmptyFile", "the file is empty")
        return
    known = (OWN_CSV, OWN_JSONL, *(item.name for item in layouts))
    if layout is not None and layout not in known:
        message = f"there is no layout {shown(layout)}; there are {', '.join(known)}"
        yield CatalogError(1, None, "UnknownLayout", message)
        return
    begins = first.text.lstrip()[:1]
    if layout == OWN_JSONL or (layout is None and _is_json(name, begins)):
        if begins == "[":
            message = "the file is one JSON list; write one listing per line, without the list"
            yield CatalogError(first.number, None, "NotJsonLines", message)
        else:
            on_layout(OWN_JSONL)
            yield from read_own_jsonl(chain([first], lines), currency)
        return
    yield from _read_csv(first, lines, layouts, currency, layout, on_layout)


def _is_json(name: str, begins: str) -> bool:
    return name.lower().endswith(_JSON_SUFFIXES) or begins in ("{", "[")


def _read_csv(
    first: Line,
    lines: Iterator[Line],
    layouts: Sequence[CatalogLayout],
    currency: str,
    wanted: str | None,
    on_layout: Callable[[str], None],
) -> Iterator[CatalogItem]:
    rows = read_rows(chain([first], lines), sniff_separator(first.text))
    header = next(rows, None)
    if header is None:
        yield CatalogError(first.number, None, "EmptyFile", "the file has no header")
        return
    if header.problem is not None:
        yield header.problem
    if not header.cells:
        return
    chosen = next((item for item in layouts if item.name == wanted), None)
    if wanted is None:
        chosen = next((item for item in layouts if item.recognizes(header.cells)), None)
    if chosen is not None:
        on_layout(chosen.name)
        yield from chosen.read(header.cells, rows, currency)
    elif is_own(header.cells):
        on_layout(OWN_CSV)
        yield from read_own_csv(header, rows, currency)
    else:
        yield CatalogError(header.line, None, "UnknownLayout", _unrecognized(header.cells, layouts))


def _unrecognized(header: Sequence[str], layouts: Sequence[CatalogLayout]) -> str:
    titles = ", ".join(item.title for item in layouts)
    columns = ", ".join(shown(cell) for cell in header[:6])
    return (
        f"the header ({columns}) is of no known layout: our own CSV has a column sku; "
        f"also known are JSONL, {titles or 'and no others'}"
    )

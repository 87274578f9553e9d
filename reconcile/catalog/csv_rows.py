"""Lines → CSV records with the line each begins on; a malformed record costs only its first line.

Quotes are read strictly: a quote that is never closed would otherwise swallow the rows behind it
without a word. The lines it took along are read again as records of their own.
"""

import csv
from collections import deque
from collections.abc import Iterator

from reconcile.catalog.items import CsvRow
from reconcile.catalog.lines import Line
from reconcile.contract import CatalogError

SEPARATORS = (",", ";", "\t")


class _Feed(Iterator[str]):
    """Hands lines to the csv module, remembers which, and takes lines back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._returned: deque[Line] = deque()
        self.used: list[Line] = []

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.used.append(line)
        return line.text

    def take_back(self, lines: list[Line]) -> None:
        self._returned.extendleft(reversed(lines))


def sniff_separator(line: str) -> str:
    """The separator that makes the most cells of the header line; a comma where none does."""
    return max(SEPARATORS, key=lambda separator: _cell_count(line, separator))


def _cell_count(line: str, separator: str) -> int:
    try:
        return max((len(row) for row in csv.reader([line], delimiter=separator)), default=0)
    except csv.Error:
        return 0


def read_rows(lines: Iterator[Line], separator: str) -> Iterator[CsvRow]:
    """Every record that is not blank, in order; what is wrong with it comes with it."""
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=separator, strict=True)
    while True:
        feed.used = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            first, *others = feed.used
            feed.take_back(others)
            message = (
                f"the line is not valid CSV ({error}); a cell with a quote in it is written "
                'as "5"" pot", and every opened quote is closed'
            )
            yield CsvRow(first.number, [], CatalogError(first.number, None, "BadCsv", message))
            continue
        broken = next((line for line in feed.used if line.code), None)
        if broken is not None:
            problem = CatalogError(broken.number, None, broken.code, broken.problem)
            yield CsvRow(feed.used[0].number, cells, problem)
        elif any(cell and not cell.isspace() for cell in cells):
            yield CsvRow(feed.used[0].number, cells)

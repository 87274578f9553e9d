"""`make features`: every feature with its tests; fails for a finished one without a test.

Reads the table and the sources of the tests; it runs no test.
"""

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.features.rows import TABLE, Row, named_tests, read_rows, reference_ids


def problems_of(
    rows: Sequence[Row],
    tests: Mapping[str, Sequence[str]],
    reference: Sequence[str] | None,
) -> list[str]:
    """Everything that is wrong with the table; empty if nothing is."""
    known = [row.id for row in rows]
    found = [
        f"{row.id} is finished for {', '.join(row.finished)} and no test names it."
        for row in rows
        if row.finished and not tests.get(row.id)
    ]
    found += [
        f"{row.id} is finished for {name}, which is not among its platforms."
        for row in rows
        for name in row.finished
        if name not in row.platforms
    ]
    found += [
        f"{', '.join(tests[row])}: there is no feature {row}." for row in tests if row not in known
    ]
    if reference is not None:
        found += [
            f"{each} is missing from {TABLE.name}." for each in reference if each not in known
        ]
        found += [
            f"{each} is not in the reference list." for each in known if each not in reference
        ]
    return found


def print_table(console: Console, rows: Sequence[Row], tests: Mapping[str, Sequence[str]]) -> None:
    """Print one line per row with what names it."""
    table = Table("Row", "Feature", "Finished for", "Tests", header_style="bold")
    for row in rows:
        state = ", ".join(row.finished) if row.finished else "-"
        text = escape(row.text) + (f"\n[dim]{escape(row.note)}[/]" if row.note else "")
        table.add_row(row.id, text, state, escape("\n".join(tests.get(row.id, ()))))
    console.print(table)


def main() -> int:
    """Print the report; 1 if something is wrong."""
    plain = Console()
    console = plain if plain.is_terminal else Console(width=180)
    rows, tests, reference = read_rows(), named_tests(), reference_ids()
    print_table(console, rows, tests)
    problems = problems_of(rows, tests, reference)
    finished = sum(bool(row.finished) for row in rows)
    console.print(
        f"{finished} of {len(rows)} features are finished on at least one platform; "
        f"{len({test for each in tests.values() for test in each})} tests name features."
    )
    if reference is None:
        console.print("The reference list is not beside this checkout; ids were not compared.")
    for problem in problems:
        console.print(f"[bold red]{escape(problem)}[/]")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

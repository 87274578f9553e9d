"""Tables and facts that stay readable on a narrow terminal.

A column without any text is left out. Where the words of the columns left do not fit beside each
other, the rows stand below each other, a line per cell: no word is ever broken in two.
"""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_LONGEST_WORD = 32
"""Columns that a single word may ask for; longer ones, such as addresses, are folded."""
_FRAME = 3
"""What a column takes beside its text: a space on each side and a line."""


def print_table(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = ""
) -> None:
    """Print rows below the names of their columns, or one by one where they do not fit."""
    used = [at for at in range(len(columns)) if not rows or any(row[at] for row in rows)]
    names = [columns[at] for at in used]
    cells = [[row[at] for at in used] for row in rows]
    widths = [
        max(_longest_word(name), *(_longest_word(row[at]) for row in cells), 1)
        for at, name in enumerate(names)
    ]
    if sum(widths) + _FRAME * len(widths) + 1 <= console.width or not cells:
        table = Table(title=title or None, title_justify="left", header_style="bold")
        for name, width in zip(names, widths, strict=True):
            table.add_column(escape(name), overflow="fold", min_width=width)
        for row in cells:
            table.add_row(*map(escape, row))
        console.print(table)
        return
    if title:
        console.print(f"[bold]{escape(title)}[/]")
    for row in cells:
        console.rule(f"[bold]{escape(row[0])}[/]", align="left", characters="─")
        print_facts(
            console,
            {name: cell for name, cell in zip(names[1:], row[1:], strict=True) if cell},
        )


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print names and values below each other."""
    if not facts:
        return
    if not console.is_terminal:
        width = max(map(cell_len, facts))
        for name, value in facts.items():
            # Lines of a file carry no blanks at their ends, and are not folded.
            line = f"{name}{' ' * (width - cell_len(name))}  {value}".rstrip()
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(f"[bold]{escape(name)}[/]", escape(value))
    console.print(grid)


def _longest_word(text: str) -> int:
    return min(_LONGEST_WORD, max((cell_len(word) for word in text.split()), default=0))

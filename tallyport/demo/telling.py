"""Shows the demo as it happens, on standard error: steps, plans with reasons, the last table."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tallyport.client import Json

_SHOWN = 4


@dataclass(slots=True)
class Tally:
    """What happened on one channel, counted in the store's books."""

    platform: str
    linked: int = 0
    published: int = 0
    synced: int = 0
    hidden: int = 0
    unhidden: int = 0
    broken: int = 0
    delisted: int = 0
    imported: int = 0
    orders_imported: int = 0
    orders_held: int = 0
    orders_skipped: int = 0
    orders_unsavable: int = 0
    shipments_pushed: int = 0
    requests: int = 0
    settled: bool = False

    def as_json(self) -> dict[str, str | int | bool]:
        """The object of the last line."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Teller:
    """Prints the story and remembers where it went otherwise than expected."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.problems: list[str] = []

    def chapter(self, title: str) -> None:
        """A new step begins."""
        self.console.print()
        self.console.rule(f"[bold]{escape(title)}", align="left")

    def say(self, text: str) -> None:
        """One line of the story."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def plan(self, actions: Sequence[Json]) -> None:
        """Some of what was planned, with before, after and reason."""
        if not actions:
            self.say("Nothing had to be done.")
            return
        table = Table("Action", "About", "Change", "Why", "Outcome", header_style="bold")
        for column in table.columns:
            column.overflow = "fold"
        kinds: dict[str, int] = {}
        for action in actions:
            kinds[action["kind"]] = kinds.get(action["kind"], 0) + 1
            if kinds[action["kind"]] <= _SHOWN:
                part = action["variant"] or action["listing"] or {}
                order = action["remoteOrder"]
                cells = (
                    action["kind"],
                    order["number"] if order else part.get("sku", ""),
                    _changes(action["changes"]),
                    action["reason"]["message"],
                    _outcome(action),
                )
                table.add_row(*(escape(str(cell)) for cell in cells))
        self.console.print(table)
        rest = [f"{count - _SHOWN} more {kind}" for kind, count in kinds.items() if count > _SHOWN]
        if rest:
            self.say(f"... and {', '.join(rest)}.")

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table of the story."""
        table = Table(*columns, header_style="bold")
        for column in table.columns:
            column.overflow = "fold"
        for row in rows:
            table.add_row(*map(escape, row))
        self.console.print(table)

    def check(self, what: str, expected: int, found: int) -> None:
        """Compare a count with what it should be."""
        if expected == found:
            self.console.print(f"[green]✓[/] {escape(what)}: {found}", highlight=False)
        else:
            self.trouble(f"{what}: expected {expected}, found {found}")

    def trouble(self, text: str) -> None:
        """Something is not as it should be."""
        self.problems.append(text)
        self.console.print(f"[bold red]✗ {escape(text)}", highlight=False)

    def end(self, tallies: Sequence[Tally], seconds: float) -> None:
        """The last table."""
        self.console.print()
        table = Table("Counted in the stores' books", header_style="bold")
        for tally in tallies:
            table.add_column(tally.platform, justify="right")
        for name in (field.name for field in fields(Tally) if field.name != "platform"):
            cells = [tally.as_json()[name] for tally in tallies]
            table.add_row(name, *("yes" if cell is True else str(cell) for cell in cells))
        self.console.print(table)
        verdict = "Every count is as it should be." if not self.problems else "Not as it should be:"
        self.say(f"{verdict} {seconds:.1f} seconds.")
        for problem in self.problems:
            self.say(f"  - {problem}")


def _changes(changes: Json) -> str:
    texts = [f"{c['field']} {_short(c['before'])} → {_short(c['after'])}" for c in changes]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return ", ".join(texts[:3]) + more


def _short(value: Json) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 30 else text[:29] + "…"


def _outcome(action: Json) -> str:
    outcome = action["outcome"]
    if action["state"] == "APPLIED" or outcome is None:
        return str(action["state"])
    return f"{action['state']} {outcome['code']}: {outcome['message']}"

"""Tables at any width: no word is broken, nothing is lost, empty columns are left out."""

import io

import pytest
from rich.console import Console

from tallyport.cli.fields import settings_text
from tallyport.cli.run_tables import value_text
from tallyport.cli.tables import print_facts, print_table
from tallyport.client import Json

_COLUMNS = ["Channel", "SKU", "Seen", "Link", "To know"]
_ROWS = [
    ["myshop", "TEE-M-BLUE", "NOT_LISTED", "UNLINKED", ""],
    ["myshop", "MUG-01", "LISTED", "LINKED", ""],
]


def _printed(width: int, columns: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    print_table(Console(file=text, width=width, force_terminal=True, no_color=True), columns, rows)
    return text.getvalue()


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_no_word_is_broken(width: int) -> None:
    """Every cell stands whole, beside the others or below them."""
    text = _printed(width, _COLUMNS, _ROWS)

    assert all(cell in text for row in _ROWS for cell in row)


def test_rows_stand_below_each_other_where_it_is_narrow() -> None:
    """A frame where it fits, a line per cell where it does not."""
    assert "┃" in _printed(80, _COLUMNS, _ROWS)
    assert "┃" not in _printed(30, _COLUMNS, _ROWS)


def test_a_column_without_text_is_left_out() -> None:
    """What says nothing takes no room; without rows all columns are named."""
    assert "To know" not in _printed(80, _COLUMNS, _ROWS)
    assert "To know" in _printed(80, _COLUMNS, [])


def test_facts_in_a_file_have_no_blanks_at_the_end() -> None:
    """Piped lines are aligned and neither padded nor folded."""
    text = io.StringIO()
    print_facts(Console(file=text, width=20), {"Run": "1", "Operation": "x" * 40})

    assert text.getvalue().splitlines() == ["Run        1", f"Operation  {'x' * 40}"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"amount": "19.5", "currency": "EUR"}, "19.5 EUR"),
        ({"unit": "kg", "value": "1.4"}, "1.4 kg"),
        ([["Home", "Lights"], ["New"]], "Home > Lights, New"),
        ({"Material": "Cotton"}, "Material: Cotton"),
        (True, "yes"),
        (None, "-"),
        (7, "7"),
    ],
)
def test_values_read_as_people_write_them(value: Json, expected: str) -> None:
    """Money, measures, categories and attributes show no braces."""
    assert expected == value_text(value)


def test_settings_are_spelled_as_they_are_set() -> None:
    """Yes and no, not the words of a programming language."""
    assert settings_text({"tracking": "note", "complete": True, "days": 0}) == (
        "tracking=note, complete=yes, days=0"
    )


def test_a_hold_is_told_by_its_code() -> None:
    """Among the changes of an order; its words stand beside them already."""
    assert value_text({"code": "ChangedAfterShipment", "message": "Long"}) == "ChangedAfterShipment"

"""The rows of `tests/features.toml`, and the marker by which a test names the rows it stands for.

Knows files only; it starts nothing, so that the report runs in an instant.
"""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.core.actions import ActionKind

FOLDER = Path(__file__).parent
TABLE = FOLDER.parent / "features.toml"
REFERENCE = FOLDER.parents[2] / "shared" / "features.md"
"""The list the table is compared with, where it is present beside the checkout."""

_ID = re.compile(r"^\| ([AWSBCHT]\d+) \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One feature: what it is, where it applies, and where it works."""

    id: str
    text: str
    platforms: tuple[str, ...]
    finished: tuple[str, ...]
    note: str = ""


def feature(*ids: str) -> pytest.MarkDecorator:
    """Mark a test with the rows it stands for."""
    return pytest.mark.feature(*ids)


def needs(*kinds: ActionKind) -> pytest.MarkDecorator:
    """Mark a test of every platform that only those run which declare these actions."""
    return pytest.mark.needs(*kinds)


def read_rows(table: Path = TABLE) -> tuple[Row, ...]:
    """All rows, in the order of the table."""
    content = tomllib.loads(table.read_text(encoding="utf-8"))["rows"]
    return tuple(
        Row(
            id=name,
            text=row["text"],
            platforms=tuple(row["platforms"]),
            finished=tuple(row["finished"] or ()),
            note=row.get("note", ""),
        )
        for name, row in content.items()
    )


def reference_ids(reference: Path = REFERENCE) -> tuple[str, ...] | None:
    """The ids of the reference list, or None where it is not beside the checkout."""
    if not reference.is_file():
        return None
    return tuple(_ID.findall(reference.read_text(encoding="utf-8")))


def named_tests(folder: Path = FOLDER) -> Mapping[str, tuple[str, ...]]:
    """Row id → tests that name it, as `file::test`; read from the source, nothing is imported."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.glob("test_*.py")):
        for test, row in _marked(ast.parse(file.read_text(encoding="utf-8"))):
            found[row].append(f"{file.name}::{test}")
    return {row: tuple(tests) for row, tests in found.items()}


def _marked(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.name.startswith("test_"):
            continue
        for decorator in node.decorator_list:
            match decorator:
                case ast.Call(func=ast.Name(id="feature"), args=arguments):
                    for argument in arguments:
                        yield node.name, ast.literal_eval(argument)
                case _:
                    pass

"""The documents say what is so: files exist, commands exist, generated pages are current."""

import re
from itertools import chain
from pathlib import Path

import pytest
from typer.main import get_command

from adapters.registry import PLATFORMS
from tallyport.cli import build_app
from tallyport.settings import PREFIX, Settings
from tests.features.report import problems_of
from tests.features.rows import Row, named_tests, read_rows, reference_ids
from tests.platforms_page import PAGE, page

ROOT = Path(__file__).parent.parent
_README = (ROOT / "README.md").read_text(encoding="utf-8")
_DOCUMENTS = sorted(chain([ROOT / "README.md", ROOT / "CHANGELOG.md"], ROOT.glob("docs/**/*.md")))
_FOLDERS = "adapters|api|benchmarks|docs|migrations|reconcile|tallyport|tests"


def test_every_file_the_readme_names_exists() -> None:
    """The walk through the code and the map name nothing that is not there."""
    named = re.findall(rf"`((?:{_FOLDERS})/[\w./-]*)`", _README)

    assert len(named) > 25
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    """Relative links of all documents exist."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))

    local = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_the_test_command_is_what_ci_runs() -> None:
    """The README's one shell block is a line of .ci/run."""
    [command] = re.findall(r"```sh\n(.+?)\n```", _README, re.DOTALL)

    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_command_the_readme_shows_exists() -> None:
    """Each `tallyport …` of the README is a command of the command line."""
    root = get_command(build_app())
    shown = re.findall(r"tallyport ([a-z]+)(?: ([a-z]+))?", _README)

    assert len(shown) > 20
    for first, second in shown:
        group = getattr(root, "commands", {}).get(first)
        assert group is not None, first
        below = getattr(group, "commands", None)
        assert below is None or second in below, f"{first} {second}"


def test_every_setting_the_readme_shows_exists() -> None:
    """Environment variables of the README are settings."""
    shown = set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", _README))

    assert shown
    assert shown <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_the_page_of_platforms_is_current() -> None:
    """`docs/platforms.md` is what the platforms' records say: python -m tests.platforms_page."""
    assert page() == PAGE.read_text(encoding="utf-8")
    assert [p.title for p in PLATFORMS.values() if f"## {p.title}\n" not in page()] == []


def test_every_test_of_the_guarantees_exists() -> None:
    """`docs/guarantees.md` rests on tests that are there, and on several for each chapter."""
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    defined = {
        name
        for file in (ROOT / "tests").glob("**/test_*.py")
        for name in re.findall(r"def (test_\w+)\(", file.read_text(encoding="utf-8"))
    }

    assert len(named) > 40
    assert sorted(named - defined) == []
    promised = text.partition("## What cannot be promised")[0]
    rows = [
        line for line in promised.splitlines() if line.startswith("| ") and "promise |" not in line
    ]
    assert [row for row in rows if "`test_" not in row] == []


def test_every_decision_is_listed() -> None:
    """The index of decisions names each file, numbered without a gap."""
    folder = ROOT / "docs" / "decisions"
    files = sorted(file.name for file in folder.glob("0*.md"))
    index = (folder / "README.md").read_text(encoding="utf-8")

    assert [f"{number:04}" for number in range(1, len(files) + 1)] == [name[:4] for name in files]
    assert [name for name in files if f"({name})" not in index] == []


def test_the_table_of_features_is_sound() -> None:
    """Every finished feature has a test, and no test names a feature that does not exist."""
    assert problems_of(read_rows(), named_tests(), reference_ids()) == []


def test_an_unsound_table_of_features_is_noticed() -> None:
    """A finished row without a test, an unknown row and a row that was left out are each named."""
    rows = [Row("A1", "text", ("shop",), ("shop",)), Row("A2", "text", ("shop",), ("other",))]

    found = problems_of(rows, {"A2": ("test",), "A9": ("test",)}, ("A1", "A2", "A3"))

    assert [each.split(" ")[0] for each in found] == ["A1", "A2", "test:", "A3"]

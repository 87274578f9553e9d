"""Tests of the look at the database's version before a process starts."""

import pytest

from tallyport.migrate import downgrade
from tallyport.versions import DatabaseVersionError, newest, require_current_database


def test_a_current_database_is_let_through(database_url: str) -> None:
    """Nothing happens where the tables are those of this program."""
    require_current_database(database_url)
    assert newest() is not None


def test_an_old_database_says_how_to_bring_it_up_to_date(database_url: str) -> None:
    """An empty database names the command."""
    downgrade(database_url)
    with pytest.raises(DatabaseVersionError, match="tallyport migrate"):
        require_current_database(database_url)

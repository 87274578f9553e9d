"""Whether the database is at the version of the tables that this program speaks.

Server and worker look before they start, so that an operator reads what to do instead of an error
of the database. Changes nothing.
"""

from importlib.resources import files

from alembic.config import Config
from alembic.script import ScriptDirectory

from tallyport.migrate import current
from tallyport.services import ServicesError


class DatabaseVersionError(ServicesError):
    """The database has other tables than this program speaks; the text says what to do."""


def require_current_database(database_url: str) -> None:
    """Return where the database is up to date, or raise DatabaseVersionError."""
    found, wanted = current(database_url), newest()
    if found == wanted:
        return
    if found is not None and found not in _known():
        raise DatabaseVersionError(
            f"The database is at version {found}, which this program does not know. "
            "Start a newer Tallyport."
        )
    raise DatabaseVersionError(
        f"The database is {f'at version {found}' if found else 'empty'}; this program needs "
        f"{wanted}. Bring it up to date with: tallyport migrate"
    )


def newest() -> str | None:
    """The version that migrations end with."""
    return _scripts().get_current_head()


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    return ScriptDirectory.from_config(config)

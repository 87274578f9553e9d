"""Brings a database to the version of the tables that this program speaks, and back.

Two processes that start together do not clash: whoever comes second waits for an advisory lock and
then finds nothing left to do. The functions are synchronous and own their event loop, so that they
can be called before a server starts, from a fixture, and from inside a running loop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from reconcile.store import watching
from tallyport.services.errors import ServicesError

LOCK = 0x7A11_9047
"""Key of the advisory lock; any number that nothing else on this database uses."""

Result = TypeVar("Result")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


async def _locked(database_url: str, work: Callable[[Connection], Result]) -> Result:
    engine = create_async_engine(database_url, poolclass=NullPool)
    try:
        await _reach(engine)
        # A session lock on a connection of its own: migrations commit, and a lock of a
        # transaction would end with the first of them. It goes with the connection, also when
        # the process is killed.
        async with engine.connect() as guard, engine.connect() as connection:
            await guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            result = await connection.run_sync(work)
            await connection.commit()
            await guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
            return result
    finally:
        await engine.dispose()


async def _reach(engine: AsyncEngine) -> None:
    """Return where the database lets us in, or raise ServicesError with what it said."""
    try:
        async with engine.connect():
            pass
    except (OSError, DBAPIError, asyncpg.PostgresError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        # What it said names the user and the database; never the password.
        raise ServicesError(
            f"PostgreSQL cannot be used: {cause}. Check the address in TALLYPORT_DATABASE_URL, and "
            "that the server runs and knows this user and database."
        ) from None


def _run(database_url: str, work: Callable[[Connection], Result]) -> Result:
    # A thread of its own, because the caller may already be inside an event loop.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="migrate") as pool:
        return pool.submit(lambda: asyncio.run(_locked(database_url, work))).result()


def upgrade(database_url: str) -> None:
    """Bring the database to the newest version; nothing happens where it is there already."""
    _run(database_url, _upgrade)


def downgrade(database_url: str, revision: str = "base") -> None:
    """Take the database back to a revision; `base` removes every table of the product."""
    _run(database_url, lambda connection: command.downgrade(_config(connection), revision))


def current(database_url: str) -> str | None:
    """The revision the database is at; None for an empty one."""
    return _run(
        database_url,
        lambda connection: MigrationContext.configure(connection).get_current_revision(),
    )


def distrust_all(database_url: str) -> None:
    """What the database holds is a belief of the past: the stores are looked at first."""

    async def work() -> None:
        engine = create_async_engine(database_url, poolclass=NullPool)
        try:
            await _reach(engine)
            async with engine.begin() as connection:
                await watching.distrust(connection, "The database was restored")
        finally:
            await engine.dispose()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="recheck") as pool:
        pool.submit(lambda: asyncio.run(work())).result()

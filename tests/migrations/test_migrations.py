"""The migrations lead from nothing to the tables of the code, and back again."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from reconcile.store.tables import metadata
from tallyport import migrate

Seen = TypeVar("Seen")


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))


def _table_names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _see(database_url: str, look: Callable[[Connection], Seen]) -> Seen:
    async def run() -> Seen:
        engine = create_async_engine(database_url, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(look)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def test_tables_of_the_migrations_are_those_of_the_code(database_url: str) -> None:
    """Autogenerate finds nothing to add after the newest migration."""
    migrate.upgrade(database_url)

    assert _see(database_url, _differences) == []


def test_up_down_up(database_url: str) -> None:
    """Every migration can be taken back without a trace and applied again."""
    migrate.upgrade(database_url)
    assert migrate.current(database_url) is not None

    migrate.downgrade(database_url)
    assert migrate.current(database_url) is None
    assert _see(database_url, _table_names) == {"alembic_version"}

    migrate.upgrade(database_url)
    assert _see(database_url, _differences) == []


def test_two_that_start_together_do_not_clash(database_url: str) -> None:
    """The second one waits for the first and finds nothing left to do."""
    migrate.downgrade(database_url)

    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(migrate.upgrade, [database_url] * 3))

    assert _see(database_url, _differences) == []

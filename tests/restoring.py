"""A copy of a test's database, as a dump makes it, and the copy in its place, as a restore does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from reconcile.deps import Deps
from reconcile.store import sweeping
from tests.conftest import named

LONG_AGO = timedelta(hours=3)
"""How old the copy is when it is restored."""


@dataclass(frozen=True, slots=True)
class Dump:
    """A copy of the database at one moment."""

    deps: Deps
    server: str
    name: str

    @asynccontextmanager
    async def restored(self, *, is_old: bool = True) -> AsyncIterator[Deps]:
        """The product on the copy; the original is what is lost. Old: it was made hours ago."""
        engine = create_async_engine(named(self.server, self.name), pool_size=3)
        try:
            if is_old:
                async with engine.begin() as conn:
                    await conn.execute(
                        text("UPDATE workers SET seen_at = seen_at - CAST(:age AS interval)"),
                        {"age": LONG_AGO},
                    )
            yield replace(self.deps, engine=engine)
        finally:
            await engine.dispose()
            await _say(self.server, f'DROP DATABASE "{self.name}" WITH (FORCE)')


async def dump(deps: Deps) -> Dump:
    """Copy the database while a worker is alive, as every running installation has one."""
    async with deps.engine.begin() as conn:
        await sweeping.beat(conn, "worker of the past")
    server = deps.engine.url.render_as_string(hide_password=False)
    await _alone(deps.engine)
    source = deps.engine.url.database
    name = f"{source}_dump"
    await _say(named(server, "postgres"), f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    return Dump(deps, named(server, "postgres"), name)


async def _alone(engine: AsyncEngine) -> None:
    # PostgreSQL copies only what nobody is connected to; the pool opens anew when asked.
    await engine.dispose()


async def _say(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=30)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=10)

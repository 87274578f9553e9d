"""The servers under a scenario: embedded PostgreSQL and Valkey, and a database of its own.

One set serves many scenarios; each gets a copy of a migrated template that holds a token. Also the
eyes of the harness: statements that wait until a killed PostgreSQL is back.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import asyncpg
import redis

from reconcile.commands import tokens
from reconcile.commands.tokens import Scope
from tallyport.migrate import upgrade
from tallyport.services import Server, Services, open_services
from tallyport.services.locks import is_held
from tallyport.services.state import read_state
from tallyport.settings import Settings
from tallyport.wiring import open_deps

_TEMPLATE = "chaos_template"
_PATIENCE_SECONDS = 40.0
_FAREWELL_SECONDS = 20.0
_MOST_KILLS = 3
"""The keeper of a server that keeps dying waits ever longer; after these a fresh one is started."""

_MIGRATING = threading.Lock()
"""Alembic keeps what it works on in a global: one thread at a time."""

Row = Mapping[str, Any]


class Eyes:
    """Reads a scenario's database from one thread, whatever happens to PostgreSQL meanwhile."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("postgresql+asyncpg://", "postgresql://")
        self._runner = asyncio.Runner()
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None

    def rows(
        self, statement: str, *values: Any, patience: float = _PATIENCE_SECONDS
    ) -> Sequence[Row]:
        """The rows of a statement; asked again until the database answers."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return [dict(row) for row in self._runner.run(self._fetch(statement, values))]
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # A statement of ours that is wrong would otherwise be waited for as well.
                if isinstance(error, asyncpg.SyntaxOrAccessError) or time.monotonic() > deadline:
                    raise
                self._forget()
                time.sleep(0.05)

    def value(self, statement: str, *values: Any, patience: float = _PATIENCE_SECONDS) -> Any:
        """The first value of the first row."""
        [row] = self.rows(statement, *values, patience=patience)
        return next(iter(row.values()))

    async def _fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Row]:
        if self._conn is None or self._conn.is_closed():
            self._conn = await asyncpg.connect(self._url, timeout=10, command_timeout=20)
        found: Sequence[Row] = await self._conn.fetch(statement, *values)
        return found

    def _forget(self) -> None:
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    def close(self) -> None:
        """Give the connection back."""
        self._forget()
        self._runner.close()


class Ground:
    """PostgreSQL and Valkey for scenarios, one after the other."""

    def __init__(self, folder: Path, secret_key: str) -> None:
        self._folder = folder
        self.secret_key = secret_key
        self._services: Services | None = None
        self._kills = 0
        self.token = ""

    def __enter__(self) -> Self:
        self._services = self._opened()
        self._make_template()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _settings(self, **others: Any) -> Settings:
        return Settings(data_dir=self._folder, secret_keys=self.secret_key, **others)  # type: ignore[arg-type]  # a text becomes a secret

    def _opened(self) -> Services:
        return open_services(self._settings(database_url=None, redis_url=None))

    def _leave(self) -> None:
        if self._services is not None:
            self._services.close()
            self._services = None
        deadline = time.monotonic() + _FAREWELL_SECONDS
        while is_held(self._folder / "services" / "holder.lock") and time.monotonic() < deadline:
            time.sleep(0.05)

    @property
    def services(self) -> Services:
        """Where they are."""
        assert self._services is not None
        return self._services

    # --- databases

    def named(self, database: str) -> str:
        """The address of a database of this PostgreSQL."""
        head, _, tail = self.services.database_url.rpartition("?")
        return f"{head.rpartition('/')[0]}/{database}?{tail}"

    def _say(self, statement: str) -> None:
        eyes = Eyes(self.services.database_url)
        try:
            eyes.rows(statement)
        finally:
            eyes.close()

    def _make_template(self) -> None:
        self._say(f'CREATE DATABASE "{_TEMPLATE}"')
        with _MIGRATING:
            upgrade(self.named(_TEMPLATE))
        self.token = asyncio.run(self._first_token())

    async def _first_token(self) -> str:
        where = Services(self.named(_TEMPLATE), self.services.redis_url, None)
        async with open_deps(self._settings(), where) as deps:
            return (await tokens.create(deps, "chaos", [Scope.ADMIN], by="chaos")).secret

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """A migrated database of one scenario, and an empty Valkey."""
        self._freshen()
        name = f"chaos_{uuid.uuid4().hex[:12]}"
        self._say(f'CREATE DATABASE "{name}" TEMPLATE "{_TEMPLATE}"')
        with redis.Redis.from_url(self.services.redis_url, socket_timeout=10) as client:
            client.flushall()
        try:
            yield self.named(name)
        finally:
            self._say(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _freshen(self) -> None:
        if self._kills >= _MOST_KILLS:
            self._leave()
            self._services = self._opened()
            self._kills = 0

    # --- faults

    def kill(self, server: Server) -> bool:
        """End a server without warning; its keeper starts it again. False: it is down already."""
        state = read_state(self._folder / "services" / "state.json")
        pid = None if state is None else state.servers[server].pid
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._kills += 1
            return True
        return False

"""Fixtures every test may use: real PostgreSQL and Valkey, and a database per test."""

import asyncio
import importlib
import importlib.util
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg
import hypothesis
import pytest
import redis
from pydantic import SecretStr

from tallyport.services import Services, open_services
from tallyport.services.locks import FileLock, is_held
from tallyport.settings import Settings

T = TypeVar("T")

# Set in the controlling process and inherited by xdist's workers, so that all share one data
# directory.
_RUN_DIR = "PYTEST_TALLYPORT_RUN_DIR"
_TEMPLATE = "tallyport_template"

hypothesis.settings.register_profile(
    "quick", max_examples=50, derandomize=True, deadline=None, print_blob=False
)
hypothesis.settings.register_profile("deep", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's data directory once; it is made when the first test needs a server."""
    if not hasattr(config, "workerinput"):
        # Short and directly below /tmp: pytest's own directories are closed to the servers'
        # account.
        name = f"tallyport-run-{os.getuid()}-{uuid.uuid4().hex[:12]}"
        os.environ[_RUN_DIR] = str(Path(tempfile.gettempdir()) / name)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Wait for the servers' end, which follows that of the last worker, and remove their data."""
    if hasattr(config, "workerinput") or _RUN_DIR not in os.environ:
        return
    run_dir = Path(os.environ.pop(_RUN_DIR))
    deadline = time.monotonic() + 20
    while is_held(run_dir / "services" / "holder.lock") and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, the only loop the product uses."""
    return "asyncio"


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """Yield the embedded servers shared by all tests and workers of this run."""
    settings = Settings(
        data_dir=Path(os.environ[_RUN_DIR]), database_url=None, redis_url=None, secret_keys=None
    )
    with open_services(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def template_database(services: Services) -> str:
    """Return the name of a migrated database to clone, made by the first worker that asks."""
    with FileLock(Path(os.environ[_RUN_DIR]) / "template.lock") as lock:
        assert lock.wait(120), "another worker has been migrating the template for too long"
        if not blocking(_database_exists(services.database_url, _TEMPLATE)):
            unfinished = f"{_TEMPLATE}_new"
            blocking(_statement(services.database_url, f'CREATE DATABASE "{unfinished}"'))
            _migrate(named(services.database_url, unfinished))
            blocking(
                _statement(
                    services.database_url, f'ALTER DATABASE "{unfinished}" RENAME TO "{_TEMPLATE}"'
                )
            )
    return _TEMPLATE


@pytest.fixture
def database_url(services: Services, template_database: str) -> Iterator[str]:
    """Yield the address of a migrated database of this test's own, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    blocking(
        _statement(
            services.database_url, f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"'
        )
    )
    try:
        yield named(services.database_url, name)
    finally:
        blocking(_statement(services.database_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def redis_url(services: Services, worker_id: str) -> Iterator[str]:
    """Yield the address of an empty Valkey database no other worker uses."""
    number = 0 if worker_id == "master" else 1 + int(worker_id.removeprefix("gw"))
    url = services.redis_url.replace("?db=0", f"?db={number}")
    with redis.Redis.from_url(url, socket_timeout=10) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Return settings that name this test's own servers and data directory."""
    return Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        secret_keys=None,
        data_dir=tmp_path / "data",
    )


def named(url: str, database: str) -> str:
    """Return the address with another database name."""
    head, _, tail = url.rpartition("?")
    return f"{head.rpartition('/')[0]}/{database}?{tail}"


def blocking(work: Coroutine[None, None, T]) -> T:
    """Run a coroutine to its end, whether or not a loop runs in this thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result(timeout=180)


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        url.replace("postgresql+asyncpg://", "postgresql://"), timeout=30, command_timeout=120
    )


async def _statement(url: str, statement: str) -> None:
    connection = await _connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close(timeout=10)


async def _database_exists(url: str, name: str) -> bool:
    connection = await _connect(url)
    try:
        found = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
        return found is True
    finally:
        await connection.close(timeout=10)


def _migrate(url: str) -> None:
    """Run the migrations where the project has them already."""
    if importlib.util.find_spec("tallyport.migrate") is not None:
        importlib.import_module("tallyport.migrate").upgrade(url)

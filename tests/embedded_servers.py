"""What the tests of the embedded servers share: questions, process ids, other users."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import redis

from tallyport.services import Server, Services
from tallyport.services.locks import is_held
from tallyport.services.state import read_state
from tallyport.settings import Settings

ROOT = Path(__file__).parents[1]
AS_ROOT = os.geteuid() == 0

USER = """
import sys
from pathlib import Path
from tallyport.services import open_services
from tallyport.settings import Settings
settings = Settings(data_dir=Path(sys.argv[1]), database_url=None, redis_url=None)
with open_services(settings):
    print("ready", flush=True)
    sys.stdin.read()
"""


def embedded(data_dir: Path) -> Settings:
    """Return settings that ask for embedded servers in this directory."""
    return Settings(data_dir=data_dir, database_url=None, redis_url=None, secret_keys=None)


def query(services: Services, *statements: str) -> object:
    """Run statements in the embedded database and return the first value of the last."""

    async def work() -> object:
        url = services.database_url.replace("+asyncpg", "")
        connection = await asyncpg.connect(url, timeout=10, command_timeout=30)
        try:
            value: object = None
            for statement in statements:
                value = await connection.fetchval(statement)
            return value
        finally:
            await connection.close(timeout=10)

    return asyncio.run(work())


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something to become true, and fail when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def pid_of(data_dir: Path, server: Server) -> int:
    """Return the process id of a running server."""
    state = read_state(data_dir / "services" / "state.json")
    assert state is not None
    pid = state.servers[server].pid
    assert pid is not None
    return pid


def holder_of(data_dir: Path) -> int | None:
    """Return the process id of the holder, or None before it has said anything."""
    state = read_state(data_dir / "services" / "state.json")
    return None if state is None else state.pid


def kill(pid: int | None) -> None:
    """End a process without giving it a chance to do anything."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def holder_lives(data_dir: Path) -> bool:
    """Say whether a holder owns the directory's servers."""
    return is_held(data_dir / "services" / "holder.lock")


def answers(services: Services) -> bool:
    """Say whether both servers do their work now."""
    try:
        with redis.Redis.from_url(services.redis_url, socket_timeout=5) as client:
            return query(services, "SELECT 1") == 1 and bool(client.ping())
    except (OSError, asyncpg.PostgresError, redis.RedisError):
        return False


@contextmanager
def user_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that uses the servers, until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@contextmanager
def as_servers_account(data_dir: Path) -> Iterator[int]:
    """Run a process that has nothing to do with us as the servers' account."""
    owner = (data_dir / "services" / "postgres").stat()
    with subprocess.Popen(
        ["/bin/sleep", "60"],
        user=owner.st_uid if AS_ROOT else None,
        group=owner.st_gid if AS_ROOT else None,
        extra_groups=() if AS_ROOT else None,
    ) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def pid_of_or_none(data_dir: Path, server: Server) -> int | None:
    """Return the process id of a server, or None while it has none."""
    state = read_state(data_dir / "services" / "state.json")
    return None if state is None else state.servers[server].pid

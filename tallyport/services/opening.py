"""How a process comes to use PostgreSQL and Valkey: given ones, or embedded ones.

A user holds a shared lock while it uses embedded servers and watches that a holder lives; one that
was killed is started again. Nothing here starts a server itself.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never
from urllib.parse import quote

import structlog

from tallyport.services.errors import ServicesError
from tallyport.services.layout import Layout, explain, prepare_data_dir
from tallyport.services.locks import FileLock, is_held
from tallyport.services.postgres import DATABASE, USER, read_password
from tallyport.services.probes import postgres_answers, valkey_answers
from tallyport.services.state import Health, Server, read_state
from tallyport.settings import Settings

_log = structlog.get_logger(__name__)

_START_SECONDS = 90.0
"""A first start takes about a second; recovery after a crash of a large database takes longer."""
_HOLDER_SECONDS = 15.0
"""Time for the holder's process to come up."""
_HOLDERS = 2
"""Holders tried in one start: the first may be an earlier one that was just leaving."""
_WATCH_SECONDS = 1.0
_LONGEST_WATCH_PAUSE = 30.0


class Services:
    """The addresses of both servers; embedded ones run at least until this is closed."""

    def __init__(self, database_url: str, redis_url: str, use: "_Use | None") -> None:
        """Keep the addresses; use ``open_services`` to get one."""
        self.database_url = database_url
        self.redis_url = redis_url
        self._use = use

    def close(self) -> None:
        """Stop using the servers, which the last user's leaving stops; harmless when repeated."""
        if self._use is not None:
            self._use.close()

    def __repr__(self) -> str:
        """Say what runs where, without the addresses: they carry passwords."""
        return f"Services(embedded={self._use is not None})"

    def __enter__(self) -> Self:
        """Return the services themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop using the servers."""
        self.close()


def open_services(settings: Settings) -> Services:
    """Return both servers ready for use, starting embedded ones where no address is set."""
    database = settings.database_url.get_secret_value() if settings.database_url else None
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    if database is not None and redis is not None:
        return Services(database, redis, None)
    layout = prepare_data_dir(settings.data_dir)
    needed = [Server.POSTGRES] if database is None else []
    needed += [Server.VALKEY] if redis is None else []
    use = _Use(layout, needed)
    try:
        sockets = use.begin()
        return Services(
            database or _postgres_url(layout, sockets[Server.POSTGRES]),
            redis or _valkey_url(sockets[Server.VALKEY]),
            use,
        )
    except BaseException as error:
        use.close()
        if isinstance(error, OSError):
            raise ServicesError(explain(layout.data_dir, error)) from error
        raise


def answers(server: Server, socket: Path) -> bool:
    """Say whether the server on this socket answers now."""
    match server:
        case Server.POSTGRES:
            return postgres_answers(socket)
        case Server.VALKEY:
            return valkey_answers(socket)
        case _:
            assert_never(server)


class _Use:
    """One process's use of the embedded servers of one data directory."""

    def __init__(self, layout: Layout, needed: list[Server]) -> None:
        self._layout = layout
        self._needed = needed
        self._lock = FileLock(layout.users_lock)
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="tallyport-services", daemon=True)

    def begin(self) -> dict[Server, Path]:
        """Become a user, make sure the servers run, and return their sockets."""
        sockets = self._ensure()
        self._watcher.start()
        return sockets

    def close(self) -> None:
        """Stop being a user."""
        self._closed.set()
        if self._watcher.is_alive():
            # It may be in the middle of a start that takes long; the lock is given back all the
            # same.
            self._watcher.join(2.0)
        self._lock.close()

    def _watch(self) -> None:
        """Start a new holder whenever there is none, until closed."""
        pause = _WATCH_SECONDS
        while not self._closed.wait(pause):
            try:
                if not is_held(self._layout.holder_lock):
                    _log.warning("services.holder_gone", data_dir=str(self._layout.data_dir))
                    self._ensure()
                pause = _WATCH_SECONDS
            except (ServicesError, OSError) as error:
                if self._closed.is_set() or not self._layout.root.exists():
                    return
                pause = min(pause * 2, _LONGEST_WATCH_PAUSE)
                _log.error("services.restart_failed", reason=str(error), next_attempt_seconds=pause)

    def _ensure(self) -> dict[Server, Path]:
        deadline = time.monotonic() + _START_SECONDS
        with FileLock(self._layout.start_lock) as start:
            if not start.wait(_START_SECONDS):
                raise ServicesError(
                    f"Another process has been starting the servers of {self._layout.data_dir} for "
                    f"{_START_SECONDS:.0f} seconds. {_advice(self._layout)}"
                )
            if not self._lock.wait(5.0, shared=True):
                raise ServicesError(
                    f"{self._layout.users_lock} is locked by another program. "
                    "Find it with fuser and end it."
                )
            for server in self._needed:
                (self._layout.wanted / server).touch()
            for _ in range(_HOLDERS):
                if not is_held(self._layout.holder_lock):
                    self._layout.state_file.unlink(missing_ok=True)
                    _start_holder(self._layout)
                sockets = self._wait_ready(deadline)
                if sockets is not None:
                    return sockets
            raise ServicesError(f"The servers' holder ended at once. {_advice(self._layout)}")

    def _wait_ready(self, deadline: float) -> dict[Server, Path] | None:
        """The sockets once everything answers; None where the holder has ended meanwhile."""
        began = time.monotonic()
        while (now := time.monotonic()) < deadline and not self._closed.is_set():
            state = read_state(self._layout.state_file)
            servers = {} if state is None else state.servers
            alive = is_held(self._layout.holder_lock)
            for server in self._needed:
                found = servers.get(server)
                # While the mark is there, a failure is an earlier one's and ours is not seen yet.
                pending = alive and (self._layout.wanted / server).exists()
                if found is not None and found.health is Health.FAILED and not pending:
                    raise ServicesError(f"{found.note} {_advice(self._layout)}")
            sockets = {
                server: Path(found.socket)
                for server, found in servers.items()
                if found.health is Health.READY and server in self._needed
            }
            if (
                alive
                and len(sockets) == len(self._needed)
                and all(answers(*pair) for pair in sockets.items())
            ):
                return sockets
            if not alive and now - began > (_HOLDER_SECONDS if state is None else 2.0):
                return None
            time.sleep(0.02)
        raise ServicesError(
            f"The servers were not ready in {_START_SECONDS:.0f} seconds. {_advice(self._layout)}"
        )


def _start_holder(layout: Layout) -> None:
    """Start the holder, which detaches itself, and return once it has."""
    source = str(Path(__file__).resolve().parents[2])
    # Our own environment may hold secrets; the holder needs none of it.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": source,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    descriptor = os.open(
        layout.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    try:
        started = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "tallyport.services.holder", "--data-dir", str(layout.data_dir)],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServicesError(
            f"The servers' holder could not be started: {error}. {_advice(layout)}"
        ) from error
    finally:
        os.close(descriptor)
    if started.returncode != 0:
        raise ServicesError(f"The servers' holder could not be started. {_advice(layout)}")


def _postgres_url(layout: Layout, socket: Path) -> str:
    password = quote(read_password(layout), safe="")
    return f"postgresql+asyncpg://{USER}:{password}@/{DATABASE}?host={socket.parent}"


def _valkey_url(socket: Path) -> str:
    return f"unix://{socket}?db=0"


def _advice(layout: Layout) -> str:
    """Say where to look, with the last lines of the log, which hold no statements."""
    try:
        lines = layout.log_file.read_text(errors="replace").splitlines()[-5:]
    except OSError:
        lines = []
    tail = "".join(f"\n  {line[:300]}" for line in lines)
    return f"The log is {layout.log_file}." + (f" It ends with:{tail}" if tail else "")

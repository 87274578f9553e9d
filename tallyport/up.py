"""Everything on one machine: services, migrations, the API and a worker, until asked to stop.

This process listens on the port and supervises the two others, which answer for it: while the
server process is started again, requests wait in the listening socket instead of being refused.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import httpx

from tallyport.bootstrap import Tokens, first_tokens
from tallyport.local import LocalInstance, read_local, write_local
from tallyport.migrate import upgrade
from tallyport.services import Services, ServicesError, open_services
from tallyport.services.layout import prepare_data_dir
from tallyport.services.locks import FileLock, is_held
from tallyport.settings import PREFIX, Settings
from tallyport.supervise import Child, Supervisor
from tallyport.wiring import open_deps

_READY_SECONDS = 30.0
_LOCK_FILE = "up.lock"
_RACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """What someone needs to know of an instance that is up."""

    url: str
    data_dir: str
    first_token: str | None = field(repr=False)
    """The first admin token, on the first start only; it is stored nowhere."""


class AlreadyUpError(ServicesError):
    """Another `tallyport up` runs with this data directory; two would hide each other."""

    def __init__(self, data_dir: Path) -> None:
        known = read_local(data_dir)
        where = f" and answers at {known.url}" if known is not None else ""
        super().__init__(
            f"Tallyport is up already with the data directory {data_dir}{where}. Stop it first; "
            "more workers join with `tallyport worker`, another instance takes another --data-dir."
        )


class PortTakenError(OSError):
    """Another program listens on the port."""


def run_up(
    settings: Settings,
    announce: Callable[[Running], None],
    *,
    note: Callable[[str], None] = lambda _text: None,
) -> None:
    """Run an instance until SIGTERM or SIGINT; `announce` is called once it answers."""
    note("Starting PostgreSQL and Valkey ...")
    _look_for_another(settings.data_dir)
    with (
        listen(settings) as listener,
        _alone(settings.data_dir),
        open_services(settings) as services,
    ):
        url = _address(settings, listener)
        note("Bringing the database up to date ...")
        upgrade(services.database_url)
        known = read_local(settings.data_dir)
        tokens = asyncio.run(_tokens(settings, services, known.token if known else None))
        write_local(settings.data_dir, LocalInstance(url, tokens.local))
        supervisor = Supervisor(_children(settings, listener))

        def started() -> None:
            if not _await_answer(url, supervisor.is_stopping):
                note(
                    "The API does not answer yet. It is started again until it does; what keeps it "
                    "from that is said above."
                )
            announce(Running(url, str(settings.data_dir), tokens.first))

        with _stopping(supervisor.stop):
            supervisor.run(started)


async def _tokens(settings: Settings, services: Services, known: str | None) -> Tokens:
    async with open_deps(settings, services) as deps:
        return await first_tokens(deps, known)


def _look_for_another(data_dir: Path) -> None:
    """Say that another one is up before its port is found taken; nothing is made."""
    try:
        if is_held(data_dir / _LOCK_FILE):
            raise AlreadyUpError(data_dir)
    except OSError:
        pass  # another user's directory, which is told when it is to be used


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Be the only one that is up with a data directory; kill -9 gives it back too."""
    with FileLock(prepare_data_dir(data_dir).data_dir / _LOCK_FILE) as lock:
        if not lock.wait(_RACE_SECONDS):
            raise AlreadyUpError(data_dir)
        yield


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say, or PortTakenError with what to do."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise PortTakenError(
            error.errno,
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}). "
            f"Is Tallyport running already? Otherwise choose another port with --port.",
        ) from error
    listener.listen(512)
    return listener


def _address(settings: Settings, listener: socket.socket) -> str:
    if settings.public_url is None and settings.port == 0:
        port = listener.getsockname()[1]
        return settings.model_copy(update={"port": port}).base_url
    return settings.base_url


def _children(settings: Settings, listener: socket.socket) -> list[Child]:
    python = [sys.executable, "-m", "tallyport"]
    environment = {**os.environ, f"{PREFIX}DATA_DIR": str(settings.data_dir)}
    environment[f"{PREFIX}HOST"] = settings.host
    environment[f"{PREFIX}PORT"] = str(listener.getsockname()[1])
    socket_number = listener.fileno()
    return [
        Child(
            "server",
            [*python, "serve", "--lifeline", "--socket", str(socket_number)],
            environment,
            (socket_number,),
        ),
        Child("worker", [*python, "worker", "--lifeline"], environment, replaces="--replaces"),
    ]


def _await_answer(url: str, stopped: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _READY_SECONDS
    with httpx.Client(timeout=5.0) as http:
        while time.monotonic() < deadline and not stopped():
            try:
                if http.get(f"{url}/health").status_code == httpx.codes.OK:
                    return True
            except httpx.TransportError:
                pass  # not yet
            time.sleep(0.05)
    return stopped()


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into an orderly end."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    earlier = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)

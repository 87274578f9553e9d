"""Our processes in a scenario: the API server and the workers, started again whenever they end.

They are killed, stopped and continued by their process ids, and told apart by their places.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

from tallyport.worker import worker_name
from tests.chaos.processes import CONTEXT, OFFSET, serve, work

_POLL_SECONDS = 0.02
_STOP_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
"""Who ends by itself, the database being away, does so again for a moment."""


@dataclass(slots=True)
class _Place:
    """One process that is to run."""

    main: Callable[..., None]
    arguments: tuple[Any, ...]
    is_worker: bool
    process: BaseProcess | None = None
    start_at: float = 0.0
    replaces: int | None = None


class Crew:
    """The server and the workers of one scenario."""

    def __init__(self, folder: Path, environment: Mapping[str, str], workers: int) -> None:
        self._clock = folder / "clock"
        self._clock.write_bytes(OFFSET.pack(0.0))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        own = (dict(environment), folder / "processes.log")
        self._server = _Place(serve, (*own, self._listener), is_worker=False)
        self._workers = [_Place(work, (*own, self._clock), is_worker=True) for _ in range(workers)]
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="crew", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._keeper.join(_STOP_SECONDS)
        places = [self._server, *self._workers]
        running = [place.process for place in places if place.process is not None]
        for process in running:
            _signal(process, signal.SIGCONT)
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            process.join(max(0.1, deadline - time.monotonic()))
            _signal(process, signal.SIGKILL)
            process.join()
        self._listener.close()

    def _keep(self) -> None:
        while not self._is_over.is_set():
            with self._lock:
                for place in (self._server, *self._workers):
                    self._look_after(place)
            time.sleep(_POLL_SECONDS)

    def _look_after(self, place: _Place) -> None:
        if place.process is not None and not place.process.is_alive():
            place.process.join()
            place.process = None
            place.start_at = max(place.start_at, time.monotonic() + _AGAIN_SECONDS)
        if place.process is None and time.monotonic() >= place.start_at:
            more = (place.replaces,) if place.is_worker else ()
            place.process = CONTEXT.Process(
                target=place.main, args=(*place.arguments, *more), daemon=True
            )
            place.process.start()
            place.replaces = None

    # --- faults

    def kill_server(self) -> bool:
        """End the API server without warning."""
        with self._lock:
            return self._kill(self._server, 0.05, is_known=False)

    def kill_worker(self, holder: str | None, *, pause: float, is_known: bool) -> str | None:
        """End a worker without warning, the holder of a lease where one is named; its name.

        With `is_known` the one that follows is told who has ended, as by the supervisor.
        """
        with self._lock:
            place = self._worker(holder)
            if place is None or place.process is None:
                return None
            name = worker_name(place.process.pid or 0)
            return name if self._kill(place, pause, is_known=is_known) else None

    def stop_worker(self, holder: str | None, seconds: float) -> bool:
        """Stop a worker where it stands, and let it go on after so many seconds."""
        with self._lock:
            place = self._worker(holder)
            if place is None or place.process is None or not place.process.is_alive():
                return False
            process = place.process
            _signal(process, signal.SIGSTOP)
        timer = threading.Timer(seconds, _signal, (process, signal.SIGCONT))
        timer.daemon = True
        timer.start()
        return True

    def jump(self, seconds: float) -> None:
        """Shift the injected clock of the workers once more."""
        (offset,) = OFFSET.unpack(self._clock.read_bytes())
        with self._clock.open("r+b") as file:
            file.write(OFFSET.pack(offset + seconds))

    def _worker(self, holder: str | None) -> _Place | None:
        alive = [place for place in self._workers if place.process is not None]
        for place in alive:
            if place.process is not None and worker_name(place.process.pid or 0) == holder:
                return place
        return alive[0] if alive and holder is None else None

    def _kill(self, place: _Place, pause: float, *, is_known: bool) -> bool:
        process = place.process
        if process is None or not process.is_alive():
            return False
        _signal(process, signal.SIGKILL)
        process.join()
        place.process = None
        place.start_at = time.monotonic() + pause
        place.replaces = process.pid if is_known else None
        return True


def _signal(process: BaseProcess, number: signal.Signals) -> None:
    """Send a signal to a process of ours that is still there."""
    if process.is_alive() and process.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)

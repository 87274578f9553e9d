"""Keeps one server running: starts it, notices its end, starts it again with growing pauses.

A keeper is advanced by ``tick`` with the time passed in; it never sleeps and never decides whether
it is needed.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from typing import IO, Protocol

from tallyport.services import processes
from tallyport.services.errors import ServicesError
from tallyport.services.state import Health, ServerState

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_ATTEMPTS = 3
"""Starts that may fail in a row before the first success; after one, it is tried for as long as it
is needed."""
_SETTLED = 60.0
"""Seconds after which a server that stands is trusted again and its pauses start small."""


class Program(Protocol):
    """What a keeper must know about a server."""

    @property
    def stop_steps(self) -> Sequence[tuple[Signals, float]]:
        """Signals that end it, from kind to hard, each with its seconds."""

    @property
    def socket(self) -> Path:
        """The socket it listens on."""

    def prepare(self) -> None:
        """Do what must be done before each start, or raise ServicesError."""

    def launch(self) -> processes.Launch:
        """Return how to start it."""

    def is_ready(self, pid: int) -> bool:
        """Say whether it answers."""

    def complete(self) -> None:
        """Do what can only be done once it answers."""


class Keeper:
    """One server under supervision."""

    def __init__(self, program: Program, log: IO[bytes]) -> None:
        """Take charge of the program without starting it."""
        self._program = program
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._health = Health.STARTING
        self._note = ""
        self._start_at = 0.0
        self._ready_at = 0.0
        self._was_ready = False
        self._failures = 0

    @property
    def state(self) -> ServerState:
        """How the server does now."""
        pid = None if self._process is None else self._process.pid
        return ServerState(self._health, pid, str(self._program.socket), self._note)

    def tick(self, now: float) -> None:
        """Look once and do what is due."""
        if self._health is Health.FAILED:
            return
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return
        status = self._process.poll()
        if status is not None:
            self._process = None
            self._ended(now, f"ended with status {status}")
        elif self._health is not Health.READY:
            self._greet(now, self._process.pid)
        elif now - self._ready_at > _SETTLED:
            self._failures = 0

    def stop(self) -> None:
        """End the server and wait for its end."""
        if self._process is not None:
            processes.end(self._process, self._program.stop_steps)
            self._process = None
        if self._health is not Health.FAILED:
            self._health = Health.STOPPED

    def _start(self, now: float) -> None:
        try:
            self._program.prepare()
            self._process = processes.start(self._program.launch(), self._log)
        except ServicesError as error:
            self._refused(now, str(error))
        except (OSError, subprocess.SubprocessError) as error:
            self._refused(now, f"could not be started: {error}")

    def _refused(self, now: float, note: str) -> None:
        """Take note of a start that cannot work: final unless the server has run before."""
        self._note = note
        if self._was_ready:
            self._ended(now, note)
        else:
            self._health = Health.FAILED

    def _greet(self, now: float, pid: int) -> None:
        if not self._program.is_ready(pid):
            return
        try:
            self._program.complete()
        except Exception as error:  # noqa: BLE001
            # Any fault of the database driver: the server is up and unusable, so it is tried
            # afresh.
            self.stop()
            self._ended(now, f"answers but cannot be used: {error}")
            return
        self._health, self._note = Health.READY, ""
        self._ready_at, self._was_ready = now, True

    def _ended(self, now: float, note: str) -> None:
        self._failures += 1
        self._note = note
        if not self._was_ready and self._failures >= _ATTEMPTS:
            self._health = Health.FAILED
            return
        self._health = Health.RESTARTING if self._was_ready else Health.STARTING
        self._start_at = now + min(_FIRST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE)

"""Keeps child processes running: starts them, starts them again when they end, stops them in order.

A process that keeps ending is started again ever more slowly. Stopping is SIGTERM first, SIGKILL
after a grace. Must not know what the children do.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 10.0
_STEADY_SECONDS = 20.0
"""A process that ran this long starts again at once."""
_GRACE_SECONDS = 12.0
_POLL_SECONDS = 0.1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    files: tuple[int, ...] = ()
    """Descriptors it inherits."""
    replaces: str | None = None
    """Option that tells it the process id of its predecessor, which has ended."""


@dataclass(slots=True)
class _Slot:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    next_start: float = 0.0
    delay: float = _FIRST_DELAY
    ended: int | None = None
    """Process id of the last one that ended."""


class Supervisor:
    """Runs children until asked to stop; a child killed by anybody is started again."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._slots = [_Slot(child) for child in children]
        # A plain flag: an Event's lock would be taken twice by a signal inside a signal.
        self._is_stopping = False

    def stop(self) -> None:
        """Ask `run` to end; safe to call from a signal handler."""
        self._is_stopping = True

    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._is_stopping

    def run(self, on_started: Callable[[], None] | None = None) -> None:
        """Keep everything running until `stop`, then end the children."""
        try:
            for slot in self._slots:
                self._start(slot)
            if on_started is not None:
                on_started()
            while not self._is_stopping:
                for slot in self._slots:
                    self._look_after(slot)
                time.sleep(_POLL_SECONDS)
        finally:
            self._end_all()

    def _start(self, slot: _Slot) -> None:
        # The pipe on its standard input is the lifeline: see `tallyport.lifeline`. Its output goes
        # to our standard error, because standard output belongs to what `up` itself says.
        command = list(slot.child.command)
        if slot.child.replaces is not None and slot.ended is not None:
            command += [slot.child.replaces, str(slot.ended)]
        slot.process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE,
            stdout=sys.stderr,
            env=dict(slot.child.environment),
            pass_fds=slot.child.files,
            # Ctrl-C at the terminal reaches the supervisor only, which ends its children in order.
            start_new_session=True,
        )
        slot.started_at = time.monotonic()

    def _look_after(self, slot: _Slot) -> None:
        now = time.monotonic()
        if slot.process is None:
            if now >= slot.next_start:
                self._start(slot)
            return
        code = slot.process.poll()
        if code is None:
            return
        if now - slot.started_at >= _STEADY_SECONDS:
            slot.delay = _FIRST_DELAY
        log.warning("process_ended", process=slot.child.name, code=code, again_in=slot.delay)
        _close_lifeline(slot.process)
        slot.ended = slot.process.pid
        slot.process = None
        slot.next_start = now + slot.delay
        slot.delay = min(slot.delay * 2, _LONGEST_DELAY)

    def _end_all(self) -> None:
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close_lifeline(process)


def _close_lifeline(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()

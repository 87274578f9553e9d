"""The processes of the demo: an instance and a sandbox store, each on a lifeline to this one.

What is started here is stopped here, and ends by itself when the demo is killed. Nothing else is
touched.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

_START_SECONDS = 120.0
_STOP_SECONDS = 25.0
_LOG_TAIL = 30


class StartError(RuntimeError):
    """A process of the demo did not come up; the text says what it said last."""


class Running:
    """One child process that says a line of JSON once it is ready."""

    def __init__(
        self, name: str, arguments: list[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "tallyport", *arguments, "--lifeline"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                env=dict(environment),
                # Ctrl-C at the terminal is for the demo, which stops its children in order.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def ready(self) -> dict[str, Any]:
        """Wait for the line that says it is ready, and return what it says."""
        out = self._process.stdout
        assert out is not None  # noqa: S101 - a pipe was asked for
        deadline = time.monotonic() + _START_SECONDS
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise StartError(f"{self.name} did not start in time. {self._said()}")
                part = os.read(out.fileno(), 65536)
                if not part:
                    raise StartError(f"{self.name} did not start. {self._said()}")
                line += part
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def stop(self) -> None:
        """Ask it to stop, and end it hard when it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _said(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        return "It said last:\n" + "\n".join(lines) if lines else "It said nothing."

"""A running Tallyport, as an operator has it: `tallyport up` in a data directory of its own.

Also the command line in this process, against that instance. Must not import what runs inside it.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tallyport.cli import build_app
from tallyport.client import ApiClient, UnreachableError

_START_SECONDS = 60.0
_STOP_SECONDS = 25.0
_SHORT: Mapping[str, str] = {
    "TALLYPORT_ALLOWED_HOSTS": "127.0.0.1",
    "TALLYPORT_SWEEP_SECONDS": "0.5",
    "TALLYPORT_SETTLE_SECONDS": "1",
    "TALLYPORT_LEASE_SECONDS": "12",
    "TALLYPORT_HTTP_TIMEOUT_SECONDS": "9",
    "TALLYPORT_LOG_LEVEL": "info",
}
"""Times as short as a busy machine bears, and leave to speak to stores on this machine."""

_APP = build_app()


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said: its exit code, the JSON value of standard output, standard error."""

    code: int
    answer: Any
    notes: str

    def problems(self) -> list[dict[str, Any]]:
        """What was refused, however the command puts it."""
        answer = self.answer if isinstance(self.answer, dict) else {}
        return list(answer.get("errors") or answer.get("problems") or ())

    def codes(self) -> list[str]:
        """The codes of what was refused."""
        return [problem["code"] for problem in self.problems()]

    def text(self) -> str:
        """Everything that was refused, as one text."""
        return " | ".join(str(problem["message"]) for problem in self.problems()) + self.notes


class Instance:
    """`tallyport up` in one data directory; it can be killed and started again."""

    def __init__(self, home: Path, **settings: str) -> None:
        self._home = home
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.token = ""

    @property
    def log(self) -> str:
        """Everything the processes have logged so far."""
        file = self._home / "up.log"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def data_dir(self) -> Path:
        """Where the instance keeps everything."""
        return self._home / "data"

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        self._process = self._spawn("up", "--port", "0", "--json", "--lifeline")
        try:
            said = self._first_line(self._process)
        except AssertionError:
            self.stop()
            raise
        self.url = str(said["url"])
        self.token = str(said["firstToken"] or self.token)

    def start_without_worker(self) -> None:
        """Start the API alone, by the commands for several machines."""
        self._once("migrate", "--json")
        made = self._once("token", "create", "tests", "--scope", "admin", "--json")
        self.token = str(json.loads(made)["token"])
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = str(chosen.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self._process = self._spawn("serve", "--port", port, "--lifeline")
        deadline = time.monotonic() + _START_SECONDS
        with self.client() as client:
            while not _answers(client):
                assert time.monotonic() < deadline, self.log[-4000:]
                time.sleep(0.1)

    def _environment(self) -> dict[str, str]:
        self._home.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if "TALLYPORT_" not in name}
        return {**kept, **_SHORT, "TALLYPORT_DATA_DIR": str(self.data_dir), **self._settings}

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = self._environment()
        with (self._home / "up.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tallyport", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def _once(self, *arguments: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "tallyport", *arguments],
            env=self._environment(),
            capture_output=True,
            timeout=_START_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def stop(self) -> None:
        """Ask it to stop, as an operator does, and wait for its end."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._end(_STOP_SECONDS)

    def kill(self) -> None:
        """End the supervisor without any warning, as a machine that loses power."""
        assert self._process is not None
        self._process.kill()
        self._end(_STOP_SECONDS)

    def kill_part(self, name: str) -> int:
        """End the `server` or the `worker` process without any warning; returns its process id."""
        part = self.part(name)
        os.kill(part, signal.SIGKILL)
        return part

    @contextlib.contextmanager
    def second_worker(self) -> Iterator[None]:
        """Let another worker process help for a while."""
        process = self._spawn("worker", "--lifeline")
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def part(self, name: str) -> int:
        """Process id of the supervised `server` or `worker`."""
        word = {"server": b"serve", "worker": b"worker"}[name]
        assert self._process is not None
        parent = self._process.pid
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for child in _children(parent):
                if word in _command(child):
                    return child
            time.sleep(0.05)
        raise AssertionError(f"no {name} process under {parent}")

    def client(self) -> ApiClient:
        """A client of the API with the first admin token."""
        return ApiClient(self.url, self.token)

    def cli(self, *arguments: str, stdin: str | None = None, token: str | None = None) -> Said:
        """Run a command with `--json` against this instance."""
        where = ["--url", self.url, "--token", token or self.token, "--json"]
        result = CliRunner().invoke(_APP, [*arguments, *where], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        out = result.stdout.strip()
        answer = json.loads(out.rpartition("\n")[2]) if out else None
        return Said(result.exit_code, answer, result.stderr)

    def _first_line(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(_START_SECONDS):
                raise AssertionError(f"it did not start in time:\n{self.log[-4000:]}")
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"it did not start:\n{self.log[-4000:]}")
        said: dict[str, Any] = json.loads(line)
        return said

    def _end(self, seconds: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None


def _answers(client: ApiClient) -> bool:
    try:
        client.query("{ viewer { id } }")
    except UnreachableError:
        return False
    return True


def _children(parent: int) -> list[int]:
    file = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(part) for part in file.read_text().split()] if file.exists() else []


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""

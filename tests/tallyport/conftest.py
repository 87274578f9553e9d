"""A running instance with a sandbox store, as real processes, for the tests of the command line."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import structlog
from typer.testing import CliRunner, Result

from tallyport.cli import build_app
from tallyport.demo.stores import WooCommerceStore

_STOP_SECONDS = 30


@dataclass(frozen=True)
class Process:
    """One `tallyport` process that said that it is ready."""

    process: subprocess.Popen[bytes]
    said: dict[str, object]
    log: Path

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(_STOP_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def start(arguments: list[str], environment: dict[str, str], log: Path) -> Process:
    """Start `tallyport` and wait for its line of JSON."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TALLYPORT_")}
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tallyport", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**clean, **environment},
            start_new_session=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.kill()
        process.wait()
        process.stdout.close()
        raise AssertionError(f"it did not start: {log.read_text()[-3000:]}")
    return Process(process, orjson.loads(line), log)


@dataclass(frozen=True)
class Instance:
    """An instance, a store, and the command line that finds the instance by itself."""

    url: str
    data_dir: Path
    store_url: str
    credentials: dict[str, str] = field(repr=False)
    store: WooCommerceStore

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run a command as the operator of this machine."""
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            return CliRunner().invoke(
                build_app(),
                list(arguments),
                input=stdin,
                env={
                    "TALLYPORT_DATA_DIR": str(self.data_dir),
                    "TALLYPORT_URL": None,
                    "TALLYPORT_TOKEN": None,
                },
            )
        finally:
            # A command sets up the logs of its process, which is that of the tests here.
            root.handlers[:], root.level = handlers, level
            structlog.reset_defaults()

    def json(self, *arguments: str, code: int = 0) -> object:
        """Run a command with --json, check its exit code and return what it says."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
        return orjson.loads(result.stdout)


Start = Callable[[list[str], dict[str, str], Path], Process]


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance and a WooCommerce sandbox, stopped at the end."""
    home = tmp_path_factory.mktemp("instance")
    shop = start(["sandbox", "woocommerce", "--json"], {}, home / "shop.log")
    try:
        store_url = str(shop.said["url"])
        environment = {
            "TALLYPORT_DATA_DIR": str(home / "data"),
            # Without a port: tests may start further stores.
            "TALLYPORT_ALLOWED_HOSTS": str(urlsplit(store_url).hostname),
            "TALLYPORT_SWEEP_SECONDS": "1",
        }
        up = start(["up", "--port", "0", "--json"], environment, home / "up.log")
        try:
            credentials = shop.said["credentials"]
            assert isinstance(credentials, dict)
            yield Instance(
                url=str(up.said["url"]),
                data_dir=home / "data",
                store_url=store_url,
                credentials=credentials,
                store=WooCommerceStore(store_url),
            )
        finally:
            up.stop()
    finally:
        shop.stop()


@pytest.fixture(scope="session")
def start_process() -> Start:
    """Starts `tallyport` processes of a test's own."""
    return start

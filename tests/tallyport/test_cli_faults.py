"""What the command line says when it cannot do anything: never a traceback."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from tallyport.cli import build_app
from tallyport.cli.reference import reference
from tallyport.cli.session import Session
from tallyport.local import LocalInstance, write_local
from tallyport.migrate import current, downgrade
from tallyport.settings import load_settings


def _run(*arguments: str, data_dir: Path, **environment: str) -> Result:
    known = {"TALLYPORT_DATA_DIR": str(data_dir), "TALLYPORT_URL": None, "TALLYPORT_TOKEN": None}
    return CliRunner().invoke(build_app(), list(arguments), env={**known, **environment})


def test_nothing_running_says_how_to_start(tmp_path: Path) -> None:
    """A refused connection names `tallyport up` and ends with 1."""
    result = _run("channel", "list", "--url", "http://127.0.0.1:9", data_dir=tmp_path)

    assert result.exit_code == 1
    assert "tallyport up" in result.stderr
    assert "Traceback" not in result.output


def test_faults_are_json_too(tmp_path: Path) -> None:
    """With --json a fault is one JSON value on standard output."""
    result = _run("runs", "list", "--url", "http://127.0.0.1:9", "--json", data_dir=tmp_path)

    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["errors"][0]["code"] == "UNREACHABLE"


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    """A wrong environment is told by name and without its value."""
    result = _run("channel", "list", data_dir=tmp_path, TALLYPORT_PORT="many")

    assert result.exit_code == 1
    assert "TALLYPORT_PORT" in result.stderr
    assert "many" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["listings", "list", "--link", "nothing"],
        ["sandbox", "nothing"],
        ["listings", "import", "/no/such/file"],
        ["nothing"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    """Missing arguments and unknown platforms, files, values and commands end with 2."""
    result = _run(*arguments, data_dir=tmp_path)

    assert result.exit_code == 2


def test_the_reference_is_that_of_the_commands() -> None:
    """docs/cli.md is what the commands say; `python -m tallyport.cli.reference` writes it."""
    file = Path(__file__).parents[2] / "docs" / "cli.md"

    assert reference() == file.read_text(encoding="utf-8")


def test_the_local_token_is_never_sent_elsewhere(tmp_path: Path) -> None:
    """A token of this machine's instance goes to its own address only."""
    heard: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.headers.get("authorization", ""))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        write_local(tmp_path, LocalInstance("http://127.0.0.1:8420", "tp_secret"))
        url = f"http://127.0.0.1:{server.server_port}"
        result = _run("channel", "list", "--url", url, data_dir=tmp_path)
        server.shutdown()
        thread.join()

    assert heard == [""]
    assert result.exit_code == 1
    assert "tallyport token create" in result.stderr


def test_an_address_with_a_slash_is_the_same_address(tmp_path: Path) -> None:
    """The local token goes to the local address, with and without a slash at its end."""
    write_local(tmp_path, LocalInstance("http://127.0.0.1:9", "tp_secret"))
    session = Session("http://127.0.0.1:9/", None, as_json=True)
    session._settings = load_settings().model_copy(update={"data_dir": tmp_path})

    with session, session.api as api:
        assert api._http.headers["authorization"] == "Bearer tp_secret"


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "recheck"])
def test_a_database_out_of_reach_is_told(command: str, tmp_path: Path) -> None:
    """The setting to look at is named, and the password is not."""
    address = "postgresql://someone:hidden-word@127.0.0.1:9/shop"
    result = _run(command, data_dir=tmp_path, TALLYPORT_DATABASE_URL=address)

    assert result.exit_code == 1
    assert "TALLYPORT_DATABASE_URL" in result.stderr
    assert "hidden-word" not in result.output


def test_recheck_says_that_nothing_is_believed(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """After a restore: one command, also on a database of an older version."""
    downgrade(database_url, "0001")
    where = {"TALLYPORT_DATABASE_URL": database_url, "TALLYPORT_REDIS_URL": redis_url}

    result = _run("recheck", "--json", data_dir=tmp_path, **where)

    assert result.exit_code == 0, result.output
    assert orjson.loads(result.stdout) == {"rechecked": True}
    assert current(database_url) not in (None, "0001")

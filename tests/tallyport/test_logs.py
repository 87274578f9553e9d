"""Tests of the logs: structure, and what never appears in them."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from tallyport.logs import configure_logs, redact


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Logs of this test; the settings before it are put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_logs_are_json_lines_off_a_terminal(stream: io.StringIO) -> None:
    """Each event is one JSON object with level, time and logger."""
    configure_logs("info", stream=stream)
    structlog.get_logger("part").info("run_started", run_id=7)

    line = orjson.loads(stream.getvalue())

    assert (line["event"], line["run_id"], line["level"]) == ("run_started", 7, "info")
    assert line["logger"] == "part"
    assert line["timestamp"].endswith("Z")


def test_no_secret_reaches_a_log(stream: io.StringIO) -> None:
    """Secrets are blanked by name and by look, in events, arguments and tracebacks."""
    configure_logs("info", stream=stream, as_json=True)
    log = structlog.get_logger("part")
    secret = "cs_" + "9z" * 20

    log.info("connect", consumer_secret=secret, nested={"access_token": secret, "sku": "A-1"})
    logging.getLogger("other").warning("login with %s failed", secret)
    logging.getLogger("other").warning("see %s", "postgresql://shop:" + "pw12345678@db/x")
    try:
        raise ValueError(f"bad token tp_{'a' * 30}")
    except ValueError:
        log.exception("failed")

    text = stream.getvalue()
    assert secret not in text
    assert "pw12345678" not in text
    assert "a" * 30 not in text
    assert "A-1" in text
    assert "ValueError" in text


def test_personal_data_is_blanked() -> None:
    """What names a shopper is blanked, wherever it stands."""
    told = redact({"order": "17", "billing": {"email": "x@y.example"}, "rows": [{"phone": "1"}]})

    assert told == {"order": "17", "billing": "***", "rows": [{"phone": "***"}]}


def test_levels_below_the_chosen_one_are_silent(stream: io.StringIO) -> None:
    """A warning level hides information."""
    configure_logs("warning", stream=stream)
    structlog.get_logger("part").info("nothing")

    assert not stream.getvalue()

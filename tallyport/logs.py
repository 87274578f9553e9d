"""Structured logs on standard error, with secrets and personal data taken out.

Everything that logs through the standard library (the HTTP server, the queue) goes through the same
processors. Standard output is never written: it belongs to what a command answers.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"authorization|password|passwd|secret|token|credential|cookie|signature"
    r"|(?:api|access|private|consumer|secret|fernet)_?keys?$",
    re.IGNORECASE,
)
# Data about shoppers has no place in a log, whoever puts it there.
_PERSONAL_NAME = re.compile(
    r"e_?mail|phone|first_?name|last_?name|full_?name|customer|recipient|billing|shipping_address"
    r"|street|postcode|zip_?code",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\b(?:tp|ck|cs|shpat|shpss)_[A-Za-z0-9_-]{12,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|\b(?:Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}"
)
_DEEPEST = 6


def redact(value: object, depth: int = 0) -> object:
    """Return a copy of a value in which secrets and personal data are blanked."""
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, str):
        return _SECRET_TEXT.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _is_private(str(key)) else redact(part, depth + 1)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(part, depth + 1) for part in value]
    return value


def _is_private(name: str) -> bool:
    return bool(_SECRET_NAME.search(name) or _PERSONAL_NAME.search(name))


def _redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # `_record` and `_from_structlog` belong to the formatter, which needs them as they are.
    for key, value in list(event.items()):
        if not key.startswith("_"):
            event[key] = HIDDEN if _is_private(key) else redact(value)
    return event


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at that moment; a caller in this process may change it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # an attribute there
        """Standard error."""
        return sys.stderr


def configure_logs(
    level: str, *, stream: TextIO | None = None, as_json: bool | None = None
) -> None:
    """Send all logs of this process to one stream: lines for a terminal, JSON for anything else."""
    target = stream or sys.stderr
    is_json = not target.isatty() if as_json is None else as_json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Exceptions are rendered before redaction, so that a secret in their text goes too.
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _redacted,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if is_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _StandardError() if stream is None else logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[*last, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They write one line per request or job at INFO; ours say more with less.
    for noisy in ("httpx", "httpcore", "arq.worker", "uvicorn.access", "uvicorn.error", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))

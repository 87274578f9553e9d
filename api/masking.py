"""What an error may show: the client's fault in plain words, ours as an id that stands in the log.

Neither an answer nor a log line repeats a value of the request: it may be a credential. Messages of
graphql-core quote values, so whatever the client sent is taken out of them again.
"""

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from secrets import token_hex
from typing import Any

import structlog
from graphql import (
    DocumentNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    StringValueNode,
    Visitor,
    visit,
)
from sqlalchemy.exc import DBAPIError
from strawberry.types import ExecutionContext

from api.faults import UserFaultError

_log = structlog.get_logger("api")

_HIDDEN = "***"
_WORD = re.compile(r"[A-Z][A-Z_]{1,30}")
"""Values that look like those of an enum and help in "did you mean"."""
_QUOTED = re.compile(
    r"(?<=got invalid value ).*?(?=; )"  # of a variable, with everything in it
    r"|(?<=found )(?:BlockString|String|Int|Float) .*"  # in a syntax error
    r"|(?<=found )Name ['\"](?=[^'\"]*\d|[^'\"]{24,})[^'\"]*['\"]"
    r"|'[^']{60,}'|\"[^\"]{60,}\"",  # long values come shortened, so they are not recognized
    re.DOTALL,
)
_SHORTEST = 4
_OURS = "INTERNAL"
UNAVAILABLE = "UNAVAILABLE"
_MASKED = frozenset({_OURS, UNAVAILABLE})
_FRAMES = 8


def is_ours(error: GraphQLError) -> bool:
    """Whether an error is a fault of the server; then its text is for the log only."""
    original = error.original_error
    if isinstance(error, UserFaultError) or isinstance(original, UserFaultError):
        return False
    if isinstance(original, RecursionError):
        return error.path is not None
    # Without a path it was said before execution: about the document or its variables.
    return error.path is not None or not (original is None or isinstance(original, GraphQLError))


def _leaves(value: object) -> Iterator[str]:
    match value:
        case Mapping():
            for part in value.values():
                yield from _leaves(part)
        case list() | tuple():
            for part in value:
                yield from _leaves(part)
        case bool() | None:
            return
        case _:
            yield str(value)


class _Literals(Visitor):
    """Collects the literal values of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def enter(self, node: Any, *_: Any) -> None:
        """Keep text, numbers and unquoted words (visitors are untyped, hence Any)."""
        if isinstance(node, StringValueNode | IntValueNode | FloatValueNode | EnumValueNode):
            self.found.append(node.value)


def _request_values(execution: ExecutionContext | None) -> tuple[str, ...]:
    """Everything the client sent as a value, longest first."""
    literals = _Literals()
    document: DocumentNode | None = None if execution is None else execution.graphql_document
    if document is not None:
        visit(document, literals)
    found = {*literals.found, *_leaves(None if execution is None else execution.variables)}
    return tuple(sorted((each for each in found if len(each) >= _SHORTEST), key=len, reverse=True))


def _scrub(message: str, values: Iterable[str]) -> str:
    """A message without the values of the request; words such as SYNC_LISTINGS stay."""
    message = _QUOTED.sub(_HIDDEN, message)
    for value in values:
        if not _WORD.fullmatch(value):
            for form in (value, repr(value)[1:-1]):
                message = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", _HIDDEN, message)
    return message


def process_errors(errors: Iterable[GraphQLError], execution: ExecutionContext | None) -> None:
    """Make errors fit to be shown, in place, and write the faults of ours to the log."""
    values: tuple[str, ...] | None = None
    for error in errors:
        if isinstance(error, UserFaultError) or (error.extensions or {}).get("code") in _MASKED:
            continue
        if isinstance(error.original_error, UserFaultError):
            error.extensions = error.original_error.extensions
            continue
        if values is None:
            values = _request_values(execution)
        if is_ours(error):
            _mask(error, values)
        elif isinstance(error.original_error, RecursionError):
            error.message = "The document is nested too deeply."
            error.extensions = {"code": "TOO_MUCH"}
        else:
            error.message = _scrub(error.message, values)
            error.extensions = {"code": "BAD_REQUEST", **(error.extensions or {})}


def _mask(error: GraphQLError, values: Iterable[str]) -> None:
    number = token_hex(6)
    cause = error.original_error or error
    log_fault(number, cause, values, path=".".join(str(part) for part in error.path or ()))
    error.original_error = None
    if is_passing(cause):
        error.message = passing(number)
        error.extensions = {"code": UNAVAILABLE, "id": number}
        return
    error.message = (
        f"Something went wrong here, not in your request. The log has it under the id {number}."
    )
    error.extensions = {"code": _OURS, "id": number}


_BUSY = frozenset({"40001", "40P01", "57P03"})
"""SQLSTATEs that pass: two that got in each other's way, a deadlock, a database that starts."""


def is_passing(cause: BaseException) -> bool:
    """Whether the database is away, starting or busy: nothing is wrong that time does not mend."""
    if isinstance(cause, DBAPIError):
        state = getattr(cause.orig, "sqlstate", None)
        return cause.connection_invalidated or state in _BUSY or "starting up" in str(cause.orig)
    return isinstance(cause, OSError)


def passing(number: str) -> str:
    """What is said about a fault that passes."""
    return (
        "The database cannot do this right now; it may be starting or busy. Ask again in a few "
        f"seconds. The log has it under the id {number}."
    )


def log_fault(number: str, cause: BaseException, values: Iterable[str], **where: str) -> None:
    """Write a fault of ours to the log: kind, place, scrubbed text; no values of the request."""
    # A database error quotes statement and parameters; the driver's own words are enough.
    words = str(getattr(cause, "orig", None) or cause).splitlines()
    frames = traceback.extract_tb(cause.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    _log.error(
        "request.failed",
        error_id=number,
        kind=f"{type(cause).__module__}.{type(cause).__qualname__}",
        message=_scrub(words[0] if words else "", values),
        at=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in ours[-_FRAMES:]],
        **where,
    )

"""`POST /imports`: a catalog file, streamed into the database in pieces of bounded size."""

from collections.abc import AsyncIterator

import structlog
from starlette.requests import Request
from starlette.responses import Response

from api.http import Endpoint, HttpFaultError, answer, guarded, principal_of, too_large
from api.ids import BadIdError, Kind, encode, number_of
from api.limits import Limits
from api.multipart import file_of
from reconcile.commands import imports
from reconcile.commands.errors import CommandError
from reconcile.commands.tokens import Scope, allows
from reconcile.core.types import Presence
from reconcile.deps import Deps
from reconcile.store.channels import channel_by_name

PIECE_BYTES = 1024 * 1024
"""Size of a stored piece, and about what an upload takes in memory."""

_log = structlog.get_logger("api")


def imports_route(deps: Deps, limits: Limits) -> Endpoint:
    """The endpoint that receives catalog files."""

    @guarded
    async def receive(request: Request) -> Response:
        principal = await principal_of(request, deps)
        if not allows(principal.scopes, Scope.WRITE):
            raise HttpFaultError(403, "FORBIDDEN", "Imports need a token with scope write.")
        channel_id = await _channel(request, deps)
        stated = request.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and int(stated[:20]) > limits.import_bytes:
            raise too_large(limits.import_bytes)
        import_id = await imports.begin(
            deps,
            channel_id,
            _parameter(request, "name", "catalog.csv"),
            layout=_parameter(request, "layout", "") or None,
            replace_with=_replacement(request),
            pause_new=_is_yes(request, "pause_new"),
            by=principal.by,
        )
        try:
            await _store(deps, import_id, request, limits)
            await imports.finish(deps, import_id)
        except BaseException:
            # Cut off, too large or ended from outside: half a file must never be imported.
            await _give_up(deps, import_id, principal.by)
            raise
        return answer({"import": encode(Kind.IMPORT, import_id)}, 202)

    return receive


async def _give_up(deps: Deps, import_id: int, by: str) -> None:
    try:
        await imports.cancel(deps, import_id, by=by)
    except CommandError:
        _log.info("import.not_canceled", import_id=import_id)


async def _store(deps: Deps, import_id: int, request: Request, limits: Limits) -> None:
    number, pending = 0, bytearray()
    async for piece in _pieces(request, limits.import_bytes):
        pending += piece
        while len(pending) >= PIECE_BYTES:
            await imports.append(deps, import_id, number, bytes(pending[:PIECE_BYTES]))
            del pending[:PIECE_BYTES]
            number += 1
    if pending:
        await imports.append(deps, import_id, number, bytes(pending))
        number += 1
    if number == 0:
        raise HttpFaultError(400, "EMPTY", "The file is empty.")


def _pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    kind = request.headers.get("content-type", "")
    stream = _limited(request, limit)
    return file_of(stream, kind) if kind.lower().startswith("multipart/") else stream


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            raise too_large(limit)
        yield piece


async def _channel(request: Request, deps: Deps) -> int:
    given = _parameter(request, "channel", "")
    if not given:
        raise HttpFaultError(
            400, "MISSING", "Say which channel: `POST /imports?channel=<id or name>&name=<file>`."
        )
    async with deps.engine.connect() as conn:
        found = await channel_by_name(conn, deps, given)
    if found is not None:
        return found.id
    try:
        return number_of(given, Kind.CHANNEL)
    except BadIdError:
        raise HttpFaultError(
            404, "NOT_FOUND", "There is no channel with this name, and it is no id of one."
        ) from None


def _parameter(request: Request, name: str, default: str) -> str:
    value = request.query_params.get(name, default)
    if "\x00" in value:
        raise HttpFaultError(400, "BAD_REQUEST", f"`{name}` must not contain the character NUL.")
    return value


def _replacement(request: Request) -> Presence | None:
    given = request.query_params.get("replace_with")
    if given is None:
        return None
    if given not in (Presence.HIDDEN, Presence.DELISTED):
        raise HttpFaultError(
            400,
            "INVALID",
            "`replace_with` is HIDDEN or DELISTED: what becomes of missing listings.",
        )
    return Presence(given)


def _is_yes(request: Request, name: str) -> bool:
    given = request.query_params.get(name, "false").lower()
    if given not in ("true", "false", "1", "0"):
        raise HttpFaultError(400, "INVALID", f"`{name}` is true or false.")
    return given in ("true", "1")

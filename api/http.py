"""What every HTTP route shares: who asks, answers in JSON, masked faults, safe headers."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_hex
from typing import Any

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.context import Principal
from api.masking import UNAVAILABLE, is_passing, log_fault, passing
from reconcile.commands.errors import CommandError
from reconcile.commands.tokens import authenticate
from reconcile.deps import Deps

_STATUS = {"NOT_FOUND": 404, "CONFLICT": 409, "WRONG_STATE": 409}
_CLIENT_CLOSED = 499

Endpoint = Callable[[Request], Awaitable[Response]]


class HttpFaultError(Exception):
    """The client's fault, answered with a status and a sentence that says what to do."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer."""
    return Response(
        orjson.dumps(content, default=str),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def refusal(fault: HttpFaultError) -> Response:
    """The answer to a client's fault."""
    content = {"error": {"code": fault.code, "message": fault.message}}
    return answer(content, fault.status, fault.headers)


def guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose faults are answered in JSON and whose crashes are masked and logged."""

    @functools.wraps(endpoint)
    async def run(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HttpFaultError as error:
            return refusal(error)
        except CommandError as error:
            problem = error.problems[0]
            status = _STATUS.get(problem.code, 422)
            return refusal(HttpFaultError(status, problem.code, problem.message))
        except ClientDisconnect:
            return answer({}, _CLIENT_CLOSED)
        except Exception as error:  # noqa: BLE001 - the outermost place: nothing may show a traceback
            number = token_hex(6)
            log_fault(number, error, (), path=request.url.path)
            if is_passing(error):
                told = {"code": UNAVAILABLE, "message": passing(number), "id": number}
                return answer({"error": told}, 503, {"Retry-After": "5"})
            message = f"Something went wrong here. The log has it under the id {number}."
            content = {"error": {"code": "INTERNAL", "message": message, "id": number}}
            return answer(content, 500)

    return run


async def principal_of(request: Request, deps: Deps) -> Principal:
    """Who asks; a fault with status 401 where the token is missing or unknown."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise _unauthenticated(
            "Send an access token: `Authorization: Bearer tp_...`. "
            "Create one with `tallyport token create`."
        )
    found = await authenticate(deps, secret.strip())
    if found is None:
        raise _unauthenticated(
            "This access token is unknown or was revoked. Create one with `tallyport token create`."
        )
    return Principal(token_id=found.id, name=found.name, scopes=found.scopes)


def _unauthenticated(message: str) -> HttpFaultError:
    return HttpFaultError(401, "UNAUTHENTICATED", message, {"WWW-Authenticate": "Bearer"})


def too_large(limit: int) -> HttpFaultError:
    """The fault of a body over its limit."""
    return HttpFaultError(413, "TOO_LARGE", f"The body is larger than {limit} bytes.")


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, never more than the limit of it in memory."""
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > limit:
        raise too_large(limit)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class SecurityHeaders:
    """Adds the headers that keep answers out of caches, frames and guesses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object out of a body (its values are anything, hence `Any`)."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HttpFaultError(400, "BAD_REQUEST", "The body is not JSON.") from None
    if not isinstance(content, dict):
        raise HttpFaultError(400, "BAD_REQUEST", "The body must be one JSON object.")
    return content
